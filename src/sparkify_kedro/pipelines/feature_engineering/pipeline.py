"""From events to features and labels."""

from kedro.pipeline import Node, Pipeline

from .nodes import engineer_user_time_bins


def create_pipeline() -> Pipeline:
    """Events -> one row per user and time bin."""
    return Pipeline(
        [
            Node(
                func=engineer_user_time_bins,
                inputs=["events", "log_span", "params:feature_engineering"],
                outputs="user_time_bins",
                name="engineer_user_time_bins",
            ),
        ]
    )
