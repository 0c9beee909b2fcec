"""A champion's card for people."""

from __future__ import annotations

from typing import Any

import yaml

from sparkify_kedro.churn.rendering import render, source_of
from sparkify_kedro.framework.runs.summary import RunSoFar

# What of the parameters a model follows from.
_MAKING = ("ingestion", "feature_engineering", "sampling", "modeling")
_PURPOSES = {
    "churned_in_time_bin": "To tell how much a user's bin looks like one in which users cancel.",
    "will_churn_in_next_bin": "To tell how likely a user who is still there cancels in the next bin.",
    "will_churn_soon": "To tell how likely a user cancels in this bin or the next.",
}


def write_model_card(
    champion_metadata: dict[str, Any],
    comparison: dict[str, Any],
    log_span: dict[str, Any],
    run_so_far: RunSoFar,
) -> str:
    """Write down for people what a champion is, how it was judged and how far to trust it.

    Args:
        champion_metadata: what the champion is and was trained on.
        comparison: all scores of the label's models.
        log_span: the time that the log covers, and how many events and users fill it.
        run_so_far: what is known of the run.

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
        purpose=_PURPOSES.get(champion_metadata["label"], f"To tell how likely {champion_metadata['label']} is."),
        parameters=yaml.safe_dump({name: parameters[name] for name in _MAKING}, sort_keys=False),
    )
