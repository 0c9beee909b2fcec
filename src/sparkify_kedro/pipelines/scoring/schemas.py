"""The tables of scoring."""

from sparkify_kedro.churn.vocabulary import KEYS
from sparkify_kedro.framework.table_schema import TableSchema

churn_scores = TableSchema(
    name="churn_scores",
    columns="user_id string, as_of timestamp, horizon_days int, probability double, rank int, decile int",
    keys=("user_id",),
)
rows_to_score = TableSchema(name="rows_to_score", columns="user_id string, bin_end bigint", keys=KEYS, is_open=True)
