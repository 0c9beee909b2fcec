"""Text files that are there whole or not at all."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, ClassVar

from kedro_datasets.text import TextDataset

from .atomic_file import AtomicFileMixin


class AtomicTextDataset(AtomicFileMixin, TextDataset):
    """``AtomicTextDataset`` is ``text.TextDataset`` that writes beside the file's place and moves it there.

    A version whose write was cut off does not exist. A version is a folder beside the file's place with the file in it:
    of ``report/report.html`` it is ``report/<version>/report.html``, so that a text can lie in the same folder as the
    version of what it is about.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        report:
          type: sparkify_kedro.framework.datasets.AtomicTextDataset
          filepath: data/08_reporting/report/report.html
          versioned: true
        ```

        Using the [Python API](https://docs.kedro.org/en/stable/catalog-data/advanced_data_catalog_usage/):

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dataset = AtomicTextDataset(filepath=f"{folder}/note.txt")
        ...     dataset.save("Nothing is lost.")
        ...     dataset.load()
        'Nothing is lost.'
    """

    # Whatever the machine's own encoding is.
    DEFAULT_FS_ARGS: ClassVar[dict[str, Any]] = {
        "open_args_save": {"mode": "w", "encoding": "utf-8"},
        "open_args_load": {"mode": "r", "encoding": "utf-8"},
    }

    def _get_versioned_path(self, version: str) -> PurePosixPath:
        # Kedro's own path refuses versions that would lead elsewhere.
        file = super()._get_versioned_path(version)
        return file.parents[2] / version / file.name
