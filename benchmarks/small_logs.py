"""Logs that give user types little to find: ``make benchmark-small``.

Ten logs of 225 users, the size of the bundled one: the forecast's scores out of fold with the extended features alone
and as configured. Then logs of a single population, in which users do not differ in type: the same two, and their
paired difference over the users of all logs together.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from kedro.config import OmegaConfigLoader
from scipy import stats

from project_copy import KEDRO, PROJECT, copy_of_project, seconds
from sparkify_kedro.learning.evaluation import paired_difference, ranking_report
from sparkify_kedro.learning.parameters import Evaluation

LABEL = "will_churn_in_next_bin"
LOG = "data/01_raw/log"
EXTENDED, OURS = "extended features", "as configured"
RECIPES = {EXTENDED: ["--params=modeling.training.feature_sets=[extended]"], OURS: []}


def newest(folder: Path, *parts: str) -> Path:
    """The newest version of a dataset."""
    return max(folder.joinpath("data", *parts).iterdir()) / parts[-1]


def out_of_fold(folder: Path, seed: int, users: int, only: str | None) -> dict[str, pd.DataFrame]:
    """The champion's scores out of fold, by recipe, on a new log; none where it has too few positives to learn from."""
    if only is not None:
        loader = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")
        others = [name for name in loader["parameters"]["simulation"]["populations"] if name != only]
        text = "simulation:\n  populations:\n" + "".join(f"    {name}: {{share: 1.0e-9}}\n" for name in others)
        (folder / "conf/local/parameters_simulation.yml").write_text(text)
    simulate = f"simulation.users={users},simulation.seed={seed},simulated_events={LOG}"
    seconds([*KEDRO, "run", "--pipelines=simulation", f"--params={simulate}"], folder)
    before = "--pipelines=ingestion,feature_engineering,user_types"
    seconds([*KEDRO, "run", before, f"--params=raw_events={LOG}"], folder)
    found = {}
    for recipe, options in RECIPES.items():
        learn = ["run", "--pipelines=sampling,modeling", f"--to-outputs={LABEL}.champion_selection"]
        seconds([*KEDRO, *learn, *options], folder)
        if not folder.joinpath("data", "06_models", LABEL).exists():
            return {}
        selection = json.loads(newest(folder, "06_models", LABEL, "champion_selection.json").read_text())
        scores = newest(folder, "06_models", LABEL, selection["champion"], "out_of_fold")
        found[recipe] = pd.read_parquet(scores).sort_values(["user_id", "bin_end"], ignore_index=True)
    return found


def logs(seeds: Sequence[int], users: int, only: str | None, evaluation: Evaluation) -> list[dict[str, pd.DataFrame]]:
    """A log per seed, each printed when its scores are there."""
    found = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as name:
            of_seed = out_of_fold(copy_of_project(Path(name)), seed, users, only)
        if not of_seed:
            print(f"  seed {seed}: a fold has no positive, and the label is skipped", flush=True)
            continue
        found.append(of_seed)
        scores = {recipe: ranking_report(rows, evaluation) for recipe, rows in of_seed.items()}
        words = (
            f"{recipe} average precision {each.average_precision:.3f}, AUC-ROC {each.auc_roc:.3f}"
            for recipe, each in scores.items()
        )
        print(f"  seed {seed} ({scores[OURS].positives} of {scores[OURS].rows}): {'; '.join(words)}", flush=True)
    for recipe in RECIPES if found else ():
        each = [ranking_report(one[recipe], evaluation) for one in found]
        precision, auc_roc = np.mean([[scores.average_precision, scores.auc_roc] for scores in each], axis=0)
        print(f"  mean, {recipe}: average precision {precision:.3f}, AUC-ROC {auc_roc:.3f}", flush=True)
    if len(found) > 1:
        areas = [{recipe: ranking_report(one[recipe], evaluation).auc_roc for recipe in RECIPES} for one in found]
        gains = [each[OURS] - each[EXTENDED] for each in areas]
        low, high = stats.t.interval(0.95, len(gains) - 1, np.mean(gains), stats.sem(gains))
        print(
            f"  {OURS} minus {EXTENDED}, by log: AUC-ROC {np.mean(gains):+.3f} ({low:+.3f} to {high:+.3f})", flush=True
        )
    return found


def together(found: list[dict[str, pd.DataFrame]], recipe: str) -> pd.DataFrame:
    """The rows of all logs, whose users are different people."""
    return pd.concat(
        [one[recipe].assign(user_id=f"{number} " + one[recipe]["user_id"]) for number, one in enumerate(found)],
        ignore_index=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(1, 11)))
    parser.add_argument("--users", type=int, default=225)
    parser.add_argument("--single-seeds", type=int, nargs="*", default=[1, 2], help="logs of a single population")
    parser.add_argument("--single-users", type=int, default=2_000)
    asked = parser.parse_args()
    loader = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")
    evaluation = Evaluation.model_validate(loader["parameters"]["modeling"]["evaluation"])
    print(f"{len(asked.seeds)} logs of {asked.users} users, {LABEL} out of fold")
    logs(asked.seeds, asked.users, None, evaluation)
    if not asked.single_seeds:
        return
    largest = max(loader["parameters"]["simulation"]["populations"].items(), key=lambda item: item[1]["share"])[0]
    print(f"{len(asked.single_seeds)} logs of {asked.single_users} users of one population ({largest})")
    found = logs(asked.single_seeds, asked.single_users, largest, evaluation)
    difference = paired_difference(together(found, OURS), together(found, EXTENDED), evaluation)
    low, high = difference.interval
    print(
        f"  {OURS} minus {EXTENDED}: average precision {difference.average_precision:+.3f} ({low:+.3f} to {high:+.3f})"
    )


if __name__ == "__main__":
    main()
