"""Which version of a dataset a run reads: what was there when it began, and what it has written itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import TypeVar

from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset, Version, VersionNotFoundError, is_parameter

Place = TypeVar("Place", bound=PurePath)


def note_of(place: Place) -> Place:
    """Where it is written down what a version was made from: beside the file or folder that the version is."""
    return place.with_name(f"{place.name}.made.json")


def versioned(catalog: DataCatalog, names: Iterable[str]) -> dict[str, AbstractVersionedDataset]:
    """Those of the names whose datasets have versions."""
    datasets = {name: catalog.get(name) for name in names if not is_parameter(name)}
    return {name: dataset for name, dataset in datasets.items() if has_versions(dataset)}


def has_versions(dataset: object) -> bool:
    """Whether every save of the dataset is a version of its own."""
    return isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None


def newest(dataset: AbstractVersionedDataset) -> str | None:
    """The version that a load would read now; None where there is none."""
    try:
        return dataset.resolve_load_version()
    except VersionNotFoundError:
        return None


def pin_newest(dataset: AbstractVersionedDataset) -> None:
    """Whatever other runs write from now on, this run reads what is the newest version now, if there is one."""
    version = newest(dataset)
    if version is not None:
        dataset._version = Version(version, dataset._version.save)


def pin_own(dataset: AbstractVersionedDataset) -> None:
    """This run reads what it writes itself, though another run should write a later version meanwhile.

    Until it has written that, the dataset does not exist for it.
    """
    own = dataset.resolve_save_version()
    dataset._version = Version(own, own)
