"""Compare two runs: parameters, inputs, software, and the results that both have written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kedro.io import DataCatalog
from kedro.io.core import DatasetError
from pydantic import BaseModel

from ..datasets import AtomicJSONDataset
from ..nested import Difference, differences
from .summary import RunSummary

# A model's own id is random, and these fields of a result only say which run wrote it.
_IGNORED = frozenset({"model", "run_id", "finished", "seconds"})
_LONGEST_VALUE = 60


class Comparison(NamedTuple):
    """Differences by path: the value in the first run and in the second.

    ``compared`` counts the results (JSON datasets, and row counts of tables) that both runs have written.
    """

    parameters: dict[str, Difference]
    inputs: dict[str, Difference]
    software: dict[str, Difference]
    results: dict[str, dict[str, Difference]]
    compared: int


def compare(one: RunSummary, other: RunSummary, catalog: DataCatalog) -> Comparison:
    """Compare two runs by their summaries and results.

    Args:
        one: a run's summary.
        other: another run's summary.
        catalog: where their results lie.

    Returns:
        The differences. Results are compared where both runs have written them and both versions still exist.
    """
    pairs = dict(_common_results(one, other, catalog))
    results = {name: dict(differences(*pair, ignore=_IGNORED)) for name, pair in pairs.items()}
    return Comparison(
        parameters=dict(differences(one.parameters, other.parameters)),
        inputs=dict(differences(_inputs(one), _inputs(other))),
        software=dict(differences(_software(one), _software(other))),
        results={name: found for name, found in results.items() if found},
        compared=len(pairs),
    )


def format_comparison(comparison: Comparison, at_most: int = 10) -> Iterator[str]:
    """The comparison as lines of text, with at most ``at_most`` results that differ."""
    for title in ("parameters", "inputs", "software"):
        found: dict[str, Difference] = getattr(comparison, title)
        yield f"{title}:{'' if found else ' the same'}"
        yield from (f"  {path}: {_short(was)} | {_short(now)}" for path, (was, now) in found.items())
    if not comparison.compared:
        yield "results: none that both runs have written"
        return
    differing = len(comparison.results)
    yield (
        f"results: {differing} of {comparison.compared} differ"
        if differing
        else f"results: all {comparison.compared} are the same"
    )
    for name, found in list(comparison.results.items())[:at_most]:
        path, (was, now) = next(iter(found.items()))
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        yield f"  {name}: {path}: {_short(was)} | {_short(now)}{more}"
    if differing > at_most:
        yield f"  and {differing - at_most} more"


def _common_results(one: RunSummary, other: RunSummary, catalog: DataCatalog) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for name in sorted(one.versions_written.keys() & other.versions_written.keys()):
        if isinstance(catalog.get(name), AtomicJSONDataset):
            versions = (one.versions_written[name], other.versions_written[name])
            try:
                yield name, (_as_json(catalog.load(name, versions[0])), _as_json(catalog.load(name, versions[1])))
            except DatasetError:  # at least one version is gone
                continue
    rows = [{name: n for node in run.nodes for name, n in node.rows_written.items()} for run in (one, other)]
    for name in sorted(rows[0].keys() & rows[1].keys()):
        yield f"rows of {name}", ({"rows": rows[0][name]}, {"rows": rows[1][name]})


def _as_json(data: Any) -> Any:
    return data.model_dump(mode="json") if isinstance(data, BaseModel) else data


def _inputs(run: RunSummary) -> dict[str, str | None]:
    """Files by content, since the same file may lie elsewhere."""
    return {**run.contents_read, **run.versions_read}


def _software(run: RunSummary) -> dict[str, Any]:
    commit, dirty = (run.git.commit, run.git.dirty) if run.git else (None, None)
    return {"commit": commit, "uncommitted changes": dirty, "python": run.python, **run.packages}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."
