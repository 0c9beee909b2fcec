"""The schemas of the tables that ingestion creates."""

import re

from sparkify_kedro.framework.files import FILE, FILE_COLUMNS
from sparkify_kedro.framework.table_schema import TableSchema

# The columns of an event: those of the raw log in snake_case, without personal ones.
EVENT_COLUMNS = {
    "user_id": "string",
    "session_id": "bigint",
    "item_in_session": "bigint",
    "ts": "bigint",
    "page": "string",
    "auth": "string",
    "method": "string",
    "status": "bigint",
    "level": "string",
    "registration": "bigint",
    "gender": "string",
    "location": "string",
    "user_agent": "string",
    "artist": "string",
    "song": "string",
    "length": "double",
}
_EVENT_COLUMNS = ", ".join(f"{name} {kind}" for name, kind in EVENT_COLUMNS.items())

# Lines that are equal in these columns are duplicates, and count once.
EVENT_KEYS = ("user_id", "session_id", "item_in_session", "ts", "page")
# Columns required in every line, and columns required for logged-in users.
NEEDED_COLUMNS = (*EVENT_KEYS[1:], "level")
LOGGED_IN_COLUMNS = ("user_id", "registration")
# Timestamps that later nodes compute with.
MOMENTS = ("ts", "registration")

events = TableSchema(name="events", columns=f"{_EVENT_COLUMNS}, event_date date", keys=EVENT_KEYS)
parsed_lines = TableSchema(
    name="parsed_lines",
    columns=(
        f"outcome string, failures array<string>, line string, {_EVENT_COLUMNS}, {FILE} struct<{FILE_COLUMNS}>, "
        "parser string, unknown_columns array<string>"
    ),
)
rejected_events = TableSchema(name="rejected_events", columns="line string, failures array<string>, file string")


def event_column(raw_name: str) -> str:
    """A raw column's name in snake_case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", raw_name).lower()
