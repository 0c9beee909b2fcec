"""Project settings; what is not set here has Kedro's default."""

import warnings

from omegaconf.resolvers import oc

from sparkify_kedro.framework.hooks.runs import LineageHooks, RetentionHooks, RunningHooks
from sparkify_kedro.framework.hooks.session import InputHooks, PathHooks, ProgressHooks, RunSummaryHooks, SparkHooks
from sparkify_kedro.framework.skipping import SkippingCatalog

# Kedro 1.7 registers its resolvers by OmegaConf's older name; there is nothing a user could do about the warning.
warnings.filterwarnings("ignore", message=r"register_new_resolver\(\) is")
# Scoring and backtest read the champions out of the labels' namespaces: a dot that Kedro warns of, and that is meant.
warnings.filterwarnings("ignore", message="One or more dataset names contain '.' characters")

_lineage = LineageHooks()

# Kedro calls the last first: what cannot succeed is refused, and what would be read is looked at and held fast, before
# Spark starts; Spark's hooks come before those that need a configured session. Old versions go when the summary, which
# says what is still needed, has been written; and then the run is over.
HOOKS = (
    RunningHooks(),
    RetentionHooks(_lineage),
    RunSummaryHooks(_lineage),
    ProgressHooks(),
    SparkHooks(),
    _lineage,
    PathHooks(),
    InputHooks(),
)

# A label that cannot be learned leaves no version.
DATA_CATALOG_CLASS = SkippingCatalog

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"spark": ["spark*", "spark*/**"]},
    # conf/cluster takes its addresses from the environment.
    "custom_resolvers": {"oc.env": oc.env},
    # An environment holds only what differs from base, down to a single parameter.
    "merge_strategy": {"parameters": "soft", "spark": "soft"},
}
