"""The table of rows with user types."""

from sparkify_kedro.churn.vocabulary import KEYS
from sparkify_kedro.framework.table_schema import TableSchema
from sparkify_kedro.learning.user_types import TYPE_FEATURES, WITHOUT_FOLD

# The columns of ``user_time_bins`` stand before these.
typed_user_time_bins = TableSchema(
    name="typed_user_time_bins",
    columns=", ".join(
        [
            "user_id string, bin_end bigint",
            *(f"{name} double" for name in TYPE_FEATURES),
            f"{WITHOUT_FOLD} array<array<double>>",
        ]
    ),
    keys=KEYS,
    is_open=True,
)
