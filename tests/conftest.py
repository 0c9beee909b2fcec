"""One small Spark session for all tests, from the builder that runs use."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from kedro.framework.startup import bootstrap_project
from pyspark.sql import SparkSession

from sparkify_kedro.framework.session import configure_session, get_session

PROJECT = Path(__file__).parents[1]
# More random examples, with pytest's --hypothesis-profile: see spark_examples.py.
settings.register_profile("thorough")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start Spark, or whole commands, so that ``make check`` can leave them out."""
    for item in items:
        if "spark" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.spark)
        if "end_to_end" in item.path.parts or item.path.name in ("test_cli.py", "test_server.py"):
            item.add_marker(pytest.mark.end_to_end)


@pytest.fixture(scope="session", autouse=True)
def _bootstrapped() -> None:
    """The project's source folder is known to this process and to Spark's workers, as in ``kedro run``."""
    bootstrap_project(PROJECT)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """The session of ``conf/base/spark.yml`` in what matters, with less of everything."""
    configure_session(
        {
            "spark.app.name": "sparkify-churn-tests",
            "spark.master": "local[2]",
            "spark.driver.memory": "1g",
            # Sessions of minutes on two cores: the second compiler would take more time than it saves. Without it, Java
            # reserves too little memory for compiled code, and stops compiling when that is full. The large young
            # generation halves the number of collections.
            "spark.driver.extraJavaOptions": (
                "-XX:+UseSerialGC -Xms1g -Xmn450m -XX:MetaspaceSize=300m "
                "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m"
            ),
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": 2,
            # Planning a query again after each shuffle pays on large tables. The commands of make test-faults have it.
            "spark.sql.adaptive.enabled": False,
            "spark.python.sql.dataFrameDebugging.enabled": False,
            "spark.ui.enabled": False,
            "spark.ui.showConsoleProgress": False,
            "spark.log.level": "ERROR",
        }
    )
    session = get_session()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def copy_project() -> Callable[[Path], Path]:
    """Copy the project, without data, into an empty folder."""

    def copy(folder: Path) -> Path:
        for name in ("conf", "src", "pyproject.toml", ".telemetry"):
            source = PROJECT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
        return folder

    return copy


@pytest.fixture
def project(tmp_path: Path, copy_project: Callable[[Path], Path]) -> Path:
    """A copy of the project without data, to run in."""
    folder = tmp_path / "project"
    folder.mkdir()
    return copy_project(folder)
