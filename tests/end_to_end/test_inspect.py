"""``kedro logs inspect`` on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/own-log.md"
LOG = """\
occurred_at,customer,email,event,plan,track
2018-10-01T10:00:00Z,c1,ada@example.org,track_started,basic,Rockpools
2018-10-01T10:04:00Z,c1,ada@example.org,track_started,basic,Canada
2018-10-02T08:00:00Z,c2,bob@example.org,subscription_cancelled,premium,
"""


def test_a_log_can_be_inspected(kedro_here: Callable[..., tuple[int, str, str]], project: Path) -> None:
    """It prints what the page shows, and a proposal; nothing is written. A path without a file is one sentence."""
    (project / "app.csv").write_text(LOG)
    before = {path for path in project.rglob("*") if path.suffix not in (".pyc", ".log")}
    code, output, _ = kedro_here(project, "logs", "inspect", "app.csv")
    assert code == 0
    (shown,) = re.findall(r"^```text\n(1 file: .*?)^```", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert shown in output
    assert "NextSong:\n        - track_started" in output
    assert {path for path in project.rglob("*") if path.suffix not in (".pyc", ".log", "")} <= before
    code, _, errors = kedro_here(project, "logs", "inspect", "no.csv")
    assert (code, errors) == (1, "Error: There is no file or folder at 'no.csv'.\n")
