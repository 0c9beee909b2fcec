"""From a log and champions to scores, users at risk and a drift report."""

from __future__ import annotations

import json
import logging
import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kedro.config import OmegaConfigLoader
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from partial_reports import report as partial_report
from spark_examples import spark_examples
from sparkify_kedro.churn.feature_registry import FeatureRegistry
from sparkify_kedro.churn.parameters import FeatureEngineering
from sparkify_kedro.churn.reports import ChampionMetadata, ChampionSelection, FeatureAudit, LogSpan
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, Training
from sparkify_kedro.learning.search import train_calibrated
from sparkify_kedro.pipelines.feature_engineering.nodes import engineer_user_time_bins
from sparkify_kedro.pipelines.modeling.nodes import describe_champion
from sparkify_kedro.pipelines.scoring import nodes
from sparkify_kedro.pipelines.scoring.nodes import cut_at_as_of, select_current_bins
from sparkify_kedro.pipelines.scoring.parameters import Scoring
from sparkify_kedro.pipelines.scoring.schemas import churn_scores as churn_scores_schema
from sparkify_kedro.pipelines.simulation.nodes import simulate_events, simulate_users
from sparkify_kedro.pipelines.simulation.parameters import Simulation

PROJECT = Path(__file__).parents[3]
PARAMETERS = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")["parameters"]
REGISTRY = FeatureRegistry.model_validate(
    yaml.safe_load((PROJECT / "conf/base/parameters_feature_registry.yml").read_text())["feature_registry"]
)
ENGINEERING = FeatureEngineering.model_validate(PARAMETERS["feature_engineering"])
EVALUATION = Evaluation.model_validate(PARAMETERS["modeling"]["evaluation"] | {"replicates": 20})
DAY = 86_400_000

NEXT, SOON = "will_churn_in_next_bin", "will_churn_soon"
# Features of the project's catalogue: a count, one that moves with time (a logarithm), and a yes or no.
FEATURES = {NEXT: ["page_roll_advert", "log_tenure_days", "paid_at_end"], SOON: ["page_roll_advert"]}
TRAINING = Training(seed=1, feature_set="extended", parallel_fits=2, rows_per_partition=1_000)
SEARCH = AlgorithmSearch(algorithm="logistic_regression", settings={"maxIter": 20}, grid={"regParam": [0.01]})

# The champion and its metadata of each label, in turn.
Champions = list[Any]


def by_name(champions: Champions) -> dict[str, Any]:
    """The champions as the pipeline passes them to a node, with the labels."""
    labels = (NEXT, SOON)
    names = [f"{label}_{name}" for label in labels for name in ("champion", "champion_metadata")]
    return {"labels": labels, **dict(zip(names, champions, strict=True))}


def score_users(rows: DataFrame, rule: Scoring, engineering: FeatureEngineering, *champions: Any) -> DataFrame:
    return nodes.score_users(rows, rule, engineering, **by_name(list(champions)))


def list_users_at_risk(
    scores: DataFrame, rows: DataFrame, registry: FeatureRegistry, rule: Scoring, *champions: Any
) -> pd.DataFrame:
    return nodes.list_users_at_risk(scores, rows, registry, rule, **by_name(list(champions)))


def report_drift(
    scores: DataFrame, rows: DataFrame, log: DataFrame, registry: FeatureRegistry, rule: Scoring, *champions: Any
) -> dict[str, Any]:
    report = nodes.report_drift(scores, rows, log, registry, rule, **by_name(list(champions)))
    return report.model_dump(mode="json")


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1_000


def scoring(as_of: object = None, drift: float = 0.25, **rule: object) -> Scoring:
    whom = {"rank_by": NEXT, "top": 5, "probability": None, "most": 100, "reasons": 3}
    return Scoring.model_validate({"as_of": as_of, "users_at_risk": whom | rule, "drift": {"warn_above": drift}})


# ---------------------------------------------------------------------------------------------------------------------
# Nothing from the as-of date on
# ---------------------------------------------------------------------------------------------------------------------

MOMENTS = [
    ms(2018, 11, 1, 8),
    ms(2018, 11, 19, 23, 59, 59) + 999,
    ms(2018, 11, 20),
    ms(2018, 11, 20) + 1,
    ms(2018, 11, 30, 17),
]
SPAN = LogSpan(first_ts=MOMENTS[0], last_ts=MOMENTS[-1])


@pytest.fixture(scope="module")
def events(spark: SparkSession) -> DataFrame:
    rows = [(str(ts), ts, datetime.fromtimestamp(ts / 1_000, tz=UTC).date()) for ts in MOMENTS]
    return spark.createDataFrame(rows, "user_id string, ts bigint, event_date date")


def test_events_from_midnight_on_are_dropped(events: DataFrame) -> None:
    known, window = cut_at_as_of(events, SPAN, scoring("2018-11-20"))
    assert sorted(row.ts for row in known.collect()) == MOMENTS[:2]
    assert window == LogSpan(first_ts=MOMENTS[0], last_ts=ms(2018, 11, 20))


def test_without_a_date_the_whole_log_is_used(events: DataFrame) -> None:
    known, window = cut_at_as_of(events, SPAN, scoring())
    assert sorted(row.ts for row in known.collect()) == MOMENTS
    assert window == LogSpan(first_ts=MOMENTS[0], last_ts=MOMENTS[-1] + 1)


@pytest.mark.parametrize("as_of", ["2018-11-02", "2018-11-30"])
def test_the_first_and_last_midnight_of_the_log_are_accepted(events: DataFrame, as_of: str) -> None:
    known, _ = cut_at_as_of(events, SPAN, scoring(as_of))
    assert known.count() > 0


@pytest.mark.parametrize("as_of", ["2017-01-01", "2018-11-01", "2018-12-02", "2020-01-01"])
def test_a_date_outside_the_log_is_refused_with_the_valid_range(events: DataFrame, as_of: str) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^scoring.as_of is {as_of}, and the log covers 2018-11-01T08:00:00\+00:00 to "
        r"2018-11-30T17:00:00\+00:00: choose a day inside it$",
    ):
        cut_at_as_of(events, SPAN, scoring(as_of))


@pytest.mark.parametrize("as_of", [None, "2018-11-20"])
def test_a_log_without_events_is_refused(events: DataFrame, as_of: str | None) -> None:
    with pytest.raises(ValueError, match=r"^the log to score has no valid event: see scoring.ingestion_report"):
        cut_at_as_of(events.limit(0), LogSpan(first_ts=None, last_ts=None), scoring(as_of))


# ---------------------------------------------------------------------------------------------------------------------
# The same rows whether the log ends at the date or goes on
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated(spark: SparkSession) -> tuple[DataFrame, LogSpan, DataFrame]:
    """Twenty users' events, the log's account, and all their bins."""
    simulation = Simulation.model_validate(PARAMETERS["simulation"] | {"users": 20, "files": 1})
    raw = simulate_events(simulate_users(simulation), simulation).where("userId != ''")
    names = {
        "userId": "user_id", "sessionId": "session_id", "itemInSession": "item_in_session", "userAgent": "user_agent"
    }  # fmt: skip
    rows = raw.withColumnsRenamed(names).withColumn("event_date", F.to_date(F.timestamp_millis("ts"))).toPandas()
    log = spark.createDataFrame(rows.astype(object).where(rows.notna(), None), _schema(raw, names)).coalesce(1).cache()
    span = LogSpan(first_ts=int(rows["ts"].min()), last_ts=int(rows["ts"].max()))
    return log, span, engineer_user_time_bins(log, span, ENGINEERING).cache()


def _schema(raw: DataFrame, names: dict[str, str]) -> str:
    columns = ", ".join(f"{names.get(name, name)} {kind}" for name, kind in raw.dtypes)
    return f"{columns}, event_date date"


@spark_examples(2)
@given(as_of=st.dates(date(2018, 10, 20), date(2018, 11, 29)))
def test_features_as_of_a_day_do_not_depend_on_whether_the_log_goes_on(
    simulated: tuple[DataFrame, LogSpan, DataFrame], as_of: date
) -> None:
    log, span, all_bins = simulated
    wanted = scoring(as_of)
    known, window = cut_at_as_of(log, span, wanted)
    rows_then = select_current_bins(engineer_user_time_bins(known, window, ENGINEERING), window, ENGINEERING)
    rows_now = select_current_bins(all_bins, LogSpan(first_ts=None, last_ts=wanted.as_of_ts), ENGINEERING)
    columns = ["user_id", *REGISTRY.features, "bin_end", "level_at_end", "device", "at_risk"]
    then, now = (
        rows.select(columns).toPandas().sort_values("user_id", ignore_index=True) for rows in (rows_then, rows_now)
    )
    pd.testing.assert_frame_equal(then, now, check_exact=True)
    assert len(then) >= 3
    assert then["user_id"].is_unique


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
            "time_bin": random.integers(1, 4, number),
            "page_roll_advert": random.poisson(5, number),
            "log_tenure_days": np.log(random.uniform(20, 400, number)),
            "paid_at_end": random.integers(0, 2, number),
            "level_at_end": random.choice(["free", "paid"], number),
            "device": random.choice(["mac", "windows"], number),
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
def champions(train: DataFrame) -> Champions:
    """Model and card of two labels, in turn."""
    made = []
    for label, features in FEATURES.items():
        model = train_calibrated(train, train, features, SEARCH, TRAINING, EVALUATION).model
        algorithms = {"champion": SEARCH.algorithm, "algorithms": {SEARCH.algorithm: {"threshold": 0.2}}}
        selection = partial_report(ChampionSelection, algorithms)
        audit = partial_report(FeatureAudit, {"label": label, "feature_set": "extended", "features": features})
        metadata = describe_champion(model, selection, audit, train, ENGINEERING, EVALUATION)
        # As it is loaded from its file.
        made += [model, ChampionMetadata.model_validate_json(metadata.model_dump_json())]
    return made


def with_card(champions: Champions, **changes: object) -> Champions:
    return [champions[0], champions[1].model_copy(update=changes), *champions[2:]]


def current(spark: SparkSession, rows: list[tuple[str, int, float, int]]) -> DataFrame:
    """Rows to score: user, adverts, days of tenure, whether paying."""
    frame = pd.DataFrame(
        [
            {
                "user_id": user, "time_bin": 2, "page_roll_advert": adverts, "log_tenure_days": math.log(tenure),
                "paid_at_end": paid, "level_at_end": "paid" if paid else "free", "device": "mac",
                "observed_days_in_time_bin": 14.0, "observed_days_in_history": 28.0,
            }
            for user, adverts, tenure, paid in rows
        ]
    )  # fmt: skip
    return spark.createDataFrame(frame).withColumn("time_bin", F.col("time_bin").cast("int"))


@pytest.fixture(scope="module")
def seven(spark: SparkSession) -> DataFrame:
    """Seven users; adverts raise the risk, and two of them are alike."""
    return current(
        spark,
        [("g", 2, 100, 0), ("c", 11, 100, 0), ("twin b", 8, 100, 0), ("a", 14, 100, 0), ("twin a", 8, 100, 0),
         ("e", 5, 100, 0), ("f", 4, 100, 0)],
    ).cache()  # fmt: skip


@pytest.fixture(scope="module")
def scores(seven: DataFrame, champions: Champions) -> DataFrame:
    return score_users(seven, scoring(), ENGINEERING, *champions).cache()


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
    assert {row.time_bin for row in scores.collect()} == {2}


def test_deciles_of_many_users_are_tenths(train: DataFrame, champions: Champions) -> None:
    scored = score_users(train.select(*set(train.columns) - {"label", "fold"}), scoring(), ENGINEERING, *champions)
    assert [row["count"] for row in scored.groupBy("decile").count().orderBy("decile").collect()] == [30] * 10


def test_probabilities_are_the_champions_own(scores: DataFrame, seven: DataFrame, champions: Champions) -> None:
    for label, model in zip((NEXT, SOON), champions[::2], strict=True):
        own = model.transform(seven).select("user_id", vector_to_array("probability")[1].alias("p")).collect()
        expected = {row.user_id: row.p for row in own}
        assert {row.user_id: row[f"probability_{label}"] for row in scores.collect()} == expected


def test_a_probability_by_hand(scores: DataFrame, champions: Champions) -> None:
    """The calibrated log-odds of user e: slope times the regression's log-odds, plus the intercept."""
    _, regression, _, sigmoid = champions[0].stages
    log_odds = regression.intercept + regression.coefficients.dot([5, math.log(100), 0])
    expected = 1 / (1 + math.exp(-(sigmoid.coefficients[0] * log_odds + sigmoid.intercept)))
    assert scores.where("user_id = 'e'").first()[f"probability_{NEXT}"] == pytest.approx(expected)


def test_users_are_ranked_by_the_label_that_is_named(spark: SparkSession, champions: Champions) -> None:
    """The champion of one label knows who pays, that of the other does not."""
    rows = current(spark, [("a", 5, 100, 0), ("b", 5, 100, 1)])
    by_next, by_soon = (
        [row.user_id for row in score_users(rows, scoring(rank_by=label), ENGINEERING, *champions)
         .orderBy("rank").collect()]
        for label in (NEXT, SOON)
    )  # fmt: skip
    assert by_next == ["b", "a"]
    assert by_soon == ["a", "b"]


def test_features_that_are_missing_are_named(seven: DataFrame, champions: Champions) -> None:
    with pytest.raises(
        ValueError,
        match=f"^the champion of {NEXT} was trained on log_tenure_days, paid_at_end, which the rows to score lack: "
        "train again",
    ):
        score_users(seven.drop("log_tenure_days", "paid_at_end"), scoring(), ENGINEERING, *champions)


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
    seven: DataFrame, champions: Champions, changes: dict[str, Any], expected: str
) -> None:
    other = FeatureEngineering.model_validate(PARAMETERS["feature_engineering"] | changes)
    with pytest.raises(ValueError, match=f"^the champion of {NEXT} was trained with {expected}"):
        score_users(seven, scoring(), other, *champions)


def test_metadata_of_another_run_is_refused(
    seven: DataFrame, scores: DataFrame, champions: Champions, train: DataFrame
) -> None:
    mixed = with_card(champions, model=PipelineModel([]).uid)
    expected = (
        f"^{NEXT}.champion and {NEXT}.champion_metadata are from different runs: load the same version of both, as "
    )
    with pytest.raises(ValueError, match=expected):
        score_users(seven, scoring(), ENGINEERING, *mixed)
    with pytest.raises(ValueError, match=expected):
        list_users_at_risk(scores, seven, REGISTRY, scoring(), *mixed)
    with pytest.raises(ValueError, match=expected):
        report_drift(scores, seven, train, REGISTRY, scoring(), *mixed)


@pytest.mark.parametrize(
    ("rank_by", "advice"),
    [
        ("will_churn_next_bin", f"did you mean '{NEXT}'?"),
        ("weather", f"known are {NEXT}, {SOON}."),
    ],
)
def test_an_unknown_label_is_refused_with_advice(
    seven: DataFrame, champions: Champions, rank_by: str, advice: str
) -> None:
    with pytest.raises(ValueError) as refused:
        score_users(seven, scoring(rank_by=rank_by), ENGINEERING, *champions)
    assert str(refused.value) == f"scoring.users_at_risk.rank_by is '{rank_by}', which is not a label: {advice}"


# ---------------------------------------------------------------------------------------------------------------------
# The list
# ---------------------------------------------------------------------------------------------------------------------

LIST_COLUMNS = [
    "rank", "user_id", "time_bin", f"probability_{NEXT}", f"probability_{SOON}", "decile", "reason_1", "reason_2",
    "reason_3",
]  # fmt: skip


def listed(scores: DataFrame, rows: DataFrame, champions: Champions, **rule: object) -> pd.DataFrame:
    return list_users_at_risk(scores, rows, REGISTRY, scoring(**rule), *champions)


def test_the_top_users_are_listed_in_order(scores: DataFrame, seven: DataFrame, champions: Champions) -> None:
    table = listed(scores, seven, champions, top=3)
    assert list(table.columns) == LIST_COLUMNS
    assert table[["rank", "user_id"]].to_numpy().tolist() == [[1, "a"], [2, "c"], [3, "twin a"]]


def test_users_above_a_probability_are_listed(scores: DataFrame, seven: DataFrame, champions: Champions) -> None:
    probability = scores.where("user_id = 'e'").first()[f"probability_{NEXT}"]
    names = {
        limit: listed(scores, seven, champions, top=None, probability=limit)["user_id"].tolist()
        for limit in (probability, probability + 1e-6)
    }
    assert names[probability] == ["a", "c", "twin a", "twin b", "e"]
    assert names[probability + 1e-6] == ["a", "c", "twin a", "twin b"]


@pytest.mark.parametrize("rule", [{"top": 6}, {"top": None, "probability": 0.0}])
def test_the_list_is_limited(scores: DataFrame, seven: DataFrame, champions: Champions, rule: dict[str, Any]) -> None:
    assert listed(scores, seven, champions, most=2, **rule)["user_id"].tolist() == ["a", "c"]


def test_a_short_log_lists_all_users(scores: DataFrame, seven: DataFrame, champions: Champions) -> None:
    assert len(listed(scores, seven, champions, top=50)) == 7


def test_an_empty_list_has_its_columns(scores: DataFrame, seven: DataFrame, champions: Champions) -> None:
    table = listed(scores, seven, champions, top=None, probability=1.0)
    assert table.empty
    assert list(table.columns) == LIST_COLUMNS


def test_reasons_are_the_strongest_by_hand(spark: SparkSession, champions: Champions, trained_on: pd.DataFrame) -> None:
    """Coefficient times distance from the training mean, in the order of its size."""
    rows = current(spark, [("a", 13, 365, 1), ("b", 0, 21, 0)])
    scored = score_users(rows, scoring(), ENGINEERING, *champions)
    table = listed(scored, rows, champions).set_index("user_id")
    coefficients = dict(zip(FEATURES[NEXT], champions[0].stages[1].coefficients, strict=True))
    expected = {
        "a": {
            "page_roll_advert": (13, "visits to the page Roll Advert in the bin: 13"),
            "log_tenure_days": (math.log(365), "days from registration to the bin's end: 365"),
            "paid_at_end": (1, "at level paid at the bin's end: yes"),
        },
        "b": {
            "page_roll_advert": (0, "visits to the page Roll Advert in the bin: 0"),
            "log_tenure_days": (math.log(21), "days from registration to the bin's end: 21"),
            "paid_at_end": (0, "at level paid at the bin's end: no"),
        },
    }
    for user, features in expected.items():
        contributions = {
            name: coefficients[name] * (value - trained_on[name].mean()) for name, (value, _) in features.items()
        }
        strongest = sorted(contributions, key=lambda name: -abs(contributions[name]))
        expected = [
            f"{features[name][1]} ({'raises' if contributions[name] > 0 else 'lowers'} the risk)" for name in strongest
        ]
        assert table.loc[user, ["reason_1", "reason_2", "reason_3"]].tolist() == expected
    assert "Roll Advert in the bin: 13 (raises" in table.loc["a", "reason_1"]
    assert "Roll Advert in the bin: 0 (lowers" in table.loc["b", "reason_1"]


def test_as_many_reasons_as_asked_for(scores: DataFrame, seven: DataFrame, champions: Champions) -> None:
    one = listed(scores, seven, champions, reasons=1)
    assert [name for name in one.columns if name.startswith("reason")] == ["reason_1"]


# ---------------------------------------------------------------------------------------------------------------------
# Drift
# ---------------------------------------------------------------------------------------------------------------------


def drift(
    spark: SparkSession, frame: pd.DataFrame, champions: Champions, log: DataFrame | None = None
) -> dict[str, Any]:
    rows = spark.createDataFrame(frame.drop(columns=["label", "fold"])).withColumn(
        "churned_at", F.lit(None).cast("long")
    )
    scored = score_users(rows, scoring(), ENGINEERING, *champions)
    report = report_drift(scored, rows, rows if log is None else log, REGISTRY, scoring(), *champions)
    json.dumps(report, allow_nan=False)
    return report


def test_the_training_rows_themselves_have_not_drifted(
    spark: SparkSession, trained_on: pd.DataFrame, champions: Champions
) -> None:
    report = drift(spark, trained_on, champions)
    assert report["warnings"] == []
    assert report["stability"].keys() == {*FEATURES[NEXT], "score"}
    for line in report["stability"].values():
        assert line["index"] == pytest.approx(0)
        assert line["share_outside_range"] == 0
        # So many users on both sides; ten intervals at the most.
        assert 0 < line["by_chance"] <= 9 * 2 / 300 + 1e-9
    share = (trained_on["observed_days_in_history"] == 14).mean()
    assert report["share_without_history"] == {"training": pytest.approx(share), "scored": pytest.approx(share)}
    assert report["label"] == NEXT
    assert report["as_of"] == "the end of the log"


def test_a_shifted_feature_is_named(
    spark: SparkSession, trained_on: pd.DataFrame, champions: Champions, caplog: pytest.LogCaptureFixture
) -> None:
    shifted = trained_on.assign(page_roll_advert=trained_on["page_roll_advert"] + 20)
    with caplog.at_level(logging.WARNING):
        report = drift(spark, shifted, champions)
    (sentence,) = report["warnings"]
    assert "page_roll_advert (" in sentence
    assert "score (" in sentence
    assert "paid_at_end" not in sentence
    assert report["stability"]["page_roll_advert"]["share_outside_range"] == 1
    assert f"Drift: {sentence}" in caplog.messages


def test_an_unseen_device_is_named(spark: SparkSession, trained_on: pd.DataFrame, champions: Champions) -> None:
    devices = trained_on["device"].where(trained_on.index > 1, "linux")
    report = drift(spark, trained_on.assign(device=devices), champions)
    assert report["unseen"] == {"level_at_end": [], "device": ["linux"]}
    assert report["warnings"] == ["device has values that do not occur in training: linux"]


def test_features_that_move_with_time_cause_no_warning(
    spark: SparkSession, trained_on: pd.DataFrame, champions: Champions
) -> None:
    older = trained_on.assign(log_tenure_days=trained_on["log_tenure_days"] + 3)
    report = drift(spark, older, champions)
    assert report["stability"]["log_tenure_days"]["index"] > 1
    assert not any("log_tenure_days" in sentence for sentence in report["warnings"])


def test_every_user_of_the_log_is_accounted_for(
    spark: SparkSession, trained_on: pd.DataFrame, champions: Champions
) -> None:
    scored = trained_on.head(5)
    others = [("gone", 100), ("gone", None), ("idle", None), ("idle", None), ("new", None)]
    log = spark.createDataFrame(
        [*((user, None) for user in scored["user_id"]), *others], "user_id string, churned_at bigint"
    )
    assert drift(spark, scored, champions, log)["users"] == {
        "in_log": 8,
        "gone": 1,
        "scored": 5,
        "without_events_in_last_bin": 2,
    }


def test_a_log_without_scorable_users_gives_empty_tables(seven: DataFrame, champions: Champions) -> None:
    no_users = seven.limit(0)
    scored = score_users(no_users, scoring(), ENGINEERING, *champions)
    assert scored.count() == 0
    assert list(listed(scored, no_users, champions).columns) == LIST_COLUMNS
    log = seven.withColumn("churned_at", F.when(F.col("user_id") == "a", 100).cast("long"))
    report = report_drift(scored, no_users, log, REGISTRY, scoring(), *champions)
    json.dumps(report, allow_nan=False)
    assert report["users"] == {"in_log": 7, "gone": 1, "scored": 0, "without_events_in_last_bin": 6}
    assert report["stability"] == {}
    assert report["warnings"] == ["no user was scored: no active user has an event in the last completed bin"]


def test_a_user_who_cancels_with_the_last_event_is_not_scored(spark: SparkSession) -> None:
    """Their last completed bin ended before, and the log knows that they left."""
    last = ms(2018, 11, 30, 17)
    rows = [("leaves", 2, last - DAY, None), ("leaves", 3, last + 13 * DAY, last), ("stays", 2, last - DAY, None)]
    bins = spark.createDataFrame(rows, "user_id string, time_bin int, bin_end bigint, churned_at bigint")
    _, window = cut_at_as_of(bins, LogSpan(first_ts=last - 40 * DAY, last_ts=last), scoring())
    assert [row.user_id for row in select_current_bins(bins, window, ENGINEERING).collect()] == ["stays"]
