"""The table that modeling makes."""

from sparkify_kedro.framework.table_schema import TableSchema

predictions = TableSchema(
    name="predictions", columns="user_id string, time_bin int, label int, score double", keys=("user_id", "time_bin")
)
