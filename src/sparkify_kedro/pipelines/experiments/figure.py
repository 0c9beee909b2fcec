"""The figure of the experiments."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from sparkify_kedro.churn.figure_style import BLUE, DOTTED, GRAY, ORANGE, finish, interval_bars, plain, words

_COLORS = {"better": BLUE, "worse": ORANGE, "no difference shown": GRAY}
_PIXELS_PER_VARIANT = 26


def draw_experiments(experiment_table: pd.DataFrame) -> go.Figure:
    """The difference in average precision of every variant, with its 95 % interval.

    Args:
        experiment_table: one row per variant.

    Returns:
        A line per variant, in the order of the table; variants without a difference are left out.
    """
    compared = experiment_table[experiment_table["verdict"].notna()]
    figure = go.Figure()
    names = [plain(words(name)) for name in compared["variant"]]
    for verdict, color in _COLORS.items():
        rows = compared[compared["verdict"] == verdict]
        if rows.empty:
            continue
        figure.add_scatter(
            x=rows["difference"],
            y=[plain(words(name)) for name in rows["variant"]],
            mode="markers",
            marker={"color": color, "size": 10},
            error_x=interval_bars(rows["difference"], rows["difference_low"], rows["difference_high"]),
            text=[
                f"{plain(str(row.asks))}<br>average precision {row.average_precision:.3f}, {row.seconds:.0f} s"
                for row in rows.itertuples()
            ],
            hovertemplate="%{text}<br>difference %{x:.3f}<extra></extra>",
            name=verdict,
        )
    figure.add_vline(x=0, line=DOTTED)
    figure.update_xaxes(title_text="difference in average precision from what the variant is compared with")
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=names[::-1])
    return finish(
        figure,
        "Experiments: other settings against the default",
        "A dot is the difference in average precision out of fold on the same rows, with its 95 % interval over users. "
        "Where the interval includes zero, no difference is shown. Of many variants one in twenty differs by chance.",
        height=190 + _PIXELS_PER_VARIANT * max(len(names), 1),
    )
