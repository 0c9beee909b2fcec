"""What Prometheus reads: requests and their duration, and which scores are served."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from prometheus_client import Gauge
from prometheus_fastapi_instrumentator import Instrumentator

from .forecast import Forecast


class ServedGauges:
    """Gauges on the forecast that is served; of several processes, the value that was set last."""

    def __init__(self) -> None:
        self._users = Gauge("sparkify_scored_users", "Users with a score", multiprocess_mode="mostrecent")
        self._run = Gauge(
            "sparkify_run_timestamp_seconds", "When the run of the scores began", multiprocess_mode="mostrecent"
        )
        self._as_of = Gauge(
            "sparkify_as_of_timestamp_seconds", "When the horizon of the scores begins", multiprocess_mode="mostrecent"
        )

    def show(self, forecast: Forecast) -> None:
        """Set them."""
        self._users.set(len(forecast.positions))
        began = datetime.strptime(forecast.run, "%Y-%m-%dT%H.%M.%S.%fZ").replace(tzinfo=UTC)
        self._run.set(began.timestamp())
        self._as_of.set((forecast.as_of_ms or 0) / 1_000)


def add_metrics(app: FastAPI, needs_token: list[Any]) -> None:
    """Measure all requests by route and status, and answer GET /metrics."""
    instrumentator = Instrumentator(
        should_group_status_codes=False, should_ignore_untemplated=True, excluded_handlers=["/metrics"]
    )
    instrumentator.instrument(app).expose(app, include_in_schema=False, dependencies=needs_token)
