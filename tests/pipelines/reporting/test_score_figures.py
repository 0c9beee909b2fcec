"""Figures of the models, from scores with known figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import auc

from partial_reports import report
from sparkify_kedro.churn.reports import Comparison, SearchReport
from sparkify_kedro.framework.skipping import Skipped
from sparkify_kedro.learning.evaluation import probability_report, ranking_report
from sparkify_kedro.learning.parameters import Evaluation
from sparkify_kedro.pipelines.reporting.curve_figures import curve_bands, draw_curves
from sparkify_kedro.pipelines.reporting.feature_figures import draw_features, feature_directions
from sparkify_kedro.pipelines.reporting.parameters import Reporting
from sparkify_kedro.pipelines.reporting.score_figures import (
    draw_all_models,
    draw_calibration,
    draw_search,
    draw_segments,
)

LABEL = "will_churn_soon"
EVALUATION = Evaluation.model_validate(
    {
        "seed": 5, "max_rows": 10_000, "replicates": 100, "cost_ratio": 5, "top_shares": [0.05, 0.1],
        "few_positives": 30, "segments": {"tenure_days": [30], "history_days": [14]},
    }
)  # fmt: skip
REPORTING = Reporting.model_validate(
    {
        "pages": 3, "songs": 2, "tenure_bins": 3, "features": 2, "users_at_risk": 2,
        "published": {"original": {LABEL: {"simple": 0.9}}, "rerun": {}},
    }
)  # fmt: skip


def scored(users: int = 200, seed: int = 1, skill: float = 2.0) -> pd.DataFrame:
    """Two rows a user, a fifth of them positive, ranked with some skill."""
    random = np.random.default_rng(seed)
    label = (random.random(2 * users) < 0.2).astype(int)
    margin = random.normal(size=2 * users) + skill * label - 2
    return pd.DataFrame(
        {
            "user_id": [f"u{number // 2:04}" for number in range(2 * users)],
            "bin_end": np.arange(2 * users) % 2,
            "label": label,
            "score": 1 / (1 + np.exp(-margin)),
        }
    )


def ranking(rows: pd.DataFrame) -> dict[str, Any]:
    return ranking_report(rows, EVALUATION).model_dump(mode="json")


def entry(rows: pd.DataFrame) -> dict[str, Any]:
    """An algorithm's scores as a comparison has them."""
    return {"test": ranking(rows), **probability_report(rows, 0.2, EVALUATION).model_dump(mode="json")}


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {"simple": scored(), "complex": scored(skill=0.5)}


@pytest.fixture(scope="module")
def comparison(tables: dict[str, pd.DataFrame]) -> Comparison:
    algorithms = {name: entry(rows) | {"original_protocol": ranking(rows)} for name, rows in tables.items()}
    halves = {"free": tables["simple"].iloc[:200], "paid": tables["simple"].iloc[200:]}
    no_churners = tables["simple"].query("label == 0").head(5)
    algorithms["simple"]["segments"] = {
        "level": {name: ranking(rows) for name, rows in halves.items()},
        "device": {"<other>": ranking(no_churners)},
    }
    baseline = {"feature": None, **entry(tables["simple"].assign(score=0.2))}
    baselines = {"prevalence": baseline, "best_single_feature": baseline}
    return report(Comparison, {"champion": "simple", "algorithms": algorithms, "baselines": baselines})


@pytest.fixture(scope="module")
def predictions(spark: SparkSession, tables: dict[str, pd.DataFrame]) -> dict[str, DataFrame]:
    return {name: spark.createDataFrame(rows).coalesce(1).cache() for name, rows in tables.items()}


def test_curves_enclose_the_areas_that_were_measured(comparison: Comparison, predictions: dict[str, DataFrame]) -> None:
    figures = draw_curves(comparison, EVALUATION, LABEL, **predictions)
    scores = comparison.algorithms["simple"].test
    for figure, area in zip(figures, ("auc_pr", "auc_roc"), strict=False):
        curves = {trace.name: trace for trace in figure.data}
        assert set(curves) == {"95 % band", "simple", "complex", "chance"}
        # Thinned to 300 points of 400, and rounded.
        assert auc(curves["simple"].x, curves["simple"].y) == pytest.approx(getattr(scores, area), abs=0.01)
        assert figure.layout.meta["how_to_read"]
    by_chance = scores.chance.average_precision_mean
    assert f"average precision {scores.average_precision:.2f} (chance {by_chance:.2f})" in figures[0].layout.title.text
    assert f"AUC-ROC {scores.auc_roc:.2f}" in figures[1].layout.title.text
    chance = next(trace for trace in figures[0].data if trace.name == "chance")
    assert list(chance.y) == [scores.prevalence] * 2
    lift = next(trace for trace in figures[3].data if trace.name == "simple")
    assert lift.y[-1] == pytest.approx(1)
    top = comparison.algorithms["simple"].top[-1]
    assert np.interp(0.1, lift.x, lift.y) == pytest.approx(top.lift, rel=0.1)
    reached = comparison.algorithms["simple"].top[-1].recall
    assert f"the 10% at the top include {reached:.0%} of the churners" in figures[2].layout.title.text


def test_the_band_contains_the_curve_and_narrows_with_users() -> None:
    few, many = (curve_bands(scored(users), EVALUATION)["roc"] for users in (50, 1_500))
    widths = [np.mean(high - low) for low, high in (few, many)]
    assert widths[1] < widths[0] / 3
    low, high = many
    # Of an honest curve of this skill, half of the churners lie above a false positive rate of .02.
    assert low[50] < 0.98 < high[50] + 0.05
    assert np.all(low <= high)


def test_without_positives_there_is_no_curve(
    comparison: Comparison, predictions: dict[str, DataFrame], tables: dict[str, pd.DataFrame]
) -> None:
    stayers = tables["simple"].query("label == 0")
    unknown = entry(stayers) | {"original_protocol": ranking(stayers)}
    algorithms = dict.fromkeys(("simple", "complex"), unknown)
    nothing = report(Comparison, {"champion": "simple", "algorithms": algorithms})
    stayers_only = {name: rows.where("label = 0") for name, rows in predictions.items()}
    figures = draw_curves(nothing, EVALUATION, LABEL, **stayers_only)
    for figure in (
        *figures, draw_calibration(nothing, LABEL), draw_segments(nothing, LABEL),
        draw_all_models(REPORTING, **{LABEL: nothing}),
    ):  # fmt: skip
        figure.to_json()
    assert [trace.name for trace in figures[1].data] == ["chance"]
    assert "average precision unknown" in figures[0].layout.title.text


def test_calibration_shows_predicted_and_observed_rates(comparison: Comparison) -> None:
    figure = draw_calibration(comparison, LABEL)
    champion = next(trace for trace in figure.data if trace.name == "simple (champion)")
    tenths = comparison.algorithms["simple"].calibration
    assert list(champion.x) == [tenth.mean_score for tenth in tenths][::-1]
    assert list(champion.y) == [tenth.share_of_positives for tenth in tenths][::-1]
    assert f"{comparison.algorithms['simple'].calibration_error:.3f}" in figure.layout.title.text


def test_the_search_shows_every_point_and_fold() -> None:
    search = {
        "points": [
            {"settings": {"maxDepth": 2}, "score": 0.3, "fold_scores": [0.2, 0.4]},
            {"settings": {"maxDepth": 4}, "score": 0.2, "fold_scores": [0.1, 0.3]},
        ],
    }
    folds, means = draw_search(LABEL, random_forest=report(SearchReport, search)).data
    assert sorted(zip(folds.y, folds.x, strict=True)) == [
        ("RF maxDepth 2", 0.2), ("RF maxDepth 2", 0.4), ("RF maxDepth 4", 0.1), ("RF maxDepth 4", 0.3),
    ]  # fmt: skip
    assert dict(zip(means.y, means.x, strict=True)) == {"RF maxDepth 2": 0.3, "RF maxDepth 4": 0.2}


# What the models listen to: the score rises with adverts and falls with songs, and never saw the constant.


@pytest.fixture(scope="module")
def with_features(spark: SparkSession, tables: dict[str, pd.DataFrame]) -> DataFrame:
    rows = tables["simple"]
    return spark.createDataFrame(rows.assign(adverts=3 * rows["score"], songs=-rows["score"], constant=1.0)).coalesce(1)


def test_directions_are_those_of_the_score(with_features: DataFrame) -> None:
    directions = feature_directions(with_features, ["adverts", "songs", "constant"])
    assert directions.loc["adverts", "correlation"] == pytest.approx(1)
    assert directions.loc["songs", "correlation"] == pytest.approx(-1)
    assert np.isnan(directions.loc["constant", "correlation"])
    assert directions.loc["adverts", "spread"] == pytest.approx(3 * directions.loc["songs", "spread"])


def test_features_are_drawn_by_strength_and_direction(comparison: Comparison, with_features: DataFrame) -> None:
    linear = report(SearchReport, {"coefficients": {"adverts": 0.5, "songs": -1.0, "constant": 9.0}})
    trees = report(SearchReport, {"importances": {"adverts": 0.1, "songs": 0.7, "constant": 0.2}})
    datasets = {
        "simple_search_report": linear, "simple_predictions": with_features,
        "complex_search_report": trees, "complex_predictions": with_features,
    }  # fmt: skip
    figure = draw_features(comparison, REPORTING, LABEL, **datasets)
    drawn = {(trace.xaxis, trace.name): list(trace.y) for trace in figure.data}
    assert drawn == {
        # A coefficient counts with the spread of its feature: that of a constant is nothing.
        ("x", "raises the risk"): ["adverts"],
        ("x", "lowers the risk"): ["songs"],
        ("x2", "lowers the risk"): ["songs"],
        ("x2", "no effect on average"): ["constant"],
    }
    strength = {trace.y[0]: trace.x[0] for trace in figure.data if trace.xaxis == "x"}
    assert strength["adverts"] == pytest.approx(1.5 * strength["songs"])


def test_segments_without_both_classes_are_named_without_a_point(comparison: Comparison) -> None:
    figure = draw_segments(comparison, LABEL)
    (dots,) = figure.data
    free = comparison.algorithms["simple"].segments["level"]["free"]
    assert dots.x[list(dots.y).index(f"level: free ({free.positives} of 200)")] == free.auc_roc
    assert "device: <other> (0 of 5)" not in dots.y
    assert "device: &lt;other&gt; (0 of 5)" in figure.layout.yaxis.categoryarray


def test_all_models_stand_beside_the_originals_protocol(comparison: Comparison) -> None:
    figure = draw_all_models(REPORTING, **{LABEL: comparison}, skipped=Skipped("no rows"))
    drawn = {trace.name: dict(zip(trace.y, trace.x, strict=True)) for trace in figure.data}
    assert drawn["held-out users"] == {
        name.replace("_", " "): scores.test.auc_pr
        for name, scores in {**comparison.algorithms, **dict(comparison.baselines)}.items()
    }
    assert set(drawn["the same models by the original's protocol"]) == {"simple", "complex"}
    assert drawn["published by the original"] == {"simple": 0.9}
    (trace,) = [trace for trace in figure.data if trace.name == "held-out users"]
    low, high = comparison.algorithms["simple"].test.auc_pr_interval
    assert trace.x[0] + trace.error_x.array[0] == pytest.approx(high)
    assert trace.x[0] - trace.error_x.arrayminus[0] == pytest.approx(low)
    assert [line.x0 for line in figure.layout.shapes] == [comparison.algorithms["simple"].test.chance.auc_pr_mean]


def test_without_any_label_the_figure_says_so() -> None:
    figure = draw_all_models(REPORTING, **{LABEL: Skipped("no rows")})
    assert figure.layout.title.text == "No model was trained"
    assert len(figure.data) == 0
