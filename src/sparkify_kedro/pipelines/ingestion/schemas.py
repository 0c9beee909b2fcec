"""The tables that ingestion makes."""

from sparkify_kedro.tables import TableSchema

_EVENT_COLUMNS = """
    user_id string, session_id bigint, item_in_session bigint, ts bigint, page string, auth string, method string,
    status bigint, level string, registration bigint, gender string, location string, user_agent string,
    artist string, song string, length double
"""

# An event is its user, session, place in the session, moment and page: exact repeats of these count once.
EVENT_KEYS = ("user_id", "session_id", "item_in_session", "ts", "page")

events = TableSchema(name="events", columns=f"{_EVENT_COLUMNS}, event_date date", keys=EVENT_KEYS)
parsed_lines = TableSchema(name="parsed_lines", columns=f"outcome string, reason string, line string, {_EVENT_COLUMNS}")
rejected_events = TableSchema(name="rejected_events", columns="line string, reason string")
