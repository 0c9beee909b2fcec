"""The tutorial, command by command, prints what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from documented import DOCS
from served import serving

PROJECT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(text)?\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
SAMPLE = "data/01_raw/sample_events.json.gz"


@pytest.mark.faults
def test_every_command_of_the_tutorial_prints_what_it_says(
    tmp_path: Path, copy_project: Callable[[Path], Path]
) -> None:
    """``make run`` is ``kedro run`` in an environment that is there; curl asks a server that the test has started."""
    folder = copy_project(tmp_path)
    (folder / SAMPLE).parent.mkdir(parents=True)
    (folder / SAMPLE).write_bytes((PROJECT / SAMPLE).read_bytes())
    printed, commands = "", 0
    for is_output, content in BLOCK.findall((DOCS / "tutorial.md").read_text()):
        lines = content.splitlines()
        if is_output:
            listed = folder.glob("my_data/07_model_output/users_at_risk.csv/*/*.csv")
            known = "\n".join([printed, *(path.read_text() for path in listed)])
            assert [line for line in lines if line.strip() not in known] == []
        elif lines[0].startswith("curl "):
            with serving(folder) as server:
                path = lines[0].split("'")[1].removeprefix("http://127.0.0.1:8000")
                assert [user["rank"] for user in server.get(path)["users"]] == [1, 2, 3]
        elif not lines[0].endswith("kedro serve"):
            commands += len(lines)
            printed = "".join(run(line.replace("make run", ".venv/bin/kedro run"), folder) for line in lines)
    assert commands == 8


def run(line: str, folder: Path) -> str:
    """What a line of a shell prints, on either stream."""
    done = subprocess.run(
        ["sh", "-c", line.replace(".venv/bin/kedro", f"{sys.executable} -m kedro")],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": "src", "COLUMNS": "400"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3_000:]
    return done.stdout
