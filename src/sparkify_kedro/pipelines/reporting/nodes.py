"""One page that shows what a run found."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import yaml
from plotly.offline import get_plotlyjs

from sparkify_kedro.churn.rendering import render, source_of
from sparkify_kedro.framework.runs.summary import RunSoFar
from sparkify_kedro.framework.skipping import Skipped

from .page import first_users, in_one_sentence, stages
from .parameters import Reporting

_HERE = "sparkify_kedro.pipelines.reporting"


def render_log_section(ingestion_report: dict[str, Any], most_played: list[dict[str, Any]], *figures: go.Figure) -> str:
    """The part of the page about the log.

    Args:
        ingestion_report: the account of the log's lines.
        most_played: the songs played most often.
        figures: in the page's order.

    Returns:
        A piece of HTML.
    """
    return render(_HERE, "log_section.html.j2", log=ingestion_report, songs=most_played, figures=figures)


def render_label_section(
    comparison: dict[str, Any], champion_metadata: dict[str, Any], label: str, *figures: go.Figure
) -> str:
    """The part of the page about one label's models.

    Args:
        comparison: champion, baselines and all scores.
        champion_metadata: what the champion was trained on.
        label: the label's name.
        figures: in the page's order.

    Returns:
        A piece of HTML.
    """
    return render(
        _HERE, "label_section.html.j2", label=label, comparison=comparison, card=champion_metadata, figures=figures
    )


def render_report(  # noqa: PLR0913, PLR0917 - a page is put together from all there is
    log_section: str,
    ingestion_report: dict[str, Any],
    all_models_figure: go.Figure,
    backtest_figure: go.Figure | None,
    users_at_risk: pd.DataFrame | None,
    drift_report: dict[str, Any] | None,
    drift_figure: go.Figure | None,
    run_so_far: RunSoFar,
    reporting: Reporting,
    *labels: Any,
) -> str:
    """Put everything on one page that needs nothing but a browser.

    Args:
        log_section: the part about the log.
        ingestion_report: the account of the log's lines.
        all_models_figure: all models side by side.
        backtest_figure: the backtest's picture, if it ever ran.
        users_at_risk: the list that scoring has written, if it ever ran.
        drift_report: what scoring says of drift, if it ever ran.
        drift_figure: its picture.
        run_so_far: what is known of the run.
        reporting: how much to show, and what others have published.
        labels: per label its name, comparison, champion card and part of the page, in turn; of a label that was
            skipped, why in place of each.

    Returns:
        HTML, with the library that draws the figures in it once. Every string is escaped, those in figures included.
    """
    parts = list(zip(*(labels[place::4] for place in range(4)), strict=True))
    skipped = {label: comparison.reason for label, comparison, *_ in parts if isinstance(comparison, Skipped)}
    sections = [
        {
            "label": label,
            "comparison": comparison,
            "card": card,
            "html": html,
            "scores": comparison["algorithms"][comparison["champion"]],
            "sentence": in_one_sentence(comparison["algorithms"][comparison["champion"]]),
        }
        for label, comparison, card, html in parts
        if label not in skipped
    ]
    champions = {section["label"]: section["card"]["model"] for section in sections}
    return render(
        _HERE,
        "report.html.j2",
        made=datetime.now(UTC),
        plotly=get_plotlyjs(),
        log=ingestion_report,
        log_section=log_section,
        all_models_figure=all_models_figure,
        backtest_figure=backtest_figure,
        at_risk=None if users_at_risk is None else first_users(users_at_risk, reporting.users_at_risk),
        listed=0 if users_at_risk is None else len(users_at_risk),
        drift=drift_report,
        scored_by_another=drift_report is not None
        and drift_report["model"] != champions.get(drift_report["label"], drift_report["model"]),
        drift_figure=drift_figure,
        published=reporting.published,
        run=run_so_far,
        source=source_of(run_so_far),
        stages=stages(run_so_far),
        parameters=yaml.safe_dump(run_so_far.parameters, sort_keys=False, allow_unicode=True),
        sections=sections,
        skipped=skipped,
    )
