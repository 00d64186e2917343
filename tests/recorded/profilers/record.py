"""Record what profilers say: `python tests/recorded/profilers/record.py RUSTC PERF VALGRIND SYMBOLIZER`.

A program with two threads, an inlined function and a recursion is sampled, simulated, and asked for its inlined
functions. Recorded so far: rustc 1.95.0, perf 6.1, valgrind 3.19, llvm-symbolizer 22, GNU addr2line 2.40.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from optbuild.tools import addr2line, callgrind_stacks, perf_record
from optbuild.tools.perf_record import CallGraph

HERE = Path(__file__).parent
SAMPLES = 12
PROGRAM = """
use std::hint::black_box;
#[inline(always)]
fn step(n: u64) -> u64 { black_box(n).wrapping_mul(6364136223846793005).rotate_left(7) }
#[inline(never)]
fn work(n: u64) -> u64 { let mut s = n; for _ in 0..n { s = step(s) } s }
#[inline(never)]
fn deep(depth: u64, n: u64) -> u64 { if depth == 0 { work(n) } else { deep(black_box(depth) - 1, n) ^ 1 } }
fn main() {
    let n: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let helper = std::thread::Builder::new().name("helper 7".into()).spawn(move || work(n)).unwrap();
    println!("{}", deep(3, n) ^ helper.join().unwrap());
}
"""


def main(rustc: str, perf: str, valgrind: str, symbolizer: str) -> None:
    """Build the program, watch it, and write down what the tools say."""
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        (work / "demo.rs").write_text(PROGRAM)
        _run(work, rustc, "-O", "-Cdebuginfo=1", "-Cforce-frame-pointers=yes", "demo.rs", "-o", "demo")
        argv = perf_record.make_record_argv(
            perf,
            work / "data",
            (str(work / "demo"), "20000000"),
            event="cpu-clock:u",
            frequency_hz=299,
            call_graph=CallGraph.FRAME_POINTERS,
        )
        _run(work, *argv)
        text = _run(work, *perf_record.make_script_argv(perf, work / "data"))
        samples = text.replace(scratch, "/p").split("\n\n")
        kept = [each for each in samples if "helper" in each][: SAMPLES // 2]
        kept += [each for each in samples if "deep" in each][: SAMPLES // 2]
        (HERE / "perf-script.txt").write_text("\n\n".join(kept) + "\n\n")
        argv = callgrind_stacks.make_record_argv(valgrind, work / "out", (str(work / "demo"), "100"))
        _run(work, *argv[:-2], "--toggle-collect=*4demo4deep*", *argv[-2:])
        (HERE / "callgrind.txt").write_text(next(work.glob("out.*")).read_text().replace(scratch, "/p"))
        addresses = sorted(
            {
                int(found, 16)
                for found in re.findall(r"^0x[0-9a-f]+", (HERE / "callgrind.txt").read_text(), re.MULTILINE)
            }
        )
        (work / "addresses").write_text(addr2line.render_addresses(addresses[:6]))
        for name, program in (("llvm-symbolizer", symbolizer), ("addr2line", "addr2line")):
            with (work / "addresses").open() as stdin:
                argv = addr2line.make_argv(program, work / "demo")
                answer = subprocess.run(argv, stdin=stdin, capture_output=True, text=True, check=True).stdout
            (HERE / f"{name}.txt").write_text(
                re.sub(r"^/.*/(?=\w+/\w+\.rs)", "/src/", answer.replace(scratch, "/p"), flags=re.MULTILINE)
            )


def _run(cwd: Path, *argv: str) -> str:
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main(*sys.argv[1:])
