"""One model of three classes against three binary models on large simulated logs: ``make benchmark-multiclass``.

For each seed a log of 4,000 users is simulated; the binary models are trained as configured, and so is, with each
algorithm, one model of all classes. Printed is, per log, label and algorithm, the average precision of both on the same
rows, by models that have not seen the users, with the difference and its 95 % interval; and the mean over the logs.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd

from project_copy import KEDRO, copy_of_project, seconds

LOG = "data/01_raw/log"
BINARY = "ingestion,feature_engineering,user_types,sampling,modeling"


def compare(folder: Path, seed: int, users: int) -> pd.DataFrame:
    """Simulate a log, train both kinds of models; the table that compares them."""
    simulate = f"simulation.users={users},simulation.seed={seed},simulated_events={LOG}"
    seconds([*KEDRO, "run", "--pipelines=simulation", f"--params={simulate}"], folder)
    seconds([*KEDRO, "run", f"--pipelines={BINARY}", f"--params=raw_events={LOG}"], folder)
    taken = seconds([*KEDRO, "run", "--pipelines=multiclass"], folder)
    print(f"seed {seed}: {taken:.0f} s for the models of all classes", flush=True)
    versions = folder / "data/08_reporting/multiclass.csv"
    return pd.read_csv(max(versions.iterdir()) / "multiclass.csv")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--users", type=int, default=4_000)
    options = parser.parse_args()
    tables = []
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            tables.append(compare(copy_of_project(Path(folder)), seed, options.users).assign(seed=seed))
        print(tables[-1].drop(columns="seed").round(3).to_string(index=False), flush=True)
    everything = pd.concat(tables)
    print(f"mean over {len(tables)} logs")
    of_kind = everything.groupby(["label", "algorithm"], sort=False)
    print(of_kind.mean(numeric_only=True).drop(columns="seed").round(3).to_string())


if __name__ == "__main__":
    main()
