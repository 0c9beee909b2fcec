"""The table that feature engineering makes."""

from sparkify_kedro.tables import TableSchema

from .activity import COUNTED_PAGES, page_feature
from .labels import LABELS

KEYS = ("user_id", "time_bin")

# The original's 25 features; the time bin is both a key and a feature.
ORIGINAL_FEATURES = (
    "time_bin",
    "is_male",
    "paid_in_time_bin",
    "free_in_time_bin",
    "downgraded_in_time_bin",
    "upgraded_in_time_bin",
    "previously_downgraded",
    *(page_feature(page) for page in COUNTED_PAGES),
    "sessions_in_time_bin",
    "artists_in_time_bin",
    "distinct_songs_in_time_bin",
)

_COUNTS = {*(page_feature(page) for page in COUNTED_PAGES), *ORIGINAL_FEATURES[-3:]}

user_time_bins = TableSchema(
    name="user_time_bins",
    columns=", ".join(
        [
            "user_id string",
            *(f"{name} {'bigint' if name in _COUNTS else 'int'}" for name in ORIGINAL_FEATURES),
            *(f"{name} int" for name in LABELS),
            "at_risk boolean",
            "next_bin_observed boolean",
        ]
    ),
    keys=KEYS,
)
