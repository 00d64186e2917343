from __future__ import annotations

import json
from pathlib import Path

import pytest

from optbuild.execution.command import Command
from optbuild.measure.allocations import AllocationCounter, find_allocation_counter
from optbuild.testing import Reply, ScriptedExecutor
from optbuild.tools.dhat import parse_profile, total_of_process

FRAMES = ["[root]", "0x48417B4: malloc (in /v)", "0x11F8E7: ???", "0x4905DAE: fopen (in /lib/libc.so.6)"]


def make_file(command: str, *points: tuple[int, int, list[int]]) -> bytes:
    """A file of DHAT with bytes, blocks and stacks."""
    pps = [{"tb": size, "tbk": blocks, "fs": frames} for size, blocks, frames in points]
    document = {"dhatFileVersion": 2, "mode": "heap", "cmd": command, "pps": pps, "ftbl": FRAMES}
    return json.dumps(document).encode()


@pytest.fixture
def counter(tmp_path: Path) -> AllocationCounter:
    """The counter of a machine with valgrind."""
    (tmp_path / "valgrind").write_text("")
    (tmp_path / "valgrind").chmod(0o755)
    found = find_allocation_counter(ScriptedExecutor(lambda _: Reply()), {"PATH": str(tmp_path)}, tmp_path)
    assert isinstance(found, AllocationCounter)
    return found


def test_only_the_programs_that_are_compared_count(counter: AllocationCounter, tmp_path: Path) -> None:
    """Their processes add up; a shell around them is left out."""
    program = tmp_path / "app"
    program.write_bytes(b"")
    for number, name in enumerate((f"{program} x", str(program), "/bin/sh -c app")):
        (tmp_path / f"count.{number}").write_bytes(make_file(name, (10, 2, [1, 2]), (5, 1, [1, 3])))
    total = counter.read(tmp_path / "count", {"app": program})
    assert (total.blocks, total.bytes, total.own_blocks) == (6, 30, 4)
    with pytest.raises(ValueError, match="none of the programs"):
        counter.read(tmp_path / "count", {"other": tmp_path / "other"})


def test_what_a_library_asks_for_is_not_the_programs_own() -> None:
    """The caller of malloc decides, wherever the program was loaded."""
    profile = parse_profile(make_file("/p", (10, 3, [1, 3, 2]), (10, 1, [])))
    assert total_of_process(profile).own_blocks == 0


def test_a_count_that_misses_the_program_is_none(counter: AllocationCounter, tmp_path: Path) -> None:
    """A static program: valgrind sees only what a shared library allocates."""
    program = tmp_path / "app"
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00\x01" + bytes(43)
    program.write_bytes(header)
    (tmp_path / "count.1").write_bytes(make_file(str(program), (5, 1, [1, 3])))
    with pytest.raises(ValueError, match="the program brings the C library's allocator, linked statically"):
        counter.read(tmp_path / "count", {"app": program})


def test_files_of_an_earlier_run_are_not_counted_again(counter: AllocationCounter, tmp_path: Path) -> None:
    """They are removed before the next one."""
    (tmp_path / "count.1").write_bytes(b"")
    command = counter.counted(Command(argv=("/p/app",), cwd=tmp_path), tmp_path / "count")
    assert command.argv[-2:] == (f"--dhat-out-file={tmp_path}/count.%p", "/p/app")
    assert not (tmp_path / "count.1").exists()


def test_a_machine_without_valgrind_counts_none(tmp_path: Path) -> None:
    """And says so."""
    executor = ScriptedExecutor(lambda _: Reply())
    assert find_allocation_counter(executor, {"PATH": str(tmp_path)}, tmp_path) == "valgrind is not installed"
