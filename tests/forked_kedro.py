"""Run kedro commands as the command line does, each in a process and process group of its own, without importing it all
again: a process that has imported everything reads what to run, forks, and tells how it ended.

In: ``{"words": [...], "environment": {...}, "output": path, "errors": path}``, a line each. Out: the exit code, which
is negative for a signal.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OF_THE_PROJECT = ("cli", "framework.datasets", "framework.runs.cleanup", "pipeline_registry", "settings")


class Forks:
    """Runs kedro commands in a folder, each in a process of its own that can be killed."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Import everything, in an environment that all commands share."""
        self._output, self._errors = (folder.parent / f"{folder.name}_{name}.txt" for name in ("output", "errors"))
        self._server = subprocess.Popen(
            [sys.executable, __file__], cwd=folder, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def try_kedro(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command; its exit code is negative for a signal."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        paths = {"output": str(self._output), "errors": str(self._errors)}
        self._server.stdin.write(f"{json.dumps({'words': words, 'environment': environment} | paths)}\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        return subprocess.CompletedProcess(words, code, self._output.read_text(), self._errors.read_text())

    def end(self) -> None:
        """Stop; commands that run are waited for."""
        self._server.communicate()


def run(words: list[str], environment: dict[str, str], output: str, errors: str) -> None:
    """What ``python -m kedro`` does, in this process, which does not come back."""
    os.setpgid(0, 0)
    os.environ |= environment
    nothing = os.open(os.devnull, os.O_RDONLY)
    to_files = (os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for path in (output, errors))
    for own, stream in enumerate((nothing, *to_files)):
        os.dup2(stream, own)
    sys.argv = ["kedro", *words]
    import kedro.framework.cli

    kedro.framework.cli.main()


def serve() -> None:
    """Until there is nothing more to run."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else has something to say
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(Path.cwd())
    for module in ("kedro.framework.cli", *(f"sparkify_kedro.{name}" for name in OF_THE_PROJECT)):
        importlib.import_module(module)

    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        child = os.fork()
        if child == 0:
            run(**asked)
            os._exit(70)  # a command ends its process itself
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


if __name__ == "__main__":
    serve()
