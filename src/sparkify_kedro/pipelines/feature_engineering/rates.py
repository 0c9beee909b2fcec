"""Rate features: activity per observed day, song and session, in a bin and over a user's history.

Every rate is shrunk toward the average user's: (count + strength * average) / (exposure + strength), the posterior mean
of a Poisson rate under a gamma prior with the weight of ``strength`` units of exposure. Rates of activity are natural
logarithms, since users differ by factors; rates of pages are not.
"""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkify_kedro.churn.parameters import FeatureEngineering

ACTIVITIES = ("sessions", "songs", "active_days")
# The bin itself, and the time from registration to the end of the bin.
PERIODS = ("in_time_bin", "in_history")

MINUTE = 60_000


def shrunk(count: Column, exposure: Column, average: float, strength: float) -> Column:
    """Count per exposure, shrunk toward the average as if ``strength`` units of average exposure had been observed."""
    return (count + F.lit(strength * average)) / (exposure + F.lit(strength))


def average_per_day(activity: str, parameters: FeatureEngineering) -> float:
    """The average user's sessions, songs or active days per day."""
    average = parameters.population
    return {
        "sessions": average.sessions_per_day,
        "songs": average.sessions_per_day * average.songs_per_session,
        "active_days": average.active_days_per_day,
    }[activity]


def log_per_day(activity: str, count: Column, days: Column, parameters: FeatureEngineering) -> Column:
    """The logarithm of an activity's shrunk rate per observed day."""
    return F.log(shrunk(count, days, average_per_day(activity, parameters), parameters.shrinkage.days))


def period_rates(total: Callable[[str], Column], period: str, parameters: FeatureEngineering) -> dict[str, Column]:
    """The rate features of a period.

    Args:
        total: from the name of a total (``sessions``, ``songs``, ``active_days``, ``observed_days``, ``session_ms``,
            ``paid_ms`` and the keys of ``RATED_PAGES``) to its column for the period.
        period: the suffix of the features' names, one of ``PERIODS``.
        parameters: averages and strengths.

    Returns:
        Columns by feature name.
    """
    average, strength = parameters.population, parameters.shrinkage
    days, songs, sessions = total("observed_days"), total("songs"), total("sessions")
    minutes = total("session_ms") / MINUTE
    songs_per_day = average_per_day("songs", parameters)
    rates = {
        **{f"log_{name}_per_day": log_per_day(name, total(name), days, parameters) for name in ACTIVITIES},
        "log_songs_per_session": F.log(shrunk(songs, sessions, average.songs_per_session, strength.sessions)),
        "log_minutes_per_session": F.log(shrunk(minutes, sessions, average.minutes_per_session, strength.sessions)),
        "paid_time_share": F.coalesce(F.try_divide(total("paid_ms"), total("session_ms")), F.col("paid_at_end") * 1.0),
    }
    for page, per_1000 in average.per_1000_songs.items():
        per_day = per_1000 / 1_000 * songs_per_day
        rates[f"{page}_per_day"] = shrunk(total(page), days, per_day, strength.days)
        rates[f"{page}_per_1000_songs"] = 1_000 * shrunk(total(page), songs, per_1000 / 1_000, strength.songs)
    return {f"{name}_{period}": column for name, column in rates.items()}


def against_earlier_bins(
    in_bin: Callable[[str], Column], earlier: Callable[[str], Column], parameters: FeatureEngineering
) -> dict[str, Column]:
    """Logarithms of the user's mean rate over earlier bins and of this bin's ratio to it, per activity.

    Args:
        in_bin: from the name of a total to its column for the bin.
        earlier: the same for all bins before it.
        parameters: averages and strengths.

    Returns:
        Columns by feature name. Without earlier bins the mean is the average user's.
    """
    columns = {}
    for name in ACTIVITIES:
        before = log_per_day(name, earlier(name), earlier("observed_days"), parameters)
        columns[f"log_{name}_per_day_in_earlier_bins"] = before
        now = log_per_day(name, in_bin(name), in_bin("observed_days"), parameters)
        columns[f"log_{name}_per_day_against_earlier_bins"] = now - before
    return columns
