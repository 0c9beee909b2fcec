"""The table of contents: every pipeline by name."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from sparkify_kedro.pipelines import feature_engineering, ingestion, modeling, sampling, simulation
from sparkify_kedro.pipelines.feature_engineering.labels import LABELS
from sparkify_kedro.pipelines.modeling.algorithms import ALGORITHMS


def register_pipelines() -> dict[str, Pipeline]:
    """Register the project's pipelines.

    ``__default__`` is everything from the raw log to the champions. ``simulation`` is not part of it: it makes a log,
    and a run should not quietly train on one it has made itself.
    """
    pipelines = {
        "simulation": simulation.create_pipeline(),
        "ingestion": ingestion.create_pipeline(),
        "feature_engineering": feature_engineering.create_pipeline(),
        "sampling": sampling.create_pipeline(labels=LABELS),
        "modeling": modeling.create_pipeline(labels=LABELS, algorithms=tuple(ALGORITHMS)),
    }
    pipelines["__default__"] = (
        pipelines["ingestion"] + pipelines["feature_engineering"] + pipelines["sampling"] + pipelines["modeling"]
    )
    return pipelines
