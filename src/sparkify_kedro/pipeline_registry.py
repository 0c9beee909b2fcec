"""The table of contents: every pipeline by name."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from sparkify_kedro.churn.vocabulary import FORECAST, LABELS, LEVEL_LABELS
from sparkify_kedro.learning.algorithms import ALGORITHMS, DEFAULT_ALGORITHMS
from sparkify_kedro.pipelines import (
    backtest,
    decision,
    experiments,
    exploration,
    feature_engineering,
    ingestion,
    modeling,
    multiclass,
    reporting,
    sampling,
    scoring,
    simulation,
    user_types,
)


def register_pipelines() -> dict[str, Pipeline]:
    """Register the project's pipelines.

    ``__default__`` is everything from the raw log to the champions, the scores and the report. Not part of it are
    ``simulation`` (it makes a log, and a run should not quietly train on one it has made itself),
    ``score_other_log`` (it uses a champion that has been trained), ``backtest`` (it trains a model for every landmark),
    ``experiments`` (it trains one for every variant), ``level_changes`` (downgrades and upgrades have models of their
    own), ``multiclass`` (it trains one model in place of three), ``exploration`` (its figures describe the log, and
    take time) and ``all_algorithms`` (modeling and what follows with neural networks, too).
    """
    reading, engineering = ingestion.create_pipeline(), feature_engineering.create_pipeline()
    typing, algorithms, every_algorithm = user_types.create_pipeline(), DEFAULT_ALGORITHMS, tuple(ALGORITHMS)
    of_forecast = (
        engineering
        + typing
        + sampling.create_pipeline(labels=[FORECAST])
        + modeling.create_pipeline(labels=[FORECAST], algorithms=every_algorithm)
    )
    pipelines = {
        "simulation": simulation.create_pipeline(),
        "ingestion": reading,
        "feature_engineering": engineering,
        "user_types": typing,
        "sampling": sampling.create_pipeline(labels=LABELS),
        "modeling": modeling.create_pipeline(labels=LABELS, algorithms=algorithms),
        "scoring": scoring.create_pipeline(),
        "decision": decision.create_pipeline(label=FORECAST, algorithms=algorithms),
        "reporting": reporting.create_pipeline(labels=LABELS, on_request=LEVEL_LABELS, algorithms=algorithms),
        "level_changes": (
            sampling.create_pipeline(labels=LEVEL_LABELS)
            + modeling.create_pipeline(labels=LEVEL_LABELS, algorithms=algorithms)
            + scoring.create_pipeline_for_labels(LEVEL_LABELS)
            + reporting.create_pipeline_for_labels(LEVEL_LABELS, algorithms=algorithms)
        ),
        "all_algorithms": (
            modeling.create_pipeline(labels=LABELS, algorithms=every_algorithm)
            + scoring.create_pipeline()
            + decision.create_pipeline(label=FORECAST, algorithms=every_algorithm)
            + reporting.create_pipeline(labels=LABELS, on_request=LEVEL_LABELS, algorithms=every_algorithm)
        ),
        "score_other_log": scoring.create_pipeline_for_another_log(reading, engineering),
        "exploration": exploration.create_pipeline(),
        "multiclass": multiclass.create_pipeline(labels=LABELS, algorithms=algorithms),
        "backtest": backtest.create_pipeline(label=FORECAST, algorithms=every_algorithm),
        "experiments": experiments.create_pipeline(of_forecast, label=FORECAST, algorithms=every_algorithm),
    }
    pipelines["__default__"] = (
        pipelines["ingestion"]
        + pipelines["feature_engineering"]
        + pipelines["user_types"]
        + pipelines["sampling"]
        + pipelines["modeling"]
        + pipelines["scoring"]
        + pipelines["decision"]
        + pipelines["reporting"]
    )
    return pipelines
