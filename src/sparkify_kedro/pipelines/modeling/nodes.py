"""From training rows to models, their scores on unseen rows, and the champion."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from sparkify_kedro.churn.feature_registry import FeatureRegistry
from sparkify_kedro.churn.parameters import FeatureEngineering, LabelSampling
from sparkify_kedro.churn.reports import (
    AlgorithmScores,
    Baseline,
    Baselines,
    CalibrationCoefficients,
    CandidateScores,
    ChampionMetadata,
    ChampionSelection,
    ClassCounts,
    Comparison,
    FeatureAudit,
    FeatureScore,
    Metrics,
    PairedDifferences,
    RankingScores,
    SearchReport,
    UserTypesByFold,
)
from sparkify_kedro.churn.vocabulary import KEYS
from sparkify_kedro.learning.calibration import only_scores
from sparkify_kedro.learning.evaluation import (
    cheapest_threshold,
    collect_scored,
    paired_difference,
    probability_report,
    ranking_report,
    segments_of,
    without_ranking,
)
from sparkify_kedro.learning.latent import explain
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, Training
from sparkify_kedro.learning.profile import SCORE, profile_columns, without_history
from sparkify_kedro.learning.search import (
    FEATURE_SET,
    fit,
    fold_sizes,
    in_order_of_keys,
    probability,
    train_calibrated,
)
from sparkify_kedro.learning.user_types import TYPE_FEATURES, without_fold

from .leak_audit import auc_roc_by_chance, constant_columns, one_feature_scores
from .parameters import LeakAudit, SelectionRule
from .schemas import out_of_fold as out_of_fold_schema


def audit_features(
    development: DataFrame, feature_registry: FeatureRegistry, training: Training, audit: LeakAudit, label: str
) -> FeatureAudit:
    """Select the features of each set that the label may use, and check that none of them leaks the label.

    Args:
        development: one row per (user_id, bin_end) that is not held out: features, ``label`` and ``fold``.
        feature_registry: what each feature is, and which labels may use it.
        training: the feature sets.
        audit: the limit.
        label: the label's name.

    Returns:
        The features, those left out because the log does not have what they need, and how well each ranks alone. The
        limit is the parameter's, or what chance alone may reach on so few positives.

    Raises:
        SkipError: where there are no rows, or too few of one of the two classes.
        ValueError: naming the features that rank suspiciously well, or that the rows lack.
    """
    sets = {
        name: _used(name, feature_registry.of_set(_registered(name, training), label), training)
        for name in training.feature_sets
    }
    features = [*dict.fromkeys(name for names in sets.values() for name in names)]
    original = feature_registry.of_set("original", label)
    candidates = [*dict.fromkeys([*features, *original])]
    missing = [name for name in candidates if name not in development.columns]
    if missing:
        raise ValueError(f"the feature registry names {', '.join(missing)}, which the development rows lack")
    # Checked before anything of the label is written, so that a label that cannot be learned leaves nothing.
    fold_sizes(development)
    needs = {name: need for name in features if (need := feature_registry.features[name].needs)}
    absent = {name: needs[name] for name in constant_columns(development, list(needs))}
    sets = {name: [each for each in names if each not in absent] or names for name, names in sets.items()}
    scores = one_feature_scores(without_fold(development, F.col("fold")), candidates, audit.levels).collect()
    ranked = sorted(scores, key=lambda row: (-(row.auc_roc or 0), row.feature))
    limit = max(audit.suspicious_auc_roc, auc_roc_by_chance(ranked[0].rows, ranked[0].positives))
    suspicious = [row for row in ranked if row.feature in features and (row.auc_roc or 0) >= limit]
    if suspicious:
        names = ", ".join(f"{row.feature} (AUC-ROC {row.auc_roc:.3f})" for row in suspicious)
        raise ValueError(
            f"the leak audit of {label} found features that rank too well alone: {names}; exclude them from this label "
            "in feature_registry (conf/base/parameters_feature_registry.yml), or raise "
            "modeling.leak_audit.suspicious_auc_roc if they are known in time"
        )
    return FeatureAudit(
        label=label,
        suspicious_auc_roc=limit,
        feature_sets=sets,
        absent=absent,
        one_feature=[
            FeatureScore(feature=row.feature, auc_roc=row.auc_roc, average_precision=row.average_precision)
            for row in ranked
        ],
        best_original_feature=next(row.feature for row in ranked if row.feature in original),
    )


def _registered(feature_set: str, training: Training) -> str:
    """The set of the feature registry that holds the features of a set."""
    latent = training.latent_sets.get(feature_set)
    return feature_set if latent is None else latent.of


def _used(feature_set: str, features: list[str], training: Training) -> list[str]:
    """The features that match a pattern of ``use_features`` and none of ``leave_out_features``."""

    def is_any(name: str, patterns: list[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    used = [
        name
        for name in features
        if is_any(name, training.use_features) and not is_any(name, training.leave_out_features)
    ]
    if not used:
        raise ValueError(
            f"modeling.training.use_features and leave_out_features leave nothing of the feature set '{feature_set}': "
            "name other patterns or another set"
        )
    return used


def search_model(  # noqa: PLR0913, PLR0917 - everything that training takes
    train: DataFrame,
    development: DataFrame,
    feature_audit: FeatureAudit,
    training: Training,
    search: AlgorithmSearch,
    sampling: LabelSampling,
    evaluation: Evaluation,
) -> tuple[PipelineModel, SearchReport, DataFrame]:
    """Select an algorithm's feature set and settings by cross-validation, fit and calibrate it with them.

    Args:
        train: one row per sampled (user_id, bin_end): the features, ``label`` and ``fold``.
        development: the same for all rows that are not held out, at natural prevalence.
        feature_audit: the feature sets to choose from.
        training: how to train.
        search: the algorithm and its grid.
        sampling: how the classes are balanced.
        evaluation: how out-of-fold scores are evaluated.

    Returns:
        The model, which takes the columns of ``user_time_bins`` and of the user types by name and adds a calibrated
        ``probability``; the report on the search; and the scores out of fold (keys, ``label`` and ``score``) of all
        rows of ``development``, or of a sample of users where there are more than ``evaluation.max_rows``.

    Raises:
        SkipError: where there are too few rows of one of the two classes.
    """
    trained = train_calibrated(
        train, development, feature_audit.feature_sets, search, training, evaluation, sampling.strategy
    )
    out_of_fold = trained.out_of_fold
    explanation = explain(trained.fitted, search.algorithm, trained.features)
    latent = trained.fitted.map
    report = SearchReport(
        algorithm=search.algorithm,
        metric="average_precision",
        features=list(trained.features),
        settings=search.settings,
        train=trained.train,
        points=trained.search.points,
        best=trained.search.best,
        calibration=CalibrationCoefficients(slope=trained.calibration.slope, intercept=trained.calibration.intercept),
        out_of_fold=ranking_report(out_of_fold, evaluation),
        threshold=cheapest_threshold(out_of_fold, evaluation.cost_ratio),
        components=None if latent is None else latent.components(trained.features),
        **explanation._asdict(),
    )
    scored = development.sparkSession.createDataFrame(out_of_fold, out_of_fold_schema.struct)
    return trained.model, report, scored


def predict(model: PipelineModel, test: DataFrame) -> DataFrame:
    """Score the held-out rows.

    Args:
        model: a fitted model.
        test: one row per held-out (user_id, bin_end).

    Returns:
        The rows with ``score``, the model's calibrated probability of label 1.
    """
    return model.transform(test).select(*test.columns, probability().alias("score"))


def evaluate(
    predictions: DataFrame, search_report: SearchReport, original_protocol: RankingScores, evaluation: Evaluation
) -> Metrics:
    """Evaluate the scores on the held-out rows: all, the balanced ones, and by segment.

    Args:
        predictions: the scored held-out rows.
        search_report: the threshold selected out of fold.
        original_protocol: the scores by the original's protocol, which stand beside them.
        evaluation: how to evaluate.

    Returns:
        The metrics. Collects the scored rows, up to ``evaluation.max_rows``.
    """
    kinds = {name: segment.alias(name) for name, segment in segments_of(evaluation.segments).items()}
    scored = collect_scored(predictions.select(*KEYS, "label", "score", "is_balanced", *kinds.values()), evaluation)
    return Metrics(
        test=ranking_report(scored, evaluation),
        test_balanced=ranking_report(scored[scored["is_balanced"]], evaluation),
        segments={
            kind: {str(name): ranking_report(rows, evaluation) for name, rows in scored.groupby(kind, sort=True)}
            for kind in kinds
        },
        original_protocol=original_protocol,
        **dict(probability_report(scored, search_report.threshold, evaluation)),
    )


def evaluate_baselines(
    development: DataFrame, test: DataFrame, feature_audit: FeatureAudit, evaluation: Evaluation
) -> Baselines:
    """Evaluate what a model must beat: the prevalence, and the best single feature of the original.

    Args:
        development: one row per (user_id, bin_end) that is not held out, at natural prevalence.
        test: one row per held-out (user_id, bin_end).
        feature_audit: how well each feature ranks alone, out of fold.
        evaluation: how to evaluate.

    Returns:
        The scores of both. The baselines learn from ``development`` and are evaluated on ``test``. Collects both sets
        with their scores, up to ``evaluation.max_rows`` each.
    """
    feature = feature_audit.best_original_feature
    assembler = VectorAssembler(inputCols=[feature], outputCol="features")
    single = assembler.transform(development).select(*KEYS, "features", F.col("label").cast("double").alias("label"))
    model = LogisticRegression().fit(single)
    prevalence = _first(development.agg(F.avg("label").alias("prevalence"))).prevalence

    def baseline(name: str | None, score: Mapping[str, DataFrame]) -> Baseline:
        learned, scored = (collect_scored(score[side], evaluation) for side in ("development", "test"))
        threshold = cheapest_threshold(learned, evaluation.cost_ratio)
        return Baseline(
            feature=name,
            test=ranking_report(scored, evaluation),
            **dict(probability_report(scored, threshold, evaluation)),
        )

    sides = {"development": development, "test": test}
    constant = {side: rows.select(*KEYS, "label", F.lit(prevalence).alias("score")) for side, rows in sides.items()}
    by_feature = {
        side: model.transform(assembler.transform(rows)).select(*KEYS, "label", probability().alias("score"))
        for side, rows in sides.items()
    }
    return Baselines(prevalence=baseline(None, constant), best_single_feature=baseline(feature, by_feature))


def evaluate_as_original(
    original_protocol_rows: DataFrame,
    search_report: SearchReport,
    training: Training,
    search: AlgorithmSearch,
    evaluation: Evaluation,
) -> RankingScores:
    """Evaluate the algorithm, with the selected settings, by the original's protocol.

    Rows, not users, are held out, and both sides are balanced: a user's rows are on both sides, and chance is near one
    half. The result is shown beside the other scores to show the effect of the protocol.

    Args:
        original_protocol_rows: one row per balanced (user_id, bin_end): features, ``label`` and ``is_held_out``.
        search_report: the selected features and settings.
        training: how to train.
        search: the algorithm.
        evaluation: how to evaluate.

    Returns:
        The scores on the held-out rows, with intervals over rows. Where the training side lacks one of the classes, the
        areas are null and the warning gives the reason.
    """
    train = original_protocol_rows.where(~F.col("is_held_out")).withColumn("fold", F.lit(0))
    test = original_protocol_rows.where("is_held_out")
    counts = _class_counts(train)
    if counts.positives in (0, counts.rows):
        warning = f"{counts.positives} positives in {counts.rows} training rows: training needs rows of both classes"
        on_test = _class_counts(test)
        return without_ranking(on_test.rows, on_test.positives, warning)
    assembler = VectorAssembler(inputCols=search_report.features, outputCol="features")
    assembled = assembler.transform(train).select(*KEYS, "features", "label")
    ordered = in_order_of_keys(assembled, counts.rows, training).cache()
    try:
        model = fit(ordered, search_report.best.settings, search, training)
    finally:
        ordered.unpersist()
    only_scores(model.classifier, "scores")
    scored = PipelineModel(model.on("features")).transform(assembler.transform(test))
    scored = scored.withColumn("score", probability("scores"))
    collected = collect_scored(scored.select(*KEYS, "label", "score"), evaluation)
    return ranking_report(collected.assign(row=collected.index), evaluation, unit="row")


def compare_out_of_fold(evaluation: Evaluation, **out_of_fold: DataFrame) -> PairedDifferences:
    """Compare the algorithms on the same bootstrap samples of the development users.

    Args:
        evaluation: seed and bootstrap samples.
        out_of_fold: by algorithm, the simplest first: keys, ``label`` and ``score``.

    Returns:
        The algorithm with the best average precision, and the difference of each from it. Collects the scores, up to
        ``evaluation.max_rows`` of each.
    """
    scored = {name: collect_scored(scores, evaluation) for name, scores in out_of_fold.items()}
    first = next(iter(scored))
    from_first = {name: paired_difference(scores, scored[first], evaluation) for name, scores in scored.items()}
    best = max(from_first, key=lambda name: from_first[name].average_precision or 0.0)
    return PairedDifferences(
        best=best,
        differences={name: paired_difference(scores, scored[best], evaluation) for name, scores in scored.items()},
    )


def select_champion(
    selection_rule: SelectionRule, paired_differences: PairedDifferences, **search_reports: SearchReport
) -> ChampionSelection:
    """Select the champion by out-of-fold scores of the development users, never by the test rows.

    Algorithms whose difference from the best includes zero are indistinguishable from it; the simplest of them is the
    champion, unless ``prefer_simpler`` is off.

    Args:
        selection_rule: whether to prefer the simplest.
        paired_differences: the best algorithm, and the difference of each from it.
        search_reports: by algorithm, the simplest first.

    Returns:
        The champion, the verdict in words, the indistinguishable algorithms, and the scores of each.
    """
    algorithms = {
        name: CandidateScores(
            settings=report.best.settings,
            features=report.features,
            cross_validated_average_precision=report.best.score,
            train=report.train,
            out_of_fold=report.out_of_fold,
            sigmoid=report.calibration,
            threshold=report.threshold,
            components=report.components,
        )
        for name, report in search_reports.items()
    }
    best, differences = paired_differences.best, paired_differences.differences
    alike = [name for name in algorithms if differences[name].includes_zero]
    champion = alike[0] if selection_rule.prefer_simpler else best
    return ChampionSelection(
        champion=champion,
        verdict=_verdict(champion, best, alike),
        indistinguishable=alike,
        differences=differences,
        algorithms=algorithms,
    )


def compare_algorithms(
    champion_selection: ChampionSelection,
    baselines: Baselines,
    selection_rule: SelectionRule,
    **metrics: Metrics,
) -> Comparison:
    """Collect all scores of a label's models.

    Args:
        champion_selection: the champion, and the scores it was selected by.
        baselines: what a model must beat.
        selection_rule: the rows whose scores the champion is announced with.
        metrics: by algorithm.

    Returns:
        The scores side by side, with a summary in one sentence.
    """
    algorithms = {
        name: AlgorithmScores(**dict(candidate), **dict(metrics[name]))
        for name, candidate in champion_selection.algorithms.items()
    }
    champion = champion_selection.champion
    judged_on = selection_rule.judged_on
    return Comparison(
        champion=champion,
        verdict=champion_selection.verdict,
        indistinguishable=champion_selection.indistinguishable,
        differences=champion_selection.differences,
        algorithms=algorithms,
        judged_on=judged_on,
        baselines=baselines,
        summary=_summary(champion, algorithms[champion], judged_on),
    )


def keep_champion(champion_selection: ChampionSelection, **models: PipelineModel) -> PipelineModel:
    """The model of the champion.

    Args:
        champion_selection: the champion's name.
        models: by algorithm.
    """
    return models[champion_selection.champion]


def describe_champion(  # noqa: PLR0913, PLR0917 - everything that is said of a champion
    champion: PipelineModel,
    champion_selection: ChampionSelection,
    feature_audit: FeatureAudit,
    user_types: UserTypesByFold,
    development: DataFrame,
    feature_engineering: FeatureEngineering,
    evaluation: Evaluation,
) -> ChampionMetadata:
    """Describe the champion and the rows it was trained on, for those who use it.

    Args:
        champion: the champion's model.
        champion_selection: the scores it was selected by.
        feature_audit: its label.
        user_types: those of all users who are not held out are the champion's.
        development: one row per (user_id, bin_end) that is not held out, at natural prevalence.
        feature_engineering: the parameters its features were made with.
        evaluation: how it was evaluated.

    Returns:
        The metadata, with the profile of every feature and of the score. Collects a dozen numbers per feature.
    """
    scores = champion_selection.algorithms[champion_selection.champion]
    features = scores.features
    scored = champion.transform(development).select(*features, probability().alias(SCORE)).cache()
    try:
        profile = profile_columns(scored, [*features, SCORE])
    finally:
        scored.unpersist()
    categories = [F.sort_array(F.collect_set(column)).alias(column) for column in ("level_at_end", "device")]
    known = _first(development.agg(*categories, F.avg(without_history().cast("int")).alias("share")))
    return ChampionMetadata(
        model=champion.uid,
        label=feature_audit.label,
        algorithm=champion_selection.champion,
        settings=scores.settings,
        verdict=champion_selection.verdict,
        feature_set=str(scores.settings[FEATURE_SET]),
        features=features,
        absent=feature_audit.absent,
        user_types=user_types.of_all if set(features) & set(TYPE_FEATURES) else None,
        feature_engineering=feature_engineering.model_dump(mode="json"),
        cost_ratio=evaluation.cost_ratio,
        threshold=scores.threshold,
        out_of_fold=scores.out_of_fold,
        profile=profile,
        categories={"level_at_end": known.level_at_end, "device": known.device},
        share_without_history=known.share,
    )


def _first(aggregated: DataFrame) -> Row:
    """The only row of an aggregation without groups."""
    return aggregated.collect()[0]


def _class_counts(rows: DataFrame) -> ClassCounts:
    counts = _first(rows.agg(F.count(F.lit(1)).alias("rows"), F.coalesce(F.sum("label"), F.lit(0)).alias("positives")))
    return ClassCounts(rows=counts.rows, positives=counts.positives)


def _verdict(champion: str, best: str, alike: list[str]) -> str:
    if len(alike) == 1:
        return f"{best} has the best score out of fold, and its difference from every other excludes zero"
    others = ", ".join(name for name in alike if name != champion)
    reason = "it is the simplest of them" if champion != best else "it has the best score out of fold"
    return f"{champion} is indistinguishable from {others} (the paired differences include zero); {reason}"


def _summary(champion: str, scores: AlgorithmScores, judged_on: str) -> str:
    """The champion and its scores in one sentence: those out of fold lead, the held-out rows confirm."""
    held_out = scores.test if judged_on == "test" else scores.test_balanced
    verdicts = (scores.sigmoid.verdict, held_out.chance_verdict, held_out.warning)
    warning = "".join(f"; {text}" for text in verdicts if text)
    return (
        f"champion {champion}, out of fold {_in_words(scores.out_of_fold)}; {judged_on} {_in_words(held_out)}{warning}"
    )


def _in_words(scores: RankingScores) -> str:
    counts = f"{scores.positives} positives in {scores.rows} rows"
    interval = scores.average_precision_interval
    if scores.average_precision is None or scores.auc_roc is None or interval is None:
        return f"not evaluated ({counts})"
    low, high = interval
    return (
        f"average precision {scores.average_precision:.3f} (95 % interval {low:.3f} to {high:.3f}, prevalence "
        f"{scores.prevalence:.3f}), "
        f"AUC-ROC {scores.auc_roc:.3f} ({counts})"
    )
