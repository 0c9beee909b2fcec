"""From a log and the champions to churn scores."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from sparkify_kedro.framework.nodes import bind

from .drift_figure import draw_drift
from .nodes import cut_at_as_of, list_users_at_risk, report_drift, score_users, select_current_bins


def create_pipeline(ingestion: Pipeline, feature_engineering: Pipeline, labels: Sequence[str]) -> Pipeline:
    """Ingest the log and engineer its features as for training, in the namespace ``scoring``; then score.

    Args:
        ingestion: the pipeline from raw lines to events.
        feature_engineering: the pipeline from events to one row per user and time bin.
        labels: the labels whose champions score.
    """
    return _prepare(ingestion, feature_engineering) + _score(labels)


def _prepare(ingestion: Pipeline, feature_engineering: Pipeline) -> Pipeline:
    """The rows to score: the pipelines of training, with a cut at the as-of date between them."""
    read = Pipeline(ingestion, inputs={"raw_events": "scoring_events"})
    engineer = Pipeline(feature_engineering, inputs={"events": "known_events", "log_span": "known_span"})
    around = Pipeline(
        [
            Node(
                func=cut_at_as_of,
                inputs=["events", "log_span", "params:scoring"],
                outputs=["known_events", "known_span"],
                name="cut_at_as_of",
            ),
            Node(
                func=select_current_bins,
                inputs=["user_time_bins", "known_span", "params:feature_engineering"],
                outputs="current_bins",
                name="select_current_bins",
            ),
        ]
    )
    whole = read + around + engineer
    return Pipeline(
        whole,
        namespace="scoring",
        inputs={"scoring_events"},
        parameters={f"params:{name}" for name in ("ingestion", "feature_engineering", "scoring")},
    )


def _score(labels: Sequence[str]) -> Pipeline:
    names = tuple(labels)
    champions = {f"{label}_{name}": f"{label}.{name}" for label in names for name in ("champion", "champion_metadata")}
    return Pipeline(
        [
            Node(
                func=bind(score_users, labels=names),
                inputs={
                    "current_bins": "scoring.current_bins",
                    "scoring": "params:scoring",
                    "feature_engineering": "params:feature_engineering",
                    **champions,
                },
                outputs="churn_scores",
                name="score_users",
            ),
            Node(
                func=bind(list_users_at_risk, labels=names),
                inputs={
                    "churn_scores": "churn_scores",
                    "current_bins": "scoring.current_bins",
                    "feature_registry": "params:feature_registry",
                    "scoring": "params:scoring",
                    **champions,
                },
                outputs="users_at_risk",
                name="list_users_at_risk",
            ),
            Node(
                func=bind(report_drift, labels=names),
                inputs={
                    "churn_scores": "churn_scores",
                    "current_bins": "scoring.current_bins",
                    "user_time_bins": "scoring.user_time_bins",
                    "feature_registry": "params:feature_registry",
                    "scoring": "params:scoring",
                    **champions,
                },
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
