"""The examples of the page on profiling: they compile, and the fast way gives what the slow one gives."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.cargo

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "profile-first.md"
_BLOCK = re.compile(r"^```rust\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TOPIC = re.compile(r"\*\*([\w ]+)\.\*\*|^## (\w+)", re.MULTILINE)
_LESS = ("Allocation", "Cloning", "Growth", "Dispatch")
HARNESS = """
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

struct Counting;
static BLOCKS: AtomicU64 = AtomicU64::new(0);
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BLOCKS.fetch_add(1, Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}
#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(way: fn(u64) -> u64) -> (u64, u64) {
    let before = BLOCKS.load(Relaxed);
    let value = std::hint::black_box(way)(1000);
    (value, BLOCKS.load(Relaxed) - before)
}
"""


def test_the_fast_way_gives_what_the_slow_way_gives(tmp_path: Path) -> None:
    """And where an example is about memory, it allocates less."""
    text = PAGE.read_text()
    before = [_TOPIC.findall(text[: found.start()])[-1] for found in _BLOCK.finditer(text)]
    topics = ["".join(name).split()[0] for name in before]
    blocks = _BLOCK.findall(text)
    assert len(set(topics)) == len(blocks) >= 7
    modules = [f"mod m{index} {{\n{block}}}\n" for index, block in enumerate(blocks)]
    calls = [
        f"let (slow, fast) = (count(m{index}::slow), count(m{index}::fast));\n"
        f'println!("{topic} {{}} {{}} {{}}", slow.0 == fast.0, slow.1, fast.1);\n'
        for index, topic in enumerate(topics)
    ]
    source = tmp_path / "page.rs"
    source.write_text(HARNESS + "".join(modules) + "fn main() {\n" + "".join(calls) + "}\n")
    argv = ["rustc", "--edition=2024", "-O", "-Adead_code", str(source), "-o", str(tmp_path / "page")]
    built = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    said = subprocess.run([str(tmp_path / "page")], capture_output=True, text=True, check=True).stdout
    found = {line.split()[0]: line.split()[1:] for line in said.splitlines()}
    assert {topic: equal for topic, (equal, _, _) in found.items()} == dict.fromkeys(topics, "true")
    for topic in _LESS:
        _, slow, fast = found[topic]
        assert int(fast) < int(slow), topic
