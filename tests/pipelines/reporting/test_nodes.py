"""The report: content, order, and escaping of values from the log."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from partial_reports import report
from sparkify_kedro.churn.figure_style import finish, plain
from sparkify_kedro.churn.reports import (
    AlgorithmScores,
    ChampionMetadata,
    Comparison,
    DecisionReport,
    DriftReport,
    HorizonReport,
    IngestionReport,
    MonitoringReport,
    SurvivalReport,
)
from sparkify_kedro.framework.runs.summary import RunSoFar, RunSummary
from sparkify_kedro.framework.skipping import Skipped
from sparkify_kedro.pipelines.reporting.nodes import render_label_section, render_log_section, render_report
from sparkify_kedro.pipelines.reporting.page import first_users, in_one_sentence, stages
from sparkify_kedro.pipelines.reporting.parameters import Reporting

EVIL = "<script>alert('x')</script>"
LABELS = ("churned_in_time_bin", "will_churn_soon")
# Learned in this run and in no run.
ON_REQUEST = ("will_upgrade", "will_downgrade")
REPORTING = Reporting.model_validate(
    {
        "pages": 3, "songs": 2, "tenure_bins": 3, "features": 2, "users_at_risk": 2,
        "published": {"original": {"will_churn_soon": {"random_forest": 0.402}}, "rerun": {}},
    }
)  # fmt: skip
LOG = {
    "lines_read": 1_010, "events": 1_000, "logged_out": 6, "duplicates": 1, "rejected": {f"why {EVIL}": 3}, "users": 12,
    "warnings": {"page is unknown": 5}, "unknown_values": {"page": {f"Page {EVIL}": 5}},
    "unknown_columns": {f"column {EVIL}": 4321},
    "users_whose_registration_changes": 2, "users_registered_after_the_log": 0,
    "first_ts": 1_538_352_000_000, "last_ts": 1_543_622_399_000,
}  # fmt: skip
SONGS = [{"song": EVIL, "artist": "A & B", "plays": 7}]


def scores(
    positives: int = 40, by_chance: tuple[float, float] = (0.2, 0.6), warning: str | None = None
) -> dict[str, Any]:
    chance = {
        "average_precision_mean": 0.1, "average_precision_95th": by_chance[0], "auc_pr_mean": 0.1, "auc_roc_mean": 0.5,
        "auc_roc_95th": by_chance[1],
    }  # fmt: skip
    judged = {
        "rows": 400, "positives": positives, "prevalence": positives / 400, "average_precision": 0.3,
        "average_precision_interval": [0.2, 0.4], "auc_roc": 0.7, "auc_roc_interval": [0.6, 0.8], "chance": chance,
        "warning": warning,
    }  # fmt: skip
    top = {"share": 0.1, "rows": 40, "precision": 0.25, "recall": 0.25, "lift": 2.5}
    return {
        "test": judged, "top": [top], "brier": 0.08, "calibration_error": 0.012,
        "confusion": {"cost": 100.0, "cost_of_nobody": 200.0, "cost_of_everybody": 360.0},
    }  # fmt: skip


def comparison(**of_champion: Any) -> Comparison:
    champion = scores(**of_champion) | {
        "original_protocol": scores()["test"],
        "sigmoid": {"slope": 1.0, "intercept": 0.0},
        "out_of_fold": scores()["test"],
    }
    fields = {
        "champion": "random_forest",
        "verdict": "random_forest has the best score",
        "algorithms": {"random_forest": champion},
        "baselines": {"prevalence": scores(), "best_single_feature": scores()},
    }
    return report(Comparison, fields)


def metadata(label: str) -> ChampionMetadata:
    fields = {
        "label": label, "model": f"model of {label}", "features": ["a", "b"], "feature_set": "extended",
        "user_types": None, "settings": {"maxDepth": 4}, "cost_ratio": 5.0, "threshold": 0.2,
    }  # fmt: skip
    return report(ChampionMetadata, fields)


def figure(title: str = "A figure", label: str = "x") -> go.Figure:
    return finish(go.Figure(go.Bar(x=[1], y=[plain(label)], orientation="h")), title, f"How to read {title}.")


def summary(run_id: str, stage: str, nodes: int, seconds: float, **more: Any) -> dict[str, Any]:
    return {"run_id": run_id, "stages": {stage: {"nodes": nodes, "seconds": seconds}}, "files_read": {}} | more


RUN = summary(
    "2026-01-02T00.00.00.000Z", "reporting", 2, 3.5,
    parameters={"seed": 7}, versions_read={"events": "2026-01-01T00.00.00.000Z"}, versions_written={"report": "v"},
    git={"commit": "0123456789abcdef", "dirty": True}, python="3.11", packages={"pyspark": "4.3"},
    earlier=[
        report(
            RunSummary,
            summary("2026-01-01T00.00.00.000Z", "ingestion", 1, 9.0, files_read={"raw_events": "data/my log.json"}),
        )
    ],
)  # fmt: skip
DRIFT = {
    "label": "will_churn_soon", "model": "model of will_churn_soon", "as_of": "2018-11-15", "warn_above": 0.25,
    "users": {"in_log": 12, "gone": 2, "scored": 9, "inactive": 1},
    "warnings": [f"device has values that do not occur in training: {EVIL}"],
}  # fmt: skip
FIRST = {"users": 3, "expected": 0.61, "interval": [0.0, 2.0], "recall": 0.55, "saves": 0.1, "value": 1234.5}
DECISION = {
    "label": "will_churn_soon", "model": "model of will_churn_soon", "as_of": "2018-11-15", "horizon_days": 14,
    "users": 9, "chosen": FIRST, "rule": f"as many as {EVIL} says",
    "worth_contacting": 7, "hold_out_share": 0.1, "save_rate": 0.2,
    "value_of_a_customer": 100.0, "cost_per_contact": 1.0, "curve": [FIRST],
    "held_out": [{"share": 0.3, "rows": 9, "events": 2, "recall": 0.5}],
}  # fmt: skip
COUNTS = {"users": 60, "expected": 11.0, "observed": 25, "ratio": 2.3, "interval": (1.3, 3.7)}
SEGMENT = {"users": 60, "observed": 25, "auc_roc": 0.81, "judged": COUNTS}
FEW = {"users": 7, "observed": 3, "judged": None, "auc_roc": None}
MONITORING = {
    "judged": [
        {
            "run": "r2", "as_of": "2018-11-01", "horizon_end": "2018-11-15", "users": 1_234, "confidence": 0.99,
            "all_users": {"users": 1_234, "expected": 40.4, "observed": 77, "ratio": 1.9, "interval": (1.4, 2.6)},
            "kept_between": (30, 52), "verdict": "recalibrate", "reasons": [f"too many {EVIL}"], "drift_warnings": [],
            "segments": {"region": {"CA": SEGMENT, EVIL: FEW, "NY": FEW}, "gender": {"male": FEW}},
        }
    ],
    "waiting": [{"run": "r3", "as_of": "2018-11-20", "users": 9, "reason": f"no {EVIL} yet"}],
}  # fmt: skip
KINDS = ("everyone", "cohort", "level", "device")
CURVE = {
    "users": 1_200,
    "cancellations": 34,
    "points": [],
    "restricted_mean": {"from_day": 5, "to_day": 65, "days": 51.26, "interval": (49.0, 53.54)},
}
SURVIVAL = {
    "users": 1_300, "cancellations": 40, "curves": {"everyone": {"everyone": CURVE}, "device": {f"on {EVIL}": CURVE}},
    "differences": {
        "level": {"p_value": 0.0123, "groups": ["free", "paid"]}, "device": {"reason": "fewer than two groups"},
    },
}  # fmt: skip
PROMISED = {"average_precision": 0.21, "auc_roc": 0.72, "positives": 31, "rows": 2_345}
HORIZONS = {
    "as_of": "2018-11-15",
    "horizons": [{"horizon_days": 7, "users": 1_111, "expected": 9.87, "raised": 6, "promised": PROMISED}],
}
AT_RISK = pd.DataFrame(
    {
        "rank": [1, 2, 3], "user_id": [EVIL, "2", "3"], "decile": [1, 2, 3],
        "probability": [0.31, 0.2, 0.1],
        "reason_1": ["adverts: 9 (raises the risk)", "b", "c"], "reason_2": [None, f"on {EVIL}", "d"],
    }
)  # fmt: skip

EXPLORATION = ("sessions", "retention", "transitions", "week", "level_flows")
EXPERIMENTS = pd.DataFrame(
    {
        "variant": ["default", "all_features", "broken"], "asks": ["nothing", EVIL, "too much"],
        "algorithm": "random_forest", "against": [None, "default", None], "features": [9, 98, 0],
        "average_precision": [0.123, 0.234, None], "average_precision_low": [0.1, 0.2, None],
        "average_precision_high": [0.2, 0.3, None], "average_precision_by_chance_95th": [0.08, 0.08, None],
        "auc_roc": [0.6, 0.7, None], "auc_roc_low": [0.5, 0.6, None], "auc_roc_high": [0.7, 0.8, None],
        "difference": [0.0, 0.111, None], "difference_low": [0.0, 0.011, None], "difference_high": [0.0, 0.222, None],
        "verdict": [None, "better", None], "seconds": [20.4, 9.6, 1.0], "peak_memory_mib": [1500, 1501, 1502],
        "error": [None, None, f"no {EVIL}"],
    }
)  # fmt: skip

MULTICLASS = pd.DataFrame(
    {"label": ["will_churn_soon"], "algorithm": "random_forest", "rows": 90, "positives": 12, "difference": 0.0125}
    | dict(zip(("binary_average_precision", "multiclass_average_precision"), (0.2, 0.2125), strict=True))
    | dict.fromkeys(("difference_low", "binary_brier", "binary_calibration_error"), -0.01)
    | dict.fromkeys(("difference_high", "multiclass_brier", "multiclass_calibration_error"), 0.03)
)


def page(skipped: tuple[str, ...] = (), labels: tuple[str, ...] = LABELS, **changes: Any) -> str:
    of_labels: dict[str, Any] = {}
    for label in (*labels, "will_upgrade"):
        section = render_label_section(comparison(), metadata(label), figure(f"Of {label}", EVIL), label=label)
        values = {"comparison": comparison(), "champion_metadata": metadata(label), "report_section": section}
        of_labels |= {
            f"{label}_{name}": Skipped(f"no {EVIL} to train on") if label in skipped else value
            for name, value in values.items()
        }
    of_labels |= dict.fromkeys(
        [f"will_downgrade_{name}" for name in ("comparison", "champion_metadata", "report_section", "users")]
    )
    of_labels["will_upgrade_users"] = AT_RISK.assign(user_id=["upgrades", EVIL, "not shown"])
    given = {
        "log_section": render_log_section(report(IngestionReport, LOG), SONGS, figure("Pages", EVIL)),
        "ingestion_report": report(IngestionReport, LOG),
        "class_balance_figure": figure("Prevalence"),
        "all_models_figure": figure("All models"),
        "user_types_figure": figure("User types"),
        **{f"{name}_figure": figure(f"Exploration: {name}") for name in EXPLORATION},
        "backtest_figure": figure("Backtest: dots"),
        "experiment_figure": figure("Experiments: lines"),
        "experiment_table": EXPERIMENTS,
        "multiclass_figure": figure("Classes: dots"),
        "multiclass_table": MULTICLASS,
        "users_at_risk": AT_RISK,
        "decision_report": report(DecisionReport, DECISION),
        "decision_figure": figure("Decision: lines"),
        "monitoring_report": report(MonitoringReport, MONITORING),
        "monitoring_figure": figure("Monitoring: dots"),
        "survival_report": report(SurvivalReport, SURVIVAL),
        **{f"survival_{kind}_figure": figure(f"Survival: {kind}") for kind in KINDS},
        "horizon_report": report(HorizonReport, HORIZONS),
        "forecast_curves_figure": figure("Horizons: lines"),
        "drift_report": report(DriftReport, DRIFT),
        "drift_figure": figure("Drift: bars"),
        "run_so_far": report(RunSoFar, RUN),
        "reporting": REPORTING,
    } | changes
    return render_report(labels=(*labels, *ON_REQUEST), **given, **of_labels)


class Text(HTMLParser):
    """The words of a page outside scripts and styles, and the tags that it opens."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words, self.tags, self.silent = "", [], 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.silent += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.words += f"{data} "


@pytest.fixture(scope="module")
def whole() -> Text:
    return Text(page())


def test_sections_are_in_order(whole: Text) -> None:
    order = [
        "Who is at risk?", "How sure is that?", "What is it worth?", "Were we right last time?",
        "Users at risk",
        "How many users to contact", "Decision: lines", "Users with the highest probability: will upgrade", "upgrades",
        "What came of earlier forecasts", "Monitoring: dots", "Champions",
        "Log", "1,010 lines were read", "Pages", "Most played songs",
        *(f"Exploration: {name}" for name in EXPLORATION), "Models", "All models",
        "not comparable", "Of churned_in_time_bin", "Of will_churn_soon", "Classes: dots",
        *(f"Survival: {kind}" for kind in KINDS), "Horizons: lines", "Backtest: dots",
        "Experiments: lines", EVIL, "Drift: bars",
        "Run", "data/my log.json", "2018-10-01 to 2018-11-30", "commit", "Seconds per stage",
    ]  # fmt: skip
    places = []
    for words in order:
        assert words in whole.words, words
        places.append(whole.words.index(words, places[-1] if places else 0))
    assert places == sorted(places)


def test_values_from_a_log_are_escaped(whole: Text) -> None:
    """A song, a user, reasons, a reason of rejection, an unknown page and column, a device, runs and experiments.

    In figures, plotly is handed escaped labels.
    """
    assert whole.words.count(EVIL) == 16
    scripts = [attributes for tag, attributes in whole.tags if tag == "script"]
    plots = [tag for tag, attributes in whole.tags if attributes.get("class") == "plot"]
    # The figures' data, the library and the code that draws.
    assert len(scripts) == len(plots) + 2
    assert "alert(" not in re.sub(
        r"&lt;script&gt;alert\(&#39;x&#39;\)|\\u003cscript|&lt;script&gt;alert\('x'\)", "", page()
    )


def test_the_page_needs_no_network(whole: Text) -> None:
    for tag, attributes in whole.tags:
        assert "src" not in attributes
        assert tag != "link"
        assert attributes.get("href", "#").startswith("#")
    policy = next(
        attributes for tag, attributes in whole.tags if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy["content"].startswith("default-src 'none'")


def test_the_page_is_not_large() -> None:
    """The library that draws, once, and little else."""
    assert 4_000_000 < len(page().encode()) < 6_000_000


def test_users_at_risk_come_with_their_reasons(whole: Text) -> None:
    assert "The first 2 of 3 listed users" in whole.words
    assert "as of 2018-11-15" in whole.words
    assert "31%" in whole.words
    assert "made by an earlier champion" not in whole.words
    assert first_users(AT_RISK, 1) == [
        {
            "rank": 1,
            "user_id": EVIL,
            "probability": 0.31,
            "reasons": ["adverts: 9 (raises the risk)"],
        }
    ]


def test_a_list_scored_by_another_champion_is_marked() -> None:
    assert "made by an earlier champion" in page(drift_report=report(DriftReport, DRIFT | {"model": "an older one"}))


def test_a_skipped_label_is_shown_with_its_reason() -> None:
    """In the answer and among the models; its list of users at risk is of the champion that it had before."""
    words = Text(page(skipped=("will_churn_soon",))).words
    assert words.count(f"o {EVIL} to train on") == 2
    assert "Of churned_in_time_bin" in words
    assert "Of will_churn_soon" not in words
    assert "made by an earlier champion" not in words


def test_a_page_without_models_gives_the_reason() -> None:
    decided = ("decision_report", "decision_figure")
    none = dict.fromkeys(("users_at_risk", *decided, "drift_report", "drift_figure"), Skipped("no rows"))
    words = Text(page(skipped=LABELS, **none)).words
    assert words.count(f"o {EVIL} to train on") == 4
    assert "No users have been scored" in words
    assert "Contacts have not been weighed yet" in words


def test_a_decision_is_in_words(whole: Text) -> None:
    words = " ".join(whole.words.split())
    assert "Of the first 3 of 9 scored users" in words
    assert "0.6 are expected to cancel within 14 days of 2018-11-15 (95 % interval 0 to 2)" in words
    assert "55% of all who are expected to." in words
    assert "10% of the listed users, drawn by chance, are to be left alone" in words
    assert "20% of churners who stay because of a contact, 0.1 customers are saved, worth 1,234 after" in words
    assert "7 users are worth a contact" in words
    assert "weighed for an earlier champion" not in words


def test_a_decision_without_values_or_of_another_champion_says_so() -> None:
    chosen = FIRST | {"saves": None, "value": None}
    words = Text(page(decision_report=report(DecisionReport, DECISION | {"chosen": chosen, "model": "old"}))).words
    assert "With save_rate and value_of_a_customer in" in " ".join(words.split())
    assert "weighed for an earlier champion" in words


def answers(html: str) -> list[str]:
    """The four answers of the first screen, in words."""
    first = html[html.index('<section id="answer"') : html.index('<section id="users">')]
    return [" ".join(Text(card).words.split()) for card in first.split("<article")[1:]]


def test_the_first_screen_has_four_answers() -> None:
    who, how_sure, worth, right = answers(page(labels=("will_churn_in_next_bin",)))
    assert "9 users were scored as of 2018-11-15, and 3 are listed." in who
    assert f"First comes user {EVIL} with a probability of 31% : adverts: 9 (raises the risk)." in who
    assert "in 70% of cases (95 % interval 60% to 80%); 50 % would be chance." in how_sure
    assert "Of the first 3 users, 1 are expected to cancel within 14 days (95 % interval 0 to 2): 55% of all" in worth
    assert "worth 1,234 , if 20% of them stay" in worth
    assert "As of 2018-11-01, 40 of 1,234 users were expected to cancel; 77 did by 2018-11-15." in right
    assert "kedro run --pipelines=recalibrate" in right


def test_the_first_screen_says_what_is_not_known() -> None:
    none = dict.fromkeys(("users_at_risk", "decision_report", "decision_figure", "monitoring_report"))
    who, how_sure, worth, right = answers(page(**none))
    assert "No users have been scored." in who
    assert "There is no model of the forecast." in how_sure
    assert "Contacts have not been weighed." in worth
    assert "no earlier run has scored users" in right
    waits = report(MonitoringReport, {"judged": [], "waiting": MONITORING["waiting"]})
    *_, right = answers(page(monitoring_report=waits))
    assert f"Not known yet. The scores as of 2018-11-20 are not judged: no {EVIL} yet." in right


def test_earlier_forecasts_are_tables(whole: Text) -> None:
    words = " ".join(whole.words.split())
    assert f"77 cancelled by 2018-11-15; 40 were expected (too many {EVIL})." in words
    assert "2018-11-01 1,234 40 77 1.90 1.40 to 2.60" in words
    assert "region: CA 60 11 25 2.30 1.30 to 3.70 0.81" in words
    assert "region: 2 more 14 6 too few cancellations in each to say" in words
    assert "gender: 1 in all 7 3 too few" in words
    assert f"Scores as of 2018-11-20 (9 users, run r3) are not judged: no {EVIL} yet." in words


def test_survival_is_a_table_and_tests(whole: Text) -> None:
    words = " ".join(whole.words.split())
    assert "1,300 users are under observation for some time; 40 cancel." in words
    assert "everyone 1,200 34 5 65 51.3 49.0 to 53.5 60" in words
    assert f"device: on {EVIL} 1,200 34" in words
    assert "By level: a difference as large between free, paid has probability 0.012 by chance" in words
    assert "By device: not compared, because fewer than two groups." in words
    assert "7 1,111 9.9 6 0.21 unknown 0.72 unknown 31 of 2,345" in words


def test_experiments_are_a_table(whole: Text) -> None:
    words = " ".join(whole.words.split())
    assert "default nothing random forest 9 0.123 0.10 to 0.20 0.080 0.60 0.50 to 0.70 20 1500" in words
    assert f"all features {EVIL} random forest 98 0.234" in words
    assert "0.111 0.011 to 0.222, from default better 10" in words
    assert f"broken too much random forest failed: no {EVIL} 1" in words


def test_models_of_several_classes_are_a_table(whole: Text) -> None:
    words = " ".join(whole.words.split())
    assert "will churn soon random forest 12 of 90 0.200 0.212 0.013 -0.010 to 0.030 -0.010 0.030" in words


def test_an_empty_list_is_mentioned() -> None:
    assert "The list is empty" in page(users_at_risk=AT_RISK.head(0))


def test_missing_parts_are_named_with_their_command() -> None:
    of_exploration = [f"{name}_figure" for name in EXPLORATION]
    of_others = ("experiment_figure", "experiment_table", "multiclass_figure", "multiclass_table", "survival_report")
    of_others += (*(f"survival_{kind}_figure" for kind in KINDS), "horizon_report", "forecast_curves_figure")
    without = dict.fromkeys((*of_others, *of_exploration))
    words = Text(page(users_at_risk=None, drift_report=None, drift_figure=None, backtest_figure=None, **without)).words
    assert "No users have been scored" in words
    assert "--pipelines=scoring,reporting" in words
    assert "--pipelines=backtest,reporting" in words
    assert "--pipelines=experiments,reporting" in words
    assert "--pipelines=exploration,reporting" in words
    assert "--pipelines=multiclass,reporting" in words
    assert "--pipelines=survival,reporting" in words
    assert "--pipelines=other_horizons,reporting" in words
    assert "no rows to compare with the training rows" in words


def test_an_empty_log_has_a_page() -> None:
    empty = {name: {} for name in ("rejected", "warnings", "unknown_values", "unknown_columns")}
    nothing = dict.fromkeys(LOG, 0) | empty | {"first_ts": None, "last_ts": None}
    empty_report = report(IngestionReport, nothing)
    words = Text(page(ingestion_report=empty_report, log_section=render_log_section(empty_report, []))).words
    assert "unknown to unknown" in words
    assert "accepted with warnings" not in words
    assert "unknown to the contract" not in words
    assert "is later than" not in words


def test_warnings_of_ingestion_are_shown(whole: Text) -> None:
    words = " ".join(whole.words.split())
    assert "Lines accepted with warnings warning lines page is unknown 5" in words
    assert (
        f"Values and columns unknown to the contract column value lines page Page {EVIL} 5 column {EVIL} ignored 4,321"
        in words
    )
    assert "The registration time of 2 users changes, and that of 0 is later than the last event of the log." in words


def test_seconds_are_shown_for_the_run_that_took_them() -> None:
    assert [line.model_dump() for line in stages(report(RunSoFar, RUN))] == [
        {"run_id": "2026-01-01T00.00.00.000Z", "pipeline": "ingestion", "nodes": 1, "seconds": 9.0},
        {"run_id": "2026-01-02T00.00.00.000Z", "pipeline": "reporting", "nodes": 2, "seconds": 3.5},
    ]
    # What this run has done itself, no earlier one has done for it.
    again = RUN | {"earlier": [report(RunSummary, summary("2025-12-31T00.00.00.000Z", "reporting", 9, 99.0))]}
    assert [line.seconds for line in stages(report(RunSoFar, again))] == [3.5]


@pytest.mark.parametrize(
    ("of_champion", "expected"),
    [
        ({}, "The ranking of held-out users is better than chance."),
        ({"warning": "only 6 positives"}, "with so few churners it is uncertain by how much"),
        (
            {"by_chance": (0.31, 0.6), "warning": "only 6 positives"},
            "The ranking is not distinguishable from chance: on",
        ),
        (
            {"by_chance": (0.2, 0.7)},
            "one in twenty random scores reaches average precision 0.200, and one in twenty AUC-ROC 0.700.",
        ),
    ],
)
def test_the_sentence_on_a_champion_compares_it_with_chance(of_champion: dict[str, Any], expected: str) -> None:
    sentence = in_one_sentence(report(AlgorithmScores, scores(**of_champion)), "churners")
    assert sentence.startswith(
        "The 40 test rows with the highest scores (10%) include 10 churners: 2.5 times the rate of random rows."
    )
    assert expected in sentence


def test_a_champion_without_evaluation_is_mentioned() -> None:
    unknown = scores()
    unknown["test"] |= {"auc_roc": None, "auc_roc_interval": None}
    assert "cannot be evaluated" in in_one_sentence(report(AlgorithmScores, unknown), "churners")
