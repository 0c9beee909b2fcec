"""Render the parts of the report, and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import yaml
from plotly.offline import get_plotlyjs

from sparkify_kedro.churn.figure_style import positives_of
from sparkify_kedro.churn.rendering import render, source_of
from sparkify_kedro.churn.reports import (
    ChampionMetadata,
    Comparison,
    DecisionReport,
    DriftReport,
    HorizonReport,
    IngestionReport,
    MonitoringReport,
    SurvivalReport,
)
from sparkify_kedro.churn.vocabulary import FORECAST
from sparkify_kedro.framework.runs.summary import RunSoFar
from sparkify_kedro.framework.skipping import Skipped

from .page import VERDICTS, first_users, in_one_sentence, records, stages
from .parameters import Reporting

_PACKAGE = "sparkify_kedro.pipelines.reporting"


def render_log_section(
    ingestion_report: IngestionReport, most_played: list[dict[str, Any]], *figures: go.Figure
) -> str:
    """The section of the report about the log.

    Args:
        ingestion_report: counts of the log's lines.
        most_played: the songs played most often.
        figures: in the order of the page.

    Returns:
        An HTML fragment.
    """
    return render(_PACKAGE, "log_section.html.j2", log=ingestion_report, songs=most_played, figures=figures)


def render_label_section(
    comparison: Comparison, champion_metadata: ChampionMetadata, *figures: go.Figure, label: str
) -> str:
    """The section of the report about the models of one label.

    Args:
        comparison: champion, baselines and all scores.
        champion_metadata: the champion's features and settings.
        figures: in the order of the page.
        label: the label's name.

    Returns:
        An HTML fragment.
    """
    return render(
        _PACKAGE,
        "label_section.html.j2",
        label=label,
        singular=positives_of(label)[:-1],
        comparison=comparison,
        card=champion_metadata,
        figures=figures,
    )


def render_report(  # noqa: PLR0913 - the report shows everything
    *,
    labels: Sequence[str],
    log_section: str,
    ingestion_report: IngestionReport,
    class_balance_figure: go.Figure,
    all_models_figure: go.Figure,
    user_types_figure: go.Figure,
    sessions_figure: go.Figure | None,
    retention_figure: go.Figure | None,
    transitions_figure: go.Figure | None,
    week_figure: go.Figure | None,
    level_flows_figure: go.Figure | None,
    backtest_figure: go.Figure | None,
    experiment_figure: go.Figure | None,
    experiment_table: pd.DataFrame | None,
    multiclass_figure: go.Figure | Skipped | None,
    multiclass_table: pd.DataFrame | Skipped | None,
    users_at_risk: pd.DataFrame | Skipped | None,
    decision_report: DecisionReport | Skipped | None,
    decision_figure: go.Figure | Skipped | None,
    monitoring_report: MonitoringReport | None,
    monitoring_figure: go.Figure | None,
    survival_report: SurvivalReport | None,
    survival_everyone_figure: go.Figure | None,
    survival_cohort_figure: go.Figure | None,
    survival_level_figure: go.Figure | None,
    survival_device_figure: go.Figure | None,
    horizon_report: HorizonReport | None,
    forecast_curves_figure: go.Figure | None,
    drift_report: DriftReport | Skipped | None,
    drift_figure: go.Figure | Skipped | None,
    run_so_far: RunSoFar,
    reporting: Reporting,
    **of_labels: Any,
) -> str:
    """One self-contained page.

    Args:
        labels: the labels, in the order of the page.
        log_section: the section about the log.
        ingestion_report: counts of the log's lines.
        class_balance_figure: the prevalence of each label.
        all_models_figure: all models side by side.
        user_types_figure: the types of users.
        sessions_figure: None where the log has not been explored; so are the next four.
        retention_figure: the same.
        transitions_figure: the same.
        week_figure: the same.
        level_flows_figure: the same.
        backtest_figure: None where no backtest has been run.
        experiment_figure: None where no experiments have been run.
        experiment_table: the same.
        multiclass_figure: None where no model of several classes has been trained, or the reason.
        multiclass_table: the same.
        users_at_risk: None, or the reason, where no users have been scored.
        decision_report: the same.
        decision_figure: the same.
        monitoring_report: None where no run has looked at what came of earlier scores; so is its figure.
        monitoring_figure: the same.
        survival_report: None where survival has not been estimated; so are its figures.
        survival_everyone_figure: the same.
        survival_cohort_figure: the same.
        survival_level_figure: the same.
        survival_device_figure: the same.
        horizon_report: None where there is no forecast for other horizons; so is its figure.
        forecast_curves_figure: the same.
        drift_report: as ``users_at_risk``.
        drift_figure: the same.
        run_so_far: the run.
        reporting: how much to show, and published scores.
        of_labels: ``{label}_comparison``, ``{label}_champion_metadata`` and ``{label}_report_section``; of a skipped
            label, the reason in place of each, and None of one that no run has learned. ``{label}_users``: the users
            with the highest probabilities, of labels that have scores of their own.

    Returns:
        HTML that includes the plotting library. Every string is escaped, also in figures.
    """
    skipped = {label: each.reason for label in labels if isinstance(each := of_labels[f"{label}_comparison"], Skipped)}
    learned = [label for label in labels if isinstance(of_labels[f"{label}_comparison"], Comparison)]
    sections = [_section(label, of_labels) for label in learned]
    forecast = next((section for section in sections if section["label"] == FORECAST), None)
    champions = {section["label"]: section["model"] for section in sections}
    listed = None if isinstance(users_at_risk, Skipped) else users_at_risk
    drift = None if isinstance(drift_report, Skipped) else drift_report
    decision = None if isinstance(decision_report, Skipped) else decision_report
    return render(
        _PACKAGE,
        "report.html.j2",
        made=datetime.now(UTC),
        plotly=get_plotlyjs(),
        log=ingestion_report,
        log_section=log_section,
        class_balance_figure=class_balance_figure,
        all_models_figure=all_models_figure,
        user_types_figure=user_types_figure,
        exploration=[
            figure
            for figure in (sessions_figure, retention_figure, transitions_figure, week_figure, level_flows_figure)
            if figure is not None
        ],
        backtest_figure=backtest_figure,
        experiment_figure=experiment_figure,
        multiclass_figure=None if isinstance(multiclass_figure, Skipped) else multiclass_figure,
        multiclass=records(multiclass_table) if isinstance(multiclass_table, pd.DataFrame) else [],
        experiments=[] if experiment_table is None else records(experiment_table),
        at_risk=None if listed is None else first_users(listed, reporting.users_at_risk),
        listed=0 if listed is None else len(listed),
        likely={
            label: first_users(users, reporting.users_at_risk)
            for label in learned
            if isinstance(users := of_labels.get(f"{label}_users"), pd.DataFrame)
        },
        forecast=forecast,
        verdicts=VERDICTS,
        decision=decision,
        weighed_by_another=_is_by_another(decision, champions),
        decision_figure=None if isinstance(decision_figure, Skipped) else decision_figure,
        monitoring=monitoring_report,
        monitoring_figure=monitoring_figure,
        survival=survival_report,
        survival_figures=[
            figure
            for figure in (
                survival_everyone_figure,
                survival_cohort_figure,
                survival_level_figure,
                survival_device_figure,
            )
            if figure is not None
        ],
        horizons=horizon_report,
        forecast_curves_figure=forecast_curves_figure,
        drift=drift,
        scored_by_another=_is_by_another(drift, champions),
        drift_figure=None if isinstance(drift_figure, Skipped) else drift_figure,
        published=reporting.published,
        run=run_so_far,
        source=source_of(run_so_far),
        stages=stages(run_so_far),
        parameters=yaml.safe_dump(run_so_far.parameters, sort_keys=False, allow_unicode=True),
        sections=sections,
        skipped=skipped,
    )


def _is_by_another(report: DriftReport | DecisionReport | None, champions: Mapping[str, str]) -> bool:
    """Whether a report is about the scores of another model than the label's present champion."""
    return report is not None and report.model != champions.get(report.label, report.model)


def _section(label: str, of_labels: Mapping[str, Any]) -> dict[str, Any]:
    """What the template shows of a label."""
    comparison: Comparison = of_labels[f"{label}_comparison"]
    metadata: ChampionMetadata = of_labels[f"{label}_champion_metadata"]
    return {
        "label": label,
        "comparison": comparison,
        "model": metadata.model,
        "html": of_labels[f"{label}_report_section"],
        "scores": comparison.champion_scores,
        "sentence": in_one_sentence(comparison.champion_scores, positives_of(label)),
    }
