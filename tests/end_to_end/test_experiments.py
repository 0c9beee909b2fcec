"""Experiments by the command line: variants of the newest run, and a rerun."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import yaml

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.faults
PROJECT = Path(__file__).parents[2]
FORECAST = "will_churn_in_next_bin"
# The first one is that of the page.
(BLOCK,) = re.findall(r"```yaml\n(.*?)```", (PROJECT / "docs/extending/experiment.md").read_text(), re.DOTALL)
VARIANTS = yaml.safe_load(BLOCK)["experiments"]["variants"] | {
    "nothing_to_learn": {
        "asks": "features that do not exist",
        "parameters": {"modeling": {"training": {"use_features": ["no_such_feature"]}}},
    },
}


@pytest.fixture(scope="module")
def found(small_project: Project, first_run: str) -> tuple[Project, str]:
    own = small_project.folder / "conf/local/parameters_experiments.yml"
    own.write_text(yaml.safe_dump({"experiments": {"variants": VARIANTS}}, sort_keys=False))
    only = "experiments.only=[original_features,nothing_to_learn]"
    return small_project, small_project.kedro("run", "--pipelines=experiments", f"--params={only}")


def table_of(project: Project) -> pd.DataFrame:
    return pd.read_csv(project.newest("08_reporting", "experiments.csv")).set_index("variant")


def test_the_default_is_what_the_run_has_judged(found: tuple[Project, str]) -> None:
    project, _ = found
    stored = project.table("06_models", FORECAST, "logistic_regression", "out_of_fold")
    again = pd.read_parquet(project.folder / "data/08_reporting/experiments/scores/default.parquet")
    keys = ["user_id", "bin_end"]
    expected = stored.sort_values(keys, ignore_index=True)[again.columns]
    pd.testing.assert_frame_equal(again.sort_values(keys, ignore_index=True), expected, check_exact=True)


def test_a_variant_is_judged_on_the_same_rows_and_one_that_fails_is_told(found: tuple[Project, str]) -> None:
    project, output = found
    table = table_of(project)
    assert list(table.index) == ["default", "original_features", "nothing_to_learn"]
    assert table["rows"]["original_features"] == table["rows"]["default"] > 100
    assert table["positives"]["original_features"] == table["positives"]["default"] > 0
    low, high = table.loc["original_features", ["difference_low", "difference_high"]]
    assert low <= table["difference"]["original_features"] <= high
    # On so short a log no model has a signal, and the scores of both are the prevalence.
    assert table["features"]["original_features"] != table["features"]["default"]
    assert "feature_set original" in table["settings"]["original_features"]
    assert "Experiment nothing_to_learn failed: modeling.training.use_features" in output
    assert "leave nothing of the feature set 'compact'" in table["error"]["nothing_to_learn"]
    assert table["peak_memory_mib"].min() > 100


def test_a_rerun_knows_them(found: tuple[Project, str]) -> None:
    project, _ = found
    again = project.kedro("run", "--pipelines=experiments", "--params=experiments.only=[original_features]")
    assert "Experiments: 0 to run, 3 known from earlier runs" in again


def test_unknown_variants_are_refused(found: tuple[Project, str]) -> None:
    project, _ = found
    done = project.try_kedro("run", "--pipelines=experiments", "--params=experiments.only=[windows]")
    assert done.code != 0
    assert "there is no variant 'windows'" in done.output
