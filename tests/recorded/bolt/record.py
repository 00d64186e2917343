"""Record what BOLT says: `python tests/recorded/bolt/record.py RUSTC DIRECTORY_OF_LLVM_BOLT`.

Both must be of one LLVM major, which ends the names of the recorded files. Recorded so far: rustc 1.95.0 with Debian's
BOLT (22).
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PROGRAM = """
use std::env;
#[inline(never)]
fn work(n: u64) -> u64 { let mut s = 0; for i in 0..n { if i % 3 == 0 { s += i } else { s ^= i } } s }
#[inline(never)]
fn unused(n: u64) -> u64 { if n > 3 { n * 7 } else { n } }
fn main() {
    let n: u64 = env::args().nth(1).unwrap().parse().unwrap();
    println!("{}", work(n));
    if n == 1 { println!("{}", unused(n)) }
}
"""
LAYOUT = ("-reorder-blocks=ext-tsp", "-reorder-functions=cdsort", "-split-functions", "--no-huge-pages", "-dyno-stats")


def main(rustc: str, directory: str) -> None:
    """Instrument a program, run it, lay it out, and write down what each tool says."""
    bolt, merge = Path(directory) / "llvm-bolt", Path(directory) / "merge-fdata"
    banner = _run(bolt, "--version")
    major = re.findall(r"LLVM version (\d+)", banner)[0]
    _keep("version", major, banner)
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        (work / "t.rs").write_text(PROGRAM)
        _run(rustc, "-O", "-Clink-arg=-Wl,--emit-relocs", "-Cstrip=none", "t.rs", "-o", "t", cwd=work)
        counts = ("-instrument", f"--instrumentation-file={work}/c.fdata", "--instrumentation-file-append-pid")
        _keep("instrument", major, _run(bolt, "t", "-o", "i", *counts, cwd=work).replace(str(work), "WORK"))
        _run("./i", "1000", cwd=work)
        _run("./i", "500", cwd=work)
        files = [path.name for path in sorted(work.glob("c.fdata.*"))]
        _run(merge, "-o", "merged.fdata", *files, cwd=work)
        _keep("counts", major, (work / "merged.fdata").read_text())
        _keep("optimise", major, _run(bolt, "t", "-o", "o", "-data=merged.fdata", *LAYOUT, cwd=work))
        (work / "stale.fdata").write_text("1 main 1f3 1 main 2f7 0 12\n")
        _keep("stale", major, _run(bolt, "t", "-o", "s", "-data=stale.fdata", *LAYOUT, cwd=work))


def _run(program: str | Path, *arguments: str, cwd: Path | None = None) -> str:
    argv = [str(program), *arguments]
    done = subprocess.run(argv, cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout + done.stderr


def _keep(name: str, major: str, text: str) -> None:
    (HERE / f"{name}.llvm{major}.txt").write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
