"""What a run does with Spark, in short and on made-up rows: tables, models, explanations, and Python on the executors.

As a program it prints the results, so that another kind of session can be compared with that of the tests.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from kedro.io.core import DatasetError
from pyspark.ml import PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.sql.types import LongType, StructField, StructType, UserDefinedType

from sparkify_kedro.framework.datasets import JSONLinesDataset, SparkDataFrameDataset, SparkMLDataset
from sparkify_kedro.framework.session import configure_session, get_session
from sparkify_kedro.learning.algorithms import ALGORITHMS
from sparkify_kedro.learning.calibration import expose_margin
from sparkify_kedro.pipelines.simulation.nodes import simulate_events, simulate_users
from sparkify_kedro.pipelines.simulation.parameters import Simulation

PROJECT = Path(__file__).parents[1]
FEATURES = ["songs", "adverts", "noise"]
SETTINGS: dict[str, dict[str, Any]] = {
    "logistic_regression": {"maxIter": 10, "regParam": 0.01},
    "random_forest": {"numTrees": 5, "maxDepth": 3, "seed": 1},
    "gradient_boosted_trees": {"maxIter": 3, "maxDepth": 2, "seed": 1},
    "neural_network": {"hiddenUnits": 4, "maxEpochs": 5, "learningRate": 0.01, "seed": 1},
}
NETWORK = "sparkify_kedro.learning.neural_network.NeuralNetworkModel"


class BringsItsCode(UserDefinedType):
    """A type whose class is pickled into every file that has a column of it."""

    @classmethod
    def sqlType(cls) -> LongType:
        return LongType()

    @classmethod
    def module(cls) -> str:
        return "a_module_of_the_file"


def rows() -> pd.DataFrame:
    """Adverts raise the risk, and songs lower it."""
    draw = np.random.default_rng(2)
    table = pd.DataFrame(
        {"songs": draw.poisson(30, 200), "adverts": draw.poisson(4, 200), "noise": draw.normal(size=200)}
    ).astype(float)
    log_odds = (table["adverts"] - 4) - (table["songs"] - 30) / 5
    return table.assign(label=(draw.random(200) < 1 / (1 + np.exp(-log_odds))).astype(float))


def model_of(algorithm: str, folder: Path) -> dict[str, Any]:
    """Fit, save, load, score and explain."""
    values = rows()
    table = get_session().createDataFrame(values).coalesce(1)
    assembler = VectorAssembler(inputCols=FEATURES, outputCol="features")
    fitted = ALGORITHMS[algorithm].estimator(**SETTINGS[algorithm]).fit(assembler.transform(table))
    dataset = SparkMLDataset(filepath=f"{folder}/{algorithm}", trusted_stages=[NETWORK])
    dataset.save(PipelineModel([assembler, *expose_margin(fitted)]))
    loaded = dataset.load()
    features = values[FEATURES].to_numpy()
    added = ALGORITHMS[algorithm].contributions(loaded.stages[1], features[:5], features.mean(axis=0))
    return {
        "margins": [row.margin[0] for row in loaded.transform(table).select("margin").limit(5).collect()],
        "contributions": added.tolist(),
        "weights": ALGORITHMS[algorithm].explain(loaded.stages[1], FEATURES)._asdict(),
    }


def tables_of(folder: Path) -> dict[str, Any]:
    """Save tables, partitioned ones and logs too, and load them; those with code in them are refused."""
    session = get_session()
    table = session.createDataFrame([(1, "a"), (2, "b"), (3, "a")], "number int, letter string")
    found: dict[str, Any] = {}
    for name, options in (("plain", {}), ("partitioned", {"partitionBy": ["letter"]})):
        dataset = SparkDataFrameDataset(filepath=f"{folder}/{name}", save_args=options)
        dataset.save(table)
        loaded = dataset.load().orderBy("number")
        found[name] = [dataset.rows_written, [list(row) for row in loaded.select("number", "letter").collect()]]
    log = JSONLinesDataset(filepath=f"{folder}/log")
    log.save(table)
    found["log"] = sorted(row.value for row in log.load().collect())
    unsafe = SparkDataFrameDataset(filepath=f"{folder}/unsafe")
    unsafe.save(session.createDataFrame([], StructType([StructField("inner", BringsItsCode())])))
    try:
        unsafe.load()
    except DatasetError as error:
        found["unsafe"] = str(error).replace(str(folder), "")
    return found


def simulated() -> list[list[Any]]:
    """Events that Python functions of the project draw on the executors."""
    settings = yaml.safe_load((PROJECT / "conf/base/parameters_simulation.yml").read_text())["simulation"]
    small = Simulation.model_validate(settings | {"users": 2, "files": 1, "seed": 1})
    events = simulate_events(simulate_users(small), small).select("ts", "userId", "page")
    return [list(row) for row in events.limit(50).collect()]


def work(folder: Path, algorithms: Sequence[str]) -> dict[str, Any]:
    """Everything, as JSON has it."""
    results = {"tables": tables_of(folder), "simulated": simulated()}
    models = {algorithm: model_of(algorithm, folder) for algorithm in algorithms}
    return dict(json.loads(json.dumps(results | {"models": models})))


if __name__ == "__main__":
    configure_session({"spark.sql.session.timeZone": "UTC"})
    print(json.dumps(work(Path(sys.argv[1]), sys.argv[2:])))
