"""Ask the noise guard how many disturbed superblocks it finds: a real program, and a load that comes and goes.

Everything runs on one core. The load is a process of its own that computes now and then, by its own clock and seed, and
logs in slices of some milliseconds how much CPU time it got. From that log, and not from the kernel's counters that the
guard reads, this module knows which superblocks were affected. Each session is appended to a file of raw results.

Usage: python -m validation.guard_rate [--seconds 40] [--sessions 3], or --page to write the page alone
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.execution.local import LocalExecutor
from optbuild.files import claim_directory
from optbuild.measure.arms import Arms
from optbuild.measure.contest import Venue, contest
from optbuild.measure.guard import Disturbance, NoiseGuard
from optbuild.measure.model import Arm
from optbuild.measure.settings import SamplingSettings
from optbuild.profile.load import command_line_workload
from optbuild.profile.model import BuildProfile, MeasureSettings
from optbuild.profile.workloads import Use
from optbuild.project.layout import Layout
from optbuild.record.host import describe_host
from optbuild.workloads.make_invocation import make_invocation
from optbuild.workloads.words import BuiltNames
from validation.guard_page import Block, Session, Slice, load_within, render
from validation.real import MARK, ROOT, compile_program

RAW = ROOT / "docs" / "measurement" / "guard.jsonl"
PAGE = ROOT / "docs" / "measurement" / "validation-guard.md"
REGIMES = {
    "no load": None,
    "now and then": (8.0, 14.0, 0.5, 1.0),
    "half of the time": (1.0, 4.0, 1.0, 4.0),
    "from the middle on": None,
}
"""Of each the shortest and longest pause, and the shortest and longest time that the load computes, in seconds."""
_PROGRAM = "program"
_RUN_S = 0.05
# Arguments: the log, the seed, and four bounds as in `REGIMES`. It ends with whoever started it.
LOAD = """
import os, random, sys, time
chance = random.Random(int(sys.argv[2]))
least_pause, most_pause, least, most = map(float, sys.argv[3:])
parent = os.getppid()
log = open(sys.argv[1], "a", buffering=1)
while os.getppid() == parent:
    time.sleep(chance.uniform(least_pause, most_pause))
    until = time.monotonic() + chance.uniform(least, most)
    while (began := time.monotonic()) < until and os.getppid() == parent:
        used = time.thread_time()
        while time.monotonic() < began + 0.005:
            pass
        log.write(f"{began} {time.monotonic()} {time.thread_time() - used}\\n")
"""


@dataclass(slots=True)
class LoggedGuard(NoiseGuard):
    """The guard, with the times of each superblock and what it said of it."""

    begun_s: list[float] = field(default_factory=list)
    ended_s: list[float] = field(default_factory=list)
    said: dict[int, str | None] = field(default_factory=dict)

    def begin(self) -> None:
        """A superblock begins."""
        NoiseGuard.begin(self)
        self.begun_s.append(self.read().monotonic_s)

    def end(self, *, programs_cpu_s: float) -> Disturbance:
        """A superblock has ended."""
        self.ended_s.append(self.read().monotonic_s)
        return NoiseGuard.end(self, programs_cpu_s=programs_cpu_s)

    def judge(self, disturbance: Disturbance) -> str | None:
        """Judge, and remember."""
        reason = NoiseGuard.judge(self, disturbance)
        self.said[id(disturbance)] = reason
        return reason


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the sessions and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--sessions", type=int, default=3, help="of each kind")
    parser.add_argument("--page", action="store_true", help="run nothing, and write the page of the sessions there are")
    options = parser.parse_args(arguments)
    if not options.page:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        with tempfile.TemporaryDirectory(prefix="optbuild-guard-") as directory:
            program = compile_program(Path(directory))
            program.write_bytes(program.read_bytes() + MARK + f"{0.0:<20}".encode())
            for number in range(options.sessions):
                for regime in REGIMES:
                    append(run_session(Path(directory) / f"{number} {regime}", program, regime, options.seconds))
                    print(f"{regime}: {number + 1} of {options.sessions}", flush=True)
    sessions = load()
    if not sessions:
        parser.error("there is no session yet")
    PAGE.write_text(render(sessions))


def run_session(directory: Path, program: Path, regime: str, seconds: float) -> Session:
    """Measure the program against its copy beside a load, for so many seconds."""
    directory.mkdir()
    claim_directory(directory)
    seed = secrets.randbits(32)
    log = directory / "load.log"
    bounds = REGIMES[regime]
    if regime == "from the middle on":
        bounds = (seconds / 2, seconds / 2, 10 * seconds, 10 * seconds)
    guard = LoggedGuard()
    with a_load(log, seed, bounds), LocalExecutor(emit=lambda _: None) as executor:
        measure(executor, guard, directory, program, seconds)
    slices = [Slice(*map(float, line.split())) for line in log.read_text().splitlines()] if log.is_file() else []
    times = zip(guard.begun_s, guard.ended_s, guard.disturbances, strict=True)
    return Session(
        regime=regime,
        seconds=seconds,
        seed=seed,
        host=f"{describe_host().cpu}, 1 core, {describe_host().kernel}",
        load_average=os.getloadavg()[0],
        noisy=guard.is_noisy(),
        blocks=tuple(
            Block(
                elapsed_s=end - begin,
                load_cpu_s=load_within(slices, begin, end),
                steal_ratio=disturbance.steal_ratio,
                foreign_ratio=disturbance.foreign_ratio,
                reason=guard.said[id(disturbance)],
            )
            for begin, end, disturbance in times
        ),
    )


@contextmanager
def a_load(log: Path, seed: int, bounds: tuple[float, float, float, float] | None) -> Iterator[None]:
    """The load, which is no child of this process: what its children use is its own."""
    if bounds is None:
        yield
        return
    script = '"$@" & read -r _; kill $!; wait'
    argv = ["sh", "-c", script, "sh", sys.executable, "-IS", "-c", LOAD, str(log), str(seed), *map(str, bounds)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as shell:
        try:
            yield
        finally:
            shell.communicate()  # the end of its input is what ends it


def measure(executor: LocalExecutor, guard: NoiseGuard, directory: Path, program: Path, seconds: float) -> None:
    """One measuring session, as `optbuild bench` has it, that only its time ends."""
    workload = command_line_workload((f"{{bin:{_PROGRAM}}}",), (Use.BENCH,), directory, _PROGRAM)
    invocation = make_invocation(
        workload,
        BuildProfile(path=None, directory=directory, variants={}, measure=MeasureSettings()),
        BuiltNames(bins=(_PROGRAM,), default_bin=_PROGRAM),
        scratch=directory / "scratch",
        environ={},
    )
    settings = SamplingSettings(
        precision=1e-6,
        min_effect=0.01,
        max_time_s=seconds,
        confidence=0.95,
        seed=secrets.randbits(32),
        counting_share=0.0,
    )
    venue = Venue(
        executor=executor,
        emit=lambda _: None,
        environ={},
        layout=Layout.apart(directory),
        make_guard=lambda: guard,
    )
    arms = Arms(variants={Arm(variant=_PROGRAM): {_PROGRAM: program}})
    contest(arms, (invocation,), settings, venue, run_s={_PROGRAM: _RUN_S})


def load() -> list[Session]:
    """The sessions so far."""
    lines = RAW.read_text().splitlines() if RAW.is_file() else []
    return [Session.parse(json.loads(line)) for line in lines]


def append(session: Session) -> None:
    """Keep a session."""
    RAW.parent.mkdir(parents=True, exist_ok=True)
    with RAW.open("a") as stream:
        stream.write(json.dumps(session.as_json()) + "\n")


if __name__ == "__main__":
    main()
