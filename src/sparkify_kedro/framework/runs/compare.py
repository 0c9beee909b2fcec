"""What two runs have in common, and where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kedro.io import DataCatalog
from kedro.io.core import DatasetError

from sparkify_kedro.framework.datasets import AtomicJSONDataset

# A model's own id is drawn anew with every fit; which run made it, is no finding.
_OF_THE_RUN_ITSELF = {"model", "run_id", "finished", "seconds"}


class Comparison(NamedTuple):
    """Differences by what differs: per name, what it is in the one run and in the other.

    ``compared`` counts the findings (JSON datasets, and rows of tables) that both runs have made.
    """

    parameters: dict[str, tuple[Any, Any]]
    inputs: dict[str, tuple[Any, Any]]
    software: dict[str, tuple[Any, Any]]
    findings: dict[str, dict[str, tuple[Any, Any]]]
    compared: int


def compare(one: Mapping[str, Any], other: Mapping[str, Any], catalog: DataCatalog) -> Comparison:
    """Compare two runs by their summaries and by what they found.

    Args:
        one: a run's summary.
        other: another run's.
        catalog: where what they have written lies.

    Returns:
        The differences. Findings are looked at where both runs have made them and they are still kept.
    """
    found_by_both = dict(_found_by_both(one, other, catalog))
    findings = {name: dict(_leaves_that_differ(*pair)) for name, pair in found_by_both.items()}
    return Comparison(
        parameters=dict(_leaves_that_differ(one["parameters"], other["parameters"])),
        inputs=dict(_leaves_that_differ(_read(one), _read(other))),
        software=dict(_leaves_that_differ(_software(one), _software(other))),
        findings={name: differences for name, differences in findings.items() if differences},
        compared=len(found_by_both),
    )


def tell(comparison: Comparison, at_most: int = 10) -> Iterator[str]:
    """The comparison in lines of text; of findings that differ, ``at_most`` are told."""
    for title in ("parameters", "inputs", "software"):
        differences = getattr(comparison, title)
        yield f"{title}: {'the same' if not differences else ''}".rstrip()
        yield from (f"  {name}: {_shown(was)} | {_shown(now)}" for name, (was, now) in differences.items())
    if not comparison.compared:
        yield "findings: none that both runs have made"
        return
    differing = len(comparison.findings)
    yield (
        f"findings: {differing} of {comparison.compared} differ"
        if differing
        else (f"findings: all {comparison.compared} are the same")
    )
    for name, differences in list(comparison.findings.items())[:at_most]:
        first, (was, now) = next(iter(differences.items()))
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        yield f"  {name}: {first}: {_shown(was)} | {_shown(now)}{more}"
    if differing > at_most:
        yield f"  and {differing - at_most} more"


def _found_by_both(
    one: Mapping[str, Any], other: Mapping[str, Any], catalog: DataCatalog
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    written = (one["versions_written"], other["versions_written"])
    for name in sorted(written[0].keys() & written[1].keys()):
        if isinstance(catalog.get(name), AtomicJSONDataset):
            try:
                yield name, (catalog.load(name, version=written[0][name]), catalog.load(name, version=written[1][name]))
            except DatasetError:
                continue
    rows = [
        {name: count for node in run["nodes"] for name, count in node["rows_written"].items()} for run in (one, other)
    ]
    for name in sorted(rows[0].keys() & rows[1].keys()):
        yield f"rows of {name}", ({"rows": rows[0][name]}, {"rows": rows[1][name]})


def _read(run: Mapping[str, Any]) -> dict[str, Any]:
    """By content: the same log may lie elsewhere."""
    return {**run["contents_read"], **run["versions_read"]}


def _software(run: Mapping[str, Any]) -> dict[str, Any]:
    git = run["git"] or {}
    return {"commit": git.get("commit"), "uncommitted changes": git.get("dirty"), "python": run["python"]} | dict(
        run["packages"]
    )


def _leaves_that_differ(one: Any, other: Any, at: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in [*one, *(key for key in other if key not in one)]:
            if key not in _OF_THE_RUN_ITSELF:
                yield from _leaves_that_differ(one.get(key), other.get(key), f"{at}.{key}" if at else str(key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, pair in enumerate(zip(one, other, strict=True)):
            yield from _leaves_that_differ(*pair, f"{at}[{place}]")
    elif one != other:
        yield at, (one, other)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
