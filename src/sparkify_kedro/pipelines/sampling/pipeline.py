"""From features and labels to training and test rows, per label."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

from sparkify_kedro.framework.nodes import bind

from .nodes import sample_as_original, sample_test, sample_train, select_development


def create_pipeline(labels: Iterable[str]) -> Pipeline:
    """The same samples for every label, each in the label's namespace."""
    return sum((_sample_label(label) for label in labels), Pipeline([]))


def _sample_label(label: str) -> Pipeline:
    return Pipeline(
        [
            Node(
                func=bind(select_development, label=label),
                inputs=["typed_user_time_bins", "params:split", "params:label_sampling"],
                outputs="development",
                name="select_development",
            ),
            Node(
                func=bind(sample_train, label=label),
                inputs=["development", "params:split", "params:label_sampling"],
                outputs="train",
                name="sample_train",
            ),
            Node(
                func=bind(sample_test, label=label),
                inputs=["typed_user_time_bins", "params:split", "params:label_sampling"],
                outputs="test",
                name="sample_test",
            ),
            Node(
                func=bind(sample_as_original, label=label),
                inputs=["typed_user_time_bins", "params:split", "params:label_sampling"],
                outputs="original_protocol_rows",
                name="sample_as_original",
            ),
        ],
        namespace=label,
        inputs={"typed_user_time_bins"},
        parameters={
            "params:split": "params:sampling.split",
            "params:label_sampling": f"params:sampling.labels.{label}",
        },
        tags=[label],
    )
