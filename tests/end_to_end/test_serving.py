"""The server over the first run of a project: what it answers is what the run has stored."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd
import pytest
import requests

from documented import DOCS
from served import Server, serving

if TYPE_CHECKING:
    from conftest import Project


@pytest.fixture(scope="module")
def server(small_project: Project) -> Iterator[Server]:
    with serving(small_project.folder) as started:
        yield started


def test_every_user_has_the_stored_score_and_the_listed_reasons(small_project: Project, server: Server) -> None:
    """Spark wrote both; the server finds the reasons by numpy."""
    scores = small_project.table("07_model_output", "churn_scores").set_index("user_id")
    listed = pd.read_csv(small_project.newest("07_model_output", "users_at_risk.csv"), dtype={"user_id": str})
    found = {each["user_id"]: each for each in server.get("/users?top=1000")["users"]}
    assert {user: each["probability"] for user, each in found.items()} == scores["probability"].to_dict()
    assert {user: each["rank"] for user, each in found.items()} == scores["rank"].to_dict()
    columns = [name for name in listed.columns if name.startswith("reason_")]
    told = {row.user_id: [text for text in row[columns] if isinstance(text, str)] for _, row in listed.iterrows()}
    assert len(told) > 5
    assert {user: found[user]["reasons"] for user in told} == told
    one = listed["user_id"][0]
    assert server.get(f"/users/{quote(one)}")["reasons"] == told[one]


def test_the_rows_of_the_run_have_its_probabilities(small_project: Project, server: Server) -> None:
    """The same rows, sent to the server."""
    scores = small_project.table("07_model_output", "churn_scores").set_index("user_id")["probability"]
    rows = small_project.table("07_model_output", "rows_to_score").set_index("user_id")
    columns = list(server.get("/openapi.json")["components"]["schemas"]["Row"]["properties"])
    found = server.score(*json.loads(rows[columns].to_json(orient="records", double_precision=15)))["scores"]
    expected = scores.reindex(rows.index).to_list()
    assert [each["probability"] for each in found] == pytest.approx(expected, abs=1e-12)


def test_the_documented_requests_are_answered(small_project: Project, server: Server) -> None:
    known = small_project.table("07_model_output", "churn_scores")["user_id"][0]
    page = (DOCS / "serving.md").read_text()
    lines = [shlex.split(line) for line in page.splitlines() if line.startswith("curl ")]
    assert len(lines) >= 5
    for words in lines:
        headers = dict([words[2].split(": ")]) if words[1] == "-H" else {}
        path = words[-1].removeprefix("http://127.0.0.1:8000").replace("/users/100", f"/users/{known}")
        answer = requests.get(f"{server.address}{path}", headers=headers, timeout=20)
        assert answer.status_code == 200, (words, answer.text)


def test_the_documented_program_scores_a_row(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    code = (DOCS / "serving.md").read_text().split("```python\n")[1].partition("```")[0]
    told: dict[str, Any] = {}
    exec(code.replace("http://127.0.0.1:8000", server.address), told)  # noqa: S102 - our own page
    [scored] = json.loads(capsys.readouterr().out.replace("'", '"'))["scores"]
    assert 0 < scored["probability"] < 1
