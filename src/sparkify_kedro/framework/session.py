"""The one place a Spark session starts: late, and from ``conf/*/spark.yml``."""

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

# A session on this machine alone need not be reached from any other one.
_LOOPBACK = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}

_lock = threading.Lock()
_settings: dict[str, str] = {}


class SparkStartError(RuntimeError):
    """Spark cannot start; the message says what to install or to change."""


def configure_session(settings: Mapping[str, Any]) -> None:
    """Remember the settings of the session that ``get_session`` will start; starts nothing itself.

    Args:
        settings: Spark properties, as in ``spark.yml``.
    """
    _settings.clear()
    # YAML's true and false are Python's True and False, which Spark does not read.
    _settings.update(
        {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in settings.items()}
    )


def get_session() -> SparkSession:
    """The running session, or a new one with the configured settings.

    A session with a local master listens on the loopback interface, unless the settings say otherwise.

    Returns:
        The session. The JVM starts with the first call, never before.

    Raises:
        SparkStartError: where no Java, or one older than Spark needs, is found, or the session cannot be had.
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
        # Workers must be the interpreter that runs the project, whatever 'python3' is on the path.
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
                    "Spark did not start: a port that spark.yml names (spark.driver.port or spark.ui.port) is taken; "
                    "name a free one in conf/local/spark.yml, or end the program that has it."
                ) from error
            first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise SparkStartError(
                f"Spark did not start at {_settings.get('spark.master', 'its default master')}: {first_line} "
                "Look at the settings in conf/*/spark.yml."
            ) from error


def check_java() -> None:
    """Make sure that a Java of version 17 or later is there.

    Raises:
        SparkStartError: one sentence that says what to install.
    """
    advice = f"install a JDK or JRE {OLDEST_JAVA} or later and put it on the PATH or in JAVA_HOME."
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None or shutil.which(java) is None:
        where = f"in JAVA_HOME ({home})" if home else "on the PATH"
        raise SparkStartError(f"Spark needs Java, and there is none {where}: {advice}")
    try:
        banner = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise SparkStartError(f"Spark needs Java, and {java} is not a program ({error}): {advice}") from error
    found = re.search(r'version "(?:1\.)?(\d+)', banner.stderr + banner.stdout)
    if found is None:
        raise SparkStartError(f"'{java} -version' does not say which Java it is: {advice}")
    if int(found[1]) < OLDEST_JAVA:
        raise SparkStartError(f"Spark needs Java {OLDEST_JAVA} or later, and {java} is Java {found[1]}: {advice}")
