"""Two runs at the same time in one folder, in separate processes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SMALL_SPARK = """
spark.master: local[1]
spark.sql.shuffle.partitions: 2
spark.driver.memory: 512m
spark.driver.extraJavaOptions: -XX:+UseSerialGC -XX:TieredStopAtLevel=1
"""
EVENT = {
    "ts": 1538352117000,
    "sessionId": 29,
    "itemInSession": 0,
    "page": "Home",
    "level": "paid",
    "registration": 1538173362000,
}


def begin(project: Path, users: int) -> subprocess.Popen[str]:
    """A run on a log of so many users, under way."""
    log = project / f"log_{users}.json"
    log.write_text("".join(f"{json.dumps(EVENT | {'userId': str(user)})}\n" for user in range(users)))
    part = ("--pipelines=ingestion", "--to-nodes=check_lines", f"--params=raw_events={log.name}")
    words = [sys.executable, "-m", "kedro", "run", *part]
    narrow = os.environ | {"COLUMNS": "40"}
    return subprocess.Popen(words, cwd=project, env=narrow, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def assert_progress(output: str) -> None:
    """Output that is not a terminal has one line per node, however narrow the terminal would be."""
    lines = re.findall(r"^[0-9:]{8} INFO (\d:\d\d:\d\d) (\d+)/(\d+) (\w+) (\S+)$", output, flags=re.MULTILINE)
    elapsed, positions, totals, stages, nodes = zip(*lines, strict=True)
    assert list(elapsed) == sorted(elapsed)
    assert [int(position) for position in positions] == list(range(1, len(lines) + 1))
    assert set(totals) == {str(len(lines))}
    assert set(stages) == {"ingestion"}
    assert set(nodes) == {"parse_lines", "select_rejected", "check_lines"}


@pytest.mark.faults
def test_two_runs_at_once_do_not_mix_versions(project: Path) -> None:
    """Each ends with what its own log gives, made from its own versions alone."""
    (project / "conf/local/spark.yml").write_text(SMALL_SPARK)
    under_way = {users: begin(project, users) for users in (3, 5)}
    for process in under_way.values():
        output, _ = process.communicate(timeout=600)
        assert process.returncode == 0, output[-3_000:]
        assert_progress(output)

    summaries = [read(path) for path in (project / "data/08_reporting/run_summary.json").glob("*/run_summary.json")]
    by_log = {run["files_read"]["raw_events"]: run for run in summaries}
    assert set(by_log) == {"log_3.json", "log_5.json"}
    for users in (3, 5):
        run = by_log[f"log_{users}.json"]
        assert run["versions_read"] == {}
        rows = {name: count for node in run["nodes"] for name, count in node["rows_written"].items()}
        assert rows == {"parsed_lines": users, "rejected_events": 0}
        version = run["run_id"]
        (counted,) = (project / "data/02_intermediate/line_counts.json" / version).glob("*.provenance.json")
        note = read(counted)
        versioned = [made["version"] for made in note["inputs"].values() if made.get("version")]
        assert versioned
        assert set(versioned) == {version}


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())
