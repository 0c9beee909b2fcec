"""The schema of the table that feature engineering creates."""

from sparkify_kedro.churn.device import DEVICES
from sparkify_kedro.churn.vocabulary import COUNTED_PAGES, EVERY_LABEL, KEYS, LEVELS, RATED_PAGES
from sparkify_kedro.framework.table_schema import TableSchema

from .activity import page_feature
from .rates import ACTIVITIES, PERIODS

# The original's 25 features.
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

_INTEGERS = ("paid_at_end", *(f"device_{family}" for family in DEVICES))
_RATES = (
    *(f"log_{activity}_per_day" for activity in ACTIVITIES),
    "log_songs_per_session",
    "log_minutes_per_session",
    "paid_time_share",
    *(f"{page}_per_{unit}" for page in RATED_PAGES for unit in ("day", "1000_songs")),
)
_REALS = (
    *(f"observed_days_{period}" for period in PERIODS),
    "log_tenure_days",
    *(f"{rate}_{period}" for period in PERIODS for rate in _RATES),
    *(f"log_{activity}_per_day_in_earlier_bins" for activity in ACTIVITIES),
    *(f"log_{activity}_per_day_against_earlier_bins" for activity in ACTIVITIES),
    "days_since_last_event",
)
# Defined in conf/base/parameters_feature_registry.yml, as the original ones are.
EXTENDED_FEATURES = (*_INTEGERS, *_REALS)

_COUNTS = {*(page_feature(page) for page in COUNTED_PAGES), *ORIGINAL_FEATURES[-3:]}

# Behind these stand features of earlier landmarks, where the parameters ask for them.
user_time_bins = TableSchema(
    name="user_time_bins",
    columns=", ".join(
        [
            "user_id string",
            *(f"{name} {'bigint' if name in _COUNTS else 'int'}" for name in ORIGINAL_FEATURES),
            *(f"{name} int" for name in _INTEGERS),
            *(f"{name} double" for name in _REALS),
            "sessions_in_history bigint",
            *(f"sessions_at_{level}_in_history bigint, pages_at_{level}_in_history array<bigint>" for level in LEVELS),
            *(f"{name} int" for name in EVERY_LABEL),
            "at_risk boolean",
            "bin_end bigint",
            "churned_at bigint",
            "level_at_end string",
            "device string",
        ]
    ),
    keys=KEYS,
    is_open=True,
)
