"""Record what rustc and cargo say of themselves: `python tests/recorded/rustc/record.py RUSTC CARGO`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TARGET = "x86_64-unknown-linux-gnu"


def main(rustc: str, cargo: str) -> None:
    """Write down the versions and the facts of a target; the toolchain's own place becomes `/toolchain`."""
    sysroot = _output(rustc, "--print", "sysroot").strip()
    prints = ("--print", "sysroot", "--print", "target-libdir", "--print", "cfg", "--target", TARGET)
    for name, text in (
        ("rustc-vV", _output(rustc, "-vV")),
        ("cargo-vV", _output(cargo, "-vV")),
        ("target-cpus", _output(rustc, "--print", "target-cpus", "--target", TARGET)),
        ("target", _output(rustc, *prints)),
    ):
        (HERE / f"{name}.txt").write_text(text.replace(sysroot, "/toolchain"))


def _output(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main(*sys.argv[1:])
