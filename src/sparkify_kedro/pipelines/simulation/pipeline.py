"""An event log of any size, with known truth."""

from kedro.pipeline import Node, Pipeline

from .nodes import simulate_events, simulate_users


def create_pipeline() -> Pipeline:
    """Parameters -> users with known truth -> the log they leave behind."""
    return Pipeline(
        [
            Node(
                func=simulate_users,
                inputs="params:simulation",
                outputs="simulated_users",
                name="simulate_users",
            ),
            Node(
                func=simulate_events,
                inputs=["simulated_users", "params:simulation"],
                outputs="simulated_events",
                name="simulate_events",
            ),
        ]
    )
