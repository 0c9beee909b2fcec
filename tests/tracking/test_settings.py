"""Where runs are tracked, and the names that MLflow allows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkify_kedro.tracking.mlflow_client import clean
from sparkify_kedro.tracking.settings import artifacts_beside, tracking_settings

SERVER = "https://mlflow.example"


@pytest.mark.parametrize(
    ("uri", "variable", "expected"),
    [(None, None, None), (None, "", None), (None, SERVER, SERVER), ("sqlite:///a.db", SERVER, "sqlite:///a.db")],
)
def test_the_parameter_comes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, uri: str | None, variable: str | None, expected: str | None
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if variable is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", variable)
    assert tracking_settings({"tracking": {"uri": uri, "experiment": "e"}}).target == expected


def test_unknown_settings_are_named() -> None:
    with pytest.raises(Exception, match=r"tracking.url is not a known parameter"):
        tracking_settings({"tracking": {"url": "x", "uri": None, "experiment": "e"}})


def test_files_of_a_local_database_lie_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert artifacts_beside("sqlite:///data/tracking.db") == (tmp_path / "data/tracked_files").as_uri()
    assert artifacts_beside(SERVER) is None


@given(st.text(min_size=1, max_size=400))
def test_names_have_only_what_mlflow_allows(name: str) -> None:
    assert re.fullmatch(r"[\w\-. /]{1,250}", clean(name))
    assert clean(clean(name)) == clean(name)
