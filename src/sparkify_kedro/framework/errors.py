"""From an exception to one sentence: what is wrong, with which file, key or name, and what to do."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from kedro.framework.project import pipelines
from kedro.io.core import is_parameter
from kedro.pipeline import Pipeline
from kedro.validation.exceptions import DataValidationError

from sparkify_kedro.framework.parameters import did_you_mean

# Longer messages are other people's, and their beginning says it.
_LONGEST = 600
_FULL = "No space left on device"
_CLOSED = ("Permission denied", "Read-only file system", "Mkdirs failed to create")
_BY_NUMBER = {errno.ENOSPC: _FULL, errno.EACCES: _CLOSED[0], errno.EPERM: _CLOSED[0], errno.EROFS: _CLOSED[1]}
# How Kedro shows a dataset that could not be read or written; and Spark, files.
_DATASET = re.compile(r"dataset [\w.]+\(filepath=(?:\w+\()?'(?:file://)?(?P<path>[^']+)'.*?\)\.?(?=\n|$)", re.DOTALL)
_PLACES = (
    re.compile(r"Failed while saving data to dataset [\w.]+\(filepath=(?:\w+\()?'(?:file://)?([^']+)'"),
    re.compile(r"Task failed while writing rows to (?:file:)?(\S+?)\.?\s"),
    re.compile(r"Mkdirs failed to create (?:file:)?(\S+)"),
    re.compile(r"(/[^\s:()]+) \((?:No space left|Permission denied|Read-only)"),
)
_DAMAGES = {
    "not a gzip file": "is not compressed by gzip, as its name says: compress it, or give it a name that fits",
    "not in the BZip2 format": "is not compressed by bzip2, as its name says: compress it, or give it a name that fits",
    "Stream is not BZip2 formatted": "is not compressed by bzip2, as its name says: compress it, or rename it",
    "Checksum": "is damaged or was changed, since its checksum (the .crc file beside it) is another one: copy it "
    "again, or delete the .crc file if the change was meant",
    "Unexpected end": "is cut off: copy or compress it again",
    "EOFException": "is cut off: copy or compress it again",
}


class MissingVersions(LookupError):
    """A run would read what is not there.

    Args:
        datasets: the datasets without a complete version, or without the one that was asked for.
        asked_for: the versions that were asked for, by dataset.
    """

    def __init__(self, datasets: Iterable[str], asked_for: dict[str, str] | None = None) -> None:
        """The message is the sentence."""
        super().__init__(_missing(list(datasets), asked_for or {}))


def sentence_of(error: BaseException) -> str:
    """One sentence on an error: what it is about, and what to do where that is known.

    Causes are looked at as well, since what Kedro and Spark wrap around them says less.
    """
    errors = list(_with_causes(error))
    text = "\n".join(_words(one) for one in errors)
    found = (
        _damaged_file(text)
        or _place_that_cannot_be_written(errors, text)
        or _lost_version(text)
        or _unset_variable(text)
        or _unknown_selection(text)
        or _one_line(error)
    )
    notes = getattr(error, "__notes__", ())
    return f"{found.rstrip('.')} ({'; '.join(notes)})." if notes else found


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def _words(error: BaseException) -> str:
    # Spark's own exceptions keep what Java says of the cause beside the message.
    return f"{error}\n{getattr(error, '_cause', None) or ''}"


def _damaged_file(text: str) -> str | None:
    found = re.search(r"\[FAILED_READ_FILE[^\]]*\] Encountered error while reading file (?:file://)?(\S+?)\.\s", text)
    if found is None:
        return None
    return f"{found[1]} {next((told for sign, told in _DAMAGES.items() if sign in text), 'cannot be read')}."


def _place_that_cannot_be_written(errors: Iterable[BaseException], text: str) -> str | None:
    failed = [(one, _BY_NUMBER[one.errno]) for one in errors if isinstance(one, OSError) and one.errno in _BY_NUMBER]
    signs = [sign for _, sign in failed] + [sign for sign in (_FULL, *_CLOSED) if sign in text]
    if not signs:
        return None
    names = [str(one.filename) for one, _ in failed if one.filename]
    places = chain(names, (found[1] for pattern in _PLACES if (found := pattern.search(text))))
    place = next(places, "the place to write to")
    if signs[0] == _FULL:
        return f"No space is left on the device of {place}: free some, or name another place (storage in globals.yml)."
    return f"{place} cannot be written: it is read-only, or belongs to somebody else."


def _lost_version(text: str) -> str | None:
    found = re.search(r"(?:^|\n)([\w.]+): Did not find any versions for", text)
    return _missing([found[1]], {}) if found else None


def _missing(datasets: list[str], asked_for: dict[str, str]) -> str:
    named = [name for name in datasets if name in asked_for]
    if named:
        versions = ", ".join(f"'{asked_for[name]}' of {name}" for name in named)
        return f"There is no complete version {versions}: look at --load-versions."
    labels = {name.partition(".")[0] for name in datasets if name.endswith((".champion", ".champion_metadata"))}
    if labels:
        return f"There is no champion of {_listed(labels)} yet: train first, with kedro run."
    makers = {maker for name in datasets if (maker := _maker(name))}
    advice = f"make it first, with kedro run --pipelines={','.join(sorted(makers))}" if makers else "make it first"
    return f"There is no complete version of {_listed(datasets)} yet: {advice}."


def _maker(dataset: str) -> str | None:
    """The pipeline that makes a dataset."""
    registered = _registered()
    return next((n for n, one in registered.items() if n != "__default__" and dataset in one.all_outputs()), None)


def _unset_variable(text: str) -> str | None:
    found = re.search(r"Environment variable '(\w+)' not found", text)
    return found and f"The environment variable {found[1]}, which this configuration needs, is not set."


def _unknown_selection(text: str) -> str | None:
    """What Kedro does not know of a command line, with what is like it."""
    if found := re.search(r"Failed to find the pipeline named '([^']*)'", text):
        return f"There is no pipeline '{found[1]}': {did_you_mean(found[1], _registered())}"
    everything = sum(_registered().values(), Pipeline([]))
    for pattern, kind, known in (
        (r"does not contain nodes named (\[[^\]]*\])", "node", {node.name for node in everything.nodes}),
        (r"nodes with the following namespaces: (\[[^\]]*\])", "namespace", _namespaces(everything)),
        (
            r"does not contain datasets named (\[[^\]]*\])",
            "dataset",
            {name for name in everything.datasets() if not is_parameter(name)},
        ),
    ):
        if found := re.search(pattern, text):
            names = re.findall(r"'([^']*)'", found[1])
            return " ".join(f"There is no {kind} '{name}': {did_you_mean(name, known)}" for name in names)
    return None


def unknown_tags(tags: Iterable[str]) -> str | None:
    """A sentence on tags that no node has; None where there are none such.

    To Kedro, a tag that nothing has is a selection of no nodes.
    """
    known = {tag for one in _registered().values() for node in one.nodes for tag in node.tags}
    told = [f"There is no tag '{tag}': {did_you_mean(tag, known)}" for tag in tags if tag not in known]
    return " ".join(told) or None


def _namespaces(pipeline: Pipeline) -> set[str]:
    spaces = [node.namespace.split(".") for node in pipeline.nodes if node.namespace]
    return {".".join(parts[:depth]) for parts in spaces for depth in range(1, len(parts) + 1)}


def _registered() -> dict[str, Pipeline]:
    # A run has Kedro look only at the pipelines that it asks for.
    pipelines.set_requested(None)
    return dict(pipelines)


def _one_line(error: BaseException) -> str:
    """The error's own words, without stacks and without Kedro's way to show a dataset."""
    if isinstance(error, DataValidationError):
        return f"{error.dataset_name}: {error.message}"
    text = str(error).strip()
    if text.startswith("Parameter validation failed:"):
        return "; ".join(line.removeprefix("- ") for line in text.splitlines()[1:])
    before, _, stack = _DATASET.sub(r"\g<path>:", text).partition("Traceback (most recent call last):")
    lines = [line.strip() for line in before.splitlines()]
    # Java's stacks are not introduced, and Python's end with the error itself.
    ends = next((place for place, line in enumerate(lines) if line.startswith("at ")), len(lines))
    last = [line for line in stack.strip().splitlines() if line.strip()][-1:]
    told = " ".join(line for line in [*lines[:ends], *last] if line)
    return (told if len(told) <= _LONGEST else f"{told[:_LONGEST]} …") or type(error).__name__


def _listed(names: Iterable[str]) -> str:
    *first, last = sorted(names)
    return f"{', '.join(first)} and {last}" if first else last
