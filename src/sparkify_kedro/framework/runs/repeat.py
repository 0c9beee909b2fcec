"""A run once more: the same nodes, parameters and inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog
from kedro.io.core import DatasetError

from .content import content_of
from .lineage import filesystem_of

RUN_SUMMARY = "run_summary"


def summary_of(run_id: str, catalog: DataCatalog) -> dict[str, Any]:
    """The summary of a run.

    Raises:
        ValueError: where the run has left none.
    """
    try:
        return catalog.load(RUN_SUMMARY, version=run_id)
    except DatasetError as error:
        raise ValueError(f"no run has left the summary '{run_id}': `kedro runs list` names those that have") from error


def repeat(run: Mapping[str, Any], context: KedroContext) -> str:
    """Run the nodes of a run again, with its parameters, on what it has read.

    Args:
        run: the run's summary.
        context: the project's, in the environment that the run was made in.

    Returns:
        The new run's id.

    Raises:
        ValueError: where the run failed, or what it has read is gone or has changed.
    """
    if not run["succeeded"]:
        raise ValueError(f"the run {run['run_id']} failed: only what came to its end can be repeated")
    _check_files(run, context.project_path, context.catalog)
    _check_versions(run, context.catalog)
    parameters = _what_differs(run["parameters"], context.config_loader["parameters"])
    with KedroSession.create(context.project_path, env=context.env, runtime_params=parameters) as session:
        session.run(
            pipeline_names=run["asked_for"].get("pipeline_names"),
            node_names=[node["node"] for node in run["nodes"]],
            load_versions=run["versions_read"],
        )
        return session.session_id


def _what_differs(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that were others than those configured now, nested."""
    found = {}
    for key, value in was.items():
        if isinstance(value, Mapping) and isinstance(now.get(key), Mapping):
            found |= {key: inner} if (inner := _what_differs(value, now[key])) else {}
        elif key not in now or value != now[key]:
            found[key] = value
    return found


def _check_files(run: Mapping[str, Any], project_path: Path, catalog: DataCatalog) -> None:
    for name, content in run["contents_read"].items():
        path = run["files_read"][name]
        local = str(project_path / path) if "://" not in path else path
        now = content_of(filesystem_of(catalog[name]), local)
        if now != content:
            what = "is gone" if now is None else "has changed"
            raise ValueError(f"{path}, which the run {run['run_id']} read as {name}, {what} since")


def _check_versions(run: Mapping[str, Any], catalog: DataCatalog) -> None:
    gone = [
        f"{name} ({version})"
        for name, version in run["versions_read"].items()
        if version not in catalog[name].list_versions(full_path=False)
    ]
    if gone:
        raise ValueError(f"the run {run['run_id']} read versions that are no longer kept: {', '.join(gone)}")
