"""The classes of rows, and the comparison with binary models, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from pyspark.sql import DataFrame, SparkSession

from sparkify_kedro.churn.parameters import Split
from sparkify_kedro.learning.evaluation import paired_difference
from sparkify_kedro.learning.parameters import Evaluation
from sparkify_kedro.pipelines.multiclass.figure import draw_multiclass
from sparkify_kedro.pipelines.multiclass.nodes import compare_with_binary, select_class_rows

CONF = Path(__file__).parents[3] / "conf"
PARAMETERS = OmegaConfigLoader(str(CONF), base_env="base", default_run_env="base")["parameters"]
EVALUATION = Evaluation.model_validate(PARAMETERS["modeling"]["evaluation"] | {"replicates": 40})
SPLIT = Split.model_validate(PARAMETERS["sampling"]["split"])
LABELS = ("churned_in_time_bin", "will_churn_in_next_bin", "will_churn_soon")
SCORE = "user_id string, bin_end bigint, label int, score double"
CLASS_SCORE = "user_id string, bin_end bigint, stays double, churned_in_time_bin double, will_churn_in_next_bin double"


def test_the_class_of_a_row_by_hand(spark: SparkSession) -> None:
    rows = [
        ("stays", 0, 0, 0),
        ("churned", 0, 1, 0),
        ("will churn", 0, 0, 1),
        ("unknown", 0, 0, None),
        ("churned, unknown", 0, 1, None),
    ]
    columns = "user_id string, bin_end bigint, churned_in_time_bin int, will_churn_in_next_bin int"
    found = select_class_rows(spark.createDataFrame(rows, columns), SPLIT).collect()
    assert {row.user_id: row.label for row in found} == {"stays": 0, "churned": 1, "will churn": 2}
    assert {row.fold for row in found} <= set(range(SPLIT.folds.number))


def table_of(spark: SparkSession, frame: pd.DataFrame, columns: str) -> DataFrame:
    return spark.createDataFrame(frame, columns)


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    """Two hundred users, one row each: one churned in each of two classes, with scores that have some signal."""
    random = np.random.default_rng(2)
    weights = random.dirichlet([4, 1, 1], size=200)
    label = (random.random(200)[:, None] > weights.cumsum(axis=1)).sum(axis=1)
    return pd.DataFrame(
        {"user_id": [f"u{n:03}" for n in range(200)], "bin_end": 0, "class": label, "binary": random.random(200)}
        | {f"p{number}": weights[:, number] for number in range(3)}
    )


@pytest.fixture(scope="module")
def compared(spark: SparkSession, people: pd.DataFrame) -> pd.DataFrame:
    """Half of the users out of fold, half held out; the binary forecast scores those alone who have not churned."""
    keys = ["user_id", "bin_end"]
    scores = {"toy_class_scores": table_of(spark, people[[*keys, "p0", "p1", "p2"]], CLASS_SCORE)}
    positive = {
        "churned_in_time_bin": people["class"] == 1,
        "will_churn_in_next_bin": people["class"] == 2,
        "will_churn_soon": people["class"] > 0,
    }
    for label in LABELS:
        rows = people[keys].assign(label=positive[label].astype("int32"), score=people["binary"])
        if label == "will_churn_in_next_bin":
            rows = rows[people["class"] != 1]
        half = len(rows) // 2
        scores[f"{label}_toy_out_of_fold"] = table_of(spark, rows.iloc[:half], SCORE)
        scores[f"{label}_toy_predictions"] = table_of(spark, rows.iloc[half:], SCORE)
    return compare_with_binary(EVALUATION, algorithms=("toy",), **scores)


def test_labels_are_judged_on_their_own_rows(compared: pd.DataFrame, people: pd.DataFrame) -> None:
    counts = people["class"].value_counts()
    assert compared["label"].tolist() == [*LABELS]
    assert compared["rows"].tolist() == [200, counts[0] + counts[2], 200]
    assert compared["positives"].tolist() == [counts[1], counts[2], counts[1] + counts[2]]


@pytest.mark.parametrize("label", LABELS)
def test_differences_are_those_of_the_probabilities_by_hand(
    compared: pd.DataFrame, people: pd.DataFrame, label: str
) -> None:
    rows, positive, score = {
        "churned_in_time_bin": (people, people["class"] == 1, people["p1"]),
        "will_churn_in_next_bin": (
            people[people["class"] != 1], people["class"] == 2, people["p2"] / (people["p0"] + people["p2"])
        ),
        "will_churn_soon": (people, people["class"] > 0, people["p1"] + people["p2"]),
    }[label]  # fmt: skip
    judged = rows[["user_id", "bin_end"]].assign(label=positive.astype(int), score=score)
    judged = judged.reset_index(drop=True)
    binary = judged.assign(score=rows["binary"].to_numpy())
    expected = paired_difference(judged, binary, EVALUATION)
    line = compared.set_index("label").loc[label]
    assert line["difference"] == pytest.approx(expected.average_precision)
    assert (line["difference_low"], line["difference_high"]) == pytest.approx(expected.interval)
    assert line["difference"] == pytest.approx(line["multiclass_average_precision"] - line["binary_average_precision"])
    assert line["multiclass_brier"] == pytest.approx(((judged["score"] - judged["label"]) ** 2).mean())


def test_the_figure_has_a_dot_per_line(compared: pd.DataFrame) -> None:
    figure = draw_multiclass(compared)
    (dots,) = figure.data
    assert list(dots.x) == compared["difference"].tolist()
    assert list(dots.y) == ["churned in time bin: toy", "will churn in next bin: toy", "will churn soon: toy"]


def test_a_label_that_cannot_be_ranked_has_no_dot(compared: pd.DataFrame) -> None:
    unknown = compared.assign(difference_low=[None, 0.0, 0.0])
    (dots,) = draw_multiclass(unknown).data
    assert len(dots.x) == 2
