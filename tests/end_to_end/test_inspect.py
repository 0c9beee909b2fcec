"""``kedro logs inspect`` on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def test_a_log_can_be_inspected(kedro_here: Callable[..., tuple[int, str, str]], project: Path) -> None:
    """Nothing is written; a path without a file is one sentence."""
    (project / "app.csv").write_text("occurred_at,customer,event\n2018-10-01T00:00:00Z,ada,track_started\n")
    before = {path for path in project.rglob("*") if path.suffix not in (".pyc", ".log")}
    code, output, _ = kedro_here(project, "logs", "inspect", "app.csv")
    assert code == 0
    assert "1 lines, 1 of the first 1 are records." in output
    assert "NextSong:\n        - track_started" in output
    assert {path for path in project.rglob("*") if path.suffix not in (".pyc", ".log", "")} <= before
    code, _, errors = kedro_here(project, "logs", "inspect", "no.csv")
    assert (code, errors) == (1, "Error: There is no file or folder at 'no.csv'.\n")
