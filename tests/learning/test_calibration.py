"""Calibrated probabilities, on data with known true probabilities."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.learning.calibration import fit_calibration
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, Segments, Smote, Training
from sparkify_kedro.learning.search import CalibratedModel, probability, train_calibrated

FEATURES = ["songs", "adverts", "memory"]
TRAINING = Training(
    seed=7, feature_sets=["small"], parallel_fits=2, rows_per_partition=100_000, use_features=["*"],
    leave_out_features=[], latent_sets={}, smote=Smote(most_rows=10_000, neighbors=5),
)  # fmt: skip
EVALUATION = Evaluation(
    seed=7,
    max_rows=100_000,
    replicates=20,
    cost_ratio=10,
    top_shares=[0.1],
    few_positives=0,
    segments=Segments(tenure_days=[30], history_days=[14]),
)
SEARCHES = {
    "logistic_regression": AlgorithmSearch(
        algorithm="logistic_regression", settings={"maxIter": 20}, grid={"regParam": [0.001], "elasticNetParam": [0.0]}
    ),
    "random_forest": AlgorithmSearch(
        algorithm="random_forest", settings={"numTrees": 10}, grid={"maxDepth": [4], "maxBins": [16]}
    ),
    "gradient_boosted_trees": AlgorithmSearch(
        algorithm="gradient_boosted_trees", settings={"maxIter": 8}, grid={"maxDepth": [2], "maxBins": [16]}
    ),
}
KEEP_NEGATIVES = 0.1


def population(rows: int, seed: int) -> pd.DataFrame:
    """Rows whose true probability of label 1 is known, about one in eleven; ``memory`` is another value in each row."""
    draw = np.random.default_rng(seed)
    songs, adverts = draw.normal(size=rows), draw.normal(size=rows)
    truth = 1 / (1 + np.exp(3 - songs - 0.7 * adverts))
    return pd.DataFrame(
        {
            "user_id": [str(place) for place in range(rows)],
            "bin_end": 0,
            "songs": songs,
            "adverts": adverts,
            "memory": draw.permutation(rows).astype(float),
            "truth": truth,
            "label": (draw.random(rows) < truth).astype(int),
            "fold": draw.integers(0, 2, size=rows),
        }
    )


class Trained(NamedTuple):
    calibrated: CalibratedModel
    fresh: pd.DataFrame


def scored(model: PipelineModel, rows: DataFrame, column: str = "probability") -> pd.DataFrame:
    score = vector_to_array(F.col(column))[0 if column == "margin" else 1]
    return model.transform(rows).select("user_id", "truth", "label", score.alias("score")).toPandas()


def calibration_error(rows: pd.DataFrame) -> float:
    """Over ten bins of equally many rows, against the true probabilities."""
    bins = rows.groupby(pd.qcut(rows["score"].rank(method="first"), 10, labels=False))
    return float((bins["score"].mean() - bins["truth"].mean()).abs().mean())


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(population(6_000, 1)).coalesce(1).cache()


@pytest.fixture(scope="module")
def train(rows: DataFrame) -> DataFrame:
    return rows.where((F.col("label") == 1) | (F.col("user_id").cast("int") % 10 < KEEP_NEGATIVES * 10)).cache()


@pytest.fixture(scope="module")
def fresh(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(population(8_000, 2)).coalesce(1).cache()


@pytest.fixture(
    scope="module",
    params=[
        "logistic_regression",
        pytest.param("random_forest", marks=pytest.mark.faults),
        pytest.param("gradient_boosted_trees", marks=pytest.mark.faults),
    ],
)
def calibrated(request: pytest.FixtureRequest, train: DataFrame, rows: DataFrame) -> CalibratedModel:
    return train_calibrated(train, rows, {"small": FEATURES[:2]}, SEARCHES[request.param], TRAINING, EVALUATION)


def test_probabilities_on_fresh_rows_are_the_true_ones(calibrated: CalibratedModel, fresh: DataFrame) -> None:
    """Though negatives were thinned to a tenth: on the average and in every tenth of the scores."""
    found = scored(calibrated.model, fresh)
    prevalence = found["truth"].mean()
    assert found["score"].mean() == pytest.approx(prevalence, rel=0.08)
    assert calibration_error(found) < 0.03
    # What the down-sampled classifier itself says.
    classifier = calibrated.fitted.classifier.setProbabilityCol("own_probability")
    own = scored(PipelineModel([calibrated.model.stages[0], classifier]), fresh, "own_probability")
    classifier.setProbabilityCol("")
    assert own["score"].mean() > 3 * prevalence
    assert calibration_error(own) > 0.2


def test_out_of_fold_probabilities_are_at_natural_prevalence(calibrated: CalibratedModel, rows: DataFrame) -> None:
    """One for each row, whose mean is the share of positives: that is what a fitted intercept does."""
    found = calibrated.out_of_fold.sort_values("user_id", ignore_index=True)
    expected = rows.select("user_id", "label").toPandas().sort_values("user_id", ignore_index=True)
    pd.testing.assert_frame_equal(found[["user_id", "label"]], expected, check_dtype=False)
    assert found["score"].mean() == pytest.approx(expected["label"].mean(), rel=1e-3)


def test_the_order_of_scores_is_the_classifiers(calibrated: CalibratedModel, fresh: DataFrame) -> None:
    margin, found = (scored(calibrated.model, fresh, column)["score"] for column in ("margin", "probability"))
    ascending = np.argsort(margin, kind="stable")
    assert (np.diff(found[ascending]) >= 0).all()
    assert found.nunique() == margin.nunique()
    slope, intercept = calibrated.calibration.slope, calibrated.calibration.intercept
    assert found.to_numpy() == pytest.approx(1 / (1 + np.exp(-(slope * margin.to_numpy() + intercept))))


def margins_of(spark: SparkSession, margins: np.ndarray, labels: np.ndarray) -> DataFrame:
    rows = [(Vectors.dense([float(margin)]), float(label)) for margin, label in zip(margins, labels, strict=True)]
    return spark.createDataFrame(rows, ["margin", "label"])


@pytest.mark.parametrize("direction", [-1, 0], ids=["backwards", "no signal"])
def test_without_signal_every_row_gets_the_prevalence(spark: SparkSession, direction: int) -> None:
    draw = np.random.default_rng(3)
    margins = draw.normal(size=400)
    labels = draw.random(400) < 1 / (1 + np.exp(2 - direction * margins))
    if direction == 0:
        # Exactly as many positives on either side of the middle.
        margins, labels = np.tile([-1.0, 1.0], 200), np.repeat([0, 0, 0, 1], 100)
    rows = margins_of(spark, margins, labels)
    calibration = fit_calibration(rows)
    assert calibration.slope == 0
    low, high = (
        calibration.model.transform(margins_of(spark, np.array([margin]), np.array([0])))
        .select(probability().alias("score"))
        .first()
        .score
        for margin in (-0.1, 0.1)
    )
    assert low == high == pytest.approx(labels.mean(), rel=0.02)


def test_equal_margins_are_the_prevalence(spark: SparkSession) -> None:
    """Where every fold's model has shrunk to nothing."""
    calibration = fit_calibration(margins_of(spark, np.full(40, 0.3), np.arange(40) % 4 == 0))
    assert 1 / (1 + np.exp(-(0.3 * calibration.slope + calibration.intercept))) == pytest.approx(0.25, rel=0.01)


def test_memorized_rows_give_no_skill_out_of_fold(spark: SparkSession) -> None:
    """Deep trees tell every training row by its number; out of fold that is worth nothing."""
    rows = population(600, 5).assign(label=np.random.default_rng(6).integers(0, 2, 600))
    table = spark.createDataFrame(rows).coalesce(1).cache()
    search = AlgorithmSearch(
        algorithm="random_forest",
        settings={"numTrees": 5, "featureSubsetStrategy": "all"},
        grid={"maxDepth": [15], "maxBins": [600]},
    )
    found = train_calibrated(table, table, {"small": ["memory"]}, search, TRAINING, EVALUATION)
    table.unpersist()

    def ranks(scores: pd.DataFrame) -> float:
        ranked = scores["score"].rank()
        positive = scores["label"] == 1
        return (ranked[positive].mean() - (positive.sum() + 1) / 2) / (~positive).sum()

    assert ranks(scored(found.model, table, "margin")) > 0.85
    # Three standard deviations of an area without skill.
    assert ranks(found.out_of_fold) == pytest.approx(0.5, abs=0.075)


@pytest.mark.faults
def test_models_do_not_depend_on_row_order(train: DataFrame, rows: DataFrame, fresh: DataFrame) -> None:
    """Other partitions and another order: the same classifier, and probabilities that differ by rounding at most."""
    search = SEARCHES["random_forest"]

    def results_of(*tables: DataFrame) -> tuple[Any, list[float], np.ndarray]:
        found = train_calibrated(*tables, {"small": FEATURES}, search, TRAINING, EVALUATION)
        by_user = scored(found.model, fresh).sort_values("user_id")["score"]
        return found.fitted.classifier.toDebugString, [point.score for point in found.search.points], by_user.to_numpy()

    one = results_of(train, rows)
    other = results_of(train.repartition(5, "songs"), rows.repartition(3, "adverts"))
    assert one[0].split("\n", 1)[1] == other[0].split("\n", 1)[1]
    assert one[1] == other[1]
    assert one[2] == pytest.approx(other[2], rel=1e-6)
