"""The original's 25 features and three labels by DuckDB: a yardstick of another engine.

Run with a glob of the log's files and an output file: ``python benchmarks/duckdb_features.py GLOB FILE``.
"""

from __future__ import annotations

import sys

import duckdb

COUNTED = (
    "About", "Add Friend", "Add to Playlist", "Downgrade", "Error", "Help", "Home", "Logout", "NextSong", "Roll Advert",
    "Save Settings", "Settings", "Thumbs Down", "Thumbs Up", "Upgrade",
)  # fmt: skip
COLUMNS = {
    "ts": "BIGINT", "userId": "VARCHAR", "sessionId": "BIGINT", "page": "VARCHAR", "level": "VARCHAR",
    "registration": "BIGINT", "gender": "VARCHAR", "artist": "VARCHAR", "song": "VARCHAR",
}  # fmt: skip
BIN = 14 * 24 * 60 * 60 * 1000
QUERY = """
with events as (
    select *, trunc((ts - registration) / {bin})::int as time_bin
    from read_json('{files}', format = 'newline_delimited', columns = {columns})
    where userId != ''
), bins as (
    select
        userId, time_bin,
        max((gender = 'M')::int) as is_male,
        max((level = 'paid')::int) as paid_in_time_bin,
        max((level = 'free')::int) as free_in_time_bin,
        max((page = 'Cancellation Confirmation')::int) as churned_in_time_bin,
        max((page = 'Submit Downgrade')::int) as downgraded_in_time_bin,
        max((page = 'Submit Upgrade')::int) as upgraded_in_time_bin,
        {pages},
        count(distinct sessionId) as sessions_in_time_bin,
        count(distinct artist) as artists_in_time_bin,
        count(distinct song) as distinct_songs_in_time_bin
    from events
    group by userId, time_bin
), labeled as (
    select
        *,
        coalesce(max(churned_in_time_bin) over (user_bins range between 1 following and 1 following), 0)
            as will_churn_in_next_bin,
        coalesce(max(downgraded_in_time_bin) over (user_bins rows between unbounded preceding and 1 preceding), 0)
            as previously_downgraded
    from bins
    window user_bins as (partition by userId order by time_bin)
)
select *, greatest(churned_in_time_bin, will_churn_in_next_bin) as will_churn_soon from labeled
"""


def main(files: str, output: str) -> None:
    """Read, engineer and write Parquet, with two threads."""
    pages = ", ".join(f"count(*) filter (page = '{name}') as \"{name}\"" for name in COUNTED)
    query = QUERY.format(bin=BIN, files=files, columns=COLUMNS, pages=pages)
    connection = duckdb.connect(config={"threads": 2})
    connection.execute(f"copy ({query}) to '{output}' (format parquet)")


if __name__ == "__main__":
    main(*sys.argv[1:])
