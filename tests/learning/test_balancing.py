"""The strategies that balance the rows of a fit, and the probabilities of models that are fitted with them."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.metrics import roc_auc_score

from sparkify_kedro.churn.parameters import Strategy
from sparkify_kedro.framework.skipping import SkipError
from sparkify_kedro.learning.balancing import WEIGHT, balance
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, Segments, Smote, Training
from sparkify_kedro.learning.search import train_calibrated

TRAINING = Training(
    seed=7, feature_sets=["all"], parallel_fits=2, rows_per_partition=100_000, use_features=["*"],
    leave_out_features=[], latent_sets={}, smote=Smote(most_rows=10_000, neighbors=5),
)  # fmt: skip
EVALUATION = Evaluation(
    seed=7, max_rows=100_000, replicates=20, cost_ratio=5, top_shares=[0.1], few_positives=0,
    segments=Segments(tenure_days=[30], history_days=[14]),
)  # fmt: skip
SEARCHES = {
    "logistic_regression": AlgorithmSearch(
        algorithm="logistic_regression", settings={"maxIter": 20}, grid={"regParam": [0.001]}
    ),
    "random_forest": AlgorithmSearch(algorithm="random_forest", settings={"numTrees": 10}, grid={"maxDepth": [12]}),
    "gradient_boosted_trees": AlgorithmSearch(
        algorithm="gradient_boosted_trees", settings={"maxIter": 8}, grid={"maxDepth": [2]}
    ),
}
NEGATIVES, POSITIVES = 70, 6


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    """Few positives, in a corner of their own; the features differ in scale by a thousand."""
    random = np.random.default_rng(2)
    made = [
        (float(label), Vectors.dense(random.uniform(low, low + 1), 1_000 * random.uniform(low, low + 1)))
        for label, low, rows in ((0, 0, NEGATIVES), (1, 5, POSITIVES))
        for _ in range(rows)
    ]
    return spark.createDataFrame(made, ["label", "features"]).coalesce(1).cache()


def balanced(rows: DataFrame, strategy: str, training: Training = TRAINING) -> pd.DataFrame:
    found = balance(rows, strategy, "features", training)
    assert found.is_weighted is (strategy == "class_weights")
    return found.rows.withColumn("features", vector_to_array("features")).toPandas()


@pytest.mark.parametrize("strategy", ["none", "undersample"])
def test_rows_that_are_balanced_elsewhere_stay_as_they_are(rows: DataFrame, strategy: str) -> None:
    assert balance(rows, strategy, "features", TRAINING).rows is rows


def test_oversampling_repeats_the_smaller_class(rows: DataFrame) -> None:
    times = Counter((label, tuple(values)) for label, values in balanced(rows, "oversample").to_numpy())
    assert {count for (label, _), count in times.items() if label == 0} == {1}
    # 70 of 6 are twelve times as many, rounded.
    assert [count for (label, _), count in times.items() if label == 1] == [12] * POSITIVES
    swapped = balanced(rows.withColumn("label", 1 - F.col("label")), "oversample")
    assert dict(swapped["label"].value_counts()) == {1.0: NEGATIVES, 0.0: 12 * POSITIVES}


def test_weights_make_classes_equal_and_keep_their_sum(rows: DataFrame) -> None:
    found = balanced(rows, "class_weights")
    of_class = found.groupby("label")[WEIGHT].sum()
    assert of_class[0.0] == pytest.approx(of_class[1.0]) == pytest.approx((NEGATIVES + POSITIVES) / 2)
    assert found.groupby("label")[WEIGHT].nunique().tolist() == [1, 1]


def test_made_up_rows_lie_between_positives(rows: DataFrame) -> None:
    before = rows.withColumn("features", vector_to_array("features")).toPandas()
    found = balanced(rows, "smote")
    pd.testing.assert_frame_equal(found.iloc[: len(before)], before)
    made_up = found.iloc[len(before) :]
    assert len(made_up) == NEGATIVES - POSITIVES
    assert set(made_up["label"]) == {1.0}
    values, positives = np.stack(made_up["features"]), np.stack(before["features"][before["label"] == 1])
    assert (values >= positives.min(axis=0) - 1e-9).all() and (values <= positives.max(axis=0) + 1e-9).all()
    # On the line between two of them: both features have moved by the same share of the way.
    for value in values[:10]:
        ways = [
            np.ptp((value - one) / (other - one)) for one in positives for other in positives if (one != other).all()
        ]
        assert min(ways) < 1e-6
    assert balanced(rows, "smote").equals(found)
    other_seed = balanced(rows, "smote", TRAINING.model_copy(update={"seed": 8}))
    assert not other_seed.equals(found)


@pytest.mark.parametrize(
    ("few", "most", "message"), [(POSITIVES, 60, "more than 60: choose another"), (1, 1_000, "needs two rows of each")]
)
def test_smote_says_where_it_cannot_be_used(rows: DataFrame, few: int, most: int, message: str) -> None:
    positives = rows.where("label = 1").limit(few)
    training = TRAINING.model_copy(update={"smote": Smote.model_construct(most_rows=most, neighbors=5)})
    with pytest.raises(SkipError, match=message):
        balance(rows.where("label = 0").unionByName(positives), "smote", "features", training)


@pytest.fixture(scope="module")
def population(spark: SparkSession) -> DataFrame:
    """Rows whose true probability of label 1 is known, about one in eleven; ``noise`` says nothing."""
    random = np.random.default_rng(1)
    songs, adverts = random.normal(size=(2, 4_000))
    truth = 1 / (1 + np.exp(3 - songs - 0.7 * adverts))
    table = pd.DataFrame(
        {
            "user_id": [str(place) for place in range(4_000)], "bin_end": 0, "songs": songs, "adverts": adverts,
            "noise": random.normal(size=4_000), "truth": truth, "label": (random.random(4_000) < truth).astype(int),
            "fold": random.integers(0, 2, size=4_000),
        }
    )  # fmt: skip
    return spark.createDataFrame(table).coalesce(1).cache()


def trained(population: DataFrame, features: list[str], algorithm: str, strategy: Any) -> pd.DataFrame:
    found = train_calibrated(
        population, population, {"all": features}, SEARCHES[algorithm], TRAINING, EVALUATION, strategy
    )
    truth = population.select("user_id", "bin_end", "truth").toPandas()
    return found.out_of_fold.merge(truth, on=["user_id", "bin_end"])


CASES = [
    pytest.param(
        "logistic_regression",
        strategy,
        id=f"logistic_regression-{strategy}",
        marks=() if strategy in ("smote", "class_weights") else pytest.mark.faults,
    )
    for strategy in get_args(Strategy)
    if strategy != "undersample"
] + [
    pytest.param(algorithm, strategy, id=f"{algorithm}-{strategy}", marks=pytest.mark.faults)
    for algorithm in ("random_forest", "gradient_boosted_trees")
    for strategy in ("oversample", "class_weights", "smote")
]


@pytest.mark.parametrize(("algorithm", "strategy"), CASES)
def test_probabilities_are_those_of_the_natural_prevalence(
    population: DataFrame, algorithm: str, strategy: str
) -> None:
    """Each row is scored once, and no made-up one; probabilities are near the true ones, not near one half."""
    search = "logistic_regression" if algorithm == "logistic_regression" else algorithm
    found = trained(population, ["songs", "adverts"], search, strategy)
    assert len(found) == population.count() and not found.duplicated(["user_id", "bin_end"]).any()
    assert found["score"].mean() == pytest.approx(found["label"].mean(), abs=0.005)
    tenths = found.groupby(pd.qcut(found["score"].rank(method="first"), 10, labels=False))
    assert (tenths["score"].mean() - tenths["truth"].mean()).abs().mean() < 0.03


@pytest.mark.parametrize("strategy", ["oversample", pytest.param("smote", marks=pytest.mark.faults)])
def test_a_memory_of_repeated_rows_is_not_taken_for_knowledge(population: DataFrame, strategy: str) -> None:
    """A deep forest knows its rows by heart: copies in both folds would rank the positives of either first."""
    found = trained(population.limit(1_500), ["noise"], "random_forest", strategy)
    assert roc_auc_score(found["label"], found["score"]) == pytest.approx(0.5, abs=0.08)
