"""The table of monitoring."""

from sparkify_kedro.framework.table_schema import TableSchema

judged_scores = TableSchema(
    name="judged_scores",
    columns=(
        "run string, user_id string, as_of timestamp, horizon_days int, probability double, rank int, decile int, "
        "is_known boolean, label int, level string, device string, gender string, region string"
    ),
    keys=("run", "user_id"),
)
