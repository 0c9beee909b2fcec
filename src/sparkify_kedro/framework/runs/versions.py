"""Versions of datasets: which one a run reads, and where they lie on this machine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any, TypeGuard, TypeVar
from uuid import uuid4

from fsspec import AbstractFileSystem
from kedro.framework.context import KedroContext
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset, Version, VersionNotFoundError, is_parameter

# Kedro and kedro-datasets have no public names for a dataset's version, protocol, path and filesystem, nor for the path
# of a version: all use of these private attributes is in this module.

# As Kedro's session ids; a folder of another name is not a version.
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}\.\d{2}\.\d{2}\.\d{3}Z")
REMOVING = ".removing"

Dataset = Any  # kedro's base class does not declare the attributes that file-based datasets have
VersionedDataset = AbstractVersionedDataset[Any, Any]
AnyPath = TypeVar("AnyPath", bound=PurePath)


def catalog_of(context: KedroContext) -> DataCatalog:
    """The catalog of a context, whose type Kedro declares as a protocol with less in it.

    Raises:
        TypeError: where ``DATA_CATALOG_CLASS`` is not a ``DataCatalog``.
    """
    catalog = context.catalog
    if not isinstance(catalog, DataCatalog):
        raise TypeError(f"the catalog is a {type(catalog).__name__}, not a DataCatalog")
    return catalog


def is_versioned(dataset: object) -> TypeGuard[VersionedDataset]:
    """Whether every save of the dataset makes a version of its own."""
    return isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None


def versioned(catalog: DataCatalog, names: Iterable[str]) -> dict[str, VersionedDataset]:
    """The versioned datasets among the names."""
    datasets = {name: catalog.get(name) for name in names if not is_parameter(name)}
    return {name: dataset for name, dataset in datasets.items() if is_versioned(dataset)}


def newest(dataset: VersionedDataset) -> str | None:
    """The version that a load would read now; None where there is none."""
    try:
        version: str | None = dataset.resolve_load_version()
    except VersionNotFoundError:
        return None
    return version


def pin_newest(dataset: VersionedDataset) -> None:
    """From now on read the version that is the newest now, whatever other runs write; nothing where there is none."""
    version = newest(dataset)
    if version is not None:
        dataset._version = Version(version, dataset.resolve_save_version())


def pin_own(dataset: VersionedDataset) -> None:
    """From now on read the version that this run writes; until then the dataset does not exist for the run."""
    own = dataset.resolve_save_version()
    dataset._version = Version(own, own)


def is_optional(dataset: Dataset) -> bool:
    """Whether the catalog entry says ``metadata: {optional: true}``."""
    return bool(metadata_of(dataset).get("optional"))


def counts_in_provenance(dataset: Dataset) -> bool:
    """Whether what a node makes depends on the dataset: not where the entry says ``metadata: {provenance: false}``."""
    return bool(metadata_of(dataset).get("provenance", True))


def metadata_of(dataset: object) -> dict[str, Any]:
    """The ``metadata`` of the catalog entry; empty where it has none."""
    return getattr(dataset, "metadata", None) or {}


def file_of(dataset: Dataset) -> str:
    """The path of a dataset, as configured."""
    return str(dataset._filepath)


def protocol_of(dataset: Dataset) -> str | None:
    """``file``, or the protocol of a remote storage; None for data in memory."""
    protocol = getattr(dataset, "_protocol", None)
    return protocol or ("file" if hasattr(dataset, "_filepath") else None)


def filesystem_of(dataset: Dataset) -> AbstractFileSystem:
    """The filesystem in which a dataset lies."""
    if (filesystem := getattr(dataset, "_fs", None)) is not None:
        return filesystem
    from kedro_datasets._utils.spark_utils import get_spark_filesystem  # noqa: PLC0415 - it imports Spark

    return get_spark_filesystem(dataset._protocol)


def version_path(dataset: VersionedDataset, version: str) -> Path:
    """The file or folder of a version on this machine, whether it exists or not."""
    return Path(dataset._get_versioned_path(version))


def versions_folder(dataset: VersionedDataset) -> Path:
    """The folder that holds one folder per version."""
    return version_path(dataset, "version").parents[1]


def provenance_path(path: AnyPath) -> AnyPath:
    """The file with the provenance of a version: beside the version's file or folder."""
    return path.with_name(f"{path.name}.provenance.json")


def on_this_machine(catalog: DataCatalog, names: Iterable[str]) -> dict[str, Dataset]:
    """The datasets that lie on this machine, by name.

    Datasets in remote storage are left out: runs on other machines, which cannot be seen from here, may use them.
    """
    found = {name: catalog.get(name) for name in sorted(set(names)) if not is_parameter(name)}
    return {name: data for name, data in found.items() if data is not None and protocol_of(data) == "file"}


def versioned_on_this_machine(catalog: DataCatalog, names: Iterable[str]) -> dict[str, VersionedDataset]:
    """The versioned datasets that lie on this machine, by name."""
    return {name: data for name, data in on_this_machine(catalog, names).items() if is_versioned(data)}


def hide(path: Path) -> Path:
    """Rename a version to a hidden name in one move, so that it stops being a version before its files are deleted.

    Returns:
        The hidden path; cleanup finds what a killed process leaves there.
    """
    hidden = path.with_name(f"{REMOVING}.{uuid4().hex}.{path.name}")
    path.rename(hidden)
    return hidden


def delete(path: Path) -> None:
    """Delete a file or folder if it exists, and the version's folder if that is then empty; links are not followed."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if VERSION.fullmatch(path.parent.name):
        with suppress(OSError):  # not empty
            path.parent.rmdir()
