"""Backtest over the rows of the newest run."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from .nodes import draw_backtest, replay_landmarks


def create_pipeline(label: str, algorithms: Sequence[str]) -> Pipeline:
    """One table and one figure for one label, a forecast of the next bin."""
    return Pipeline(
        [
            Node(
                func=replay_landmarks,
                inputs={
                    **{name: name for name in ("user_time_bins", "champion_metadata", "comparison")},
                    "backtest": "params:backtest",
                    "training": "params:modeling.training",
                    "sampling": f"params:sampling.labels.{label}",
                    "user_types": "params:user_types",
                    "evaluation": "params:modeling.evaluation",
                    **{algorithm: f"params:modeling.{algorithm}" for algorithm in algorithms},
                },
                outputs="backtest_table",
                name="replay_landmarks",
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
