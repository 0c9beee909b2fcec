"""From stored scores to a verdict on the champion, and to a champion with a new calibration."""

from kedro.pipeline import Node, Pipeline

from .figure import draw_monitoring
from .nodes import judge_scores, watch_forecasts
from .recalibration import recalibrate_champion


def create_pipeline() -> Pipeline:
    """What came of the scores of earlier runs, in a log that goes on."""
    return Pipeline(
        [
            Node(
                func=judge_scores,
                inputs=["stored_scores", "stored_rows", "events", "log_span", "run_so_far"],
                outputs="judged_scores",
                name="judge_scores",
            ),
            Node(
                func=watch_forecasts,
                inputs=[
                    "judged_scores",
                    "stored_metadata",
                    "stored_drift",
                    "log_span",
                    "params:monitoring",
                    "params:modeling.evaluation",
                ],
                outputs="monitoring_report",
                name="watch_forecasts",
            ),
            Node(
                func=draw_monitoring,
                inputs="monitoring_report",
                outputs="monitoring_figure",
                name="draw_monitoring",
            ),
        ]
    )


def create_recalibration(label: str) -> Pipeline:
    """The champion of a label with a new calibration, as a new version of it."""
    return Pipeline(
        [
            Node(
                func=recalibrate_champion,
                inputs=[
                    "champion_to_recalibrate",
                    "metadata_to_recalibrate",
                    "judged_scores",
                    "stored_rows",
                    "stored_drift",
                    "params:monitoring",
                    "params:modeling.evaluation",
                ],
                outputs=[f"{label}.champion", f"{label}.champion_metadata"],
                name="recalibrate_champion",
            )
        ]
    )
