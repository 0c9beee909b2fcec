"""The real server, asked over HTTP; it would find no Java."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import requests

from servers import process, wait_for


class Server(NamedTuple):
    """A running server."""

    address: str
    project: Path
    session: requests.Session

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.session.get(f"{self.address}{path}", timeout=20)
        assert answer.status_code == status, answer.text
        return answer.json()

    def score(self, *rows: dict[str, Any], status: int = 200) -> Any:
        answer = self.session.post(f"{self.address}/score", json={"rows": rows}, timeout=20)
        assert answer.status_code == status, answer.text
        return answer.json()

    def until(self, is_so: Callable[[Any], bool]) -> Any:
        """What /health says as soon as it is so."""
        ends, health = time.monotonic() + 20, None
        while time.monotonic() < ends:
            # The first process has the port before the others answer at it.
            with suppress(requests.ConnectionError):
                health = self.session.get(f"{self.address}/health", timeout=20).json()
                if is_so(health):
                    return health
            time.sleep(0.05)
        raise AssertionError(health)


@contextmanager
def serving(project: Path, *options: str, **environment: str) -> Iterator[Server]:
    """The server of a project on a free port. Its end must be orderly."""
    log = project / "serve.log"
    command = [sys.executable, "-m", "sparkify_kedro", "serve", "--port=0", *options]
    variables = os.environ | {"JAVA_HOME": "/nowhere", "PYTHONPATH": "src"} | environment
    with process(command, log, variables, folder=project) as server, requests.Session() as session:
        address = wait_for(r"http://\S+:\d+", log)
        yield Server(address, project, session)
    assert server.returncode in (0, -signal.SIGTERM), log.read_text()
    assert "Traceback" not in log.read_text()
