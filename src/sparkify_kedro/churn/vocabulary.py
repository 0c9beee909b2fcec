"""Names and units that all pipelines share: keys, pages, and times in ms since the epoch."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

# A row of ``user_time_bins`` and of every table made of it: a user, and the end of the window that it describes.
KEYS = ("user_id", "bin_end")

# The labels of a cancellation, which every run learns. All labels are defined in ``feature_engineering.labels``.
LABELS = ("churned_in_time_bin", "will_churn_in_next_bin", "will_churn_soon")
# Those of a change of the level, which are learned on request.
LEVEL_LABELS = ("will_downgrade", "will_upgrade")
# Those of a cancellation within other horizons than the forecast's, which are learned on request, too.
HORIZON_LABELS = ("will_churn_in_7_days", "will_churn_in_28_days")
EVERY_LABEL = (*LABELS, *LEVEL_LABELS, *HORIZON_LABELS)
# The label whose probability is served: a cancellation in the horizon, among users who have not cancelled yet.
FORECAST = "will_churn_in_next_bin"

MILLISECONDS_PER_DAY = 86_400_000

# How many landmarks before its own a user has, of those whose features a row repeats as ``{name}_{number}_earlier``.
LANDMARKS_EARLIER = "landmarks_earlier"

# Pages of the log that the code looks at by name.
SONG = "NextSong"
CANCELLATION = "Cancellation Confirmation"
DOWNGRADE = "Submit Downgrade"
UPGRADE = "Submit Upgrade"

# Pages counted as features. Pages that reveal a label (Cancel, Cancellation Confirmation, Submit Downgrade, Submit
# Upgrade) are excluded.
COUNTED_PAGES = (
    "About", "Add Friend", "Add to Playlist", "Downgrade", "Error", "Help", "Home", "Logout", "NextSong", "Roll Advert",
    "Save Settings", "Settings", "Thumbs Down", "Thumbs Up", "Upgrade",
)  # fmt: skip
# The levels of a subscription, and the pages by which user types differ within each: all but those of a cancellation.
LEVELS = ("free", "paid")
TYPED_PAGES = (*COUNTED_PAGES, UPGRADE, DOWNGRADE)

# Pages with a rate among the features, by the name in the feature.
RATED_PAGES = {
    "adverts": "Roll Advert",
    "thumbs_up": "Thumbs Up",
    "thumbs_down": "Thumbs Down",
    "friends": "Add Friend",
    "playlist": "Add to Playlist",
    "help": "Help",
    "settings": "Settings",
    "upgrade": "Upgrade",
    "downgrade": "Downgrade",
}


def midnight(day: date) -> int:
    """The midnight (UTC) that begins a day, in ms since the epoch.

    Examples:
        >>> from datetime import date
        >>> midnight(date(1970, 1, 2))
        86400000
    """
    return int(datetime.combine(day, time(), tzinfo=UTC).timestamp()) * 1_000


def day_of(ts: int) -> date:
    """The day (UTC) of a time in ms since the epoch."""
    return datetime.fromtimestamp(ts / 1_000, tz=UTC).date()
