"""Experiments with the forecast, over the rows of the newest run."""

from collections.abc import Mapping
from typing import Any

from kedro.pipeline import Node, Pipeline

from sparkify_kedro.framework.nodes import bind
from sparkify_kedro.framework.variants import Variant, inputs_of

from .figure import draw_experiments
from .nodes import OF_VARIANT, compare_experiments, run_experiments


def create_pipeline(training: Pipeline, label: str, algorithms: tuple[str, ...]) -> Pipeline:
    """Variants of one label's models.

    Args:
        training: all from events to the models of the label.
        label: the label.
        algorithms: those to choose from.
    """
    outputs = {algorithm: [f"{label}.{algorithm}.{name}" for name in OF_VARIANT] for algorithm in algorithms}

    def make_variant(algorithm: str, data: Mapping[str, Any], changes: Mapping[str, Any]) -> Variant:
        return Variant(training, outputs[algorithm], data, changes)

    data = inputs_of(training, [name for names in outputs.values() for name in names])
    return Pipeline(
        [
            Node(
                func=bind(run_experiments, make_variant=make_variant),
                inputs={
                    "experiments": "params:experiments",
                    "earlier_results": "earlier_experiment_results",
                    "run_so_far": "run_so_far",
                    **{name: name for name in data},
                },
                outputs=["experiment_scores", "experiment_results"],
                name="run_experiments",
            ),
            Node(
                func=compare_experiments,
                inputs=[
                    "params:experiments",
                    "params:modeling.evaluation",
                    "experiment_results",
                    "experiment_scores",
                ],
                outputs="experiment_table",
                name="compare_experiments",
            ),
            Node(
                func=draw_experiments,
                inputs="experiment_table",
                outputs="experiment_figure",
                name="draw_experiments",
            ),
        ]
    )
