"""From rows and a champion to scores: of the forecast, and of the other labels whose users are scored."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

from sparkify_kedro.churn.vocabulary import FORECAST
from sparkify_kedro.framework.nodes import bind
from sparkify_kedro.framework.skipping import skippable

from .drift_figure import draw_drift
from .nodes import list_users_at_risk, report_drift, score_users, select_rows_to_score

OTHER_LOG = "other_log"


def create_pipeline() -> Pipeline:
    """Score the rows of the newest run at its as-of date; skipped where the forecast is."""
    return skippable(_score(FORECAST))


def create_pipeline_for_labels(labels: Iterable[str]) -> Pipeline:
    """The same for other labels, each in the label's namespace."""
    return skippable(sum((_score_label(label) for label in labels), Pipeline([])))


def _score_label(label: str) -> Pipeline:
    champion = {f"{label}.{name}": f"{label}.{name}" for name in ("champion", "champion_metadata")}
    return Pipeline(
        _score(label),
        namespace=label,
        inputs={"user_time_bins": "user_time_bins", "log_span": "log_span", **champion},
        parameters={
            f"params:{name}" for name in ("feature_engineering", "feature_registry", "reason_themes", "scoring")
        },
        tags=[label],
    )


def create_pipeline_for_another_log(ingestion: Pipeline, feature_engineering: Pipeline) -> Pipeline:
    """Ingest another log and engineer its features as for training, then score it, in a namespace of its own.

    Args:
        ingestion: the pipeline from raw lines to events.
        feature_engineering: the pipeline from events to one row per user and landmark.
    """
    read = Pipeline(ingestion, inputs={"raw_events": "scoring_events", "raw_files": "scoring_files"})
    champion = {f"{FORECAST}.{name}" for name in ("champion", "champion_metadata")}
    blocks = ("ingestion", "feature_engineering", "feature_registry", "reason_themes", "scoring")
    return Pipeline(
        read + feature_engineering + _score(FORECAST),
        namespace=OTHER_LOG,
        inputs={"scoring_events", "scoring_files", *champion},
        parameters={f"params:{name}" for name in blocks},
    )


def _score(label: str) -> Pipeline:
    champion, metadata = f"{label}.champion", f"{label}.champion_metadata"
    return Pipeline(
        [
            Node(
                func=select_rows_to_score,
                inputs=["user_time_bins", "log_span", metadata, "params:feature_engineering"],
                outputs="rows_to_score",
                name="select_rows_to_score",
            ),
            Node(
                func=bind(score_users, label=label),
                inputs=["rows_to_score", champion, metadata, "params:feature_engineering"],
                outputs="churn_scores",
                name="score_users",
            ),
            Node(
                func=list_users_at_risk,
                inputs=[
                    "churn_scores",
                    "rows_to_score",
                    champion,
                    metadata,
                    "params:feature_registry",
                    "params:reason_themes",
                    "params:scoring",
                ],
                outputs="users_at_risk",
                name="list_users_at_risk",
            ),
            Node(
                func=report_drift,
                inputs=[
                    "churn_scores",
                    "rows_to_score",
                    "user_time_bins",
                    metadata,
                    "params:feature_registry",
                    "params:scoring",
                ],
                outputs="drift_report",
                name="report_drift",
            ),
            Node(
                func=draw_drift,
                inputs="drift_report",
                outputs="drift_figure",
                name="draw_drift",
            ),
        ]
    )
