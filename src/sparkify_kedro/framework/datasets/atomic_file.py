"""What makes a dataset of one file write it whole or not at all."""

from __future__ import annotations

from copy import copy
from typing import Any
from uuid import uuid4

from kedro.io.core import DatasetError, get_filepath_str


class AtomicFileMixin:
    """``AtomicFileMixin``, before a dataset of kedro-datasets, writes beside the file's place and moves it there.

    The dataset's own ``save`` does the writing; only where it writes is changed. What it writes to is hidden, and keeps
    the file's ending, by which a compression may be told. A write that fails leaves nothing; one that is killed leaves
    that hidden file, which is no version.

    Where the catalog entry says ``metadata: {optional: true}``, a file that is not there loads as None instead of
    failing: what another pipeline may have made, or may not.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Keep the catalog able to write its entries out again, as ``kedro catalog resolve-patterns`` does."""
        inherits_constructor = "__init__" not in vars(cls)
        super().__init_subclass__(**kwargs)
        if inherits_constructor:
            # Around a constructor that is inherited, Kedro puts one that forgets the names of its arguments.
            del cls.__init__

    def load(self) -> Any:
        """The data; None where there is none and the entry is optional.

        Raises:
            DatasetError: where there is no such file, or it cannot be read.
        """
        if (self.metadata or {}).get("optional") and not self.exists():
            return None
        return super().load()

    def save(self, data: Any) -> None:
        """Write the data.

        Raises:
            DatasetError: where the version exists already, the data cannot be written, a folder lies in the file's
                place, or the file would be opened for anything but writing it anew.
        """
        place = self._get_save_path()
        path = get_filepath_str(place, self._protocol)
        self._refuse_what_is_not_whole(path)
        beside = place.with_name(f".writing.{uuid4().hex}.{place.name}")
        draft = get_filepath_str(beside, self._protocol)
        writer = copy(self)
        writer._get_save_path = lambda: beside
        try:
            # What Kedro puts around save looks for the version afterwards, and so belongs around this one only.
            super().save.__wrapped__(writer, data)
            self._fs.mv(draft, path)
        except BaseException:
            if self._fs.exists(draft):
                self._fs.rm(draft)
            raise
        self._invalidate_cache()

    def _refuse_what_is_not_whole(self, path: str) -> None:
        mode = self._fs_open_args_save["mode"]
        if "w" not in mode:
            raise DatasetError(f"A file is written whole here: open_args_save can be of mode 'w', not of '{mode}'.")
        if self._fs.isdir(path):
            raise DatasetError(f"{path} is a folder, where a file would be written: are these versions of it?")
