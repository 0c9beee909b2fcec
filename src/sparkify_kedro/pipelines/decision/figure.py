"""The figure of a decision."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sparkify_kedro.churn.figure_style import BLUE, DOTTED, ORANGE, band, finish, positives_of
from sparkify_kedro.churn.reports import DecisionReport


def draw_decision(decision_report: DecisionReport) -> go.Figure:
    """Expected events, recall and value against the number of users, with the chosen number.

    Args:
        decision_report: the curves.

    Returns:
        Two panels, and a third one where the value of a contact is known; held-out landmarks, whose outcome is known,
        stand beside what is expected.
    """
    report, events = decision_report, positives_of(decision_report.label)
    titles = [f"{events} among the first users", f"share of all {events}"]
    has_value = report.chosen.value is not None
    if has_value:
        titles.append("value of the contacts")
    figure = make_subplots(rows=len(titles), cols=1, subplot_titles=titles, vertical_spacing=0.12)
    users = [point.users for point in report.curve]
    low, high = zip(*(point.interval for point in report.curve), strict=True)
    figure.add_trace(band(users, low, high, BLUE, "95 % interval"), row=1, col=1)
    expected = {"mode": "lines", "line": {"color": BLUE}, "name": "expected", "legendgroup": "expected"}
    known = {"mode": "lines", "line": {"color": ORANGE}, "name": "held-out landmarks", "legendgroup": "known"}
    figure.add_trace(go.Scatter(x=users, y=[point.expected for point in report.curve], **expected), row=1, col=1)
    recall = [point.recall for point in report.curve]
    figure.add_trace(go.Scatter(x=users, y=recall, showlegend=False, **expected), row=2, col=1)
    held_out = [(round(each.share * report.users), each) for each in report.held_out]
    figure.add_trace(
        go.Scatter(x=[count for count, _ in held_out], y=[each.recall for _, each in held_out], **known), row=2, col=1
    )
    figure.update_yaxes(tickformat=".0%", row=2, col=1)
    if has_value:
        value = [point.value for point in report.curve]
        figure.add_trace(go.Scatter(x=users, y=value, showlegend=False, **expected), row=3, col=1)
        realized = [_realized_value(report, count, each.events / max(each.rows, 1)) for count, each in held_out]
        x = [count for count, _ in held_out]
        figure.add_trace(go.Scatter(x=x, y=realized, showlegend=False, **known), row=3, col=1)
    figure.add_vline(x=report.chosen.users, line=DOTTED)
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(title_text="users, the highest probability first (dotted: chosen)", row=len(titles), col=1)
    return finish(
        figure,
        f"Expected {events}, recall and value" if has_value else f"Expected {events} and recall",
        f"Expected {events} are sums of probabilities; their 95 % interval is of calibration and of chance, not of "
        "what changes. Held-out landmarks show what the same share of users had in it where the outcome is known. The "
        "share of saves is an assumption: a log without treatments does not tell it.",
        height=190 + 190 * len(titles),
    )


def _realized_value(report: DecisionReport, users: int, rate: float) -> float:
    """The value of contacting so many users of whom such a share cancels."""
    of_a_churner = (report.save_rate or 0) * (report.value_of_a_customer or 0)
    return (of_a_churner * rate - report.cost_per_contact) * users * (1 - report.hold_out_share)
