"""The neural network, against truths that are known: an interaction, noise, weights, and stored models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io.core import DatasetError
from pyspark.ml import PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.metrics import roc_auc_score

from sparkify_kedro.framework.datasets import SparkMLDataset
from sparkify_kedro.framework.skipping import SkipError
from sparkify_kedro.learning.calibration import expose_margin
from sparkify_kedro.learning.latent import contributions
from sparkify_kedro.learning.neural_network import (
    NeuralNetworkClassifier,
    NeuralNetworkModel,
    sequence_in,
)
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, Segments, Smote, Training
from sparkify_kedro.learning.search import fit, train_calibrated

torch = pytest.importorskip("torch")
TRAINING = Training(
    seed=7, feature_sets=["all"], latent_sets={}, parallel_fits=2, rows_per_partition=100_000, use_features=["*"],
    leave_out_features=[], smote=Smote(most_rows=10_000, neighbors=5),
)  # fmt: skip
EVALUATION = Evaluation(
    seed=7, max_rows=100_000, replicates=20, cost_ratio=5, top_shares=[0.1], few_positives=0,
    segments=Segments(tenure_days=[30], history_days=[14]),
)  # fmt: skip
FEATURES = ["one", "other", "noise", "constant"]
TRUSTED = ["sparkify_kedro.learning.neural_network.NeuralNetworkModel"]
ROWS = 3_000


def network(**settings: float) -> NeuralNetworkClassifier:
    return NeuralNetworkClassifier(**{"seed": 1, "learningRate": 0.01, "maxEpochs": 40} | settings)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Only both features together decide: neither says anything alone."""
    random = np.random.default_rng(4)
    rows = pd.DataFrame(random.normal(size=(ROWS, 3)), columns=FEATURES[:3]).assign(constant=5.0)
    rows["log_odds"] = 3 * np.tanh(rows["one"] * rows["other"])
    rows["label"] = (random.random(ROWS) < 1 / (1 + np.exp(-rows["log_odds"]))).astype(float)
    rows["guess"] = (random.random(ROWS) < 0.2).astype(float)
    return rows.assign(fold=random.integers(0, 5, ROWS), place=range(ROWS))


def assembled(spark: SparkSession, frame: pd.DataFrame, features: list[str]) -> DataFrame:
    assembler = VectorAssembler(inputCols=features, outputCol="features")
    return assembler.transform(spark.createDataFrame(frame).coalesce(1)).localCheckpoint()


@pytest.fixture(scope="module")
def rows(spark: SparkSession, frame: pd.DataFrame) -> DataFrame:
    return assembled(spark, frame, FEATURES)


@pytest.fixture(scope="module")
def seen(rows: DataFrame) -> DataFrame:
    return rows.where("fold != 0")


@pytest.fixture(scope="module")
def fitted(seen: DataFrame) -> NeuralNetworkModel:
    return network().fit(seen)


def margins(model: NeuralNetworkModel, rows: DataFrame) -> np.ndarray:
    scored = PipelineModel(expose_margin(model)).transform(rows).orderBy("place").select("margin")
    return np.array([row.margin[0] for row in scored.collect()])


def test_it_learns_what_no_feature_says_alone(fitted: NeuralNetworkModel, rows: DataFrame, frame: pd.DataFrame) -> None:
    """On rows that it has not seen it ranks nearly as well as the truth."""
    unseen = frame[frame["fold"] == 0]
    found = roc_auc_score(unseen["label"], margins(fitted, rows.where("fold = 0")))
    truth = roc_auc_score(unseen["label"], unseen["log_odds"])
    assert truth > 0.8
    assert found > truth - 0.04
    assert dict(zip(FEATURES, fitted.importances, strict=True))["constant"] == 0
    assert fitted.importances[2] < 0.5 * min(fitted.importances[:2])


def test_one_network_for_each_fold_that_was_seen(fitted: NeuralNetworkModel) -> None:
    assert len(fitted.networks) == 4


def test_the_seed_decides(seen: DataFrame, fitted: NeuralNetworkModel) -> None:
    """And neither the order of other fits nor PyTorch's own generator."""
    torch.manual_seed(99)
    same, other = (network(maxEpochs=2, seed=seed).fit(seen) for seed in (1, 2))
    torch.manual_seed(98)
    again = network(maxEpochs=2, seed=1).fit(seen)
    one, two, three = (model.networks[0].layers[0].weight.numpy() for model in (same, again, other))
    assert np.array_equal(one, two)
    assert not np.allclose(one, three)


def test_of_noise_it_learns_the_prevalence(seen: DataFrame, rows: DataFrame) -> None:
    """It stops at once: the loss on the other folds does not fall."""
    model = network().fit(seen.withColumn("label", F.col("guess")))
    probability = 1 / (1 + np.exp(-margins(model, rows)))
    assert np.abs(probability - 0.2).max() < 0.1
    assert np.std(probability) < 0.03


def test_rows_without_weight_do_not_count(seen: DataFrame, rows: DataFrame, frame: pd.DataFrame) -> None:
    """As many rows with the labels turned around, all of weight 0."""
    turned = seen.withColumn("label", 1 - F.col("label")).withColumn("weight", F.lit(0.0))
    model = network(weightCol="weight").fit(seen.withColumn("weight", F.lit(1.0)).unionByName(turned))
    assert roc_auc_score(frame["label"], margins(model, rows)) > 0.75


def test_rows_without_folds_are_held_out_in_turn(seen: DataFrame, rows: DataFrame, frame: pd.DataFrame) -> None:
    model = network().fit(seen.drop("fold"))
    assert len(model.networks) == 5
    assert roc_auc_score(frame["label"], margins(model, rows)) > 0.8


def test_where_no_fold_can_be_spared_it_gives_the_prevalence(seen: DataFrame) -> None:
    """All positives are in one fold: without it there is one class alone."""
    alone = seen.where("label = 0 or fold = 1").where("fold < 3")
    model = network().fit(alone.where("label = 1 or fold = 2"))
    assert np.ptp(margins(model, alone)) == pytest.approx(0, abs=1e-6)


def test_too_many_rows_are_refused_before_they_are_collected(seen: DataFrame) -> None:
    with pytest.raises(SkipError, match=r"more than 100: raise the algorithm's mostRows"):
        network(mostRows=100).fit(seen)


def test_a_stored_model_is_numbers_and_json_and_scores_the_same(
    fitted: NeuralNetworkModel, rows: DataFrame, tmp_path: Path
) -> None:
    assembler = VectorAssembler(inputCols=FEATURES, outputCol="features")
    path = tmp_path / "model"
    dataset = SparkMLDataset(filepath=str(path), trusted_stages=TRUSTED)
    dataset.save(PipelineModel([assembler, *expose_margin(fitted)]))
    with pytest.raises(DatasetError, match=r"its stage 'sparkify_kedro\.learning.*could run arbitrary code"):
        SparkMLDataset(filepath=str(path)).load()
    loaded = dataset.load()
    table = rows.drop("features")
    scored = [row.margin[0] for row in loaded.transform(table).orderBy("place").select("margin").collect()]
    assert np.array_equal(scored, margins(fitted, rows))
    assert loaded.stages[1].importances == pytest.approx(fitted.importances)
    (stage,) = (path / "stages").glob("1_*")
    assert sorted(file.name for file in stage.iterdir()) == ["metadata", "weights"]
    (table,) = pd.read_parquet(stage / "weights").to_numpy().tolist()
    from safetensors.numpy import load

    assert set(load(table[0])) > {"importances"}


def test_shapes_are_settings(seen: DataFrame) -> None:
    model = network(hiddenUnits=3, hiddenLayers=2, maxEpochs=1).fit(seen)
    shapes = [tuple(tensor.shape) for name, tensor in model.networks[0].named_parameters() if "weight" in name]
    assert shapes == [(3, 4), (3, 3), (1, 3)]


@pytest.mark.faults
def test_it_is_searched_calibrated_and_explained_like_the_others(rows: DataFrame, tmp_path: Path) -> None:
    """Its probabilities are right on average, for likely and for unlikely rows; the stored model gives the same."""
    search = AlgorithmSearch(
        algorithm="neural_network",
        settings={"learningRate": 0.01, "maxEpochs": 8},
        grid={"hiddenUnits": [2, 16]},
    )
    keys = [F.col("place").cast("string").alias("user_id"), F.lit(0).cast("bigint").alias("bin_end")]
    table = rows.select(*keys, *FEATURES, F.col("label").cast("int").alias("label"), "fold").where("fold < 3")
    found = train_calibrated(table, table, {"all": FEATURES}, search, TRAINING, EVALUATION)
    assert [point.settings["hiddenUnits"] for point in found.search.points] == [2, 16]
    scores = found.out_of_fold.sort_values("score")
    middle = len(scores) // 2
    for half in (scores.iloc[:middle], scores.iloc[middle:]):
        assert half["score"].mean() == pytest.approx(half["label"].mean(), abs=0.04)
    assert roc_auc_score(scores["label"], scores["score"]) > 0.75
    dataset = SparkMLDataset(filepath=str(tmp_path / "champion"), trusted_stages=TRUSTED)
    dataset.save(found.model)
    dataset.release()
    one, other = (
        [row.probability[1] for row in model.transform(table).orderBy("user_id").select("probability").collect()]
        for model in (found.model, dataset.load())
    )
    assert one == other
    values = table.limit(5).toPandas()[FEATURES].to_numpy()
    added = contributions(dataset.load(), "neural_network", values, np.zeros(len(FEATURES)))
    assert added.shape == values.shape
    assert (added[:, 3] == 0).all()


# Sequences


NAMES = ["songs", "songs_2_earlier", "static", "songs_1_earlier", "landmarks_earlier", "odd_1_earlier"]


def test_the_sequence_is_found_by_the_names() -> None:
    """A feature that one of the landmarks lacks stands beside the sequence."""
    assert sequence_in(NAMES) == [[1], [3], [0]]
    assert sequence_in(["songs", "static"]) == sequence_in(["songs", "songs_2_earlier"]) == []


@pytest.fixture(scope="module")
def histories() -> pd.DataFrame:
    """A user leaves if songs have gone up and then down; whoever has no earlier landmark stays as often as not."""
    random = np.random.default_rng(5)
    frame = pd.DataFrame(random.normal(size=(ROWS, len(NAMES))), columns=NAMES)
    frame["landmarks_earlier"] = random.choice([0.0, 1.0, 2.0], ROWS, p=[0.15, 0.15, 0.7])
    for number in (1, 2):
        frame.loc[frame["landmarks_earlier"] < number, f"songs_{number}_earlier"] = 0.0
    turns = (frame["songs_1_earlier"] > frame["songs_2_earlier"]) & (frame["songs_1_earlier"] > frame["songs"])
    known = frame["landmarks_earlier"] == 2
    frame["log_odds"] = np.where(known, np.where(turns, 3.0, -3.0), 0.0)
    frame["label"] = (random.random(ROWS) < 1 / (1 + np.exp(-frame["log_odds"]))).astype(float)
    return frame.assign(fold=random.integers(0, 5, ROWS), place=range(ROWS))


@pytest.fixture(scope="module")
def sequences(spark: SparkSession, histories: pd.DataFrame) -> DataFrame:
    return assembled(spark, histories, NAMES)


@pytest.fixture(scope="module")
def recurrent(sequences: DataFrame) -> NeuralNetworkModel:
    classifier = NeuralNetworkClassifier(names=NAMES, seed=1, learningRate=0.01, maxEpochs=40)
    return classifier.fit(sequences.where("fold != 0"))


def test_a_recurrent_network_learns_what_the_order_says(
    recurrent: NeuralNetworkModel, sequences: DataFrame, histories: pd.DataFrame
) -> None:
    unseen = histories[histories["fold"] == 0]
    found = roc_auc_score(unseen["label"], margins(recurrent, sequences.where("fold = 0")))
    truth = roc_auc_score(unseen["label"], unseen["log_odds"])
    assert recurrent.networks[0].cell is not None
    assert truth > 0.75
    assert found > truth - 0.06


@pytest.mark.parametrize(("algorithm", "reads"), [("recurrent_network", True), ("neural_network", False)])
def test_the_search_tells_a_recurrent_network_alone_the_names(
    sequences: DataFrame, algorithm: str, reads: bool
) -> None:
    """They come from the vector, also after a checkpoint: without them it would read no sequence, silently."""
    search = AlgorithmSearch(algorithm=algorithm, settings={"maxEpochs": 1}, grid={"hiddenUnits": [2]})
    model = fit(sequences, {"feature_set": "all", "hiddenUnits": 2}, search, TRAINING).classifier
    assert [network.cell is not None for network in model.networks] == [reads] * 5
    assert model.networks[0].shape.known == (NAMES.index("landmarks_earlier") if reads else None)


def test_landmarks_that_a_user_does_not_have_say_nothing(recurrent: NeuralNetworkModel) -> None:
    """Whatever stands in their place."""
    one = torch.zeros(1, len(NAMES))
    other = one.clone()
    other[0, [1, 3]] = torch.tensor([2.0, -1.0])
    network = recurrent.networks[0]
    assert torch.equal(network(one), network(other))
    one[0, 4] = other[0, 4] = 2
    assert not torch.allclose(network(one), network(other))


def test_a_stored_recurrent_network_scores_the_same(
    recurrent: NeuralNetworkModel, sequences: DataFrame, tmp_path: Path
) -> None:
    recurrent.write().save(str(tmp_path / "model"))
    loaded = NeuralNetworkModel.load(str(tmp_path / "model"))
    assert np.array_equal(margins(loaded, sequences), margins(recurrent, sequences))
    rows = np.random.default_rng(1).normal(size=(20, len(NAMES)))
    assert np.array_equal(*(each.contributions(rows, np.zeros(len(NAMES))) for each in (loaded, recurrent)))


def test_contributions_add_up_to_the_margin_of_a_sequence(
    recurrent: NeuralNetworkModel, histories: pd.DataFrame
) -> None:
    rows = histories[NAMES].to_numpy()[:50]
    means = histories[NAMES].to_numpy().mean(axis=0)
    one, other = (
        torch.stack([network(torch.as_tensor(values, dtype=torch.float32)) for network in recurrent.networks]).mean(0)
        for values in (rows, means[None, :])
    )
    assert recurrent.contributions(rows, means).sum(axis=1) == pytest.approx((one - other).numpy(), abs=0.05)
