"""The model card of a champion."""

from __future__ import annotations

from typing import Any

import yaml

from sparkify_kedro.churn.figure_style import positives_of
from sparkify_kedro.churn.rendering import render, source_of
from sparkify_kedro.churn.reports import ChampionMetadata, Comparison, LogSpan
from sparkify_kedro.framework.runs.summary import RunSoFar

# The parameters that a model depends on.
_MAKING = ("ingestion", "feature_engineering", "sampling", "modeling")
_PURPOSES = {
    "churned_in_time_bin": "Descriptive: how similar a window is to windows in which users cancel.",
    "will_churn_in_next_bin": "The probability that a user at risk cancels within the horizon after the as-of date.",
    "will_churn_in_7_days": "The probability that a user at risk cancels within 7 days of the as-of date.",
    "will_churn_in_28_days": "The probability that a user at risk cancels within 28 days of the as-of date.",
    "will_churn_soon": "The probability that a user cancels in the window or within the horizon after it.",
    "will_downgrade": "The probability that a user who pays downgrades within the horizon after the as-of date.",
    "will_upgrade": "The probability that a user who does not pay upgrades within the horizon after the as-of date.",
}


def write_model_card(
    champion_metadata: ChampionMetadata,
    comparison: Comparison,
    log_span: LogSpan,
    run_so_far: RunSoFar,
) -> str:
    """Describe a champion for people: purpose, scores and limits.

    Args:
        champion_metadata: the champion and its training rows.
        comparison: all scores of the label's models.
        log_span: the time that the log covers.
        run_so_far: the run.

    Returns:
        Markdown.
    """
    parameters = run_so_far.parameters
    return render(
        "sparkify_kedro.pipelines.modeling",
        "model_card.md.j2",
        card=champion_metadata,
        comparison=comparison,
        log=log_span,
        run=run_so_far,
        source=source_of(run_so_far),
        split=parameters["sampling"]["split"],
        rows=_rows(champion_metadata.feature_engineering),
        purpose=_PURPOSES.get(champion_metadata.label, f"The probability of {champion_metadata.label}."),
        positives=positives_of(champion_metadata.label),
        in_window=champion_metadata.of_label["in_window"],
        parameters=yaml.safe_dump({name: parameters[name] for name in _MAKING}, sort_keys=False),
    )


def _rows(feature_engineering: dict[str, Any]) -> str:
    """What a row is."""
    days = feature_engineering["time_bin_days"]
    if feature_engineering["anchor"] == "registration":
        return f"One row per user and bin of {days} days since registration."
    stride = feature_engineering["stride_days"] or days
    return f"One row per user and landmark, every {stride} days, with a window of {days} days before it."
