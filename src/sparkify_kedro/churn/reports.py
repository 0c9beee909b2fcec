"""Models of the JSON datasets that pass between nodes and that people read.

Each is the ``validator:`` of its catalog entry (see ``framework.json_model``), so a node that loads one gets the model
itself, and a file that lacks a field is refused where it is read.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

Setting = bool | int | float | str
Interval = tuple[float, float]


class Report(BaseModel):
    """A JSON report: immutable, and without fields that it does not declare."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- Ingestion --------------------------------------------------------------------------------------------------------


class LineCounts(Report):
    """The lines of a log by outcome: ``lines_read`` = ``event_lines`` + ``logged_out`` + the sum of ``rejected``."""

    lines_read: int
    event_lines: int = Field(description="lines that hold an event, exact repeats included")
    logged_out: int
    rejected: dict[str, int] = Field(description="lines by the first rule that rejects them")
    warnings: dict[str, int] = Field(description="accepted lines by the rule that they break")
    unknown_values: dict[str, dict[str, int]] = Field(description="per column, the most frequent unknown values")
    unknown_columns: dict[str, int] = Field(description="the most frequent unknown columns")


class LogSpan(Report):
    """The time that a log covers (ms since the epoch), and the events and users in it; null where there is none."""

    first_ts: int | None
    last_ts: int | None
    events: int | None = None
    users: int | None = None


class IngestionReport(Report):
    """Every line accounted for.

    ``lines_read`` = ``events`` + ``logged_out`` + ``duplicates`` + the sum of ``rejected``.
    """

    lines_read: int
    events: int
    logged_out: int
    duplicates: int
    rejected: dict[str, int]
    warnings: dict[str, int]
    unknown_values: dict[str, dict[str, int]]
    unknown_columns: dict[str, int]
    users: int
    users_whose_registration_changes: int
    users_registered_after_the_log: int
    first_ts: int | None
    last_ts: int | None


# --- Scores -----------------------------------------------------------------------------------------------------------


class ChanceLevel(Report):
    """What scores without any signal reach on the same rows, over random permutations of the labels."""

    average_precision_mean: float
    average_precision_95th: float = Field(description="the 95th percentile")
    auc_pr_mean: float
    auc_roc_mean: float
    auc_roc_95th: float = Field(description="the 95th percentile")


class RankingScores(Report):
    """How well scores rank, with 95 % intervals; null where the rows lack one of the two classes.

    Average precision is the area under the steps of the precision-recall curve; ``auc_pr`` is the area under straight
    lines between its points, as Spark computes it, for comparison with published scores.
    """

    rows: int
    positives: int
    prevalence: float | None
    average_precision: float | None = None
    average_precision_interval: Interval | None = None
    auc_pr: float | None = None
    auc_pr_interval: Interval | None = None
    auc_roc: float | None = None
    auc_roc_interval: Interval | None = None
    chance: ChanceLevel | None = None
    warning: str | None = None

    @property
    def chance_verdict(self) -> str | None:
        """The sentence on scores that cannot be distinguished from chance; None where they can, or there are none.

        They can where average precision and AUC-ROC are both above what 95 % of scores without signal reach.
        """
        if self.chance is None or self.average_precision is None or self.auc_roc is None:
            return None
        chance = self.chance
        if self.average_precision > chance.average_precision_95th and self.auc_roc > chance.auc_roc_95th:
            return None
        return (
            "not distinguishable from chance: on these rows one in twenty random scores reaches average precision "
            f"{chance.average_precision_95th:.3f}, and one in twenty AUC-ROC {chance.auc_roc_95th:.3f}"
        )


class CalibrationBin(Report):
    """Rows of about equal score: their mean score, and the share of them that is positive."""

    rows: int
    mean_score: float
    share_of_positives: float


class TopShare(Report):
    """The rows with the best scores; figures are null where there is nothing to divide by."""

    share: float
    rows: int
    precision: float | None
    recall: float | None
    lift: float | None


class Confusion(Report):
    """The confusion matrix at a threshold, and what it costs beside contacting nobody or everybody.

    Costs are in needless contacts: a missed churner costs ``cost_ratio`` of them.
    """

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    threshold: float
    cost_ratio: float
    cost: float
    cost_of_nobody: float
    cost_of_everybody: float


class ProbabilityScores(Report):
    """Whether probabilities are calibrated, and what acting on them brings; null where there are no rows."""

    brier: float | None
    calibration_error: float | None
    calibration_error_by_chance: float | None
    calibration: list[CalibrationBin]
    top: list[TopShare]
    confusion: Confusion


class Metrics(ProbabilityScores):
    """An algorithm's scores on the held-out rows, on the balanced ones among them, and by segment."""

    test: RankingScores
    test_balanced: RankingScores
    segments: dict[str, dict[str, RankingScores]] = Field(description="by kind of segment and segment")
    original_protocol: RankingScores = Field(description="the scores by the original's protocol")


class Baseline(ProbabilityScores):
    """What a model must beat: its scores on the held-out rows, and the feature it uses, if any."""

    feature: str | None
    test: RankingScores


class Baselines(Report):
    """The two baselines of a label."""

    prevalence: Baseline
    best_single_feature: Baseline


# --- User types -------------------------------------------------------------------------------------------------------


class GammaPrior(Report):
    """The gamma distribution of sessions per day over users: that of ``shape`` sessions seen in ``days`` days."""

    shape: float
    days: float


class TypesAtLevel(Report):
    """What users of each type do at a level: the shares of pages in their visits, and events per session."""

    page_shares: list[list[float]] = Field(description="by type and page")
    cancellations_per_session: list[float]
    switches_per_session: list[float] = Field(description="changes to the other level")


class UserTypes(Report):
    """A mixture of user types, in the order of their cancellations per session, and the distribution of session rates.

    See ``sparkify_kedro.learning.user_types``.
    """

    horizon_days: int
    users: int
    cancellations: int
    shares: list[float] = Field(description="of the users, by type")
    pages: list[str] = Field(description="in the order of the page shares")
    criteria: list[float] = Field(description="the Bayesian information criterion of 1, 2, … types")
    levels: dict[str, TypesAtLevel]
    session_rate: GammaPrior


class UserTypesByFold(Report):
    """The types of all users who are not held out, and for each fold those that were fitted without its users."""

    of_all: UserTypes
    without_fold: list[UserTypes]


# --- Training ---------------------------------------------------------------------------------------------------------


class ClassCounts(Report):
    """Rows, and positives among them."""

    rows: int
    positives: int


class FeatureScore(Report):
    """How well a model of one feature ranks, out of fold."""

    feature: str
    auc_roc: float | None
    average_precision: float | None


class FeatureAudit(Report):
    """The features that a label may use, by set and in the order of the model, and how well each ranks alone."""

    label: str
    suspicious_auc_roc: float
    feature_sets: dict[str, list[str]]
    absent: dict[str, str] = Field(default={}, description="features left out, with what they need of a log")
    one_feature: list[FeatureScore] = Field(description="the best first")
    best_original_feature: str


class GridPoint(Report):
    """A point of the grid with its average precision in each fold with both classes; ``score`` is their mean."""

    settings: dict[str, Setting]
    fold_scores: list[float]
    score: float


class CalibrationCoefficients(Report):
    """Platt's sigmoid: probability = 1 / (1 + exp(-(slope * margin + intercept)))."""

    slope: float
    intercept: float

    @property
    def verdict(self) -> str | None:
        """The sentence on scores that tell nothing about users they were not fitted on; None where they do."""
        return None if self.slope > 0 else "no signal out of fold: every user gets the prevalence as probability"


class Component(Report):
    """A principal component of the features."""

    explained_variance: float = Field(description="its share of the variance of the standardized features")
    loadings: dict[str, float] = Field(description="by feature; their squares sum to 1")


class SearchReport(Report):
    """An algorithm's grid search, its calibration, its scores out of fold, and what the model says of each feature."""

    algorithm: str
    metric: str
    features: list[str] = Field(description="the columns that the model takes, in its order")
    settings: dict[str, Setting] = Field(description="settings that the grid does not vary")
    train: ClassCounts
    points: list[GridPoint]
    best: GridPoint
    calibration: CalibrationCoefficients
    out_of_fold: RankingScores
    threshold: float = Field(description="the probability that costs least to act from, out of fold")
    coefficients: dict[str, float] | None = None
    intercept: float | None = None
    importances: dict[str, float] | None = None
    components: list[Component] | None = Field(default=None, description="where the feature set is a latent one")


class CandidateScores(Report):
    """What an algorithm enters the selection of the champion with."""

    settings: dict[str, Setting]
    features: list[str]
    cross_validated_average_precision: float
    train: ClassCounts
    out_of_fold: RankingScores
    sigmoid: CalibrationCoefficients
    threshold: float
    components: list[Component] | None = Field(default=None, description="where the feature set is a latent one")


class PairedDifference(Report):
    """How much lower an algorithm's average precision is than the best one's, on the same samples of users."""

    average_precision: float | None
    interval: Interval | None = Field(description="95 %; null where the rows lack one of the two classes")

    @property
    def includes_zero(self) -> bool:
        """Whether chance may explain the difference."""
        return self.interval is None or self.interval[0] <= 0 <= self.interval[1]


class PairedDifferences(Report):
    """The algorithm with the best score out of fold, and the difference of each from it."""

    best: str
    differences: dict[str, PairedDifference]


class ChampionSelection(Report):
    """The champion of a label, why it was selected, and the scores that the selection rests on."""

    champion: str
    verdict: str
    indistinguishable: list[str]
    differences: dict[str, PairedDifference]
    algorithms: dict[str, CandidateScores]


class AlgorithmScores(CandidateScores, Metrics):
    """All scores of one algorithm."""


class Comparison(Report):
    """A label's algorithms and baselines side by side."""

    champion: str
    verdict: str
    indistinguishable: list[str]
    differences: dict[str, PairedDifference] = Field(description="of each algorithm from the best out of fold")
    algorithms: dict[str, AlgorithmScores]
    judged_on: str = Field(description="the held-out rows that the champion is announced with")
    baselines: Baselines
    summary: str = Field(description="the champion and its scores in one sentence")

    @property
    def champion_scores(self) -> AlgorithmScores:
        """The scores of the champion."""
        return self.algorithms[self.champion]


# --- Champions and scoring --------------------------------------------------------------------------------------------


class ColumnProfile(Report):
    """The distribution of a column over the training rows; null where there are no rows.

    An interval reaches up to and includes its edge; the last has none, so there is one count more than edges. The mean
    of a recalibrated score is not known.
    """

    edges: list[float]
    counts: list[int]
    min: float | None
    max: float | None
    mean: float | None


class Recalibration(Report):
    """How a champion's calibration was replaced by one on newer labels."""

    run: str = Field(description="whose scores it was fitted on")
    as_of: str
    horizon_end: str
    users: int
    events: int
    expected: float = Field(description="events that the probabilities before had in them")
    from_model: str = Field(description="the id of the model whose calibration it replaces")
    before: CalibrationCoefficients
    after: CalibrationCoefficients


class ChampionMetadata(Report):
    """What a champion is and what it was trained on: scoring reads it beside the model of the same version."""

    model: str = Field(description="the model's own id")
    label: str
    algorithm: str
    settings: dict[str, Setting]
    verdict: str
    feature_set: str
    features: list[str]
    absent: dict[str, str] = Field(default={}, description="features left out, with what they need of a log")
    user_types: UserTypes | None = Field(description="that some of its features come from")
    feature_engineering: dict[str, Any] = Field(description="the parameters its features were made with")
    cost_ratio: float
    threshold: float
    out_of_fold: RankingScores
    profile: dict[str, ColumnProfile]
    categories: dict[str, list[str]]
    share_without_history: float | None
    recalibration: Recalibration | None = Field(default=None, description="where the calibration is not the training's")

    @property
    def of_label(self) -> dict[str, Any]:
        """The parameters of the label: its event, and where that counts."""
        parameters: dict[str, Any] = self.feature_engineering["labels"][self.label]
        return parameters

    @property
    def horizon_days(self) -> int:
        """The days after a landmark in which the event counts for the label."""
        return int(self.of_label["horizon_days"])


class ScoredUsers(Report):
    """The users of a log: all, those who have cancelled, those scored, and how many of these have an empty window.

    All are those with a row: users who cancelled before the first window have none.
    """

    in_log: int
    gone: int
    scored: int
    inactive: int


class ColumnStability(Report):
    """The population stability index of a column, what chance alone gives it, and the rows outside the known range."""

    index: float
    by_chance: float
    share_outside_range: float | None


class HistoryShares(Report):
    """The share of rows without any history before their bin, at training and at scoring."""

    training: float | None
    scored: float | None


class DriftReport(Report):
    """How the scored rows differ from the rows that the champion was trained on."""

    label: str
    model: str
    as_of: str | None = Field(description="the day of the landmark; null where no user was scored")
    users: ScoredUsers
    warnings: list[str]
    warn_above: float
    stability: dict[str, ColumnStability]
    unseen: dict[str, list[str]]
    share_without_history: HistoryShares


# --- Decisions --------------------------------------------------------------------------------------------------------


class FirstUsers(Report):
    """What to expect of the users with the highest probabilities."""

    users: int
    expected: float = Field(description="events: the sum of their probabilities")
    interval: Interval = Field(description="95 %: of calibration and of chance")
    recall: float = Field(description="their share of the events that are expected of all users")
    saves: float | None = Field(description="expected, of the users who are contacted")
    value: float | None = Field(description="of the saves, minus the costs of the contacts")


class HeldOutUsers(Report):
    """What the same share of users would have found at landmarks whose outcome is known."""

    share: float
    rows: int
    events: int
    recall: float


class DecisionReport(Report):
    """How many users to contact, and what comes of it."""

    label: str
    model: str
    as_of: str
    horizon_days: int
    users: int
    chosen: FirstUsers
    rule: str = Field(description="why that many")
    worth_contacting: int | None = Field(description="the users beyond whom a contact costs more than it brings")
    hold_out_share: float = Field(description="of the listed users, who are not contacted")
    save_rate: float | None
    value_of_a_customer: float | None
    cost_per_contact: float
    curve: list[FirstUsers]
    held_out: list[HeldOutUsers]


# --- Monitoring -------------------------------------------------------------------------------------------------------


class ExpectedObserved(Report):
    """Events that were expected (the sum of the probabilities) and those that came; null where none was expected."""

    users: int
    expected: float
    observed: int
    ratio: float | None = Field(description="observed to expected")
    interval: Interval | None = Field(description="of the ratio")


class JudgedSegment(Report):
    """The same of a segment; null where it has too few events to say anything."""

    users: int
    observed: int
    judged: ExpectedObserved | None
    auc_roc: float | None


class StoredRun(Report):
    """A run whose scores are stored."""

    run: str
    as_of: str
    horizon_end: str
    users: int
    drift_warnings: list[str] | None = Field(description="of the scored rows; null where they are not stored")


class WaitingRun(StoredRun):
    """A run whose outcome is not known."""

    reason: str


class JudgedRun(StoredRun):
    """A run whose horizon is over: whether its forecasts were right."""

    model: str | None = Field(description="the champion's own id")
    confidence: float = Field(description="of the intervals of ratios and slope")
    all_users: ExpectedObserved
    kept_between: tuple[int, int] = Field(description="the numbers of events that the verdict takes as expected")
    slope: float | None = Field(description="of the calibration on log-odds; 1 where probabilities are calibrated")
    slope_interval: Interval | None
    ranking: RankingScores
    promised: RankingScores | None = Field(description="the champion's scores out of fold")
    deciles: list[ExpectedObserved] = Field(description="the highest probabilities first")
    segments: dict[str, dict[str, JudgedSegment]] = Field(description="by kind of segment and segment")
    verdict: Literal["keep", "recalibrate", "retrain"]
    reasons: list[str]

    @property
    def came(self) -> str:
        """What came of the forecasts, and what speaks against them."""
        counts = self.all_users
        came = (
            f"of {self.users:,} users scored as of {self.as_of}, {counts.observed:,} cancelled by {self.horizon_end}; "
            f"{counts.expected:,.0f} were expected"
        )
        return f"{came} ({'; '.join(self.reasons)})" if self.reasons else came


class MonitoringReport(Report):
    """What came of the forecasts of earlier runs, the newest as-of date first."""

    judged: list[JudgedRun]
    waiting: list[WaitingRun]

    @property
    def newest(self) -> JudgedRun | None:
        """The newest run whose outcome is known."""
        return self.judged[0] if self.judged else None


# --- Survival ---------------------------------------------------------------------------------------------------------


class SurvivalPoint(Report):
    """The share of users who are still there on a day after registration, with its 95 % interval."""

    day: int
    share: float
    interval: Interval
    at_risk: int = Field(description="users under observation")


class RestrictedMean(Report):
    """The mean days that a user who is there on ``from_day`` stays until ``to_day``, with its 95 % interval."""

    from_day: int
    to_day: int
    days: float
    interval: Interval


class SurvivalCurve(Report):
    """The users of a group, from the first to the last day with enough of them under observation."""

    users: int
    cancellations: int
    points: list[SurvivalPoint]
    restricted_mean: RestrictedMean


class GroupDifference(Report):
    """Whether the groups of a kind differ, or why that is not tested."""

    p_value: float | None = None
    groups: list[str] = Field(default=[], description="that were compared")
    reason: str | None = None


class SurvivalReport(Report):
    """How long users stay."""

    users: int
    cancellations: int
    curves: dict[str, dict[str, SurvivalCurve]] = Field(description="by kind of group and group")
    differences: dict[str, GroupDifference]


class HorizonForecast(Report):
    """What a champion expects of the scored users within its horizon."""

    label: str
    horizon_days: int
    users: int
    expected: float = Field(description="cancellations")
    raised: int = Field(description="users whose probability was raised to that of a shorter horizon")
    promised: RankingScores = Field(description="the champion's scores out of fold")


class HorizonReport(Report):
    """The forecast at several horizons."""

    as_of: str | None
    horizons: list[HorizonForecast]


# --- Experiments ------------------------------------------------------------------------------------------------------


class ExperimentResult(Report):
    """A variant that was run, or has failed."""

    fingerprint: str = Field(description="of its parameters, its code and the versions of its data")
    algorithm: str
    settings: str = Field(description="those that the search has chosen, in words")
    features: int = Field(description="the number of features that the model takes")
    seconds: float
    peak_memory_bytes: int = Field(description="of the process and all that it has started, on this machine")
    error: str | None = Field(description="why there are no scores")


class ExperimentResults(RootModel[dict[str, ExperimentResult]]):
    """The results by the name of the variant."""
