"""What logs 10, 100 and 10,000 times as large would take: ``make benchmark-larger-logs``.

Of the two largest logs that ``make benchmark-scale`` has measured, the difference gives what a further event costs, and
the rest is fixed. The table goes to ``docs/deployment/larger-logs.md``.
"""

from __future__ import annotations

import json
import sys
from typing import Any, NamedTuple

from project_copy import PROJECT
from scale import BEGIN, FEATURES, REST, RESULTS

PAGE = PROJECT / "docs/deployment/larger-logs.md"
FACTORS = (1, 10, 100, 10_000)
DOLLARS_PER_CORE_HOUR = 0.05
# The rows of a search: those to train on per user of the bundled log, with all features and on two executors.
ROWS_PER_USER, FEATURES_OF_A_ROW, COPIES, BYTES_OF_A_NUMBER = 1.3, 91, 2, 8


class Line(NamedTuple):
    """What a stage takes: fixed, and per event."""

    fixed: float
    per_event: float

    def at(self, events: float) -> float:
        """For a log of so many events."""
        return self.fixed + self.per_event * events


def line_of(smaller: dict[str, Any], larger: dict[str, Any], stage: str, name: str) -> Line:
    """Through both measurements of a figure; nothing has a negative fixed part."""
    (x, y), (more_x, more_y) = ((each["log"]["events"], each["taken"][stage][name]) for each in (smaller, larger))
    per_event = (more_y - y) / (more_x - x)
    return Line(max(0.0, y - per_event * x), per_event)


def rounded(number: float, unit: str = "") -> str:
    """Two digits: more would be invented."""
    of_two = float(f"{number:.2g}")
    digits = f"{of_two:,.0f}" if of_two >= 10 else f"{of_two:g}"
    return f"{digits} {unit}".strip()


def in_bytes(number: float) -> str:
    """With a unit that leaves one to three digits before the point."""
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9)):
        if number >= size:
            return rounded(number / size, unit)
    return rounded(number / 1e6, "MB")


def rows_of(users: int, smaller: dict[str, Any], larger: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The lines of the table: what they show, for each factor."""
    events = [larger["log"]["events"] * factor for factor in FACTORS]
    people = [users * factor for factor in FACTORS]
    table = [
        ("users", [rounded(each) for each in people]),
        ("events, millions", [rounded(each / 1e6) for each in events]),
        ("log, JSON", [in_bytes(larger["log"]["bytes"] * factor) for factor in FACTORS]),
    ]
    for stage in (FEATURES, REST):
        cost, shuffled, written = (
            line_of(smaller, larger, stage, name) for name in ("cpu_seconds", "bytes_shuffled", "bytes_written")
        )
        hours = [cost.at(each) / 3600 for each in events]
        table += [
            (f"{stage}: core-hours", [rounded(each) for each in hours]),
            (f"{stage}: shuffled", [in_bytes(shuffled.at(each)) for each in events]),
            (f"{stage}: written", [in_bytes(written.at(each)) for each in events]),
        ]
    spent = [
        sum(line_of(smaller, larger, stage, "cpu_seconds").at(each) for stage in (FEATURES, REST)) / 3600
        for each in events
    ]
    day = line_of(smaller, larger, FEATURES, "largest_task_bytes")
    held = ROWS_PER_USER * FEATURES_OF_A_ROW * COPIES * BYTES_OF_A_NUMBER
    return [
        *table,
        ("both: dollars", [rounded(each * DOLLARS_PER_CORE_HOUR) for each in spent]),
        ("memory of the largest task, to sort without spilling", [in_bytes(day.at(each)) for each in events]),
        ("rows of one search in memory", [in_bytes(held * each) for each in people]),
    ]


def main() -> None:
    """Write the table."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    sizes = sorted((int(users) for users, found in results.items() if REST in found["taken"]), reverse=True)[:2]
    if len(sizes) < 2:
        sys.exit("Two logs must have been measured: make benchmark-scale.")
    users, fewer = sizes
    lines = rows_of(users, results[str(fewer)], results[str(users)])
    head = [f"| | {' | '.join(f'{factor:,} x' for factor in FACTORS)} |", "|" + "---|" * (len(FACTORS) + 1)]
    table = "\n".join([*head, *(f"| {name} | {' | '.join(cells)} |" for name, cells in lines)])
    before, _, after = PAGE.read_text().partition(BEGIN)
    _, end, rest = after.partition("<!-- end -->")
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{end}{rest}")


if __name__ == "__main__":
    main()
