"""The real server over a run that was stored by hand; nowhere is Java on its path."""

from __future__ import annotations

import json
import math
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings

from served import Server, serving
from stored_run import CALIBRATION, COEFFICIENTS, FEATURES, INTERCEPT, MEANS, TREE, USERS, StoredRun

FIRST, SECOND, THIRD = (f"2026-01-0{day}T00.00.00.000Z" for day in (1, 2, 3))
TOKEN = "a token"  # noqa: S105
WAIT = 0.1
NO_RUN = "no complete run has scored users yet: kedro run"
ROW: dict[str, Any] = dict(zip(FEATURES, USERS[0][2], strict=True))


def bounded(project: Path) -> Path:
    """The project with bounds that a test reaches."""
    path = project / "conf" / "base" / "parameters_serving.yml"
    written = yaml.safe_load(path.read_text())
    written["serving"] |= {"refresh_seconds": WAIT, "most_seconds": 2, "most_rows": 50, "most_bytes": 20_000}
    path.write_text(yaml.safe_dump(written))
    return project


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, copy_project: Callable[[Path], Path]) -> Iterator[Server]:
    project = bounded(copy_project(tmp_path_factory.mktemp("served")))
    StoredRun(project, FIRST).write()
    with serving(project) as started:
        yield started


def probability(*features: float) -> float:
    margin = INTERCEPT + sum(weight * value for weight, value in zip(COEFFICIENTS, features, strict=True))
    return 1 / (1 + math.exp(-(CALIBRATION["slope"] * margin + CALIBRATION["intercept"])))


ABOUT = {
    "run": FIRST, "model": f"model of {FIRST}", "label": "will_churn_in_next_bin", "as_of": "2018-11-30T23:59:55Z",
    "horizon_days": 14,
}  # fmt: skip
ADVERTS = "30 adverts in the last 14 days; half of all users have at most 4 (raises the risk)"
NEW = "registered 7.39 days ago; half of all users at least 55 days ago (raises the risk)"


def test_a_user(server: Server) -> None:
    """0.1 x (30 - 10) is more than any other feature adds; what half of all users have is no reason."""
    assert server.get("/users/17") == ABOUT | {
        "user_id": "17", "probability": 0.75, "rank": 1, "decile": 1, "reasons": [ADVERTS]
    }  # fmt: skip


def test_an_id_with_a_slash(server: Server) -> None:
    assert server.get("/users/a/b%20%C3%BC")["user_id"] == "a/b ü"
    assert server.get("/users/a%2Fb%20%C3%BC")["user_id"] == "a/b ü"


def test_an_unknown_user(server: Server) -> None:
    assert server.get("/users/nobody", 404) == {
        "detail": f"run {FIRST} has no score of such a user: unknown, or no longer at risk"
    }


def test_the_users_of_highest_risk(server: Server) -> None:
    found = server.get("/users?top=2")
    assert {key: found[key] for key in ABOUT} == ABOUT
    assert found["scored"] == 3
    assert [(each["user_id"], each["probability"], each["rank"]) for each in found["users"]] == [
        ("17", 0.75, 1),
        ("a/b ü", 0.5, 2),
    ]
    assert len(server.get("/users")["users"]) == 3
    assert server.get("/users?top=0", 422)["detail"][0]["loc"] == ["query", "top"]
    assert server.get("/users?top=1001", 422)["detail"][0]["loc"] == ["query", "top"]


def test_rows_are_scored_by_the_champion(server: Server) -> None:
    rows = [dict(zip(FEATURES, features, strict=True)) for _, _, features in USERS]
    found = server.score(*rows)
    assert {key: found[key] for key in ABOUT} == ABOUT
    expected = [probability(*features) for _, _, features in USERS]
    assert [each["probability"] for each in found["scores"]] == pytest.approx(expected, abs=1e-15)
    assert found["scores"][0]["reasons"] == [ADVERTS]


def test_a_column_that_only_reasons_tell_may_be_sent(server: Server) -> None:
    """No feature of the champion is of a device, so it is no reason; but its value is checked."""
    assert server.score(ROW | {"device": "mac"})["scores"][0]["reasons"] == [ADVERTS]
    [error] = server.score(ROW | {"device": "toaster"}, status=422)["detail"]
    assert error["loc"] == ["body", "rows", 0, "device"]
    assert "'ipad'" in error["msg"]


def test_every_wrong_field_is_named(server: Server) -> None:
    lacking = {name: value for name, value in ROW.items() if name != "page_thumbs_down"}
    found = server.score(ROW, lacking | {"page_roll_advert": "many", "log_tenure_days": 1e9, "x": 1}, status=422)
    assert {tuple(each["loc"]): each["msg"] for each in found["detail"]} == {
        ("body", "rows", 1, "page_roll_advert"): "Input should be a valid number",
        ("body", "rows", 1, "page_thumbs_down"): "Field required",
        ("body", "rows", 1, "log_tenure_days"): "Input should be less than or equal to 100",
        ("body", "rows", 1, "x"): "Extra inputs are not permitted",
    }


@pytest.mark.parametrize(
    ("content", "kind", "status", "says"),
    [
        (b"{", "application/json", 422, "Invalid JSON"),
        (b"[]", "application/json", 422, "should be an object"),
        (b'{"rows": [{"page_roll_advert": NaN}]}', "application/json", 422, "page_roll_advert"),
        (b"{}", "text/plain", 415, "application/json"),
        (b" " * 20_001, "application/json; charset=utf-8", 413, "more than 20000 bytes: send fewer rows"),
        (json.dumps({"rows": [ROW] * 51}).encode(), "application/json", 422, "at most 50 items"),
        (b'{"rows": []}', "application/json", 422, "at least 1 item"),
    ],
)
def test_bodies_that_are_refused(server: Server, content: bytes, kind: str, status: int, says: str) -> None:
    answer = server.session.post(f"{server.address}/score", data=content, headers={"Content-Type": kind}, timeout=20)
    assert answer.status_code == status, answer.text
    assert says in json.dumps(answer.json()["detail"])


def test_a_body_of_unknown_length_is_bounded(server: Server) -> None:
    pieces = (b" " * 1_000 for _ in range(1_000))
    kind = {"Content-Type": "application/json"}
    answer = requests.post(f"{server.address}/score", data=pieces, headers=kind, timeout=20)
    assert answer.status_code == 413


def test_a_body_that_never_ends_is_not_waited_for(server: Server) -> None:
    host, _, port = server.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = "POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        connection.sendall(head.encode())
        assert b" 504 " in connection.recv(1_000)


def test_the_model(server: Server) -> None:
    found = server.get("/model")
    assert {key: found[key] for key in ABOUT} == ABOUT
    assert list(found["features"]) == FEATURES
    assert found["features"]["page_roll_advert"]["training_mean"] == 10
    assert (found["algorithm"], found["threshold"], found["is_recalibrated"]) == ("logistic_regression", 0.4, False)
    assert len(found["fingerprint"]) == 64


def test_metrics(server: Server) -> None:
    before = server.session.get(f"{server.address}/metrics", timeout=20).text
    assert "sparkify_scored_users 3.0" in before
    assert "sparkify_as_of_timestamp_seconds 1.543622395e+09" in before
    server.get("/users/17")
    counted = 'http_requests_total{handler="/users/{user_id:path}",method="GET",status="200"}'

    def count(text: str) -> float:
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(counted))

    assert count(server.session.get(f"{server.address}/metrics", timeout=20).text) == count(before) + 1


def test_the_pages_of_the_document_need_no_other_server(server: Server) -> None:
    page = server.session.get(f"{server.address}/docs", timeout=20).text
    assert "://" not in page.replace("http://www.w3.org", "")
    row = server.get("/openapi.json")["components"]["schemas"]["Row"]
    assert set(row["properties"]) == {*FEATURES, "device"}
    assert row["required"] == FEATURES
    # What the page sends, unless it is changed: a row at the means of the training rows.
    assert server.score({name: row["properties"][name]["examples"][0] for name in FEATURES})["scores"][0][
        "probability"
    ] == pytest.approx(probability(*MEANS))


@pytest.mark.parametrize("mode", schemathesis.GenerationMode)
def test_it_keeps_to_its_own_openapi_document(server: Server, mode: schemathesis.GenerationMode) -> None:
    """Random requests that the document allows, or forbids: the answers' statuses, types and schemas."""
    document = schemathesis.openapi.from_url(f"{server.address}/openapi.json")

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(document.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate()

    ask()


def test_newer_scores_are_served_as_a_whole_and_broken_ones_are_not(
    project: Path,
) -> None:
    with serving(bounded(project), "--workers=1") as server:
        assert server.until(lambda health: True) == {
            "status": "waiting", "run": None, "as_of": None, "problem": NO_RUN
        }  # fmt: skip
        assert server.get("/users", 503) == {"detail": NO_RUN}
        StoredRun(project, FIRST).write([TREE], "random_forest")
        server.until(lambda health: health["run"] == FIRST)
        # Trees are explained, too: the user with 30 adverts goes right, the others go left.
        assert [each["reasons"] for each in server.get("/users")["users"]] == [
            [ADVERTS],
            [],
            ["0 adverts in the last 14 days; half of all users have at least 4 (lowers the risk)"],
        ]
        sure = 1 / (1 + math.exp(-(0.5 * 1 + 0.25)))
        assert server.score(ROW)["scores"] == [{"probability": pytest.approx(sure), "reasons": [ADVERTS]}]

        newer = StoredRun(project, SECOND, shift=0.125)
        newer.write_champion(algorithm="neural_network")
        newer.write_rows()
        newer.write_scores()
        time.sleep(5 * WAIT)
        assert server.get("/users/17")["probability"] == 0.75
        newer.complete("07_model_output/churn_scores", newer.made_from())
        server.until(lambda health: health["run"] == SECOND)
        user = server.get("/users/17")
        assert (user["probability"], user["model"], user["reasons"]) == (0.875, f"model of {SECOND}", None)
        assert "neural_network, which only Spark scores" in server.score(ROW, status=503)["detail"]
        assert server.get("/openapi.json")["components"]["schemas"]["ScoreRequest"] == {"type": "object"}

        StoredRun(project, THIRD).write()
        shutil.rmtree(project / "data" / "07_model_output" / "rows_to_score" / THIRD)
        health = server.until(lambda health: health["problem"] is not None)
        assert health["run"] == SECOND
        assert health["problem"].startswith("the newest scores cannot be read")
        assert server.get("/users/17")["run"] == SECOND


def test_beyond_this_machine_it_takes_a_token(project: Path) -> None:
    StoredRun(project, FIRST).write()
    with serving(bounded(project), "--host=0.0.0.0", "--workers=2", SPARKIFY_SERVING_TOKEN=TOKEN) as started:
        server = started._replace(address=started.address.replace("//0.0.0.0", "//127.0.0.1"))
        server.until(lambda health: health["run"] == FIRST)
        for path in ("/users/17", "/users", "/model", "/metrics"):
            assert "Authorization: Bearer TOKEN" in server.get(path, 401)["detail"]
        server.session.headers["Authorization"] = "Bearer another"
        server.score(ROW, status=401)
        server.session.headers["Authorization"] = f"Bearer {TOKEN}"
        assert server.get("/users/17")["rank"] == 1
        assert server.score(ROW)["run"] == FIRST
