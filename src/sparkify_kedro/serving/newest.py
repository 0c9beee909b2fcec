"""The forecast that is served now, replaced as a whole when a newer run is complete."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from .forecast import Forecast
from .stored_forecasts import StoredForecasts

logger = logging.getLogger(__name__)


class NewestForecast:
    """Looks for a newer run every few seconds, in a thread of its own.

    An answer takes ``forecast`` once, so that nothing in it is of another run.

    Args:
        stored: the stored runs.
        seconds: between two looks.
        when_new: called with every forecast that is served from then on.
    """

    def __init__(self, stored: StoredForecasts, seconds: float, when_new: Callable[[Forecast], None]) -> None:
        self._stored, self._seconds, self._when_new = stored, seconds, when_new
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="newest-forecast", daemon=True)
        self.forecast: Forecast | None = None
        self.problem: str | None = None

    def start(self) -> None:
        """Load the newest run, if there is one, and begin to look for newer ones."""
        self._try(self._replace)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        # The server answers from the start on. What trees need it loads for seconds, and reasons wait for it.
        self._try(self._prepare)
        while not self._stop.wait(self._seconds):
            self._try(self._replace)

    def _replace(self) -> None:
        version = self._stored.newest()
        if version is not None and (self.forecast is None or self.forecast.run != version):
            self._serve(version)
        self.problem = None

    def _serve(self, version: str) -> None:
        began = time.monotonic()
        found = self._stored.load(version)
        if self._thread.is_alive():
            _explain_one(found)
        self.forecast = found
        self._when_new(found)
        as_of = found.as_of and found.as_of.isoformat(timespec="seconds")
        users, seconds = len(found.positions), time.monotonic() - began
        logger.info("Serving run %s: %d users, as of %s (read in %.1f s).", version, users, as_of, seconds)

    def _prepare(self) -> None:
        if self.forecast is not None:
            _explain_one(self.forecast)

    def _try(self, step: Callable[[], None]) -> None:
        """Whatever is wrong with a file, the scores at hand are better than none."""
        try:
            step()
        except Exception as error:
            problem = f"the newest scores cannot be read: {error}"
            if problem != self.problem:
                logger.warning("%s", problem)
            self.problem = problem


def _explain_one(forecast: Forecast) -> None:
    """Do what the first request would wait for."""
    if forecast.is_explained:
        forecast.reasons_of(range(min(1, len(forecast.positions))))
