"""The figure of the user types, by hand."""

from __future__ import annotations

import math

import pytest

from sparkify_kedro.churn.reports import GammaPrior, TypesAtLevel, UserTypes, UserTypesByFold
from sparkify_kedro.churn.vocabulary import TYPED_PAGES
from sparkify_kedro.pipelines.reporting.type_figure import draw_user_types


def types(number: int) -> UserTypesByFold:
    """Type 1 visits the first page three times as often as type 2, which has a quarter of the users."""
    width = len(TYPED_PAGES)
    first, second = [0.6, *[0.4 / (width - 1)] * (width - 1)], [0.2, *[0.8 / (width - 1)] * (width - 1)]
    level = TypesAtLevel(
        page_shares=[first, second][:number],
        cancellations_per_session=[0.01, 0.05][:number],
        switches_per_session=[0.1, 0.1][:number],
    )
    of_all = UserTypes(
        horizon_days=14,
        users=1_200,
        cancellations=40,
        shares=[0.75, 0.25] if number == 2 else [1.0],
        pages=list(TYPED_PAGES),
        criteria=[5_000.0, 4_000.0] if number == 2 else [5_000.0, 5_100.0],
        levels={"free": level, "paid": level},
        session_rate=GammaPrior(shape=1.0, days=5.0),
    )
    return UserTypesByFold(of_all=of_all, without_fold=[])


def test_types_are_shown_with_their_cancellations_and_pages() -> None:
    figure = draw_user_types(types(2))
    free, paid, pages, _ = figure.data
    assert (free.name, paid.name) == ("at level free", "at level paid")
    assert list(free.x) == pytest.approx([1, 5])
    assert list(free.y) == ["type 1: 75% of users", "type 2: 25% of users"]
    # The mean share of the first page is .75 * .6 + .25 * .2 = .5.
    assert pages.z[0][0] == pytest.approx(math.log2(1.2))
    assert pages.z[1][0] == pytest.approx(math.log2(0.4))
    assert "2 types describe the visits of 1,200 users best" in figure.layout.meta["how_to_read"]
    assert "1,000 lower than that of one type" in figure.layout.meta["how_to_read"]


def test_one_type_is_said_to_be_one() -> None:
    figure = draw_user_types(types(1))
    assert "no number of types describes the visits of 1,200 users better" in figure.layout.meta["how_to_read"]
    assert figure.data[2].z[0] == pytest.approx([0.0] * len(TYPED_PAGES))
