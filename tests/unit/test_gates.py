from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from inline_snapshot import snapshot

from optbuild.errors import UsageError
from optbuild.measure.model import AaVerdict, AllocationCount, Resources, Verdict
from optbuild.profile.gates import GateSettings
from optbuild.record.gate import GateVerdict
from optbuild.record.judge import is_accepted, judge
from optbuild.record.model import RunRecord, WarningRecord, WorkloadRecord
from optbuild.record.search import SearchRecord
from optbuild.record.variants import VariantStatus
from optbuild.report.formats import GATE_FORMATS
from optbuild.report.model import Screen
from optbuild.testing import make_comparison, make_run_record, make_variant_record
from tests.unit.report_cases import make_noise

ALL = GateSettings(
    min_gain=0.03, max_regression=0.02, max_size_growth=0.1, max_rss_growth=0.1, max_build_time_growth=0.5
)

UNDECIDED = make_comparison(change=-0.02, ci_low=-0.05, ci_high=0.01)


def measured(low: float | None, high: float | None, **changes: Any) -> RunRecord:  # noqa: ANN401 - of Comparison
    """A run whose suite has this interval."""
    middle = -0.2 if low is None or high is None else (low + high) / 2
    return make_run_record(comparisons=(make_comparison(change=middle, ci_low=low, ci_high=high, **changes),))


def judged(record: RunRecord, gates: GateSettings = ALL) -> RunRecord:
    """The run with its gates."""
    return replace(record, gates=judge(record, gates))


def shown(record: RunRecord, form: str, gates: GateSettings = ALL) -> str:
    """A run's gates in a format."""
    return GATE_FORMATS[form](judged(record, gates), gates, Screen())


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.10, -0.03, GateVerdict.PASS),
        (-0.10, -0.029, GateVerdict.INCONCLUSIVE),
        (-0.03, 0.01, GateVerdict.INCONCLUSIVE),
        (-0.029, 0.01, GateVerdict.FAIL),
        (None, None, GateVerdict.INCONCLUSIVE),
    ],
)
def test_the_whole_interval_decides_a_gain(low: float | None, high: float | None, verdict: GateVerdict) -> None:
    """It passes where even its far end reaches the threshold, and fails where not even its near end does."""
    (gate,) = judge(measured(low, high), GateSettings(min_gain=0.03))
    assert gate.verdict is verdict
    assert gate.help != "" or verdict is GateVerdict.PASS


def test_a_gain_is_written_as_a_gain() -> None:
    """Less time is a positive number, its interval turned with it."""
    (gate,) = judge(measured(-0.21, -0.19), GateSettings(min_gain=0.03))
    assert (gate.found, gate.low, gate.high) == (0.2, 0.19, 0.21)


def test_the_worst_workload_decides_and_others_like_it_are_named() -> None:
    """A mean hides what one workload lost."""
    cells = {"good": (-0.2, -0.1), "bad": (0.03, 0.05), "worse": (0.1, 0.2)}
    comparisons = [make_comparison(workload=name, change=lo, ci_low=lo, ci_high=hi) for name, (lo, hi) in cells.items()]
    record = make_run_record(comparisons=(make_comparison(), *comparisons))
    (gate,) = judge(record, GateSettings(max_regression=0.02))
    assert (gate.verdict, gate.workload, gate.reason) == (GateVerdict.FAIL, "worse", "likewise bad")


def test_an_invalid_session_decides_nothing() -> None:
    """No number of a session whose control failed is shown."""
    (gate,) = judge(measured(-0.21, -0.19, verdict=Verdict.INVALID), GateSettings(min_gain=0.03))
    assert (gate.verdict, gate.found) == (GateVerdict.INCONCLUSIVE, None)
    assert "its own copy measured differently" in gate.reason


def test_a_workload_that_proves_nothing_is_named_as_the_cause() -> None:
    """The control agreed: it is not the machine that has to be mended."""
    warning = WarningRecord(code="run-too-short", message="books: a run takes 0.8 ms: give it work", help="")
    record = measured(-0.21, -0.19, verdict=Verdict.INVALID)
    sound = replace(record, noise=make_noise(), warnings=(warning,))
    (gate,) = judge(sound, GateSettings(min_gain=0.03))
    assert (gate.reason, gate.help) == (warning.message, "mend the workload, then optbuild pgo --fresh")
    unsound = replace(sound, noise=make_noise(verdict=AaVerdict.INVALID))
    (gate,) = judge(unsound, GateSettings(min_gain=0.03))
    assert "its own copy measured differently" in gate.reason


@pytest.mark.parametrize(
    ("own", "before", "verdict"),
    [
        ((20, 4), (20, 4), GateVerdict.PASS),
        ((23, 4), (20, 4), GateVerdict.FAIL),
        ((4, 4), (20, 4), GateVerdict.PASS),
        ((20, 4), (4, 4), GateVerdict.FAIL),
        ((4, 4), (4, 4), GateVerdict.INCONCLUSIVE),
    ],
)
def test_a_peak_below_the_floor_bounds_growth_from_one_side(
    own: tuple[int, int], before: tuple[int, int], verdict: GateVerdict
) -> None:
    """What cannot be measured passes only where it cannot have grown, and fails only where it must have."""
    resources = tuple(
        Resources(workload="small", variant=name, median_s=1.0, peak_rss_bytes=peak, peak_rss_floor_bytes=floor)
        for name, (peak, floor) in (("pgo", own), ("release", before))
    )
    (gate,) = judge(make_run_record(resources=resources), GateSettings(max_rss_growth=0.1))
    assert gate.verdict is verdict


def test_sizes_and_build_times_are_compared_as_they_are() -> None:
    """A size is exact; a build whose parts were reused has no time."""
    pgo = make_variant_record("pgo", build_s=4.0)
    record = make_run_record(variants=(make_variant_record(build_s=2.0), pgo))
    size, time = judge(record, GateSettings(max_size_growth=0.0, max_build_time_growth=0.5))
    assert (size.verdict, size.found) == (GateVerdict.PASS, 0.0)
    assert (time.verdict, time.found) == (GateVerdict.FAIL, 1.0)
    reused = replace(record, variants=(make_variant_record(build_s=None), pgo))
    (time,) = judge(reused, GateSettings(max_build_time_growth=0.5))
    assert (time.verdict, time.found) == (GateVerdict.INCONCLUSIVE, None)


def test_allocations_are_compared_workload_by_workload() -> None:
    """To the block; where they are hidden or were not counted, nothing is decided."""

    def counted(
        blocks: int | None, variant: str, workload: str = "books", reason: str | None = None
    ) -> AllocationCount:
        return AllocationCount(
            workload=workload, variant=variant, blocks=blocks, bytes=None, tool="dhat", reason=reason
        )

    record = make_run_record(
        allocations=(
            counted(1000, "release"),
            counted(1001, "pgo"),
            counted(1000, "release", "words"),
            counted(900, "pgo", "words"),
        ),
    )
    (gate,) = judge(record, GateSettings(max_allocation_growth=0.0))
    assert (gate.verdict, gate.workload) == (GateVerdict.FAIL, "books")
    assert gate.found == pytest.approx(0.001)
    (gate,) = judge(record, GateSettings(max_allocation_growth=0.01))
    assert gate.verdict is GateVerdict.PASS
    (gate,) = judge(replace(record, allocations=()), GateSettings(max_allocation_growth=0.0))
    assert (gate.verdict, gate.reason) == (GateVerdict.INCONCLUSIVE, "allocations were not counted")
    hidden = (counted(1000, "release"), counted(None, "pgo", reason="hidden"))
    (gate,) = judge(replace(record, allocations=hidden), GateSettings(max_allocation_growth=0.0))
    assert (gate.verdict, gate.reason) == (GateVerdict.INCONCLUSIVE, "hidden")


def test_a_variant_that_was_not_built_fails_every_gate() -> None:
    """PGO that is skipped for months holds nothing that was promised, and the reason is said."""
    skipped = make_variant_record("pgo", status=VariantStatus.SKIPPED, reason="no llvm-profdata", artifacts=())
    gates = judge(make_run_record(variants=(make_variant_record(), skipped)), ALL)
    assert {gate.verdict for gate in gates} == {GateVerdict.FAIL}
    assert gates[0].reason == "pgo is skipped: no llvm-profdata"


def test_what_is_not_decided_is_refused_unless_the_profile_says_otherwise() -> None:
    """`on-inconclusive` concerns what is not decided, never what failed."""
    (undecided,) = judge(measured(None, None), GateSettings(min_gain=0.03))
    assert not is_accepted(undecided, GateSettings())
    assert is_accepted(undecided, GateSettings(on_inconclusive="pass"))
    assert not is_accepted(replace(undecided, verdict=GateVerdict.FAIL), GateSettings(on_inconclusive="pass"))


def test_a_variant_that_the_run_has_not_is_named_with_those_it_has() -> None:
    """Nothing is judged in its place."""
    with pytest.raises(UsageError, match=r"no variant 'bolt': it has release, pgo"):
        judge(make_run_record(), GateSettings(variant="bolt", min_gain=0.03))
    with pytest.raises(UsageError, match=r"no variant to judge: it has release"):
        judge(make_run_record(variants=(make_variant_record(),)), GateSettings(min_gain=0.03))


def test_of_a_search_the_winner_is_judged() -> None:
    """Whatever candidate was built last; a variant that the gates name comes first."""
    variants = (make_variant_record(), make_variant_record("pgo"), make_variant_record("wide"))
    search = SearchRecord(objective="time", budget_s=60.0, candidates=(), winner="pgo")
    record = make_run_record(variants=variants, comparisons=(make_comparison(),), search=search)
    assert [gate.verdict for gate in judge(record, GateSettings(min_gain=0.03))] == [GateVerdict.PASS]
    (named,) = judge(record, GateSettings(variant="wide", min_gain=0.03))
    assert named.verdict is GateVerdict.INCONCLUSIVE


def test_a_gain_on_what_was_trained_on_is_labelled() -> None:
    """A gate on it passes as it was written, and says what it rests on."""
    record = replace(measured(-0.21, -0.19), workloads=(WorkloadRecord(name="small", in_sample=True),))
    (gate,) = judge(record, GateSettings(min_gain=0.03))
    assert gate.reason == "in-sample: measured on a training input"


def test_gates_for_people() -> None:
    """What was demanded, found, by how much, and below it what would decide the rest."""
    record = make_run_record(comparisons=(make_comparison(), make_comparison(workload="small", ci_high=0.04)))
    assert shown(record, "terminal") == snapshot("""\
gates of pgo: 1 inconclusive, 4 passed: not accepted

gate                     threshold   found  interval              margin  verdict
──────────────────────────────────────────────────────────────────────────────────────
min-gain                    ≥ 3.0%  +20.0%  [+19.0, +21.0]  +17.0 points  pass
max-regression on small     ≤ 2.0%    −20%  [−21, +4]         +22 points  inconclusive
max-size-growth            ≤ 10.0%    0.0%  –               +10.0 points  pass
max-rss-growth on small    ≤ 10.0%    0.0%  –               +10.0 points  pass
max-build-time-growth      ≤ 50.0%    0.0%  –               +50.0 points  pass

max-regression on small: changes from 1.0% are detected; optbuild pgo --fresh
max-build-time-growth: one build each
run 20260102-030405-0a0b, 571357135713
""")
    assert shown(record, "markdown") == snapshot("""\
### gates of pgo: 1 inconclusive, 4 passed: not accepted

| gate                    | threshold |  found | interval       |       margin | verdict      |
|:------------------------|----------:|-------:|:---------------|-------------:|:-------------|
| min-gain                |    ≥ 3.0% | +20.0% | [+19.0, +21.0] | +17.0 points | pass         |
| max-regression on small |    ≤ 2.0% |   −20% | [−21, +4]      |   +22 points | inconclusive |
| max-size-growth         |   ≤ 10.0% |   0.0% | –              | +10.0 points | pass         |
| max-rss-growth on small |   ≤ 10.0% |   0.0% | –              | +10.0 points | pass         |
| max-build-time-growth   |   ≤ 50.0% |   0.0% | –              | +50.0 points | pass         |

- max-regression on small: changes from 1.0% are detected; optbuild pgo --fresh
- max-build-time-growth: one build each
- run 20260102-030405-0a0b, 571357135713
""")


def test_gates_for_a_runner_of_github() -> None:
    """An annotation for each gate: an error where it is refused, a warning where it is let through undecided."""
    gates = replace(ALL, max_rss_growth=None, max_build_time_growth=None, on_inconclusive="pass")
    record = make_run_record(comparisons=(UNDECIDED, make_comparison(workload="small", ci_low=0.03, ci_high=0.05)))
    lines = shown(record, "github", gates).splitlines()
    assert [line.partition(": fail")[0].partition(": pass")[0] for line in lines] == [
        (
            "::warning title=optbuild min-gain::min-gain: inconclusive: +2%25 [−1, +5], threshold ≥ 3.0%25 "
            "(changes from 1.0%25 are detected; optbuild pgo --fresh)"
        ),
        "::error title=optbuild max-regression on small::max-regression on small",
        "::notice title=optbuild max-size-growth::max-size-growth",
        "gates of pgo: 1 failed, 1 inconclusive, 1 passed: not accepted",
    ]


HOSTILE = "a::error::b,c%0A<script>|`\n::set-output name=x::y\x1b[31m&"


@pytest.mark.parametrize("form", list(GATE_FORMATS))
def test_no_name_commands_a_ci_or_breaks_a_format(form: str) -> None:
    """A workload's name stays a name: no line begins with a command of its making, no control character is left."""
    record = make_run_record(comparisons=(make_comparison(workload=HOSTILE, ci_low=0.03, ci_high=0.05),))
    text = shown(record, form, GateSettings(max_regression=0.02))
    assert "\x1b" not in text
    commands = [line for line in text.splitlines() if line.lstrip().startswith("::")]
    assert len(commands) == (1 if form == "github" else 0)
    if form == "github":
        title = commands[0].removeprefix("::error title=").partition("::")[0]
        assert set(":,\n").isdisjoint(title)
    if form == "junit":
        (case,) = ET.fromstring(text.encode()).iter("testcase")  # noqa: S314 - made here
        assert "<script>" in case.attrib["name"]


def test_junit_counts_what_it_holds() -> None:
    """Refused gates are failures, undecided ones that may pass are skipped."""
    record = make_run_record(comparisons=(UNDECIDED, make_comparison(workload="small", ci_low=0.03, ci_high=0.05)))
    gates = replace(ALL, on_inconclusive="pass")
    suite = next(ET.fromstring(shown(record, "junit", gates).encode()).iter("testsuite"))  # noqa: S314 - made here
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["skipped"]) == ("5", "1", "1")
    assert len(list(suite.iter("failure"))) == 1
    assert len(list(suite.iter("skipped"))) == 1
