"""Texts for people, from templates: the report's page and the model cards."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from sparkify_kedro.churn.figure_style import interval, number, words
from sparkify_kedro.framework.runs.summary import RunSoFar


def render(package: str, template: str, **values: Any) -> str:
    """Fill a template that lies in the package's folder ``templates``.

    In HTML every value is escaped, unless the template itself says that it is HTML of ours.
    """
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=select_autoescape(("html.j2",)),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"words": words, "number": number, "interval": interval, "day": day, "sentence": sentence}
    return environment.get_template(template).render(**values)


def day(ts: int | None) -> str:
    """The day (UTC) of a moment in ms since the epoch."""
    return "unknown" if ts is None else datetime.fromtimestamp(ts / 1_000, tz=UTC).date().isoformat()


def sentence(text: str) -> str:
    """A text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def source_of(run_so_far: RunSoFar) -> str:
    """The file, folder or glob that the log was read from, by this run or by the one that made its events."""
    files = [run.files_read.get("raw_events") for run in (run_so_far, *run_so_far.earlier)]
    return next((path for path in files if path), "unknown, since the run that read it has left no summary")
