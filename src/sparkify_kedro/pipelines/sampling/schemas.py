"""The tables that sampling makes, for every label alike: the rows of user_time_bins with what sampling adds."""

from sparkify_kedro.framework.table_schema import TableSchema

KEYS = ("user_id", "time_bin")

_LABELED = "user_id string, time_bin int, label int"

train_rows = TableSchema(name="train", columns=f"{_LABELED}, fold int", keys=KEYS, is_open=True)
test_rows = TableSchema(name="test", columns=_LABELED, keys=KEYS, is_open=True)
original_protocol_rows = TableSchema(
    name="original_protocol_rows", columns=f"{_LABELED}, is_held_out boolean", keys=KEYS, is_open=True
)
