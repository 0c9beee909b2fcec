"""Render the report and the model cards from templates."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from sparkify_kedro.framework.runs.summary import RunSoFar

from .figure_style import interval, number, words
from .vocabulary import day_of


def render(package: str, template: str, **values: Any) -> str:
    """Render a template from the package's folder ``templates``.

    In HTML every value is escaped, unless the template marks it as safe.
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
    """The day (UTC) of a time in ms since the epoch."""
    return "unknown" if ts is None else day_of(ts).isoformat()


def sentence(text: str) -> str:
    """A text with a capital first letter."""
    return text[:1].upper() + text[1:]


def source_of(run_so_far: RunSoFar) -> str:
    """The path of the log, which this run read or the run that made its events."""
    paths = [run.files_read.get("raw_events") for run in (run_so_far, *run_so_far.earlier)]
    return next((path for path in paths if path), "unknown (the run that read it has left no summary)")
