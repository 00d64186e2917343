"""Measuring on the machine that the tests run on: facts of the counters, never of speed."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.execution.command import Command, Stream
from optbuild.execution.local import LocalExecutor
from optbuild.measure.guard import Disturbance, NoiseGuard, read_machine, read_own_cpu_s
from optbuild.measure.instructions import InstructionCounter
from optbuild.tools import callgrind
from tests.integration.optbuild_program import await_that

BUSY = """
import os
os.sched_setaffinity(0, {%d})
parent = os.getppid()
print(os.getpid(), flush=True)
while os.getppid() == parent: pass
"""
COMPUTE = "for _ in range(40): sum(range(100_000))"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")

needs_proc = pytest.mark.skipif(
    read_machine().busy_s is None or not Path("/proc/self/schedstat").exists(),
    reason="the kernel does not tell what cores and processes do",
)


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


@contextmanager
def load_on(core: int) -> Iterator[int]:
    """A busy loop on one core, which is no child of this process; its pid. It ends with its parent."""
    script = '"$@" & read -r _; kill $!; wait'
    argv = ["sh", "-c", script, "sh", sys.executable, "-IS", "-c", BUSY % core]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        try:
            yield int(shell.stdout.readline())
        finally:
            shell.stdin.close()


@pytest.fixture
def core() -> Iterator[int]:
    """A core that this process, and all that it starts, is bound to."""
    before = os.sched_getaffinity(0)
    chosen = min(before)
    os.sched_setaffinity(0, {chosen})
    yield chosen
    os.sched_setaffinity(0, before)


def take(guard: NoiseGuard, executor: LocalExecutor, directory: Path) -> Disturbance:
    """Run something for a while, as a superblock does."""
    argv = (sys.executable, "-IS", "-c", COMPUTE)
    guard.begin()
    usages = [executor.run(Command(argv=argv, cwd=directory, stdout=Stream.NULL)).usage for _ in range(4)]
    return guard.end(programs_cpu_s=sum(usage.user_s + usage.system_s for usage in usages))


def share(disturbance: Disturbance) -> float:
    """The foreign share, which must be known here."""
    assert disturbance.foreign_ratio is not None
    return disturbance.foreign_ratio


def is_raised_in_the_middle(core: int, executor: LocalExecutor, directory: Path) -> bool:
    """Whether the foreign shares of a session in whose middle a load begins are higher beside it.

    Where others have most of the core anyway, one more load changes little: nothing is to be seen there.
    They are not higher where the kernel's two clocks do not agree: a pause of the whole machine is no tick, and the
    load's time.
    """
    guard = NoiseGuard()
    before = [take(guard, executor, directory) for _ in range(6)]
    with load_on(core) as pid:
        await_that(lambda: cpu_s(pid) > 0.05, "the load runs")
        for _ in range(6):
            used_s = cpu_s(pid)
            disturbance = take(guard, executor, directory)
            load_s = cpu_s(pid) - used_s
            # Whatever else ran, the load did: the kernel counts it in ticks, at either end of the superblock.
            if share(disturbance) * disturbance.elapsed_s <= load_s - 4 * TICK_S:
                return False
            if load_s > 0.2 * disturbance.elapsed_s:
                assert guard.judge(disturbance) is not None
    assert guard.is_noisy()
    usual = statistics.median(map(share, before))
    return usual > 0.5 or statistics.median(map(share, guard.disturbances[6:])) > usual + 0.1


@needs_proc
def test_a_load_that_begins_in_the_middle_taints_what_it_overlaps(core: int, tmp_path: Path) -> None:
    """Its CPU time stands in the foreign share of the superblocks beside it, and not of those before.

    What else uses this core may end just when the load begins: another session then shows the rise.
    """
    with LocalExecutor(emit=lambda _: None) as executor:
        assert any(is_raised_in_the_middle(core, executor, tmp_path) for _ in range(8))


@needs_proc
def test_what_optbuild_does_itself_is_not_foreign(core: int, tmp_path: Path) -> None:
    """Starting short programs takes a good part of a core: the launcher's share is known, and is ours."""
    with LocalExecutor(emit=lambda _: None) as executor:
        command = Command(argv=("true",), cwd=tmp_path, env={"PATH": os.defpath}, stdout=Stream.NULL)
        executor.run(command)
        assert executor._own.launcher is not None
        launcher = executor._own.launcher.process.pid
        own_s, launcher_s, process_s = read_own_cpu_s(), cpu_s(launcher), cpu_s(os.getpid())
        for _ in range(300):
            executor.run(command)
        launcher_s, process_s = cpu_s(launcher) - launcher_s, cpu_s(os.getpid()) - process_s
        own_s = read_own_cpu_s() - own_s
    assert launcher_s > 0
    assert own_s == pytest.approx(launcher_s + process_s, rel=0.2)


@needs_proc
def test_a_guard_reads_what_its_own_cores_do(core: int) -> None:
    """A process that is bound to one core asks for that one: its busy time is no more than the time that passes."""
    guard = NoiseGuard()
    guard.begin()
    sum(range(20_000_000))
    disturbance = guard.end(programs_cpu_s=0.0)
    assert disturbance.foreign_ratio is not None
    assert disturbance.steal_ratio is not None
    assert disturbance.foreign_ratio * disturbance.elapsed_s < disturbance.elapsed_s + 2 * TICK_S


def count(command: Command, executor: LocalExecutor, directory: Path) -> int:
    """The instructions of a command and of all that it starts, by callgrind, whatever else could count."""
    path = shutil.which("valgrind")
    if path is None:
        pytest.skip("valgrind is not installed")
    counter = InstructionCounter(
        name="callgrind",
        path=path,
        slowdown=60.0,
        make_argv=callgrind.make_count_argv,
        parse=callgrind.parse_count,
    )
    completed = executor.run(counter.counted(command, directory / "count"))
    assert completed.exit_code == 0
    return counter.read(directory / "count")


def test_two_counts_of_one_program_are_the_same_number(tmp_path: Path) -> None:
    """Instructions are exact, even where the machine is noisy and has no counters of its own."""
    command = Command(argv=("true",), cwd=tmp_path, env={"PATH": os.defpath}, timeout_s=60.0)
    with LocalExecutor(emit=lambda _: None) as executor:
        counts = {count(command, executor, tmp_path) for _ in range(2)}
    assert len(counts) == 1
    assert min(counts) > 1000


def test_what_a_script_starts_is_counted_with_it(tmp_path: Path) -> None:
    """Many workloads start the binary by a script: what is counted is not the shell alone."""
    env = {"PATH": os.defpath}
    (tmp_path / "data").write_bytes(bytes(1 << 20))
    alone = Command(argv=("cksum", "data"), cwd=tmp_path, env=env, stdout=Stream.NULL, timeout_s=60.0)
    script = replace(alone, argv=("sh", "-c", "cksum data; cksum data"))
    with LocalExecutor(emit=lambda _: None) as executor:
        assert count(script, executor, tmp_path) > 1.9 * count(alone, executor, tmp_path) > 1_000_000
