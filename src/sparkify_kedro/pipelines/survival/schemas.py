"""The tables of survival."""

from sparkify_kedro.framework.table_schema import TableSchema

lifetimes = TableSchema(
    name="lifetimes",
    columns=(
        "user_id string, entry_days double, exit_days double, cancelled int, cohort string, level string, device string"
    ),
    keys=("user_id",),
)
forecast_curves = TableSchema(
    name="forecast_curves",
    columns="user_id string, horizon_days int, probability double, is_raised boolean",
    keys=("user_id", "horizon_days"),
)
