from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import WorkloadError
from optbuild.execution.command import Command
from optbuild.measure import guard
from optbuild.measure.contest import Contest
from optbuild.measure.guard import Disturbance, NoiseGuard, Reading, compare_readings, parse_stat, read_machine
from optbuild.testing import Reply, make_usage
from tests.unit.contest_cases import Track

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
STAT = """\
cpu  530148 33051 82924 671873 3984 0 1114 357 0 0
cpu0 236229 19381 38627 366014 957 7 259 173 11 0
cpu1 293919 13670 44297 305858 3026 0 854 184 0 0
cpu10 1 2 3 4 5 6 7 8 9 10
intr 56713220 0 0 112
ctxt 110571420
btime 1795420000
"""
OLD_STAT = "cpu  530148 33051 82924 671873\ncpu0 236229 19381 38627 366014 957 7 259\n"
QUIET = Reading(monotonic_s=100.0, boottime_s=200.0, busy_s=1000.0, steal_s=50.0)


def after(
    *, elapsed_s: float = 1.0, busy_s: float | None = 1000.0, steal_s: float | None = 50.0, suspended_s: float = 0.0
) -> Reading:
    """A reading some time after the quiet one."""
    return Reading(
        monotonic_s=100.0 + elapsed_s, boottime_s=200.0 + elapsed_s + suspended_s, busy_s=busy_s, steal_s=steal_s
    )


def make_disturbance(
    *,
    steal_ratio: float | None = 0.0,
    foreign_ratio: float | None = 0.0,
    elapsed_s: float = 1.0,
    suspended_s: float = 0.0,
) -> Disturbance:
    """What happened during a superblock of one second: nothing, but for what is given."""
    return Disturbance(
        elapsed_s=elapsed_s, steal_ratio=steal_ratio, foreign_ratio=foreign_ratio, suspended_s=suspended_s
    )


def make_guard(*disturbances: Disturbance, quiet: int = 0) -> NoiseGuard:
    """A guard that has seen these superblocks, and so many quiet ones."""
    return NoiseGuard(disturbances=[*disturbances, *(make_disturbance() for _ in range(quiet))])


def test_only_the_chosen_cores_count() -> None:
    """Busy is user, nice, system, irq and softirq; waiting is not busy, and guests are in user already."""
    busy_s, steal_s = parse_stat(STAT, {0})
    assert busy_s * TICKS_PER_S == 236229 + 19381 + 38627 + 7 + 259
    assert steal_s * TICKS_PER_S == 173


def test_several_cores_are_added_up() -> None:
    """A core's name is taken whole: `cpu1` is not `cpu10`; one that is offline has no line, and hides no other."""
    busy_s, steal_s = parse_stat(STAT, {1, 10, 64})
    assert busy_s * TICKS_PER_S == (293919 + 13670 + 44297 + 854) + (1 + 2 + 3 + 6 + 7)
    assert steal_s * TICKS_PER_S == 184 + 8


def test_cores_without_a_line_are_no_quiet_cores() -> None:
    """Where nothing is known about our cores, nothing is made up."""
    with pytest.raises(ValueError, match="no line for these cores"):
        parse_stat(STAT, {64})


def test_a_kernel_without_steal_is_told_apart_from_one_without_stealing() -> None:
    """Old kernels have fewer columns."""
    with pytest.raises(IndexError):
        parse_stat(OLD_STAT, {0})


@pytest.mark.parametrize("text", [None, "", "cpu\n", OLD_STAT, "cpu0 many 1 2 3 4 5 6 7\n", "cpu0\n"])
def test_what_the_kernel_does_not_tell_is_unknown(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hidden, foreign or damaged /proc/stat leaves the clocks, and hinders nothing."""
    if text is not None:
        (tmp_path / "stat").write_text(text)
    monkeypatch.setattr(guard, "_STAT", tmp_path / "stat")
    reading = read_machine({0})
    assert (reading.busy_s, reading.steal_s) == (None, None)
    assert reading.monotonic_s > 0


def test_without_a_clock_that_counts_suspension_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is only one clock, the two readings of it are one and the same."""
    monkeypatch.setattr(guard, "_STAT", tmp_path / "stat")
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    reading = read_machine()
    assert reading.boottime_s == reading.monotonic_s


def test_the_cores_of_this_process_are_read_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs on cores that we may not use does not disturb us; where nobody tells which, all of them are ours."""
    (tmp_path / "stat").write_text(STAT)
    monkeypatch.setattr(guard, "_STAT", tmp_path / "stat")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1}, raising=False)
    assert (read_machine().busy_s, read_machine().steal_s) == parse_stat(STAT, {1})
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert (read_machine().busy_s, read_machine().steal_s) == parse_stat(STAT, {0, 1})


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel does not tell")
def test_the_launcher_belongs_to_optbuild(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What starting programs costs is our own doing: where programs are short, it is a good part of a core."""
    monkeypatch.setattr(time, "process_time", lambda: 2.0)
    monkeypatch.setattr(guard, "_CHILDREN", tmp_path / "children")
    (tmp_path / "children").write_text(f"{os.getpid()} ")
    with_launcher_s = guard.read_own_cpu_s()
    assert guard.read_own_cpu_s() >= with_launcher_s > 2.0


def test_a_launcher_that_has_ended_or_is_not_told_counts_as_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be gone between the two looks, and not every kernel tells of children."""
    monkeypatch.setattr(time, "process_time", lambda: 2.0)
    monkeypatch.setattr(guard, "_CHILDREN", tmp_path / "children")
    assert guard.read_own_cpu_s() == 2.0
    (tmp_path / "children").write_text(f"{2**31} ")
    assert guard.read_own_cpu_s() == 2.0


def test_what_others_used_is_what_is_left() -> None:
    """Busy time less our own, and steal, are shares of the time that has passed."""
    disturbance = compare_readings(QUIET, after(elapsed_s=2.0, busy_s=1001.5, steal_s=50.1), own_cpu_s=0.5)
    assert disturbance.elapsed_s == pytest.approx(2.0)
    assert disturbance.foreign_ratio == pytest.approx(0.5)
    assert disturbance.steal_ratio == pytest.approx(0.05)
    assert disturbance.suspended_s == pytest.approx(0.0)


def test_counters_that_run_ahead_or_back_are_no_negative_shares() -> None:
    """The kernel counts busy time in ticks and a program's time exactly; steal has been seen to fall."""
    disturbance = compare_readings(QUIET, after(busy_s=1000.2, steal_s=49.0), own_cpu_s=0.3)
    assert (disturbance.foreign_ratio, disturbance.steal_ratio) == (0.0, 0.0)


def test_time_that_passed_while_the_machine_slept_is_suspension() -> None:
    """One of the clocks goes on in its sleep."""
    assert compare_readings(QUIET, after(suspended_s=30.0), own_cpu_s=0.0).suspended_s == pytest.approx(30.0)
    assert compare_readings(QUIET, after(suspended_s=-0.001), own_cpu_s=0.0).suspended_s == 0.0


def test_no_time_at_all_is_no_division_by_zero() -> None:
    """Two readings may fall together."""
    assert compare_readings(QUIET, QUIET, own_cpu_s=0.0).elapsed_s > 0


@pytest.mark.parametrize("which", ["before", "after"])
def test_what_is_unknown_at_one_end_is_unknown(which: str) -> None:
    """Half a measurement is none."""
    unknown = replace(QUIET, busy_s=None, steal_s=None)
    before, now = (unknown, after()) if which == "before" else (QUIET, after(busy_s=None, steal_s=None))
    disturbance = compare_readings(before, now, own_cpu_s=0.0)
    assert (disturbance.steal_ratio, disturbance.foreign_ratio) == (None, None)


def test_a_superblock_is_watched_from_its_beginning_to_its_end() -> None:
    """Our own CPU time is that of the measured programs and of optbuild itself, in between."""
    readings, own = iter([QUIET, after(busy_s=1001.0)]), iter([7.0, 7.25])
    watch = NoiseGuard(read=lambda: next(readings), own_cpu_s=lambda: next(own))
    watch.begin()
    disturbance = watch.end(programs_cpu_s=0.5)
    assert disturbance.foreign_ratio == pytest.approx(1.0 - 0.5 - 0.25)
    assert watch.disturbances == [disturbance]


@pytest.mark.parametrize(
    ("disturbance", "reason"),
    [
        (make_disturbance(), None),
        (make_disturbance(steal_ratio=0.05), None),
        (make_disturbance(steal_ratio=0.06), "steal 6%"),
        (make_disturbance(foreign_ratio=0.05), None),
        (make_disturbance(foreign_ratio=0.5), "other programs used 50% of a core"),
        (make_disturbance(suspended_s=0.1), None),
        (make_disturbance(suspended_s=2.0), "the machine was suspended for 2.0 s"),
        (make_disturbance(suspended_s=2.0, steal_ratio=0.9), "the machine was suspended for 2.0 s"),
        (make_disturbance(steal_ratio=0.9, foreign_ratio=0.9), "steal 90%"),
    ],
)
def test_more_than_a_twentieth_is_a_reason(disturbance: Disturbance, reason: str | None) -> None:
    """On a quiet machine the limit is 5%, and suspension is always one."""
    assert make_guard(disturbance, quiet=20).judge(disturbance) == reason


def test_a_short_superblock_may_lose_two_ticks() -> None:
    """The kernel counts in ticks: in a tenth of a second, two of them are more than a twentieth and mean nothing."""
    ticks = 2 / TICKS_PER_S / 0.1
    just, over = (make_disturbance(elapsed_s=0.1, steal_ratio=ticks * more) for more in (1.0, 1.1))
    watch = make_guard(just, over, quiet=30)
    assert watch.judge(just) is None
    assert watch.judge(over) == "steal 22%"


def test_what_is_usual_in_the_session_is_no_reason() -> None:
    """Three times the session's median is the limit, for steal and for other programs each on its own."""
    usual = [make_disturbance(steal_ratio=0.04, foreign_ratio=0.03) for _ in range(30)]
    watch = make_guard(*usual)
    assert watch.judge(make_disturbance(steal_ratio=0.12)) is None
    assert watch.judge(make_disturbance(steal_ratio=0.13)) == "steal 13%"
    assert watch.judge(make_disturbance(foreign_ratio=0.09)) is None
    assert watch.judge(make_disturbance(foreign_ratio=0.1)) == "other programs used 10% of a core"


def test_the_unknown_never_taints() -> None:
    """What the kernel does not tell is neither quiet nor disturbed, and does not enter the median."""
    unknown = make_disturbance(steal_ratio=None, foreign_ratio=None)
    assert make_guard(*[unknown] * 20).judge(unknown) is None
    assert not make_guard(*[unknown] * 20).is_noisy()
    usual = [make_disturbance(steal_ratio=0.04) for _ in range(11)]
    assert make_guard(*[unknown] * 200, *usual).judge(make_disturbance(steal_ratio=0.11)) is None


def test_a_machine_is_noisy_when_more_than_a_tenth_is_disturbed() -> None:
    """One in ten can be set aside; from then on it would be choosing the data."""
    loud = make_disturbance(foreign_ratio=0.5)
    assert not make_guard().is_noisy()
    assert not make_guard(*[loud] * 2, quiet=18).is_noisy()
    assert make_guard(*[loud] * 3, quiet=18).is_noisy()


def test_on_a_noisy_machine_what_is_usual_is_still_disturbance() -> None:
    """A session that was disturbed throughout does not pass for quiet because its median is high."""
    loud = make_disturbance(foreign_ratio=0.5)
    watch = make_guard(*[loud] * 20)
    assert watch.is_noisy()
    assert watch.judge(loud) == "other programs used 50% of a core"


def test_steal_is_told_of_the_whole_session() -> None:
    """Long superblocks weigh more, and unknown ones nothing."""
    assert make_guard().steal_ratio() is None
    assert make_guard(make_disturbance(steal_ratio=None)).steal_ratio() is None
    watch = make_guard(
        make_disturbance(steal_ratio=0.4, elapsed_s=1.0),
        make_disturbance(steal_ratio=0.0, elapsed_s=3.0),
        make_disturbance(steal_ratio=None, elapsed_s=100.0),
    )
    assert watch.steal_ratio() == pytest.approx(0.1)


class Neighbour:
    """A made-up machine on which another program uses a core while some of the superblocks run."""

    def __init__(self, track: Track, *, loud: set[int]) -> None:
        self.track, self.loud = track, loud
        self.begun = 0
        self.foreign_s = self._before_s = 0.0

    def read(self) -> Reading:
        """At every second reading a superblock has ended."""
        begins = self.begun % 2 == 0
        index, self.begun = self.begun // 2, self.begun + 1
        now_s = self.track.now_s
        if begins:
            self._before_s = now_s
        elif index in self.loud:
            self.foreign_s += 0.6 * (now_s - self._before_s)
        return Reading(monotonic_s=now_s, boottime_s=now_s, busy_s=self.foreign_s + now_s, steal_s=0.0)


def measure_beside(directory: Path, *, loud: set[int], max_time_s: float = 1e9) -> Contest:
    """Measure while a neighbour is loud during some superblocks, counted from 0."""
    directory.mkdir()
    track = Track(directory, noise=0.02)
    track.settings = replace(track.settings, max_time_s=max_time_s)
    track.read = Neighbour(track, loud=loud).read  # type: ignore[method-assign]  # this machine has a neighbour
    return track.measure()


REASON = "other programs used 60% of a core"


def test_a_superblock_beside_a_loud_neighbour_is_taken_once_more(tmp_path: Path) -> None:
    """The disturbed one is kept beside the data, and the one in its place has the same order of arms."""
    quiet = measure_beside(tmp_path / "quiet", loud=set())
    loud = measure_beside(tmp_path / "loud", loud={3})
    assert quiet.tainted == ()
    assert loud.tainted == (REASON,)
    assert not loud.noisy
    for before, now in zip(quiet.series, loud.series, strict=True):
        assert now.rounds[3].order == before.rounds[3].order
        assert now.rounds[3].tainted is None
        assert [block.tainted for block in now.set_aside] == [REASON]
        assert now.set_aside[0].values == before.rounds[3].values != now.rounds[3].values


def test_a_superblock_that_is_disturbed_again_stays(tmp_path: Path) -> None:
    """It is taken once more and not for ever; the second one stands in the data, marked."""
    rounds = len(measure_beside(tmp_path / "quiet", loud=set()).series[0].rounds)
    measurement = measure_beside(tmp_path / "loud", loud={3, rounds})
    wall = measurement.series[0]
    assert len(wall.rounds) == rounds
    assert [block.tainted for block in wall.set_aside] == [REASON]
    assert [block.tainted for block in wall.rounds if block.tainted] == [REASON]
    assert wall.rounds[3].tainted == REASON
    assert not measurement.noisy


def test_the_counters_alone_decide_and_never_the_values(tmp_path: Path) -> None:
    """The same values with other counters: another superblock is set aside, and no other value changes."""
    runs = {index: measure_beside(tmp_path / str(index), loud={index}) for index in (2, 5)}
    for index, measurement in runs.items():
        wall = measurement.series[0]
        assert len(wall.set_aside) == 1
        untouched = [block.values for number, block in enumerate(wall.rounds) if number not in {2, 5}]
        assert wall.set_aside[0].values == runs[7 - index].series[0].rounds[index].values
        assert untouched == [
            block.values for number, block in enumerate(runs[7 - index].series[0].rounds) if number not in {2, 5}
        ]


def test_on_a_noisy_machine_all_are_kept_and_marked(tmp_path: Path) -> None:
    """More than one in ten: nothing is taken again, and every disturbed superblock says so."""
    measurement = measure_beside(tmp_path / "loud", loud=set(range(1, 100)))
    wall = measurement.series[0]
    assert measurement.noisy
    assert wall.set_aside == ()
    assert [block.tainted for block in wall.rounds] == [None, *[REASON] * (len(wall.rounds) - 1)]
    assert len(measurement.tainted) == len(wall.rounds) - 1


def test_nothing_is_taken_again_when_the_time_is_up(tmp_path: Path) -> None:
    """The disturbed superblock stays in the data then, marked."""
    quiet = measure_beside(tmp_path / "quiet", loud=set())
    measurement = measure_beside(tmp_path / "loud", loud={3}, max_time_s=quiet.duration_s + 0.5 * quiet.round_s)
    wall = measurement.series[0]
    assert measurement.tainted == (REASON,)
    assert wall.set_aside == ()
    assert wall.rounds[3].tainted == REASON


def test_what_runs_between_the_timed_runs_is_no_neighbour(tmp_path: Path) -> None:
    """`--prepare` and `--conclude` are our own doing, however much they compute."""
    track = Track(tmp_path, beside="/bin/drop-caches")
    beside_s = 0.0

    def answer(command: Command) -> Reply | None:
        nonlocal beside_s
        if command.argv[0] != "/bin/drop-caches":
            return None
        beside_s += 50.0
        track.now_s += 50.0
        return Reply(usage=make_usage(wall_s=50.0))

    track.answer = answer
    track.read = Neighbour(track, loud=set()).read  # type: ignore[method-assign]  # this machine has a neighbour
    assert track.measure().tainted == ()
    assert beside_s > 0
    assert all(item.foreign_ratio == pytest.approx(0.0, abs=1e-9) for item in track.watching.disturbances)


def test_slow_preparations_may_use_up_the_budget(tmp_path: Path) -> None:
    """Where warming up alone took all the time there was, no round was measured, and the session still ends well."""
    track = Track(tmp_path, beside="/bin/drop-caches")
    track.settings = replace(track.settings, max_time_s=60.0)

    def answer(command: Command) -> Reply | None:
        if command.argv[0] != "/bin/drop-caches":
            return None
        track.now_s += 50.0
        return Reply()

    track.answer = answer
    measurement = track.measure()
    assert measurement.analysis.rounds == 0
    assert measurement.stopped_by_time


@pytest.mark.parametrize(
    ("reply", "how"),
    [
        (Reply(exit_code=0, timed_out=True), "was stopped after its timeout"),
        (Reply(survivors=("daemon (pid 12)",)), "left processes running"),
    ],
)
def test_what_runs_between_the_timed_runs_has_to_end_by_itself(tmp_path: Path, reply: Reply, how: str) -> None:
    """What it leaves running is ended before the run that it was for: that would not be noticed."""
    track = Track(tmp_path, beside="/bin/start-server")
    track.answer = lambda command: reply if command.argv[0] == "/bin/start-server" else None
    with pytest.raises(WorkloadError, match=f"`prepare` of workload 'small' {how}: /bin/start-server"):
        track.measure()
