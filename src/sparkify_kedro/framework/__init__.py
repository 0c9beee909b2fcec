"""Kedro and Spark: session, datasets, hooks, runs, errors and typed parameters; independent of the domain."""
