"""The configuration loader of the project."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from kedro.config import OmegaConfigLoader


class CachedConfigLoader(OmegaConfigLoader):
    """Read each part of the configuration once per session.

    Kedro reads and resolves all files of a part on every access, about ten times in a run.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The configuration of a part, as a copy that the caller may change."""
        if key not in self:
            self[key] = super().__getitem__(key)
        return deepcopy(super().__getitem__(key))
