"""Does the interval of a decision hold the cancellations that come: ``make benchmark-decision``.

One champion is trained on a simulated log. Logs of other seeds have other users; at each of their landmarks whose
horizon they cover, the users at risk are scored, and of those with the highest probabilities the ones who then cancel
are counted. The 95 % interval of a decision should hold that number in about 95 of 100 cases.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from kedro.config import OmegaConfigLoader
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import functions as F

from project_copy import KEDRO, PROJECT, copy_of_project, seconds
from sparkify_kedro.churn.reports import ChampionMetadata
from sparkify_kedro.framework.session import configure_session, get_session
from sparkify_kedro.learning.expected_events import counts_among_first
from sparkify_kedro.learning.parameters import Evaluation
from sparkify_kedro.learning.user_types import with_user_types

LOG, LABEL = "data/01_raw/log", "will_churn_in_next_bin"
NUMBERS = (20, 100, 500)


def newest(folder: Path, *parts: str) -> str:
    """The path of the newest version of a dataset."""
    return str(max(folder.joinpath("data", *parts).iterdir()) / parts[-1])


def simulated(folder: Path, seed: int, users: int, *options: str) -> None:
    """Simulate a log, and run the project on it."""
    parameters = f"simulation.users={users},simulation.seed={seed},simulated_events={LOG}"
    seconds([*KEDRO, "run", "--pipelines=simulation", f"--params={parameters}"], folder)
    seconds([*KEDRO, "run", *options, f"--params=raw_events={LOG}"], folder)


def landmarks_scored(folder: Path, champion: PipelineModel, metadata: ChampionMetadata) -> dict[int, pd.DataFrame]:
    """Per landmark whose horizon the log covers: label and probability of the users at risk, the highest first."""
    rows = get_session().read.parquet(newest(folder, "04_feature", "user_time_bins"))
    rows = rows.where(F.col("at_risk") & F.col(LABEL).isNotNull())
    if metadata.user_types is not None:
        rows = with_user_types(rows, metadata.user_types)
    scores = champion.transform(rows).select(
        "bin_end", "user_id", F.col(LABEL).cast("int").alias("label"), vector_to_array("probability")[1].alias("score")
    )
    table = scores.toPandas().sort_values(["bin_end", "score", "user_id"], ascending=[True, False, True])
    return {int(landmark): of_landmark for landmark, of_landmark in table.groupby("bin_end")}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=34, help="logs to score; each has three landmarks or so")
    parser.add_argument("--users", type=int, default=2_000)
    asked = parser.parse_args()
    loader = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")
    evaluation = Evaluation.model_validate(loader["parameters"]["modeling"]["evaluation"])
    inside: dict[int, list[bool]] = {number: [] for number in NUMBERS}
    with tempfile.TemporaryDirectory() as name:
        folder = copy_of_project(Path(name))
        simulated(folder, 1, asked.users, f"--to-nodes={LABEL}.describe_champion")
        configure_session(yaml.safe_load((PROJECT / "conf/base/spark.yml").read_text()))
        session = get_session()
        metadata = ChampionMetadata.model_validate(
            json.loads(Path(newest(folder, "06_models", LABEL, "champion_metadata.json")).read_text())
        )
        champion = PipelineModel.load(newest(folder, "06_models", LABEL, "champion"))
        learned = session.read.parquet(newest(folder, "06_models", LABEL, metadata.algorithm, "out_of_fold")).toPandas()
        for seed in range(2, asked.seeds + 2):
            simulated(folder, seed, asked.users, "--pipelines=ingestion,feature_engineering")
            for landmark, scored in landmarks_scored(folder, champion, metadata).items():
                numbers = [min(number, len(scored)) for number in NUMBERS]
                samples = counts_among_first(scored["score"].to_numpy(), numbers, learned, evaluation)
                said = []
                for position, number in enumerate(NUMBERS):
                    came = int(scored["label"].iloc[:number].sum())
                    low, high = np.percentile(samples[:, position], [2.5, 97.5])
                    inside[number].append(bool(low <= came <= high))
                    said.append(f"{came} of the first {number} (interval {low:.0f} to {high:.0f})")
                print(f"seed {seed}, {pd.Timestamp(landmark, unit='ms'):%Y-%m-%d}: {', '.join(said)}", flush=True)
    for number, held in inside.items():
        print(f"first {number}: within the interval in {sum(held)} of {len(held)}")


if __name__ == "__main__":
    main()
