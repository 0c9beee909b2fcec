"""The tables of sampling, the same for every label: rows of user_time_bins with further columns."""

from sparkify_kedro.churn.vocabulary import KEYS
from sparkify_kedro.framework.table_schema import TableSchema

_LABELED = "user_id string, bin_end bigint, label int"

train_rows = TableSchema(name="train", columns=f"{_LABELED}, fold int", keys=KEYS, is_open=True)
test_rows = TableSchema(name="test", columns=f"{_LABELED}, is_balanced boolean", keys=KEYS, is_open=True)
original_protocol_rows = TableSchema(
    name="original_protocol_rows", columns=f"{_LABELED}, is_held_out boolean", keys=KEYS, is_open=True
)
