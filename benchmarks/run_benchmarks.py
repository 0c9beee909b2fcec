"""The figures that the README quotes, measured here: ``make benchmark``.

Each command runs in a copy of the project, on the bundled log, in a process of its own with a cold session. A figure is
the best of several rounds, because other work on the machine only ever makes a run slower; the rounds of what is
compared take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from project_copy import KEDRO, LOG, PROJECT, copy_of_project, seconds


def seconds_of_searches(folder: Path) -> float:
    """Seconds of the nine searches in the newest run."""
    summaries = (folder / "data/08_reporting/run_summary.json").iterdir()
    summary = json.loads((max(summaries) / "run_summary.json").read_text())
    return sum(node["seconds"] for node in summary["nodes"] if node["node"].endswith(".search_model"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = range(parser.parse_args().rounds)
    with tempfile.TemporaryDirectory() as name:
        folder = copy_of_project(Path(name))
        runs, ours, theirs, floors, listings = [], [], [], [], []
        for _ in rounds:
            ours.append(seconds([*KEDRO, "run", "--pipelines=ingestion,feature_engineering"], folder))
            original = [sys.executable, str(PROJECT / "benchmarks/original_features.py"), str(LOG), "original_features"]
            theirs.append(seconds(original, folder))
            floors.append(seconds([sys.executable, str(PROJECT / "benchmarks/session_floor.py"), str(LOG)], folder))
            listings.append(seconds([*KEDRO, "registry", "list"], folder))
            runs.append((seconds([*KEDRO, "run"], folder), seconds_of_searches(folder)))
    whole, searches = min(runs)
    print(f"machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(f"best of {len(rounds)} rounds, cold sessions, the bundled log")
    print(f"kedro run                          {whole:6.1f} s, of which the nine searches (81 fits) {searches:.1f} s")
    print(f"log to user_time_bins, ours        {min(ours):6.1f} s")
    print(f"log to user_time_bins, original    {min(theirs):6.1f} s, {min(theirs) / min(ours):.1f} times ours")
    print(f"session start + one read of the log {min(floors):5.1f} s")
    print(f"kedro registry list                {min(listings):6.1f} s")


if __name__ == "__main__":
    main()
