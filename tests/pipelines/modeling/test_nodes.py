"""Models, their evaluation on unseen users, and the champion."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from kedro.io.core import Version
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.metrics import roc_auc_score

from partial_reports import report as partial_report
from sparkify_kedro.churn.feature_registry import FeatureRegistry
from sparkify_kedro.churn.parameters import FeatureEngineering, LabelSampling
from sparkify_kedro.churn.reports import (
    Baselines,
    ChampionSelection,
    FeatureAudit,
    Metrics,
    PairedDifference,
    PairedDifferences,
    RankingScores,
    SearchReport,
    UserTypesByFold,
)
from sparkify_kedro.framework.datasets import SparkMLDataset
from sparkify_kedro.framework.skipping import SkipError
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, Training
from sparkify_kedro.pipelines.modeling import nodes
from sparkify_kedro.pipelines.modeling.nodes import keep_champion, predict
from sparkify_kedro.pipelines.modeling.parameters import LeakAudit, SelectionRule

LABEL = "will_churn_soon"
PARAMETERS = OmegaConfigLoader(str(Path(__file__).parents[3] / "conf"), base_env="base", default_run_env="base")[
    "parameters"
]
TRAINING = Training.model_validate(
    PARAMETERS["modeling"]["training"] | {"seed": 1, "feature_sets": ["extended"], "rows_per_partition": 100_000}
)
# None of the features here comes from user types.
NO_TYPES = partial_report(UserTypesByFold, {})
SAMPLING = LabelSampling.model_validate(PARAMETERS["sampling"]["labels"]["will_churn_in_next_bin"])
AUDIT = LeakAudit(levels=10, suspicious_auc_roc=0.9)
SEARCH = AlgorithmSearch(
    algorithm="logistic_regression", settings={"maxIter": 20}, grid={"regParam": [0.01, 10.0], "elasticNetParam": [0.0]}
)
TREES = AlgorithmSearch(algorithm="random_forest", settings={"numTrees": 3}, grid={"maxDepth": [2]})
EVALUATION = Evaluation.model_validate(
    {
        "seed": 5,
        "max_rows": 10_000,
        "replicates": 50,
        "cost_ratio": 5,
        "top_shares": [0.05],
        "few_positives": 30,
        "segments": {"tenure_days": [30], "history_days": [14]},
    }
)
ENGINEERING = FeatureEngineering.model_validate(PARAMETERS["feature_engineering"])
registry = FeatureRegistry.model_validate
LINES: dict[str, Any] = {
    "songs": {"sets": ["original", "extended"], "unit": "songs", "definition": "songs", "labels": "all"},
    "page_about": {"sets": ["original", "extended"], "unit": "visits", "definition": "visits", "labels": "all"},
    "adverts": {"sets": ["extended"], "unit": "adverts", "definition": "adverts", "labels": "all"},
    "silence": {
        "sets": ["extended"],
        "unit": "days",
        "definition": "days since the last event",
        "labels": ["will_churn_in_next_bin"],
        "why": "it sees that activity has stopped",
    },
}


Json = dict[str, Any]

# The nodes, with their reports as JSON: as the catalog writes and reads them.


def audit_features(rows: DataFrame, lines: FeatureRegistry, *settings: Any) -> Json:
    return nodes.audit_features(rows, lines, *settings).model_dump(mode="json")


def search_model(train: DataFrame, rows: DataFrame, audited: Json, *settings: Any) -> tuple[PipelineModel, Json]:
    model, report, _ = nodes.search_model(train, rows, FeatureAudit.model_validate(audited), *settings)
    return model, report.model_dump(mode="json")


def evaluate(predictions: DataFrame, report: Json) -> Json:
    original = RankingScores(rows=0, positives=0, prevalence=None)
    metrics = nodes.evaluate(predictions, SearchReport.model_validate(report), original, EVALUATION)
    return metrics.model_dump(mode="json")


def evaluate_baselines(rows: DataFrame, test: DataFrame, audited: Json) -> Json:
    baselines = nodes.evaluate_baselines(rows, test, FeatureAudit.model_validate(audited), EVALUATION)
    return baselines.model_dump(mode="json")


def evaluate_as_original(protocol: DataFrame, report: Json) -> Json:
    search = SearchReport.model_validate(report)
    return nodes.evaluate_as_original(protocol, search, TRAINING, SEARCH, EVALUATION).model_dump(mode="json")


def select_champion(rule: SelectionRule, *reports: SearchReport) -> Json:
    """The last of them is the best."""
    found = differences(reports[-1].algorithm, **{report.algorithm: LESS for report in reports[:-1]})
    found.differences[reports[-1].algorithm] = PairedDifference(average_precision=0.0, interval=SAME)
    selection = nodes.select_champion(rule, found, **{report.algorithm: report for report in reports})
    return selection.model_dump(mode="json")


def population(users: int, seed: int, first: int = 0) -> pd.DataFrame:
    """Two bins a user; users with many adverts and few songs leave more often, about one in six."""
    draw = np.random.default_rng(seed)
    rows = 2 * users
    adverts, songs = draw.poisson(4, rows), draw.poisson(30, rows)
    truth = 1 / (1 + np.exp(2 - 0.6 * (adverts - 4) + 0.05 * (songs - 30)))
    label = (draw.random(rows) < truth).astype(int)
    user = first + np.arange(rows) // 2
    return pd.DataFrame(
        {
            "user_id": user.astype(str),
            "bin_end": np.arange(rows) % 2,
            "songs": songs,
            "page_about": 0,
            "adverts": adverts,
            "silence": 5.0 * label,
            "level_at_end": np.where(user % 3 == 0, "free", "paid"),
            "is_male": user % 2,
            "device": np.where(user % 5 == 0, "iphone", "mac"),
            "log_tenure_days": np.log(draw.integers(10, 90, size=rows)),
            "observed_days_in_time_bin": 14.0,
            "observed_days_in_history": 14.0 * (1 + np.arange(rows) % 2),
            "label": label,
            "fold": user % 2,
        }
    )


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    """What is not held out, at natural prevalence."""
    return spark.createDataFrame(population(300, 1)).coalesce(1).cache()


@pytest.fixture(scope="module")
def train(rows: DataFrame) -> DataFrame:
    return rows.where("label = 1 or user_id % 3 = 0").cache()


@pytest.fixture(scope="module")
def test_rows(spark: SparkSession) -> DataFrame:
    return (
        spark.createDataFrame(population(150, 2, first=1_000).drop(columns="fold"))
        .coalesce(1)
        .withColumn("is_balanced", F.expr("label = 1 or user_id % 3 = 0"))
        .cache()
    )


@pytest.fixture(scope="module")
def audited(rows: DataFrame) -> dict[str, Any]:
    return audit_features(rows, registry(LINES), TRAINING, AUDIT, LABEL)


@pytest.fixture(scope="module")
def found(train: DataFrame, rows: DataFrame, audited: dict[str, Any]) -> tuple[PipelineModel, dict[str, Any]]:
    return search_model(train, rows, audited, TRAINING, SEARCH, SAMPLING, EVALUATION)


@pytest.fixture(scope="module")
def out_of_fold(train: DataFrame, rows: DataFrame, audited: Json) -> DataFrame:
    audit = FeatureAudit.model_validate(audited)
    return nodes.search_model(train, rows, audit, TRAINING, SEARCH, SAMPLING, EVALUATION)[2].cache()


@pytest.fixture(scope="module")
def forest(train: DataFrame, rows: DataFrame, audited: dict[str, Any]) -> tuple[PipelineModel, dict[str, Any]]:
    return search_model(train, rows, audited, TRAINING, TREES, SAMPLING, EVALUATION)


@pytest.fixture(scope="module")
def metrics(found: tuple[PipelineModel, dict[str, Any]], test_rows: DataFrame) -> dict[str, Any]:
    return evaluate(predict(found[0], test_rows), found[1])


def assert_writable(written: Any) -> None:
    """As JSON, without a number that JSON lacks, and read back as it was."""
    assert json.loads(json.dumps(written, allow_nan=False)) == written


# The audit.


def test_a_feature_set_without_leaks_passes(audited: dict[str, Any]) -> None:
    """What sees that activity stopped would have given the label away, and is another label's."""
    assert audited["label"] == LABEL
    assert audited["feature_sets"] == {"extended": ["songs", "page_about", "adverts"]}
    ranked = audited["one_feature"]
    assert ranked[0]["feature"] == "adverts"
    assert ranked == sorted(ranked, key=lambda score: -score["auc_roc"])
    assert audited["best_original_feature"] == next(s["feature"] for s in ranked if s["feature"] != "adverts")
    assert_writable(audited)


def test_what_the_log_does_not_have_is_left_out_and_named(rows: DataFrame) -> None:
    """One value in all rows; where the log has nothing of a set, there is nothing else to learn from."""
    lines = {name: feature | {"needs": "adverts or songs"} for name, feature in LINES.items()}
    without_adverts = rows.withColumns({"adverts": F.lit(0.0), "page_about": F.col("songs") + 1})
    audited = audit_features(without_adverts, registry(lines), TRAINING, AUDIT, LABEL)
    assert audited["feature_sets"] == {"extended": ["songs", "page_about"]}
    assert audited["absent"] == {"adverts": "adverts or songs"}
    assert audit_features(without_adverts, registry(LINES), TRAINING, AUDIT, LABEL)["absent"] == {}
    nothing = without_adverts.withColumns({"songs": F.lit(1.0), "page_about": F.lit(0)})
    audited = audit_features(nothing, registry(lines), TRAINING, AUDIT, LABEL)
    assert audited["feature_sets"] == {"extended": ["songs", "page_about", "adverts"]}


def test_a_leak_stops_the_run_by_name(rows: DataFrame) -> None:
    """For a label whose line in the catalogue lets it through; a weaker one passes where the threshold is higher."""
    lines = LINES | {"silence": LINES["silence"] | {"labels": [LABEL]}}
    with pytest.raises(ValueError, match=r"silence \(AUC-ROC 1.000\)") as caught:
        audit_features(rows, registry(lines), TRAINING, AUDIT, LABEL)
    assert "adverts" not in str(caught.value)
    weaker = rows.withColumn("silence", F.when(F.col("songs") % 10 > 0, F.col("silence")).otherwise(0.0))
    with pytest.raises(ValueError, match="silence"):
        audit_features(weaker, registry(lines), TRAINING, AUDIT, LABEL)
    higher = LeakAudit(levels=10, suspicious_auc_roc=1)
    assert "silence" in audit_features(weaker, registry(lines), TRAINING, higher, LABEL)["feature_sets"]["extended"]


def test_only_features_of_the_set_are_audited(rows: DataFrame) -> None:
    training = TRAINING.model_copy(update={"feature_sets": ["original"]})
    lines = LINES | {"silence": LINES["silence"] | {"labels": [LABEL]}}
    assert audit_features(rows, registry(lines), training, AUDIT, LABEL)["feature_sets"] == {
        "original": ["songs", "page_about"]
    }


def test_patterns_choose_features_of_the_set(rows: DataFrame) -> None:
    def chosen(**patterns: list[str]) -> Any:
        training = TRAINING.model_copy(update=patterns)
        return audit_features(rows, registry(LINES), training, AUDIT, LABEL)["feature_sets"]["extended"]

    assert chosen(use_features=["page_*", "adverts"]) == ["page_about", "adverts"]
    assert chosen(leave_out_features=["page_*", "adverts"]) == ["songs"]
    assert chosen(use_features=["*s"], leave_out_features=["songs"]) == ["adverts"]
    with pytest.raises(ValueError, match="leave nothing of the feature set 'extended'"):
        chosen(use_features=["page"])


@pytest.mark.parametrize("feature_set", ["original", "extended"])
def test_a_feature_that_is_missing_is_named(rows: DataFrame, feature_set: str) -> None:
    training = TRAINING.model_copy(update={"feature_sets": [feature_set]})
    with pytest.raises(ValueError, match="names songs, which the development rows lack"):
        audit_features(rows.drop("songs"), registry(LINES), training, AUDIT, LABEL)


def test_the_originals_features_are_needed_for_the_baseline_whatever_the_set(rows: DataFrame) -> None:
    lines = LINES | {"songs": LINES["songs"] | {"sets": ["original"]}}
    assert "songs" not in audit_features(rows, registry(lines), TRAINING, AUDIT, LABEL)["feature_sets"]["extended"]
    with pytest.raises(ValueError, match="names songs, which the development rows lack"):
        audit_features(rows.drop("songs"), registry(lines), TRAINING, AUDIT, LABEL)


def test_the_audit_of_no_rows_is_skipped(rows: DataFrame) -> None:
    with pytest.raises(SkipError, match="no rows to train on"):
        audit_features(rows.limit(0), registry(LINES), TRAINING, AUDIT, LABEL)


@pytest.mark.parametrize("only", ["label = 0", "label = 1", "fold = 0", "fold = 0 or label = 1"])
def test_too_few_rows_of_a_class_are_reported_by_the_audit(rows: DataFrame, only: str) -> None:
    with pytest.raises(
        SkipError, match="as many rows of each class as there are folds, and both in at least two folds"
    ):
        audit_features(rows.where(only), registry(LINES), TRAINING, AUDIT, LABEL)


# The search.


def test_the_search_reports_every_point_and_fold(found: tuple[PipelineModel, dict[str, Any]], train: DataFrame) -> None:
    _, report = found
    assert [point["settings"] for point in report["points"]] == [
        {"feature_set": "extended", "regParam": 0.01, "elasticNetParam": 0.0},
        {"feature_set": "extended", "regParam": 10.0, "elasticNetParam": 0.0},
    ]
    assert all(len(point["fold_scores"]) == 2 for point in report["points"])
    assert all(point["score"] == pytest.approx(sum(point["fold_scores"]) / 2) for point in report["points"])
    assert report["best"]["score"] == max(point["score"] for point in report["points"])
    assert report["train"] == {"rows": train.count(), "positives": train.where("label = 1").count()}
    assert_writable(report)


def test_out_of_fold_scores_are_at_natural_prevalence(
    found: tuple[PipelineModel, dict[str, Any]], rows: DataFrame
) -> None:
    report = found[1]
    counts = {"rows": 600, "positives": rows.where("label = 1").count()}
    assert {name: report["out_of_fold"][name] for name in counts} == counts
    low, high = report["out_of_fold"]["average_precision_interval"]
    assert report["out_of_fold"]["prevalence"] < low < report["out_of_fold"]["average_precision"] < high
    # A missed churner costs five contacts: so users with a probability above one in six are contacted.
    assert report["threshold"] == pytest.approx(1 / 6, abs=0.1)


def test_coefficients_and_calibration_are_named_and_reproduce_the_model(
    found: tuple[PipelineModel, dict[str, Any]], rows: DataFrame
) -> None:
    model, report = found
    row = rows.first()
    log_odds = report["intercept"] + sum(report["coefficients"][name] * row[name] for name in report["features"])
    calibrated = report["calibration"]["slope"] * log_odds + report["calibration"]["intercept"]
    scored = predict(model, rows.where(f"user_id = '{row.user_id}' and bin_end = {row.bin_end}")).collect()
    assert [one.score for one in scored] == [pytest.approx(1 / (1 + math.exp(-calibrated)))]
    assert report["coefficients"]["adverts"] > 0 > report["coefficients"]["songs"]


def test_importances_are_named_and_sum_to_one(
    forest: tuple[PipelineModel, dict[str, Any]], audited: dict[str, Any]
) -> None:
    assert list(forest[1]["importances"]) == audited["feature_sets"]["extended"]
    assert sum(forest[1]["importances"].values()) == pytest.approx(1)
    assert_writable(forest[1])


def test_the_model_takes_columns_by_name(found: tuple[PipelineModel, dict[str, Any]], test_rows: DataFrame) -> None:
    columns = ["user_id", "bin_end", "score"]
    shuffled = test_rows.select("adverts", "label", "page_about", "bin_end", "songs", "user_id")
    ours, theirs = (sorted(predict(found[0], rows).select(*columns).collect()) for rows in (test_rows, shuffled))
    assert ours == theirs


@pytest.mark.parametrize("only", ["label = 0", "fold = 0", "fold = 0 or label = 1", "false"])
def test_too_few_rows_of_a_class_are_reported_by_the_search(
    train: DataFrame, rows: DataFrame, audited: dict[str, Any], only: str
) -> None:
    with pytest.raises(SkipError, match=r"as many rows of each class as there are folds|no rows to train on"):
        search_model(train.where(only), rows, audited, TRAINING, SEARCH, SAMPLING, EVALUATION)


# Judging.


def test_held_out_users_are_evaluated_at_the_training_threshold(
    metrics: dict[str, Any], found: tuple[PipelineModel, dict[str, Any]], test_rows: DataFrame
) -> None:
    scored = predict(found[0], test_rows).toPandas()
    assert metrics["test"]["auc_roc"] == pytest.approx(roc_auc_score(scored["label"], scored["score"]))
    assert metrics["test"]["rows"] == 300
    assert metrics["confusion"]["threshold"] == found[1]["threshold"]
    flagged = scored["score"] >= found[1]["threshold"]
    assert metrics["confusion"]["true_positives"] == int((flagged & (scored["label"] == 1)).sum())
    assert metrics["confusion"]["false_positives"] == int((flagged & (scored["label"] == 0)).sum())
    assert metrics["top"][0]["rows"] == 15
    assert_writable(metrics)


def test_the_balanced_test_is_a_part_of_the_other(metrics: dict[str, Any], test_rows: DataFrame) -> None:
    assert metrics["test_balanced"]["rows"] == test_rows.where("label = 1 or user_id % 3 = 0").count()
    assert metrics["test_balanced"]["positives"] == metrics["test"]["positives"]
    assert metrics["test_balanced"]["prevalence"] > metrics["test"]["prevalence"]


def test_segments_partition_the_test_rows(metrics: dict[str, Any], test_rows: DataFrame) -> None:
    free = test_rows.where("level_at_end = 'free'")
    assert metrics["segments"]["level"]["free"]["rows"] == free.count()
    assert metrics["segments"]["level"]["free"]["positives"] == free.where("label = 1").count()
    assert {kind: set(segments) for kind, segments in metrics["segments"].items()} == {
        "level": {"free", "paid"},
        "gender": {"male", "female or unknown"},
        "tenure": {"under 30 days", "30 days and more"},
        "device": {"iphone", "mac"},
        "history": {"14 days and more"},
    }
    for segments in metrics["segments"].values():
        for name in ("rows", "positives"):
            assert sum(scores[name] for scores in segments.values()) == metrics["test"][name]


@pytest.mark.parametrize(
    ("only", "expected"),
    [("false", (0, 0)), ("label = 0", (None, 0)), ("user_id = '1000' and bin_end = 0", (1, None))],
)
def test_a_small_test_set_has_nulls_and_warnings(
    found: tuple[PipelineModel, dict[str, Any]],
    rows: DataFrame,
    test_rows: DataFrame,
    audited: dict[str, Any],
    only: str,
    expected: tuple[int | None, int | None],
) -> None:
    """No row, no positive, a single row: for the model, every segment and the baselines."""
    few = test_rows.where(only)
    written = evaluate(predict(found[0], few), found[1])
    baselines = evaluate_baselines(rows, few, audited)
    segments = [scores for kind in written["segments"].values() for scores in kind.values()]
    for scores in (written["test"], written["test_balanced"], *segments, *(one["test"] for one in baselines.values())):
        assert scores["average_precision"] is scores["auc_roc"] is None
        assert "needs rows of both classes" in scores["warning"]
    for name, number in zip(("rows", "positives"), expected, strict=True):
        assert number is None or written["test"][name] == number
    assert (segments == []) is (only == "false")
    assert_writable(written)
    assert_writable(baselines)


def test_baselines_are_the_prevalence_and_one_feature(
    rows: DataFrame, test_rows: DataFrame, audited: dict[str, Any]
) -> None:
    written = evaluate_baselines(rows, test_rows, audited)
    prevalence, learned = written["prevalence"], rows.toPandas()["label"].mean()
    assert prevalence["feature"] is None
    assert prevalence["test"]["auc_roc"] == pytest.approx(0.5)
    assert prevalence["test"]["average_precision"] == pytest.approx(prevalence["test"]["prevalence"])
    assert [row["mean_score"] for row in prevalence["calibration"]] == [pytest.approx(learned)] * 10
    # Either all users are contacted, or none.
    assert prevalence["confusion"]["threshold"] == (pytest.approx(learned) if learned > 1 / 6 else 1.0)
    single, scored = written["best_single_feature"], test_rows.toPandas()
    assert single["feature"] == audited["best_original_feature"] == "songs"
    # A logistic regression on one feature ranks as the feature does: few songs, high risk.
    assert single["test"]["auc_roc"] == pytest.approx(roc_auc_score(scored["label"], -scored["songs"]))
    assert_writable(written)


def test_a_constant_feature_can_be_a_baseline(rows: DataFrame, test_rows: DataFrame, audited: dict[str, Any]) -> None:
    written = evaluate_baselines(rows, test_rows, audited | {"best_original_feature": "page_about"})
    assert written["best_single_feature"]["test"]["auc_roc"] == pytest.approx(0.5)
    assert_writable(written)


def test_baselines_of_one_class_are_valid_json(rows: DataFrame, test_rows: DataFrame, audited: dict[str, Any]) -> None:
    """What is wrong is the search's to say; the baselines must not fail before it."""
    assert_writable(evaluate_baselines(rows.where("label = 0"), test_rows, audited))


def test_the_originals_protocol_rewards_recognized_users(
    rows: DataFrame, found: tuple[PipelineModel, dict[str, Any]]
) -> None:
    """Rows are held out, and the model with the settings that were found is judged on them."""
    protocol = rows.withColumn("is_held_out", F.col("bin_end") == 1).drop("fold")
    written = evaluate_as_original(protocol, found[1])
    assert written["rows"] == 300
    assert written["positives"] == rows.where("bin_end = 1 and label = 1").count()
    assert 0.6 < written["auc_roc"] < 0.95
    low, high = written["average_precision_interval"]
    assert low < written["average_precision"] < high
    assert_writable(written)


@pytest.mark.parametrize("only", ["is_held_out", "not is_held_out", "label = 0 or is_held_out", "false"])
def test_the_originals_protocol_on_too_few_rows_is_null(
    rows: DataFrame, found: tuple[PipelineModel, dict[str, Any]], only: str
) -> None:
    protocol = rows.withColumn("is_held_out", F.col("bin_end") == 1).drop("fold").where(only)
    written = evaluate_as_original(protocol, found[1])
    assert written["average_precision"] is written["auc_roc"] is None
    assert "needs rows of both classes" in written["warning"]
    held_out = protocol.where("is_held_out")
    assert (written["rows"], written["positives"]) == (held_out.count(), held_out.where("label = 1").count())
    assert_writable(written)


# The champion.


def search_of(name: str, interval: tuple[float, float]) -> SearchReport:
    """An algorithm's search with out-of-fold scores in the middle of the interval."""
    scores = {
        "rows": 100,
        "positives": 10,
        "prevalence": 0.1,
        "average_precision": sum(interval) / 2,
        "average_precision_interval": interval,
        "auc_roc": 0.6,
    }
    best = {"settings": {"of": name, "feature_set": "extended"}, "fold_scores": [0.1], "score": 0.1}
    return SearchReport.model_validate(
        {
            "algorithm": name,
            "metric": "average_precision",
            "features": ["songs"],
            "settings": {},
            "train": {"rows": 50, "positives": 10},
            "points": [best],
            "best": best,
            "calibration": {"slope": 1.0, "intercept": 0.0},
            "out_of_fold": scores,
            "threshold": 0.2,
        }
    )


SIMPLE, COMPLEX = ("simple", (0.10, 0.20)), ("complex", (0.22, 0.32))


def differences(best: str, **intervals: tuple[float, float] | None) -> PairedDifferences:
    return PairedDifferences(
        best=best,
        differences={
            name: PairedDifference(average_precision=None if interval is None else sum(interval) / 2, interval=interval)
            for name, interval in intervals.items()
        },
    )


SAME, LESS, ALIKE = (0.0, 0.0), (-0.2, -0.05), (-0.2, 0.05)


@pytest.mark.parametrize(
    ("prefer_simpler", "found", "champion", "alike", "words"),
    [
        (True, differences("c", a=LESS, b=ALIKE, c=SAME), "b", ["b", "c"], "the simplest of them"),
        (False, differences("c", a=LESS, b=ALIKE, c=SAME), "c", ["b", "c"], "has the best score out of fold"),
        (True, differences("c", a=LESS, b=LESS, c=SAME), "c", ["c"], "its difference from every other excludes zero"),
        (True, differences("b", a=ALIKE, b=SAME), "a", ["a", "b"], "is indistinguishable from b"),
        (True, differences("a", a=SAME, b=ALIKE), "a", ["a", "b"], "has the best score out of fold"),
        (True, differences("a", a=None, b=None), "a", ["a", "b"], "is indistinguishable from b"),
        (True, differences("a", a=SAME), "a", ["a"], "a"),
    ],
)
def test_the_champion_is_the_simplest_of_those_whose_difference_includes_zero(
    prefer_simpler: bool, found: PairedDifferences, champion: str, alike: list[str], words: str
) -> None:
    rule = SelectionRule(judged_on="test", prefer_simpler=prefer_simpler)
    names = list(found.differences)
    selection = nodes.select_champion(rule, found, **{name: search_of(name, (0.1, 0.2)) for name in names})
    assert (selection.champion, selection.indistinguishable) == (champion, alike)
    assert words in selection.verdict
    assert list(selection.algorithms) == names
    assert selection.algorithms[champion].settings["of"] == champion
    assert_writable(selection.model_dump(mode="json"))


def test_algorithms_are_compared_on_the_same_rows_out_of_fold(
    spark: SparkSession, found: tuple[PipelineModel, Json], out_of_fold: DataFrame
) -> None:
    """The best is found, and one that ranks at random is told from it; one that ranks alike is not."""
    random = out_of_fold.withColumn("score", F.xxhash64("user_id", "bin_end") % 1_000 / 1_000)
    alike = out_of_fold.withColumn("score", F.col("score") * 0.5)
    compared = nodes.compare_out_of_fold(EVALUATION, random=random, best=out_of_fold, alike=alike)
    assert compared.best == "best"
    assert compared.differences["best"].interval == (0.0, 0.0)
    assert compared.differences["alike"].includes_zero
    assert not compared.differences["random"].includes_zero
    scores = out_of_fold.toPandas()
    assert len(scores) == 600
    assert roc_auc_score(scores["label"], scores["score"]) == pytest.approx(found[1]["out_of_fold"]["auc_roc"])


def test_the_comparison_has_all_scores_and_a_champion_that_was_selected_without_them(
    metrics: Json, rows: DataFrame, test_rows: DataFrame, audited: Json
) -> None:
    """Even where the test rows favor the other algorithm."""
    rule = SelectionRule(judged_on="test", prefer_simpler=True)
    selection = select_champion(rule, search_of(*SIMPLE), search_of(*COMPLEX))
    better, worse = (metrics | {"test": metrics["test"] | {"average_precision": found}} for found in (0.9, 0.1))
    baselines = evaluate_baselines(rows, test_rows, audited)
    comparison = nodes.compare_algorithms(
        ChampionSelection.model_validate(selection),
        Baselines.model_validate(baselines),
        rule,
        simple=Metrics.model_validate(better),
        complex=Metrics.model_validate(worse),
    ).model_dump(mode="json")
    assert comparison["champion"] == "complex"
    assert comparison["judged_on"] == "test"
    assert comparison["baselines"] == baselines
    for name, scores in (("simple", better), ("complex", worse)):
        assert comparison["algorithms"][name] == selection["algorithms"][name] | scores
    assert comparison["summary"].startswith(
        "champion complex, out of fold average precision 0.270 (95 % interval 0.220 to 0.320"
    )
    assert "(10 positives in 100 rows); test average precision 0.100 (95 % interval" in comparison["summary"]
    assert_writable(comparison)


def test_the_champions_model_is_returned(
    found: tuple[PipelineModel, dict[str, Any]], forest: tuple[PipelineModel, dict[str, Any]]
) -> None:
    selection = ChampionSelection(
        champion="random_forest", verdict="", indistinguishable=[], differences={}, algorithms={}
    )
    assert keep_champion(selection, logistic_regression=found[0], random_forest=forest[0]) is forest[0]


def test_champion_metadata_describes_model_and_training_rows(
    found: tuple[PipelineModel, dict[str, Any]],
    rows: DataFrame,
    audited: dict[str, Any],
    tmp_path: Path,
) -> None:
    model, report = found
    rule = SelectionRule(judged_on="test", prefer_simpler=True)
    champion_selection = select_champion(rule, SearchReport.model_validate(report))
    selection, audit = ChampionSelection.model_validate(champion_selection), FeatureAudit.model_validate(audited)
    card = nodes.describe_champion(model, selection, audit, NO_TYPES, rows, ENGINEERING, EVALUATION).model_dump(
        mode="json"
    )
    dataset = SparkMLDataset(filepath=str(tmp_path / "champion"), version=Version(None, None))
    dataset.save(model)
    assert dataset.load().uid == card["model"]
    expected = {
        "label": LABEL,
        "algorithm": "logistic_regression",
        "settings": report["best"]["settings"],
        "feature_set": "extended",
        "features": ["songs", "page_about", "adverts"],
        "user_types": None,
        "feature_engineering": ENGINEERING.model_dump(mode="json"),
        "cost_ratio": 5,
        "threshold": report["threshold"],
        "categories": {"level_at_end": ["free", "paid"], "device": ["iphone", "mac"]},
        # Of two bins a user has, the log covers nothing before the first.
        "share_without_history": 0.5,
        "out_of_fold": report["out_of_fold"],
    }
    assert {name: card[name] for name in expected} == expected
    assert list(card["profile"]) == ["songs", "page_about", "adverts", "score"]
    assert all(sum(profile["counts"]) == 600 for profile in card["profile"].values())
    assert card["profile"]["adverts"]["mean"] == pytest.approx(rows.toPandas()["adverts"].mean())
    assert card["profile"]["score"]["mean"] == pytest.approx(rows.toPandas()["label"].mean(), rel=0.15)
    assert_writable(card)
