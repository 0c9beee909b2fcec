"""Project settings; what is not set here has Kedro's default."""

from __future__ import annotations

import sys
import warnings
from importlib.util import find_spec
from typing import Any

from omegaconf.resolvers import oc

from sparkify_kedro.framework.config import CachedConfigLoader
from sparkify_kedro.framework.hooks.inputs import InputHooks
from sparkify_kedro.framework.hooks.lineage import LineageHooks
from sparkify_kedro.framework.hooks.locks import RunLockHooks
from sparkify_kedro.framework.hooks.progress import ProgressHooks
from sparkify_kedro.framework.hooks.retention import RetentionHooks
from sparkify_kedro.framework.hooks.run_summary import RunSummaryHooks
from sparkify_kedro.framework.hooks.spark import SparkHooks
from sparkify_kedro.framework.skipping import SkippingCatalog
from sparkify_kedro.tracking.hooks import TrackingHooks

# Kedro 1.7 registers its resolvers by OmegaConf's older name, which users cannot change.
warnings.filterwarnings("ignore", message=r"register_new_resolver\(\) is")
# Pipelines read datasets out of the labels' namespaces, whose names contain a dot; Kedro warns of such names.
warnings.filterwarnings("ignore", message="One or more dataset names contain '.' characters")

# Kedro tries to import ibis for each of the thousand parameters in the catalog, and Python searches all paths each time
# for a package that is not installed: a quarter of the time of a command without Spark.
if find_spec("ibis") is None:
    sys.modules["ibis"] = None  # type: ignore[assignment]  # as the import system documents for what cannot be imported

_lineage = LineageHooks()

# Each hook states by tryfirst and trylast what must run before it: the order here has no meaning.
HOOKS = (
    InputHooks(),
    _lineage,
    SparkHooks(),
    ProgressHooks(),
    RunSummaryHooks(_lineage),
    RunLockHooks(),
    RetentionHooks(),
    TrackingHooks(),
)

# A label that cannot be learned is skipped without failing the run.
DATA_CATALOG_CLASS = SkippingCatalog

CONFIG_LOADER_CLASS = CachedConfigLoader
CONFIG_LOADER_ARGS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"spark": ["spark*", "spark*/**"]},
    # conf/cluster takes its addresses from environment variables.
    "custom_resolvers": {"oc.env": oc.env},
    # An environment holds only what differs from base, down to a single parameter.
    "merge_strategy": {"parameters": "soft", "spark": "soft"},
}
