"""The tables of models of several classes."""

from sparkify_kedro.churn.vocabulary import KEYS
from sparkify_kedro.framework.table_schema import TableSchema

class_rows = TableSchema(
    name="rows",
    columns="user_id string, bin_end bigint, label int, is_held_out boolean, fold int",
    keys=KEYS,
    is_open=True,
)
class_scores = TableSchema(
    name="class_scores",
    columns="user_id string, bin_end bigint, stays double, churned_in_time_bin double, will_churn_in_next_bin double",
    keys=KEYS,
)
