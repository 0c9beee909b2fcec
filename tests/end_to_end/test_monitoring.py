"""Scores of an earlier day are judged by the log that went on, and the champion is recalibrated."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest

if TYPE_CHECKING:
    from conftest import Project

FORECAST = "will_churn_in_next_bin"
# Near a landmark that the champion was trained on: however small the log, it ranks these users.
AS_OF, HORIZON_END = "2018-11-02", "2018-11-16"


@pytest.mark.faults
def test_earlier_scores_are_judged_and_the_champion_recalibrated(small_project: Project, first_run: str) -> None:
    nothing = small_project.report("monitoring_report.json")
    assert nothing == {"judged": [], "waiting": []}
    # The simplest champion of so small a log tells nothing, which a new calibration would not change.
    small_project.kedro(
        "run",
        f"--from-nodes={FORECAST}.select_champion",
        f"--to-nodes={FORECAST}.describe_champion",
        "--params=modeling.selection_rule.prefer_simpler=false",
    )
    small_project.kedro("run", "--pipelines=feature_engineering,scoring", f"--params=feature_engineering.as_of={AS_OF}")
    scored = small_project.versions("07_model_output", "churn_scores")[-1]

    output = small_project.kedro("run", "--pipelines=monitoring,recalibrate", "--params=monitoring.fewest_positives=2")
    found = small_project.report("monitoring_report.json")
    (judged,) = found["judged"]
    assert (judged["run"], judged["as_of"], judged["horizon_end"]) == (scored, AS_OF, HORIZON_END)
    assert f"users scored as of {AS_OF}, {judged['all_users']['observed']} cancelled by {HORIZON_END}" in output
    # The first run's scores are of the log's end.
    assert [each["reason"].partition(" (")[0] for each in found["waiting"]] == ["its horizon is not over in this log"]
    scores = small_project.table("07_model_output", "churn_scores")
    events = small_project.table("02_intermediate", "events", columns=["user_id", "ts", "page"])
    cancelled = events[events["page"] == "Cancellation Confirmation"].set_index("user_id")["ts"]
    start = pd.Timestamp(AS_OF, tz="UTC").timestamp() * 1_000
    came = cancelled[cancelled.between(start, start + 14 * 86_400_000 - 1)].index
    assert judged["all_users"]["observed"] == scores["user_id"].isin(came).sum() >= 2
    assert judged["model"] == small_project.report("drift_report.json")["model"]

    versions = small_project.versions("06_models", FORECAST, "champion")
    metadata = json.loads(small_project.newest("06_models", FORECAST, "champion_metadata.json").read_text())
    assert metadata["recalibration"]["from_model"] == judged["model"]
    assert metadata["recalibration"]["run"] == scored
    card = (small_project.folder / f"data/06_models/{FORECAST}/champion/{versions[-1]}/model_card.md").read_text()
    assert "## Recalibration" in card
    assert f"scored as of {AS_OF} by run `{scored}`" in card

    portable = json.loads(small_project.newest("06_models", FORECAST, "portable_champion.json").read_text())
    assert portable["model"] == metadata["model"]

    # On the users it was fitted on, a calibration expects as many as came.
    output = small_project.kedro("run", "--pipelines=scoring", f"--params=feature_engineering.as_of={AS_OF}")
    again = small_project.table("07_model_output", "churn_scores")
    assert again["probability"].sum() == pytest.approx(judged["all_users"]["observed"], rel=0.02)
    assert f"{FORECAST}.champion: its code changed" not in output
