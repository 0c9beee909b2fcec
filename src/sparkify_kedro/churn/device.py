"""The family of a user's device, from the user agent."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

OTHER = "other"
# Family -> substring of its user agents; the first match counts (Android's also contain "Linux").
_SIGNS = {
    "ipad": "iPad",
    "iphone": "iPhone",
    "android": "Android",
    "windows": "Windows",
    "mac": "Macintosh",
    "linux": "Linux",
}
DEVICES = (*_SIGNS, OTHER)


def device_family(user_agent: Column) -> Column:
    """One of ``DEVICES``; ``other`` where the user agent is unknown or missing."""
    families = [F.when(user_agent.contains(sign), family) for family, sign in _SIGNS.items()]
    return F.coalesce(*families, F.lit(OTHER))


def device_flags() -> dict[str, Column]:
    """A 0/1 feature per family, from column ``device``."""
    return {f"device_{family}": (F.col("device") == family).cast("int") for family in DEVICES}
