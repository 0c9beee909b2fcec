"""From rows to rows with user types."""

from kedro.pipeline import Node, Pipeline

from .nodes import add_user_types, fit_user_types


def create_pipeline() -> Pipeline:
    """The types, and the rows with the features that come from them."""
    return Pipeline(
        [
            Node(
                func=fit_user_types,
                inputs=[
                    "user_time_bins",
                    "params:sampling.split",
                    "params:feature_engineering",
                    "params:user_types",
                ],
                outputs="user_types",
                name="fit_user_types",
            ),
            Node(
                func=add_user_types,
                inputs=["user_time_bins", "user_types"],
                outputs="typed_user_time_bins",
                name="add_user_types",
            ),
        ]
    )
