"""Names on the command line that do not exist come with the closest ones that do."""

from __future__ import annotations

import pytest

from sparkify_kedro.framework.registry import UnknownNameError, check_selection


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
