"""The example DAG is one that Airflow imports, and its tasks are pipelines of this project."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from kedro.framework.project import pipelines

pytestmark = pytest.mark.faults
DAG_FILE = Path(__file__).parents[2] / "docs/deployment/airflow_dag.py"
AIRFLOW = "apache-airflow>=3,<4"
DESCRIBE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
print("\\n" + json.dumps({
    name: [[task.task_id, task.bash_command, sorted(task.upstream_task_ids)] for task in dag.topological_sort()]
    for name, dag in bag.dags.items()
}))
"""


def test_every_task_runs_a_pipeline_after_those_that_it_needs(tmp_path: Path) -> None:
    python = tmp_path / "airflow/bin/python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "airflow"], check=True)
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", AIRFLOW], capture_output=True, text=True, check=False
    )
    if installed.returncode:
        pytest.skip(f"Airflow does not install here: {installed.stderr[-300:]}")
    settings = {
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    done = subprocess.run(
        [python, "-c", DESCRIBE, DAG_FILE], env=os.environ | settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    dags = json.loads(done.stdout.splitlines()[-1])
    assert set(dags) == {"sparkify_scores", "sparkify_champions"}
    for name, tasks in dags.items():
        before: list[str] = []
        for pipeline, command, upstream in tasks:
            program, run, option = shlex.split(command)[:3]
            assert (program, run, option) == (".venv/bin/kedro", "run", f"--pipelines={pipeline}")
            assert upstream == before[-1:]
            before.append(pipeline)
        assert set(before) <= set(pipelines)
        # What is not made by a task before it, others have made: the log, and for scores the champions.
        made = set().union(*(pipelines[pipeline].all_outputs() for pipeline in before))
        missing = {data for data in pipelines["__default__"].all_outputs() if data not in made}
        assert (missing == set()) == (name == "sparkify_champions")
