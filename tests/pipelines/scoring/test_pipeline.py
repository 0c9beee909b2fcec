"""Scoring another log uses the nodes of training and of scoring; the run's own rows are scored in the default run."""

from __future__ import annotations

from typing import Any

import pytest
from kedro.pipeline import Node, Pipeline

from sparkify_kedro.pipeline_registry import register_pipelines

CHAMPION = {"will_churn_in_next_bin.champion", "will_churn_in_next_bin.champion_metadata"}


@pytest.fixture(scope="module")
def pipelines() -> dict[str, Pipeline]:
    return register_pipelines()


def bound(node: Node) -> tuple[Any, dict[str, Any]]:
    """The function of a node, and the values that it is bound to."""
    bound_to, func = getattr(node.func, "keywords", {}), node.func
    while (inner := getattr(func, "__wrapped__", getattr(func, "func", func))) is not func:
        bound_to, func = bound_to | getattr(inner, "keywords", {}), inner
    return func, bound_to


@pytest.mark.parametrize("name", ["ingestion", "feature_engineering", "scoring"])
def test_the_nodes_are_reused_whole(pipelines: dict[str, Pipeline], name: str) -> None:
    """Each node has its twin in the namespace: the same function, the same parameters."""
    twins = {node.name: node for node in pipelines["score_other_log"].nodes}
    for node in pipelines[name].nodes:
        twin = twins[f"other_log.{node.name}"]
        assert bound(twin) == bound(node)
        assert [given for given in twin.inputs if given.startswith("params:")] == [
            given for given in node.inputs if given.startswith("params:")
        ]


def test_no_output_of_a_run_is_overwritten(pipelines: dict[str, Pipeline]) -> None:
    made = pipelines["score_other_log"].all_outputs()
    assert {"other_log.churn_scores", "other_log.users_at_risk", "other_log.drift_report"} <= made
    assert all(name.startswith("other_log.") for name in made)


def test_inputs_are_a_log_its_earlier_lines_and_the_champion(pipelines: dict[str, Pipeline]) -> None:
    inputs = {name for name in pipelines["score_other_log"].inputs() if not name.startswith("params:")}
    assert inputs == {"scoring_events", "scoring_files", "other_log.earlier_lines"} | CHAMPION


def test_the_default_run_scores_its_own_rows(pipelines: dict[str, Pipeline]) -> None:
    assert {"churn_scores", "users_at_risk", "drift_report"} <= pipelines["__default__"].all_outputs()
    inputs = {name for name in pipelines["scoring"].inputs() if not name.startswith("params:")}
    assert inputs == {"user_time_bins", "log_span"} | CHAMPION
