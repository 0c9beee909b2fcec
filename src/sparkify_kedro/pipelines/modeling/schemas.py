"""The tables of modeling."""

from sparkify_kedro.churn.vocabulary import KEYS
from sparkify_kedro.framework.table_schema import TableSchema

out_of_fold = TableSchema(
    name="out_of_fold",
    columns="user_id string, bin_end bigint, label int, score double",
    keys=KEYS,
)

# The other columns of the test rows stand beside these.
predictions = TableSchema(
    name="predictions",
    columns="user_id string, bin_end bigint, label int, is_balanced boolean, score double",
    keys=KEYS,
    is_open=True,
)
