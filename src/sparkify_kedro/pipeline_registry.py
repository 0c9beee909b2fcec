"""The table of contents: every pipeline by name."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from sparkify_kedro.churn.vocabulary import FORECAST, HORIZON_LABELS, LABELS, LEVEL_LABELS
from sparkify_kedro.learning.algorithms import ALGORITHMS, DEFAULT_ALGORITHMS
from sparkify_kedro.pipelines import (
    backtest,
    decision,
    experiments,
    exploration,
    feature_engineering,
    ingestion,
    modeling,
    monitoring,
    multiclass,
    reporting,
    sampling,
    scoring,
    simulation,
    survival,
    user_types,
)


def register_pipelines() -> dict[str, Pipeline]:
    """Register the project's pipelines.

    ``__default__`` is everything from the raw log to the champions, the scores and the report. Not part of it are
    ``simulation`` (it makes a log, and a run should not quietly train on one it has made itself), ``recalibrate`` (it
    replaces a champion that has been trained), ``score_other_log`` (it uses a champion that has been trained),
    ``backtest`` (it trains a model for every landmark), ``experiments`` (it trains one for every variant),
    ``level_changes`` and ``other_horizons`` (downgrades, upgrades and the forecast for other horizons have models of
    their own), ``multiclass`` (it trains one model in place of three), ``exploration`` and ``survival`` (they describe
    the log, and take time) and ``all_algorithms`` (modeling and what follows with neural networks, too).
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
        "monitoring": monitoring.create_pipeline(),
        "recalibrate": monitoring.create_recalibration(FORECAST) + modeling.create_card(FORECAST),
        "reporting": reporting.create_pipeline(labels=LABELS, on_request=LEVEL_LABELS, algorithms=algorithms),
        "level_changes": (
            sampling.create_pipeline(labels=LEVEL_LABELS)
            + modeling.create_pipeline(labels=LEVEL_LABELS, algorithms=algorithms)
            + scoring.create_pipeline_for_labels(LEVEL_LABELS)
            + reporting.create_pipeline_for_labels(LEVEL_LABELS, algorithms=algorithms)
        ),
        "survival": survival.create_pipeline(),
        "other_horizons": (
            sampling.create_pipeline(labels=HORIZON_LABELS)
            + modeling.create_pipeline(labels=HORIZON_LABELS, algorithms=algorithms)
            + scoring.create_pipeline_for_labels(HORIZON_LABELS)
            + survival.create_curves(labels=HORIZON_LABELS, forecast=FORECAST)
        ),
        "all_algorithms": (
            modeling.create_pipeline(labels=LABELS, algorithms=every_algorithm)
            + scoring.create_pipeline()
            + decision.create_pipeline(label=FORECAST, algorithms=every_algorithm)
            + monitoring.create_pipeline()
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
        + pipelines["monitoring"]
        + pipelines["reporting"]
    )
    return pipelines
