"""The Spark session of the project: started late, with the settings of ``conf/*/spark.yml``."""

from __future__ import annotations

import atexit
import locale
import logging
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from pyspark import SparkConf
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession, is_remote
from pyspark.sql.functions import builtin

from .errors import java_cause

logger = logging.getLogger(__name__)

OLDEST_JAVA = 17

# A session with a local master need not be reachable from other machines.
_LOOPBACK = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
# Nor needs it a host name that resolves.
_LOCAL_HOST = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
# What other programs set for their own Spark; spark.yml has the settings of this project.
_OF_OTHERS = ("PYSPARK_SUBMIT_ARGS", "SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_DRIVER_PYTHON", "PYSPARK_PYTHON")
_ADVICE = "Check the settings in conf/*/spark.yml."
_NO_MASTER = (
    "No master is named: set the environment variable SPARK_MASTER (such as spark://host:7077), or SPARK_REMOTE (such "
    "as sc://host:15002) for a server of Spark Connect."
)
_CONNECT_PORT = 15002
_SECONDS_TO_ANSWER = 10

_lock = threading.Lock()
_settings: dict[str, str] = {}
# The session of a Spark Connect server, by the server's address.
_remote: dict[str, Any] = {}


class SparkStartError(RuntimeError):
    """Spark cannot start; the message names what to install or to change."""


def configure_session(settings: Mapping[str, Any]) -> None:
    """Set the properties of the session that ``get_session`` will start.

    Args:
        settings: Spark properties, as in ``spark.yml``.
    """
    _settings.clear()
    # YAML's true becomes Python's True, which Spark does not understand.
    _settings.update(
        {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in settings.items()}
    )


def get_session() -> SparkSession:
    """The running session, or a new one with the configured settings.

    A session with a local master listens on the loopback interface unless the settings differ. Where the environment
    variable ``SPARK_REMOTE`` names a Spark Connect server, the session is one of that server.

    Returns:
        The session; the JVM starts with the first call.

    Raises:
        SparkStartError: where Java is missing or too old, the session does not start, or the server does not answer.
    """
    with _lock:
        if address := os.environ.get("SPARK_REMOTE"):
            return _remote_session(address)
        running = SparkSession.getActiveSession() or SparkSession._instantiatedSession
        if running is not None and running.sparkContext._jsc is not None:
            return running
        if _settings.get("spark.master") == "":
            raise SparkStartError(_NO_MASTER)
        check_java()
        _check_user_name()
        is_local = _settings.get("spark.master", "").startswith("local")
        settings = (_LOOPBACK if is_local else {}) | _settings
        builder = SparkSession.builder
        for key, value in settings.items():
            builder = builder.config(key, value)
        logger.info("Starting Spark (%s)", _settings.get("spark.master", "default settings"))
        with _own_environment(is_local):
            try:
                session = _with_known_functions(builder.getOrCreate())
            except Exception as error:
                raise SparkStartError(_why_not_started(error, settings)) from error
        if not is_local:
            _ship_package(session)
        return session


def engine(session: SparkSession) -> object:
    """What runs a session's queries: two sessions with the same one see the same dataframes and models."""
    return session if is_remote() else session.sparkContext


def _remote_session(address: str) -> SparkSession:
    """The session of a Spark Connect server, with the settings that a session may choose."""
    running = _remote.get(address)
    if running is not None and not running.is_stopped:
        return cast(SparkSession, running)
    server = _checked_server(address)
    logger.info("Connecting to Spark (%s)", server)
    builder = SparkSession.builder.remote(address)
    for key, value in _settings.items():
        if key.startswith("spark.sql."):
            builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
        _ship_package(session)
    except Exception as error:
        raise SparkStartError(f"There is no session of {server}: {java_cause(error).rstrip('.')}.") from error
    _remote[address] = session
    return session


def _checked_server(address: str) -> str:
    """The server, without what is secret in its address; it answers, which the client would try for minutes."""
    if find_spec("grpc") is None:
        raise SparkStartError(
            "SPARK_REMOTE needs the Python package grpcio: install it (the extra connect), or unset the variable."
        )
    place = urlsplit(address)
    server = f"{place.scheme}://{place.netloc}"
    if place.scheme != "sc" or not place.hostname:
        raise SparkStartError(
            f"SPARK_REMOTE must be the address of a server, such as sc://host:15002, not {address.partition(';')[0]}."
        )
    try:
        socket.create_connection((place.hostname, place.port or _CONNECT_PORT), _SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise SparkStartError(
            f"No Spark Connect server answers at {server} ({error.strerror or error}): check SPARK_REMOTE or unset it."
        ) from error
    return server


def _ship_package(session: SparkSession) -> None:
    """Send the code of this package to the executors, some of which run Python for simulations and networks."""
    package = Path(__file__).parents[1]
    folder = tempfile.mkdtemp(prefix=f"{package.name}-")
    # Executors fetch it for as long as there is a session.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    archive = Path(folder) / f"{package.name}.zip"
    with zipfile.ZipFile(archive, "w") as content:
        for path in sorted(package.rglob("*.py")):
            content.write(path, path.relative_to(package.parent))
    session.addArtifacts(str(archive), pyfile=True)


def _with_known_functions(session: SparkSession) -> SparkSession:
    """Look up the functions of columns once.

    For every call of one, PySpark asks Java whether there is such a class, and then for the function by its name: these
    two questions, to which the answers do not change, take twice as long as the call. Nothing public avoids them.
    """
    jvm: Any = session._jvm
    for name in ("functions", "PythonUtils"):
        setattr(jvm, name, getattr(jvm, name))
    look_up: Any = builtin._get_jvm_function
    builtin._get_jvm_function = look_up if hasattr(look_up, "cache_clear") else cache(look_up)
    return session


@contextmanager
def _own_environment(is_local: bool) -> Iterator[None]:
    """The environment that Java starts in; afterwards it is as before, but for the interpreter of Spark's workers."""
    before = {name: os.environ.get(name) for name in (*_OF_OTHERS, *_LOCAL_HOST, "LC_ALL")}
    if is_local:
        others = [name for name in _OF_OTHERS if os.environ.pop(name, sys.executable) != sys.executable]
        if others:
            logger.warning("Ignored with a local master: %s; the settings are in spark.yml", ", ".join(others))
        os.environ.update(_LOCAL_HOST)
    if locale.getencoding().lower() not in ("utf-8", "utf8"):
        # Java encodes the names of files as the locale says.
        os.environ["LC_ALL"] = "C.UTF-8"
    # Python workers must use the project's interpreter, not the first python3 on the PATH.
    interpreter = os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        yield
    finally:
        for name, value in (before | {"PYSPARK_PYTHON": interpreter}).items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _why_not_started(error: Exception, settings: Mapping[str, str]) -> str:
    """One sentence with Java's own cause, and what to do."""
    cause = java_cause(error)
    if "JAVA_GATEWAY_EXITED" in str(error):
        cause = _complaint_of_java(settings) or cause
    if "stopped SparkContext" in cause:
        cause = "no master answered"
    if "BindException" in str(error):
        return (
            "Spark did not start: a port set in spark.yml (spark.driver.port or spark.ui.port) is in use; "
            "set a free one in conf/local/spark.yml, or end the program that uses it."
        )
    return (
        f"Spark did not start at {settings.get('spark.master', 'its default master')}: {cause.rstrip('.')}. {_ADVICE}"
    )


def _complaint_of_java(settings: Mapping[str, str]) -> str | None:
    """What Java says when it ends at once: it is started again, because its first message went to the terminal."""
    conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
    with tempfile.TemporaryFile("w+") as messages:
        with suppress(Exception):
            launch: Any = launch_gateway  # has no types
            launch(conf, {"stderr": messages, "stdout": messages}).shutdown()
        messages.seek(0)
        lines = [line.strip() for line in messages if line.strip()]
    said = ("Caused by: ", 'Exception in thread "main" ')
    found = [line.removeprefix(start) for line in lines for start in said if line.startswith(start)]
    # A virtual machine that cannot start says why in its first line, and then that it could not.
    found = found or [line.removeprefix("Error: ") for line in lines if not line.startswith("Using Spark")][:1]
    return re.sub(r"^(?:[\w$]+\.)+[\w$]+(?:Exception|Error): ", "", found[-1]) if found else None


def _check_user_name() -> None:
    """Make sure that the user has a name.

    Raises:
        SparkStartError: where the user id is not known to the machine, as in many containers.
    """
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise SparkStartError(
            f"User id {os.geteuid()} has no name on this machine, and Spark needs one: add a line for it to "
            "/etc/passwd, or run the container as a user of its image."
        ) from None


def check_java() -> None:
    """Make sure that Java 17 or later is installed.

    Raises:
        SparkStartError: one sentence that says what to install.
    """
    advice = f"install a JDK or JRE {OLDEST_JAVA} or later and put it on the PATH or in JAVA_HOME."
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None or shutil.which(java) is None:
        where = f"in JAVA_HOME ({home})" if home else "on the PATH"
        raise SparkStartError(f"Spark needs Java, which was not found {where}: {advice}")
    try:
        banner = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise SparkStartError(f"Spark needs Java, and {java} cannot be executed ({error}): {advice}") from error
    found = re.search(r'version "(?:1\.)?(\d+)', banner.stderr + banner.stdout)
    if found is None:
        raise SparkStartError(f"'{java} -version' does not print a version: {advice}")
    if int(found[1]) < OLDEST_JAVA:
        raise SparkStartError(f"Spark needs Java {OLDEST_JAVA} or later, and {java} is Java {found[1]}: {advice}")
