"""The scripts that make the examples' data."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# What each example's documentation promises: the files, and their size together.
FILES = {
    "wordfreq": {"train-novel.txt", "train-letters.txt", "bench-essays.txt", "bench-papers.txt"},
    "near-lines": {"train-notes.txt", "train-letters.txt", "bench-reports.txt"},
    "workspace": {"train.tsv", "train.wxr", "bench.tsv", "bench.wxr"},
}


def make_data(example: str, directory: Path, *, hash_seed: str) -> dict[str, bytes]:
    """Run a copy of the example's script in a directory of its own, and read what it wrote."""
    directory.mkdir(exist_ok=True)
    script = shutil.copy(EXAMPLES / example / "make_data.py", directory)
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    subprocess.run([sys.executable, script], cwd="/", env=environment, check=True, stdout=subprocess.DEVNULL)
    return {path.name: path.read_bytes() for path in (directory / "data").iterdir()}


@pytest.fixture(scope="module", params=FILES)
def example(request: pytest.FixtureRequest) -> str:
    """The name of an example that has data."""
    return str(request.param)


@pytest.fixture(scope="module")
def files(example: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the script writes, by file name."""
    return make_data(example, tmp_path_factory.mktemp(example), hash_seed="1")


def test_data_is_the_same_everywhere_and_written_once(example: str, files: dict[str, bytes], tmp_path: Path) -> None:
    """Another directory and hash seed give the same bytes, and a file that is there already is not written again."""
    present = tmp_path / "data" / min(FILES[example])
    present.parent.mkdir()
    present.write_bytes(files[present.name])
    os.utime(present, ns=(0, 0))
    assert set(files) == FILES[example]
    assert make_data(example, tmp_path, hash_seed="2") == files
    assert present.stat().st_mtime_ns == 0


def test_data_is_as_large_as_documented(example: str, files: dict[str, bytes]) -> None:
    """The README names the size of the data in megabytes."""
    promised = re.search(r"writes (\d+) MB", (EXAMPLES / example / "README.md").read_text(encoding="utf-8"))
    assert promised is not None
    assert round(sum(map(len, files.values())) / 1e6) == int(promised[1])


def test_training_and_benchmark_data_differ(files: dict[str, bytes]) -> None:
    """Benchmarks are held out: hardly a line of them was seen in training."""
    lines = {name: set(content.splitlines()) for name, content in files.items() if not name.endswith(".wxr")}
    trained: set[bytes] = set().union(*(found for name, found in lines.items() if name.startswith("train")))
    measured: set[bytes] = set().union(*(found for name, found in lines.items() if name.startswith("bench")))
    assert len(trained & measured) < 0.01 * len(measured)


def test_data_is_not_committed(example: str) -> None:
    """Git ignores what the script writes."""
    ignored = (EXAMPLES / example / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/data/", "/target/"} <= set(ignored)
