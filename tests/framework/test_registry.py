"""Names on the command line that do not exist come with the closest ones that do."""

from __future__ import annotations

import pytest

from sparkify_kedro.framework.registry import (
    UnknownNameError,
    check_selection,
    makers_of,
    registered_pipelines,
    stages,
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"pipelines": ["ingest"]}, "There is no pipeline 'ingest': did you mean 'ingestion'?"),
        ({"pipeline": "ingest"}, "There is no pipeline 'ingest': did you mean 'ingestion'?"),
        ({"tags": ("random_forst",)}, "There is no tag 'random_forst': did you mean 'random_forest'?"),
        ({"namespaces": ["will_churn_son"]}, "There is no namespace 'will_churn_son': did you mean 'will_churn_soon'?"),
        ({"from_nodes": ["parse_line"]}, "There is no node 'parse_line': did you mean 'parse_lines'?"),
        ({"to_outputs": ["event"]}, "There is no dataset 'event': did you mean 'events'?"),
    ],
)
def test_an_unknown_name_comes_with_the_closest_known_one(options: dict[str, object], expected: str) -> None:
    with pytest.raises(UnknownNameError) as refused:
        check_selection(options)
    assert str(refused.value) == expected


def test_known_names_pass() -> None:
    check_selection(
        {
            "pipelines": ["ingestion", "__default__"],
            "tags": ["random_forest"],
            "namespaces": ["will_churn_soon", "will_churn_soon.random_forest"],
            "node_names": ["parse_lines"],
            "from_inputs": ["raw_events"],
            "to_nodes": None,
        }
    )


@pytest.mark.parametrize(
    ("datasets", "makers"),
    [
        (["will_churn_soon.champion", "churn_scores"], {"modeling", "scoring"}),
        # Not the smaller pipeline that makes a champion of the one there is.
        (["will_churn_in_next_bin.champion"], {"modeling"}),
        (["will_churn_soon.neural_network.model"], {"all_algorithms"}),
        (["events", "other_log.events"], {"ingestion", "score_other_log"}),
        (["no_such_dataset"], set()),
    ],
)
def test_the_smallest_pipelines_that_make_a_dataset_are_named(datasets: list[str], makers: set[str]) -> None:
    assert makers_of(datasets) == makers


def test_a_node_is_part_of_the_smallest_pipeline_that_has_it() -> None:
    found = stages()
    assert found["parse_lines"] == "ingestion"
    assert found["will_churn_soon.select_champion"] == "modeling"
    assert found["will_churn_soon.neural_network.search_model"] == "all_algorithms"
    assert set(found.values()) == set(registered_pipelines()) - {"__default__"}
