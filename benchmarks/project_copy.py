"""A copy of the project to measure in, so that neither its data nor its versions get in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).parents[1]
LOG = Path("data/01_raw/sample_events.json.gz")
KEDRO = [sys.executable, "-m", "kedro"]


def seconds(command: list[str], folder: Path) -> float:
    """Wall time of a command that must succeed."""
    started = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}")
    return time.perf_counter() - started


def copy_of_project(folder: Path) -> Path:
    """What a run needs, without the data of other runs."""
    for name in ("conf", "src", "pyproject.toml", ".telemetry"):
        source = PROJECT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    (folder / LOG).parent.mkdir(parents=True)
    shutil.copy(PROJECT / LOG, folder / LOG)
    return folder
