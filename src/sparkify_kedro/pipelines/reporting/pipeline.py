"""From the results of a run to figures and a page."""

from collections.abc import Iterable, Sequence

from kedro.pipeline import Node, Pipeline

from sparkify_kedro.framework.nodes import bind
from sparkify_kedro.framework.skipping import skippable

from .curve_figures import draw_curves
from .feature_figures import draw_features
from .log_figures import (
    draw_activity,
    draw_churn_by_tenure,
    draw_class_balance,
    draw_listening,
    draw_pages,
    most_played,
)
from .nodes import render_label_section, render_log_section, render_report
from .score_figures import draw_all_models, draw_calibration, draw_search, draw_segments
from .type_figure import draw_user_types

_LOG_FIGURES = (
    "activity_figure",
    "active_users_figure",
    "pages_figure",
    "listening_figure",
    "churn_by_tenure_figure",
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

_EXPLORATION = ("sessions", "retention", "transitions", "week", "level_flows")

_SURVIVAL = ("everyone", "cohort", "level", "device")

# The inputs of the page that are not of one label.
_PAGE = (
    "ingestion_report",
    "class_balance_figure",
    "all_models_figure",
    "user_types_figure",
    "backtest_figure",
    "experiment_figure",
    "experiment_table",
    "multiclass_figure",
    "multiclass_table",
    "users_at_risk",
    "decision_report",
    "decision_figure",
    "monitoring_report",
    "monitoring_figure",
    "survival_report",
    *(f"survival_{kind}_figure" for kind in _SURVIVAL),
    "horizon_report",
    "forecast_curves_figure",
    "drift_report",
    "drift_figure",
    "run_so_far",
)


def create_pipeline(labels: Sequence[str], on_request: Sequence[str], algorithms: Sequence[str]) -> Pipeline:
    """Figures of the log and of each label, in namespaces of their own, and the page.

    A label that was skipped has no figures; the page gives the reason.

    Args:
        labels: the labels of every run.
        on_request: labels that other pipelines learn; the page has those that have been learned.
        algorithms: the algorithms.
    """
    return _report_log() + create_pipeline_for_labels(labels, algorithms) + _render(labels, on_request)


def create_pipeline_for_labels(labels: Iterable[str], algorithms: Sequence[str]) -> Pipeline:
    """Figures and section of each label alone."""
    return skippable(sum((_report_label(label, algorithms) for label in labels), Pipeline([])))


def _report_log() -> Pipeline:
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
                func=render_log_section,
                inputs=["ingestion_report", "most_played", *_LOG_FIGURES],
                outputs="report_section",
                name="render_log_section",
            ),
        ],
        namespace="log",
        inputs={name: name for name in ("events", "user_time_bins", "ingestion_report")},
        parameters={
            "params:reporting": "params:reporting",
            "params:time_bin_days": "params:feature_engineering.time_bin_days",
        },
    )


def _report_label(label: str, algorithms: Sequence[str]) -> Pipeline:
    def by_algorithm(name: str, suffix: str = "") -> dict[str, str]:
        return {f"{algorithm}{suffix}": f"{algorithm}_{name}" for algorithm in algorithms}

    return Pipeline(
        [
            Node(
                func=bind(draw_curves, label=label),
                inputs={
                    "comparison": "comparison",
                    "evaluation": "params:evaluation",
                    **by_algorithm("predictions"),
                },
                outputs=["precision_recall_figure", "roc_figure", "gain_figure", "lift_figure"],
                name="draw_curves",
            ),
            Node(
                func=bind(draw_calibration, label=label),
                inputs="comparison",
                outputs="calibration_figure",
                name="draw_calibration",
            ),
            Node(
                func=bind(draw_features, label=label),
                inputs={
                    "comparison": "comparison",
                    "reporting": "params:reporting",
                    **by_algorithm("search_report", "_search_report"),
                    **by_algorithm("predictions", "_predictions"),
                },
                outputs="features_figure",
                name="draw_features",
            ),
            Node(
                func=bind(draw_segments, label=label),
                inputs="comparison",
                outputs="segments_figure",
                name="draw_segments",
            ),
            Node(
                func=bind(draw_search, label=label),
                inputs=by_algorithm("search_report"),
                outputs="search_figure",
                name="draw_search",
            ),
            Node(
                func=bind(render_label_section, label=label),
                inputs=["comparison", "champion_metadata", *_LABEL_FIGURES],
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
            "params:evaluation": "params:modeling.evaluation",
            "params:reporting": "params:reporting",
        },
        tags=[label],
    )


def _render(labels: Sequence[str], on_request: Sequence[str]) -> Pipeline:
    everything = (*labels, *on_request)
    comparisons = {label: f"{label}.comparison" for label in everything}
    return Pipeline(
        [
            Node(
                func=draw_class_balance,
                inputs=comparisons,
                outputs="class_balance_figure",
                name="draw_class_balance",
            ),
            Node(
                func=draw_all_models,
                inputs={"reporting": "params:reporting", **comparisons},
                outputs="all_models_figure",
                name="draw_all_models",
            ),
            Node(
                func=draw_user_types,
                inputs="user_types",
                outputs="user_types_figure",
                name="draw_user_types",
            ),
            Node(
                func=bind(render_report, labels=everything),
                inputs={
                    **{name: name for name in _PAGE},
                    "log_section": "log.report_section",
                    **{f"{name}_figure": f"exploration.{name}_figure" for name in _EXPLORATION},
                    "reporting": "params:reporting",
                    **{
                        f"{label}_{name}": f"{label}.{name}"
                        for label in everything
                        for name in ("comparison", "champion_metadata", "report_section")
                    },
                    **{f"{label}_users": f"{label}.users_at_risk" for label in on_request},
                },
                outputs="report",
                name="render_report",
            ),
        ]
    )
