"""How long users stay, and the forecast at several horizons, on the command line and in the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.faults
KINDS = ("everyone", "cohort", "level", "device")


@pytest.fixture(scope="module")
def reported(small_project: Project, first_run: str) -> Project:
    small_project.kedro("run", "--pipelines=survival,other_horizons,reporting")
    return small_project


def test_every_user_is_under_observation(reported: Project) -> None:
    users = reported.report("ingestion_report.json")["users"]
    lifetimes = reported.table("03_primary", "lifetimes")
    assert len(lifetimes) <= users
    events = reported.table("02_intermediate", "events", columns=["user_id", "page"])
    cancelled = events.loc[events["page"] == "Cancellation Confirmation", "user_id"]
    assert set(lifetimes.loc[lifetimes["cancelled"] == 1, "user_id"]) == set(cancelled)
    curve = reported.report("survival", "survival_report.json")["curves"]["everyone"]["everyone"]
    shares = [point["share"] for point in curve["points"]]
    assert shares == sorted(shares, reverse=True)
    assert 0 < shares[-1] < shares[0] == 1


def test_a_longer_horizon_has_no_lower_probability(reported: Project) -> None:
    curves = reported.table("07_model_output", "forecast_curves")
    wide = curves.pivot(index="user_id", columns="horizon_days", values="probability")
    assert list(wide.columns) == [7, 14, 28]
    assert (np.diff(wide.to_numpy()) >= 0).all()
    scores = reported.table("07_model_output", "churn_scores").set_index("user_id")["probability"]
    assert set(wide.index) == set(scores.index)
    assert (wide[14] >= scores.reindex(wide.index)).all()


def test_the_page_has_both(reported: Project) -> None:
    newest = reported.versions("08_reporting", "report")[-1]
    page = (reported.folder / "data/08_reporting/report" / newest / "report.html").read_text()
    assert "How long users stay, by level" in page
    assert "The forecast at several horizons" in page
    assert "other_horizons,reporting" not in page
