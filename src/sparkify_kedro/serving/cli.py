"""``kedro serve``: answer over HTTP."""

from __future__ import annotations

import os
import socket
import tempfile
from importlib.util import find_spec
from pathlib import Path

import click
from kedro.framework.cli.utils import env_option

from sparkify_kedro.framework.commands import OneSentenceCommand

# The packages of the extra take a while to import, and other commands do not need them.


@click.command(cls=OneSentenceCommand)
@env_option
@click.option("--conf-source", type=click.Path(exists=True), default="conf", help="As for kedro run.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Beyond this machine, it takes a token.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any free one.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes that answer.")
def serve(env: str | None, conf_source: str, host: str, port: int, workers: int) -> None:
    """Answer questions on the newest scores over HTTP, without Spark: docs/serving.md.

    Other machines are answered only if the variable SPARKIFY_SERVING_TOKEN has a token, which each request must send.
    """
    if find_spec("fastapi_offline") is None:
        raise click.ClickException("the server needs the extra serve: pip install 'sparkify_kedro[serve]'")
    import uvicorn  # noqa: PLC0415

    from sparkify_kedro.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS  # noqa: PLC0415

    from .limits import is_loopback  # noqa: PLC0415
    from .settings import TOKEN_VARIABLE, Serving  # noqa: PLC0415

    token = os.environ.get(TOKEN_VARIABLE, "")
    if not (token.isascii() and token.isprintable()):
        raise click.ClickException(f"{TOKEN_VARIABLE} goes into a header of requests: use letters and digits only")
    if not token and not is_loopback(host):
        raise click.ClickException(
            f"other machines reach {host}, so requests must send a token: set {TOKEN_VARIABLE}, or leave out --host"
        )
    _check_free(host, port)
    configuration = CONFIG_LOADER_CLASS(conf_source, env=env, **CONFIG_LOADER_ARGS)
    serving = Serving.configured(configuration, Path.cwd())
    with tempfile.TemporaryDirectory(prefix="serving-") as folder:
        serving.write(Path(folder))
        # Each process writes its metrics there, and any of them answers with the sum.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        uvicorn.run(
            "sparkify_kedro.serving.app:create",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            # A path of a request names a user.
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(serving.bounds.most_seconds),
        )


def _check_free(host: str, port: int) -> None:
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
    except OSError as error:
        problem = f"{host}:{port} cannot be used ({error.strerror}): choose another --port or --host"
        raise click.ClickException(problem) from error
