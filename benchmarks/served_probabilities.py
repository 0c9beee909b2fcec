"""Do as many users cancel as the served probabilities say: ``make benchmark-served``.

For each seed a log is simulated. As of each of several dates a champion is trained on the events before the date and
scores the users at risk; the sum of their probabilities is the expected number of cancellations within the horizon.
The log goes on, so the cancellations are known. With correct probabilities their number is about Poisson distributed.

The logs are sixteen weeks long. The shorter the log before a date, the fewer cancellations there are to learn from, and
the sum of the probabilities is then itself uncertain: after five weeks, there are about as many to learn from as will
come.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd
from scipy.stats import chi2

from project_copy import KEDRO, copy_of_project, seconds

LOG = "data/01_raw/log"
DAY_MS = 86_400_000


def poisson_interval(observed: int) -> tuple[float, float]:
    """The exact 95 % interval of a Poisson mean (Garwood 1936, "Fiducial limits for the Poisson distribution")."""
    low = chi2.ppf(0.025, 2 * observed) / 2 if observed else 0.0
    return float(low), float(chi2.ppf(0.975, 2 * observed + 2) / 2)


def cancellations(folder: Path) -> pd.DataFrame:
    """User and time (ms since the epoch) of the cancellations in the log."""
    lines = pd.concat(
        pd.read_json(part, lines=True, dtype={"userId": str})[["userId", "page", "ts"]]
        for part in sorted((folder / LOG).glob("part-*"))
    )
    return lines[lines["page"] == "Cancellation Confirmation"]


def served(folder: Path, date: str) -> pd.DataFrame:
    """The scores as of a date, by a champion trained on the events before it."""
    until = f"raw_events={LOG},feature_engineering.as_of={date}"
    seconds([*KEDRO, "run", "--to-outputs=churn_scores", f"--params={until}"], folder)
    version = max((folder / "data/07_model_output/churn_scores").iterdir())
    return pd.read_parquet(version / "churn_scores")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--end", default="2019-01-21", help="of the logs, which start on 2018-10-01")
    parser.add_argument("--dates", nargs="+", default=["2018-12-24", "2019-01-07"], help="as of which users are scored")
    asked = parser.parse_args()
    inside = []
    for seed in range(1, asked.seeds + 1):
        with tempfile.TemporaryDirectory() as name:
            folder = copy_of_project(Path(name))
            simulate = f"simulation.users={asked.users},simulation.seed={seed},simulation.end={asked.end}"
            options = ["--pipelines=simulation", f"--params={simulate},simulated_events={LOG}"]
            seconds([*KEDRO, "run", *options], folder)
            churned = cancellations(folder)
            for date in asked.dates:
                scores = served(folder, date)
                start = int(pd.Timestamp(date, tz="UTC").timestamp() * 1_000)
                end = start + int(scores["horizon_days"].iloc[0]) * DAY_MS
                came = churned[churned["ts"].between(start, end - 1) & churned["userId"].isin(scores["user_id"])]
                low, high = poisson_interval(len(came))
                expected = scores["probability"].sum()
                inside.append(low <= expected <= high)
                print(
                    f"seed {seed}, {date}: {expected:.1f} expected of {len(scores)} users, {len(came)} cancelled "
                    f"(95 % interval of the mean {low:.1f} to {high:.1f})",
                    flush=True,
                )
    print(f"within the interval: {sum(inside)} of {len(inside)}")


if __name__ == "__main__":
    main()
