"""Run kedro commands as the command line does, each in a process and process group of its own, without importing it all
again: a process that has imported everything reads what to run, forks, and tells how it ended.

In: ``{"words": [...], "environment": {...}, "output": path}``, a line each. Out: the exit code, negative for a signal.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

OF_THE_PROJECT = ("cli", "framework.datasets", "framework.runs.cleanup", "pipeline_registry", "settings")


def run(words: list[str], environment: dict[str, str], output: str) -> None:
    """What ``python -m kedro`` does, in this process, which does not come back."""
    os.setpgid(0, 0)
    os.environ |= environment
    to = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for stream, own in ((nothing, 0), (to, 1), (to, 2)):
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
