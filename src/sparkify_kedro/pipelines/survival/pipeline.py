"""From events to survival curves, and from the scores of several horizons to a curve per user."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from sparkify_kedro.framework.nodes import bind
from sparkify_kedro.framework.skipping import skippable

from .figure import draw_survival
from .horizons import draw_curves, join_horizons
from .nodes import EVERYONE, KINDS, estimate_survival, observe_lifetimes


def create_pipeline() -> Pipeline:
    """How long the users of the log stay."""
    return Pipeline(
        [
            Node(
                func=observe_lifetimes,
                inputs=["events", "log_span"],
                outputs="lifetimes",
                name="observe_lifetimes",
            ),
            Node(
                func=estimate_survival,
                inputs=["lifetimes", "params:survival"],
                outputs="survival_report",
                name="estimate_survival",
            ),
            Node(
                func=draw_survival,
                inputs="survival_report",
                outputs={kind: f"survival_{kind}_figure" for kind in (EVERYONE, *KINDS)},
                name="draw_survival",
            ),
        ]
    )


def create_curves(labels: Sequence[str], forecast: str) -> Pipeline:
    """The probabilities of the same users at several horizons; skipped where a label is.

    Args:
        labels: labels whose horizon differs from the forecast's, scored in namespaces of their own.
        forecast: the label of ``churn_scores``.
    """
    scores = {f"{label}_scores": f"{label}.churn_scores" for label in labels}
    everything = (*labels, forecast)
    return skippable(
        Pipeline(
            [
                Node(
                    func=bind(join_horizons, labels=everything),
                    inputs={
                        **scores,
                        f"{forecast}_scores": "churn_scores",
                        **{f"{label}_metadata": f"{label}.champion_metadata" for label in everything},
                    },
                    outputs=["forecast_curves", "horizon_report"],
                    name="join_horizons",
                ),
                Node(
                    func=draw_curves,
                    inputs=["forecast_curves", "horizon_report", "params:survival"],
                    outputs="forecast_curves_figure",
                    name="draw_curves",
                ),
            ]
        )
    )
