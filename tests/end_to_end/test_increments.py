"""A log to which files are added, on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession

START = 1_538_352_000_000


def write(path: Path, users: range) -> None:
    lines = [
        json.dumps(
            {
                "ts": START + user * 60_000, "userId": str(user), "sessionId": user, "itemInSession": 0, "page": "Home",
                "level": "free", "registration": START,
            }
        )
        for user in users
    ]  # fmt: skip
    path.write_text("\n".join([*lines, "no event"]))


def newest(project: Path, *parts: str) -> Path:
    return max(project.joinpath("data", *parts).iterdir()) / parts[-1]


def ingested(project: Path) -> tuple[Any, list[list[Any]]]:
    """The report and the events of the newest run."""
    report = json.loads(newest(project, "08_reporting", "ingestion_report.json").read_text())
    events = pd.read_parquet(newest(project, "02_intermediate", "events")).sort_values("user_id")
    return report, events.astype(str).to_numpy().tolist()


@pytest.mark.faults
def test_files_are_added_to_a_log(
    spark: SparkSession, kedro_here: Callable[..., tuple[int, str, str]], project: Path
) -> None:
    """The same events as of a full run; nothing is stale because of the mode; a file that is gone stops the run."""

    def run(*words: str) -> tuple[int, str]:
        code, output, errors = kedro_here(project, "run", *words)
        return code, output + errors

    settings = "--params=raw_events=log,ingestion.max_rejected_share=1,ingestion.mode"
    increment = ("--pipelines=ingestion", f"{settings}=increment")
    (project / "log").mkdir()
    write(project / "log/b.json", range(5))
    assert run(*increment)[0] == 0
    write(project / "log/a.json", range(3, 9))
    code, output = run(*increment)
    assert code == 0, output
    assert "Increment: 1 of 2 files are new" in output
    found = ingested(project)

    code, output = run("--pipelines=ingestion,feature_engineering", f"{settings}=full")
    assert code == 0, output
    assert ingested(project) == found
    assert (found[0]["events"], found[0]["duplicates"], sum(found[0]["rejected"].values())) == (9, 2, 2)

    # With the mode of the configuration.
    code, output = run("--pipelines=feature_engineering", "--params=ingestion.max_rejected_share=1")
    assert code == 0, output
    assert "Stale inputs" not in output

    (project / "log/a.json").unlink()
    code, output = run(increment[0], f"{increment[1]},ingestion.if_changed=stop")
    assert code != 0
    assert "log/a.json is gone since an earlier run read the log: read all files again" in output
