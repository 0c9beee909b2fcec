"""From training rows to models, scores and champions."""

from collections.abc import Iterable, Sequence

from kedro.pipeline import Node, Pipeline

from .nodes import compare_algorithms, evaluate, keep_champion, predict, search_model


def create_pipeline(labels: Iterable[str], algorithms: Sequence[str]) -> Pipeline:
    """The same model, scores and champion for every label, in namespaces ``label`` and ``label.algorithm``."""
    return sum((_model_label(label, algorithms) for label in labels), Pipeline([]))


def _model_label(label: str, algorithms: Sequence[str]) -> Pipeline:
    models = sum((_model_algorithm(label, algorithm) for algorithm in algorithms), Pipeline([]))
    champion = Pipeline(
        [
            Node(
                func=compare_algorithms,
                inputs=["params:comparison", *_of_each(algorithms, "search", "metrics")],
                outputs="comparison",
                name="compare_algorithms",
            ),
            Node(
                func=keep_champion,
                inputs=["comparison", *_of_each(algorithms, "model")],
                outputs="champion",
                name="keep_champion",
            ),
        ],
        namespace=label,
        inputs={
            f"{algorithm}_{name}": f"{label}.{algorithm}.{name}"
            for algorithm in algorithms
            for name in ("search", "metrics", "model")
        },
        parameters={"params:comparison": "params:modeling.comparison"},
        tags=[label],
    )
    return models + champion


def _model_algorithm(label: str, algorithm: str) -> Pipeline:
    return Pipeline(
        [
            Node(
                func=search_model,
                inputs=["train", "params:training", "params:algorithm"],
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
                inputs=["predictions", "test_balanced"],
                outputs="metrics",
                name="evaluate",
            ),
        ],
        namespace=f"{label}.{algorithm}",
        inputs={name: f"{label}.{name}" for name in ("train", "test", "test_balanced")},
        parameters={
            "params:training": "params:modeling.training",
            "params:algorithm": f"params:modeling.{algorithm}",
        },
        tags=[label, algorithm],
    )


def _of_each(algorithms: Sequence[str], *names: str) -> list[str]:
    return [f"{algorithm}_{name}" for algorithm in algorithms for name in names]
