"""Runs killed, with their JVM, during saves and at random times, and started again."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from forked_kedro import Forks
from sparkify_kedro.framework.datasets import SparkDataFrameDataset, SparkMLDataset
from sparkify_kedro.framework.runs.versions import version_path, versioned_on_this_machine
from sparkify_kedro.pipelines import feature_engineering, ingestion, modeling, sampling, user_types

pytestmark = pytest.mark.faults

PROJECT = Path(__file__).parents[2]
LABEL, ALGORITHM = "will_churn_soon", "logistic_regression"
LOG = "data/01_raw/log.json.gz"
SEED = 5
MOMENT = "moment"  # as the hook calls it


class Extent(NamedTuple):
    """How far runs go that are killed in the save of each of their datasets, and at ``moments`` random times.

    They read one in ``users`` users of the bundled log.

    Every kill costs the start of a JVM, so that only ``make test-faults`` runs these tests: on the way to the line
    counts, and on the whole way to a label's champion and its model card.
    """

    pipeline: Pipeline
    moments: int
    users: int

    @property
    def run(self) -> tuple[str, ...]:
        """The command."""
        outputs = ",".join(sorted(self.pipeline.outputs()))
        pipelines = "ingestion,feature_engineering,user_types,sampling,modeling"
        return ("run", f"--pipelines={pipelines}", f"--to-outputs={outputs}", f"--params=raw_events={LOG}")

    @property
    def datasets(self) -> set[str]:
        """The datasets that the runs write."""
        return self.pipeline.all_outputs()


LINES = ingestion.create_pipeline().to_nodes("check_lines")
CHAMPION = (
    ingestion.create_pipeline()
    + feature_engineering.create_pipeline()
    + user_types.create_pipeline()
    + sampling.create_pipeline(labels=[LABEL])
    + modeling.create_pipeline(labels=[LABEL], algorithms=(ALGORITHM,))
)
EXTENTS = {"lines": Extent(LINES, moments=0, users=20), "champion": Extent(CHAMPION, moments=4, users=3)}
SMALL = {
    "spark.yml": {
        "spark.master": "local[2]",
        "spark.sql.shuffle.partitions": 2,
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m",
    },
    "parameters_modeling.yml": {
        "sampling": {"split": {"folds": {"number": 2}}},
        "modeling": {
            "leak_audit": {"suspicious_auc_roc": 1.0},
            ALGORITHM: {"settings": {"maxIter": 3}, "grid": {"regParam": [0.1], "elasticNetParam": [0.0]}},
            "evaluation": {"replicates": 20},
        },
    },
}


class Killed(NamedTuple):
    """Where a run was killed, and in what."""

    where: str
    when: str


class Runs:
    """A copy of the project in which kedro commands are run, each in a process of its own that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._killed = folder.parent / "killed.txt"
        own = {"PYTHONPATH": str(folder / "src"), "COLUMNS": "200", "KILLED_AT": str(self._killed)}
        self._forks = Forks(folder, os.environ | own)

    def try_kedro(self, *words: str, **environment: str) -> tuple[int, str]:
        """Run a command; its exit code, negative for a signal, and its output."""
        done = self._forks.try_kedro(*words, **environment)
        return done.returncode, done.stdout + done.stderr

    def kedro(self, *words: str) -> str:
        """Run a command that must succeed; its output."""
        code, output = self.try_kedro(*words)
        assert code == 0, output[-3_000:]
        return output

    def killed(self) -> list[Killed]:
        """Where runs were killed."""
        lines = self._killed.read_text().splitlines() if self._killed.exists() else []
        return [Killed(*line.split(" ", 1)) for line in lines]

    def catalog(self, env: str | None = None) -> DataCatalog:
        with KedroSession.create(project_path=self.folder, env=env) as session:
            return session.load_context().catalog

    def end(self) -> None:
        self._forks.end()


def small_log(path: Path, users: int) -> None:
    """One in ``users`` users of the bundled log."""
    lines = gzip.decompress((PROJECT / "data/01_raw/sample_events.json.gz").read_bytes()).decode().splitlines(True)
    kept = [line for line in lines if zlib.crc32(json.loads(line)["userId"].encode()) % users == 0]
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress("".join(kept).encode(), 1))


def configure(folder: Path) -> None:
    """Small settings, a separate storage for the undisturbed run, one algorithm, and the killing hooks."""
    for env in ("undisturbed", "local"):
        conf = folder / "conf" / env
        conf.mkdir(exist_ok=True)
        for name, settings in SMALL.items():
            (conf / name).write_text(json.dumps(settings))  # JSON is YAML
    (folder / "conf/undisturbed/globals.yml").write_text("storage: data/undisturbed\n")
    registry = folder / "src/sparkify_kedro/pipeline_registry.py"
    default = "user_types.create_pipeline(), DEFAULT_ALGORITHMS"
    assert default in registry.read_text()
    one = f'user_types.create_pipeline(), ("{ALGORITHM}",)'
    registry.write_text(registry.read_text().replace(default, one))
    shutil.copy(Path(__file__).with_name("killing_hooks.py"), folder / "src")
    with (folder / "src/sparkify_kedro/settings.py").open("a") as settings:
        settings.write("\nfrom killing_hooks import KillingHooks\n\nHOOKS = (KillingHooks(), *HOOKS)\n")


@pytest.fixture(scope="module", params=EXTENTS)
def extent(request: pytest.FixtureRequest) -> Extent:
    return EXTENTS[request.param]


@pytest.fixture(scope="module")
def runs(
    extent: Extent, tmp_path_factory: pytest.TempPathFactory, copy_project: Callable[[Path], Path]
) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("crashes") / "project"
    folder.mkdir()
    copy_project(folder)
    configure(folder)
    small_log(folder / LOG, extent.users)
    runs = Runs(folder)
    yield runs
    runs.end()


class Content:
    """What versions hold, to be compared."""

    def __init__(self, catalog: DataCatalog, names: set[str]) -> None:
        self._datasets = versioned_on_this_machine(catalog, names)

    def versions(self) -> list[tuple[str, str]]:
        """Every version that is visible, with its dataset."""
        return [
            (name, version)
            for name, dataset in self._datasets.items()
            for version in dataset.list_versions(full_path=False)
        ]

    def of(self, name: str, version: str) -> Any:
        """The rows, sorted; the values; or the number of complete parts of a model."""
        dataset = self._datasets[name]
        path = version_path(dataset, version)
        if isinstance(dataset, SparkDataFrameDataset):
            rows = pd.read_parquet(path).astype(str)
            return rows.sort_values(list(rows.columns)).reset_index(drop=True).to_dict("list")
        if isinstance(dataset, SparkMLDataset):
            return len(list(path.rglob("_SUCCESS")))
        text = path.read_text()
        if name == f"{LABEL}.model_card":
            return bool(text)  # it names its run
        values = json.loads(text)
        if name == f"{LABEL}.champion_metadata":
            del values["model"]  # a name that Spark draws
        return values


@pytest.fixture(scope="module")
def undisturbed(runs: Runs, extent: Extent, kedro_here: Callable[..., tuple[int, str, str]]) -> dict[str, Any]:
    """What a run leaves that nothing disturbs: to the line counts, in this process, which has all algorithms."""
    command = (*extent.run, "--env=undisturbed")
    if extent.pipeline is LINES:
        code, output, errors = kedro_here(runs.folder, *command)
        assert code == 0, (output + errors)[-3_000:]
    else:
        runs.kedro(*command)
    content = Content(runs.catalog("undisturbed"), extent.datasets)
    return {name: content.of(name, version) for name, version in content.versions()}


class KilledRuns(NamedTuple):
    """What has happened to a run that was killed and started again until it ended."""

    killed: list[Killed]
    wrong: list[str]
    found: dict[str, Any]


@pytest.fixture(scope="module")
def killed_runs(runs: Runs, extent: Extent, undisturbed: dict[str, Any]) -> KilledRuns:
    """Kill in the saves, once each, and at random moments; look at all versions that are visible then."""
    chance = random.Random(SEED)
    content, seen, wrong = Content(runs.catalog(), extent.datasets), set(), []
    code, starts = None, 0
    while code != 0 and starts < 2 * len(extent.datasets) + 2:
        starts += 1
        killed = runs.killed()
        how = {
            "KILL_AT_SAVES_BUT": ",".join(each.where for each in killed),
            "KILL_AT_SIGN": chance.choice(["*", "part-*"]),
        }
        # Every other start, until it has been often enough; whatever comes first, the moment or a save.
        if starts % 2 == 0 and len([each for each in killed if each.where == MOMENT]) < extent.moments:
            how["KILL_AFTER"] = f"{chance.uniform(0, 2):.2f}"
        code, output = runs.try_kedro(*extent.run, "--only-missing-outputs", **how)
        assert code in (0, -9), output[-3_000:]
        new = [each for each in content.versions() if each not in seen]
        seen |= set(new)
        wrong += [f"{name} {version}" for name, version in new if content.of(name, version) != undisturbed[name]]
    newest = {name: content.of(name, version) for name, version in reversed(content.versions())}
    return KilledRuns(runs.killed(), wrong, newest)


def test_runs_are_killed_in_saves_and_at_random_times(killed_runs: KilledRuns, extent: Extent) -> None:
    in_saves = [killed.where for killed in killed_runs.killed if killed.where != MOMENT]
    assert sorted(in_saves) == sorted(extent.datasets)
    assert len(killed_runs.killed) == len(in_saves) + extent.moments
    after = [killed for killed in killed_runs.killed if killed.when == "after"]
    assert len(after) < 0.3 * len(killed_runs.killed), killed_runs.killed


def test_no_incomplete_version_is_visible(killed_runs: KilledRuns) -> None:
    assert killed_runs.wrong == []


def test_the_final_run_has_the_results_of_an_undisturbed_run(
    killed_runs: KilledRuns, extent: Extent, undisturbed: dict[str, Any]
) -> None:
    assert set(killed_runs.found) == extent.datasets
    assert [name for name in killed_runs.found if killed_runs.found[name] != undisturbed[name]] == []


def files(folder: Path) -> dict[str, str]:
    """The checksum of every file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def hidden(folder: Path) -> list[Path]:
    """What has a hidden name, but for the checksums that Hadoop writes, and the folder where runs are announced."""
    return [path for path in folder.rglob(".*") if path.suffix != ".crc" and path.name not in (".running", ".mutex")]


def test_leftover_files_are_listed_and_removed_and_nothing_else_changes(
    runs: Runs, extent: Extent, killed_runs: KilledRuns
) -> None:
    """Each was killed in the middle of something, and left that, and its announcement."""
    data = runs.folder / "data"
    before = files(data)
    complete = {
        str(path.relative_to(data))
        for name, dataset in versioned_on_this_machine(runs.catalog(), extent.datasets).items()
        for version in dataset.list_versions(full_path=False)
        for path in (version_path(dataset, version), *version_path(dataset, version).rglob("*"))
    }
    listing = runs.kedro("runs", "clean", "--dry-run")
    left = re.findall(r"^(data/.*): (.*)$", listing, flags=re.MULTILINE)
    assert [what for _, what in left].count("lock file of a killed run") == len(killed_runs.killed)
    assert {"incomplete version", "draft of a file"} <= {what for _, what in left}
    assert files(data) == before

    assert f"{len(left)} leftover files removed" in runs.kedro("runs", "clean")
    after = files(data)
    assert complete & set(before) <= set(after)
    assert after.items() <= before.items()
    assert hidden(data) == []
    assert [path for path in data.rglob("*Z") if path.is_dir() and not any(path.iterdir())] == []
    assert "0 leftover files" in runs.kedro("runs", "clean", "--dry-run")


def test_after_an_error_the_printed_command_resumes_with_complete_versions(
    runs: Runs, extent: Extent, killed_runs: KilledRuns, undisturbed: dict[str, Any]
) -> None:
    """An unknown feature set fails the audit when rows have been sampled; the resumed run begins with it."""
    if f"{LABEL}.baselines" not in extent.datasets:
        pytest.skip("these runs end before the audit; make test-faults has those that do not")
    part = ("run", "--pipelines=sampling,modeling", f"--to-outputs={LABEL}.baselines")
    code, output = runs.try_kedro(*part, "--params=modeling.training.feature_sets=[banana]")
    assert code == 1
    (start,) = re.findall(r'--from-nodes\s+"([^"]+)"', output)
    assert f"{LABEL}.audit_features" in start.split(",")

    runs.kedro(*part, f"--from-nodes={start}")
    catalog = runs.catalog()
    summary, baselines = catalog.load("run_summary"), catalog.load(f"{LABEL}.baselines")
    assert summary.succeeded
    assert f"{LABEL}.select_development" not in {node.node for node in summary.nodes}
    assert baselines.model_dump(mode="json") == undisturbed[f"{LABEL}.baselines"]
