"""The configuration loader of the project."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader


class CachedConfigLoader(OmegaConfigLoader):
    """Read each part of the configuration once per session.

    Kedro reads and resolves all files of a part on every access, about ten times in a run.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """A project without the user's own environment, such as a packaged one, has the base environment's settings."""
        super().__init__(*args, **kwargs)
        if self.env is None and not (Path(self.conf_source) / str(self.default_run_env)).is_dir():
            self.default_run_env = self.base_env

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The configuration of a part, as a copy that the caller may change."""
        if key not in self:
            self[key] = super().__getitem__(key)
        return deepcopy(super().__getitem__(key))
