"""Average precision and areas under the curves, against scikit-learn, Spark's own evaluator and by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.ml.evaluation import BinaryClassificationEvaluator
from pyspark.sql import SparkSession
from sklearn.metrics import average_precision_score

from spark_examples import spark_examples
from sparkify_kedro.learning.ranking import ranking_scores

SCHEMA = "name string, score double, label int"
Scored = list[tuple[float, int]]


def scores_of(spark: SparkSession, groups: dict[str, Scored]) -> dict[str, dict[str, float]]:
    rows = [(name, score, label) for name, scored in groups.items() for score, label in scored]
    table = ranking_scores(spark.createDataFrame(rows, SCHEMA), ["name"])
    return {row.name: row.asDict() for row in table.collect()}


def test_curves_drawn_by_hand(spark: SparkSession) -> None:
    found = scores_of(
        spark,
        {
            "perfect": [(0.9, 1), (0.8, 1), (0.2, 0), (0.1, 0)],
            "backwards": [(0.9, 0), (0.8, 0), (0.2, 1), (0.1, 1)],
            "constant": [(0.5, 1), (0.5, 0), (0.5, 0), (0.5, 0)],
            # Precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1: 1/2 * 1 + 1/2 * (1/2 + 2/3) / 2.
            "mixed": [(0.9, 1), (0.8, 0), (0.7, 1)],
        },
    )
    # Steps: each gain in recall at the precision that it ends with.
    expected_steps = {
        "perfect": 1.0,
        "backwards": 0.5 * 1 / 3 + 0.5 * 1 / 2,
        "constant": 0.25,
        "mixed": 0.5 + 0.5 * 2 / 3,
    }
    # Recall 0 at precision 0 until the third row, then 1/3 and 1/2.
    backwards = 0.5 * (0 + 1 / 3) / 2 + 0.5 * (1 / 3 + 1 / 2) / 2
    expected_pr = {"perfect": 1.0, "backwards": backwards, "constant": 0.25, "mixed": 0.5 + 0.5 * (1 / 2 + 2 / 3) / 2}
    expected_roc = {"perfect": 1.0, "backwards": 0.0, "constant": 0.5, "mixed": 0.5}
    assert {name: row["average_precision"] for name, row in found.items()} == pytest.approx(expected_steps)
    assert {name: row["auc_pr"] for name, row in found.items()} == pytest.approx(expected_pr)
    assert {name: row["auc_roc"] for name, row in found.items()} == pytest.approx(expected_roc)
    assert (found["constant"]["rows"], found["constant"]["positives"], found["constant"]["prevalence"]) == (4, 1, 0.25)


def test_one_class_has_no_area(spark: SparkSession) -> None:
    found = scores_of(spark, {"no positive": [(0.3, 0), (0.2, 0)], "no negative": [(0.3, 1), (0.2, 1)]})
    assert found["no positive"]["auc_pr"] is found["no positive"]["average_precision"] is None
    assert found["no positive"]["auc_roc"] is None
    assert found["no negative"]["auc_roc"] is None


@spark_examples(3)
@given(
    st.lists(
        # Few distinct scores, so that ties are common.
        st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1)), min_size=2, max_size=60).filter(
            lambda scored: len({label for _, label in scored}) == 2
        ),
        min_size=1,
        max_size=3,
    )
)
def test_areas_are_those_of_sparks_evaluator(spark: SparkSession, sets: list[Scored]) -> None:
    groups = {str(place): [(score / 12, label) for score, label in scored] for place, scored in enumerate(sets)}
    found = scores_of(spark, groups)
    for name, scored in groups.items():
        frame = spark.createDataFrame([(name, *row) for row in scored], SCHEMA)
        for metric, column in (("areaUnderPR", "auc_pr"), ("areaUnderROC", "auc_roc")):
            evaluator = BinaryClassificationEvaluator(rawPredictionCol="score", metricName=metric, numBins=0)
            assert found[name][column] == pytest.approx(evaluator.evaluate(frame))
        score, label = zip(*scored, strict=True)
        assert found[name]["average_precision"] == pytest.approx(average_precision_score(label, score))
