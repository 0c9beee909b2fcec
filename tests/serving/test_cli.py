"""What ``kedro serve`` refuses, each in a sentence."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sparkify_kedro.serving.cli import serve
from sparkify_kedro.serving.limits import is_loopback


@pytest.fixture(autouse=True)
def _in_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.delenv("SPARKIFY_SERVING_TOKEN", raising=False)


def refused(*options: str, **environment: str) -> str:
    done: Result = CliRunner().invoke(serve, options, env=environment)
    assert done.exit_code == 1, done.output
    return done.output


def test_other_machines_need_a_token() -> None:
    assert refused("--host=0.0.0.0") == (
        "Error: other machines reach 0.0.0.0, so requests must send a token: set SPARKIFY_SERVING_TOKEN, or leave out "
        "--host\n"
    )


@pytest.mark.parametrize(
    ("host", "is_only_this_machine"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - it is refused
        ("::", False),
        ("192.168.1.1", False),
        ("churn.example", False),
    ],
)
def test_addresses_that_only_this_machine_reaches(host: str, is_only_this_machine: bool) -> None:
    assert is_loopback(host) is is_only_this_machine


def test_a_token_that_no_header_can_carry() -> None:
    assert "SPARKIFY_SERVING_TOKEN goes into a header of requests" in refused(**{"SPARKIFY_SERVING_TOKEN": "ü"})


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(f"--port={port}") == (
            f"Error: 127.0.0.1:{port} cannot be used (Address already in use): choose another --port or --host\n"
        )


def test_a_host_that_is_none() -> None:
    said = refused("--host=no.such.invalid", SPARKIFY_SERVING_TOKEN="t")  # noqa: S106
    assert said.startswith("Error: no.such.invalid:8000 cannot be used (")


def test_a_wrong_parameter(project: Path) -> None:
    (project / "conf" / "local").mkdir(exist_ok=True)
    (project / "conf" / "local" / "parameters_serving.yml").write_text("serving: {most_rows: 0}\n")
    assert "most_rows should be greater than or equal to 1 (it is 0)" in refused("--port=0")


def test_a_project_without_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(serve, [])
    assert done.exit_code == 2
    assert "'conf' does not exist" in done.output
