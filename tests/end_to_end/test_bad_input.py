"""For any input, the command line succeeds or reports in one sentence what is wrong.

Most cases run Kedro's entry point in this process, because a process and a JVM for each would take minutes. Cases that
depend on the process start one.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import random
import re
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from omegaconf import OmegaConf
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.churn.hash_sampling import uniform_hash

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "bad-input.md"
REWRITE = "SPARKIFY_REWRITE_DOCS"
# `make test` leaves out what takes minutes: whole runs on logs from which little can be learned.
LABELS = ("churned_in_time_bin", "will_churn_in_next_bin", "will_churn_soon")
# What is skipped with the forecast.
SCORING = ("rows_to_score", "churn_scores", "users_at_risk", "drift_report", "drift_figure")
SMALL = [
    "modeling.evaluation.replicates=20",
    "modeling.logistic_regression.grid.regParam=[0.1]",
    "modeling.logistic_regression.grid.elasticNetParam=[0.0]",
    "modeling.logistic_regression.settings.maxIter=5",
    "modeling.random_forest.grid.maxBins=[8]",
    "modeling.random_forest.grid.maxDepth=[2]",
    "modeling.random_forest.settings.numTrees=2",
    "modeling.gradient_boosted_trees.grid.maxDepth=[2]",
    "modeling.gradient_boosted_trees.grid.maxBins=[8]",
    "modeling.gradient_boosted_trees.settings.maxIter=1",
]
DAY = 86_400_000
START = 1_538_352_000_000  # 2018-10-01, midnight UTC
SESSIONS = 777  # thousand is where the numbers of sessions begin
THE_LOG = r"\(read from log\)\.$"
DAMAGED = "check that the file is complete"


class Done(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    output: str
    errors: str

    def sentence(self) -> str:
        """The sentence of the error message; checks that there is no stack trace."""
        assert self.code != 0, self.output[-2_000:]
        assert "Traceback" not in self.output + self.errors
        assert "\tat " not in self.output + self.errors
        (message,) = [line for line in self.errors.splitlines() if line.startswith("Error: ")]
        assert self.errors.rstrip().endswith(message)
        return message.removeprefix("Error: ")


class Commands(NamedTuple):
    """A copy of the project in which commands run in this process."""

    folder: Path
    kedro_here: Callable[..., tuple[int, str, str]]

    def run(self, *words: str) -> Done:
        """``kedro run``."""
        return Done(*self.kedro_here(self.folder, "run", *words))

    def ingest(self, log: str) -> Done:
        """Run ingestion on a log."""
        return self.run("--pipelines=ingestion", f"--params=raw_events={log}")

    def versions(self) -> set[str]:
        """The versions of the events and all later datasets, without run summaries."""
        layers = sorted((self.folder / "data").glob("0[2-8]_*"))
        found = {str(path.relative_to(self.folder)) for layer in layers for path in layer.rglob("20*Z")}
        # Ingestion leaves the lines of a log that it stops at, to be looked at.
        earlier = ("parsed_lines", "rejected_events", "run_summary")
        return {path for path in found if not any(name in path for name in earlier)}

    def newest(self, *parts: str) -> Any:
        """The newest version of a JSON dataset."""
        folder = self.folder.joinpath("data", *parts)
        return json.loads((max(folder.iterdir()) / parts[-1]).read_text())


class Pages:
    """The rows of the page, from the cases that ran."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, str] = {}
        self.left_out = False

    def add(self, title: str, expected: str, happened: str) -> None:
        """Add the row of a case that had the expected outcome."""
        plain = happened.replace(f"{self.folder}/", "").replace("|", "\\|")
        self.rows[title] = f"| {title} | {expected} | {plain} |"


@pytest.fixture(scope="module")
def commands(kedro_here: Any, tmp_path_factory: pytest.TempPathFactory, copy_project: Any) -> Commands:
    """One project for all cases: each has its own log, and checks new versions only."""
    return _new_project(tmp_path_factory.mktemp("bad_input") / "project", copy_project, kedro_here)


@pytest.fixture(scope="module")
def page(commands: Commands) -> Pages:
    return Pages(commands.folder)


@pytest.fixture
def other(kedro_here: Any, tmp_path: Path, copy_project: Any) -> Commands:
    """A project without data."""
    return _new_project(tmp_path / "project", copy_project, kedro_here)


def _new_project(folder: Path, copy_project: Callable[[Path], Path], kedro_here: Any) -> Commands:
    folder.mkdir()
    copy_project(folder)
    OmegaConf.save(OmegaConf.from_dotlist(SMALL), folder / "conf/local/parameters_modeling.yml")
    (folder / "log.json").write_bytes(GOOD)
    return Commands(folder, kedro_here)


# Logs.


def event(user: int, item: int, **changes: Any) -> dict[str, Any]:
    """A valid event of a user, ten minutes after the previous one."""
    return {
        "ts": START + user * 60_000 + item * 600_000,
        "userId": str(user),
        "sessionId": 1_000 * SESSIONS + user,
        "itemInSession": item,
        "page": "Home",
        "auth": "Logged In",
        "method": "GET",
        "status": 200,
        "level": "free",
        "registration": START - 5 * DAY - user * 60_000,
        "gender": "F",
        "firstName": "Ada",
        "lastName": "Lovelace",
    } | changes


def lines(*events: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in events)


EVENTS = [event(user, item) for user in range(20) for item in range(5)]
GOOD = lines(*EVENTS)


def one_more(**changes: Any) -> bytes:
    """A hundred valid lines and one other."""
    return GOOD + lines(event(30, 0, **changes))


def without(*names: str) -> bytes:
    kept = {name: value for name, value in event(30, 0).items() if name not in names}
    return GOOD + lines(kept)


PARTS = (lines(*EVENTS[:30]), lines(*EVENTS[30:60]), lines(*EVENTS[60:]))
CSV = pd.DataFrame(EVENTS).to_csv(index=False).encode()
PARQUET = pd.DataFrame(EVENTS).to_parquet(index=False)
NOISE = bytes(byte for byte in random.Random(1).randbytes(500) if byte not in b"\r\n")
HALF = GOOD[: len(GOOD) // 2]
HALF = HALF[: HALF.rindex(b"\n") + 1]
EXPONENT = GOOD + lines(event(30, 0, ts=0)).replace(b'"ts": 0', f'"ts": {START / 1e12}e12'.encode())
DEEP = b'{"a":' * 3_000 + b"1" + b"}" * 3_000
HUGE = 10 * 2**20

MALFORMED = "not a JSON object"
# Counts are events, rejected lines, duplicates, logged-out rows; and the rule that rejects.
READ = [
    ("a truncated last line", GOOD + b'{"ts": 15383', (100, 1, 0, 0), MALFORMED),
    ("binary garbage between good lines", HALF + NOISE + b"\n" + GOOD[len(HALF) :], (100, 1, 0, 0), MALFORMED),
    ("a line nested 3,000 levels deep", GOOD + DEEP + b"\n", (100, 1, 0, 0), MALFORMED),
    ("an object as the page", one_more(page={"name": "Home"}), (100, 1, 0, 0), "page has another form"),
    ("a line of 10 MB, in an unknown column", one_more(note="x" * HUGE), (101, 0, 0, 0), None),
    ("a line of 10 MB that is not an event", GOOD + b"x" * HUGE + b"\n", (100, 1, 0, 0), MALFORMED),
    ("invalid UTF-8", GOOD + lines(event(30, 0)).replace(b"Ada", b"A\xff\xfea"), (101, 0, 0, 0), None),
    ("a NUL character in a name", GOOD + lines(event(30, 0)).replace(b"Ada", b"A\x00a"), (100, 1, 0, 0), MALFORMED),
    ("emoji in a name", GOOD + lines(event(30, 0, firstName="👩‍🎤")), (101, 0, 0, 0), None),
    ("a right-to-left name", GOOD + lines(event(30, 0, artist="فيروز")), (101, 0, 0, 0), None),
    ("a byte order mark", b"\xef\xbb\xbf" + GOOD, (100, 0, 0, 0), None),
    ("lines that end with CRLF", GOOD.replace(b"\n", b"\r\n"), (100, 0, 0, 0), None),
    ("empty lines", GOOD.replace(b"}\n", b"}\n\n", 3), (100, 3, 0, 0), MALFORMED),
    ("a number as a string: ts", one_more(ts=str(START)), (100, 1, 0, 0), "ts is not a whole number"),
    ("whole numbers with a decimal point", one_more(ts=float(START), registration=float(START)), (101, 0, 0, 0), None),
    ("whole numbers with an exponent", EXPONENT, (101, 0, 0, 0), None),
    ("a fraction: ts", one_more(ts=START + 0.5), (100, 1, 0, 0), "ts is not a whole number"),
    ("a text: registration", one_more(registration="May"), (100, 1, 0, 0), "registration is not a whole number"),
    ("a text: length", one_more(length="long"), (100, 1, 0, 0), "length is not a number"),
    ("a string as a number: page", one_more(page=7), (101, 0, 0, 0), None),
    ("ts in seconds", one_more(ts=START // 1_000), (100, 1, 0, 0), "ts is out of range"),
    ("ts in the future", one_more(ts=START + 100 * 365 * DAY), (100, 1, 0, 0), "ts is out of range"),
    ("a negative ts", one_more(ts=-START), (100, 1, 0, 0), "ts is out of range"),
    ("a null ts", one_more(ts=None), (100, 1, 0, 0), "ts is missing"),
    ("no registration", without("registration"), (100, 1, 0, 0), "registration is missing"),
    ("a registration after the end of the log", one_more(registration=START + 90 * DAY), (101, 0, 0, 0), None),
    ("a registration that changes for one user", GOOD + lines(event(3, 9, registration=START)), (101, 0, 0, 0), None),
    ("a null level", one_more(level=None), (100, 1, 0, 0), "level is missing"),
    ("an unknown level", one_more(level="x"), (100, 1, 0, 0), "level is unknown"),
    ("a null gender", one_more(gender=None), (101, 0, 0, 0), None),
    ("an unknown gender", one_more(gender="x"), (101, 0, 0, 0), None),
    ("a null page", one_more(page=None), (100, 1, 0, 0), "page is missing"),
    ("an unknown page", one_more(page="Podcast"), (101, 0, 0, 0), None),
    ("a userId with spaces", GOOD + lines(event(3, 9, userId=" 3 ")), (101, 0, 0, 0), None),
    ("a userId that is a number", GOOD + lines(event(3, 9, userId=3)), (101, 0, 0, 0), None),
    ("a userId with a decimal point", GOOD + lines(event(3, 9, userId=3.0)), (101, 0, 0, 0), None),
    ("a userId of 10,000 characters", one_more(userId="7" * 10_000), (100, 1, 0, 0), "userId has another form"),
    ("logged-out rows", GOOD + lines(event(3, 9, userId="")), (100, 0, 0, 1), None),
    ("logged-out rows with an id", GOOD + lines(event(3, 9, auth="Logged Out")), (100, 0, 0, 1), None),
    ("logged-out rows without an id", GOOD + lines(event(3, 9, userId=None, auth="Guest")), (100, 0, 0, 1), None),
    ("no userId", one_more(userId=None), (100, 1, 0, 0), "userId is missing"),
    ("a duplicate line", GOOD + lines(EVENTS[7]), (100, 0, 1, 0), None),
    ("lines out of order", lines(*reversed(EVENTS)), (100, 0, 0, 0), None),
]  # fmt: skip


def test_valid_lines_are_read_and_other_lines_are_counted(commands: Commands, page: Pages) -> None:
    """All cases as the files of one log: the events of each, and what is made of the other lines of all."""
    folder = commands.folder / "cases"
    folder.mkdir()
    # Sessions of its own tell each case's events from the others'.
    for number, (_, log, *_) in enumerate(READ):
        own = log.replace(f'"sessionId": {SESSIONS}'.encode(), f'"sessionId": {100 + number}'.encode())
        (folder / f"{number}.json").write_bytes(own)
    done = commands.run("--pipelines=ingestion", "--params=raw_events=cases")
    assert done.code == 0, done.errors

    (table,) = (commands.folder / "data/02_intermediate/events").glob("*/events")
    events_of = (pd.read_parquet(table, columns=["session_id"])["session_id"] // 1_000).value_counts().to_dict()
    assert events_of == {100 + number: counts[0] for number, (_, _, counts, _) in enumerate(READ)}
    expected = tuple(map(sum, zip(*(counts for _, _, counts, _ in READ), strict=True)))
    assert counted(commands) == expected
    rejected = Counter[str]()
    for _, _, counts, rule in READ:
        rejected.update({rule: counts[1]} if rule else {})
    assert commands.newest("08_reporting", "ingestion_report.json")["rejected"] == rejected
    for title, _, counts, _ in READ:
        page.add(title, in_words(counts), in_words(counts))


@pytest.mark.faults
def test_a_file_given_twice_counts_once(commands: Commands, page: Pages) -> None:
    (commands.folder / "twice").mkdir()
    for name in ("one.json", "two.json"):
        (commands.folder / "twice" / name).write_bytes(GOOD)
    assert commands.ingest("twice").code == 0
    assert counted(commands) == (100, 0, 100, 0)
    message = in_words((100, 0, 100, 0))
    page.add("a file given twice", message, message)


@pytest.mark.parametrize(
    ("title", "files"),
    [
        pytest.param(
            "compression that names do not say, in folders",
            {
                "a/gzip.json": gzip.compress(PARTS[0]),
                "a/b/bzip2.json.gz": bz2.compress(PARTS[1]),
                "plain.json.bz2": PARTS[2],
            },
            marks=pytest.mark.faults,
        ),
        pytest.param("a CSV file", {"log [1].csv": CSV}, marks=pytest.mark.faults),
        ("a Parquet file", {"year=2018/log.parquet": PARQUET}),
    ],
)
def test_other_formats_give_the_same_events(
    commands: Commands, page: Pages, title: str, files: dict[str, bytes]
) -> None:
    folder = commands.folder / "formats"
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    assert commands.ingest("formats").code == 0
    assert counted(commands) == (100, 0, 0, 0)
    page.add(title, in_words((100, 0, 0, 0)), in_words((100, 0, 0, 0)))


def counted(commands: Commands) -> tuple[int, ...]:
    report = commands.newest("08_reporting", "ingestion_report.json")
    counts = (report["events"], sum(report["rejected"].values()), report["duplicates"], report["logged_out"])
    assert sum(counts) == report["lines_read"]
    return counts


def in_words(counts: tuple[int, ...]) -> str:
    kinds = ("events", "rejected", "duplicates", "logged out")
    return ", ".join(f"{number} {kind}" for number, kind in zip(counts, kinds, strict=True) if number)


# Logs that cannot be read.

CUT = gzip.compress(GOOD, mtime=0)[:300]


def refused(title: str, files: dict[str, bytes], named: str, *marks: Any) -> Any:
    return pytest.param(title, files, named, id=title, marks=marks)


@pytest.mark.parametrize(
    ("title", "files", "named"),
    [
        refused("a path that does not exist", {}, r"no file or folder at '.*/project/log'"),
        refused("a truncated gzip file", {"log.json.gz": CUT}, r"log/log\.json\.gz cannot be read .*" + DAMAGED),
        refused(
            "a file that does not match its checksum",
            {"log.json": GOOD, ".log.json.crc": b"crc\x00\x00\x00\x02\x00" + bytes(400)},
            r"log/log\.json cannot be read .*" + DAMAGED,
            pytest.mark.faults,
        ),
        refused("an empty file", {"log.json": b""}, THE_LOG),
        refused("a folder without data", {"_SUCCESS": b""}, THE_LOG, pytest.mark.faults),
        refused("a text file that is not JSON", {"log.json": b"Dear diary,\n" * 100}, THE_LOG, pytest.mark.faults),
        refused(
            "a column with another name",
            {"log.json": GOOD.replace(b"userId", b"user_id")},
            r"userId is missing in 100 of the log's 100 lines; the log has user_id: map it with ingestion\.source",
        ),
        refused(
            "a CSV file with other columns",
            {"log.csv": b"ts,user,what\n" + b"1538352000000,3,x\n" * 9},
            "has user: map",
            pytest.mark.faults,
        ),
        refused(
            "a JSON array instead of lines",
            {"log.json": json.dumps(EVENTS, indent=1).encode()},
            r"log/log\.json' is a JSON array: write one object a line",
        ),
        refused(
            "an xz file", {"log.json.xz": lzma.compress(GOOD)}, r"log\.json\.xz' is compressed with xz: decompress"
        ),
        refused("UTF-16", {"log.json": GOOD.decode().encode("utf-16")}, "is encoded in UTF-16: convert it to UTF-8"),
        refused("JSON lines and CSV in a folder", {"a.json": GOOD, "b.csv": b"a,b,c\n"}, "mixes formats, CSV"),
        refused(
            "only logged-out rows",
            {"log.json": lines(*(event(1, item, userId="") for item in range(50)))},
            THE_LOG,
            pytest.mark.faults,
        ),
    ],
)
def test_an_unreadable_log_is_named_and_nothing_is_written(
    commands: Commands, page: Pages, title: str, files: dict[str, bytes], named: str
) -> None:
    folder = commands.folder / "log"
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    before = commands.versions()
    message = commands.ingest("log").sentence()
    assert re.search(named, message), message
    assert commands.versions() == before
    page.add(title, "stops and names the file", message)


# What a run is asked for.


def of_a_kind(words: str, named: str) -> Any:
    """A case whose kind another one shows: `make test-faults` runs it."""
    return pytest.param(words, named, marks=pytest.mark.faults)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (
            "--params=feature_engineering.time_bin_days=0",
            r"time_bin_days should be greater than or equal to 1 \(it is 0\)",
        ),
        of_a_kind("--params=feature_engineering.time_bin_days=-1", r"time_bin_days should be greater .* \(it is -1\)"),
        of_a_kind(
            "--params=feature_engineering.time_bin_days=x", r"time_bin_days should be a valid integer \(it is 'x'\)"
        ),
        of_a_kind(
            "--params=feature_engineering.time_bin_days=10000", r"time_bin_days should be less .* 366 \(it is 10000\)"
        ),
        (
            "--params=feature_engineering.time_bin_day=7",
            r"time_bin_day is not a known parameter \(did you mean 'time_bin_days'",
        ),
        ("--params=samplin.split.seed=7", "samplin is not a known parameter: did you mean 'sampling'"),
        of_a_kind("--params=sampling.splt.seed=7", "sampling.splt is not a known parameter: did you mean 'split'"),
        of_a_kind(
            "--params=sampling.split.folds.nmber=3", "folds.nmber is not a known parameter .did you mean 'number'"
        ),
        of_a_kind(
            "--params=sampling.labels.will_churn_son.keep_negatives=1",
            "will_churn_son .* did you mean 'will_churn_soon'",
        ),
        of_a_kind("--params=sampling.split.hold_out.share=1.5", r"hold_out.share should be less than 1 \(it is 1.5\)"),
        of_a_kind(
            "--params=sampling.labels.will_churn_soon.keep_negatives=2", r"keep_negatives should be less .* \(it is 2\)"
        ),
        of_a_kind(
            "--params=modeling.random_forrest.settings.numTrees=3",
            "modeling.random_forrest .* did you mean 'random_forest'",
        ),
        (
            "--params=modeling.random_forest.algorithm=random_forrest",
            "'random_forrest' .* did you mean 'random_forest'",
        ),
        ("--params=modeling.random_forest.settings.numTree=3", "no setting 'numTree': did you mean 'numTrees'"),
        of_a_kind(
            "--params=modeling.random_forest.grid.maxDepth=[]",
            r"grid.maxDepth should have at least 1 item \(it is \[\]\)",
        ),
        ("--params=modeling.random_forest.grid={}", "random_forest.grid is an empty block, which has no effect"),
        of_a_kind("--params=modeling.training=3", r"should be a block of parameters \(it is 3\)"),
        of_a_kind("--params=raw_event=log.json", "raw_event is not a known parameter: did you mean 'raw_events'"),
        ("--params=raw_events", "raw_events"),
        ("--params=raw_events=", r"the path of raw_events is empty: give a file, a folder or a glob"),
        ("--params=ingestion.source.time=seconds", r"source\.time should be 'ms', 's', 'us' or 'iso'"),
        of_a_kind("--params=ingestion.source.columns.user=id", r"source\.columns has 'user', which is not known"),
        ("--runner=ParallelRunner", "cannot share Spark: use --runner=ThreadRunner"),
        (
            "--env=original --pipelines=feature_engineering",
            "create it first, with kedro run --env=original --pipelines=ingestion",
        ),
        ("--pipelines=modelin", "no pipeline 'modelin': did you mean 'modeling'"),
        ("--namespaces=will_churn_son", "no namespace 'will_churn_son': did you mean 'will_churn_soon'"),
        of_a_kind("--tags=random_forrest", "no tag 'random_forrest': did you mean 'random_forest'"),
        of_a_kind("--nodes=parse_line", "no node 'parse_line': did you mean 'parse_lines'"),
        ("--to-outputs=event", "no dataset 'event': did you mean 'events'"),
        ("--env=cluster", "SPARKIFY_STORAGE"),
        ("--env=banana", "conf/banana"),
        (
            "--pipelines=feature_engineering",
            "events, log_span yet: create it first, with kedro run --pipelines=ingestion",
        ),
        ("--pipelines=backtest", "no complete version of .*will_churn_in_next_bin.champion.* yet: create it first"),
        (
            "--pipelines=sampling --load-versions=typed_user_time_bins:2020-01-01T00.00.00.000Z",
            "'2020-01-01T00.00.00.000Z' of typed_user_time_bins",
        ),
        (
            "--pipelines=score_other_log",
            "no complete version of will_churn_in_next_bin.champion, .* yet: create it first, with kedro run",
        ),
    ],
    ids=lambda value: value if value.startswith("--") else "",
)
def test_unknown_options_of_a_run_are_named(
    other: Commands, page: Pages, monkeypatch: pytest.MonkeyPatch, words: str, named: str
) -> None:
    for variable in ("SPARKIFY_STORAGE", "SPARK_MASTER"):
        monkeypatch.delenv(variable, raising=False)
    message = other.run(*words.split()).sentence()
    assert re.search(named, message), message
    assert not (other.folder / "data").exists()
    page.add(f"`{words}`", "stops and names it", message.replace(f"{other.folder}/", ""))


@pytest.mark.faults
def test_an_unknown_feature_set_is_named(commands: Commands, page: Pages) -> None:
    """By the first node that uses the feature registry."""
    words = "--params=modeling.training.feature_sets=[extende]"
    message = commands.run(words, *_prepared(commands)).sentence()
    assert "'extende', which is no feature set: did you mean 'extended'?" in message
    page.add(f"`{words}`", "stops and names it", message)


def _prepared(commands: Commands) -> tuple[str, ...]:
    """Write rows to train on; the options of a run that starts from them."""
    if not (commands.folder / "data/05_model_input/churned_in_time_bin").exists():
        part = ("--to-outputs=churned_in_time_bin.development", "--params=raw_events=log.json")
        assert commands.run("--pipelines=ingestion,feature_engineering,user_types,sampling", *part).code == 0
    return ("--nodes=churned_in_time_bin.audit_features",)


# Labels.


def ids_held_out(spark: SparkSession, users: int) -> set[int]:
    """The users in the test set."""
    named = spark.range(users).select(F.col("id").cast("string").alias("user_id"))
    return {int(row.user_id) for row in named.where(uniform_hash(20181001, "hold out", "user") < 0.2).collect()}


def day_of_churn(spark: SparkSession) -> bytes:
    """One day on which a third of 60 users cancel, none of those who are held out; there are no songs."""
    held_out = ids_held_out(spark, 60)
    drawn = random.Random(3)
    found = []
    for user in range(60):
        pages = [drawn.choice(("Home", "Help", "About", "Settings")) for _ in range(drawn.randint(3, 9))]
        if user not in held_out and drawn.random() < 0.45:
            pages[-1] = "Cancellation Confirmation"
        registration = START - drawn.randint(1, 12) * DAY
        found += [event(user, item, page=name, registration=registration) for item, name in enumerate(pages)]
    return lines(*found)


@pytest.fixture(scope="module")
def day(spark: SparkSession, commands: Commands) -> dict[str, Any]:
    """The summary of a whole run on a log of one day."""
    (commands.folder / "day.json").write_bytes(day_of_churn(spark))
    done = commands.run("--params=raw_events=day.json,feature_engineering.min_history_days=0")
    assert done.code == 0, done.errors
    return commands.newest("08_reporting", "run_summary.json")


@pytest.mark.faults
def test_labels_that_cannot_be_trained_are_skipped(commands: Commands, page: Pages, day: dict[str, Any]) -> None:
    """A log of one day covers no horizon: only the window's own churn can be learned; no held-out user churns."""
    summary = day
    assert set(summary["skipped"]) == {*LABELS[1:], *SCORING}
    for reason in summary["skipped"].values():
        assert "no rows to train on" in reason
    assert {name.partition(".")[0] for name in summary["versions_written"] if name.endswith(".champion")} == {LABELS[0]}
    comparison = commands.newest("08_reporting", LABELS[0], "comparison.json")
    judged = comparison["algorithms"][comparison["champion"]]["test"]
    assert judged["rows"] > 0
    assert (judged["positives"], judged["average_precision"]) == (0, None)
    assert "rows of both classes" in judged["warning"]
    report = max((commands.folder / "data/08_reporting/report").iterdir()) / "report.html"
    html = report.read_text()
    assert html.count("here are no rows to train on") == 2 * 2
    card = max((commands.folder / f"data/06_models/{LABELS[0]}/champion").glob("*/model_card.md"))
    assert "ranking needs rows of both classes" in card.read_text()

    page.add("a log of one day", "skips labels that need a later time", skipped_in_words(summary))
    page.add("constant features", "trains", f"{LABELS[0]}: champion {comparison['champion']}")
    page.add("a test set without positives", "trains without a test score", f"{LABELS[0]}: {judged['warning']}")


ONE_BIN = {"registration": START - DAY}
LATER = [
    event(user, item, ts=START + day * DAY + item, **ONE_BIN)
    for user in range(20)
    for item, day in enumerate((0, 15, 45))
]
CHURN = {"page": "Cancellation Confirmation"} | ONE_BIN


@pytest.mark.faults
@pytest.mark.parametrize(
    ("title", "events"),
    [
        ("no churner", LATER),
        ("one churner", [*LATER, event(3, 9, ts=START + 46 * DAY, **CHURN)]),
        ("one user", [event(3, item, ts=START + day * DAY, **ONE_BIN) for item, day in enumerate((0, 15, 45))]),
        (
            "only churners",
            [event(user, item, **change) for user in range(20) for item, change in enumerate((ONE_BIN, CHURN))],
        ),
    ],
)
def test_a_run_that_skips_all_labels_succeeds_and_keeps_the_champions(
    commands: Commands, page: Pages, day: Any, title: str, events: list[dict[str, Any]]
) -> None:
    (commands.folder / "case.json").write_bytes(lines(*events))
    before = {path for path in commands.versions() if "06_models" in path}
    # One of them to the end, the others as far as there is anything to skip.
    part = () if title == "no churner" else (f"--to-nodes={','.join(f'{label}.keep_champion' for label in LABELS)}",)
    done = commands.run("--params=raw_events=case.json", *part)
    assert done.code == 0, done.errors
    summary = commands.newest("08_reporting", "run_summary.json")
    assert set(summary["skipped"]) == ({*LABELS} if part else {*LABELS, *SCORING})
    assert {path for path in commands.versions() if "06_models" in path} == before
    assert part or "report" in summary["versions_written"]
    page.add(title, "skips all labels", skipped_in_words(summary))


def skipped_in_words(summary: dict[str, Any]) -> str:
    return "; ".join(f"{label} skipped: {reason}" for label, reason in summary["skipped"].items())


# Champions.


def champion_for_all(commands: Commands, **changes: Any) -> None:
    """The one champion that was trained, as that of every label, with a card that says something else."""
    models = commands.folder / "data/06_models"
    (version,) = [path.name for path in (models / LABELS[0] / "champion_metadata.json").iterdir()][-1:]
    card = json.loads((models / LABELS[0] / "champion_metadata.json" / version / "champion_metadata.json").read_text())
    for label in LABELS:
        place = models / label / "champion_metadata.json" / version
        place.mkdir(parents=True, exist_ok=True)
        (place / "champion_metadata.json").write_text(json.dumps(card | {"label": label} | changes))
        if label != LABELS[0]:
            shutil.copytree(models / LABELS[0] / "champion", models / label / "champion", dirs_exist_ok=True)


@pytest.mark.faults
def test_scoring_reports_an_unusable_champion(commands: Commands, page: Pages, day: Any) -> None:
    """A missing champion, an incomplete one, and one of another feature set."""
    score = (
        "--pipelines=score_other_log",
        "--params=scoring_events=day.json,feature_engineering.min_history_days=0",
    )
    before = commands.versions()
    message = commands.run(*score).sentence()
    assert message == (
        "There is no complete version of will_churn_in_next_bin.champion, will_churn_in_next_bin.champion_metadata "
        "yet: create it first, with kedro run --pipelines=modeling."
    )
    page.add("scoring without a champion", "stops and names it", message)

    champion_for_all(commands)
    (marker,) = (commands.folder / "data/06_models/will_churn_in_next_bin/champion").glob("*/champion/_SUCCESS")
    marker.unlink()
    message = commands.run(*score).sentence()
    assert message == (
        "There is no complete version of will_churn_in_next_bin.champion yet: create it first, with kedro run "
        "--pipelines=modeling."
    )
    page.add("scoring with an incomplete champion", "stops as without a champion", message)

    marker.touch()
    champion_for_all(commands, features=["page_home", "page_banana"])
    message = commands.run(*score).sentence()
    assert "trained on page_banana, which the rows to score lack" in message
    page.add("scoring with a champion of another feature set", "stops and names the features", message)
    assert not any("churn_scores" in path for path in commands.versions() - before)


# The machine.


@pytest.fixture
def mounted(other: Commands, page: Pages) -> Iterator[Callable[[str], None]]:
    """Mount a file system at the data folder; needs root."""
    data = other.folder / "data"
    data.mkdir()

    def mount(options: str) -> None:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(data)], capture_output=True, check=False
        )
        if done.returncode != 0:
            page.left_out = True
            pytest.skip("only root may mount a file system")

    yield mount
    if data.is_mount():
        subprocess.run(["umount", "--lazy", str(data)], check=True)


@pytest.mark.parametrize(
    ("title", "options", "named"),
    [
        ("no space left on the device", "size=8k", r"could not write to '.*/data/.*': No space left on device"),
        ("a read-only data folder", "ro", r"/data/.* cannot be used \(Read-only file system\)"),
    ],
)
def test_a_path_that_cannot_be_written_is_reported(
    other: Commands, page: Pages, mounted: Callable[[str], None], title: str, options: str, named: str
) -> None:
    mounted(options)
    message = other.ingest("log.json").sentence()
    assert re.search(named, message), message
    page.add(title, "stops and names the path", re.sub(r"/\S*/data/[^\s']*", "data/…", message))


def in_a_process(folder: Path, *words: str, **changes: str) -> Done:
    """``kedro run`` with a JVM of its own."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("KEDRO_", "PYTEST_", "SPARK"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "kedro", "run", *words],
        cwd=folder, env=environment | changes, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.faults
def test_a_missing_java_is_reported(other: Commands, page: Pages, tmp_path: Path) -> None:
    message = in_a_process(other.folder, "--params=raw_events=log.json", PATH=str(tmp_path), JAVA_HOME="").sentence()
    assert "Spark needs Java" in message
    assert not (other.folder / "data").exists()
    page.add("no Java", "stops with instructions", message)


@pytest.mark.faults
def test_a_port_in_use_is_reported(other: Commands, page: Pages) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = {
            "spark.driver.port": taken.getsockname()[1],
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.port.maxRetries": 0,
        }
        (other.folder / "conf/local/spark.yml").write_text(
            "".join(f"{key}: {value}\n" for key, value in settings.items())
        )
        message = in_a_process(other.folder, "--params=raw_events=log.json").sentence()
    assert "spark.driver.port or spark.ui.port) is in use" in message
    page.add("a Spark port that is in use", "stops and names the setting", message)
    # What the sentence leaves out is in the log file.
    log = (other.folder / "sparkify.log").read_text()
    assert "Traceback (most recent call last)" in log
    assert "BindException" in log


# The page.

HEAD = f"""# Bad input and faults

`tests/end_to_end/test_bad_input.py` writes this page: it runs each row on the command line and fails if the outcome
differs. After an intended change:

```
{REWRITE}=1 make test-faults
```

A run that stops has a non-zero exit code and leaves no new version of the events or of any later dataset.

| Input or fault | Expected | Outcome |
|---|---|---|
"""


def test_the_documentation_page_is_up_to_date(page: Pages, request: pytest.FixtureRequest) -> None:
    """The page contains every row of this run, and no others if all cases ran."""
    written = HEAD + "\n".join(page.rows.values()) + "\n"
    if os.environ.get(REWRITE):
        PAGE.write_text(written)
    message = PAGE.read_text()
    assert [row for row in page.rows.values() if row not in message] == []
    asked_for = request.config.invocation_params.args
    all_selected = not request.config.getoption("markexpr")
    all_ran = all_selected and not request.session.testsfailed and not page.left_out
    if all_ran and not any(word.startswith(("-k", "-m", "--lf")) or "::" in word for word in map(str, asked_for)):
        assert message == written
