"""Unknown parameters, unusable paths and missing versions are refused before anything runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from kedro.validation.exceptions import ParameterValidationError

from sparkify_kedro.framework.hooks import inputs
from sparkify_kedro.framework.hooks.inputs import MissingVersionsError
from sparkify_kedro.framework.registry import makers_of


def run(project: Path, pipeline: str, env: str | None = None, **parameters: Any) -> None:
    with KedroSession.create(project_path=project, env=env, runtime_params=parameters) as session:
        session.run(pipeline_names=[pipeline])


def test_an_unknown_parameter_and_a_missing_version_are_refused(project: Path) -> None:
    with pytest.raises(ParameterValidationError, match="ingestio is not a known parameter: did you mean 'ingestion'"):
        run(project, "ingestion", ingestio={"latest": "2030-01-01"})
    with pytest.raises(MissingVersionsError, match="no complete version of typed_user_time_bins yet"):
        run(project, "sampling")
    assert not (project / "data").exists()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("simulated_events", "data/../../elsewhere"),
        ("raw_events", "../log.json"),
        ("own.{name}", "data/{name}/../../x"),
    ],
)
def test_a_path_with_parent_folders_is_refused(project: Path, name: str, path: str) -> None:
    """Of a parameter, or of a catalog."""
    parameters = {} if name.startswith("own") else {name: path}
    if not parameters:
        entry = f"'{name}':\n  type: text.TextDataset\n  filepath: '{path}'\n"
        (project / "conf/local/catalog_own.yml").write_text(entry)
    with pytest.raises(ValueError, match=re.escape(f"the path of {name} contains '..' (")):
        run(project, "ingestion", **parameters)


def test_storage_on_s3_is_refused_without_its_libraries(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment ``cluster`` takes any URL; hadoop-aws is not on the package index."""
    monkeypatch.setenv("SPARKIFY_STORAGE", "s3a://bucket/sparkify")
    monkeypatch.setenv("SPARK_MASTER", "local[1]")
    with pytest.raises(ValueError, match=r"is on S3, for which Spark needs hadoop-aws: name it in spark.jars.packages"):
        run(project, "ingestion", env="cluster")
    monkeypatch.setattr(inputs, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"\(s3a://bucket/\S+\) is on S3, which needs the Python package s3fs"):
        run(project, "ingestion", env="cluster")
    assert not (project / "data").exists()


def test_only_this_machines_spark_needs_a_library_for_s3(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither do single files, which Spark does not read, nor does a server of Spark Connect, which has its own."""
    entry = "own:\n  type: sparkify_kedro.framework.datasets.{}\n  filepath: s3://bucket/file.json\n"
    catalog = project / "conf/local/catalog_own.yml"
    catalog.write_text(entry.format("AtomicJSONDataset"))
    with pytest.raises(MissingVersionsError):
        run(project, "sampling")
    catalog.write_text(entry.format("JSONLinesDataset"))
    with pytest.raises(ValueError, match="for which Spark needs hadoop-aws"):
        run(project, "sampling")
    monkeypatch.setenv("SPARK_REMOTE", "sc://127.0.0.1")
    with pytest.raises(MissingVersionsError):
        run(project, "sampling")


@pytest.mark.parametrize(
    ("datasets", "requested", "expected"),
    [
        (
            ["log_span", "events"],
            {},
            "There is no complete version of events, log_span yet: create it first, with kedro run "
            "--pipelines=ingestion.",
        ),
        (
            ["will_churn_soon.champion"],
            {},
            "of will_churn_soon.champion yet: create it first, with kedro run --pipelines=modeling.",
        ),
        (["banana"], {}, "There is no complete version of banana yet: create it first, with the node that makes it."),
        (
            ["events", "log_span"],
            {"events": "v1"},
            "There is no complete version 'v1' of events: check --load-versions.",
        ),
    ],
)
def test_missing_versions_come_with_the_pipeline_that_makes_them(
    datasets: list[str], requested: dict[str, str], expected: str
) -> None:
    assert expected in str(MissingVersionsError(datasets, requested, makers_of(datasets)))
