"""Behavior specific to JSON; test_atomic_files.py covers what all files share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kedro.io.core import DatasetError, Version

from sparkify_kedro.framework.datasets import AtomicJSONDataset

FIRST, SECOND = (f"2026-01-0{day}T00.00.00.000Z" for day in (1, 2))


def versioned(folder: Path, load: str | None = None, save: str | None = None) -> AtomicJSONDataset:
    """A new dataset without memory of what was looked up before."""
    return AtomicJSONDataset(filepath=f"{folder}/metrics.json", version=Version(load, save))


def test_a_value_that_fails_during_writing_leaves_no_version(tmp_path: Path) -> None:
    """The first key is written when the second one fails."""
    versioned(tmp_path, save=FIRST).save({"auc_pr": 0.2})

    with pytest.raises(DatasetError, match="not JSON serializable"):
        versioned(tmp_path, save=SECOND).save({"auc_pr": 0.3, "auc_roc": object()})

    assert versioned(tmp_path).list_versions(full_path=False) == [FIRST]
    assert versioned(tmp_path).load() == {"auc_pr": 0.2}


def test_a_value_that_fails_during_writing_keeps_the_old_file(tmp_path: Path) -> None:
    dataset = AtomicJSONDataset(filepath=f"{tmp_path}/metrics.json")
    dataset.save({"auc_pr": 0.3})

    with pytest.raises(DatasetError, match="not JSON serializable"):
        dataset.save({"auc_pr": 0.4, "auc_roc": object()})

    assert dataset.load() == {"auc_pr": 0.3}


def test_save_args_are_passed_to_json(tmp_path: Path) -> None:
    dataset = AtomicJSONDataset(filepath=f"{tmp_path}/metrics.json", save_args={"indent": None, "sort_keys": True})

    dataset.save({"b": 1, "a": 2})

    assert (tmp_path / "metrics.json").read_text() == json.dumps({"a": 2, "b": 1})
