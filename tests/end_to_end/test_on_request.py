"""Downgrades, upgrades and models of several classes: learned on request, beside the newest run, and in its report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.faults
LABEL, LEVEL, CHURN = "will_upgrade", "free", "will_churn_soon"
ALGORITHMS = ("logistic_regression", "random_forest", "gradient_boosted_trees")


@pytest.fixture(scope="module")
def project(small_project: Project, first_run: str) -> Project:
    # Downgrades differ in the level alone.
    small_project.kedro("run", "--pipelines=level_changes", f"--to-nodes={LABEL}.list_users_at_risk")
    return small_project


@pytest.fixture(scope="module")
def reported(project: Project) -> Project:
    project.kedro("run", "--pipelines=level_changes", f"--namespaces={LABEL}")
    project.kedro("run", "--pipelines=multiclass,reporting")
    return project


def page_of(project: Project) -> str:
    newest = project.versions("08_reporting", "report")[-1]
    return (project.folder / "data/08_reporting/report" / newest / "report.html").read_text()


def test_a_change_is_learned_from_users_at_its_level(project: Project) -> None:
    rows = project.table("05_model_input", LABEL, "development")
    assert set(rows["level_at_end"]) == {LEVEL}
    assert rows["at_risk"].all()
    assert 0 < rows["label"].sum() < len(rows)


def test_users_at_its_level_are_scored_with_reasons(project: Project) -> None:
    scores = project.table("07_model_output", LABEL, "churn_scores")
    everyone = project.table("07_model_output", "churn_scores")
    levels = project.table("07_model_output", "rows_to_score").set_index("user_id")["level_at_end"]
    assert set(scores["user_id"]) == set(levels.index[levels == LEVEL]) < set(everyone["user_id"])
    assert scores["probability"].between(0, 1).all()
    listed = pd.read_csv(project.newest("07_model_output", LABEL, "users_at_risk.csv"), dtype={"user_id": str})
    assert listed["rank"].tolist() == [*range(1, len(listed) + 1)]
    reasons = listed["reason_1"].dropna()
    assert reasons.str.endswith(("(raises the chance)", "(lowers the chance)")).all()


def test_every_row_has_probabilities_of_all_classes_that_sum_to_one(reported: Project) -> None:
    rows = reported.table("05_model_input", "multiclass", "rows")
    for algorithm in ALGORITHMS:
        scores = reported.table("07_model_output", "multiclass", algorithm, "class_scores").drop(columns="bin_end")
        assert sorted(scores["user_id"]) == sorted(rows["user_id"])
        assert scores.drop(columns="user_id").sum(axis=1).to_numpy() == pytest.approx(1)


def test_one_model_is_compared_with_each_binary_one_on_the_same_rows(reported: Project) -> None:
    table = pd.read_csv(reported.newest("08_reporting", "multiclass.csv"))
    assert len(table) == 9
    for label, lines in table.groupby("label"):
        of_algorithm = [
            pd.concat(
                [
                    reported.table("06_models", str(label), algorithm, "out_of_fold"),
                    reported.table("07_model_output", str(label), algorithm, "predictions"),
                ]
            )
            for algorithm in ALGORITHMS
        ]
        known = reported.table("05_model_input", "multiclass", "rows")[["user_id", "bin_end"]]
        judged = of_algorithm[0].merge(known, on=["user_id", "bin_end"])
        assert lines["rows"].tolist() == [len(judged)] * 3
        assert lines["positives"].tolist() == [judged["label"].sum()] * 3


def test_the_report_has_them(reported: Project) -> None:
    page = page_of(reported)
    assert '<section id="will_upgrade">' in page
    assert 'id="will_upgrade-users"' in page
    assert '<section id="will_downgrade">' not in page
    assert "One model of three classes against three binary models" in page


def test_networks_are_judged_beside_the_other_algorithms(small_project: Project, first_run: str) -> None:
    pytest.importorskip("torch")
    output = small_project.kedro("run", "--pipelines=all_algorithms")
    selection = json.loads(small_project.newest("06_models", CHURN, "champion_selection.json").read_text())
    assert list(selection["algorithms"]) == [*ALGORITHMS, "neural_network", "recurrent_network"]
    metrics = small_project.report(CHURN, "neural_network", "metrics.json")
    assert 0 < metrics["test"]["average_precision"] < 1
    # The other models are those of the run before.
    assert metrics["test"]["rows"] == small_project.report(CHURN, "random_forest", "metrics.json")["test"]["rows"]
    assert "neural network" in page_of(small_project)
    assert "champion" in output
