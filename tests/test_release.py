"""The release: its notes, and the archives that pip installs in a new environment."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from sparkify_kedro import __version__

PROJECT = Path(__file__).parents[1]
ASKED = """
from importlib.metadata import metadata
found = metadata("sparkify_kedro")
print(found["Version"], found["License-Expression"])
"""
SHOWN = """
from importlib.resources import files
print(*sorted(path.name for path in files("sparkify_kedro.pipelines.reporting").joinpath("templates").iterdir()))
"""


def run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    return done.stdout


def test_the_notes_begin_with_the_version() -> None:
    assert (PROJECT / "RELEASE.md").read_text().startswith(f"# {__version__}\n")


def test_no_index_is_named_in_the_lock_files() -> None:
    """Whoever installs chooses where packages come from."""
    for lock in PROJECT.glob("requirements*.lock"):
        assert re.findall(r"^.*(?:https?://|--index|--find-links).*$", lock.read_text(), flags=re.MULTILINE) == []


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_it_installs_in_a_new_environment(tmp_path: Path, copy_project: Callable[[Path], Path], kind: str) -> None:
    """Its command and its server's start, from a folder that is no project."""
    source, archives, elsewhere = (tmp_path / name for name in ("source", "archives", "elsewhere"))
    for folder in (source, archives, elsewhere):
        folder.mkdir()
    copy_project(source)
    for name in ("README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source)
    build = f"from setuptools import build_meta; build_meta.build_{kind}({str(archives)!r})"
    run(sys.executable, "-c", build, folder=source)
    (archive,) = archives.iterdir()
    assert f"-{__version__}" in archive.name

    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--no-compile")
    run(*pip, "--require-hashes", "--requirement", PROJECT / "requirements.lock", folder=elsewhere)
    run(*pip, "--no-deps", archive, folder=elsewhere)
    command = tmp_path / "env" / "bin" / "sparkify-kedro"
    assert "--pipelines" in run(command, "--help", folder=elsewhere)
    assert "SPARKIFY_SERVING_TOKEN" in run(command, "serve", "--help", folder=elsewhere)
    assert run(python, "-c", ASKED, folder=elsewhere) == f"{__version__} MIT\n"
    templates = (PROJECT / "src/sparkify_kedro/pipelines/reporting/templates").iterdir()
    assert run(python, "-c", SHOWN, folder=elsewhere).split() == sorted(path.name for path in templates)
