"""Names that other services give to the columns and pages of the log."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

# In the order of likelihood; compared without case, separators and a prefix such as "event_params.".
COLUMN_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "ts": (
        "timestamp", "time", "event_timestamp", "event_time", "occurred_at", "created_at", "datetime", "date",
        "server_time", "client_time", "received_at", "logged_at",
    ),
    "userId": (
        "user", "uid", "user_pseudo_id", "customer_id", "customer", "account_id", "account", "member_id", "member",
        "subscriber_id", "subscriber", "client_id", "profile_id", "distinct_id", "anonymous_id", "visitor_id",
    ),
    "sessionId": ("session", "ga_session_id", "visit_id", "visit", "session_number", "session_key"),
    "page": ("event_name", "event", "event_type", "action", "activity", "page_name", "screen", "name", "type"),
    "auth": ("login_state", "auth_state"),
    "method": ("http_method", "request_method"),
    "status": ("http_status", "status_code", "response_code"),
    "level": ("plan", "tier", "subscription", "subscription_level", "subscription_type", "product", "package"),
    "itemInSession": ("item", "event_number", "event_index", "sequence", "hit_number", "position"),
    "location": ("city", "place", "region", "geo_city", "address"),
    "userAgent": ("agent", "browser", "device_user_agent"),
    "lastName": ("surname", "family_name"),
    "firstName": ("given_name",),
    "registration": (
        "registered_at", "registration_time", "registration_date", "signup", "signed_up_at", "signup_date",
        "signup_time", "joined_at", "user_created_at", "user_first_touch_timestamp", "member_since",
    ),
    "gender": ("sex",),
    "artist": ("artist_name", "performer", "author", "creator"),
    "song": ("title", "track", "track_name", "song_name", "song_title", "item_name", "content_title"),
    "length": ("duration", "seconds", "duration_seconds", "song_length", "track_length"),
}  # fmt: skip
# Words of an event's name, all of which it has; the first page that fits is proposed.
PAGE_WORDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Cancellation Confirmation": (
        ("cancel", "confirm"), ("cancelled",), ("canceled",), ("churn",), ("unsubscribe",), ("unsubscribed",),
        ("subscription", "cancel"), ("subscription", "end"), ("subscription", "expire"), ("account", "delete"),
        ("account", "close"),
    ),
    "Submit Downgrade": (("downgraded",), ("submit", "downgrade"), ("downgrade", "confirm"), ("plan", "downgrade")),
    "Submit Upgrade": (
        ("upgraded",), ("submit", "upgrade"), ("upgrade", "confirm"), ("plan", "upgrade"), ("purchase",),
        ("subscription", "start"), ("subscribed",),
    ),
    "Cancel": (("cancel",),),
    "Downgrade": (("downgrade",),),
    "Upgrade": (("upgrade",), ("pricing",), ("paywall",)),
    "Thumbs Down": (("thumb", "down"), ("dislike",), ("skip",)),
    "Thumbs Up": (("thumb", "up"), ("like",), ("favorite",), ("favourite",), ("love",)),
    "Add to Playlist": (("playlist",), ("watchlist",), ("bookmark",), ("save", "item")),
    "Add Friend": (("friend",), ("follow",), ("invite",)),
    "Roll Advert": (("advert",), ("ad",), ("ads",), ("commercial",)),
    "Save Settings": (("save", "settings"), ("settings", "changed"), ("settings", "updated")),
    "Settings": (("settings",), ("preferences",)),
    "Logout": (("logout",), ("log", "out"), ("sign", "out"), ("signout",)),
    "Login": (("login",), ("log", "in"), ("sign", "in"), ("signin",)),
    "Submit Registration": (("registered",), ("sign", "up"), ("signup",), ("register", "confirm")),
    "Register": (("register",), ("registration",)),
    "Help": (("help",), ("support",), ("faq",)),
    "About": (("about",),),
    "Error": (("error",), ("exception",), ("crash",)),
    "NextSong": (("play",), ("played",), ("song",), ("track",), ("listen",), ("stream",), ("watch",), ("view", "item")),
    "Home": (("home",), ("page", "view"), ("screen", "view"), ("app", "open"), ("session", "start")),
}  # fmt: skip


def likely_column(column: str, names: Collection[str]) -> str | None:
    """The name among those of a log that probably stands for a column of the contract; None where none does.

    Examples:
        >>> likely_column("userId", ["user_id", "page"])
        'user_id'
        >>> likely_column("ts", ["event_params.seconds", "event_timestamp"])
        'event_timestamp'
    """
    plain = {_plain(name): name for name in reversed(list(names))}
    last_part = {_plain(name.rpartition(".")[2]): name for name in reversed(list(names))}
    for wanted in (column, *COLUMN_SYNONYMS.get(column, ())):
        for known in (plain, last_part):
            if _plain(wanted) in known:
                return known[_plain(wanted)]
    return None


def likely_pages(events: Iterable[str], pages: Collection[str]) -> dict[str, list[str]]:
    """The log's event names that probably stand for a page of the contract, by page.

    Examples:
        >>> likely_pages(["subscription_cancelled", "trackStarted", "x"], ["Cancellation Confirmation", "NextSong"])
        {'Cancellation Confirmation': ['subscription_cancelled'], 'NextSong': ['trackStarted']}
    """
    found: dict[str, list[str]] = {}
    for event in events:
        page = _page_of(event) if event not in pages else None
        if page in pages:
            found.setdefault(str(page), []).append(event)
    return {page: found[page] for page in PAGE_WORDS if page in found}


def _page_of(event: str) -> str | None:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", event).lower()
    words = set(re.findall(r"[a-z]+", spaced))
    words |= {word.removesuffix(ending) for word in words for ending in ("s", "ed")}
    return next((page for page, phrases in PAGE_WORDS.items() if any(words >= set(each) for each in phrases)), None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
