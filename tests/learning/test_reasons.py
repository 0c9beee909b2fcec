"""Reasons for the risk of a user, for every algorithm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.validation.exceptions import ModelInstantiationError
from pyspark.ml import PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession

from optional_algorithms import EVERY_ALGORITHM
from partial_reports import report
from sparkify_kedro.churn.feature_registry import FeatureRegistry, ReasonThemes
from sparkify_kedro.churn.reasons import usual_in
from sparkify_kedro.churn.reports import ChampionMetadata
from sparkify_kedro.learning.algorithms import ALGORITHMS
from sparkify_kedro.learning.reasons import strongest_reasons, usual_values

FEATURES = ["adverts", "songs", "friends"]
REGISTRY = FeatureRegistry.model_validate(
    {name: {"sets": ["toy"], "unit": "visits", "definition": name, "labels": "all"} for name in FEATURES}
)
THEMES = ReasonThemes.model_validate(
    {
        "adverts": {
            "features": ["adverts*"], "tells": "adverts", "says": "{value} advert{s} in the last {days} days",
            "usual": "half of all users have {median}",
        },
        "others": {
            "features": ["songs", "friends"], "tells": "songs", "says": "{value} song{s}",
            "usual": "half have {median}",
        },
    }
)  # fmt: skip
SETTINGS = {
    "logistic_regression": {"regParam": 0.01},
    "random_forest": {"numTrees": 5, "maxDepth": 3, "seed": 1, "featureSubsetStrategy": "all"},
    "gradient_boosted_trees": {"maxIter": 3, "maxDepth": 2, "seed": 1},
    "neural_network": {"learningRate": 0.01, "seed": 1},
}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Many adverts make a user leave; songs and friends say nothing."""
    random = np.random.default_rng(2)
    frame = pd.DataFrame({name: random.integers(0, 20, 200) for name in FEATURES})
    frame["label"] = (frame["adverts"] + random.normal(0, 2, 200) > 10).astype(float)
    return frame


@pytest.fixture(scope="module")
def assembled(spark: SparkSession, rows: pd.DataFrame) -> DataFrame:
    return VectorAssembler(inputCols=FEATURES, outputCol="features").transform(spark.createDataFrame(rows)).cache()


def champion(
    algorithm: str, assembled: DataFrame, rows: pd.DataFrame, event: str = "cancellation"
) -> tuple[PipelineModel, ChampionMetadata]:
    model = ALGORITHMS[algorithm].estimator(**SETTINGS[algorithm]).fit(assembled)
    card: dict[str, Any] = {
        "label": "churn",
        "feature_engineering": {"labels": {"churn": {"event": event, "horizon_days": 10}}, "time_bin_days": 14},
        "algorithm": algorithm,
        "features": FEATURES,
        "profile": {name: {"mean": rows[name].mean()} for name in FEATURES},
    }
    stages = [VectorAssembler(inputCols=FEATURES, outputCol="features"), model]
    return PipelineModel(stages), report(ChampionMetadata, card)


def reasons_of(
    users: pd.DataFrame, of: tuple[PipelineModel, ChampionMetadata], most: int, themes: ReasonThemes = THEMES
) -> pd.DataFrame:
    usual = {"adverts": 9.0, "others": 5.0, "flags": {"1": 0.25, "0": 0.45}}
    return strongest_reasons(users, usual, *of, REGISTRY, themes, most)


@pytest.mark.parametrize("algorithm", EVERY_ALGORITHM)
def test_the_decisive_theme_comes_first_beside_what_is_usual(
    assembled: DataFrame, rows: pd.DataFrame, algorithm: str
) -> None:
    users = pd.DataFrame({"adverts": [19, 1], "songs": [9, 9], "friends": [9, 9]}, index=[7, 3])
    reasons = reasons_of(users, champion(algorithm, assembled, rows), 2)
    assert list(reasons.columns) == ["reason_1", "reason_2"]
    # As the list is put beside the scores: by the rows' own index.
    assert reasons["reason_1"].to_dict() == {
        7: "19 adverts in the last 14 days; half of all users have at most 9 (raises the risk)",
        3: "1 advert in the last 14 days; half of all users have at least 9 (lowers the risk)",
    }


@pytest.mark.parametrize("algorithm", EVERY_ALGORITHM)
def test_no_rows(assembled: DataFrame, rows: pd.DataFrame, algorithm: str) -> None:
    reasons = reasons_of(rows.head(0), champion(algorithm, assembled, rows), 3)
    assert reasons.empty
    assert list(reasons.columns) == ["reason_1", "reason_2", "reason_3"]


def test_the_features_of_a_theme_count_together(assembled: DataFrame, rows: pd.DataFrame) -> None:
    """Coefficient times distance from the training mean, summed up by theme."""
    of = champion("logistic_regression", assembled, rows)
    users = pd.DataFrame({"adverts": [11], "songs": [19], "friends": [0]})
    weights = of[0].stages[1].coefficients
    added = dict(zip(FEATURES, weights * (users.iloc[0] - rows[FEATURES].mean()).to_numpy(), strict=True))
    together = {"advert": added["adverts"], "song": added["songs"] + added["friends"]}
    first, second = sorted(together, key=lambda name: -abs(together[name]))
    (told,) = reasons_of(users, of, 3).to_numpy()
    assert first in told[0]
    assert second in told[1]
    assert told[2] == ""
    assert f"({'raises' if together[second] > 0 else 'lowers'} the risk)" in told[1]


def test_a_feature_without_effect_is_not_a_reason(spark: SparkSession, rows: pd.DataFrame) -> None:
    """A stump on adverts: what the others are does not matter to it."""
    lone = rows.assign(songs=5, friends=5)
    lone_rows = VectorAssembler(inputCols=FEATURES, outputCol="features").transform(spark.createDataFrame(lone))
    reasons = reasons_of(lone.head(2), champion("random_forest", lone_rows, lone), 3)
    assert (reasons["reason_1"] != "").all()
    assert (reasons[["reason_2", "reason_3"]] == "").all(axis=None)


def test_a_theme_that_is_not_told_is_no_reason(assembled: DataFrame, rows: pd.DataFrame) -> None:
    silent = ReasonThemes.model_validate({**THEMES.model_dump(), "adverts": {"features": ["adverts"], "tells": None}})
    users = pd.DataFrame({"adverts": [19], "songs": [9], "friends": [9]})
    (told,) = reasons_of(users, champion("logistic_regression", assembled, rows), 2, silent).to_numpy()
    assert told[0].startswith("9 songs; half have at most 5 (")
    assert told[1] == ""


def test_where_half_of_all_users_have_none(assembled: DataFrame, rows: pd.DataFrame) -> None:
    users = pd.DataFrame({"adverts": [19], "songs": [9], "friends": [9]})
    of = champion("logistic_regression", assembled, rows)
    told = strongest_reasons(users, {"adverts": 0.0}, *of, REGISTRY, THEMES, 1)
    assert told["reason_1"].tolist() == [
        "19 adverts in the last 14 days; half of all users have none (raises the risk)"
    ]


def test_what_is_usual_is_no_reason(assembled: DataFrame, rows: pd.DataFrame) -> None:
    """The next one is told instead; so with what half of all users or more share."""
    users = pd.DataFrame({"adverts": [9], "songs": [7], "friends": [9]})
    of = champion("logistic_regression", assembled, rows)
    (told,) = reasons_of(users, of, 2).to_numpy()
    assert told[0].startswith("7 songs; half have at most 5")
    assert told[1] == ""
    names = {"0": "does not pay", "1": "pays"}
    flags = ReasonThemes.model_validate({"flags": {"features": ["*"], "tells": "songs", "names": names}})
    usual = {"flags": {"1": 0.6, "0": 0.4}}
    told = strongest_reasons(users.assign(songs=1), usual, *of, REGISTRY, flags, 1)
    assert told["reason_1"].tolist() == [""]


@pytest.mark.parametrize(("adverts", "is_told"), [(19, True), (10, True), (8, False), (1, True)])
def test_a_risk_is_told_only_where_the_score_agrees(
    assembled: DataFrame, rows: pd.DataFrame, adverts: int, is_told: bool
) -> None:
    """Eight adverts are fewer than usual here, and more than the training rows had: they raise the score."""
    theme = {**THEMES.root["adverts"].model_dump(), "is_a_risk": True}
    themes = ReasonThemes.model_validate({"adverts": theme, "rest": {"features": ["*"], "tells": None}})
    of = champion("logistic_regression", assembled, rows.assign(adverts=rows["adverts"] * 0 + 7))
    users = pd.DataFrame({"adverts": [adverts], "songs": [9], "friends": [9]})
    told = strongest_reasons(users, {"adverts": 9.0}, *of, REGISTRY, themes, 1)
    assert (told["reason_1"].iloc[0] != "") is is_told


def test_a_feature_without_a_theme_is_named(assembled: DataFrame, rows: pd.DataFrame) -> None:
    fewer = ReasonThemes.model_validate({"adverts": THEMES.root["adverts"].model_dump()})
    with pytest.raises(ValueError, match=r"no theme in reason_themes .* has a pattern of the feature 'songs'"):
        reasons_of(rows.head(1), champion("logistic_regression", assembled, rows), 1, fewer)


def test_a_category_is_told_with_how_many_share_it(assembled: DataFrame, rows: pd.DataFrame) -> None:
    names = {"1": "has downgraded", "0": "has never downgraded"}
    flags = ReasonThemes.model_validate({"flags": {"features": ["*"], "tells": "songs", "names": names}})
    users = pd.DataFrame({"adverts": [19, 19], "songs": [1, 0], "friends": [9, 9]})
    told = reasons_of(users, champion("logistic_regression", assembled, rows, event="upgrade"), 1, flags)
    assert told["reason_1"].tolist() == [
        "has downgraded, like 25% of all users (raises the chance)",
        "has never downgraded, like 45% of all users (raises the chance)",
    ]


@pytest.mark.parametrize(
    ("line", "value", "expected"),
    [
        ({}, 21.349, "21.3 seen; usual at most 5 "),
        ({}, 0.01234, "0.0123 seen; usual at least 5 "),
        ({}, 999.4, "999 seen; "),
        ({}, 999.5, "1,000 seen; "),
        ({}, 1234.0, "1,234 seen; "),
        ({}, -2.5, "-2.5 seen; "),
        ({"scale": "log"}, math.log(48), "48 seen; usual at least 148 "),
        ({"scale": "log", "unit": "odds"}, math.log(0.25), "20.0% seen; usual at least 99.3% "),
        ({"unit": "days"}, 7.4, "7 seen; usual at most 5 "),
    ],
)
def test_numbers_are_in_the_unit_of_the_feature(
    assembled: DataFrame, rows: pd.DataFrame, line: dict[str, str], value: float, expected: str
) -> None:
    toy = {"sets": ["toy"], "unit": "visits", "definition": "x", "labels": "all"}
    registry = FeatureRegistry.model_validate({"told": toy | line})
    theme = {"features": ["*"], "tells": "told", "says": "{value} seen", "usual": "usual {median}"}
    themes = ReasonThemes.model_validate({"only": theme})
    users = pd.DataFrame({"adverts": [19], "songs": [9], "friends": [9], "told": [value]})
    of = champion("logistic_regression", assembled, rows)
    told = strongest_reasons(users, {"only": 5.0}, *of, registry, themes, 1)
    assert told["reason_1"].iloc[0].startswith(expected)


def test_what_is_usual_is_a_median_or_a_share(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [(1, "mac", 1), (2, "mac", 0), (30, "ipad", 0), (4, "mac", 0), (5, None, 0)],
        "adverts int, device string, pays int",
    )
    number = {"features": ["x"], "tells": "adverts", "says": "{value}", "usual": "{median}"}
    themes = ReasonThemes.model_validate(
        {
            "adverts": number,
            "device": {
                "features": ["x"],
                "tells": "device",
                "names": {"mac": "a Mac", "ipad": "an iPad", "other": "?"},
            },
            "pays": {"features": ["x"], "tells": "pays", "names": {"1": "pays", "0": "does not"}},
            "silent": {"features": ["x"], "tells": None},
            "strange": {**number, "tells": "no_column"},
        }
    )
    usual = {
        "adverts": 4.0,
        "device": {"mac": 0.75, "ipad": 0.25, "other": 0.0},
        "pays": {"1": 0.2, "0": 0.8},
    }
    assert usual_values(rows, themes) == usual
    assert usual_values(rows.limit(0), themes) == {}
    # The server finds the same without Spark.
    assert usual_in(dict(rows.toPandas().replace({np.nan: None}).items()), themes) == usual
    assert usual_in({"adverts": [], "pays": []}, themes) == {}


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=30))
def test_of_an_even_number_the_lower_middle_value_is_usual(values: list[int]) -> None:
    assert usual_in({"adverts": values}, THEMES) == {"adverts": sorted(values)[(len(values) - 1) // 2]}


@pytest.mark.parametrize(
    "line",
    [
        {"tells": "x"},
        {"tells": "x", "says": "{value}"},
        {"tells": "x", "says": "{value}", "usual": "{median}", "names": {"1": "one"}},
        {"tells": None, "names": {"1": "one"}},
    ],
)
def test_a_theme_tells_a_number_or_a_category(line: dict[str, Any]) -> None:
    with pytest.raises(ModelInstantiationError, match="takes either says and usual, or names"):
        ReasonThemes.model_validate({"adverts": {"features": ["x"], **line}})
