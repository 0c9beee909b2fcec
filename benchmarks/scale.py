"""Time and memory against the size of a log: ``make benchmark-scale``.

For each number of users a log is simulated, as plain JSON lines. Each stage then runs in a process of its own with a
cold session, in a copy of the project, and so do the yardsticks on the same files: DuckDB and plain Spark from JSON to
one aggregation, and the original's recipe. A figure is the median of the rounds, in which all take turns; models are
trained once. Results are added to those of earlier calls in ``build/scale.json``; the table in ``docs/scale.md`` and
the figure are of all.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from playwright.sync_api import sync_playwright
from plotly.subplots import make_subplots

from processes import Cost, cost
from project_copy import KEDRO, PROJECT, copy_of_project

RESULTS = PROJECT / "build/scale.json"
PAGE, PICTURE = PROJECT / "docs/scale.md", PROJECT / "docs/images/scale.png"
LOG = "data/01_raw/log"
EVENT_LOG = """\
spark.eventLog.enabled: true
spark.eventLog.dir: {folder}
spark.eventLog.rolling.enabled: false
spark.eventLog.compress: false
"""
FEATURES, REST = "log to features", "features to champions and report"
STAGES = {
    FEATURES: ["--pipelines=ingestion,feature_engineering", f"--params=raw_events={LOG}"],
    REST: ["--pipelines=user_types,sampling,modeling,scoring,reporting"],
}
DUCKDB, SPARK, ORIGINAL = "DuckDB: original's features", "plain Spark: one aggregation", "original's recipe"
COLORS = {FEATURES: "#1f77b4", REST: "#17becf", DUCKDB: "#ff7f0e", SPARK: "#7f7f7f", ORIGINAL: "#d62728"}
BEGIN = "<!-- measured -->"


def yardsticks(with_original: bool) -> dict[str, list[str]]:
    """The commands to compare with."""
    here = PROJECT / "benchmarks"
    commands = {
        DUCKDB: [sys.executable, str(here / "duckdb_features.py"), f"{LOG}/part-*", "duckdb.parquet"],
        SPARK: [sys.executable, str(here / "session_floor.py"), LOG],
    }
    if with_original:
        commands[ORIGINAL] = [sys.executable, str(here / "original_features.py"), LOG, "original_features"]
    return commands


def bytes_in(folder: Path) -> int:
    """The size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def decompress(folder: Path) -> None:
    """Make plain JSON lines, as the public log is, of the compressed parts of a folder."""

    def one(part: Path) -> None:
        with gzip.open(part) as compressed, part.with_suffix("").open("wb") as plain:
            shutil.copyfileobj(compressed, plain, 1 << 20)
        part.unlink()

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(one, folder.glob("part-*.gz")))


def asked_of_spark(event_logs: Path) -> dict[str, int]:
    """What the application of the only event log has run, shuffled and spilled, and the memory of its largest task."""
    (file,) = (path for path in event_logs.iterdir() if not path.name.startswith("."))
    found = dict.fromkeys(("jobs", "tasks", "bytes_shuffled", "bytes_spilled", "largest_task_bytes"), 0)
    with file.open() as lines:
        for event in map(json.loads, lines):
            found["jobs"] += event["Event"] == "SparkListenerJobStart"
            if event["Event"] == "SparkListenerTaskEnd":
                metrics = event["Task Metrics"]
                found["tasks"] += 1
                found["bytes_shuffled"] += metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]
                found["bytes_spilled"] += metrics["Disk Bytes Spilled"]
                found["largest_task_bytes"] = max(found["largest_task_bytes"], metrics["Peak Execution Memory"])
    return found


def measured(stage: str, folder: Path) -> dict[str, Any]:
    """What a stage takes, writes, and asks Spark to do."""
    event_logs = folder / "event_logs"
    shutil.rmtree(event_logs, ignore_errors=True)
    event_logs.mkdir()
    (folder / "conf/local/spark.yml").write_text(EVENT_LOG.format(folder=event_logs))
    before = bytes_in(folder / "data")
    found = as_fields(cost([*KEDRO, "run", *STAGES[stage]], folder))
    found["bytes_written"] = bytes_in(folder / "data") - before
    return found | asked_of_spark(event_logs)


def as_fields(taken: Cost) -> dict[str, Any]:
    """By name, to be stored."""
    return dict(taken._asdict())


def measure(users: int, rounds: int, with_original: bool, with_rest: bool) -> dict[str, Any]:
    """All figures for a log of so many users."""
    with tempfile.TemporaryDirectory() as name:
        folder = copy_of_project(Path(name))
        simulate = f"simulation.users={users},simulated_events={LOG}"
        simulation = as_fields(cost([*KEDRO, "run", "--pipelines=simulation", f"--params={simulate}"], folder))
        decompress(folder / LOG)
        log = {"bytes": sum(part.stat().st_size for part in (folder / LOG).glob("part-*"))}
        print(f"{users} users: simulated in {simulation['seconds']:.0f} s", flush=True)
        taken: dict[str, list[dict[str, Any]]] = {}
        for _ in range(rounds):
            taken.setdefault(FEATURES, []).append(measured(FEATURES, folder))
            print(f"{users} users: {FEATURES} {taken[FEATURES][-1]}", flush=True)
            for who, command in yardsticks(with_original).items():
                taken.setdefault(who, []).append(as_fields(cost(command, folder)))
                print(f"{users} users: {who} {taken[who][-1]}", flush=True)
        if with_rest:
            taken[REST] = [measured(REST, folder)]
            print(f"{users} users: {REST} {taken[REST][-1]}", flush=True)
        report = max((folder / "data/08_reporting/ingestion_report.json").iterdir()) / "ingestion_report.json"
        log["events"] = json.loads(report.read_text())["lines_read"]
    medians = {who: _median(every) for who, every in taken.items()}
    return {"log": log, "simulation": simulation, "rounds": rounds, "taken": medians}


def _median(rounds: list[dict[str, Any]]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def draw(results: dict[str, Any]) -> go.Figure:
    """Time and memory against events, one line for each of what was measured."""
    figure = make_subplots(rows=1, cols=2, subplot_titles=("seconds", "memory of all processes, GB"))
    sizes = sorted(results.values(), key=lambda each: each["log"]["events"])
    for who, color in COLORS.items():
        there = [each for each in sizes if who in each["taken"]]
        events = [each["log"]["events"] for each in there]
        for column, (name, unit) in enumerate((("seconds", 1), ("peak_bytes", 1e9)), start=1):
            values = [each["taken"][who][name] / unit for each in there]
            trace = go.Scatter(
                x=events, y=values, name=who, legendgroup=who, showlegend=column == 1, line={"color": color},
                mode="lines+markers",
            )  # fmt: skip
            figure.add_trace(trace, row=1, col=column)
    figure.update_xaxes(type="log", title="events", dtick=1)
    figure.update_yaxes(type="log", tickvals=[0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000])
    margin = {"t": 40, "r": 20}
    legend = {"orientation": "h", "y": -0.25}
    figure.update_layout(template="plotly_white", width=1_100, height=460, legend=legend, margin=margin)
    return figure


def save_picture(figure: go.Figure) -> None:
    """With the machine's chromium, as the other pictures of the docs."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no chromium on the PATH to draw the figure with.")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "figure.html"
        page_file.write_text(figure.to_html(include_plotlyjs=True))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1_120, "height": 480})
        page.goto(page_file.as_uri())
        page.locator(".plotly-graph-div").screenshot(path=PICTURE)
        browser.close()


def table(results: dict[str, Any]) -> str:
    """The figures as Markdown."""
    rows = ["| users | events | log | | wall | CPU | memory | written | shuffled | jobs | tasks |", "|" + "---|" * 11]
    for users, found in sorted(results.items(), key=lambda item: int(item[0])):
        log = f"{int(users):,} | {found['log']['events']:,} | {found['log']['bytes'] / 1e9:.2f} GB"
        costs = {"simulation": found["simulation"], **found["taken"]}
        for who in filter(costs.__contains__, ["simulation", *COLORS]):
            taken = costs[who]
            cells = [
                who,
                f"{taken['seconds']:,.1f} s",
                f"{taken['cpu_seconds']:,.1f} s",
                f"{taken['peak_bytes'] / 1e9:.2f} GB",
                *(
                    f"{taken[name] / 1e6:,.0f} MB" if name in taken else ""
                    for name in ("bytes_written", "bytes_shuffled")
                ),
                *(f"{taken[name]:,.0f}" if name in taken else "" for name in ("jobs", "tasks")),
            ]
            rows.append(f"| {log} | {' | '.join(cells)} |")
            log = " | | "
    return "\n".join(rows)


def write_page(results: dict[str, Any]) -> None:
    """Replace the measured part of the page."""
    machine = f"{os.cpu_count()} virtual cores, {platform.machine()}, Python {platform.python_version()}"
    rounds = sorted({found["rounds"] for found in results.values()})
    said = f"Measured on {machine}; median of {' or '.join(map(str, rounds))} round(s).\n\n"
    beginning = PAGE.read_text().partition(BEGIN)[0]
    PAGE.write_text(f"{beginning}{BEGIN}\n\n{said}{table(results)}\n\n![Time and memory](images/{PICTURE.name})\n")


def main() -> None:
    """Measure, and write the table and the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, nargs="*", default=[225, 2_250, 22_000], help="none: only the page")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--original-up-to", type=int, default=2_250, help="users for whom the original's recipe runs")
    parser.add_argument("--rest-up-to", type=int, default=22_000, help="users for whom models are trained")
    asked = parser.parse_args()
    RESULTS.parent.mkdir(exist_ok=True)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for users in asked.users:
        with_original, with_rest = users <= asked.original_up_to, users <= asked.rest_up_to
        results[str(users)] = measure(users, asked.rounds, with_original, with_rest)
        RESULTS.write_text(json.dumps(results, indent=2))
    write_page(results)
    save_picture(draw(results))


if __name__ == "__main__":
    main()
