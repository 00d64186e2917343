"""Measuring workloads that measure their own benchmarks: what is compared is what they say."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from optbuild.errors import WorkloadError
from optbuild.events import Notice
from optbuild.execution.command import Command
from optbuild.measure.contest import Contest
from optbuild.measure.model import A_PRIME, Verdict
from optbuild.profile.workloads import MetricName
from optbuild.testing import Answer, Reply, make_usage
from tests.unit.contest_cases import CargoBenchTrack


@dataclass
class BenchTrack(CargoBenchTrack):
    """A machine on which a Criterion bench runs for a second, whatever its code takes: that is in its samples.

    Attributes:
        benchmarks: Nanoseconds by benchmark and variant.
    """

    benchmarks: dict[str, dict[str, float]] = field(
        default_factory=lambda: {"parse": {"release": 100.0, "pgo": 80.0}, "print": {"release": 10.0, "pgo": 10.0}}
    )

    def _run(self, command: Command) -> Answer:
        home = command.env.get("CRITERION_HOME")
        if home is None:
            return super()._run(command)
        arm = Path(command.argv[0]).read_text()
        self.now_s += self.run_s
        writes = {}
        for name, values in self.benchmarks.items():
            if arm in values:
                ns = values[arm] * (1 + self.chance.gauss(0, self.noise))
                sample, benchmark = {"iters": [1, 2], "times": [ns, 2 * ns]}, {"full_id": name}
                writes[Path(home) / name / "new/sample.json"] = json.dumps(sample).encode()
                writes[Path(home) / name / "new/benchmark.json"] = json.dumps(benchmark).encode()
        return Reply(usage=make_usage(wall_s=self.run_s), writes=writes)


@pytest.fixture
def track(tmp_path: Path) -> BenchTrack:
    """A quiet machine with two benchmarks, one of them a fifth faster in the candidate."""
    return BenchTrack(tmp_path)


def verdicts(measurement: Contest) -> dict[str | None, Verdict]:
    """What was found on each cell, and over all."""
    return {item.workload: item.verdict for item in measurement.analysis.comparisons}


def test_each_benchmark_is_a_cell_of_its_own(track: BenchTrack) -> None:
    """By its own name, with its own verdict; the bench itself always takes the same time."""
    measurement = track.measure()
    assert verdicts(measurement) == {
        None: Verdict.FASTER,
        "benches/parse": Verdict.FASTER,
        "benches/print": Verdict.SAME,
    }
    suite = measurement.analysis.comparisons[0]
    assert suite.change == pytest.approx(0.8**0.5 - 1, abs=0.002)
    assert measurement.judged == {"benches/parse": "wall", "benches/print": "wall"}
    assert measurement.workload_of == {"benches/parse": "benches", "benches/print": "benches"}
    assert [(one.workload, one.metric) for one in measurement.series] == [
        ("benches/parse", "wall"),
        ("benches/print", "wall"),
    ]


def test_all_benchmarks_of_a_run_share_its_place_in_the_order(track: BenchTrack) -> None:
    """One run is one observation of each; variants and the baseline's copy take turns."""
    parse, printing = track.measure().series
    assert [block.order for block in parse.rounds] == [block.order for block in printing.rounds]
    assert {arm for block in parse.rounds for arm in block.values} == {"release", "pgo", A_PRIME}


def test_variants_run_their_own_benches_at_paths_of_equal_length(track: BenchTrack) -> None:
    """The copy of the baseline is another file of the same bytes."""
    track.measure()
    ran = {Path(command.argv[0]) for command in track.executor.commands}
    assert {path.read_text() for path in ran} == {"release", "pgo"}
    assert len(ran) == 3
    assert len({len(str(path)) for path in ran}) == 1


def test_times_are_per_iteration_and_memory_is_that_of_the_program(track: BenchTrack) -> None:
    """What else a run cost says nothing of one of its benchmarks."""
    resources = {(item.workload, item.variant): item for item in track.measure().resources}
    parse = resources["benches/parse", "pgo"]
    assert parse.median_s == pytest.approx(80e-9, rel=0.01)
    assert (parse.median_user_s, parse.median_major_faults) == (None, None)
    assert parse.peak_rss_bytes == make_usage().peak_rss_bytes


def test_commands_are_measured_beside_them(tmp_path: Path) -> None:
    """In one suite."""
    track = BenchTrack(tmp_path, names=("small", "benches"))
    measurement = track.measure()
    assert [*verdicts(measurement)] == [None, "small", "benches/parse", "benches/print"]
    assert measurement.judged["small"] == "wall"


@pytest.mark.parametrize(
    ("pgo", "message"),
    [
        ({"parse": 80.0}, "measuring pgo: this run lacks the benchmark 'print', an earlier one has it"),
        (
            {"parse": 80.0, "print": 9.0, "new": 1.0},
            "measuring pgo: this run has the benchmark 'new', an earlier one does not have it",
        ),
    ],
)
def test_a_variant_with_other_benchmarks_is_an_error(track: BenchTrack, pgo: dict[str, float], message: str) -> None:
    """There is no ratio with what is not there."""
    names = ("parse", "print", "new")
    track.benchmarks = {name: {"release": 10.0, **({"pgo": pgo[name]} if name in pgo else {})} for name in names}
    if "new" not in pgo:
        del track.benchmarks["new"]
    else:
        del track.benchmarks["new"]["release"]
    track.settings = replace(track.settings, seed=5)  # the baseline warms up first
    with pytest.raises(WorkloadError) as caught:
        track.measure()
    assert caught.value.message == f"workload 'benches', {message}"


def test_benchmarks_measure_wall_time_whatever_is_asked_for(track: BenchTrack) -> None:
    """That is told; other workloads are judged by what was asked for."""
    track.metric = MetricName.CPU
    assert set(track.measure().judged.values()) == {"wall"}
    warned = [event.code for event in track.heard if isinstance(event, Notice)]
    assert warned.count("measures-itself") == 1


def test_two_cells_of_one_name_are_refused(tmp_path: Path) -> None:
    """A workload may be called like another one's benchmark."""
    track = BenchTrack(tmp_path, names=("benches/parse", "benches"))
    with pytest.raises(WorkloadError, match="two benchmarks are called 'benches/parse'"):
        track.measure()


def test_without_time_for_a_round_nothing_is_known_of_the_benchmarks(track: BenchTrack) -> None:
    """The workload stands for them, without a comparison."""
    track.settings = replace(track.settings, max_time_s=1.0)
    measurement = track.measure()
    assert measurement.analysis.comparisons == ()
    assert measurement.workload_of == {"benches": "benches"}
