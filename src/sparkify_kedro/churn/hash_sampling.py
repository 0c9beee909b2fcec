"""Chance by hash: the same for a key whatever the partitions, the order of rows or the number of cores."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

UNITS = {"user": ("user_id",), "row": ("user_id", "time_bin")}

# The bits of a hash that a double holds exactly.
_BITS = 53


def uniform_hash(seed: int, purpose: str, unit: str) -> Column:
    """A number in [0, 1), uniform over users or rows.

    Args:
        seed: the random seed.
        purpose: what the number is drawn for; different purposes give independent numbers.
        unit: ``user`` or ``row``: what has a number of its own.

    Returns:
        A double, a function of the seed, the purpose and the unit's key alone.
    """
    keys = [F.col(name) for name in UNITS[unit]]
    hashed = F.xxhash64(F.lit(seed), F.lit(purpose), *keys)
    return F.shiftrightunsigned(hashed, 64 - _BITS) / F.lit(float(2**_BITS))
