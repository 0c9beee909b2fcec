"""From training rows to models, their scores on unseen rows, and the champion."""

from __future__ import annotations

from typing import Any

from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.feature_registry import FeatureRegistry
from sparkify_kedro.framework.parameters import ParameterBlock
from sparkify_kedro.learning.algorithms import ALGORITHMS
from sparkify_kedro.learning.evaluation import (
    cheapest_threshold,
    collect_scored,
    judge_probabilities,
    rank,
    segments_of,
    unranked,
)
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, Training
from sparkify_kedro.learning.profile import SCORE, profile_columns, without_history
from sparkify_kedro.learning.search import KEYS, fit, fold_sizes, prepare, probability, train_calibrated

from .leak_audit import auc_roc_by_chance, one_feature_scores
from .parameters import LeakAudit, SelectionRule

OUT_OF_FOLD = "out_of_fold"


def audit_features(
    development: DataFrame, feature_registry: FeatureRegistry, training: Training, audit: LeakAudit, label: str
) -> dict[str, Any]:
    """Take the features of the set that the label may use, and make sure that none of them gives the label away.

    Args:
        development: one row per (user_id, time_bin) that is not held out: features, ``label`` and ``fold``.
        feature_registry: what each feature is, and which labels may use it.
        training: the feature set.
        audit: what is suspicious.
        label: the label's name.

    Returns:
        ``suspicious_auc_roc``, the limit (the parameter's, or what chance alone may reach on so few positives);
        ``features``, in the order in which models take them; ``one_feature``, the out-of-fold AUC-ROC and AUC-PR of a
        model of each feature alone, best first; and ``best_original_feature``, the first of them that the original had.

    Raises:
        SkipError: where there are no rows, or a fold lacks rows of one of the two classes.
        ValueError: naming the features that alone rank suspiciously well, or that the rows lack.
    """
    features = feature_registry.of_set(training.feature_set, label)
    original = feature_registry.of_set("original", label)
    candidates = [*dict.fromkeys([*features, *original])]
    missing = [name for name in candidates if name not in development.columns]
    if missing:
        raise ValueError(f"the feature registry names {', '.join(missing)}, which the training rows lack")
    # Before anything of the label is made, so that a label that cannot be learned leaves nothing at all.
    fold_sizes(development)
    scores = one_feature_scores(development, candidates, audit.levels).collect()
    ranked = sorted(scores, key=lambda row: (-(row.auc_roc or 0), row.feature))
    limit = max(audit.suspicious_auc_roc, auc_roc_by_chance(ranked[0].rows, ranked[0].positives))
    suspicious = [row for row in ranked if row.feature in features and (row.auc_roc or 0) >= limit]
    if suspicious:
        found = ", ".join(f"{row.feature} (AUC-ROC {row.auc_roc:.3f})" for row in suspicious)
        raise ValueError(
            f"the leak audit of {label} found features that alone rank better than an honest feature can: {found}; "
            "keep them from this label in feature_registry (conf/base/parameters_feature_registry.yml), or raise "
            "modeling.leak_audit.suspicious_auc_roc if they are known in time"
        )
    return {
        "label": label,
        "feature_set": training.feature_set,
        "suspicious_auc_roc": limit,
        "features": features,
        "one_feature": [{name: row[name] for name in ("feature", "auc_roc", "auc_pr")} for row in ranked],
        "best_original_feature": next(row.feature for row in ranked if row.feature in original),
    }


def search_model(
    train: DataFrame,
    development: DataFrame,
    feature_audit: dict[str, Any],
    training: Training,
    search: AlgorithmSearch,
    evaluation: Evaluation,
) -> tuple[PipelineModel, dict[str, Any]]:
    """Choose an algorithm's settings by cross-validation, fit it with them on all training rows, and calibrate it.

    Args:
        train: one row per sampled (user_id, time_bin): the features, ``label`` and ``fold``.
        development: the same of all rows that are not held out, at natural prevalence.
        feature_audit: the features that passed the audit.
        training: how to train.
        search: the algorithm and its grid.
        evaluation: how out-of-fold scores are judged.

    Returns:
        The model, which takes the columns of ``user_time_bins`` by name and adds a calibrated ``probability``; and the
        search: every grid point with its score in each fold, the best one, the calibration, the out-of-fold scores at
        natural prevalence with intervals, the threshold that costs least on them, and what the model says about each
        feature.

    Raises:
        SkipError: where a fold lacks rows of one of the two classes.
    """
    features = feature_audit["features"]
    trained = train_calibrated(train, development, features, search, training)
    found = trained.found
    counts = train.agg(F.count(F.lit(1)).alias("rows"), F.sum("label").alias("positives")).first()
    out_of_fold = collect_scored(trained.out_of_fold, evaluation)
    report = {
        "algorithm": search.algorithm,
        "metric": "areaUnderPR",
        "settings": search.settings,
        "train": counts.asDict(),
        "points": [point._asdict() | {"score": point.score} for point in found.points],
        "best": found.best._asdict() | {"score": found.best.score},
        "calibration": {"slope": trained.calibration.slope, "intercept": trained.calibration.intercept},
        OUT_OF_FOLD: rank(out_of_fold, evaluation),
        "threshold": cheapest_threshold(out_of_fold, evaluation.cost_ratio),
        **ALGORITHMS[search.algorithm].explain(found.model, features),
    }
    return trained.model, report


def predict(model: PipelineModel, test: DataFrame) -> DataFrame:
    """Score the held-out rows.

    Args:
        model: a fitted model.
        test: one row per held-out (user_id, time_bin).

    Returns:
        The rows' keys and ``label``, with ``score``: the model's calibrated probability of label 1.
    """
    return model.transform(test).select(*KEYS, "label", probability().alias("score"))


def evaluate(
    predictions: DataFrame, test: DataFrame, test_balanced: DataFrame, search: dict[str, Any], evaluation: Evaluation
) -> dict[str, Any]:
    """Judge the scores on the held-out rows.

    Args:
        predictions: the scored held-out rows.
        test: the held-out rows, to tell segments apart.
        test_balanced: the held-out rows whose negatives are thinned to the original's shares.
        search: the model's search, for the threshold chosen in training.
        evaluation: how to judge.

    Returns:
        Per set, ``test`` and ``test_balanced``: rows, positives, prevalence (the chance level of ``auc_pr``), the areas
        under the precision-recall and the ROC curve with 95 % intervals, and a warning in words where there are few
        positives. ``segments``: the same by kind of segment and segment. And on ``test``, whether the probabilities
        mean what they say and what acting on them brings: see ``judge_probabilities``. Collects the scored rows, up to
        ``evaluation.max_rows``.
    """
    kinds = {name: segment.alias(name) for name, segment in segments_of(evaluation.segments).items()}
    balanced = test_balanced.select(*KEYS, F.lit(True).alias("is_balanced"))
    told_apart = predictions.join(test.select(*KEYS, *kinds.values()), on=list(KEYS), how="inner").join(
        balanced, on=list(KEYS), how="left"
    )
    scored = collect_scored(told_apart, evaluation)
    return {
        "test": rank(scored, evaluation),
        "test_balanced": rank(scored[scored["is_balanced"].notna()], evaluation),
        **judge_probabilities(scored, search["threshold"], evaluation),
        "segments": {
            kind: {name: rank(rows, evaluation) for name, rows in scored.groupby(kind, sort=True)} for kind in kinds
        },
    }


def judge_baselines(
    development: DataFrame, test: DataFrame, feature_audit: dict[str, Any], evaluation: Evaluation
) -> dict[str, Any]:
    """Judge what a model must beat: the prevalence, and the best single feature of the original.

    Args:
        development: one row per (user_id, time_bin) that is not held out, at natural prevalence.
        test: one row per held-out (user_id, time_bin).
        feature_audit: how well each feature alone ranks out of fold.
        evaluation: how to judge.

    Returns:
        Per baseline, ``prevalence`` (every row scores the training rows' share of positives) and
        ``best_single_feature`` (a logistic regression on the original's feature that ranks best out of fold): the
        feature, the scores on ``test`` and what ``judge_probabilities`` tells.
    """
    feature = feature_audit["best_original_feature"]
    assembler = VectorAssembler(inputCols=[feature], outputCol="features")
    single = assembler.transform(development).select(*KEYS, "features", F.col("label").cast("double").alias("label"))
    model = LogisticRegression().fit(single)
    prevalence = development.agg(F.avg("label")).first()[0]
    baselines = {
        "prevalence": (None, lambda rows: rows.withColumn("score", F.lit(prevalence))),
        "best_single_feature": (feature, lambda rows: model.transform(rows).withColumn("score", probability())),
    }
    judged = {}
    for name, (used, score) in baselines.items():
        learned, scored = (
            collect_scored(score(assembler.transform(rows)).select(*KEYS, "label", "score"), evaluation)
            for rows in (development, test)
        )
        judged[name] = {
            "feature": used,
            "test": rank(scored, evaluation),
            **judge_probabilities(scored, cheapest_threshold(learned, evaluation.cost_ratio), evaluation),
        }
    return judged


def judge_as_original(
    original_protocol_rows: DataFrame,
    feature_audit: dict[str, Any],
    search_report: dict[str, Any],
    training: Training,
    search: AlgorithmSearch,
    evaluation: Evaluation,
) -> dict[str, Any]:
    """Judge the algorithm, with the settings that were found, the way the original judged its models.

    Rows, not users, are held out, and both sides are balanced: so a user's rows are on both sides, and chance is near
    one half. The result stands beside the honest one to show what the difference is worth.

    Args:
        original_protocol_rows: one row per balanced (user_id, time_bin): features, ``label`` and ``is_held_out``.
        feature_audit: the features that passed the audit.
        search_report: the settings that cross-validation found.
        training: how to train.
        search: the algorithm.
        evaluation: how to judge.

    Returns:
        Rows, positives, prevalence and areas on the held-out rows, with intervals over rows. Where the training side
        lacks one of the classes, the areas are null, and the warning says so.
    """
    train = original_protocol_rows.where(~F.col("is_held_out")).withColumn("fold", F.lit(0))
    test = original_protocol_rows.where("is_held_out")
    rows, positives = _count(train)
    if positives in (0, rows):
        lacking = (
            f"{positives} positives in {rows} rows to train on: without both classes there is nothing to learn from"
        )
        return unranked(*_count(test)) | {"warning": lacking}
    assembler = VectorAssembler(inputCols=feature_audit["features"], outputCol="features")
    prepared = prepare(train, assembler, rows, training)
    model = fit(prepared, search_report["best"]["settings"], search, training)
    scored = model.transform(assembler.transform(test)).withColumn("score", probability())
    collected = collect_scored(scored.select(*KEYS, "label", "score"), evaluation)
    return rank(collected.assign(row=collected.index), evaluation, unit="row")


def choose_champion(selection_rule: SelectionRule, *searches: dict[str, Any]) -> dict[str, Any]:
    """Name the champion by its scores on rows of the training users out of fold, never by the test set.

    Algorithms whose interval overlaps that of the best cannot be told apart from it; the simplest of them is the
    champion, unless ``prefer_simpler`` is off.

    Args:
        selection_rule: whether to prefer the simpler one.
        searches: the search of each algorithm, the simplest first.

    Returns:
        The champion's name, why it is (``verdict``, in words), the ones that cannot be told apart from the best, and
        per algorithm its settings, its training rows, its scores by cross-validation and out of fold, its threshold.
    """
    algorithms = {
        search["algorithm"]: {
            "settings": search["best"]["settings"],
            "cross_validated_auc_pr": search["best"]["score"],
            "train": search["train"],
            OUT_OF_FOLD: search[OUT_OF_FOLD],
            "threshold": search["threshold"],
        }
        for search in searches
    }
    out_of_fold = {name: scores[OUT_OF_FOLD] for name, scores in algorithms.items()}
    best = max(out_of_fold, key=lambda name: out_of_fold[name]["auc_pr"])
    alike = [name for name, scores in out_of_fold.items() if _overlap(scores, out_of_fold[best])]
    champion = alike[0] if selection_rule.prefer_simpler else best
    return {
        "champion": champion,
        "verdict": _verdict(champion, best, alike),
        "indistinguishable": alike,
        "algorithms": algorithms,
    }


def compare_algorithms(
    champion_selection: dict[str, Any],
    baselines: dict[str, Any],
    selection_rule: SelectionRule,
    *reports: dict[str, Any],
) -> dict[str, Any]:
    """Put everything that is known of how good a label's models are side by side.

    Args:
        champion_selection: the champion, and the scores it was chosen by.
        baselines: what a model must beat.
        selection_rule: the set whose scores speak for the models.
        reports: metrics and scores by the original's protocol of each algorithm in turn, in its order.

    Returns:
        The champion_selection, with the set the models are judged on, the baselines, and all scores per algorithm.
    """
    scored = zip(champion_selection["algorithms"].items(), reports[::2], reports[1::2], strict=True)
    algorithms = {name: chosen | metrics | {"original_protocol": o} for (name, chosen), metrics, o in scored}
    return champion_selection | {
        "judged_on": selection_rule.judged_on,
        "algorithms": algorithms,
        "baselines": baselines,
    }


def _summary(comparison: dict[str, Any]) -> str:
    """The champion and its scores in one sentence."""
    champion, judged_on = comparison["champion"], comparison["judged_on"]
    scores = comparison["algorithms"][champion][judged_on]
    counts = f"{scores['positives']} positives in {scores['rows']} rows of {judged_on}"
    warning = f"; {scores['warning']}" if scores["warning"] else ""
    if scores["auc_pr"] is None:
        return f"champion {champion}, not evaluated ({counts}{warning})"
    low, high = scores["auc_pr_interval"]
    return (
        f"champion {champion}, AUC-PR {scores['auc_pr']:.3f} (95 % interval {low:.3f} to {high:.3f}, prevalence "
        f"{scores['prevalence']:.3f}), AUC-ROC {scores['auc_roc']:.3f} ({counts}{warning})"
    )


def keep_champion(champion_selection: dict[str, Any], *models: PipelineModel) -> PipelineModel:
    """The champion's model.

    Args:
        champion_selection: what names the champion.
        models: the algorithms' models, in its order.

    Returns:
        The model of the algorithm that won.
    """
    return dict(zip(champion_selection["algorithms"], models, strict=True))[champion_selection["champion"]]


def describe_champion(
    champion: PipelineModel,
    champion_selection: dict[str, Any],
    feature_audit: dict[str, Any],
    development: DataFrame,
    feature_engineering: Any,
    evaluation: Evaluation,
) -> dict[str, Any]:
    """Write down what the champion is and what it was trained on, for those who use it.

    Args:
        champion: the champion's model.
        champion_selection: what it was chosen by.
        feature_audit: its label and features.
        development: one row per (user_id, time_bin) that is not held out, at natural prevalence.
        feature_engineering: the parameters its features were made with: plain values in a run without the pipeline
            that knows their type, since Kedro builds a block only for a node that asks for it.
        evaluation: how it was judged.

    Returns:
        ``model`` (the model's own id), label, algorithm, settings, feature set, features, the parameters of feature
        engineering, the scores out of fold; and what scored rows are compared with: ``profile`` (the distribution of
        every feature and of the score), ``categories`` and ``share_without_history``. Collects a dozen numbers per
        feature.
    """
    name = champion_selection["champion"]
    chosen = champion_selection["algorithms"][name]
    features = feature_audit["features"]
    scored = champion.transform(development).withColumn(SCORE, probability())
    categories = [F.sort_array(F.collect_set(column)).alias(column) for column in ("level_at_end", "device")]
    known = development.agg(*categories, F.avg(without_history().cast("int")).alias("share")).first()
    return {
        "model": champion.uid,
        "label": feature_audit["label"],
        "algorithm": name,
        "settings": chosen["settings"],
        "verdict": champion_selection["verdict"],
        "feature_set": feature_audit["feature_set"],
        "features": features,
        "feature_engineering": (
            feature_engineering.model_dump(mode="json")
            if isinstance(feature_engineering, ParameterBlock)
            else feature_engineering
        ),
        "cost_ratio": evaluation.cost_ratio,
        "threshold": chosen["threshold"],
        OUT_OF_FOLD: chosen[OUT_OF_FOLD],
        "profile": profile_columns(scored, [*features, SCORE]),
        "categories": {"level_at_end": known.level_at_end, "device": known.device},
        "share_without_history": known.share,
    }


def _count(rows: DataFrame) -> tuple[int, int]:
    """Rows, and positives among them."""
    counts = rows.agg(F.count(F.lit(1)).alias("rows"), F.coalesce(F.sum("label"), F.lit(0)).alias("positives")).first()
    return counts.rows, counts.positives


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    (low, high), (other_low, other_high) = one["auc_pr_interval"], other["auc_pr_interval"]
    return low <= other_high and other_low <= high


def _verdict(champion: str, best: str, alike: list[str]) -> str:
    if len(alike) == 1:
        return f"{best} scores best out of fold, and its interval overlaps no other's"
    others = ", ".join(name for name in alike if name != champion)
    why = "it is the simplest of them" if champion != best else "it scores best out of fold"
    return f"{champion} cannot be told apart from {others}: their intervals overlap; {why}"
