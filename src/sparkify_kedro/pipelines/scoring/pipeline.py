"""From a log and the champions to churn scores."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

from .nodes import cut_at_as_of, list_users_at_risk, report_drift, score_users, select_current_bins


def create_pipeline(ingestion: Pipeline, feature_engineering: Pipeline, labels: Iterable[str]) -> Pipeline:
    """Read the log and engineer its features as for training, in a namespace of their own; then score.

    Args:
        ingestion: the pipeline from raw lines to events.
        feature_engineering: the pipeline from events to one row per user and time bin.
        labels: the labels whose champions score.
    """
    return _as_for_training(ingestion, feature_engineering) + _score(labels)


def _as_for_training(ingestion: Pipeline, feature_engineering: Pipeline) -> Pipeline:
    read = Pipeline(
        ingestion,
        namespace="scoring",
        inputs={"raw_events": "scoring_events", "raw_events_schema": "raw_events_schema"},
        parameters={"params:ingestion": "params:ingestion"},
    )
    engineer = Pipeline(
        feature_engineering,
        namespace="scoring",
        inputs={"events": "scoring.known_events", "ingestion_report": "scoring.log_window"},
        parameters={"params:feature_engineering": "params:feature_engineering"},
    )
    return read + engineer


def _score(labels: Iterable[str]) -> Pipeline:
    champions = [f"{label}.{name}" for label in labels for name in ("champion", "champion_card")]
    return Pipeline(
        [
            Node(
                func=cut_at_as_of,
                inputs=["scoring.events", "scoring.ingestion_report", "params:scoring"],
                outputs=["scoring.known_events", "scoring.log_window"],
                name="cut_at_as_of",
            ),
            Node(
                func=select_current_bins,
                inputs=["scoring.user_time_bins", "scoring.log_window", "params:feature_engineering"],
                outputs="scoring.current_bins",
                name="select_current_bins",
            ),
            Node(
                func=score_users,
                inputs=["scoring.current_bins", "params:scoring", "params:feature_engineering", *champions],
                outputs="churn_scores",
                name="score_users",
            ),
            Node(
                func=list_users_at_risk,
                inputs=["churn_scores", "scoring.current_bins", "feature_catalogue", "params:scoring", *champions],
                outputs="users_at_risk",
                name="list_users_at_risk",
            ),
            Node(
                func=report_drift,
                inputs=[
                    "churn_scores",
                    "scoring.current_bins",
                    "scoring.user_time_bins",
                    "feature_catalogue",
                    "params:scoring",
                    *champions,
                ],
                outputs="drift_report",
                name="report_drift",
            ),
        ]
    )
