"""A log that violates the contract gives no events, and its rejected lines are stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from pyspark.sql import SparkSession

EVENT = {
    "ts": 1538352117000, "userId": "30", "sessionId": 29, "itemInSession": 0, "page": "Home", "level": "paid",
    "registration": 1538173362000,
}  # fmt: skip


def ingest(project: Path, log: bytes, **ingestion: Any) -> dict[str, Any]:
    """A run like ``kedro run --pipelines=ingestion``; its account of the log."""
    (project / "log.json").write_bytes(log)
    parameters = {"raw_events": "log.json"} | ({"ingestion": ingestion} if ingestion else {})
    with KedroSession.create(project_path=project, runtime_params=parameters) as session:
        session.run(pipeline_names=["ingestion"])
    files = sorted((project / "data/08_reporting/ingestion_report.json").glob("*/ingestion_report.json"))
    return json.loads(files[-1].read_text())


def lines(*events: bytes, end: bytes = b"\n") -> bytes:
    return b"".join(event + end for event in events)


def numbered(number: int, **changes: Any) -> bytes:
    return json.dumps(EVENT | {"itemInSession": number} | changes, ensure_ascii=False).encode()


def test_too_many_rejected_lines_stop_the_run_before_events_are_written(spark: SparkSession, project: Path) -> None:
    """The parsed and the rejected lines are there to look at, and a greater share goes on."""
    log = lines(*(numbered(item) for item in range(9)), b"dirt")
    with pytest.raises(ValueError, match=r"^1 of the log's 10 lines \(10.0%\) are rejected.*rejected_events"):
        ingest(project, log)
    made = {path.name for layer in (project / "data").glob("0*") for path in layer.iterdir()}
    assert made == {"parsed_lines", "rejected_events", "run_summary.json"}

    report = ingest(project, log, max_rejected_share=0.1)
    assert (report["events"], sum(report["rejected"].values())) == (9, 1)


def test_invalid_utf8_is_counted(spark: SparkSession, project: Path) -> None:
    """Invalid UTF-8 in a value is replaced and the event kept; where it tears a line apart, the line is rejected."""
    log = lines(
        b"\xef\xbb\xbf" + numbered(0),
        numbered(1, song="#").replace(b"#", b"\xff\xc3"),
        numbered(2, song="😀 שלום \u0000"),
        numbered(3).replace(b"}", b"\xe2}"),
        b"\xff\xfe\x00{",
        bytes(set(range(256)) - {10, 13}),
        numbered(4, song="#").replace(b"#", b"\xf0\x9f"),
        b"\xef\xbb\xbf" + numbered(5),
        end=b"\r\n",
    )
    report = ingest(project, log, max_rejected_share=0.5)
    assert report["lines_read"] == 8
    assert (report["events"], report["duplicates"], report["logged_out"]) == (5, 0, 0)
    assert report["rejected"] == {"not a JSON object": 3}


def test_a_log_given_twice_and_truncated_counts_each_event_once(spark: SparkSession, project: Path) -> None:
    log = lines(*(numbered(item) for item in range(30)))
    report = ingest(project, log + log + numbered(30)[:40])
    assert (report["events"], report["duplicates"], sum(report["rejected"].values())) == (30, 30, 1)
