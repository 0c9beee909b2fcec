"""The pages on extending the project, followed to the letter on a copy of it."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Project

PAGES = Path(__file__).parents[2] / "docs/extending"
LABEL, FEATURE, STRATEGY = "will_churn_in_a_week", "songs_per_artist_in_time_bin", "square_root_weights"
DAY = 86_400_000
CHANGES = ("label.md", "feature.md", "algorithm.md", "sampling-strategy.md")


def diff_of(page: str) -> str:
    """The change that a page makes."""
    (diff,) = re.findall(r"^```diff\n(.*?)^```$", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)
    return str(diff)


def apply(diff: str, folder: Path) -> None:
    """Apply the hunks of a diff: each must match one place of its file."""
    path = folder
    of_hunk = groupby(diff.splitlines(), lambda line: line.startswith(("---", "+++", "@@")))
    for is_heading, lines in of_hunk:
        if is_heading:
            names = [line.removeprefix("+++ ") for line in lines if line.startswith("+++")]
            path = folder / names[0] if names else path
            continue
        changed = [*lines]
        before = "".join(f"{line[1:]}\n" for line in changed if not line.startswith("+"))
        after = "".join(f"{line[1:]}\n" for line in changed if not line.startswith("-"))
        text = path.read_text()
        assert text.count(before) == 1, f"{path}: {before}"
        path.write_text(text.replace(before, after))


@pytest.fixture(scope="module")
def extended(small_project: Project, first_run: str) -> Project:
    """With all that the pages add, trained by the commands of the pages, in a process of its own."""
    folder = small_project.folder
    for page in CHANGES:
        apply(diff_of(page), folder)
    # Both in one run, over the events that there are.
    from_events = ["--from-nodes=engineer_user_time_bins"]
    to_nodes = ",".join(
        re.findall(r"^.venv/bin/kedro run --to-nodes=(\S+)$", (PAGES / "label.md").read_text(), re.MULTILINE)
        + re.findall(r"^.venv/bin/kedro run --to-nodes=(\S+)$", (PAGES / "algorithm.md").read_text(), re.MULTILINE)
    )
    params = f"raw_events=data/01_raw/log,sampling.labels.{LABEL}.strategy={STRATEGY}"
    done = subprocess.run(
        [sys.executable, "-m", "kedro", "run", *from_events, f"--to-nodes={to_nodes}", f"--params={params}"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src"), "PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    return small_project


@pytest.fixture(scope="module")
def rows(extended: Project) -> pd.DataFrame:
    return extended.table("04_feature", "user_time_bins")


@pytest.mark.faults
def test_the_label_is_what_the_page_says(rows: pd.DataFrame) -> None:
    end = rows["bin_end"].max()
    is_known = rows["bin_end"] + 7 * DAY <= end
    churns = rows["churned_at"].between(rows["bin_end"], rows["bin_end"] + 7 * DAY, inclusive="left")
    assert rows[LABEL].isna().equals(~is_known)
    assert rows.loc[is_known, LABEL].astype(bool).equals(churns[is_known])
    assert 0 < churns[is_known].sum() < is_known.sum()


@pytest.mark.faults
def test_the_feature_is_what_the_page_says_and_models_may_take_it(extended: Project, rows: pd.DataFrame) -> None:
    expected = (rows["page_nextsong"] / rows["artists_in_time_bin"]).where(rows["artists_in_time_bin"] > 0, 0.0)
    pd.testing.assert_series_equal(rows[FEATURE], expected, check_names=False)
    assert FEATURE in extended.audited_features(LABEL)


@pytest.mark.faults
def test_the_label_is_learned_with_the_strategy(extended: Project) -> None:
    metrics = extended.report(LABEL, "logistic_regression", "metrics.json")
    assert 0 < metrics["test"]["prevalence"] < 1
    assert extended.report("run_summary.json")["parameters"]["sampling"]["labels"][LABEL]["strategy"] == STRATEGY


@pytest.mark.faults
def test_the_algorithm_is_judged_and_explained(extended: Project) -> None:
    assert extended.report("will_churn_soon", "linear_svc", "metrics.json")["test"]["average_precision"] > 0
    report = json.loads(extended.newest("06_models", "will_churn_soon", "linear_svc", "search_report.json").read_text())
    assert {*report["coefficients"]} == {*report["features"]}
    assert FEATURE in report["features"]


def test_the_changes_of_the_pages_fit_the_project_together(
    tmp_path: Path, copy_project: Callable[[Path], Path]
) -> None:
    """What they add is then checked by ``make test-faults``, which runs it."""
    folder = copy_project(tmp_path)
    for page in CHANGES:
        apply(diff_of(page), folder)
    for path in [*(folder / "src").rglob("*.py"), *(folder / "conf").rglob("*.yml")]:
        text = path.read_text()
        (yaml.safe_load if path.suffix == ".yml" else ast.parse)(text)


def test_a_hunk_that_matches_no_place_is_detected(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one\ntwo\n")
    apply("--- a.py\n+++ a.py\n@@ first\n one\n-two\n+three", tmp_path)
    assert (tmp_path / "a.py").read_text() == "one\nthree\n"
    with pytest.raises(AssertionError):
        apply("--- a.py\n+++ a.py\n@@ first\n-two\n+three", tmp_path)
