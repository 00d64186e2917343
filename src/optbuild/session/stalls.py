"""How much tasks of this machine waited for a CPU meanwhile, as the kernel's pressure information counts it.

Sources: "PSI - Pressure Stall Information", https://docs.kernel.org/accounting/psi.html
"""

from __future__ import annotations

import re
import time
from pathlib import Path

_PRESSURE = Path("/proc/pressure/cpu")
_TOTAL = re.compile(r"^some .*total=(\d+)", re.MULTILINE)


class StallClock:
    """Started when it is made."""

    def __init__(self, file: Path = _PRESSURE) -> None:
        self._file = file
        self._began_s = time.monotonic()
        self._stalled_us = self._read()

    def share(self) -> float | None:
        """The share of the time since then in which some task waited; None if the kernel does not tell."""
        stalled_us, elapsed_s = self._read(), time.monotonic() - self._began_s
        if stalled_us is None or self._stalled_us is None or elapsed_s <= 0:
            return None
        return min(1.0, (stalled_us - self._stalled_us) / 1e6 / elapsed_s)

    def _read(self) -> int | None:
        try:
            match = _TOTAL.search(self._file.read_text())
        except OSError:
            return None
        return None if match is None else int(match[1])
