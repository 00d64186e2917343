"""Run optbuild in this process, and write how many seconds of CPU time it took without the tools that it started.

Usage: python benchmarks/own_cpu.py FILE ARGUMENTS...
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from optbuild.cli.main import main

if __name__ == "__main__":
    file = Path(sys.argv.pop(1))
    try:
        main()
    finally:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        file.write_text(f"{usage.ru_utime + usage.ru_stime}\n")
