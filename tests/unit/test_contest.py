from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import WorkloadError
from optbuild.events import ActionFinished, ActionProgressed, ActionStarted, Notice
from optbuild.execution.command import Command, ProgramNotFoundError
from optbuild.measure.contest import Contest, describe_budget
from optbuild.measure.model import A_PRIME, AaVerdict, Arm, Superblock, Verdict
from optbuild.measure.schedule import PILOT_ROUNDS
from optbuild.measure.settings import SamplingSettings
from optbuild.measure.warnings import WarningKind
from optbuild.profile.model import MeasureSettings
from optbuild.profile.workloads import MetricName
from optbuild.testing import Reply, make_usage
from tests.unit.contest_cases import Track


@pytest.fixture
def track(tmp_path: Path) -> Track:
    """A quiet machine with a baseline and a candidate that needs 20% less."""
    return Track(tmp_path)


def blocks_of(measurement: Contest, metric: str = "wall") -> list[Superblock]:
    """All superblocks of one metric."""
    return [block for series in measurement.series if series.metric == metric for block in series.rounds]


def test_a_faster_binary_is_found_faster(track: Track) -> None:
    """The whole way from runs to a verdict, on a machine whose truth is known."""
    measurement = track.measure()
    suite = measurement.analysis.comparisons[0]
    assert (suite.candidate, suite.verdict) == ("pgo", Verdict.FASTER)
    assert suite.change == pytest.approx(-0.2, abs=0.002)
    assert measurement.analysis.aa.verdict is AaVerdict.OK
    assert measurement.settings.seed == 5713


def test_every_arm_runs_equally_often_in_mirrored_order(track: Track) -> None:
    """Within a superblock of short runs each arm stands as often and as early as any other."""
    track.run_s = 0.1
    for block in blocks_of(track.measure()):
        assert Counter(block.order) == dict.fromkeys(("release", "pgo", A_PRIME), 2)
        assert block.order == block.order[::-1]
        assert {arm: len(values) for arm, values in block.values.items()} == Counter(block.order)


def test_runs_follow_the_order_that_is_kept(track: Track) -> None:
    """Warm-up first, then each superblock's primer and order: what the record says is what was run."""
    track.run_s = 0.1
    measurement = track.measure()
    ran = [track.arm_of(command) for command in track.executor.commands]
    warm_up, rest = ran[:3], ran[3:]
    assert sorted(warm_up) == sorted(("release", "pgo", A_PRIME))
    expected = [arm for block in blocks_of(measurement) for arm in (block.order[0], *block.order)]
    assert rest == expected


def test_the_warm_up_does_not_count(track: Track) -> None:
    """The first run of a program is cold: it is in no value."""
    track.slow_start_s = 100.0
    measurement = track.measure()
    values = [value for block in blocks_of(measurement) for times in block.values.values() for value in times]
    assert max(values) < 2.0
    assert all(item.median_s < 2.0 for item in measurement.resources)


def test_the_primer_does_not_count(track: Track) -> None:
    """The run before a superblock of short runs absorbs what the one before left behind."""
    track.run_s = 0.1
    measurement = track.measure()
    counted = sum(len(block.order) for block in blocks_of(measurement))
    assert len(track.executor.commands) == 3 + PILOT_ROUNDS + counted


def test_the_baseline_runs_as_a_copy_of_itself(track: Track) -> None:
    """A' is another file of the same bytes: what differs between the two is the harness, not the program."""
    track.measure()
    files = sorted((track.root / "arms").glob("*/demo"))
    contents = [path.read_text() for path in files]
    assert contents == ["1.0", "0.8", "1.0"]
    assert len({path.stat().st_ino for path in files}) == 3
    assert track.directory / "release" / "demo" not in files


def test_all_arms_have_paths_of_equal_length(track: Track) -> None:
    """A path is part of a program's stack and may move its data; no arm gets an advantage by its name."""
    track.arms = {"release": 1.0, "a-very-long-name-of-a-variant": 1.0}
    track.__post_init__()
    track.measure()
    assert len({len(command.argv[0]) for command in track.executor.commands}) == 1


def test_arms_whose_files_have_other_names_have_paths_of_equal_length(track: Track) -> None:
    """Each file keeps its name, and its directory makes up for the length."""
    for arm, name in (("release", "tool"), ("pgo", "tool-with-profile")):
        path = track.directory / arm / name
        path.write_text(str(track.arms[arm]))
        track.binaries[arm] = {"demo": path}
    track.measure()
    programs = {command.argv[0] for command in track.executor.commands}
    assert {Path(program).name for program in programs} == {"tool", "tool-with-profile"}
    assert len(programs) == 3
    assert len({len(program) for program in programs}) == 1


def test_each_arm_has_the_programs_of_its_variant_beside_it(track: Track) -> None:
    """A program may start the one beside it: that of its own variant, and of no other."""
    for arm, binaries in track.binaries.items():
        engine = track.directory / arm / "engine"
        engine.write_text(f"engine of {arm}")
        binaries["engine"] = engine
    track.measure()
    found = {Path(command.argv[0]) for command in track.executor.commands}
    beside = sorted((path.read_text(), path.with_name("engine").read_text()) for path in found)
    assert beside == [("0.8", "engine of pgo"), ("1.0", "engine of release"), ("1.0", "engine of release")]


def test_each_run_starts_with_another_stack(track: Track) -> None:
    """A variable of random length shifts the stack, so that no arm keeps a lucky alignment."""
    track.measure()
    lengths = {len(command.env["OPTBUILD_PADDING"]) for command in track.executor.commands}
    assert len(lengths) > 10
    assert max(lengths) < 4096


def test_output_goes_to_a_file_that_is_gone_afterwards(track: Track) -> None:
    """Some programs do less when they write to the null device; what is left may be large."""
    track.measure()
    assert {command.stdout for command in track.executor.commands} == {track.root / "arms" / "stdout"}
    assert not (track.root / "arms" / "stdout").exists()


def test_runs_that_are_over_at_once_get_no_verdict(tmp_path: Path) -> None:
    """However precise their times are, they are those of starting a process; the suite with them gets none either."""
    track = Track(tmp_path, names=("small", "other"), run_s=0.001)
    measured = track.measure()
    assert {item.verdict for item in measured.analysis.comparisons} == {Verdict.INVALID}
    assert set(measured.silent) == {"small", "other"}
    assert {item.kind for item in measured.warnings[:2]} == {WarningKind.TOO_SHORT}


def test_each_run_finds_an_empty_scratch_directory(track: Track) -> None:
    """What one run left is no help to the next."""
    found: list[int] = []

    def look(command: Command) -> None:
        scratch = track.root / "scratch" / "small"
        found.append(len(list(scratch.iterdir())))
        (scratch / "left").touch()

    track.answer = look
    track.measure()
    assert set(found) == {0}


def test_measuring_goes_on_until_the_precision_is_reached(track: Track) -> None:
    """The pilot says how many rounds that takes; so many are taken, whatever they show."""
    track.noise = 0.05
    measurement = track.measure()
    assert measurement.wanted_rounds is not None
    assert measurement.wanted_rounds > PILOT_ROUNDS
    assert measurement.analysis.rounds == measurement.wanted_rounds
    assert not measurement.stopped_by_time
    assert describe_budget(measurement) is None


def test_a_quiet_machine_needs_the_pilot_alone(track: Track) -> None:
    """Where the pilot is precise enough, nothing more is run."""
    measurement = track.measure()
    assert measurement.analysis.rounds == measurement.wanted_rounds == PILOT_ROUNDS


def test_superblocks_grow_where_the_precision_takes_many(track: Track) -> None:
    """Once the pilot has shown that: fewer rounds of more runs have the same variance."""
    track.noise = 0.1
    blocks = blocks_of(track.measure())
    turns = [Counter(block.order)["release"] for block in blocks]
    assert turns == [1] * PILOT_ROUNDS + [6] * (len(blocks) - PILOT_ROUNDS)
    assert all(block.order == block.order[::-1] for block in blocks if len(block.order) == 4)


def test_superblocks_stay_small_where_the_time_is_short(track: Track) -> None:
    """However many are wanted: an interval needs many superblocks more than it needs large ones."""
    track.noise = 0.3
    track.settings = replace(track.settings, max_time_s=120.0)
    blocks = blocks_of(track.measure())
    assert {Counter(block.order)["release"] for block in blocks} == {1}
    assert len(blocks) > 3 * PILOT_ROUNDS


def test_the_control_takes_turns_less_often_after_the_pilot(track: Track) -> None:
    """It stays concurrent, and its check rests on the rounds that it took part in."""
    track.noise = 0.03
    found = track.measure()
    there = [A_PRIME in block.order for block in blocks_of(found)]
    assert all(there[:PILOT_ROUNDS])
    assert 0 < sum(there[PILOT_ROUNDS:]) < 0.5 * len(there[PILOT_ROUNDS:])
    assert found.analysis.aa.verdict is not AaVerdict.UNCHECKED


def test_a_large_change_is_measured_less_precisely_unless_a_figure_is_set(tmp_path: Path) -> None:
    """20% less to within 2%: after the same pilot, a fourth of the runs that 1% takes."""
    found = []
    for precision in (None, 0.01):
        (tmp_path / str(precision)).mkdir()
        track = Track(tmp_path / str(precision), noise=0.03)
        track.settings = replace(track.settings, precision=precision)
        found.append(track.measure())
    automatic, fixed = (sum(len(block.order) for block in blocks_of(each)) for each in found)
    assert automatic < 0.5 * fixed
    assert {each.analysis.comparisons[0].verdict for each in found} == {Verdict.FASTER}


def test_the_budget_ends_it(track: Track) -> None:
    """No round is begun that would not fit, and the advice says how long it would take."""
    track.noise = 0.05
    track.settings = replace(track.settings, max_time_s=120.0)
    measurement = track.measure()
    assert measurement.stopped_by_time
    assert PILOT_ROUNDS < measurement.analysis.rounds < (measurement.wanted_rounds or 0)
    assert 100 < measurement.duration_s <= 120.0
    advice = describe_budget(measurement)
    assert advice is not None
    assert advice.startswith(f"the requested precision takes {measurement.wanted_rounds} rounds: --max-time ")


def test_too_little_time_for_a_pilot_proves_nothing(track: Track) -> None:
    """A few rounds give no verdict, and the pilot is what the advice asks for."""
    track.settings = replace(track.settings, max_time_s=20.0)
    measurement = track.measure()
    assert measurement.wanted_rounds is None
    assert 0 < measurement.analysis.rounds < PILOT_ROUNDS
    assert f"takes {PILOT_ROUNDS} rounds: --max-time 1m" in (describe_budget(measurement) or "")


@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_a_default_run_of_three_short_workloads_takes_five_minutes_at_most(tmp_path: Path, noise: float) -> None:
    """With three variants, on machines from fair to hopeless; what more time would buy is said where there was none."""
    defaults = MeasureSettings()
    settings = SamplingSettings(
        precision=defaults.fixed_precision,
        min_effect=defaults.min_effect,
        max_time_s=defaults.max_time_s,
        confidence=defaults.confidence,
        seed=5713,
        counting_share=0.0,
    )
    track = Track(
        tmp_path,
        arms={"release": 1.0, "lto": 0.95, "pgo": 0.85},
        names=("parse", "query", "print"),
        run_s=0.4,
        noise=noise,
        settings=settings,
    )
    measurement = track.measure()
    assert measurement.analysis.rounds >= PILOT_ROUNDS
    assert measurement.duration_s <= 300.0
    assert measurement.stopped_by_time == (measurement.wanted_rounds != measurement.analysis.rounds)
    assert (describe_budget(measurement) is not None) == measurement.stopped_by_time
    assert measurement.stopped_by_time == (noise > 0.01)


def test_runs_that_turn_out_slow_while_warming_up_count_for_the_budget(track: Track) -> None:
    """A probe may have been lucky: a round that would not fit by what runs take now is not begun."""
    track.settings = replace(track.settings, max_time_s=25.0)
    track.answer = lambda _: track.slow_reply(5.0)
    measurement = track.measure()
    assert len(track.executor.commands) == 3, "a round takes 15 s now, not 3"
    assert measurement.stopped_by_time
    assert measurement.round_s == pytest.approx(15.0)


def test_a_budget_below_one_round_measures_nothing(track: Track) -> None:
    """What cannot be finished is not begun; that it cannot is seen by timing the baseline once."""
    track.settings = replace(track.settings, max_time_s=5.0)
    measurement = track.measure()
    assert len(track.executor.commands) == 1
    assert measurement.analysis.rounds == 0
    assert measurement.resources == ()


def test_very_short_programs_are_run_in_batches(track: Track) -> None:
    """Below a few milliseconds a run is mostly its start: several in a row are timed as one, per run."""
    track.run_s = 0.0011
    measurement = track.measure()
    (first, *_) = blocks_of(measurement)
    assert Counter(first.order)["release"] == 2
    assert len(first.values["release"]) == 2
    assert sum(first.values["release"]) / 2 == pytest.approx(0.0011, rel=0.01)
    runs_of_a_round = 1 + 5 * len(first.order)
    assert len(track.executor.commands) == 3 + PILOT_ROUNDS * runs_of_a_round


def test_a_run_that_was_too_short_to_time_is_no_division_by_zero(track: Track) -> None:
    """A probe of zero seconds counts as the shortest there is."""
    track.told_s = 0.0
    track.settings = replace(track.settings, max_time_s=1500.0)
    assert track.measure().analysis.rounds > 0


@pytest.mark.parametrize(("max_time_s", "turns"), [(1e9, 2), (7.5, 2), (4.5, 1)])
def test_short_programs_share_a_small_budget_out_over_ten_rounds(track: Track, max_time_s: float, turns: int) -> None:
    """Half a pass in each superblock, where there would be too few superblocks for an interval."""
    track.run_s = 0.08
    track.settings = replace(track.settings, max_time_s=max_time_s)
    measurement = track.measure()
    (first, *_) = blocks_of(measurement)
    assert Counter(first.order)["release"] == turns
    assert measurement.analysis.rounds >= PILOT_ROUNDS
    assert measurement.analysis.comparisons[0].verdict is Verdict.FASTER
    assert measurement.duration_s <= max_time_s


def test_all_metrics_are_kept_and_one_is_judged(track: Track) -> None:
    """Wall and CPU time come from the same runs; the workload says which of them decides."""
    track.metric = MetricName.CPU
    measurement = track.measure()
    assert [(series.metric, series.unit) for series in measurement.series] == [("wall", "s"), ("cpu", "s")]
    assert measurement.judged == {"small": "cpu"}
    assert {comparison.metric for comparison in measurement.analysis.comparisons} == {"cpu"}


def test_every_workload_is_in_every_round(track: Track) -> None:
    """Workloads take turns, so that all of them see the same hours of the machine."""
    track.names = ("one", "two")
    measurement = track.measure()
    assert [series.workload for series in measurement.series] == ["one", "one", "two", "two"]
    assert {len(series.rounds) for series in measurement.series} == {PILOT_ROUNDS}


def test_resources_are_of_all_counted_runs(track: Track) -> None:
    """Medians and peaks stand beside the verdicts, for each arm."""
    resources = {item.variant: item for item in track.measure().resources}
    assert resources["release"].median_s == pytest.approx(1.0, rel=0.01)
    assert resources["pgo"].median_s == pytest.approx(0.8, rel=0.01)
    assert {item.peak_rss_bytes for item in resources.values()} == {8 << 20}
    assert {item.peak_rss_floor_bytes for item in resources.values()} == {4 << 20}
    assert resources["pgo"].median_user_s == pytest.approx(0.72, rel=0.01)
    assert resources["pgo"].median_system_s == pytest.approx(0.08, rel=0.01)


def test_what_the_kernel_did_to_the_runs_is_kept(track: Track) -> None:
    """Page faults and context switches stand beside the times; who waits for the disk is warned about, but for A'."""
    track.answer = lambda command: Reply(
        usage=make_usage(wall_s=1.0, major_faults=3 * (track.arm_of(command) != "release"), involuntary_switches=7)
    )
    measurement = track.measure()
    kept = {
        item.variant: (item.median_major_faults, item.median_involuntary_switches) for item in measurement.resources
    }
    assert kept == {"release": (0, 7), "pgo": (3, 7), A_PRIME: (3, 7)}
    assert [item.message for item in measurement.warnings if item.kind is WarningKind.MAJOR_FAULTS] == [
        "pgo on small: each run waits for the disk (3 major page faults), which its wall time includes"
    ]


def test_one_arm_alone_is_measured_against_its_copy(track: Track) -> None:
    """Without a candidate the session still tells how quiet the machine is."""
    track.arms = {"release": 1.0}
    track.__post_init__()
    measurement = track.measure()
    assert measurement.analysis.comparisons == ()
    assert measurement.analysis.rounds >= PILOT_ROUNDS


def test_progress_is_told_by_rounds(track: Track) -> None:
    """The pilot is expected first, then as many rounds as the precision takes; each is told with what is known."""
    track.noise = 0.05
    measurement = track.measure()
    totals = [event.total for event in track.heard if isinstance(event, ActionStarted)]
    assert totals == [PILOT_ROUNDS, measurement.wanted_rounds]
    progress = [event.done for event in track.heard if isinstance(event, ActionProgressed)]
    assert progress == list(range(1, measurement.analysis.rounds + 1))
    details = [event.detail for event in track.heard if isinstance(event, ActionProgressed)]
    assert re.fullmatch(r"[\d.]+ (s|min \d+ s) left", details[0]), "one round has no interval"
    assert re.fullmatch(r"pgo \[−\d+\.\d%, −\d+\.\d%\], 0 ms left", details[-1])
    (finished,) = [event for event in track.heard if isinstance(event, ActionFinished)]
    assert finished.outcome == f"{measurement.analysis.rounds} rounds"


@pytest.mark.parametrize(
    ("reply", "how"),
    [
        (Reply(exit_code=3), "ended with exit code 3, expected exit code 0"),
        (Reply(exit_code=-15, timed_out=True), "was stopped after its timeout"),
        (Reply(survivors=("daemon (12)",)), "left processes running"),
    ],
)
def test_a_run_that_fails_ends_the_measuring(track: Track, reply: Reply, how: str) -> None:
    """There is no ratio with an arm that does not work; the arm and the way it ended are named."""
    track.answer = lambda command: reply if track.arm_of(command) == "pgo" else None
    with pytest.raises(WorkloadError, match=f"measuring pgo, {how}") as caught:
        track.measure()
    assert caught.value.location == str(track.root / "arms" / "stderr")


def test_a_program_that_cannot_be_started_ends_the_measuring(track: Track) -> None:
    """A workload's own program may be gone by now."""
    track.answer = lambda _: ProgramNotFoundError("/p/run.sh", "not found")
    with pytest.raises(WorkloadError, match=r"cannot start /p/run\.sh"):
        track.measure()


def test_what_belongs_between_runs_is_not_timed(track: Track) -> None:
    """A command before and after each run is run as often, and its own time is in no value."""
    track.beside = "/bin/drop-caches"
    beside: list[Command] = []

    def answer(command: Command) -> Reply | None:
        if command.argv[0] != "/bin/drop-caches":
            return None
        beside.append(command)
        track.now_s += 50.0
        return Reply()

    track.answer = answer
    measurement = track.measure()
    assert len(beside) == 2 * (len(track.executor.commands) - len(beside))
    assert all(item.median_s < 2.0 for item in measurement.resources)


def test_a_command_between_runs_has_to_succeed(track: Track) -> None:
    """A machine that was not prepared is another one."""
    track.beside = "/bin/drop-caches"
    track.answer = lambda _: Reply(exit_code=1, stderr=b"not permitted")
    with pytest.raises(WorkloadError, match="'small' ended with exit code 1: /bin/drop-caches") as caught:
        track.measure()
    assert caught.value.detail == "not permitted"


def test_a_disturbed_superblock_is_measured_again(track: Track) -> None:
    """What the machine's own counters say was disturbed is set aside, kept, and run once more."""
    runs = 0

    def sleep_once(_: Command) -> None:
        nonlocal runs
        runs += 1
        track.suspended_s += 30.0 * (runs == 40)

    track.noise = 0.02
    track.answer = sleep_once
    measurement = track.measure()
    assert measurement.tainted == ("the machine was suspended for 30.0 s",)
    assert not measurement.noisy
    wall = measurement.series[0]
    assert [block.tainted for block in wall.set_aside] == ["the machine was suspended for 30.0 s"]
    assert all(block.tainted is None for block in wall.rounds)
    assert len(wall.rounds) == measurement.wanted_rounds


def test_on_a_noisy_machine_nothing_is_set_aside(track: Track) -> None:
    """Where disturbance is the rule, choosing the quiet superblocks would be choosing the data."""

    def sleep(_: Command) -> None:
        track.suspended_s += 1.5

    track.answer = sleep
    measurement = track.measure()
    assert measurement.noisy
    assert measurement.series[0].set_aside == ()
    assert len(measurement.tainted) == measurement.analysis.rounds


def test_the_same_seed_gives_the_same_order(tmp_path: Path) -> None:
    """The order is data that anyone can check; another seed gives another."""

    def orders(seed: int, place: str) -> list[tuple[str, ...]]:
        track = Track(tmp_path / place)
        track.settings = replace(track.settings, seed=seed)
        return [block.order for block in blocks_of(track.measure())]

    for place in ("a", "b", "c"):
        (tmp_path / place).mkdir()
    assert orders(1, "a") == orders(1, "b") != orders(2, "c")


@pytest.fixture
def folds(tmp_path: Path) -> Track:
    """A machine where PGO saves 20% of what it was trained on, and 5% and 10% of what it was not."""
    track = Track(tmp_path, names=("one", "two", "other"))
    track.held_out = {"one": {"pgo": 0.95}, "two": {"pgo": 0.9}}
    return track


def test_what_was_left_out_is_measured_on_its_own_workload(folds: Track) -> None:
    """Each workload has a binary of its own that has not seen it; it takes turns with all the other arms there."""
    measurement = folds.measure()
    arms = {series.workload: Counter(series.rounds[0].order) for series in measurement.series}
    everywhere = dict.fromkeys(("release", "pgo", A_PRIME), 1)
    assert arms == {
        "one": {**everywhere, "pgo held-out": 1},
        "two": {**everywhere, "pgo held-out": 1},
        "other": everywhere,
    }
    shown = measurement.cross_validation
    assert shown is not None
    found = {item.workload: item.change for item in shown.held_out}
    assert found == pytest.approx({None: math.sqrt(0.95 * 0.9) - 1, "one": -0.05, "two": -0.1}, abs=0.003)
    assert [item.change for item in shown.trained] == pytest.approx([-0.2] * 3, abs=0.003)


def test_what_was_left_out_does_not_count_for_the_suite(folds: Track) -> None:
    """The main comparisons are the same with and without folds: variants only, over all workloads."""
    comparisons = folds.measure().analysis.comparisons
    assert {item.candidate for item in comparisons} == {"pgo"}
    assert [item.workload for item in comparisons] == [None, "one", "two", "other"]


def test_the_precision_holds_for_what_was_left_out_too(tmp_path: Path) -> None:
    """Rounds are taken until both means are as precise as asked for."""
    track = Track(tmp_path, names=("one", "two"), noise=0.02)
    alone = track.measure().wanted_rounds
    folds = Track(tmp_path / "folds", names=("one", "two"), noise=0.02)
    folds.held_out = {"one": {"pgo": 0.95}}
    wanted = folds.measure().wanted_rounds
    assert alone is not None
    assert wanted is not None
    assert wanted > alone, "one workload scatters more than the mean of two"


def test_the_budget_is_for_all_arms_together(folds: Track) -> None:
    """A round with folds takes longer, so that fewer fit; the first one is not begun where it would not."""
    runs_of_a_round = 3 * 3 + 2
    folds.settings = replace(folds.settings, max_time_s=0.9 * (runs_of_a_round + 11))
    assert folds.measure().analysis.rounds == 0
    assert len(folds.executor.commands) == 3, "the baseline is timed again on each workload"


def test_a_time_that_was_taken_beside_builds_does_not_end_measuring(track: Track) -> None:
    """The program takes a second and was told to take nine, which would leave no time for a round."""
    track.told_s = 9.0
    track.settings = replace(track.settings, max_time_s=60.0)
    assert track.measure().analysis.rounds > 1


def test_arms_of_one_workload_have_paths_of_equal_length_too(folds: Track) -> None:
    """No arm gets an advantage by its place."""
    folds.measure()
    assert len({len(command.argv[0]) for command in folds.executor.commands}) == 1


def test_a_candidate_may_leave_between_rounds(tmp_path: Path) -> None:
    """It runs no more, keeps its own rounds in the result, and the others go on as if it had never been there."""
    track = Track(tmp_path, arms={"release": 1.0, "lto": 1.1, "pgo": 0.8}, names=("one", "two"), noise=0.05)
    track.leaving = lambda series: frozenset({"lto"} if len(series[0].rounds) >= PILOT_ROUNDS else ())
    found = track.measure()
    assert found.left == {"lto"}
    assert found.analysis.rounds > PILOT_ROUNDS
    for series in found.series:
        took_part = ["lto" in block.order for block in series.rounds]
        assert took_part == [True] * PILOT_ROUNDS + [False] * (found.analysis.rounds - PILOT_ROUNDS)
        assert all({"release", "pgo"} <= {*block.order} for block in series.rounds)
    rounds = {(one.candidate, one.workload): one.rounds for one in found.analysis.comparisons}
    assert {count for (arm, _), count in rounds.items() if arm == "lto"} == {PILOT_ROUNDS}
    assert {count for (arm, _), count in rounds.items() if arm == "pgo"} == {found.analysis.rounds}
    assert not any(item.kind is WarningKind.NO_RATIO for item in found.warnings)


def test_the_baseline_and_its_copy_never_leave(track: Track) -> None:
    """Without them there is nothing to compare with and no check of the harness."""
    track.leaving = lambda _: frozenset({"release", A_PRIME})
    found = track.measure()
    assert found.left == frozenset()
    assert found.analysis.aa.verdict is AaVerdict.OK


def test_a_contest_whose_candidates_have_all_left_goes_on_with_the_control(track: Track) -> None:
    """What they showed stands; how many rounds are wanted is then asked for the baseline's copy."""
    track.leaving = lambda _: frozenset({"pgo"})
    found = track.measure()
    assert found.analysis.rounds == PILOT_ROUNDS
    assert {one.rounds for one in found.analysis.comparisons} == {1}


def test_each_warning_of_a_result_has_a_code_of_its_own(tmp_path: Path) -> None:
    """A machine can tell a trend from a fragile verdict by the code, and people read the message."""
    track = Track(tmp_path, run_s=0.001)
    track.measure()
    notices = [event for event in track.heard if isinstance(event, Notice)]
    assert [notice.code for notice in notices] == ["run-too-short"]


def test_variants_of_two_sources_meet_in_one_contest(track: Track) -> None:
    """An arm is a source and a variant; its name tells both."""
    arms = [Arm(variant="pgo", source="v1"), Arm(variant="pgo", source="v2"), Arm(variant="pgo", is_held_out=True)]
    assert [arm.name for arm in arms] == ["pgo@v1", "pgo@v2", "pgo held-out"]
    track.sources = {"release": "v1", "pgo": "v2"}
    (suite, *_) = track.measure().analysis.comparisons
    assert (suite.baseline, suite.candidate) == ("release@v1", "pgo@v2")
