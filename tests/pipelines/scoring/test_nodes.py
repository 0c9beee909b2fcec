"""From a log and champions to scores, users at risk and a drift report."""

from __future__ import annotations

import json
import logging
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.config import OmegaConfigLoader
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from partial_reports import report as partial_report
from sparkify_kedro.churn.feature_registry import FeatureRegistry, ReasonThemes
from sparkify_kedro.churn.parameters import FeatureEngineering
from sparkify_kedro.churn.reports import ChampionMetadata, ChampionSelection, FeatureAudit, LogSpan, UserTypesByFold
from sparkify_kedro.framework.skipping import SkipError
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, Training
from sparkify_kedro.learning.search import train_calibrated
from sparkify_kedro.pipelines.modeling.nodes import describe_champion
from sparkify_kedro.pipelines.scoring import nodes
from sparkify_kedro.pipelines.scoring.parameters import Scoring
from sparkify_kedro.pipelines.scoring.schemas import churn_scores as churn_scores_schema

PROJECT = Path(__file__).parents[3]
PARAMETERS = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")["parameters"]
REGISTRY = FeatureRegistry.model_validate(
    yaml.safe_load((PROJECT / "conf/base/parameters_feature_registry.yml").read_text())["feature_registry"]
)
THEMES = ReasonThemes.model_validate(
    yaml.safe_load((PROJECT / "conf/base/parameters_feature_registry.yml").read_text())["reason_themes"]
)
ENGINEERING = FeatureEngineering.model_validate(PARAMETERS["feature_engineering"])
EVALUATION = Evaluation.model_validate(PARAMETERS["modeling"]["evaluation"] | {"replicates": 20})
DAY = 86_400_000

NEXT = "will_churn_in_next_bin"
# Features of the registry: a count, one that moves with time (a logarithm), and a yes or no.
FEATURES = ["page_roll_advert", "log_tenure_days", "paid_at_end"]
TRAINING = Training.model_validate(PARAMETERS["modeling"]["training"] | {"seed": 1, "rows_per_partition": 1_000})
NO_TYPES = partial_report(UserTypesByFold, {})
SEARCH = AlgorithmSearch(algorithm="logistic_regression", settings={"maxIter": 20}, grid={"regParam": [0.01]})
LANDMARK = 1_543_276_800_000  # 2018-11-27, midnight


class Champion(NamedTuple):
    """The champion of the forecast, as it is loaded from its files."""

    model: PipelineModel
    metadata: ChampionMetadata


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1_000


def scoring(drift: float = 0.25, **rule: object) -> Scoring:
    whom = {"top": 5, "probability": None, "most": 100, "reasons": 3}
    return Scoring.model_validate({"users_at_risk": whom | rule, "drift": {"warn_above": drift}})


# ---------------------------------------------------------------------------------------------------------------------
# Who is scored
# ---------------------------------------------------------------------------------------------------------------------

SPAN = LogSpan(first_ts=ms(2018, 11, 1, 8), last_ts=ms(2018, 11, 30, 17))
WITHOUT_TYPES = partial_report(ChampionMetadata, {"label": NEXT, "user_types": None})


def engineering(**changes: object) -> FeatureEngineering:
    return FeatureEngineering.model_validate(PARAMETERS["feature_engineering"] | changes)


@pytest.mark.parametrize(("as_of", "landmark"), [(None, ms(2018, 11, 30, 17) + 1), ("2018-11-20", ms(2018, 11, 20))])
def test_all_users_at_risk_at_the_as_of_date_are_scored(spark: SparkSession, as_of: str | None, landmark: int) -> None:
    rows = [
        ("stays", landmark, True),
        ("stays", landmark - 14 * DAY, True),
        ("has left", landmark, False),
        ("left long ago", landmark - 14 * DAY, False),
    ]
    table = spark.createDataFrame(rows, "user_id string, bin_end bigint, at_risk boolean")
    found = nodes.select_rows_to_score(table, SPAN, WITHOUT_TYPES, engineering(as_of=as_of)).collect()
    assert [(row.user_id, row.bin_end) for row in found] == [("stays", landmark)]


@pytest.mark.parametrize(("label", "expected"), [("will_downgrade", ["pays"]), ("will_upgrade", ["does not"])])
def test_only_users_at_the_level_of_a_label_are_scored(spark: SparkSession, label: str, expected: list[str]) -> None:
    landmark = SPAN.last_ts + 1
    rows = [("pays", landmark, True, "paid"), ("does not", landmark, True, "free"), ("left", landmark, False, "paid")]
    table = spark.createDataFrame(rows, "user_id string, bin_end bigint, at_risk boolean, level_at_end string")
    metadata = WITHOUT_TYPES.model_copy(update={"label": label})
    found = nodes.select_rows_to_score(table, SPAN, metadata, ENGINEERING).collect()
    assert [row.user_id for row in found] == expected


def test_a_log_without_events_is_refused(spark: SparkSession) -> None:
    table = spark.createDataFrame([], "user_id string, bin_end bigint, at_risk boolean")
    with pytest.raises(ValueError, match=r"^the log to score has no valid event: see its ingestion_report"):
        nodes.select_rows_to_score(table, LogSpan(first_ts=None, last_ts=None), WITHOUT_TYPES, ENGINEERING)


def test_time_bins_of_each_users_own_are_not_scored(spark: SparkSession) -> None:
    table = spark.createDataFrame([], "user_id string, bin_end bigint, at_risk boolean")
    with pytest.raises(SkipError, match=r"^users are scored at the as-of date, where their own time bins"):
        nodes.select_rows_to_score(table, SPAN, WITHOUT_TYPES, engineering(anchor="registration", rows="active"))


# ---------------------------------------------------------------------------------------------------------------------
# Scores
# ---------------------------------------------------------------------------------------------------------------------


def training_frame() -> pd.DataFrame:
    """Three hundred users: those with many adverts leave more often."""
    random = np.random.default_rng(5)
    number = 300
    frame = pd.DataFrame(
        {
            "user_id": [f"u{place:03}" for place in range(number)],
            "bin_end": LANDMARK,
            "page_roll_advert": random.poisson(5, number),
            "log_tenure_days": np.log(random.uniform(20, 400, number)),
            "paid_at_end": random.integers(0, 2, number),
            "level_at_end": random.choice(["free", "paid"], number),
            "device": random.choice(["mac", "windows"], number),
            "sessions_in_time_bin": np.arange(number) % 3,
            "observed_days_in_time_bin": 14.0,
            "observed_days_in_history": random.choice([14.0, 28.0], number, p=[0.25, 0.75]),
            "fold": np.arange(number) % 2,
        }
    )
    log_odds = -3.2 + 0.35 * frame["page_roll_advert"] + 0.5 * frame["paid_at_end"]
    frame["label"] = (random.random(number) < 1 / (1 + np.exp(-log_odds))).astype(int)
    return frame


@pytest.fixture(scope="module")
def trained_on() -> pd.DataFrame:
    return training_frame()


@pytest.fixture(scope="module")
def train(spark: SparkSession, trained_on: pd.DataFrame) -> DataFrame:
    return spark.createDataFrame(trained_on).cache()


@pytest.fixture(scope="module")
def champion(train: DataFrame) -> Champion:
    model = train_calibrated(train, train, {"extended": FEATURES}, SEARCH, TRAINING, EVALUATION).model
    scores = {"threshold": 0.2, "features": FEATURES, "settings": {"feature_set": "extended"}}
    algorithms = {"champion": SEARCH.algorithm, "algorithms": {SEARCH.algorithm: scores}}
    selection = partial_report(ChampionSelection, algorithms)
    audit = partial_report(FeatureAudit, {"label": NEXT})
    metadata = describe_champion(model, selection, audit, NO_TYPES, train, ENGINEERING, EVALUATION)
    return Champion(model, ChampionMetadata.model_validate_json(metadata.model_dump_json()))


def current(spark: SparkSession, rows: list[tuple[str, int, float, int]]) -> DataFrame:
    """Rows to score: user, adverts, days of tenure, whether paying."""
    frame = pd.DataFrame(
        [
            {
                "user_id": user, "bin_end": LANDMARK, "page_roll_advert": adverts, "log_tenure_days": math.log(tenure),
                "paid_at_end": paid, "level_at_end": "paid" if paid else "free", "device": "mac",
                "observed_days_in_time_bin": 14.0, "observed_days_in_history": 28.0, "sessions_in_time_bin": 1,
            }
            for user, adverts, tenure, paid in rows
        ]
    )  # fmt: skip
    return spark.createDataFrame(frame)


@pytest.fixture(scope="module")
def seven(spark: SparkSession) -> DataFrame:
    """Seven users; adverts raise the risk, and two of them are alike."""
    return current(
        spark,
        [("g", 2, 100, 0), ("c", 11, 100, 0), ("twin b", 8, 100, 0), ("a", 14, 100, 0), ("twin a", 8, 100, 0),
         ("e", 5, 100, 0), ("f", 4, 100, 0)],
    ).cache()  # fmt: skip


@pytest.fixture(scope="module")
def scores(seven: DataFrame, champion: Champion) -> DataFrame:
    return nodes.score_users(seven, *champion, ENGINEERING, NEXT).cache()


def test_ranks_and_deciles_by_hand(scores: DataFrame) -> None:
    churn_scores_schema.validate(scores)
    found = [(row["rank"], row.user_id, row.decile) for row in scores.orderBy("rank").collect()]
    # Of seven, the k-th stands at (k - 1) / 7 from the top: 0, .14, .29, .43, .57, .71, .86.
    assert found == [
        (1, "a", 1),
        (2, "c", 2),
        (3, "twin a", 3),
        (4, "twin b", 5),
        (5, "e", 6),
        (6, "f", 8),
        (7, "g", 9),
    ]
    assert {(row.as_of.isoformat(), row.horizon_days) for row in scores.collect()} == {("2018-11-27T00:00:00", 14)}


def test_deciles_of_many_users_are_tenths(train: DataFrame, champion: Champion) -> None:
    scored = nodes.score_users(train.select(*set(train.columns) - {"label", "fold"}), *champion, ENGINEERING, NEXT)
    assert [row["count"] for row in scored.groupBy("decile").count().orderBy("decile").collect()] == [30] * 10


def test_probabilities_are_the_champions_own(scores: DataFrame, seven: DataFrame, champion: Champion) -> None:
    own = champion.model.transform(seven).select("user_id", vector_to_array("probability")[1].alias("p")).collect()
    assert {row.user_id: row.probability for row in scores.collect()} == {row.user_id: row.p for row in own}


def test_a_probability_by_hand(scores: DataFrame, champion: Champion) -> None:
    """The calibrated log-odds of user e: slope times the regression's log-odds, plus the intercept."""
    _, regression, _, sigmoid = champion.model.stages
    log_odds = regression.intercept + regression.coefficients.dot([5, math.log(100), 0])
    expected = 1 / (1 + math.exp(-(sigmoid.coefficients[0] * log_odds + sigmoid.intercept)))
    assert scores.where("user_id = 'e'").first().probability == pytest.approx(expected)


def test_features_that_are_missing_are_named(seven: DataFrame, champion: Champion) -> None:
    with pytest.raises(
        ValueError,
        match=f"^the champion of {NEXT} was trained on log_tenure_days, paid_at_end, which the rows to score lack: "
        "train again",
    ):
        nodes.score_users(seven.drop("log_tenure_days", "paid_at_end"), *champion, ENGINEERING, NEXT)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"time_bin_days": 7}, "feature_engineering.time_bin_days = 14, not 7: score with the parameters"),
        (
            {"shrinkage": {"days": 14, "songs": 50, "sessions": 2}},
            "feature_engineering.shrinkage.sessions = 1.0, not 2.0, "
            "feature_engineering.shrinkage.songs = 200.0, not 50.0: score",
        ),
    ],
)
def test_other_parameters_than_at_training_are_named(
    seven: DataFrame, champion: Champion, changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValueError, match=f"^the champion of {NEXT} was trained with {expected}"):
        nodes.score_users(seven, *champion, engineering(**{"stride_days": 7} | changes), NEXT)


def test_other_rows_than_at_training_are_scored(seven: DataFrame, scores: DataFrame, champion: Champion) -> None:
    """As-of date and stride decide which rows there are, not how they are made; earlier landmarks add columns."""
    others = engineering(as_of="2018-11-20", stride_days=7, min_history_days=0, earlier_landmarks=2)
    assert sorted(nodes.score_users(seven, *champion, others, NEXT).collect()) == sorted(scores.collect())


def test_metadata_of_another_run_or_label_is_refused(seven: DataFrame, champion: Champion) -> None:
    other_run = champion.metadata.model_copy(update={"model": PipelineModel([]).uid})
    with pytest.raises(
        ValueError,
        match=f"^{NEXT}.champion and {NEXT}.champion_metadata are from different runs: load the same version of both",
    ):
        nodes.score_users(seven, champion.model, other_run, ENGINEERING, NEXT)
    other_label = champion.metadata.model_copy(update={"label": "will_churn_soon"})
    with pytest.raises(ValueError, match=f"^{NEXT}.champion_metadata describes a champion of will_churn_soon: train"):
        nodes.score_users(seven, champion.model, other_label, ENGINEERING, NEXT)


# ---------------------------------------------------------------------------------------------------------------------
# The list
# ---------------------------------------------------------------------------------------------------------------------

LIST_COLUMNS = [
    "rank", "user_id", "as_of", "horizon_days", "probability", "decile", "reason_1", "reason_2", "reason_3",
]  # fmt: skip


def listed(scores: DataFrame, rows: DataFrame, champion: Champion, **rule: object) -> pd.DataFrame:
    return nodes.list_users_at_risk(scores, rows, *champion, REGISTRY, THEMES, scoring(**rule))


def test_the_top_users_are_listed_in_order(scores: DataFrame, seven: DataFrame, champion: Champion) -> None:
    table = listed(scores, seven, champion, top=3)
    assert list(table.columns) == LIST_COLUMNS
    assert table[["rank", "user_id"]].to_numpy().tolist() == [[1, "a"], [2, "c"], [3, "twin a"]]


def test_users_above_a_probability_are_listed(scores: DataFrame, seven: DataFrame, champion: Champion) -> None:
    probability = scores.where("user_id = 'e'").first().probability
    names = {
        limit: listed(scores, seven, champion, top=None, probability=limit)["user_id"].tolist()
        for limit in (probability, probability + 1e-6)
    }
    assert names[probability] == ["a", "c", "twin a", "twin b", "e"]
    assert names[probability + 1e-6] == ["a", "c", "twin a", "twin b"]


@pytest.mark.parametrize("rule", [{"top": 6}, {"top": None, "probability": 0.0}])
def test_the_list_is_limited(scores: DataFrame, seven: DataFrame, champion: Champion, rule: dict[str, Any]) -> None:
    assert listed(scores, seven, champion, most=2, **rule)["user_id"].tolist() == ["a", "c"]


def test_a_short_log_lists_all_users(scores: DataFrame, seven: DataFrame, champion: Champion) -> None:
    assert len(listed(scores, seven, champion, top=50)) == 7


def test_an_empty_list_has_its_columns(scores: DataFrame, seven: DataFrame, champion: Champion) -> None:
    table = listed(scores, seven, champion, top=None, probability=1.0)
    assert table.empty
    assert list(table.columns) == LIST_COLUMNS


def test_reasons_are_the_strongest_by_hand(spark: SparkSession, champion: Champion, trained_on: pd.DataFrame) -> None:
    """Coefficient times distance from the training mean, in the order of its size; half of the users pay."""
    rows = current(spark, [("a", 13, 365, 1), ("b", 1, 21, 0), ("middle", 7, 90, 1), ("c", 7, 90, 0)])
    scored = nodes.score_users(rows, *champion, ENGINEERING, NEXT)
    table = listed(scored, rows, champion).set_index("user_id")
    coefficients = dict(zip(FEATURES, champion.model.stages[1].coefficients, strict=True))
    expected = {
        "a": {
            "page_roll_advert": (13, "13 adverts in the last 14 days; half of all users have at most 7"),
            "log_tenure_days": (math.log(365), "registered 365 days ago; half of all users at most 90 days ago"),
            "paid_at_end": (1, ""),
        },
        "b": {
            "page_roll_advert": (1, "1 advert in the last 14 days; half of all users have at least 7"),
            "log_tenure_days": (math.log(21), "registered 21 days ago; half of all users at least 90 days ago"),
            "paid_at_end": (0, ""),
        },
    }
    for user, features in expected.items():
        contributions = {
            name: coefficients[name] * (value - trained_on[name].mean()) for name, (value, _) in features.items()
        }
        strongest = sorted(contributions, key=lambda name: -abs(contributions[name]))
        expected = [
            f"{features[name][1]} ({'raises' if contributions[name] > 0 else 'lowers'} the risk)"
            for name in strongest
            if features[name][1]
        ]
        assert table.loc[user, ["reason_1", "reason_2", "reason_3"]].tolist() == [*expected, ""]
    assert "13 adverts in the last 14 days; half of all users have at most 7 (raises" in table.loc["a", "reason_1"]
    assert "1 advert in the last 14 days; half of all users have at least 7 (lowers" in table.loc["b", "reason_1"]


def test_as_many_reasons_as_asked_for(scores: DataFrame, seven: DataFrame, champion: Champion) -> None:
    one = listed(scores, seven, champion, reasons=1)
    assert [name for name in one.columns if name.startswith("reason")] == ["reason_1"]


# ---------------------------------------------------------------------------------------------------------------------
# Drift
# ---------------------------------------------------------------------------------------------------------------------


def drift(spark: SparkSession, frame: pd.DataFrame, champion: Champion, log: DataFrame | None = None) -> dict[str, Any]:
    rows = spark.createDataFrame(frame.drop(columns=["label", "fold"])).withColumn(
        "churned_at", F.lit(None).cast("long")
    )
    scored = nodes.score_users(rows, *champion, ENGINEERING, NEXT)
    return drift_of(scored, rows, rows if log is None else log, champion)


def drift_of(scores: DataFrame, rows: DataFrame, log: DataFrame, champion: Champion) -> dict[str, Any]:
    report = nodes.report_drift(scores, rows, log, champion.metadata, REGISTRY, scoring()).model_dump(mode="json")
    json.dumps(report, allow_nan=False)
    return report


def test_the_training_rows_themselves_have_not_drifted(
    spark: SparkSession, trained_on: pd.DataFrame, champion: Champion
) -> None:
    report = drift(spark, trained_on, champion)
    assert report["warnings"] == []
    assert report["stability"].keys() == {*FEATURES, "score"}
    for line in report["stability"].values():
        assert line["index"] == pytest.approx(0)
        assert line["share_outside_range"] == 0
        # So many users on both sides; ten intervals at the most.
        assert 0 < line["by_chance"] <= 9 * 2 / 300 + 1e-9
    share = (trained_on["observed_days_in_history"] == 14).mean()
    assert report["share_without_history"] == {"training": pytest.approx(share), "scored": pytest.approx(share)}
    assert report["label"] == NEXT
    assert report["as_of"] == "2018-11-27"


def test_a_shifted_feature_is_named(
    spark: SparkSession, trained_on: pd.DataFrame, champion: Champion, caplog: pytest.LogCaptureFixture
) -> None:
    shifted = trained_on.assign(page_roll_advert=trained_on["page_roll_advert"] + 20)
    with caplog.at_level(logging.WARNING):
        report = drift(spark, shifted, champion)
    (sentence,) = report["warnings"]
    assert "page_roll_advert (" in sentence
    assert "score (" in sentence
    assert "paid_at_end" not in sentence
    assert report["stability"]["page_roll_advert"]["share_outside_range"] == 1
    assert f"Drift: {sentence}" in caplog.messages


def test_an_unseen_device_is_named(spark: SparkSession, trained_on: pd.DataFrame, champion: Champion) -> None:
    devices = trained_on["device"].where(trained_on.index > 1, "linux")
    report = drift(spark, trained_on.assign(device=devices), champion)
    assert report["unseen"] == {"level_at_end": [], "device": ["linux"]}
    assert report["warnings"] == ["device has values that do not occur in training: linux"]


def test_features_that_move_with_time_cause_no_warning(
    spark: SparkSession, trained_on: pd.DataFrame, champion: Champion
) -> None:
    older = trained_on.assign(log_tenure_days=trained_on["log_tenure_days"] + 3)
    report = drift(spark, older, champion)
    assert report["stability"]["log_tenure_days"]["index"] > 1
    assert not any("log_tenure_days" in sentence for sentence in report["warnings"])


def test_every_user_of_the_log_is_accounted_for(
    spark: SparkSession, trained_on: pd.DataFrame, champion: Champion
) -> None:
    scored = trained_on.head(5)
    others = [("gone", 100), ("gone", None), ("idle", None), ("idle", None), ("new", None)]
    log = spark.createDataFrame(
        [*((user, None) for user in scored["user_id"]), *others], "user_id string, churned_at bigint"
    )
    assert drift(spark, scored, champion, log)["users"] == {
        "in_log": 8,
        "gone": 1,
        "scored": 5,
        "inactive": 2,
    }


def test_a_log_without_scorable_users_gives_empty_tables(seven: DataFrame, champion: Champion) -> None:
    no_users = seven.limit(0)
    scored = nodes.score_users(no_users, *champion, ENGINEERING, NEXT)
    assert scored.count() == 0
    assert list(listed(scored, no_users, champion).columns) == LIST_COLUMNS
    log = seven.withColumn("churned_at", F.when(F.col("user_id") == "a", 100).cast("long"))
    report = drift_of(scored, no_users, log, champion)
    assert report["users"] == {"in_log": 7, "gone": 1, "scored": 0, "inactive": 0}
    assert report["stability"] == {}
    assert report["warnings"] == ["no user was scored: there is none at risk at the as-of date"]
