"""Refuse what a run could only fail with later: unknown parameters, unusable paths and missing versions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

import pyspark
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.io.core import is_parameter
from kedro.pipeline import Pipeline
from kedro.validation.exceptions import ParameterValidationError
from omegaconf import OmegaConf

from ..parameters import unknown_parameters
from ..registry import makers_of, registered_pipelines
from ..runs.versions import is_optional, is_versioned

# Spark and fsspec each need a library for these.
_S3 = ("s3", "s3a", "s3n")
_JAR = "hadoop-aws"


class MissingVersionsError(LookupError):
    """A run would read versions that do not exist.

    Args:
        datasets: the datasets without a complete version, or without the requested one.
        requested: the requested versions by dataset (``--load-versions``).
        makers: the registered pipelines that make the datasets.
    """

    def __init__(self, datasets: Iterable[str], requested: Mapping[str, str], makers: Iterable[str]) -> None:
        """Build the message, which names what to run first."""
        names = sorted(datasets)
        if named := [name for name in names if name in requested]:
            versions = ", ".join(f"'{requested[name]}' of {name}" for name in named)
            message = f"There is no complete version {versions}: check --load-versions."
        else:
            pipelines = ",".join(sorted(makers))
            run = f"with kedro run --pipelines={pipelines}" if pipelines else "with the node that makes it"
            message = f"There is no complete version of {', '.join(names)} yet: create it first, {run}."
        super().__init__(message)


class InputHooks:
    """Check parameters, paths and versions before a run starts Spark."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Compare the parameters of the command line with those configured.

        Raises:
            ParameterValidationError: naming each unknown parameter and the closest known one.
        """
        self._spark_settings = context.config_loader["spark"]
        errors = list(_unknown(context)) if context.config_loader.runtime_params else []
        if errors:
            raise ParameterValidationError(" ".join(errors))

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any]) -> None:
        """Check the paths of the configuration and of ``--params``.

        Raises:
            ValueError: naming the dataset whose path is empty or has a ``..`` in it, or whose storage needs a library.
        """
        for name, entry in conf_catalog.items():
            if not isinstance(entry, dict) or "filepath" not in entry:
                continue
            path = entry["filepath"]
            if not path:
                raise ValueError(f"the path of {name} is empty: give a file, a folder or a glob ({name}=PATH)")
            if ".." in PurePosixPath(str(path)).parts:
                raise ValueError(f"the path of {name} contains '..' ({path}): give the full path")
            if str(path).partition("://")[0] in _S3:
                self._check_s3(name, path, entry["type"])

    def _check_s3(self, name: str, path: str, kind: str) -> None:
        if find_spec("s3fs") is None:
            raise ValueError(
                f"the path of {name} ({path}) is on S3, which needs the Python package s3fs: install it (the extra "
                "s3 of this project), or change storage in globals.yml"
            )
        # Datasets take seconds to import, and every command imports this module.
        from .. import datasets  # noqa: PLC0415
        from ..datasets.atomic_files import AtomicFileMixin  # noqa: PLC0415

        own = getattr(datasets, kind.rpartition(".")[2], object)
        if issubclass(own, AtomicFileMixin) or os.environ.get("SPARK_REMOTE"):
            return  # not Spark's file, or a server's Spark, which has its own libraries
        configured = " ".join(str(self._spark_settings.get(key, "")) for key in ("spark.jars", "spark.jars.packages"))
        jars = Path(pyspark.__file__).parent / "jars"
        if _JAR not in configured and not list(jars.glob(f"{_JAR}*.jar")):
            raise ValueError(
                f"the path of {name} ({path}) is on S3, for which Spark needs {_JAR}: name it in spark.jars.packages "
                "(spark.yml), or change storage in globals.yml"
            )

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Make sure that the versions which the run begins with exist.

        Raises:
            MissingVersionsError: naming the datasets and the pipelines that make them.
        """
        if run_params.get("only_missing_outputs"):
            return  # Kedro decides later which nodes run
        missing = [name for name in sorted(pipeline.inputs()) if not is_parameter(name) and _is_missing(catalog, name)]
        if missing:
            raise MissingVersionsError(missing, run_params.get("load_versions") or {}, makers_of(missing))


def _unknown(context: KedroContext) -> Iterator[str]:
    """A sentence per unknown parameter of the command line."""
    # A copy of the loader without runtime parameters and without the parts that were read with them.
    plain: Any = copy(context.config_loader)
    given, plain.runtime_params = plain.runtime_params or {}, {}
    plain.clear()
    # Kedro resolves ${runtime_params:...} when it loads the catalog: only the raw text, which has no public access,
    # has their names.
    in_base, in_environment, *_ = plain._read_raw_config("catalog")
    entries = "".join(OmegaConf.to_yaml(part) for part in (*in_base.values(), *in_environment.values()))
    of_catalog = set(re.findall(r"\$\{runtime_params:\s*(\w+)", entries))
    own = {key: value for key, value in given.items() if key not in of_catalog}
    if own:
        yield from unknown_parameters(own, dict.fromkeys(of_catalog) | dict(plain["parameters"]), _blocks())


def _blocks() -> set[str]:
    """The paths of all parameters that a node takes."""
    names = set[str]().union(*(pipeline.inputs() for pipeline in registered_pipelines().values()))
    return {name.removeprefix("params:") for name in names if is_parameter(name)}


def _is_missing(catalog: DataCatalog, name: str) -> bool:
    """Whether a versioned dataset that is not optional has no complete version."""
    dataset = catalog.get(name)
    return is_versioned(dataset) and not is_optional(dataset) and not dataset.exists()
