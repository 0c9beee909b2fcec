"""The logs of two other services, mapped as docs/own-log.md says, from the log to report and scores."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import yaml
from omegaconf import OmegaConf

from thin_log import thin_lines

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.faults

MAPPINGS = re.findall(r"```yaml\n(ingestion:.*?)```", (Path(__file__).parents[2] / "docs/own-log.md").read_text(), re.S)
FORECAST = "will_churn_in_next_bin"
LOG = "data/01_raw/log"


def web_analytics(lines: Iterable[dict[str, Any]]) -> str:
    """JSON lines with microseconds, names of events and flattened parameters; no gender, level or registration."""
    events = {"NextSong": "play", "Home": "page_view", "Cancellation Confirmation": "unsubscribe"}
    return "".join(
        json.dumps(
            {
                "event_timestamp": line["ts"] * 1_000 + 7,
                "event_name": events.get(line["page"], line["page"].lower().replace(" ", "_")),
                "user_pseudo_id": f"{line['userId']}.{line['userId']}a",
                "ga_session_id": line["sessionId"],
                "event_params.title": line.get("song"),
                "device.category": "mobile",
            }
        )
        + "\n"
        for line in lines
        if line["userId"]
    )


def subscription_app(lines: Iterable[dict[str, Any]]) -> str:
    """CSV with times of day in a zone, and an event for each change of the plan; no sessions and no level."""
    events = {
        "NextSong": "track_started",
        "Submit Upgrade": "plan_upgraded",
        "Submit Downgrade": "plan_downgraded",
        "Cancellation Confirmation": "subscription_cancelled",
    }
    rows = [
        {
            "occurred_at": datetime.fromtimestamp(line["ts"] / 1e3, tz=UTC).isoformat(timespec="milliseconds"),
            "customer": f"customer-{line['userId']}",
            "event": events.get(line["page"], line["page"]),
            "signed_up_at": datetime.fromtimestamp(line["registration"] / 1e3, tz=UTC).isoformat(timespec="seconds"),
        }
        for line in lines
        if line["userId"]
    ]
    return pd.DataFrame(rows).to_csv(index=False)


@pytest.mark.parametrize(
    ("mapping", "convert", "name", "absent"),
    [
        (MAPPINGS[0], web_analytics, "export.json", {"is_male": "gender", "page_thumbs_up": "Thumbs Up"}),
        (MAPPINGS[1], subscription_app, "app.csv", {"is_male": "gender", "artists_in_time_bin": "artist"}),
    ],
    ids=["web analytics", "subscription app"],
)
@pytest.mark.usefixtures("spark")
def test_from_the_log_to_report_and_scores(
    new_project: Callable[[Path], Project],
    tmp_path: Path,
    mapping: str,
    convert: Callable[[Iterable[dict[str, Any]]], str],
    name: str,
    absent: dict[str, str],
) -> None:
    lines = [line for line in thin_lines() if line["userId"]]
    project = new_project(tmp_path / "project")
    path = project.folder / LOG / name
    path.parent.mkdir(parents=True)
    path.write_text(convert(lines))
    own = OmegaConf.create(yaml.safe_load(mapping))
    OmegaConf.save(own, project.folder / "conf/local/parameters_ingestion.yml")

    project.kedro("run", f"--params=raw_events={LOG}")

    report = project.report("ingestion_report.json")
    assert report["users"] == len({line["userId"] for line in lines})
    assert report["rejected"] == {}
    assert report["lines_read"] == len(lines)
    cancelled = {line["userId"] for line in lines if line["page"] == "Cancellation Confirmation"}
    scores = project.table("07_model_output", "churn_scores")
    assert len(scores) == report["users"] - len(cancelled)
    assert scores["probability"].between(0, 1).all()
    metadata = json.loads(project.newest("06_models", FORECAST, "champion_metadata.json").read_text())
    assert metadata["absent"].items() >= absent.items()
    assert not set(absent) & set(metadata["features"])
    (page,) = (project.folder / "data/08_reporting/report").glob("*/report.html")
    assert "Features left out, because the log does not have what they need" in page.read_text()
