"""The model card agrees with the champion's metadata."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from partial_reports import report
from sparkify_kedro.churn.reports import ChampionMetadata, Comparison, LogSpan
from sparkify_kedro.framework.runs.summary import RunSoFar
from sparkify_kedro.pipelines.modeling.model_card import write_model_card

LABEL = "will_churn_in_next_bin"
JUDGED = {
    "rows": 115, "positives": 6, "prevalence": 6 / 115, "average_precision": 0.184,
    "average_precision_interval": [0.05, 0.35], "auc_pr": 0.177, "auc_roc": 0.809,
    "auc_roc_interval": [0.58, 0.97], "warning": "only 6 positives: look at the interval",
    "chance": {
        "average_precision_mean": 0.071, "average_precision_95th": 0.203, "auc_pr_mean": 0.069, "auc_roc_mean": 0.5,
        "auc_roc_95th": 0.69,
    },
}  # fmt: skip
CARD: dict[str, Any] = {
    "label": LABEL, "algorithm": "logistic_regression", "model": "PipelineModel_1", "settings": {"regParam": 0.1},
    "feature_set": "extended", "features": ["songs", "adverts"], "user_types": None,
    "feature_engineering": {
        "time_bin_days": 14, "stride_days": None, "anchor": "as_of",
        "labels": {
            LABEL: {"event": "cancellation", "in_window": False, "horizon_days": 14},
            "will_churn_soon": {"event": "cancellation", "in_window": True, "horizon_days": 14},
            "will_upgrade": {"event": "upgrade", "in_window": False, "horizon_days": 14},
        },
    },
    "cost_ratio": 5.0, "threshold": 0.143,
}  # fmt: skip
COMPARISON: dict[str, Any] = {
    "champion": "logistic_regression",
    "verdict": "logistic_regression is indistinguishable from random_forest",
    "indistinguishable": ["logistic_regression", "random_forest"],
    "algorithms": {
        "logistic_regression": {
            "train": {"rows": 173, "positives": 24},
            "out_of_fold": JUDGED | {"rows": 350, "positives": 24},
            "test": JUDGED,
            "top": [{"share": 0.01, "rows": 2, "precision": 0.5, "recall": 0.17, "lift": 9.6}],
            "calibration_error": 0.051, "calibration_error_by_chance": 0.059, "brier": 0.047,
            "sigmoid": {"slope": 0.9, "intercept": -0.1},
            "confusion": {"cost": 27.0, "cost_of_nobody": 30.0, "cost_of_everybody": 109.0},
        }
    },
    "baselines": {"best_single_feature": {"feature": "songs", "test": JUDGED | {"average_precision": 0.039}}},
}  # fmt: skip
LOG = {"events": 900, "users": 12, "first_ts": 1_538_352_000_000, "last_ts": 1_543_622_399_000}
PARAMETERS = {
    "ingestion": {"earliest": "2005-01-01"}, "feature_engineering": {"time_bin_days": 14},
    "sampling": {"split": {"seed": 1, "hold_out": {"unit": "user"}}}, "modeling": {"training": {"seed": 1}},
    "simulation": {"users": 3},
}  # fmt: skip
RUN: dict[str, Any] = {
    "run_id": "2026-01-02T00.00.00.000Z", "files_read": {"raw_events": "data/01_raw/log"}, "earlier": [],
    "parameters": PARAMETERS, "git": {"commit": "0123", "dirty": False}, "python": "3.11",
    "packages": {"pyspark": "4.3"},
}  # fmt: skip


def card(metadata: dict[str, Any] = CARD, run: dict[str, Any] = RUN, comparison: dict[str, Any] = COMPARISON) -> str:
    return write_model_card(
        report(ChampionMetadata, metadata),
        report(Comparison, comparison),
        report(LogSpan, LOG),
        report(RunSoFar, run),
    )


def test_the_card_describes_purpose_data_evaluation_and_limits() -> None:
    content = card()
    headings = [line.removeprefix("## ") for line in content.splitlines() if line.startswith("## ")]
    assert headings == ["Purpose", "Data", "Features", "Evaluation", "Limits", "Version and parameters"]
    for words in (
        "# will_churn_in_next_bin: logistic regression",
        "cancels within the horizon after the as-of date",
        "One row per user and landmark, every 14 days, with a window of 14 days before it. Trained on",
        "Log: data/01_raw/log",
        "2018-10-01 to 2018-11-30 (UTC), 12 users, 900 events",
        "Trained on 173 rows (24 positive)",
        "Held out: 115 rows (6 positive) of users who are not in the training rows",
        "songs, adverts",
        "| held-out users | 0.184 (0.05 to 0.35) | 0.071, 95 % below 0.203 | 0.052 | 0.177 "
        "| 0.809 (0.58 to 0.97) | 0.500, 95",
        "* On the held-out rows: not distinguishable from chance: on these rows one in twenty random scores reaches "
        "average precision 0.203",
        "| baseline: best single feature (songs) | 0.039",
        "| top 1 % | 2 | 0.50 | 0.17 | 9.6 |",
        "Calibration error 0.051 (0.059 is expected of perfect probabilities",
        "contacting users from a probability of 0.143 costs least out of fold. On the held-out rows that costs 27; "
        "contacting nobody costs 30, everybody 109.",
        "only 6 positives: look at the interval",
        "Indistinguishable on these rows: logistic regression, random forest",
        "`2026-01-02T00.00.00.000Z`",
        "commit `0123`;",
        "regParam 0.1",
    ):
        assert words in content


def test_a_model_without_signal_is_called_so() -> None:
    champion = COMPARISON["algorithms"]["logistic_regression"] | {"sigmoid": {"slope": 0.0, "intercept": -2.9}}
    sentence = "No signal out of fold: every user gets the prevalence as probability."
    assert sentence in card(comparison=COMPARISON | {"algorithms": {"logistic_regression": champion}})
    assert sentence not in card()


def test_the_parameters_on_the_card_are_those_the_model_was_made_with() -> None:
    block = card().split("```yaml\n")[1].split("```")[0]
    assert yaml.safe_load(block) == {name: value for name, value in PARAMETERS.items() if name != "simulation"}


@pytest.mark.parametrize("unit", ["user", "row"])
def test_a_row_split_is_mentioned(unit: str) -> None:
    parameters = PARAMETERS | {"sampling": {"split": {"hold_out": {"unit": unit}}}}
    content = card(run=RUN | {"parameters": parameters})
    assert ("other rows of the same users are in the training rows" in content) is (unit == "row")


def test_the_card_of_a_same_bin_label_refers_to_the_forecast() -> None:
    assert "use `will_churn_in_next_bin`" in card(CARD | {"label": "will_churn_soon"})
    assert "use `will_churn_in_next_bin`" not in card()


def test_the_card_of_a_change_of_the_level_does_not_speak_of_churn() -> None:
    content = card(CARD | {"label": "will_upgrade"})
    assert "The probability that a user who does not pay upgrades within the horizon" in content
    assert "a missed positive costs" in content
    assert "share of positives reached" in content
    assert "churner" not in content


def test_the_card_of_a_partial_run_names_the_log_of_the_earlier_run() -> None:
    run = RUN | {"files_read": {}, "git": None, "earlier": [{"files_read": {"raw_events": "the/log"}}]}
    content = card(run=run)
    assert "Log: the/log" in content
    assert "outside a git repository" in content
    assert "unknown (the run that read it" in card(run=run | {"earlier": []})
