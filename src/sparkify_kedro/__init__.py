"""Sparkify churn: from a music-streaming service's event log to churn predictions."""

import os

__version__ = "0.1.0"

# A project folder turns telemetry off in .telemetry; an installed package has no such file.
os.environ["KEDRO_DISABLE_TELEMETRY"] = "1"
