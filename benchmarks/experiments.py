"""The experiments on large simulated logs: ``make benchmark-experiments``.

For each seed a log of 4,000 users is simulated, and the variants of ``conf/base/parameters_experiments.yml`` are
trained on it and compared out of fold. Printed is, per variant and log, the difference in average precision from what
it is compared with, with its 95 % interval over users, and the mean over the logs.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd

from project_copy import KEDRO, copy_of_project, seconds

LOG = "data/01_raw/log"
AUDIT = "will_churn_in_next_bin.audit_features"


def compare(folder: Path, seed: int, users: int, only: str) -> pd.DataFrame:
    """Simulate a log, engineer its features, and run the experiments; their table."""
    simulate = f"simulation.users={users},simulation.seed={seed},simulated_events={LOG}"
    seconds([*KEDRO, "run", "--pipelines=simulation", f"--params={simulate}"], folder)
    engineer = "--pipelines=ingestion,feature_engineering,user_types,sampling"
    seconds([*KEDRO, "run", engineer, f"--params=raw_events={LOG}"], folder)
    seconds([*KEDRO, "run", f"--from-nodes={AUDIT}", f"--to-nodes={AUDIT}"], folder)
    options = [f"--params=experiments.only=[{only}]"] if only else []
    seconds([*KEDRO, "run", "--pipelines=experiments", *options], folder)
    versions = folder / "data/08_reporting/experiments.csv"
    return pd.read_csv(max(versions.iterdir()) / "experiments.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--users", type=int, default=4_000)
    parser.add_argument("--only", default="", help="variants, separated by commas; without it all")
    parser.add_argument("--folder", type=Path, help="where the table of each log is written as it is done")
    options = parser.parse_args()
    tables = []
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            table = compare(copy_of_project(Path(folder)), seed, options.users, options.only).assign(seed=seed)
        if options.folder:
            table.to_csv(options.folder / f"experiments_{seed}.csv", index=False)
        tables.append(table)
        print(f"seed {seed}", flush=True)
        print_table(table)
    everything = pd.concat(tables)
    of_variant = everything.groupby("variant", sort=False)
    print(f"mean over {len(tables)} logs")
    print(of_variant[["average_precision", "auc_roc", "difference"]].mean().round(3).to_string())
    print("logs with a verdict")
    print(everything.groupby(["variant", "verdict"], sort=False).size().unstack(fill_value=0).to_string())


def print_table(table: pd.DataFrame) -> None:
    columns = ["variant", "rows", "average_precision", "auc_roc", "difference", "difference_low", "difference_high"]
    print(table[[*columns, "verdict", "seconds", "error"]].round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
