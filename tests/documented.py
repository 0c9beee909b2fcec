"""The commands of a page, as a reader copies them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[1] / "docs"
BEGINNING = r"(?P<variables>(?:[A-Z_]+=\S+ )*)\.venv/bin/kedro run"


class Command(NamedTuple):
    """The words of a command after ``kedro run``, and the environment variables before it."""

    words: list[str]
    environment: dict[str, str]


def documented(page: str, containing: str) -> Command:
    """The first run in a page whose line contains a text."""
    lines = (DOCS / page).read_text().splitlines()
    line = next(line for line in lines if containing in line and re.match(BEGINNING, line))
    found = re.match(BEGINNING, line)
    assert found is not None
    environment = dict(word.split("=", 1) for word in shlex.split(found["variables"]))
    return Command(shlex.split(line[found.end() :], comments=True), environment)
