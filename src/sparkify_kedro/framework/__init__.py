"""Kedro and Spark: session, datasets, hooks, runs, errors and typed parameters. Nothing in here depends on the domain."""
