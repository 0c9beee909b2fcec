"""Scoring uses the nodes of training for ingestion and feature engineering."""

from __future__ import annotations

import pytest
from kedro.pipeline import Pipeline

from sparkify_kedro.pipeline_registry import register_pipelines
from sparkify_kedro.pipelines.feature_engineering.labels import LABELS


@pytest.fixture(scope="module")
def pipelines() -> dict[str, Pipeline]:
    return register_pipelines()


@pytest.mark.parametrize("name", ["ingestion", "feature_engineering"])
def test_the_nodes_of_training_are_reused_whole(pipelines: dict[str, Pipeline], name: str) -> None:
    """Each node of training has its twin in the namespace: the same function, the same parameters."""
    twins = {node.name: node for node in pipelines["scoring"].nodes}
    for node in pipelines[name].nodes:
        twin = twins[f"scoring.{node.name}"]
        assert twin.func is node.func
        assert twin.namespace == "scoring"
        assert [given for given in twin.inputs if given.startswith("params:")] == [
            given for given in node.inputs if given.startswith("params:")
        ]


def test_training_outputs_are_not_overwritten(pipelines: dict[str, Pipeline]) -> None:
    made = pipelines["scoring"].all_outputs()
    assert {"churn_scores", "users_at_risk", "drift_report"} <= made
    for name, pipeline in pipelines.items():
        if name != "scoring":
            assert not made & pipeline.all_outputs()


def test_inputs_are_a_log_and_stored_training_outputs(pipelines: dict[str, Pipeline]) -> None:
    inputs = {name for name in pipelines["scoring"].inputs() if not name.startswith("params:")}
    champions = {f"{label}.{name}" for label in LABELS for name in ("champion", "champion_metadata")}
    assert inputs == {"scoring_events"} | champions


def test_features_depend_only_on_known_events(pipelines: dict[str, Pipeline]) -> None:
    (engineer,) = (node for node in pipelines["scoring"].nodes if node.name == "scoring.engineer_user_time_bins")
    (cut,) = (node for node in pipelines["scoring"].nodes if node.func.__name__ == "cut_at_as_of")
    assert set(cut.outputs) == {name for name in engineer.inputs if not name.startswith("params:")}
