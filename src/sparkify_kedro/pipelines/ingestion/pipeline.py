"""From raw JSON lines to typed events."""

from kedro.pipeline import Node, Pipeline

from .nodes import parse_lines, report_ingestion, select_events, select_rejected


def create_pipeline() -> Pipeline:
    """The raw log is read once, into ``parsed_lines``; everything else follows from that."""
    return Pipeline(
        [
            Node(
                func=parse_lines,
                inputs=["raw_events", "raw_events_schema", "params:ingestion"],
                outputs="parsed_lines",
                name="parse_lines",
            ),
            Node(
                func=select_events,
                inputs="parsed_lines",
                outputs="events",
                name="select_events",
            ),
            Node(
                func=select_rejected,
                inputs="parsed_lines",
                outputs="rejected_events",
                name="select_rejected",
            ),
            Node(
                func=report_ingestion,
                inputs=["parsed_lines", "events"],
                outputs=["ingestion_report", "log_span"],
                name="report_ingestion",
            ),
        ]
    )
