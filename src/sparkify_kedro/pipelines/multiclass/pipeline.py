"""From rows with features to models of several classes, and their comparison with the binary models of a run."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from sparkify_kedro.framework.nodes import bind
from sparkify_kedro.framework.skipping import skippable

from .figure import draw_multiclass
from .nodes import compare_with_binary, select_class_rows, train_classes

# The label whose features suit every class: it includes the window as well as the horizon.
WITH_WINDOW = "will_churn_soon"


def create_pipeline(labels: Sequence[str], algorithms: Sequence[str]) -> Pipeline:
    """A model per algorithm, in the namespace ``multiclass``, against the binary models of the labels."""
    models = sum((_train(algorithm) for algorithm in algorithms), Pipeline([]))
    return skippable(_select() + models + _compare(labels, algorithms))


def _select() -> Pipeline:
    return Pipeline(
        [
            Node(
                func=select_class_rows,
                inputs=["typed_user_time_bins", "params:sampling.split"],
                outputs="multiclass.rows",
                name="select_class_rows",
            ),
        ]
    )


def _train(algorithm: str) -> Pipeline:
    return Pipeline(
        [
            Node(
                func=train_classes,
                inputs=[
                    "rows",
                    "feature_audit",
                    "params:training",
                    "params:algorithm",
                    "params:multiclass",
                ],
                outputs=["model", "class_scores"],
                name="train_classes",
            ),
        ],
        namespace=f"multiclass.{algorithm}",
        inputs={"rows": "multiclass.rows", "feature_audit": f"{WITH_WINDOW}.feature_audit"},
        parameters={
            "params:training": "params:modeling.training",
            "params:algorithm": f"params:modeling.{algorithm}",
            "params:multiclass": "params:multiclass",
        },
        tags=[algorithm],
    )


def _compare(labels: Sequence[str], algorithms: Sequence[str]) -> Pipeline:
    return Pipeline(
        [
            Node(
                func=bind(compare_with_binary, algorithms=tuple(algorithms)),
                inputs={
                    "evaluation": "params:modeling.evaluation",
                    **{f"{algorithm}_class_scores": f"multiclass.{algorithm}.class_scores" for algorithm in algorithms},
                    **{
                        f"{label}_{algorithm}_{name}": f"{label}.{algorithm}.{name}"
                        for label in labels
                        for algorithm in algorithms
                        for name in ("out_of_fold", "predictions")
                    },
                },
                outputs="multiclass_table",
                name="compare_with_binary",
            ),
            Node(
                func=draw_multiclass,
                inputs="multiclass_table",
                outputs="multiclass_figure",
                name="draw_multiclass",
            ),
        ]
    )
