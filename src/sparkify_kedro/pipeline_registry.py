"""The table of contents: every pipeline by name."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from sparkify_kedro.learning.algorithms import ALGORITHMS
from sparkify_kedro.pipelines import (
    backtest,
    feature_engineering,
    ingestion,
    modeling,
    reporting,
    sampling,
    scoring,
    simulation,
)
from sparkify_kedro.pipelines.feature_engineering.labels import LABELS

# The label that looks ahead of the row it is forecast from, so that time can be replayed.
FORECAST = "will_churn_in_next_bin"


def register_pipelines() -> dict[str, Pipeline]:
    """Register the project's pipelines.

    ``__default__`` is everything from the raw log to the champions and the report. Not part of it are ``simulation``
    (it makes a log, and a run should not quietly train on one it has made itself), ``scoring`` (it uses champions that
    have been trained) and ``backtest`` (it trains a model for every cut date).
    """
    reading, engineering = ingestion.create_pipeline(), feature_engineering.create_pipeline()
    pipelines = {
        "simulation": simulation.create_pipeline(),
        "ingestion": reading,
        "feature_engineering": engineering,
        "sampling": sampling.create_pipeline(labels=LABELS),
        "modeling": modeling.create_pipeline(labels=LABELS, algorithms=tuple(ALGORITHMS)),
        "reporting": reporting.create_pipeline(labels=LABELS, algorithms=tuple(ALGORITHMS)),
        "scoring": scoring.create_pipeline(reading, engineering, labels=tuple(LABELS)),
        "backtest": backtest.create_pipeline(label=FORECAST, algorithms=tuple(ALGORITHMS)),
    }
    pipelines["__default__"] = (
        pipelines["ingestion"]
        + pipelines["feature_engineering"]
        + pipelines["sampling"]
        + pipelines["modeling"]
        + pipelines["reporting"]
    )
    return pipelines
