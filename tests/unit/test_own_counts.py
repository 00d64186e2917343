"""Benches that count their own instructions: the counts are taken once, and no time of valgrind is measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from optbuild.execution.command import Command
from optbuild.testing import Answer, Reply, make_usage
from optbuild.workloads.harness import Harness
from tests.unit.contest_cases import CargoBenchTrack


@dataclass
class CountingTrack(CargoBenchTrack):
    """A machine with benches that Gungraun runs.

    Attributes:
        counted: Instructions by benchmark and variant.
        drift: How many more each run takes than the one before.
    """

    counted: dict[str, dict[str, int]] = field(
        default_factory=lambda: {"parse": {"release": 1000, "pgo": 800}, "print": {"release": 50, "pgo": 50}}
    )
    drift: int = 0
    harness: Harness = Harness.GUNGRAUN
    homes: list[dict[str, str]] = field(default_factory=list)

    def _run(self, command: Command) -> Answer:
        if "GUNGRAUN_HOME" not in command.env:
            return super()._run(command)
        arm = Path(command.argv[0]).read_text()
        self.homes.append({name: value for name, value in command.env.items() if "CALLGRIND" in name or "GUN" in name})
        text = "".join(
            f"speed::words::{name}\n  Instructions:   {values[arm] + self.drift * len(self.homes)}|N/A (*********)\n"
            for name, values in self.counted.items()
            if arm in values
        )
        return Reply(usage=make_usage(wall_s=9.0), stdout=text.encode())


@pytest.fixture
def track(tmp_path: Path) -> CountingTrack:
    """A quiet machine with two benchmarks, one of which takes fewer instructions in the candidate."""
    return CountingTrack(tmp_path)


def counts(track: CountingTrack) -> dict[tuple[str, str], int | None]:
    """What was counted, by benchmark and variant."""
    return {(item.workload, item.variant): item.count for item in track.measure().counts}


def test_each_benchmark_has_the_count_that_it_prints(track: CountingTrack) -> None:
    """By its name and variant."""
    assert counts(track) == {
        ("benches/words::parse", "release"): 1000,
        ("benches/words::parse", "pgo"): 800,
        ("benches/words::print", "release"): 50,
        ("benches/words::print", "pgo"): 50,
    }


def test_each_variant_runs_once_and_an_identical_copy_of_the_baseline_too(track: CountingTrack) -> None:
    """Nothing takes turns: there is no verdict by valgrind's time, and none is missing."""
    found = track.measure()
    assert len(track.homes) == 3
    assert (found.series, found.resources, found.analysis.comparisons) == ((), (), ())
    assert not found.stopped_by_time
    assert not found.warnings


def test_results_of_earlier_runs_are_not_compared_with(track: CountingTrack) -> None:
    """Both names of the crate keep them in the workload's own directory, never where the owner has them."""
    track.measure()
    scratch = str(track.root / "scratch" / "benches")
    assert all({*each} == {"GUNGRAUN_HOME", "IAI_CALLGRIND_HOME"} for each in track.homes)
    assert all(value.startswith(scratch) for each in track.homes for value in each.values())


def test_other_workloads_take_turns_beside_it(track: CountingTrack) -> None:
    """They alone decide."""
    track.names = ("benches", "small")
    found = track.measure()
    assert {item.workload for item in found.analysis.comparisons} == {None, "small"}
    assert len(track.homes) == 3
    assert {item.workload for item in found.counts} == {"benches/words::parse", "benches/words::print"}


def test_counts_that_differ_between_identical_binaries_are_none(track: CountingTrack) -> None:
    """A hash map with a random seed takes another number of instructions each time."""
    track.drift = 7
    found = track.measure().counts
    assert {item.count for item in found} == {None}
    assert found[0].reason == "an identical copy of the baseline takes 1,021, not 1,007"


def test_a_benchmark_that_a_variant_does_not_have_has_no_count_there(track: CountingTrack) -> None:
    """The others have theirs."""
    del track.counted["print"]["pgo"]
    found = {(item.workload, item.variant): item for item in track.measure().counts}
    lost = found["benches/words::print", "pgo"]
    assert (lost.count, lost.reason) == (None, "this variant does not have the benchmark")
    assert found["benches/words::print", "release"].count == 50
