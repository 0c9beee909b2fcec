"""Evaluation of scores, against scikit-learn, brute force and rows counted by hand."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from sklearn.metrics import (
    auc,
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
)

from sparkify_kedro.learning.evaluation import (
    Areas,
    areas,
    chance_level,
    cheapest_threshold,
    collect_scored,
    paired_difference,
    probability_report,
    ranking_report,
    segments_of,
)
from sparkify_kedro.learning.parameters import Evaluation, Segments
from sparkify_kedro.learning.ranking import ranking_scores

# Few distinct scores, so that ties are common.
SCORED = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1)), min_size=2, max_size=60)
WEIGHTED = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1), st.integers(0, 3)), min_size=2, max_size=60)


def plain_ranking_report(*args: Any, **options: Any) -> dict[str, Any]:
    """The report as JSON."""
    return ranking_report(*args, **options).model_dump(mode="json")


def plain_probability_report(*args: Any) -> dict[str, Any]:
    """The report as JSON."""
    return probability_report(*args).model_dump(mode="json")


def evaluation(**changes: Any) -> Evaluation:
    values = {
        "seed": 5,
        "max_rows": 10_000,
        "replicates": 200,
        "cost_ratio": 5,
        "top_shares": [0.01, 0.1],
        "few_positives": 30,
        "segments": {"tenure_days": [30, 90], "history_days": [14]},
    }
    return Evaluation.model_validate(values | changes)


def frame(scores: Any, labels: Any, users: Any = None) -> pd.DataFrame:
    users = range(len(scores)) if users is None else users
    return pd.DataFrame(
        {
            "user_id": [str(user) for user in users],
            "bin_end": 0,
            "score": np.asarray(scores, dtype=float),
            "label": np.asarray(labels, dtype=int),
        }
    )


def nothing() -> pd.DataFrame:
    return frame([], [])


def noisy_scores(users: int, seed: int, rows_per_user: int = 1) -> pd.DataFrame:
    """Scores that rank a little; all rows of a user are the same."""
    draw = np.random.default_rng(seed)
    label = (draw.random(users) < 0.2).astype(int)
    score = label + draw.normal(scale=1.5, size=users)
    return frame(score, label).loc[np.repeat(np.arange(users), rows_per_user)].reset_index(drop=True)


def by_sklearn(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Average precision, and both areas; the precision-recall curve starts with the precision of its first point."""
    precision, recall, _ = precision_recall_curve(labels, scores)
    precision[-1] = precision[-2]
    return average_precision_score(labels, scores), auc(recall, precision), roc_auc_score(labels, scores)


def sample(found: Areas, position: int) -> tuple[float, float, float]:
    """The scores of one sample."""
    return tuple(float(values[position]) for values in found)


@settings(max_examples=100, deadline=None)
@given(SCORED)
def test_areas_are_those_of_scikit_learn(scored: list[tuple[int, int]]) -> None:
    score, label = np.array(scored).T
    assume(0 < label.sum() < len(label))
    found = areas(label, score / 8, np.ones((1, len(label))))
    assert sample(found, 0) == pytest.approx(by_sklearn(score, label))


@settings(max_examples=100, deadline=None)
@given(WEIGHTED)
def test_weights_equal_repetitions(scored: list[tuple[int, int, int]]) -> None:
    """A weight of 0, at the best scores too, is a row that is not there; each sample by itself."""
    score, label, weight = np.array(scored).T
    repeated = np.repeat(np.arange(len(score)), weight)
    assume(0 < label[repeated].sum() < len(repeated))
    assume(0 < label.sum() < len(label))
    found = areas(label, score, np.vstack([weight, np.ones_like(weight)]))
    assert sample(found, 0) == pytest.approx(by_sklearn(score[repeated], label[repeated]))
    assert sample(found, 1) == pytest.approx(by_sklearn(score, label))


def test_rows_of_weight_zero_do_not_affect_the_curve() -> None:
    found = areas(np.array([0, 1, 1, 0]), np.array([0.9, 0.8, 0.7, 0.6]), np.array([[0.0, 1.0, 1.0, 1.0]]))
    assert sample(found, 0) == pytest.approx((1, 1, 1))


def test_a_sample_without_both_classes_has_no_area() -> None:
    weights = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    found = areas(np.array([1, 0]), np.array([0.9, 0.1]), weights)
    for values in found:
        assert np.isnan(values).tolist() == [True, True, True, False]


@settings(max_examples=5, deadline=None)
@given(SCORED)
def test_areas_are_those_of_the_search(spark: SparkSession, scored: list[tuple[int, int]]) -> None:
    """Out-of-fold and test scores are on one scale with those that cross-validation chooses by."""
    score, label = np.array(scored).T
    assume(0 < label.sum() < len(label))
    rows = spark.createDataFrame([("a", float(s), int(y)) for s, y in scored], "name string, score double, label int")
    theirs = ranking_scores(rows, ["name"]).first()
    ours = plain_ranking_report(frame(score, label), evaluation(replicates=20))
    for name in ("rows", "positives", "prevalence", "average_precision", "auc_pr", "auc_roc"):
        assert ours[name] == pytest.approx(theirs[name])


def test_intervals_resample_users_not_rows() -> None:
    """Forty copies of every row say nothing new, so the interval stays as wide; as rows they would narrow it."""
    once, often = noisy_scores(150, 1), noisy_scores(150, 1, rows_per_user=40)
    by_row = plain_ranking_report(often.assign(row=range(len(often))), evaluation(), unit="row")
    one, many = plain_ranking_report(once, evaluation()), plain_ranking_report(often, evaluation())
    for name in ("average_precision", "auc_pr", "auc_roc"):
        assert many[name] == pytest.approx(one[name])
        assert many[f"{name}_interval"] == pytest.approx(one[f"{name}_interval"])
        widths = [np.ptp(scores[f"{name}_interval"]) for scores in (by_row, many)]
        assert widths[0] < widths[1] / 4


def test_interval_coverage() -> None:
    """Of 120 draws of 300 users; three of four within would be far too narrow, all of them too wide."""
    truth = plain_ranking_report(noisy_scores(200_000, 99), evaluation(replicates=20))
    names = ("average_precision", "auc_roc")
    covered = dict.fromkeys(names, 0)
    for seed in range(120):
        report = plain_ranking_report(noisy_scores(300, seed), evaluation(replicates=100))
        for name in names:
            low, high = report[f"{name}_interval"]
            assert low <= report[name] <= high
            covered[name] += low <= truth[name] <= high
    assert all(0.88 <= count / 120 < 1 for count in covered.values())


def test_intervals_at_the_edges_contain_the_score() -> None:
    """A perfect ranking, its reverse, and scores that are all the same."""
    label = np.repeat([1, 0], [6, 54])
    for score, area in ((np.linspace(1, 0, 60), 1.0), (np.linspace(0, 1, 60), 0.0), (np.zeros(60), 0.5)):
        report = ranking_report(frame(score, label), evaluation())
        low, high = report.auc_roc_interval
        assert 0 <= low <= report.auc_roc == area <= high <= 1
        assert high - low < 0.02
        low, high = report.average_precision_interval
        assert 0 <= low <= report.average_precision <= high <= 1


def test_intervals_are_reproducible_and_depend_on_the_seed() -> None:
    scored = noisy_scores(100, 3)
    assert plain_ranking_report(scored, evaluation()) == plain_ranking_report(scored, evaluation())
    assert (
        plain_ranking_report(scored, evaluation(seed=6))["average_precision_interval"]
        != plain_ranking_report(scored, evaluation())["average_precision_interval"]
    )


def test_the_block_size_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large sets are resampled a few samples at a time."""
    scored = noisy_scores(100, 3)
    whole = plain_ranking_report(scored, evaluation())
    monkeypatch.setattr("sparkify_kedro.learning.evaluation._NUMBERS_PER_BLOCK", 700)
    assert plain_ranking_report(scored, evaluation()) == whole


def test_chance_is_what_random_scores_reach() -> None:
    """Against independent random scores, judged by scikit-learn: with six of 115 rows far above the prevalence."""
    label = np.repeat([1, 0], [6, 109])
    found = chance_level(label, np.arange(115) / 115, evaluation(replicates=1_000))
    draw = np.random.default_rng(8)
    precision, auc_pr, auc_roc = np.array([by_sklearn(draw.random(115), label) for _ in range(1_000)]).T
    assert found.average_precision_mean == pytest.approx(precision.mean(), rel=0.06)
    assert found.average_precision_95th == pytest.approx(np.percentile(precision, 95), rel=0.12)
    assert found.auc_pr_mean == pytest.approx(auc_pr.mean(), rel=0.06)
    assert found.auc_roc_mean == pytest.approx(0.5, abs=0.01)
    assert found.auc_roc_95th == pytest.approx(np.percentile(auc_roc, 95), abs=0.02)
    assert found.average_precision_95th > 3 * 6 / 115


def test_scores_without_signal_are_not_distinguishable_from_chance() -> None:
    """Of forty logs without signal, about one in twenty passes each of the two limits; a signal passes both."""
    options = evaluation(replicates=200)
    verdicts = []
    for seed in range(40):
        draw = np.random.default_rng(seed)
        verdicts.append(
            ranking_report(frame(draw.random(100), (np.arange(100) < 8).astype(int)), options).chance_verdict
        )
    assert sum(verdict is None for verdict in verdicts) <= 6
    ranked = frame(np.linspace(1, 0, 100), (np.arange(100) < 8).astype(int))
    assert ranking_report(ranked, options).chance_verdict is None
    (other,) = {verdict.split(":")[0] for verdict in verdicts if verdict}
    assert other == "not distinguishable from chance"


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1], []], ids=["no positive", "no negative", "no row"])
def test_one_class_has_no_score_and_a_warning(labels: list[int]) -> None:
    report = plain_ranking_report(frame(np.linspace(0.1, 0.9, len(labels)), labels), evaluation())
    assert report == {
        "rows": len(labels),
        "positives": sum(labels),
        "prevalence": sum(labels) / len(labels) if labels else None,
        "average_precision": None,
        "average_precision_interval": None,
        "auc_pr": None,
        "auc_pr_interval": None,
        "auc_roc": None,
        "auc_roc_interval": None,
        "chance": None,
        "warning": f"{sum(labels)} positives in {len(labels)} rows: ranking needs rows of both classes",
    }


def test_few_positives_give_a_warning() -> None:
    scored = frame(range(100), [1] * 29 + [0] * 71)
    assert "only 29 positives" in plain_ranking_report(scored, evaluation())["warning"]
    assert plain_ranking_report(scored, evaluation(few_positives=29))["warning"] is None


@settings(max_examples=100, deadline=None)
@given(SCORED, st.sampled_from([0.5, 1.0, 5.0, 50.0]))
def test_no_threshold_is_cheaper(scored: list[tuple[int, int]], cost_ratio: float) -> None:
    """Every other threshold costs as much, and a higher one more."""
    score, label = np.array(scored).T

    def cost(threshold: float) -> float:
        return cost_ratio * np.sum((score / 10 < threshold) & (label == 1)) + np.sum(
            (score / 10 >= threshold) & (label == 0)
        )

    found = cheapest_threshold(frame(score / 10, label), cost_ratio)
    candidates = [*np.unique(score / 10), 1.0]
    cheapest = min(map(cost, candidates))
    assert found == max(threshold for threshold in candidates if cost(threshold) == cheapest)


def test_without_rows_no_user_is_contacted() -> None:
    assert cheapest_threshold(nothing(), 5) == 1.0


@settings(max_examples=50, deadline=None)
@given(SCORED)
def test_brier_and_confusion_are_those_of_scikit_learn(scored: list[tuple[int, int]]) -> None:
    score, label = np.array(scored).T
    report = plain_probability_report(frame(score / 8, label), 0.5, evaluation())
    assert report["brier"] == pytest.approx(brier_score_loss(label, score / 8, pos_label=1))
    (true_negatives, false_positives), (false_negatives, true_positives) = confusion_matrix(
        label, score / 8 >= 0.5, labels=[0, 1]
    ).tolist()
    assert report["confusion"] == {
        "true_positives": true_positives,
        "false_positives": false_positives,
        "false_negatives": false_negatives,
        "true_negatives": true_negatives,
        "threshold": 0.5,
        "cost_ratio": 5,
        "cost": false_positives + 5 * false_negatives,
        "cost_of_nobody": 5 * sum(label),
        "cost_of_everybody": len(label) - sum(label),
    }


def test_calibration_by_hand() -> None:
    """Twenty rows make ten bins of two: the best pair scores .9 and churns, the next one scores .3 and half churns."""
    report = plain_probability_report(
        frame([0.9, 0.9, 0.3, 0.3] + [0.0] * 16, [1, 1, 1, 0] + [0] * 16), 0.5, evaluation()
    )
    assert report["calibration"][:3] == [
        {"rows": 2, "mean_score": pytest.approx(0.9), "share_of_positives": 1.0},
        {"rows": 2, "mean_score": pytest.approx(0.3), "share_of_positives": 0.5},
        {"rows": 2, "mean_score": 0.0, "share_of_positives": 0.0},
    ]
    assert len(report["calibration"]) == 10
    assert report["calibration_error"] == pytest.approx((2 * 0.1 + 2 * 0.2) / 20)


def test_top_shares_by_hand() -> None:
    """Of 200 rows the best 2 churn, and 8 of the best 20; 10 of all."""
    labels = [1, 1] + [1, 0, 0] * 6 + [0] * 178 + [1, 1]
    report = plain_probability_report(frame(np.linspace(1, 0, 200), labels), 0.5, evaluation())
    assert report["top"] == [
        {"share": 0.01, "rows": 2, "precision": 1.0, "recall": 0.2, "lift": pytest.approx(20)},
        {"share": 0.1, "rows": 20, "precision": 0.4, "recall": 0.8, "lift": pytest.approx(8)},
    ]


@pytest.mark.parametrize("rows", [100, 1_000, 14_500])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.07, 0.1, 0.29])
def test_top_shares_have_exact_sizes(rows: int, share: float) -> None:
    report = plain_probability_report(
        frame(np.linspace(1, 0, rows), [0, 1] * (rows // 2)), 0.5, evaluation(top_shares=[share])
    )
    assert report["top"][0]["rows"] == round(share * rows)


def test_expected_calibration_error_of_perfect_probabilities() -> None:
    """On labels drawn from the probabilities themselves, on the average; wrong probabilities err more."""
    draw = np.random.default_rng(1)
    truth = draw.uniform(0.02, 0.4, size=800)
    judged = [plain_probability_report(frame(truth, draw.random(800) < truth), 0.5, evaluation()) for _ in range(60)]
    expected = judged[0]["calibration_error_by_chance"]
    assert np.mean([report["calibration_error"] for report in judged]) == pytest.approx(expected, rel=0.1)
    shifted = plain_probability_report(frame(truth * 2, draw.random(800) < truth), 0.5, evaluation())
    assert shifted["calibration_error"] > 5 * expected


@settings(max_examples=10, deadline=None)
@given(SCORED, st.randoms(use_true_random=False))
def test_equal_scores_are_ordered_by_keys_and_seed_alone(
    spark: SparkSession, scored: list[tuple[int, int]], chance: random.Random
) -> None:
    """Spark returns rows in any order; the report must not depend on it."""
    score, label = np.array(scored).T
    ordered = frame(score / 8, label).sort_values(["user_id", "bin_end"], ignore_index=True)
    rows = list(ordered.itertuples(index=False, name=None))
    chance.shuffle(rows)
    table = spark.createDataFrame(rows, "user_id string, bin_end bigint, score double, label int")
    report, expected = (
        plain_probability_report(s, 0.5, evaluation()) for s in (collect_scored(table, evaluation()), ordered)
    )
    assert report == expected


def test_equal_scores_do_not_favor_the_first_keys() -> None:
    """A constant score ranks by chance, whatever the keys know of the labels."""
    constant = frame(np.full(1_000, 0.2), [1] * 200 + [0] * 800)
    precision = [
        plain_probability_report(constant, 0.5, evaluation(seed=seed))["top"][1]["precision"] for seed in range(20)
    ]
    assert np.mean(precision) == pytest.approx(0.2, abs=0.04)
    assert len(set(precision)) > 1


def test_no_rows_give_nulls(spark: SparkSession) -> None:
    """Without rows, without positives, and of a single row; also as Spark hands over an empty table."""
    empty = spark.createDataFrame([], "user_id string, bin_end bigint, score double, label int")
    for scored in (nothing(), collect_scored(empty, evaluation())):
        report = plain_probability_report(scored, 0.5, evaluation())
        assert report["brier"] is report["calibration_error"] is report["calibration_error_by_chance"] is None
        assert report["calibration"] == []
        assert report["top"][1] == {"share": 0.1, "rows": 0, "precision": None, "recall": None, "lift": None}
        assert plain_ranking_report(scored, evaluation())["average_precision"] is None
    without_positives = plain_probability_report(frame([0.2, 0.1], [0, 0]), 0.5, evaluation())
    assert without_positives["top"][0] == {"share": 0.01, "rows": 1, "precision": 0.0, "recall": None, "lift": None}
    single = plain_probability_report(frame([0.7], [1]), 0.5, evaluation())
    assert single["top"][0] == {"share": 0.01, "rows": 1, "precision": 1.0, "recall": 1.0, "lift": 1.0}
    for report in (without_positives, single, plain_ranking_report(frame([0.7], [1]), evaluation())):
        assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_reports_are_valid_json() -> None:
    scored = noisy_scores(60, 2)
    report = plain_ranking_report(scored, evaluation()) | plain_probability_report(
        scored.assign(score=0.5), 0.5, evaluation()
    )
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_too_many_rows_are_a_sample_of_whole_users(spark: SparkSession) -> None:
    """Of 3 000 rows about 1 000 may be collected; a user comes with all rows or with none."""
    rows = [(str(user), bin_end, 0.5, 0) for user in range(1_000) for bin_end in range(3)]
    table = spark.createDataFrame(rows, "user_id string, bin_end bigint, score double, label int")
    sample = collect_scored(table, evaluation(max_rows=1_000))
    assert set(sample.groupby("user_id").size()) == {3}
    # Four standard deviations of a binomial of 1 000 users.
    assert sample["user_id"].nunique() == pytest.approx(333, abs=60)
    other = collect_scored(table.repartition(7), evaluation(max_rows=1_000))
    pd.testing.assert_frame_equal(sample, other)
    assert len(collect_scored(table, evaluation(max_rows=3_000))) == 3_000


def test_segments_are_named_in_words(spark: SparkSession) -> None:
    kinds = segments_of(Segments(tenure_days=[90, 30], history_days=[14]))
    schema = "level_at_end string, is_male int, log_tenure_days double, device string, observed_days_in_history double"
    values = [
        ("free", 1, float(np.log(10)), "mac", 13.9),
        ("paid", 0, float(np.log(31)), "mac", 14.0),
        ("paid", 1, float(np.log(400)), "iphone", 60.0),
    ]
    rows = spark.createDataFrame(values, schema).select(*(kind.alias(name) for name, kind in kinds.items())).collect()
    assert list(kinds) == ["level", "gender", "tenure", "device", "history"]
    assert [tuple(row) for row in rows] == [
        ("free", "male", "under 30 days", "mac", "under 14 days"),
        ("paid", "female or unknown", "30 to 90 days", "mac", "14 days and more"),
        ("paid", "male", "90 days and more", "iphone", "14 days and more"),
    ]


def test_a_paired_difference_is_that_of_resampled_users() -> None:
    """By a plain bootstrap: users drawn with replacement, both models evaluated on the same ones."""
    random = np.random.default_rng(8)
    users = 150
    signal = random.normal(size=users).repeat(2)
    label = (random.random(2 * users) < 1 / (1 + np.exp(2 - 1.5 * signal))).astype(int)
    keys = {"user_id": np.arange(users).repeat(2).astype(str), "bin_end": np.arange(2 * users) % 2, "label": label}
    good = pd.DataFrame(keys | {"score": signal + random.normal(scale=0.3, size=2 * users)})
    fair = pd.DataFrame(keys | {"score": signal + random.normal(scale=1.5, size=2 * users)})
    found = paired_difference(fair, good, evaluation(replicates=2_000))
    assert found.average_precision < 0
    assert paired_difference(good, good, evaluation()).interval == (0.0, 0.0)

    rows = np.arange(2 * users).reshape(users, 2)
    drawn = []
    for _ in range(1_000):
        sample = rows[random.integers(users, size=users)].ravel()
        ones = np.ones((1, len(sample)))
        models = [model["score"].to_numpy()[sample] for model in (fair, good)]
        scores = [areas(label[sample], score, ones).average_precision[0] for score in models]
        drawn.append(scores[0] - scores[1])
    assert found.interval == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.02)


def test_a_paired_difference_needs_the_same_rows_and_both_classes() -> None:
    rows = pd.DataFrame({"user_id": ["a", "b"], "bin_end": [1, 1], "label": [0, 1], "score": [0.1, 0.2]})
    with pytest.raises(ValueError, match="scores of the same rows"):
        paired_difference(rows, rows.assign(bin_end=2), evaluation())
    nothing = paired_difference(rows.assign(label=0), rows.assign(label=0), evaluation())
    assert (nothing.average_precision, nothing.interval) == (None, None)
    assert nothing.includes_zero
