"""From the scores of the newest run to a decision."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from sparkify_kedro.framework.skipping import skippable

from .figure import draw_decision
from .nodes import list_contacts, weigh_contacts


def create_pipeline(label: str, algorithms: Sequence[str]) -> Pipeline:
    """How many users to contact, the figure of it, and the list; skipped where the label is.

    Args:
        label: the label whose users are scored.
        algorithms: the algorithms of which one is champion.
    """
    metadata = f"{label}.champion_metadata"
    return skippable(
        Pipeline(
            [
                Node(
                    func=weigh_contacts,
                    inputs={
                        "churn_scores": "churn_scores",
                        "champion_metadata": metadata,
                        "decision": "params:decision",
                        "evaluation": "params:modeling.evaluation",
                        **{
                            f"{algorithm}_{name}": f"{label}.{algorithm}.{name}"
                            for algorithm in algorithms
                            for name in ("out_of_fold", "predictions")
                        },
                    },
                    outputs="decision_report",
                    name="weigh_contacts",
                ),
                Node(
                    func=draw_decision,
                    inputs="decision_report",
                    outputs="decision_figure",
                    name="draw_decision",
                ),
                Node(
                    func=list_contacts,
                    inputs=[
                        "churn_scores",
                        "rows_to_score",
                        f"{label}.champion",
                        metadata,
                        "params:feature_registry",
                        "params:reason_themes",
                        "decision_report",
                        "params:decision",
                    ],
                    outputs="contact_list",
                    name="list_contacts",
                ),
            ]
        )
    )
