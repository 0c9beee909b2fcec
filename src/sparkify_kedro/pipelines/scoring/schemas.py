"""The tables of scoring."""

from sparkify_kedro.framework.table_schema import TableSchema

# A column of probabilities per label stands beside these.
churn_scores = TableSchema(
    name="churn_scores", columns="user_id string, time_bin int, rank int, decile int", keys=("user_id",), is_open=True
)
current_bins = TableSchema(
    name="current_bins", columns="user_id string, time_bin int, bin_end bigint", keys=("user_id",), is_open=True
)


def probability_of(label: str) -> str:
    """The column of a label's probability in ``churn_scores``."""
    return f"probability_{label}"
