"""The configuration loader of the project."""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader

# By the digest of what they were read from: parts of the configuration, for all sessions of this process.
_parts: dict[str, dict[str, Any]] = {}
# A file that refers to environment variables says something else when they change.
_OF_ENVIRONMENT = b"oc.env"


class CachedConfigLoader(OmegaConfigLoader):
    """Read each part of the configuration once, as long as its files and the parameters of the run are the same.

    Kedro reads and resolves all files of a part on every access, about ten times in a run, which takes half a second
    each time.
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
            digest = self._digest(key)
            if digest is None:
                self[key] = super().__getitem__(key)
            else:
                if digest not in _parts:
                    _parts[digest] = super().__getitem__(key)
                self[key] = _parts[digest]
        return deepcopy(super().__getitem__(key))

    def _digest(self, key: str) -> str | None:
        """Of all that a part depends on; None where that is more than local files and the parameters of the run."""
        environments = (self.base_env, self.env or self.default_run_env)
        folders = [Path(self.conf_source) / str(environment) for environment in environments]
        if not folders[0].is_dir():  # in an archive, or on another machine
            return None
        try:
            asked_for = json.dumps([key, environments, self.runtime_params], sort_keys=True)
        except TypeError:  # a program may give any object as a parameter
            return None
        digest = hashlib.sha256(asked_for.encode())
        for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
            content = path.read_bytes()
            if _OF_ENVIRONMENT in content:
                return None
            digest.update(f"{path.relative_to(self.conf_source)} {len(content)} ".encode() + content)
        return digest.hexdigest()
