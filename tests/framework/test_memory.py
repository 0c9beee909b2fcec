"""The peak of memory counts this process and those that it starts."""

from __future__ import annotations

import subprocess
import sys

from sparkify_kedro.framework.memory import peak_memory

MIB = 2**20
HOLD = "x = bytearray(b'1' * (200 * 2**20)); import time; time.sleep(0.6)"


def test_a_child_counts_while_it_runs() -> None:
    with peak_memory() as before:
        pass
    assert before.bytes > 10 * MIB
    with peak_memory() as peak:
        subprocess.run([sys.executable, "-c", HOLD], check=True)
    assert 150 * MIB < peak.bytes - before.bytes < 600 * MIB
    with peak_memory() as after:
        pass
    assert after.bytes < peak.bytes - 100 * MIB
