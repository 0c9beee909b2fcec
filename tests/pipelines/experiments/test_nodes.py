"""Experiments: what runs, what is known already, what fails, and the comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.pipeline import Node, Pipeline
from kedro.validation.exceptions import ModelInstantiationError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.metrics import average_precision_score

from partial_reports import report
from sparkify_kedro.churn.reports import ExperimentResults, SearchReport
from sparkify_kedro.framework.runs.summary import RunSoFar
from sparkify_kedro.framework.skipping import SkipError, skippable
from sparkify_kedro.framework.variants import Variant
from sparkify_kedro.learning.parameters import Evaluation, Segments
from sparkify_kedro.pipelines.experiments.figure import draw_experiments
from sparkify_kedro.pipelines.experiments.nodes import Scores, compare_experiments, run_experiments
from sparkify_kedro.pipelines.experiments.parameters import Experiments

EVALUATION = Evaluation(
    seed=1, max_rows=10_000, replicates=200, cost_ratio=5, top_shares=[0.1], few_positives=3,
    segments=Segments(tenure_days=[30], history_days=[14]),
)  # fmt: skip


def score(rows: DataFrame, noise: float) -> tuple[DataFrame, SearchReport]:
    """A model that knows the label up to noise; some noise cannot be learned, or is an error."""
    if noise < 0:
        raise SkipError("there is nothing to learn")
    if noise > 100:
        raise RuntimeError("this much noise is an error")
    best = {"settings": {"noise": noise}, "score": 0.0, "fold_scores": []}
    found = report(SearchReport, {"features": ["a", "b"], "best": best, "points": [best]})
    return rows.withColumn("score", F.col("label") + noise * F.col("random")).drop("random"), found


PIPELINE = skippable(
    Pipeline([Node(score, ["rows", "params:noise"], ["l.logistic_regression.scores", "l.logistic_regression.report"])])
)


def make_variant(algorithm: str, data: Mapping[str, Any], changes: Mapping[str, Any]) -> Variant:
    return Variant(PIPELINE, [f"l.{algorithm}.scores", f"l.{algorithm}.report"], data, changes)


def experiments(only: list[str] | None = None, **noise: Any) -> Experiments:
    variants = {"default": {"asks": "nothing"}} | {
        name: {"asks": name, "parameters": {"noise": value}} for name, value in noise.items()
    }
    block = {"algorithm": "logistic_regression", "baseline": "default", "only": only, "variants": variants}
    return Experiments.model_validate(block)


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    random = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "user_id": [f"u{user:03}" for user in range(200) for _ in range(2)],
            "bin_end": [1, 2] * 200,
            "label": random.binomial(1, 0.2, 400),
            "random": random.normal(size=400),
        }
    )
    return spark.createDataFrame(table).persist()


Run = Callable[..., tuple[list[Scores], list[ExperimentResults]]]


@pytest.fixture
def run(rows: DataFrame) -> Run:
    def of(
        asked: Experiments, earlier: ExperimentResults | None = None, version: str = "1", noise: float = 1.0
    ) -> tuple[list[Scores], list[ExperimentResults]]:
        so_far = report(RunSoFar, {"versions_read": {"rows": version, "elsewhere": "9"}})
        data = {"rows": rows, "params:noise": noise}
        made = list(run_experiments(asked, earlier, so_far, make_variant=make_variant, **data))
        scores, results = zip(*made, strict=True)
        return list(scores), list(results)

    return of


def names(scores: list[Scores]) -> list[str]:
    return [name for each in scores for name in each]


def test_every_variant_runs_and_is_there_as_soon_as_it_is_done(run: Run) -> None:
    scores, results = run(experiments(loud=3.0, quiet=0.5))
    assert names(scores) == ["default", "loud", "quiet"]
    assert [list(each.root) for each in results] == [
        [], ["default"], ["default", "loud"], ["default", "loud", "quiet"],
    ]  # fmt: skip
    quiet = results[-1].root["quiet"]
    assert (quiet.settings, quiet.features, quiet.error) == ("noise 0.5", 2, None)
    assert 0 < quiet.seconds < 60
    assert quiet.peak_memory_bytes > 2**20


def test_a_variant_that_fails_does_not_stop_the_others(run: Run) -> None:
    scores, results = run(experiments(broken=101.0, nothing=-1.0, quiet=0.5))
    assert names(scores) == ["default", "quiet"]
    found = results[-1].root
    assert found["broken"].error == "this much noise is an error"
    assert found["nothing"].error == "there is nothing to learn"
    assert found["quiet"].error is None


def test_a_later_run_continues_where_one_has_stopped(run: Run) -> None:
    asked = experiments(broken=101.0, loud=3.0, quiet=0.5)
    _, (_, _, stopped, *_) = run(asked)
    assert list(stopped.root) == ["default", "broken"]
    scores, results = run(asked, stopped)
    # What has failed is tried again.
    assert names(scores) == ["loud", "quiet"]
    assert results[-1].root["default"] == stopped.root["default"]
    assert names(run(asked, results[-1])[0]) == []


@pytest.mark.parametrize(("change", "again"), [({"version": "2"}, ["default", "loud"]), ({"noise": 2.0}, ["default"])])
def test_what_would_differ_today_runs_again(run: Run, change: dict[str, Any], again: list[str]) -> None:
    """Other rows concern every variant, another default only those that do not change it themselves."""
    asked = experiments(loud=3.0)
    assert names(run(asked, run(asked)[1][-1], **change)[0]) == again


def test_only_the_selected_variants_run_beside_what_they_are_compared_with(run: Run) -> None:
    asked = experiments(loud=3.0, quiet=0.5)
    everything = run(asked)[1][-1]
    assert names(run(experiments(["quiet"], loud=3.0, quiet=0.5))[0]) == ["default", "quiet"]
    # What is known stays, what is no longer configured goes.
    kept = run(experiments(["quiet"], loud=3.0, quiet=0.7), everything)[1][-1]
    assert kept.root["loud"] == everything.root["loud"]
    assert kept.root["quiet"] != everything.root["quiet"]
    assert set(run(experiments(quiet=0.5), everything)[1][-1].root) == {"default", "quiet"}


def test_wrong_parameters_stop_before_anything_runs(run: Run) -> None:
    asked = Experiments.model_validate(
        experiments().model_dump()
        | {"variants": {"default": {"asks": "x"}, "wrong": {"asks": "x", "parameters": {"niose": 1}}}}
    )
    with pytest.raises(ValueError, match=r"variants\.wrong\.parameters: niose is not a known parameter: did you mean"):
        run(asked)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"baseline": "defalt"}, "there is no variant 'defalt': did you mean 'default'"),
        ({"only": ["smot"]}, "there is no variant 'smot'"),
        ({"algorithm": "tree"}, "algorithm 'tree' is not known"),
        ({"variants": {"default": {"asks": "x", "against": "y"}}}, "there is no variant 'y'"),
        ({"variants": {"default": {"asks": "x", "algorithm": "y"}}}, "is not an algorithm"),
    ],
)
def test_unknown_names_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelInstantiationError, match=message):
        Experiments.model_validate(experiments().model_dump() | change)


@pytest.fixture
def table(run: Run) -> pd.DataFrame:
    asked = experiments(loud=3.0, quiet=0.2, same=1.0, nothing=-1.0)
    scores, results = run(asked)
    loads = {name: (lambda each=each: each) for scored in scores for name, each in scored.items()}
    return compare_experiments(asked, EVALUATION, results[-1], loads)


def test_differences_agree_with_scikit_learn(rows: DataFrame, table: pd.DataFrame) -> None:
    known = rows.toPandas()
    expected = {
        noise: average_precision_score(known["label"], known["label"] + noise * known["random"])
        for noise in (1.0, 3.0, 0.2)
    }
    by_name = table.set_index("variant")
    assert by_name["average_precision"]["loud"] == pytest.approx(expected[3.0])
    assert by_name["difference"]["loud"] == pytest.approx(expected[3.0] - expected[1.0])
    assert by_name["difference"]["quiet"] == pytest.approx(expected[0.2] - expected[1.0])
    assert by_name["rows"]["quiet"] == 400
    assert by_name["positives"]["quiet"] == known["label"].sum()
    # Random scores reach about the prevalence.
    assert by_name["average_precision_by_chance"]["loud"] == pytest.approx(known["label"].mean(), abs=0.03)


def test_verdicts_follow_from_the_interval(table: pd.DataFrame) -> None:
    by_name = table.set_index("variant")
    assert list(table["variant"]) == ["default", "loud", "quiet", "same", "nothing"]
    assert by_name["verdict"].dropna().to_dict() == {
        "loud": "worse", "quiet": "better", "same": "no difference shown",
    }  # fmt: skip
    assert (by_name["difference_low"]["quiet"], by_name["difference_high"]["loud"]) > (0, 0)
    assert by_name["difference_high"]["loud"] < 0
    assert by_name["error"].dropna().to_dict() == {"nothing": "there is nothing to learn"}


def test_variants_are_judged_on_the_rows_of_the_one_they_are_compared_with(run: Run) -> None:
    asked = experiments(more=0.5, fewer=0.5, landmark=0.5)
    scores, results = run(asked)
    found = {name: each for scored in scores for name, each in scored.items()}
    more = pd.concat([found["more"], found["more"].assign(bin_end=3, label=1, score=-9.0)])
    first = found["landmark"]["bin_end"] == 1
    loads = {
        "default": found["default"], "more": more, "fewer": found["fewer"].iloc[7:],
        "landmark": found["landmark"][first],
    }  # fmt: skip
    by_name = compare_experiments(
        asked, EVALUATION, results[-1], {name: (lambda each=each: each) for name, each in loads.items()}
    ).set_index("variant")
    assert by_name["rows"]["more"] == 400
    assert by_name["average_precision"]["more"] == pytest.approx(
        average_precision_score(found["more"]["label"], found["more"]["score"])
    )
    assert by_name["rows"]["landmark"] == 200
    at_first = found["default"][found["default"]["bin_end"] == 1]
    assert by_name["difference"]["landmark"] == pytest.approx(
        average_precision_score(loads["landmark"]["label"], loads["landmark"]["score"])
        - average_precision_score(at_first["label"], at_first["score"])
    )
    assert by_name["error"]["fewer"] == "7 of the 400 rows of default have no score"


def test_the_figure_has_a_dot_per_difference(table: pd.DataFrame) -> None:
    figure = draw_experiments(table)
    dots = {name: x for trace in figure.data for name, x in zip(trace.y, trace.x, strict=True)}
    by_name = table.set_index("variant")["difference"]
    assert dots == {name: by_name[name] for name in ("loud", "quiet", "same")}
    quiet = next(trace for trace in figure.data if trace.name == "better")
    row = table.set_index("variant").loc["quiet"]
    assert quiet.x[0] - quiet.error_x.arrayminus[0] == pytest.approx(row["difference_low"])
    assert quiet.x[0] + quiet.error_x.array[0] == pytest.approx(row["difference_high"])
    assert draw_experiments(table.iloc[:1]).data == ()
