"""From parameters to simulated users and their event log."""

from kedro.pipeline import Node, Pipeline

from .nodes import simulate_events, simulate_users


def create_pipeline() -> Pipeline:
    """Parameters -> simulated users -> event log."""
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
