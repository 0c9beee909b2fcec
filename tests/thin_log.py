"""The bundled log with fewer songs, for tests that run all pipelines."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_BUNDLED_LOG = Path(__file__).parents[1] / "data/01_raw/sample_events.json.gz"


def thin_lines() -> list[dict[str, Any]]:
    """The bundled log with every fifth song: reading songs takes most of the time, and no test needs all."""
    lines = map(json.loads, gzip.decompress(_BUNDLED_LOG.read_bytes()).splitlines())
    return [line for line in lines if line["page"] != "NextSong" or line["itemInSession"] % 5 == 0]


def is_scored_later(line: dict[str, Any]) -> bool:
    """Whether a line is of the third of the users that no model is trained on."""
    return bool(line["userId"]) and int(line["userId"]) % 3 == 1


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Write lines of a log, compressed with gzip."""
    path.write_bytes(gzip.compress("".join(f"{json.dumps(line)}\n" for line in lines).encode(), compresslevel=1))
