"""Every run that a how-to page shows succeeds, after the first run of a small project."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from documented import DOCS
from thin_log import thin_lines, write_lines

if TYPE_CHECKING:
    from conftest import Project

# Monitoring comes last: it scores an earlier day, which other horizons then refuse to join.
PAGES = ("own-log", "partial-runs", "scoring", "serving", "survival", "versions-and-cleanup", "tracking", "monitoring")
LOG = "data/01_raw/log"
# A small log stands for every other one.
INSTEAD = {
    "raw_events=PATH": f"raw_events={LOG}",
    "scoring_events=PATH": f"scoring_events={LOG}",
    "raw_events=data/01_raw/my_log": f"raw_events={LOG}",
    "simulation.users=1000": "simulation.users=3",
}
# They take their own preparations, which other tests make.
ELSEWHERE = {"--pipelines=recalibrate": "test_monitoring.py"}


def runs() -> list[tuple[str, str]]:
    """The page, and the words after ``kedro run``."""
    return [
        (page, words)
        for page in PAGES
        for words in re.findall(
            r"^\.venv/bin/kedro run(?!s) ?(.*?)(?: *#.*)?$", (DOCS / f"{page}.md").read_text(), flags=re.MULTILINE
        )
        if words not in ELSEWHERE
    ]


@pytest.fixture(scope="module")
def project(small_project: Project) -> Project:
    """With the log that a run reads where none is named."""
    write_lines(small_project.folder / "data/01_raw/sample_events.json.gz", thin_lines())
    return small_project


@pytest.mark.faults
@pytest.mark.parametrize(("page", "words"), runs())
def test_a_run_of_a_how_to_page_succeeds(project: Project, page: str, words: str) -> None:
    for documented, ours in INSTEAD.items():
        words = words.replace(documented, ours)
    if ":VERSION" in words:
        dataset = words.split("--load-versions=")[1].split(":")[0]
        layer = {"typed_user_time_bins": "04_feature"}.get(dataset, "06_models")
        words = words.replace("VERSION", project.versions(layer, *dataset.split("."))[-1])
    project.kedro("run", *shlex.split(words))
    assert project.report("run_summary.json")["succeeded"]
