"""Forecast quality on large simulated logs with known churn probabilities: ``make benchmark-quality``.

For each seed a log of 4,000 users (61 days) is simulated and used for training: with the original's features and
shares of negatives, with the extended features, and as configured. Every user is scored by a model that has not seen
the user: held-out users by the champion, the others out of fold. The simulation knows the true churn probability of
every row, and that of an observer who knows its parameters and sees only the log: what models of the log can reach at
most. The share that a model reaches is (score - chance) / (observer - chance). Then the champions of each log score
the log of the next seed as of a date, and the cancellations of the following 14 days are compared with the scores on
held-out users. With ``--level-changes`` it is downgrades and upgrades instead, as configured, beside the truth.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.config import OmegaConfigLoader

from project_copy import KEDRO, PROJECT, copy_of_project, seconds
from sparkify_kedro.churn.reports import RankingScores
from sparkify_kedro.churn.vocabulary import CANCELLATION, DOWNGRADE, LEVEL_LABELS, UPGRADE
from sparkify_kedro.learning.evaluation import paired_difference, probability_report, ranking_report
from sparkify_kedro.learning.parameters import Evaluation
from sparkify_kedro.pipelines.simulation.hazard import Hazard
from sparkify_kedro.pipelines.simulation.observer import observed_probabilities
from sparkify_kedro.pipelines.simulation.parameters import Simulation

LABELS = ("will_churn_in_next_bin", "will_churn_soon")
ORIGINAL_SHARES = {"will_churn_in_next_bin": 0.05, "will_churn_soon": 0.12}
OURS, OBSERVER, HAZARD = "ours", "observer of the log", "true hazard"
AS_OF = "2018-11-15"
HORIZON_MS = 14 * 86_400_000


def newest(folder: Path, *parts: str) -> Path:
    """The newest version of a dataset."""
    versions = folder.joinpath("data", *parts)
    return max(versions.iterdir()) / parts[-1]


def report(folder: Path, *parts: str) -> Any:
    """The newest version of a JSON report."""
    return json.loads(newest(folder, "08_reporting", *parts).read_text())


def read(folder: Path, seed: int, users: int) -> None:
    """Simulate a log, and engineer its features."""
    log = "data/01_raw/log"
    simulate = f"simulation.users={users},simulation.seed={seed},simulated_events={log}"
    seconds([*KEDRO, "run", "--pipelines=simulation", f"--params={simulate}"], folder)
    seconds(
        [*KEDRO, "run", "--pipelines=ingestion,feature_engineering,user_types", f"--params=raw_events={log}"], folder
    )


def train_level_changes(folder: Path, seed: int, users: int) -> dict[str, dict[str, Any]]:
    """The scored rows of downgrades and upgrades, and the truth's."""
    read(folder, seed, users)
    seconds([*KEDRO, "run", "--pipelines=level_changes"], folder)
    results: dict[str, dict[str, Any]] = {}
    for label, page in (("will_downgrade", DOWNGRADE), ("will_upgrade", UPGRADE)):
        rows = unseen(folder, label, report(folder, label, "comparison.json")["champion"])
        results[label] = {OURS: rows} | truth(folder, rows, seed, users, page)
    return results


def train(folder: Path, seed: int, users: int) -> dict[str, dict[str, Any]]:
    """Simulate a log and train on it; the scored rows by label and recipe, the truth's among them."""
    read(folder, seed, users)
    learn = ["run", "--pipelines=sampling,modeling"]
    of_labels = f"--namespaces={','.join(LABELS)}"
    shares = ",".join(f"sampling.labels.{label}.keep_negatives={share}" for label, share in ORIGINAL_SHARES.items())
    recipe = f"modeling.training.feature_sets=[original],{shares}"
    results: dict[str, dict[str, Any]] = {label: {} for label in LABELS}
    # Ours last and for every label, because these champions score the other log.
    recipes = {
        "original settings": [of_labels, f"--params={recipe}"],
        "extended features": [of_labels, "--params=modeling.training.feature_sets=[extended]"],
        OURS: [],
    }
    for name, options in recipes.items():
        seconds([*KEDRO, *learn, *options], folder)
        for label in LABELS:
            comparison = report(folder, label, "comparison.json")
            results[label][name] = unseen(folder, label, comparison["champion"])
    for label in LABELS:
        results[label] |= truth(folder, results[label][OURS], seed, users)
    # Of the label that includes the window, the observer and the hazard tell only what is ahead.
    del results["will_churn_soon"][OBSERVER]
    return results


def unseen(folder: Path, label: str, algorithm: str) -> pd.DataFrame:
    """The rows of all users, scored by models of an algorithm that have not seen them."""
    keys, others = ["user_id", "bin_end", "label"], ["level_at_end"]
    held_out = newest(folder, "07_model_output", label, algorithm, "predictions")
    out_of_fold = pd.read_parquet(newest(folder, "06_models", label, algorithm, "out_of_fold"))
    development = pd.read_parquet(newest(folder, "05_model_input", label, "development"), columns=[*keys[:2], *others])
    scored = out_of_fold.merge(development, on=keys[:2], validate="one_to_one")
    return pd.concat([pd.read_parquet(held_out, columns=[*keys, *others, "score"]), scored], ignore_index=True)


def truth(folder: Path, rows: pd.DataFrame, seed: int, users: int, page: str = CANCELLATION) -> dict[str, pd.DataFrame]:
    """The rows, scored by the observer of the log, and by the true probability of an event."""
    loader = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")
    simulation = Simulation.model_validate(loader["parameters"]["simulation"] | {"seed": seed, "users": users})
    truth = pd.read_parquet(newest(folder, "01_raw", "simulated_users"))
    columns = ["user_id", "ts", "page", "level", "session_id", "item_in_session", "registration"]
    events = pd.read_parquet(newest(folder, "02_intermediate", "events"), columns=columns)
    events = events[events["user_id"].isin(rows["user_id"])]
    hazards = {name: Hazard.of(simulation, name, page) for name in simulation.populations}
    known = rows.merge(truth[["user_id", "population", "event_gap_seconds", "session_gap_seconds"]], on="user_id")
    # A user whose last page is Logout is logged out at the landmark.
    last = pd.merge_asof(
        known.sort_values("bin_end"),
        events[["user_id", "ts", "page"]].sort_values("ts"),
        left_on="bin_end",
        right_on="ts",
        by="user_id",
        allow_exact_matches=False,
    )
    score = [
        hazards[row.population].probability(
            row.level_at_end,
            "Logged Out" if row.page == "Logout" else "Logged In",
            row.event_gap_seconds,
            row.session_gap_seconds,
        )
        for row in last.itertuples()
    ]
    keys = ["user_id", "bin_end", "label"]
    return {
        OBSERVER: rows[keys].assign(score=observed_probabilities(events, rows[keys], simulation, page=page)),
        HAZARD: last[keys].assign(score=score),
    }


def after_as_of(folder: Path, other: Path, evaluation: Evaluation) -> tuple[RankingScores, RankingScores]:
    """The scores on held-out users, and those on another log in the 14 days after the as-of date."""
    params = f"scoring_events={other},feature_engineering.as_of={AS_OF}"
    seconds([*KEDRO, "run", "--pipelines=score_other_log", f"--params={params}"], folder)
    scored = pd.read_parquet(newest(folder, "07_model_output", "other_log", "churn_scores"))
    lines = pd.concat(
        pd.read_json(part, lines=True, dtype={"userId": str})[["userId", "page", "ts"]]
        for part in sorted(other.glob("part-*"))
    )
    start = int(pd.Timestamp(AS_OF, tz="UTC").timestamp() * 1_000)
    churned = lines[(lines["page"] == "Cancellation Confirmation") & lines["ts"].between(start, start + HORIZON_MS - 1)]
    label = scored["user_id"].isin(churned["userId"]).astype(int)
    labeled = scored.assign(label=label, score=scored["probability"])
    comparison = report(folder, "will_churn_in_next_bin", "comparison.json")
    held_out = RankingScores.model_validate(comparison["algorithms"][comparison["champion"]]["test"])
    return held_out, ranking_report(labeled.sort_values("user_id", ignore_index=True), evaluation)


def line(name: str, scores: RankingScores, calibration_error: float | None = None) -> str:
    """A row of the printed table."""
    (low, high), (roc_low, roc_high) = scores.average_precision_interval, scores.auc_roc_interval
    error = "" if calibration_error is None else f"  calibration error {calibration_error:.3f}"
    return (
        f"  {name:<28} average precision {scores.average_precision:.3f} ({low:.3f} to {high:.3f})  "
        f"AUC-ROC {scores.auc_roc:.3f} ({roc_low:.3f} to {roc_high:.3f})  "
        f"{scores.positives} of {scores.rows}{error}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--users", type=int, default=4_000)
    parser.add_argument("--level-changes", action="store_true")
    asked = parser.parse_args()
    learn, labels = (train_level_changes, LEVEL_LABELS) if asked.level_changes else (train, LABELS)
    loader = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")
    evaluation = Evaluation.model_validate(loader["parameters"]["modeling"]["evaluation"])
    with tempfile.TemporaryDirectory() as name:
        folders, found = [], []
        for seed in range(1, asked.seeds + 1):
            folder = Path(name) / str(seed)
            folder.mkdir()
            folders.append(copy_of_project(folder))
            found.append(learn(folder, seed, asked.users))
            print(f"seed {seed}, {asked.users} users", flush=True)
            show({label: found[-1][label] for label in labels}, evaluation)
        print(f"all {asked.seeds} seeds: their users together, and the mean over seeds")
        show({label: {name: together(found, label, name) for name in found[0][label]} for label in labels}, evaluation)
        for label in labels:
            for recipe in found[0][label]:
                each = [ranking_report(one[label][recipe], evaluation) for one in found]
                precision, auc_roc = np.mean([[scores.average_precision, scores.auc_roc] for scores in each], axis=0)
                print(f"  mean {label} {recipe}: average precision {precision:.3f}, AUC-ROC {auc_roc:.3f}")
        for folder, other in pairwise([] if asked.level_changes else folders):
            held_out, observed = after_as_of(folder, other / "data/01_raw/log", evaluation)
            print(f"trained on seed {folder.name}, seed {other.name} scored as of {AS_OF}", flush=True)
            print(line("held-out users", held_out))
            print(line("14 days after the as-of date", observed))


def together(found: list[dict[str, Any]], label: str, recipe: str) -> pd.DataFrame:
    """The rows of all seeds, whose users are different people."""
    return pd.concat(
        [
            one[label][recipe].assign(user_id=lambda rows, seed=seed: f"{seed} " + rows["user_id"])
            for seed, one in enumerate(found)
        ]
    )


def show(by_label: dict[str, dict[str, pd.DataFrame]], evaluation: Evaluation) -> None:
    """Print a table: a row per label and recipe; what ours gains over the others; the share of the observer's."""
    for label, recipes in by_label.items():
        print(f" {label}")
        ordered = {name: rows.sort_values(["user_id", "bin_end"], ignore_index=True) for name, rows in recipes.items()}
        scores = {name: ranking_report(rows, evaluation) for name, rows in ordered.items()}
        for recipe, rows in ordered.items():
            error = probability_report(rows, 0.5, evaluation).calibration_error
            # The hazard looks ahead; for a label that includes the window it is not a probability.
            is_probability = not (recipe == HAZARD and label == "will_churn_soon")
            print(line(recipe, scores[recipe], error if is_probability else None), flush=True)
        others = {name: rows for name, rows in ordered.items() if name not in (OURS, HAZARD)}
        for recipe, rows in others.items():
            found = paired_difference(ordered[OURS], rows, evaluation)
            low, high = found.interval
            print(
                f"  ours minus {recipe}: average precision {found.average_precision:+.3f} ({low:+.3f} to {high:+.3f})"
            )
        if OBSERVER in scores:
            shares = [
                f"{name} {(getattr(scores[OURS], area) - chance) / (getattr(scores[OBSERVER], area) - chance):.0%}"
                for name, area, chance in (
                    ("average precision", "average_precision", scores[OURS].chance.average_precision_mean),
                    ("AUC-ROC", "auc_roc", 0.5),
                )
            ]
            print(f"  share of the observer's: {', '.join(shares)}")


if __name__ == "__main__":
    sys.exit(main())
