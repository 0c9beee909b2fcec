"""From events to figures of the log, for users who cancel beside users who stay."""

from kedro.pipeline import Node, Pipeline

from .nodes import draw_level_flows, draw_retention, draw_sessions, draw_transitions, draw_week


def create_pipeline() -> Pipeline:
    """Five figures, in a namespace of their own."""
    return Pipeline(
        [
            Node(
                func=draw_sessions,
                inputs=["events", "params:exploration"],
                outputs="sessions_figure",
                name="draw_sessions",
            ),
            Node(
                func=draw_retention,
                inputs=["events", "params:exploration"],
                outputs="retention_figure",
                name="draw_retention",
            ),
            Node(
                func=draw_transitions,
                inputs=["events", "params:exploration"],
                outputs="transitions_figure",
                name="draw_transitions",
            ),
            Node(
                func=draw_week,
                inputs="events",
                outputs="week_figure",
                name="draw_week",
            ),
            Node(
                func=draw_level_flows,
                inputs="events",
                outputs="level_flows_figure",
                name="draw_level_flows",
            ),
        ],
        namespace="exploration",
        inputs={"events"},
        parameters={"params:exploration": "params:exploration"},
    )
