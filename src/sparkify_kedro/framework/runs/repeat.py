"""Repeat a run: the same nodes, parameters and inputs."""

from __future__ import annotations

from pathlib import Path

from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog
from kedro.io.core import DatasetError
from pydantic import ValidationError

from ..nested import changed_leaves
from .fingerprint import content_fingerprint
from .retention import RUN_SUMMARY
from .summary import RunSummary
from .versions import catalog_of, filesystem_of, versioned


def load_summary(run_id: str, catalog: DataCatalog) -> RunSummary:
    """The summary of a run, by its id or from a file that holds it, such as the manifest of a tracked run.

    Raises:
        ValueError: where the run has left none, or the file is no summary.
    """
    if run_id.endswith(".json"):
        return _from_file(Path(run_id))
    try:
        summary: RunSummary = catalog.load(RUN_SUMMARY, version=run_id)
    except DatasetError as error:
        raise ValueError(f"there is no summary of a run '{run_id}': `kedro runs list` lists the runs") from error
    return summary


def _from_file(path: Path) -> RunSummary:
    try:
        return RunSummary.model_validate_json(path.read_text())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ValueError(
            f"{path} is not the summary of a run: {error.error_count()} fields are missing or wrong"
        ) from error


def repeat(run: RunSummary, context: KedroContext) -> str:
    """Run the nodes of a run again, with its parameters, on its inputs.

    Args:
        run: the run's summary.
        context: the project's context in the environment of the run.

    Returns:
        The id of the new run.

    Raises:
        ValueError: where the run failed, or one of its inputs is gone or has changed.
    """
    if not run.succeeded:
        raise ValueError(f"the run {run.run_id} failed: only a successful run can be repeated")
    catalog = catalog_of(context)
    _check_files(run, context.project_path, catalog)
    _check_versions(run, catalog)
    parameters = changed_leaves(run.parameters, context.config_loader["parameters"])
    session = KedroSession.create(context.project_path, env=context.env, runtime_params=parameters)
    with session:
        session.run(
            pipeline_names=run.asked_for.get("pipeline_names"),
            node_names=[node.node for node in run.nodes],
            load_versions=run.versions_read,
        )
    return session.session_id


def _check_files(run: RunSummary, project_path: Path, catalog: DataCatalog) -> None:
    for name, content in run.contents_read.items():
        path = run.files_read[name]
        local = str(project_path / path) if "://" not in path else path
        present = content_fingerprint(filesystem_of(catalog[name]), local)
        if present != content:
            change = "no longer exists" if present is None else "has changed since"
            raise ValueError(f"{path}, which the run {run.run_id} read as {name}, {change}")


def _check_versions(run: RunSummary, catalog: DataCatalog) -> None:
    inputs = versioned(catalog, run.versions_read)
    gone = [
        f"{name} ({version})"
        for name, version in run.versions_read.items()
        if version not in inputs[name].list_versions(full_path=False)
    ]
    if gone:
        raise ValueError(f"the run {run.run_id} read versions that no longer exist: {', '.join(gone)}")
