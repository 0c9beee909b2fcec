"""From raw JSON lines to typed events."""

from kedro.pipeline import Node, Pipeline

from .increments import parse_log
from .nodes import check_lines, report_ingestion, select_events, select_rejected


def create_pipeline() -> Pipeline:
    """The raw log is read once, into ``parsed_lines``; no event follows from them before they are checked."""
    return Pipeline(
        [
            Node(
                func=parse_log,
                inputs=["raw_events", "raw_files", "earlier_lines", "params:ingestion"],
                outputs="parsed_lines",
                name="parse_lines",
            ),
            Node(
                func=select_rejected,
                inputs="parsed_lines",
                outputs="rejected_events",
                name="select_rejected",
            ),
            # After the rejected lines, so that they are there to look at where this stops the run.
            Node(
                func=check_lines,
                inputs=["parsed_lines", "rejected_events", "params:ingestion"],
                outputs="line_counts",
                name="check_lines",
            ),
            Node(
                func=select_events,
                inputs=["parsed_lines", "line_counts"],
                outputs="events",
                name="select_events",
            ),
            Node(
                func=report_ingestion,
                inputs=["line_counts", "events"],
                outputs=["ingestion_report", "log_span"],
                name="report_ingestion",
            ),
        ]
    )
