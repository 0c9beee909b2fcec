"""Project settings; what is not set here has Kedro's default."""

from omegaconf.resolvers import oc

from sparkify_kedro.hooks import RunSummaryHooks, SparkHooks

# Kedro calls the last first: Spark's hooks come first, so that the others find a configured session.
HOOKS = (RunSummaryHooks(), SparkHooks())

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"spark": ["spark*", "spark*/**"]},
    # conf/cluster takes its addresses from the environment.
    "custom_resolvers": {"oc.env": oc.env},
    # An environment holds only what differs from base, down to a single parameter.
    "merge_strategy": {"parameters": "soft", "spark": "soft"},
}
