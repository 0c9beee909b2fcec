"""A JSON file is there whole or not at all, and no version is written twice."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest
from kedro.io.core import DatasetError, Version

from sparkify_kedro.datasets import AtomicJSONDataset, atomic_json_dataset

FIRST, SECOND, THIRD = (f"2026-01-0{day}T00.00.00.000Z" for day in (1, 2, 3))


def versioned(folder: Path, load: str | None = None, save: str | None = None) -> AtomicJSONDataset:
    """A new dataset without memory of what was looked up before."""
    return AtomicJSONDataset(filepath=f"{folder}/metrics.json", version=Version(load, save))


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_versions_exist_and_load_as_they_were(tmp_path: Path) -> None:
    """The latest is the second; the first can be asked for; nothing but the files themselves is left."""
    assert not versioned(tmp_path).exists()

    versioned(tmp_path, save=FIRST).save({"auc_pr": 0.2})
    assert versioned(tmp_path).exists()
    assert versioned(tmp_path).load() == {"auc_pr": 0.2}

    versioned(tmp_path, save=SECOND).save({"auc_pr": 0.3, "auc_roc": None})
    assert versioned(tmp_path).load() == {"auc_pr": 0.3, "auc_roc": None}
    assert versioned(tmp_path, load=FIRST).load() == {"auc_pr": 0.2}
    assert versioned(tmp_path).list_versions(full_path=False) == [SECOND, FIRST]
    assert files(tmp_path) == ["metrics.json", "metrics.json"]


def test_a_write_that_was_cut_off_is_no_version(tmp_path: Path) -> None:
    """What it leaves is the draft beside the file's place."""
    versioned(tmp_path, save=FIRST).save({"auc_pr": 0.2})
    unfinished = tmp_path / "metrics.json" / SECOND
    unfinished.mkdir()
    (unfinished / ".metrics.json.0123456789abcdef.writing").write_text('{"auc_p')

    assert versioned(tmp_path).resolve_load_version() == FIRST
    assert versioned(tmp_path).load() == {"auc_pr": 0.2}
    assert versioned(tmp_path).list_versions(full_path=False) == [FIRST]
    assert versioned(tmp_path, load=FIRST).exists()
    assert not versioned(tmp_path, load=SECOND).exists()


def test_a_value_that_fails_half_way_is_no_version(tmp_path: Path) -> None:
    """The first key is written when the second one fails."""
    versioned(tmp_path, save=FIRST).save({"auc_pr": 0.2})

    with pytest.raises(DatasetError, match="not JSON serializable"):
        versioned(tmp_path, save=SECOND).save({"auc_pr": 0.3, "auc_roc": object()})

    assert versioned(tmp_path).list_versions(full_path=False) == [FIRST]
    assert versioned(tmp_path).load() == {"auc_pr": 0.2}


def test_a_version_is_not_overwritten(tmp_path: Path) -> None:
    versioned(tmp_path, save=FIRST).save({"auc_pr": 0.2})

    with pytest.raises(DatasetError, match=f"{tmp_path}/metrics.json/{FIRST}/metrics.json.* must not exist"):
        versioned(tmp_path, save=FIRST).save({"auc_pr": 0.9})

    assert versioned(tmp_path).load() == {"auc_pr": 0.2}


def test_without_versions_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """A value that cannot be written leaves the old file as it was."""
    dataset = AtomicJSONDataset(filepath=f"{tmp_path}/metrics.json")
    dataset.save({"auc_pr": 0.2})
    dataset.save({"auc_pr": 0.3})
    assert dataset.load() == {"auc_pr": 0.3}

    with pytest.raises(DatasetError, match="not JSON serializable"):
        dataset.save({"auc_pr": 0.4, "auc_roc": object()})

    assert dataset.load() == {"auc_pr": 0.3}


def test_a_path_where_nothing_is_is_named(tmp_path: Path) -> None:
    missing = {
        versioned(tmp_path, load=FIRST): f"{tmp_path}/metrics.json/{FIRST}/metrics.json",
        versioned(tmp_path): f"{tmp_path}/metrics.json",
        AtomicJSONDataset(filepath=f"{tmp_path}/nowhere.json"): f"{tmp_path}/nowhere.json",
    }
    for dataset, told in missing.items():
        assert not dataset.exists()
        with pytest.raises(DatasetError) as caught:
            dataset.load()
        assert told in str(caught.value)


def test_a_file_url_works_like_the_path(tmp_path: Path) -> None:
    versioned(tmp_path, save=FIRST).save({"auc_pr": 0.2})
    by_url = AtomicJSONDataset(filepath=f"file://{tmp_path}/metrics.json", version=Version(None, SECOND))
    assert by_url.load() == {"auc_pr": 0.2}

    by_url.save({"auc_pr": 0.3})

    assert versioned(tmp_path).load() == {"auc_pr": 0.3}
    assert versioned(tmp_path).list_versions(full_path=False) == [SECOND, FIRST]


def test_save_args_are_those_of_json(tmp_path: Path) -> None:
    dataset = AtomicJSONDataset(filepath=f"{tmp_path}/metrics.json", save_args={"indent": None, "sort_keys": True})

    dataset.save({"b": 1, "a": 2})

    assert (tmp_path / "metrics.json").read_text() == json.dumps({"a": 2, "b": 1})


def test_the_docstring_examples_run() -> None:
    outcome = doctest.testmod(atomic_json_dataset)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_a_place_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    """The clean-up after a failed write does not hide why it failed."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match=r"Not a directory|File exists"):
        AtomicJSONDataset(filepath=str(tmp_path / "file" / "metrics.json")).save({})
    assert (tmp_path / "file").read_text() == "in the way"
