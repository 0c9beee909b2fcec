"""Where the versions of datasets lie on this machine, and how one is taken away so that there is never half of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from kedro.io import DataCatalog
from kedro.io.core import AbstractDataset, AbstractVersionedDataset, is_parameter

from .versions import has_versions

# As Kedro's clock gives them; a folder of another name is none of ours.
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}\.\d{2}\.\d{2}\.\d{3}Z")
REMOVING = ".removing"


def on_this_machine(catalog: DataCatalog, names: Iterable[str]) -> dict[str, AbstractDataset]:
    """Those of the datasets that lie in folders of this machine, by name.

    In a bucket other machines may write, of which nobody here knows: what lies there is left alone.
    """
    data = sorted(name for name in set(names) if not is_parameter(name))
    found = {name: catalog.get(name) for name in data}
    return {name: dataset for name, dataset in found.items() if getattr(dataset, "_protocol", None) == "file"}


def versioned_on_this_machine(catalog: DataCatalog, names: Iterable[str]) -> dict[str, AbstractVersionedDataset]:
    """Those of the datasets that have versions, in folders of this machine, by name."""
    return {name: dataset for name, dataset in on_this_machine(catalog, names).items() if has_versions(dataset)}


def place(dataset: AbstractVersionedDataset, version: str) -> Path:
    """The file or folder that a version is, in the version's folder, whether it is there or not."""
    return Path(dataset._get_versioned_path(version))


def folder_of_versions(dataset: AbstractVersionedDataset) -> Path:
    """The folder that holds a folder for each version."""
    return place(dataset, "version").parents[1]


def set_aside(path: Path) -> Path:
    """Give a version a hidden name, in one move, so that it is no version any more before anything of it is deleted.

    Returns:
        Its new place; what a process that is killed before it has deleted it leaves there is no version.
    """
    aside = path.with_name(f"{REMOVING}.{uuid4().hex}.{path.name}")
    path.rename(aside)
    return aside


def delete(path: Path) -> None:
    """Delete a file or a folder, if it is there, and the version's folder if that is then empty; follow no link."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if VERSION.fullmatch(path.parent.name):
        with suppress(OSError):  # something else is in there
            path.parent.rmdir()
