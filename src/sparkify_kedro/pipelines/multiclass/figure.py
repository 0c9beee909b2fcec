"""The figure of models of several classes."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from sparkify_kedro.churn.figure_style import ALGORITHM_COLORS, DOTTED, GRAY, finish, interval_bars, words

_PIXELS_PER_LINE = 34


def draw_multiclass(multiclass_table: pd.DataFrame) -> go.Figure:
    """The difference in average precision between one model of all classes and a binary model, by label and algorithm.

    Args:
        multiclass_table: one row per label and algorithm.

    Returns:
        A dot per label and algorithm with its 95 % interval over users; none where a label could not be ranked.
    """
    compared = multiclass_table[multiclass_table["difference_low"].notna()]
    figure = go.Figure()
    for algorithm, rows in compared.groupby("algorithm", sort=False):
        figure.add_scatter(
            x=rows["difference"],
            y=[*map(_line, rows["label"], rows["algorithm"])],
            mode="markers",
            marker={"color": ALGORITHM_COLORS.get(str(algorithm), GRAY), "size": 10},
            error_x=interval_bars(rows["difference"], rows["difference_low"], rows["difference_high"]),
            text=[
                f"average precision {row.multiclass_average_precision:.3f}, of the binary model "
                f"{row.binary_average_precision:.3f}"
                for row in rows.itertuples()
            ],
            hovertemplate="%{text}<br>difference %{x:.3f}<extra></extra>",
            name=words(str(algorithm)),
        )
    names = [*map(_line, compared["label"], compared["algorithm"])]
    figure.add_vline(x=0, line=DOTTED)
    figure.update_xaxes(title_text="average precision of one model of all classes minus that of a binary model")
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=names[::-1])
    return finish(
        figure,
        "One model of three classes against three binary models",
        "A dot is the difference in average precision on the same rows, scored by models that have not seen their "
        "users, with its 95 % interval over users. Where the interval includes zero, no difference is shown.",
        height=190 + _PIXELS_PER_LINE * max(len(names), 1),
    )


def _line(label: str, algorithm: str) -> str:
    return f"{words(label)}: {words(algorithm)}"
