"""JSON, CSV, figure and text files are complete or do not exist, and no version is written twice."""

from __future__ import annotations

import csv
import doctest
import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest
from fsspec.implementations.local import LocalFileOpener, LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kedro.io.core import AbstractDataset, DatasetError, Version
from kedro_viz.models.flowchart.node_metadata import DataNodeMetadata
from kedro_viz.models.flowchart.nodes import GraphNode

from sparkify_kedro.framework.datasets import (
    AtomicCSVDataset,
    AtomicJSONDataset,
    AtomicPlotlyDataset,
    AtomicTextDataset,
)

FIRST, SECOND = (f"2026-01-0{day}T00.00.00.000Z" for day in (1, 2))


@dataclass(frozen=True)
class Kind:
    """A dataset, the name of its file, and two values to write to it."""

    dataset: type[AbstractDataset]
    name: str
    value: Any
    other: Any

    def place(self, version: str) -> str:
        """Where a version lies, as seen from the folder."""
        return f"{version}/{self.name}" if self.dataset is AtomicTextDataset else f"{self.name}/{version}/{self.name}"

    def versioned(self, folder: Path | str, load: str | None = None, save: str | None = None) -> AbstractDataset:
        """A new dataset without memory of what was looked up before."""
        return self.dataset(filepath=f"{folder}/{self.name}", version=Version(load, save))

    def plain(self, folder: Path | str, ending: str = "", **options: Any) -> AbstractDataset:
        return self.dataset(filepath=f"{folder}/{self.name}{ending}", **options)


JSON = Kind(AtomicJSONDataset, "metrics.json", {"auc_pr": 0.2}, {"auc_pr": 0.3, "auc_roc": None})
CSV = Kind(
    AtomicCSVDataset,
    "users.csv",
    pd.DataFrame({"user_id": [7, 12], "level": ["paid", "free"], "risk": [0.5, None]}),
    pd.DataFrame({"user_id": [7], "level": ["free"], "risk": [0.25]}),
)
FIGURE = Kind(
    AtomicPlotlyDataset,
    "figure.json",
    go.Figure(go.Bar(x=["free", "paid"], y=[0.3, 0.2]), layout={"title": {"text": "Churn by level"}}),
    go.Figure(go.Scatter(x=[0, 1], y=[1, 0])),
)
TEXT = Kind(AtomicTextDataset, "report.html", "<p>Ünïcödé ♪ 🎵</p>\n", "<p>another</p>\n")


@pytest.fixture(params=[JSON, CSV, FIGURE, TEXT], ids=["json", "csv", "figure", "text"])
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def bucket() -> Iterator[str]:
    """A place that, like an object store, cannot rename: a move copies and deletes."""
    yield "memory:///bucket"
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def same(one: Any, other: Any) -> bool:
    return one.equals(other) if isinstance(one, pd.DataFrame) else one == other


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def fail_to_write(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Half of what should be written is, before the error."""

    def write(file: LocalFileOpener, data: bytes) -> None:
        file.f.write(data[: len(data) // 2])
        raise error

    monkeypatch.setattr(LocalFileOpener, "write", write)


def fail_to_move(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """All is written, and stays where it is."""

    def move(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(LocalFileSystem, "mv", move)


Fail = Callable[[pytest.MonkeyPatch, BaseException], None]
FAILURES = pytest.mark.parametrize("fail", [fail_to_write, fail_to_move], ids=["write", "move"])


def test_versions_exist_and_load_as_they_were(kind: Kind, tmp_path: Path) -> None:
    """The latest is the second; the first can be asked for; nothing but the files themselves is left."""
    assert not kind.versioned(tmp_path).exists()

    kind.versioned(tmp_path, save=FIRST).save(kind.value)
    assert kind.versioned(tmp_path).exists()
    assert same(kind.versioned(tmp_path).load(), kind.value)

    kind.versioned(tmp_path, save=SECOND).save(kind.other)
    assert same(kind.versioned(tmp_path).load(), kind.other)
    assert same(kind.versioned(tmp_path, load=FIRST).load(), kind.value)
    assert kind.versioned(tmp_path).list_versions(full_path=False) == [SECOND, FIRST]
    assert files(tmp_path) == [kind.place(version) for version in (FIRST, SECOND)]


def test_one_dataset_saves_version_after_version(kind: Kind, tmp_path: Path) -> None:
    """As in a notebook, where Kedro names the versions, and each save is loaded."""
    dataset = kind.versioned(tmp_path)
    for value in (kind.value, kind.other):
        dataset.save(value)
        assert same(dataset.load(), value)
        time.sleep(0.002)  # Kedro names versions by the millisecond
    assert len(files(tmp_path)) == 2


def test_different_values_are_not_equal() -> None:
    """So that the tests of this file can fail."""
    for kind in (JSON, CSV, FIGURE, TEXT):
        assert not same(kind.value, kind.other)


@FAILURES
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failed_write_leaves_no_files(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: Fail, error: type[BaseException]
) -> None:
    """The disk is full, or the user interrupts the process."""
    kind.versioned(tmp_path, save=FIRST).save(kind.value)
    with monkeypatch.context() as patched:
        fail(patched, error("cut off"))
        with pytest.raises((DatasetError, KeyboardInterrupt), match="cut off"):
            kind.versioned(tmp_path, save=SECOND).save(kind.other)

    assert files(tmp_path) == [kind.place(FIRST)]
    assert not kind.versioned(tmp_path, load=SECOND).exists()
    assert same(kind.versioned(tmp_path).load(), kind.value)

    kind.versioned(tmp_path, save=SECOND).save(kind.other)
    assert same(kind.versioned(tmp_path).load(), kind.other)


@FAILURES
def test_a_killed_write_is_not_a_version(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: Fail
) -> None:
    """It leaves files beside the version's path, which affect no later run."""
    kind.versioned(tmp_path, save=FIRST).save(kind.value)
    with monkeypatch.context() as patched:
        fail(patched, KeyboardInterrupt())
        patched.setattr(LocalFileSystem, "rm", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            kind.versioned(tmp_path, save=SECOND).save(kind.other)

    (left,) = set(files(tmp_path)) - {kind.place(FIRST)}
    assert left.startswith(f"{kind.place(SECOND).removesuffix(kind.name)}.writing.")
    assert kind.versioned(tmp_path).resolve_load_version() == FIRST
    assert kind.versioned(tmp_path).list_versions(full_path=False) == [FIRST]
    assert kind.versioned(tmp_path, load=FIRST).exists()
    assert not kind.versioned(tmp_path, load=SECOND).exists()
    assert same(kind.versioned(tmp_path).load(), kind.value)

    kind.versioned(tmp_path, save=SECOND).save(kind.other)
    assert same(kind.versioned(tmp_path).load(), kind.other)


def test_a_version_is_not_overwritten(kind: Kind, tmp_path: Path) -> None:
    kind.versioned(tmp_path, save=FIRST).save(kind.value)

    with pytest.raises(DatasetError, match=f"{tmp_path}/{kind.place(FIRST)}.* must not exist"):
        kind.versioned(tmp_path, save=FIRST).save(kind.other)

    assert same(kind.versioned(tmp_path).load(), kind.value)
    assert files(tmp_path) == [kind.place(FIRST)]


@FAILURES
def test_a_file_without_versions_is_replaced_atomically(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: Fail
) -> None:
    """A write that fails leaves the old file as it was."""
    dataset = kind.plain(tmp_path)
    dataset.save(kind.value)
    dataset.save(kind.other)
    assert same(dataset.load(), kind.other)

    with monkeypatch.context() as patched:
        fail(patched, OSError("cut off"))
        with pytest.raises(DatasetError, match="cut off"):
            dataset.save(kind.value)

    assert same(dataset.load(), kind.other)
    assert files(tmp_path) == [kind.name]


def test_a_missing_path_is_named(kind: Kind, tmp_path: Path) -> None:
    missing = {
        kind.versioned(tmp_path, load=FIRST): f"{tmp_path}/{kind.place(FIRST)}",
        kind.versioned(tmp_path): f"{tmp_path}/{kind.name}",
        kind.plain(tmp_path): f"{tmp_path}/{kind.name}",
    }
    for dataset, message in missing.items():
        assert not dataset.exists()
        with pytest.raises(DatasetError) as caught:
            dataset.load()
        assert message in str(caught.value)


def test_a_file_url_works_like_the_path(kind: Kind, tmp_path: Path) -> None:
    kind.versioned(tmp_path, save=FIRST).save(kind.value)
    by_url = kind.versioned(f"file://{tmp_path}", save=SECOND)
    assert same(by_url.load(), kind.value)

    by_url.save(kind.other)

    assert same(kind.versioned(tmp_path).load(), kind.other)
    assert kind.versioned(tmp_path).list_versions(full_path=False) == [SECOND, FIRST]


def test_a_filesystem_without_rename_works(kind: Kind, bucket: str) -> None:
    kind.versioned(bucket, save=FIRST).save(kind.value)
    kind.versioned(bucket, save=SECOND).save(kind.other)

    assert same(kind.versioned(bucket).load(), kind.other)
    assert same(kind.versioned(bucket, load=FIRST).load(), kind.value)
    assert sorted(MemoryFileSystem.store) == [f"/bucket/{kind.place(version)}" for version in (FIRST, SECOND)]


def test_compression_is_inferred_from_the_suffix(kind: Kind, tmp_path: Path) -> None:
    inferred = {"open_args_save": {"compression": "infer"}, "open_args_load": {"compression": "infer"}}
    dataset = kind.plain(tmp_path, ".gz", fs_args=inferred)

    dataset.save(kind.value)

    assert (tmp_path / f"{kind.name}.gz").read_bytes().startswith(b"\x1f\x8b")
    assert same(dataset.load(), kind.value)


@pytest.mark.parametrize("mode", ["a", "ab", "x", "r+"])
def test_only_write_modes_are_accepted(kind: Kind, tmp_path: Path, mode: str) -> None:
    """What is added to a draft would be all that is left of the file."""
    kind.plain(tmp_path).save(kind.value)

    with pytest.raises(DatasetError, match="open_args_save needs a mode with 'w'"):
        kind.plain(tmp_path, fs_args={"open_args_save": {"mode": mode}}).save(kind.other)

    assert same(kind.plain(tmp_path).load(), kind.value)


def test_a_folder_at_the_path_is_refused(kind: Kind, tmp_path: Path) -> None:
    """The versions are there, and the entry has lost its ``versioned``."""
    (tmp_path / kind.name / FIRST).mkdir(parents=True)

    with pytest.raises(DatasetError, match=f"{tmp_path}/{kind.name} is a folder"):
        kind.plain(tmp_path).save(kind.other)

    assert files(tmp_path) == []


def test_a_missing_optional_dataset_loads_as_none(kind: Kind, tmp_path: Path) -> None:
    """So that a report can be made before anybody has been scored; what is there loads as ever."""
    optional = {"metadata": {"optional": True}}
    missing = kind.dataset(filepath=f"{tmp_path}/{kind.name}", version=Version(None, FIRST), **optional)
    assert missing.load() is None
    assert not missing.exists()
    missing.save(kind.value)
    again = kind.dataset(filepath=f"{tmp_path}/{kind.name}", version=Version(None, None), **optional)
    assert same(again.load(), kind.value)


@pytest.mark.parametrize("version", ["..", "../elsewhere", "a/b", ""])
def test_a_version_with_path_separators_is_refused(kind: Kind, tmp_path: Path, version: str) -> None:
    folder = tmp_path / "folder"
    with pytest.raises(DatasetError, match="not allowed"):
        kind.dataset(filepath=f"{folder}/{kind.name}", version=Version(version, None))._get_versioned_path(version)


def test_a_read_only_folder_is_reported(kind: Kind, tmp_path: Path) -> None:
    """The clean-up after a failed write does not hide why it failed."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match=r"Not a directory|File exists"):
        kind.plain(tmp_path / "file").save(kind.value)
    assert (tmp_path / "file").read_text() == "in the way"


def test_none_is_not_saved(kind: Kind, tmp_path: Path) -> None:
    """What Kedro holds for every dataset holds for these: it is still around the save."""
    with pytest.raises(DatasetError, match="Saving 'None'"):
        kind.versioned(tmp_path).save(None)
    assert files(tmp_path) == []


def test_an_entry_can_be_exported_from_the_catalog(kind: Kind, tmp_path: Path) -> None:
    dataset = kind.versioned(tmp_path, save=FIRST)

    again = AbstractDataset.from_config("again", dataset._init_config(), save_version=FIRST)

    assert type(again) is kind.dataset
    assert str(again) == str(dataset)


@pytest.mark.parametrize(
    ("kind", "preview_type"),
    [(JSON, "JSONPreview"), (CSV, "TablePreview"), (FIGURE, "PlotlyPreview")],
    ids=["json", "csv", "figure"],
)
def test_kedro_viz_previews_the_latest_version(kind: Kind, preview_type: str, tmp_path: Path) -> None:
    """By its kind: a table is shown as a table, and a figure is drawn."""
    kind.versioned(tmp_path, save=FIRST).save(kind.other)
    kind.versioned(tmp_path, save=SECOND).save(kind.value)
    node = GraphNode.create_data_node(
        dataset_id="shown",
        dataset_name="shown",
        layer=None,
        tags=set(),
        dataset=kind.versioned(tmp_path),
        modular_pipelines=None,
    )

    shown = DataNodeMetadata(data_node=node)

    assert shown.preview_type == preview_type
    if kind is JSON:
        assert shown.preview == '{"auc_pr": 0.2}'
    if kind is CSV:
        assert shown.preview["columns"] == ["user_id", "level", "risk"]
        assert shown.preview["data"][0] == [7, "paid", 0.5]
    if kind is FIGURE:
        assert shown.preview["data"] == [{"type": "bar", "x": ["free", "paid"], "y": [0.3, 0.2]}]
        assert shown.preview["layout"]["title"] == {"text": "Churn by level"}


def test_the_docstring_examples_run(kind: Kind) -> None:
    outcome = doctest.testmod(inspect.getmodule(kind.dataset))
    assert outcome.attempted > 0
    assert outcome.failed == 0


TEXTS = st.lists(
    st.one_of(st.none(), st.text(st.sampled_from("=+-@'\t1a\"é,"), min_size=1, max_size=5)), min_size=1, max_size=8
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts=TEXTS)
def test_formulas_are_escaped_and_restored(texts: list[str | None], tmp_path: Path) -> None:
    """A user may be called =HYPERLINK(...), and the list of users at risk is opened in a spreadsheet."""
    data = pd.DataFrame({"user_id": texts, "change": [-0.5] * len(texts)})
    options = {"load_args": {"dtype": {"user_id": str}, "keep_default_na": False, "na_values": [""]}}
    dataset = CSV.plain(tmp_path, save_args={"index": False}, **options)
    dataset.save(data)
    with (tmp_path / CSV.name).open(newline="") as file:
        written = [row["user_id"] for row in csv.DictReader(file)]
    assert not [cell for cell in written if cell[:1] in set("=+-@\t\r") - {""} and cell]
    again = dataset.load()
    assert [None if pd.isna(text) else text for text in again["user_id"]] == texts
    assert again["change"].tolist() == data["change"].tolist()
