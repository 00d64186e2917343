"""Record what the crate dhat writes: `python tests/recorded/dhat/record.py`; it needs the registry.

Recorded so far: dhat 0.3.3 with rustc 1.95.0. Addresses are those of one run, and no test looks at them.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
MANIFEST = """
[package]
name = "own"
version = "0.1.0"
edition = "2021"
[dependencies]
dhat = "0.3"
[profile.release]
debug = 1
[workspace]
"""
PROGRAM = """
#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;
#[inline(never)]
fn words(times: usize) -> usize { (0..times).map(|i| i.to_string()).collect::<Vec<_>>().len() }
#[inline(never)]
fn brief(times: usize) -> usize { (0..times).map(|i| std::hint::black_box(format!("{i}")).len()).sum() }
fn main() {
    let _profiler = dhat::Profiler::new_heap();
    println!("{} {}", words(1000), brief(500));
}
"""


def main() -> None:
    """Build a program that counts itself, run it, and keep its file."""
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch) / "own"
        (project / "src").mkdir(parents=True)
        (project / "Cargo.toml").write_text(MANIFEST)
        (project / "src" / "main.rs").write_text(PROGRAM)
        subprocess.run([shutil.which("cargo") or "cargo", "run", "--release"], cwd=project, check=True)
        shutil.copyfile(project / "dhat-heap.json", HERE / "dhat-rs.json")


if __name__ == "__main__":
    main()
