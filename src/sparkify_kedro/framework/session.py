"""The Spark session of the project: started late, with the settings of ``conf/*/spark.yml``."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

OLDEST_JAVA = 17

# A session with a local master need not be reachable from other machines.
_LOOPBACK = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}

_lock = threading.Lock()
_settings: dict[str, str] = {}


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

    A session with a local master listens on the loopback interface unless the settings differ.

    Returns:
        The session; the JVM starts with the first call.

    Raises:
        SparkStartError: where Java is missing or too old, or the session does not start.
    """
    with _lock:
        running = SparkSession.getActiveSession() or SparkSession._instantiatedSession
        if running is not None and running.sparkContext._jsc is not None:
            return running
        if os.environ.get("SPARK_REMOTE"):
            raise SparkStartError(
                "SPARK_REMOTE is set, but models are trained in a classic Spark session: unset it and name the cluster "
                "in spark.yml (spark.master), as conf/cluster does."
            )
        check_java()
        # Python workers must use the project's interpreter, not the first python3 on the PATH.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder
        is_local = _settings.get("spark.master", "").startswith("local")
        for key, value in ((_LOOPBACK if is_local else {}) | _settings).items():
            builder = builder.config(key, value)
        logger.info("Starting Spark (%s)", _settings.get("spark.master", "default settings"))
        try:
            return builder.getOrCreate()
        except Exception as error:
            if "BindException" in str(error):
                raise SparkStartError(
                    "Spark did not start: a port set in spark.yml (spark.driver.port or spark.ui.port) is in use; "
                    "set a free one in conf/local/spark.yml, or end the program that uses it."
                ) from error
            first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise SparkStartError(
                f"Spark did not start at {_settings.get('spark.master', 'its default master')}: {first_line} "
                "Check the settings in conf/*/spark.yml."
            ) from error


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
