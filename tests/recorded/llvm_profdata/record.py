"""Record what llvm-profdata says: `python tests/recorded/llvm_profdata/record.py RUSTC LLVM_PROFDATA`.

Both must be of one LLVM major, which ends the names of the recorded files. Every complaint is provoked with a real
profile that is then damaged. Recorded so far: rustc 1.95.0 with its own tool (22), rustc 1.63.0 with Debian's (14).
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


def main(rustc: str, tool: str) -> None:
    """Make profiles, damage them, and write down what a merge of each says."""
    banner = _run(tool, "merge", "--version").stdout
    major = re.findall(r"LLVM version (\d+)", banner)[0]
    _keep("version", major, banner)
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        (work / "t.rs").write_text(PROGRAM)
        _run(rustc, "-O", "-Cprofile-generate=.", "t.rs", "-o", "t", cwd=work)
        for name, argument in (("a", "1000"), ("b", "500")):
            _run("./t", argument, cwd=work, env={"LLVM_PROFILE_FILE": f"{name}.profraw"})
        for name, data in _damaged((work / "a.profraw").read_bytes()).items():
            (work / f"{name}.profraw").write_bytes(data)
            _keep(f"merge-{name}", major, _merge(tool, work, (1, "b"), (1, name)))
        _keep("merge-missing", major, _merge(tool, work, (1, "b"), (1, "nowhere")))
        _keep("merge-overflow", major, _merge(tool, work, (2**63 - 1, "a"), (2**63 - 1, "b")))
        _merge(tool, work, (2, "a"))
        _keep("show", major, _run(tool, "show", "--value-cutoff=1", "--detailed-summary", "o", cwd=work).stdout)


def _damaged(good: bytes) -> dict[str, bytes]:
    """The same profile with one thing wrong each; the layout is that of `RawInstrProf::Header` in `InstrProf.h`."""
    version, words = good[8], [int.from_bytes(good[i : i + 8], "little") for i in range(0, 128, 8)]
    header, record = {8: (88, 48), 10: (128, 64)}[version]
    counters = header + words[2] + words[3] * record + words[4]
    huge = (2**60).to_bytes(8, "little")
    return {
        "empty": b"",
        "header": good[:40],
        "truncated": good[:-8],
        "magic": bytes(8) + good[8:],
        "text": b"this is not a profile\n" * 10,
        "format": good[:8] + b"\x63" + good[9:],
        "names": good[:-60] + b"\xff" * 60,
        "counter": good[: counters + 8] + huge + good[counters + 16 :],
    }


def _merge(tool: str, work: Path, *weighted: tuple[int, str]) -> str:
    (work / "list").write_text("".join(f"{weight},{name}.profraw\n" for weight, name in weighted))
    argv = (tool, "merge", "--input-files=list", "--output=o", "--failure-mode=any", "--num-threads=1")
    return _run(*argv, cwd=work, check=False).stderr


def _run(
    *argv: str, cwd: Path = HERE, env: dict[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=cwd, env=env, check=check, capture_output=True, text=True)


def _keep(case: str, major: str, text: str) -> None:
    (HERE / f"{case}.llvm{major}.txt").write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
