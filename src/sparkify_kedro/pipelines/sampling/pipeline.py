"""From features and labels to training and test rows, per label."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

from .nodes import balance_test, sample_as_original, sample_test, sample_train, select_development


def create_pipeline(labels: Iterable[str]) -> Pipeline:
    """The same samples for every label, each in the label's namespace."""
    return sum((_sample_label(label) for label in labels), Pipeline([]))


def _sample_label(label: str) -> Pipeline:
    return Pipeline(
        [
            Node(
                func=select_development,
                inputs=["user_time_bins", "params:split", "params:label_sampling"],
                outputs="development",
                name="select_development",
            ),
            Node(
                func=sample_train,
                inputs=["development", "params:split", "params:label_sampling"],
                outputs="train",
                name="sample_train",
            ),
            Node(
                func=sample_test,
                inputs=["user_time_bins", "params:split", "params:label_sampling"],
                outputs="test",
                name="sample_test",
            ),
            Node(
                func=balance_test,
                inputs=["test", "params:split", "params:label_sampling"],
                outputs="test_balanced",
                name="balance_test",
            ),
            Node(
                func=sample_as_original,
                inputs=["user_time_bins", "params:split", "params:label_sampling"],
                outputs="original_protocol_rows",
                name="sample_as_original",
            ),
        ],
        namespace=label,
        inputs={"user_time_bins"},
        parameters={
            "params:split": "params:sampling.split",
            "params:label_sampling": f"params:sampling.labels.{label}",
        },
        tags=[label],
    )
