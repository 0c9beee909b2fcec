"""Only versions on this machine are considered, and a removed version is hidden in one step."""

from __future__ import annotations

from pathlib import Path

from kedro.io import DataCatalog

from sparkify_kedro.framework.runs.versions import (
    delete,
    hide,
    on_this_machine,
    version_path,
    versioned_on_this_machine,
    versions_folder,
)

VERSION = "2026-01-01T00.00.00.000Z"
TEXT, JSON = (f"sparkify_kedro.framework.datasets.Atomic{kind}Dataset" for kind in ("Text", "JSON"))


def catalog(folder: Path) -> DataCatalog:
    return DataCatalog.from_config(
        {
            "choice": {"type": JSON, "filepath": f"{folder}/choice.json", "versioned": True},
            "card": {"type": TEXT, "filepath": f"{folder}/champion/card.md", "versioned": True},
            "plain": {"type": JSON, "filepath": f"{folder}/plain.json"},
            "far": {"type": JSON, "filepath": "memory://bucket/far.json", "versioned": True},
            "held": {"type": "MemoryDataset"},
        }
    )


def test_only_local_versioned_datasets_are_considered(tmp_path: Path) -> None:
    names = ["choice", "card", "plain", "far", "held", "params:runs", "unknown"]
    assert set(on_this_machine(catalog(tmp_path), names)) == {"choice", "card", "plain"}
    assert set(versioned_on_this_machine(catalog(tmp_path), names)) == {"choice", "card"}


def test_the_path_of_a_version(tmp_path: Path) -> None:
    """A text's versions lie beside its version_path, as those of what it is about do."""
    known = catalog(tmp_path)
    assert version_path(known["choice"], VERSION) == tmp_path / "choice.json" / VERSION / "choice.json"
    assert versions_folder(known["choice"]) == tmp_path / "choice.json"
    assert version_path(known["card"], VERSION) == tmp_path / "champion" / VERSION / "card.md"
    assert versions_folder(known["card"]) == tmp_path / "champion"


def test_a_hidden_version_is_complete_but_not_a_version(tmp_path: Path) -> None:
    dataset = catalog(tmp_path)["choice"]
    path = version_path(dataset, VERSION)
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert dataset.list_versions(full_path=False) == [VERSION]

    aside = hide(path)
    assert dataset.list_versions() == []
    assert aside.read_text() == "{}"

    delete(aside)
    delete(aside)
    assert list((tmp_path / "choice.json").iterdir()) == []


def test_a_version_folder_with_other_files_stays(tmp_path: Path) -> None:
    folder = tmp_path / "champion" / VERSION
    (folder / "champion").mkdir(parents=True)
    (folder / "card.md").write_text("")
    delete(folder / "champion")
    assert [path.name for path in folder.iterdir()] == ["card.md"]
