"""``python -m sparkify_kedro`` and the packaged command run the project like ``kedro run``, or serve its scores."""

import sys
from pathlib import Path
from typing import Any

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project


def main(*args: Any, **kwargs: Any) -> Any:
    """Run the project with the options of ``kedro run``; with those of ``kedro serve`` where that is the first word."""
    if not args and sys.argv[1:2] == ["serve"]:
        from sparkify_kedro.serving.cli import serve  # noqa: PLC0415 - a run does not need it

        return serve(sys.argv[2:], prog_name="serve")
    package_name = Path(__file__).parent.name
    configure_project(package_name)
    kwargs["standalone_mode"] = not hasattr(sys, "ps1")
    return find_run_command(package_name)(*args, **kwargs)


if __name__ == "__main__":
    main()
