"""Does monitoring raise an alarm when cancellations change, and only then: ``make benchmark-monitoring``.

One champion is trained on a simulated log. Of other seeds there are two logs each: in one, the page Cancel is twice as
likely after every page from a day on; in the other it is not. The users are scored at that day and 14 days later, and
monitoring judges both. An alarm is any verdict but ``keep``, at either.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import yaml
from kedro.config import OmegaConfigLoader
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from project_copy import KEDRO, PROJECT, copy_of_project, seconds
from sparkify_kedro.churn.landmarks import rows_at_risk
from sparkify_kedro.churn.parameters import FeatureEngineering
from sparkify_kedro.churn.reports import ChampionMetadata, JudgedRun, LogSpan
from sparkify_kedro.churn.vocabulary import MILLISECONDS_PER_DAY, midnight
from sparkify_kedro.framework.runs.summary import RunSoFar
from sparkify_kedro.framework.session import configure_session, get_session
from sparkify_kedro.learning.parameters import Evaluation
from sparkify_kedro.learning.user_types import with_user_types
from sparkify_kedro.pipelines.feature_engineering.nodes import engineer_user_time_bins
from sparkify_kedro.pipelines.ingestion.schemas import EVENT_COLUMNS, event_column
from sparkify_kedro.pipelines.monitoring.nodes import judge_scores, watch_forecasts
from sparkify_kedro.pipelines.monitoring.parameters import Monitoring
from sparkify_kedro.pipelines.scoring.nodes import score_users
from sparkify_kedro.pipelines.simulation.nodes import simulate_events, simulate_users
from sparkify_kedro.pipelines.simulation.parameters import Simulation

LOG, LABEL = "data/01_raw/log", "will_churn_in_next_bin"
END, CHANGE = "2018-12-01", "2018-11-03"  # four and two weeks before the end are landmarks
FACTOR = 2.0


def newest(folder: Path, *parts: str) -> Path:
    """The newest version of a dataset."""
    return max(folder.joinpath("data", *parts).iterdir()) / parts[-1]


def trained(folder: Path, users: int) -> tuple[PipelineModel, ChampionMetadata]:
    """The champion of a log without a change."""
    simulated = f"simulation.users={users},simulation.seed=1,simulated_events={LOG}"
    seconds([*KEDRO, "run", "--pipelines=simulation", f"--params={simulated}"], folder)
    seconds([*KEDRO, "run", f"--to-nodes={LABEL}.describe_champion", f"--params=raw_events={LOG}"], folder)
    metadata = json.loads(newest(folder, "06_models", LABEL, "champion_metadata.json").read_text())
    configure_session(yaml.safe_load((PROJECT / "conf/base/spark.yml").read_text()))
    get_session()
    return (
        PipelineModel.load(str(newest(folder, "06_models", LABEL, "champion"))),
        ChampionMetadata.model_validate(metadata),
    )


def simulated_events(settings: Simulation, path: Path) -> DataFrame:
    """The events of a simulated log as ingestion keeps them: of users who are logged in."""
    raw = simulate_events(simulate_users(settings), settings)
    names = {event_column(name): name for name in raw.columns}
    events = raw.where(F.col("userId") != "").select(
        *(
            F.col(names[name]).cast(kind).alias(name)
            for name, kind in EVENT_COLUMNS.items()
            if name not in ("session_id", "user_id")
        ),
        F.col("userId").alias("user_id"),
        F.col("sessionId").alias("session_id"),
    )
    events.write.mode("overwrite").parquet(str(path))
    return get_session().read.parquet(str(path))


def judged(
    events: DataFrame, champion: PipelineModel, metadata: ChampionMetadata, parameters: dict[str, object]
) -> list[JudgedRun]:
    """The verdicts on both scoring runs, the later one first."""
    engineering = FeatureEngineering.model_validate(parameters["feature_engineering"] | {"as_of": END})
    end = midnight(engineering.as_of)
    first = events.agg(F.min("ts")).first()[0]
    span = LogSpan(first_ts=first, last_ts=end - 1)
    rows = engineer_user_time_bins(events, span, engineering)
    if metadata.user_types is not None:
        rows = with_user_types(rows, metadata.user_types)
    stored, drift = {}, {}
    for weeks in (4, 2):
        run = f"{weeks} weeks before the end"
        at_risk = rows_at_risk(rows, end - 7 * weeks * MILLISECONDS_PER_DAY)
        scores = score_users(at_risk, champion, metadata, engineering, LABEL).cache()
        stored[run], drift[run] = (lambda scores=scores: scores), (lambda: {"model": metadata.model, "warnings": []})
    this_run = RunSoFar.model_construct(run_id="now")
    table = judge_scores(stored, {}, events, span, this_run)
    promised = {"trained": lambda: metadata.model_dump(mode="json")}
    monitoring = Monitoring.model_validate(parameters["monitoring"])
    evaluation = Evaluation.model_validate(parameters["modeling"]["evaluation"])
    report = watch_forecasts(table, promised, drift, span, monitoring, evaluation)
    get_session().catalog.clearCache()
    return report.judged


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--users", type=int, default=4_000)
    asked = parser.parse_args()
    parameters = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")["parameters"]
    alarms = {False: 0, True: 0}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        folder.mkdir()
        champion, metadata = trained(copy_of_project(folder), asked.users)
        for seed in range(2, asked.seeds + 2):
            for is_changed in alarms:
                started = time.monotonic()
                change = {"date": CHANGE if is_changed else None, "factor": FACTOR}
                own = {"users": asked.users, "seed": seed, "end": END, "cancellation_change": change}
                settings = Simulation.model_validate(parameters["simulation"] | own)
                events = simulated_events(settings, Path(name) / "events")
                runs = judged(events, champion, metadata, parameters)
                alarms[is_changed] += any(run.verdict != "keep" for run in runs)
                came = ", ".join(
                    f"{run.all_users.observed} of {run.all_users.expected:.0f} expected: {run.verdict}"
                    for run in reversed(runs)
                )
                kind = "changed" if is_changed else "same"
                print(f"seed {seed}, {kind}: {came} ({time.monotonic() - started:.0f} s)", flush=True)
    print(f"alarm where cancellations became twice as likely: {alarms[True]} of {asked.seeds}")
    print(f"alarm where they did not: {alarms[False]} of {asked.seeds}")


if __name__ == "__main__":
    main()
