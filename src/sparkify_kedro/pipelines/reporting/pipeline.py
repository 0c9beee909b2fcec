"""From everything a run has made to figures and a page."""

from collections.abc import Iterable, Sequence

from kedro.pipeline import Node, Pipeline

from sparkify_kedro.framework.skipping import skippable

from .log_figures import (
    draw_activity,
    draw_churn_by_tenure,
    draw_class_balance,
    draw_listening,
    draw_pages,
    most_played,
)
from .model_figures import (
    draw_all_models,
    draw_calibration,
    draw_features,
    draw_ranking,
    draw_search,
    draw_segments,
)
from .nodes import render_label_section, render_log_section, render_report

_LOG_FIGURES = (
    "activity_figure",
    "active_users_figure",
    "pages_figure",
    "listening_figure",
    "churn_by_tenure_figure",
    "class_balance_figure",
)
_LABEL_FIGURES = (
    "precision_recall_figure",
    "roc_figure",
    "calibration_figure",
    "gain_figure",
    "lift_figure",
    "features_figure",
    "segments_figure",
    "search_figure",
)


def create_pipeline(labels: Iterable[str], algorithms: Sequence[str]) -> Pipeline:
    """Figures of the log and of each label, in namespaces of their own, and the page.

    A label that was skipped has no figures; the page says why.
    """
    names = list(labels)
    about_labels = skippable(sum((_report_label(label, algorithms) for label in names), Pipeline([])))
    return _report_log(names) + about_labels + _render(names)


def _report_log(labels: Sequence[str]) -> Pipeline:
    return Pipeline(
        [
            Node(
                func=draw_activity,
                inputs="events",
                outputs=["activity_figure", "active_users_figure"],
                name="draw_activity",
            ),
            Node(
                func=draw_pages,
                inputs=["events", "params:reporting"],
                outputs="pages_figure",
                name="draw_pages",
            ),
            Node(
                func=draw_listening,
                inputs="events",
                outputs="listening_figure",
                name="draw_listening",
            ),
            Node(
                func=most_played,
                inputs=["events", "params:reporting"],
                outputs="most_played",
                name="most_played",
            ),
            Node(
                func=draw_churn_by_tenure,
                inputs=["user_time_bins", "params:time_bin_days", "params:reporting"],
                outputs="churn_by_tenure_figure",
                name="draw_churn_by_tenure",
            ),
            Node(
                func=draw_class_balance,
                inputs=[name for label in labels for name in (f"params:{label}", f"{label}_comparison")],
                outputs="class_balance_figure",
                name="draw_class_balance",
            ),
            Node(
                func=render_log_section,
                inputs=["ingestion_report", "most_played", *_LOG_FIGURES],
                outputs="report_section",
                name="render_log_section",
            ),
        ],
        namespace="log",
        inputs={
            **{name: name for name in ("events", "user_time_bins", "ingestion_report")},
            **{f"{label}_comparison": f"{label}.comparison" for label in labels},
        },
        parameters={
            "params:reporting": "params:reporting",
            "params:time_bin_days": "params:feature_engineering.time_bin_days",
            **{f"params:{label}": f"params:sampling.labels.{label}.label" for label in labels},
        },
    )


def _report_label(label: str, algorithms: Sequence[str]) -> Pipeline:
    searches, predictions = (
        [f"{algorithm}_{name}" for algorithm in algorithms] for name in ("search_report", "predictions")
    )
    return Pipeline(
        [
            Node(
                func=draw_ranking,
                inputs=["comparison", "params:label", "params:evaluation", *predictions],
                outputs=["precision_recall_figure", "roc_figure", "gain_figure", "lift_figure"],
                name="draw_ranking",
            ),
            Node(
                func=draw_calibration,
                inputs=["comparison", "params:label"],
                outputs="calibration_figure",
                name="draw_calibration",
            ),
            Node(
                func=draw_features,
                inputs=[
                    "comparison",
                    "params:label",
                    "test",
                    "params:reporting",
                    *(name for pair in zip(searches, predictions, strict=True) for name in pair),
                ],
                outputs="features_figure",
                name="draw_features",
            ),
            Node(
                func=draw_segments,
                inputs=["comparison", "params:label"],
                outputs="segments_figure",
                name="draw_segments",
            ),
            Node(
                func=draw_search,
                inputs=["params:label", *searches],
                outputs="search_figure",
                name="draw_search",
            ),
            Node(
                func=render_label_section,
                inputs=["comparison", "champion_metadata", "params:label", *_LABEL_FIGURES],
                outputs="report_section",
                name="render_label_section",
            ),
        ],
        namespace=label,
        inputs={
            f"{algorithm}_{name}": f"{label}.{algorithm}.{name}"
            for algorithm in algorithms
            for name in ("search_report", "predictions")
        },
        parameters={
            "params:label": f"params:sampling.labels.{label}.label",
            "params:evaluation": "params:modeling.evaluation",
            "params:reporting": "params:reporting",
        },
        tags=[label],
    )


def _render(labels: Sequence[str]) -> Pipeline:
    return Pipeline(
        [
            Node(
                func=draw_all_models,
                inputs=["params:reporting", *_of_each(labels, "comparison")],
                outputs="all_models_figure",
                name="draw_all_models",
            ),
            Node(
                func=render_report,
                inputs=[
                    "log.report_section",
                    "ingestion_report",
                    "all_models_figure",
                    "backtest_figure",
                    "users_at_risk",
                    "drift_report",
                    "drift_figure",
                    "run_so_far",
                    "params:reporting",
                    *_of_each(labels, "comparison", "champion_metadata", "report_section"),
                ],
                outputs="report",
                name="render_report",
            ),
        ]
    )


def _of_each(labels: Sequence[str], *names: str) -> list[str]:
    """Each label's name and datasets, label after label."""
    return [
        found
        for label in labels
        for found in (f"params:sampling.labels.{label}.label", *(f"{label}.{name}" for name in names))
    ]
