"""How many users to contact and what it is worth, worked out by hand, and the list of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession

from partial_reports import report
from sparkify_kedro.churn.feature_registry import FeatureRegistry, ReasonThemes
from sparkify_kedro.churn.reports import ChampionMetadata, DecisionReport
from sparkify_kedro.framework.skipping import SkipError
from sparkify_kedro.learning.calibration import expose_margin
from sparkify_kedro.learning.parameters import Evaluation
from sparkify_kedro.pipelines.decision.figure import draw_decision
from sparkify_kedro.pipelines.decision.nodes import CONTACT, HOLD_OUT, list_contacts, weigh_contacts
from sparkify_kedro.pipelines.decision.parameters import Decision

PARAMETERS = OmegaConfigLoader("conf", base_env="base", default_run_env="base")["parameters"]
EVALUATION = Evaluation.model_validate(PARAMETERS["modeling"]["evaluation"] | {"replicates": 50})
THEMES = ReasonThemes.model_validate(PARAMETERS["reason_themes"])
LABEL, ALGORITHM = "will_churn_in_next_bin", "logistic_regression"
METADATA = report(
    ChampionMetadata,
    {
        "label": LABEL,
        "model": "the champion",
        "algorithm": ALGORITHM,
        "feature_engineering": {"labels": {LABEL: {"event": "churn", "horizon_days": 14}}, "time_bin_days": 14},
    },
)
AS_OF = datetime(2018, 11, 15, tzinfo=UTC)
PROBABILITIES = [0.5, 0.25, 0.125, 0.0625, 0.0625]


def decision(**changes: Any) -> Decision:
    return Decision.model_validate(PARAMETERS["decision"] | {"contacts": 2, "hold_out_share": 0.0} | changes)


@pytest.fixture(scope="module")
def churn_scores(spark: SparkSession) -> DataFrame:
    rows = [(f"user {n}", AS_OF, probability, n) for n, probability in enumerate(PROBABILITIES, start=1)]
    return spark.createDataFrame(rows, "user_id string, as_of timestamp, probability double, rank int").cache()


@pytest.fixture(scope="module")
def learned(spark: SparkSession) -> dict[str, DataFrame]:
    """Rows out of fold, and held-out rows: two landmarks of four users, with one churner each, first and third."""
    draw = np.random.default_rng(1)
    score = draw.uniform(0.05, 0.5, 300)
    table = pd.DataFrame({"user_id": np.arange(300).astype(str), "bin_end": 1, "score": score})
    table["label"] = (draw.random(300) < score).astype(int)
    held_out = [
        (f"user {user}", landmark, int((landmark, user) in {(1, 0), (2, 2)}), 0.9 - user / 10)
        for landmark in (1, 2)
        for user in range(4)
    ]
    schema = "user_id string, bin_end bigint, label int, score double"
    return {
        f"{ALGORITHM}_out_of_fold": spark.createDataFrame(table).cache(),
        f"{ALGORITHM}_predictions": spark.createDataFrame(held_out, schema).cache(),
    }


def weighed(churn_scores: DataFrame, learned: dict[str, DataFrame], **changes: Any) -> DecisionReport:
    return weigh_contacts(churn_scores, METADATA, decision(**changes), EVALUATION, **learned)


def test_expectations_are_sums_of_probabilities(churn_scores: DataFrame, learned: dict[str, DataFrame]) -> None:
    found = weighed(churn_scores, learned)
    assert [point.users for point in found.curve] == [1, 2, 3, 4, 5]
    assert [point.expected for point in found.curve] == [0.5, 0.75, 0.875, 0.9375, 1.0]
    assert [point.recall for point in found.curve] == [0.5, 0.75, 0.875, 0.9375, 1.0]
    assert found.chosen == found.curve[1]
    assert (found.as_of, found.horizon_days, found.users, found.model) == ("2018-11-15", 14, 5, "the champion")
    for point in found.curve:
        assert 0 <= point.interval[0] <= point.interval[1] <= point.users
    # Without assumptions nothing is worth anything.
    assert (found.chosen.saves, found.chosen.value, found.worth_contacting) == (None, None, None)


def test_held_out_users_are_ranked_at_each_landmark(churn_scores: DataFrame, learned: dict[str, DataFrame]) -> None:
    """The first user of both landmarks, one of whom churns; three of each have both churners."""
    found = {each.share: each for each in weighed(churn_scores, learned).held_out}
    assert (found[0.2].rows, found[0.2].events, found[0.2].recall) == (2, 1, 0.5)
    assert (found[0.8].rows, found[0.8].events, found[0.8].recall) == (6, 2, 1.0)


def test_value_is_saves_minus_contacts(churn_scores: DataFrame, learned: dict[str, DataFrame]) -> None:
    """A churner's contact brings a fifth of 100, so the fourth user, at .0625, is worth 1.25, and costs 2."""
    found = weighed(churn_scores, learned, save_rate=0.2, value_of_a_customer=100.0, cost_per_contact=2.0)
    assert found.worth_contacting == 3
    assert [point.value for point in found.curve] == pytest.approx([8, 11, 11.5, 10.75, 10])
    assert [point.saves for point in found.curve] == pytest.approx([0.1, 0.15, 0.175, 0.1875, 0.2])


def test_those_who_are_left_alone_neither_cost_nor_bring(
    churn_scores: DataFrame, learned: dict[str, DataFrame]
) -> None:
    values = {"save_rate": 0.2, "value_of_a_customer": 100.0, "cost_per_contact": 2.0}
    found = weighed(churn_scores, learned, hold_out_share=0.5, **values)
    assert found.chosen.value == pytest.approx(5.5)
    assert found.chosen.saves == pytest.approx(0.075)


@pytest.mark.parametrize(
    ("changes", "users", "rule"),
    [
        ({"contacts": 3}, 3, "decision.contacts"),
        ({"contacts": 50}, 5, "all users, which are fewer than the number in the parameters"),
        ({"contacts": None, "budget": 4.5, "cost_per_contact": 2.0}, 2, "a budget of 4.5 pays for"),
        ({"contacts": None, "budget": 4.0, "cost_per_contact": 2.0, "hold_out_share": 0.5}, 4, "a budget of 4 pays"),
        (
            {"contacts": None, "save_rate": 0.2, "value_of_a_customer": 100.0, "cost_per_contact": 2.0},
            3,
            "as many as are worth a contact",
        ),
    ],
)
def test_the_number_follows_the_rule(
    churn_scores: DataFrame, learned: dict[str, DataFrame], changes: dict[str, Any], users: int, rule: str
) -> None:
    found = weighed(churn_scores, learned, **changes)
    assert found.chosen.users == users
    assert rule in found.rule


def test_nobody_may_be_worth_a_contact(churn_scores: DataFrame, learned: dict[str, DataFrame]) -> None:
    dear = {"contacts": None, "save_rate": 0.2, "value_of_a_customer": 1.0, "cost_per_contact": 2.0}
    found = weighed(churn_scores, learned, **dear)
    assert (found.worth_contacting, found.chosen.users, found.chosen.value) == (0, 0, 0.0)
    assert found.chosen.interval == (0.0, 0.0)


def test_what_cannot_be_weighed_is_skipped_with_the_reason(
    churn_scores: DataFrame, learned: dict[str, DataFrame]
) -> None:
    with pytest.raises(SkipError, match="there are none"):
        weighed(churn_scores.limit(0), learned)
    with pytest.raises(SkipError, match=r"whose scores only --pipelines=all_algorithms takes"):
        weighed(churn_scores, {})


def test_the_figure_has_a_panel_of_value_where_it_is_known(
    churn_scores: DataFrame, learned: dict[str, DataFrame]
) -> None:
    plain = draw_decision(weighed(churn_scores, learned))
    assert [note.text for note in plain.layout.annotations] == [
        "churners among the first users",
        "share of all churners",
    ]
    values = {"save_rate": 0.2, "value_of_a_customer": 100.0, "cost_per_contact": 2.0}
    figure = draw_decision(weighed(churn_scores, learned, **values))
    assert figure.layout.annotations[2].text == "value of the contacts"
    *_, expected, realized = figure.data
    assert list(expected.y) == pytest.approx([8, 11, 11.5, 10.75, 10])
    # Of the first of both landmarks one of two cancels: 20 times a half minus 2, for one user.
    assert realized.y[0] == pytest.approx(8)


def test_the_list_has_reasons_and_the_same_hold_out_in_every_list(
    spark: SparkSession, churn_scores: DataFrame, learned: dict[str, DataFrame]
) -> None:
    features = ["page_roll_advert", "log_tenure_days"]
    rows = spark.createDataFrame(
        [(f"user {n}", 1, float(9 - n), float(n), float(n < 3)) for n in range(1, 6)],
        "user_id string, bin_end bigint, page_roll_advert double, log_tenure_days double, label double",
    )
    assembler = VectorAssembler(inputCols=features, outputCol="features")
    fitted = LogisticRegression(maxIter=3).fit(assembler.transform(rows))
    champion = PipelineModel([assembler, *expose_margin(fitted)])
    profile = {name: {"mean": 4.0} for name in features}
    metadata = METADATA.model_copy(
        update={"features": features, "profile": report(ChampionMetadata, {"profile": profile}).profile}
    )
    registry = FeatureRegistry.model_validate(PARAMETERS["feature_registry"])

    def listed(**changes: Any) -> pd.DataFrame:
        chosen = decision(**changes)
        weighed_so = weigh_contacts(churn_scores, METADATA, chosen, EVALUATION, **learned)
        return list_contacts(churn_scores, rows, champion, metadata, registry, THEMES, weighed_so, chosen)

    found = listed(contacts=4, hold_out_share=0.5)
    assert found.columns.tolist()[:5] == ["rank", "user_id", "probability", "group", "treatment"]
    assert found["user_id"].tolist() == [f"user {n}" for n in range(1, 5)]
    assert set(found["group"]) == {CONTACT, HOLD_OUT}
    assert (found["treatment"] == "").all()
    # The third user has as many adverts and days as half of all.
    assert found["reason_1"].str.contains("the risk").tolist() == [True, True, False, True]
    longer = listed(contacts=5, hold_out_share=0.5)
    assert longer["group"].tolist()[:4] == found["group"].tolist()
    assert set(listed(contacts=4)["group"]) == {CONTACT}
    assert len(listed(contacts=5, most=2)) == 2
