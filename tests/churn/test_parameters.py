"""Invalid parameters of feature engineering are reported in one sentence that names the key."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.validation.exceptions import ModelInstantiationError

from sparkify_kedro.churn.parameters import FeatureEngineering

FILE = Path(__file__).parents[2] / "conf/base/parameters_feature_engineering.yml"


@pytest.fixture
def values() -> dict[str, Any]:
    """The project's own."""
    return yaml.safe_load(FILE.read_text())["feature_engineering"]


def changed(values: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The values, with another one at a dotted path; without it, where it is ``...``."""
    result = copy.deepcopy(values)
    *blocks, key = path.split(".")
    block = result
    for name in blocks:
        block = block[name]
    if value is ...:
        del block[key]
    else:
        block[key] = value
    return result


def test_project_parameters_are_valid(values: dict[str, Any]) -> None:
    built = FeatureEngineering.model_validate(values)
    assert built.time_bin_days == 14
    assert built.population.per_1000_songs["thumbs_up"] == 55
    assert (built.shrinkage.days, built.shrinkage.songs, built.shrinkage.sessions) == (14, 200, 1)


PAGES = "adverts, thumbs_up, thumbs_down, friends, playlist, help, settings, upgrade, downgrade"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("time_bin_days", 0, "time_bin_days should be greater than or equal to 1 (it is 0)"),
        ("time_bin_days", 367, "time_bin_days should be less than or equal to 366 (it is 367)"),
        ("time_bin_days", "14", "time_bin_days should be a valid integer (it is '14')"),
        ("shrinkage.days", 0, "shrinkage.days should be greater than 0 (it is 0)"),
        ("shrinkage.songs", -200, "shrinkage.songs should be greater than 0 (it is -200)"),
        ("shrinkage.sessions", "one", "shrinkage.sessions should be a valid number"),
        ("shrinkage.sessions", float("inf"), "shrinkage.sessions should be a finite number (it is inf)"),
        ("shrinkage.weeks", 2, "shrinkage.weeks is not a known parameter"),
        ("shrinkage.days", ..., "shrinkage.days is missing"),
        ("shrinkage", ..., "shrinkage is missing"),
        ("population.sessions_per_day", 0, "population.sessions_per_day should be greater than 0 (it is 0)"),
        ("population.songs_per_day", 14, "population.songs_per_day is not a known parameter"),
        ("population.per_1000_songs.help", 0, "population.per_1000_songs.help should be greater than 0 (it is 0)"),
        ("population.per_1000_songs.help", ..., f"population.per_1000_songs must have exactly the keys {PAGES}"),
        ("population.per_1000_songs.error", 1.1, f"population.per_1000_songs must have exactly the keys {PAGES}"),
    ],
)
def test_an_invalid_value_is_reported_in_one_sentence(
    values: dict[str, Any], path: str, value: Any, expected: str
) -> None:
    with pytest.raises(ModelInstantiationError) as caught:
        FeatureEngineering.model_validate(changed(values, path, value))
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)
