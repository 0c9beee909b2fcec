"""An example for Airflow 3: score every night, and train once a week, with one ``kedro run`` per pipeline.

Airflow's variable ``sparkify_project`` is the folder of the project on the worker, with the environment of ``make env``
in it; ``sparkify_options`` is what every run takes, such as ``--env=cluster``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, chain

OPTIONS = "{{ var.value.get('sparkify_options', '') }}"
FROM_SCORES = ("scoring", "decision", "monitoring", "reporting")
TO_SCORES = ("ingestion", "feature_engineering", *FROM_SCORES)
TO_CHAMPIONS = ("ingestion", "feature_engineering", "user_types", "sampling", "modeling", *FROM_SCORES)


def runs(name: str, schedule: str, pipelines: Sequence[str]) -> DAG:
    """A DAG whose tasks run pipelines one after the other; each reads the newest versions of what it needs."""
    retries = {"retries": 1, "retry_delay": timedelta(minutes=10)}
    with DAG(
        name,
        schedule=schedule,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args=retries,
    ) as dag:
        tasks = [
            BashOperator(
                task_id=pipeline,
                bash_command=f".venv/bin/kedro run --pipelines={pipeline} {OPTIONS}",
                cwd="{{ var.value.sparkify_project }}",
            )
            for pipeline in pipelines
        ]
        chain(*tasks)
    return dag


scores = runs("sparkify_scores", "0 3 * * 1-6", TO_SCORES)
champions = runs("sparkify_champions", "0 3 * * 0", TO_CHAMPIONS)
