"""Random numbers from hashes: the same for a key whatever the partitions, the order of rows or the number of cores."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from .parameters import Split
from .vocabulary import KEYS

UNITS = {"user": ("user_id",), "row": KEYS}

# The bits of a hash that a double represents exactly.
_BITS = 53


def uniform_hash(seed: int, purpose: str, unit: str) -> Column:
    """A number in [0, 1), uniformly distributed over users or rows.

    Args:
        seed: the random seed.
        purpose: what the number is used for; different purposes have independent numbers.
        unit: ``user`` or ``row``: what has its own number.

    Returns:
        A double that depends on the seed, the purpose and the unit's key only.
    """
    keys = [F.col(name) for name in UNITS[unit]]
    hashed = F.xxhash64(F.lit(seed), F.lit(purpose), *keys)
    return F.shiftrightunsigned(hashed, 64 - _BITS) / F.lit(float(2**_BITS))


def is_held_out(split: Split, unit: str | None = None) -> Column:
    """Whether a row is held out for evaluation; ``unit`` instead of that of the split."""
    return uniform_hash(split.seed, "hold out", unit or split.hold_out.unit) < split.hold_out.share


def fold_of(split: Split) -> Column:
    """The fold of a row that is not held out: 0, 1, ..."""
    folds = split.folds
    return F.floor(uniform_hash(split.seed, "fold", folds.unit) * folds.number).cast("int")
