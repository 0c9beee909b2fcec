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

    def __init__(
        self, conf_source: str, env: str | None = None, runtime_params: dict[str, Any] | None = None, **options: Any
    ) -> None:
        """Creates a new instance; a project without the folder of the default environment has the settings of base."""
        default = options.get("default_run_env")
        if env is None and default and not (Path(conf_source) / default).is_dir():
            options["default_run_env"] = options["base_env"]
        super().__init__(conf_source, env, runtime_params, **options)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The configuration of a part, as a copy that the caller may change."""
        if key not in self:
            self[key] = super().__getitem__(key)
        return deepcopy(super().__getitem__(key))
