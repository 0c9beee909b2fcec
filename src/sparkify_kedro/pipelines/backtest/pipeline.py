"""Replay time over the rows of the newest run."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from .nodes import draw_backtest, replay_cuts


def create_pipeline(label: str, algorithms: Sequence[str]) -> Pipeline:
    """One table and one figure for one label, which must be a forecast of the next bin."""
    return Pipeline(
        [
            Node(
                func=replay_cuts,
                inputs=[
                    "user_time_bins",
                    "log_span",
                    "champion_metadata",
                    "comparison",
                    "params:backtest",
                    "params:modeling.training",
                    "params:modeling.evaluation",
                    *(f"params:modeling.{algorithm}" for algorithm in algorithms),
                ],
                outputs="backtest_table",
                name="replay_cuts",
            ),
            Node(
                func=draw_backtest,
                inputs="backtest_table",
                outputs="backtest_figure",
                name="draw_backtest",
            ),
        ],
        inputs={name: f"{label}.{name}" for name in ("champion_metadata", "comparison")},
    )
