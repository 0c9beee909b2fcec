"""The leak audit, against pandas and planted leaks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import roc_auc_score

from spark_examples import spark_examples
from sparkify_kedro.pipelines.modeling.leak_audit import auc_roc_by_chance, one_feature_scores


def auc_by_pandas(rows: pd.DataFrame, feature: str, levels: int) -> float | None:
    """The AUC-ROC of a histogram fitted on the other folds, as simply as one can write it."""
    if rows["label"].nunique() < 2:
        return None
    value = rows[feature]
    level = (value.rank(method="min") - 1) * levels // len(rows)
    score = pd.Series(0.0, index=rows.index)
    for place in rows.index:
        others = rows[rows["fold"] != rows["fold"][place]]
        alike = others[level[others.index] == level[place]]
        average = others["label"].mean() if len(others) else 0.0
        score[place] = (alike["label"].sum() + average) / (len(alike) + 1)
    return roc_auc_score(rows["label"], score)


def audited_areas(table: DataFrame, features: list[str], levels: int = 10) -> dict[str, float]:
    return {row.feature: row.auc_roc for row in one_feature_scores(table, features, levels).collect()}


@pytest.fixture(scope="module")
def planted(spark: SparkSession) -> DataFrame:
    """A tenth leave. Honest features know a little; leaks know it all: one in reverse, one in the middle only."""
    draw = np.random.default_rng(8)
    label = (np.arange(800) % 10 == 0).astype(int)
    noise = draw.normal(size=800)
    rows = pd.DataFrame(
        {
            "label": label,
            "fold": draw.integers(0, 2, size=800),
            "honest": noise + 0.7 * label,
            "noise": draw.normal(size=800),
            "constant": 1.0,
            "leak": label + 0.05 * noise,
            "reversed": -3.0 * label + 0.2 * noise,
            "in_the_middle": np.where(label == 1, 0.01, np.sign(noise)) * (1 + np.abs(noise)),
            "days": np.where(label == 1, 3, draw.integers(4, 15, size=800)),
        }
    )
    return spark.createDataFrame(rows).coalesce(1).cache()


def test_leaks_in_either_direction_are_detected(planted: DataFrame) -> None:
    found = audited_areas(planted, ["honest", "noise", "constant", "leak", "reversed", "in_the_middle", "days"])
    assert {name for name, area in found.items() if area >= 0.9} == {"leak", "reversed", "in_the_middle", "days"}
    assert found["honest"] == pytest.approx(0.66, abs=0.07)
    assert found["noise"] == pytest.approx(0.5, abs=0.1)
    assert found["constant"] == pytest.approx(0.5, abs=0.1)


@spark_examples(3)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from([0.0, 1.0]), st.integers(0, 1), st.integers(0, 2)),
        min_size=1,
        max_size=60,
    ),
    st.integers(2, 6),
)
def test_areas_agree_with_pandas(spark: SparkSession, rows: list[tuple[int, float, int, int]], levels: int) -> None:
    """Few distinct values, folds without positives and empty folds among them."""
    columns = ["count", "flag", "label", "fold"]
    frame = pd.DataFrame(rows, columns=columns)
    found = audited_areas(
        spark.createDataFrame(rows, "count int, flag double, label int, fold int"), ["count", "flag"], levels
    )
    for feature in ("count", "flag"):
        expected = auc_by_pandas(frame, feature, levels)
        assert found[feature] == (expected if expected is None else pytest.approx(expected))


def test_no_rows_have_no_scores(planted: DataFrame) -> None:
    assert audited_areas(planted.limit(0), ["honest"]) == {}


@pytest.mark.parametrize(("rows", "positives"), [pytest.param(200, 10, marks=pytest.mark.faults), (60, 3)])
def test_random_features_stay_below_the_limit(rows: int, positives: int) -> None:
    """By drawing features without any signal."""
    random = np.random.default_rng(1)
    label = np.arange(rows) < positives
    drawn = [roc_auc_score(label, random.random(rows)) for _ in range(2_000)]
    limit = auc_roc_by_chance(rows, positives)
    assert np.mean(np.array(drawn) >= limit) < 0.001
    assert limit - 0.5 == pytest.approx(4 * np.std(drawn), rel=0.1)
