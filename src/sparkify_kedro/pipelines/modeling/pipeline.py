"""From training rows to models, scores and champions."""

from collections.abc import Iterable, Sequence

from kedro.pipeline import Node, Pipeline

from sparkify_kedro.framework.nodes import bind
from sparkify_kedro.framework.skipping import skippable
from sparkify_kedro.learning.portable import to_portable

from .model_card import write_model_card
from .nodes import (
    audit_features,
    compare_algorithms,
    compare_out_of_fold,
    describe_champion,
    evaluate,
    evaluate_as_original,
    evaluate_baselines,
    keep_champion,
    predict,
    search_model,
    select_champion,
)

_OF_LABEL = ("train", "test", "development", "original_protocol_rows", "feature_audit")
_OF_ALGORITHM = ("search_report", "out_of_fold", "metrics", "model")


def create_pipeline(labels: Iterable[str], algorithms: Sequence[str]) -> Pipeline:
    """The same models, scores and champion for every label, in namespaces ``label`` and ``label.algorithm``.

    A label that cannot be learned is skipped without affecting the others.
    """
    return skippable(sum((_model_label(label, algorithms) for label in labels), Pipeline([])))


def create_card(label: str) -> Pipeline:
    """Model card and plain JSON of a label's champion that was not trained but recalibrated."""
    card = Pipeline(
        [_card("write_card_of_recalibrated")],
        namespace=label,
        inputs={"log_span": "log_span", "run_so_far": "run_so_far"},
        tags=[label],
    )
    # Folded into one node with the card, which reads reports, it would make a model of them: kedro viz has an order.
    return card + Pipeline([_export("export_recalibrated", f"{label}.")])


def _card(name: str) -> Node:
    return Node(
        func=write_model_card,
        inputs=["champion_metadata", "comparison", "log_span", "run_so_far"],
        outputs="model_card",
        name=name,
    )


def _export(name: str, prefix: str = "") -> Node:
    return Node(
        func=to_portable,
        inputs=[f"{prefix}champion", f"{prefix}champion_metadata"],
        outputs=f"{prefix}portable_champion",
        name=name,
    )


def _model_label(label: str, algorithms: Sequence[str]) -> Pipeline:
    models = sum((_model_algorithm(label, algorithm) for algorithm in algorithms), Pipeline([]))
    champion = Pipeline(
        [
            Node(
                func=bind(audit_features, label=label),
                inputs=["development", "params:feature_registry", "params:training", "params:leak_audit"],
                outputs="feature_audit",
                name="audit_features",
            ),
            Node(
                func=evaluate_baselines,
                inputs=["development", "test", "feature_audit", "params:evaluation"],
                outputs="baselines",
                name="evaluate_baselines",
            ),
            Node(
                func=compare_out_of_fold,
                inputs={"evaluation": "params:evaluation", **_by_algorithm(algorithms, "out_of_fold")},
                outputs="paired_differences",
                name="compare_out_of_fold",
            ),
            Node(
                func=select_champion,
                inputs={
                    "selection_rule": "params:selection_rule",
                    "paired_differences": "paired_differences",
                    **_by_algorithm(algorithms, "search_report"),
                },
                outputs="champion_selection",
                name="select_champion",
            ),
            Node(
                func=keep_champion,
                inputs={"champion_selection": "champion_selection", **_by_algorithm(algorithms, "model")},
                outputs="champion",
                name="keep_champion",
            ),
            Node(
                func=describe_champion,
                inputs=[
                    "champion",
                    "champion_selection",
                    "feature_audit",
                    "user_types",
                    "development",
                    "params:feature_engineering",
                    "params:evaluation",
                ],
                outputs="champion_metadata",
                name="describe_champion",
            ),
            Node(
                func=compare_algorithms,
                inputs={
                    "champion_selection": "champion_selection",
                    "baselines": "baselines",
                    "selection_rule": "params:selection_rule",
                    **_by_algorithm(algorithms, "metrics"),
                },
                outputs="comparison",
                name="compare_algorithms",
            ),
            _card("write_model_card"),
            _export("export_champion"),
        ],
        namespace=label,
        inputs={
            **{name: name for name in ("log_span", "run_so_far", "user_types")},
            **{
                f"{algorithm}_{name}": f"{label}.{algorithm}.{name}"
                for algorithm in algorithms
                for name in _OF_ALGORITHM
            },
        },
        parameters={
            "params:feature_engineering": "params:feature_engineering",
            "params:feature_registry": "params:feature_registry",
            **{
                f"params:{name}": f"params:modeling.{name}"
                for name in ("training", "leak_audit", "evaluation", "selection_rule")
            },
        },
        tags=[label],
    )
    return models + champion


def _model_algorithm(label: str, algorithm: str) -> Pipeline:
    return Pipeline(
        [
            Node(
                func=search_model,
                inputs=[
                    "train",
                    "development",
                    "feature_audit",
                    "params:training",
                    "params:algorithm",
                    "params:label_sampling",
                    "params:evaluation",
                ],
                outputs=["model", "search_report", "out_of_fold"],
                name="search_model",
            ),
            Node(
                func=predict,
                inputs=["model", "test"],
                outputs="predictions",
                name="predict",
            ),
            Node(
                func=evaluate_as_original,
                inputs=[
                    "original_protocol_rows",
                    "search_report",
                    "params:training",
                    "params:algorithm",
                    "params:evaluation",
                ],
                outputs="original_protocol",
                name="evaluate_as_original",
            ),
            Node(
                func=evaluate,
                inputs=["predictions", "search_report", "original_protocol", "params:evaluation"],
                outputs="metrics",
                name="evaluate",
            ),
        ],
        namespace=f"{label}.{algorithm}",
        inputs={name: f"{label}.{name}" for name in _OF_LABEL},
        parameters={
            "params:training": "params:modeling.training",
            "params:evaluation": "params:modeling.evaluation",
            "params:algorithm": f"params:modeling.{algorithm}",
            "params:label_sampling": f"params:sampling.labels.{label}",
        },
        tags=[label, algorithm],
    )


def _by_algorithm(algorithms: Sequence[str], name: str) -> dict[str, str]:
    """The dataset of each algorithm, by algorithm."""
    return {algorithm: f"{algorithm}_{name}" for algorithm in algorithms}
