"""From training rows to models, scores and champions."""

from collections.abc import Iterable, Sequence

from kedro.pipeline import Node, Pipeline

from sparkify_kedro.skipping import passing_on

from .model_card import write_model_card
from .nodes import (
    audit_features,
    choose_champion,
    compare_algorithms,
    describe_champion,
    evaluate,
    judge_as_original,
    judge_baselines,
    keep_champion,
    predict,
    search_model,
)

_OF_LABEL = ("training", "leak_audit", "evaluation", "comparison")
_OF_ALGORITHM = ("search", "metrics", "original_protocol", "model")


def create_pipeline(labels: Iterable[str], algorithms: Sequence[str]) -> Pipeline:
    """The same models, scores and champion for every label, in namespaces ``label`` and ``label.algorithm``.

    A label that cannot be learned is skipped, and the others are not.
    """
    return passing_on(sum((_model_label(label, algorithms) for label in labels), Pipeline([])))


def _model_label(label: str, algorithms: Sequence[str]) -> Pipeline:
    models = sum((_model_algorithm(label, algorithm) for algorithm in algorithms), Pipeline([]))
    around = Pipeline(
        [
            Node(
                func=audit_features,
                inputs=[
                    "calibration_rows",
                    "feature_catalogue",
                    "params:training",
                    "params:leak_audit",
                    "params:label",
                ],
                outputs="feature_audit",
                name="audit_features",
            ),
            Node(
                func=judge_baselines,
                inputs=["calibration_rows", "test", "feature_audit", "params:evaluation"],
                outputs="baselines",
                name="judge_baselines",
            ),
            Node(
                func=choose_champion,
                inputs=["params:comparison", *_of_each(algorithms, "search")],
                outputs="choice",
                name="choose_champion",
            ),
            Node(
                func=keep_champion,
                inputs=["choice", *_of_each(algorithms, "model")],
                outputs="champion",
                name="keep_champion",
            ),
            Node(
                func=describe_champion,
                inputs=[
                    "champion",
                    "choice",
                    "feature_audit",
                    "calibration_rows",
                    "params:feature_engineering",
                    "params:evaluation",
                ],
                outputs="champion_card",
                name="describe_champion",
            ),
            Node(
                func=compare_algorithms,
                inputs=[
                    "choice",
                    "baselines",
                    "params:comparison",
                    *_of_each(algorithms, "metrics", "original_protocol"),
                ],
                outputs="comparison",
                name="compare_algorithms",
            ),
            Node(
                func=write_model_card,
                inputs=["champion_card", "comparison", "log_span", "run_so_far"],
                outputs="model_card",
                name="write_model_card",
            ),
        ],
        namespace=label,
        inputs={
            **{name: name for name in ("feature_catalogue", "log_span", "run_so_far")},
            **{
                f"{algorithm}_{name}": f"{label}.{algorithm}.{name}"
                for algorithm in algorithms
                for name in _OF_ALGORITHM
            },
        },
        parameters={
            "params:label": f"params:sampling.labels.{label}.label",
            "params:feature_engineering": "params:feature_engineering",
            **{f"params:{name}": f"params:modeling.{name}" for name in _OF_LABEL},
        },
        tags=[label],
    )
    return models + around


def _model_algorithm(label: str, algorithm: str) -> Pipeline:
    return Pipeline(
        [
            Node(
                func=search_model,
                inputs=[
                    "train",
                    "calibration_rows",
                    "feature_audit",
                    "params:training",
                    "params:algorithm",
                    "params:evaluation",
                ],
                outputs=["model", "search"],
                name="search_model",
            ),
            Node(
                func=predict,
                inputs=["model", "test"],
                outputs="predictions",
                name="predict",
            ),
            Node(
                func=evaluate,
                inputs=["predictions", "test", "test_balanced", "search", "params:evaluation"],
                outputs="metrics",
                name="evaluate",
            ),
            Node(
                func=judge_as_original,
                inputs=[
                    "original_protocol_rows",
                    "feature_audit",
                    "search",
                    "params:training",
                    "params:algorithm",
                    "params:evaluation",
                ],
                outputs="original_protocol",
                name="judge_as_original",
            ),
        ],
        namespace=f"{label}.{algorithm}",
        inputs={
            name: f"{label}.{name}"
            for name in (
                "train",
                "test",
                "test_balanced",
                "calibration_rows",
                "original_protocol_rows",
                "feature_audit",
            )
        },
        parameters={
            "params:training": "params:modeling.training",
            "params:evaluation": "params:modeling.evaluation",
            "params:algorithm": f"params:modeling.{algorithm}",
        },
        tags=[label, algorithm],
    )


def _of_each(algorithms: Sequence[str], *names: str) -> list[str]:
    return [f"{algorithm}_{name}" for algorithm in algorithms for name in names]
