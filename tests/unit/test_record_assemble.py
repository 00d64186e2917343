from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from optbuild.errors import BuildError, NotComparableError, OptbuildError
from optbuild.events import Level
from optbuild.files import sha256_of
from optbuild.making.built import Built, Rejection, Step
from optbuild.making.proof.evidence import Check, PgoEvidence, Unit
from optbuild.measure.contest import Contest
from optbuild.measure.machine_checks import MachineCheck
from optbuild.measure.model import A_PRIME, AaCheck, AaVerdict, Analysis, Resources, Series, Superblock
from optbuild.measure.settings import SamplingSettings
from optbuild.plan.action import Action, ActionId
from optbuild.plan.counts import CheckedProfile, Counts, CrateCounts
from optbuild.plan.kinds.check_outputs import CompareOutputs, ProbeOutputs
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.kinds.train import Train
from optbuild.plan.model import Plan
from optbuild.plan.planner import make_plan
from optbuild.plan.results import Artifact, Compared, Compiled, KeptPart, Probed, Results
from optbuild.plan.ways import Attempt, Choice
from optbuild.project.model import LibFile, LibKind
from optbuild.project.selection import Targets
from optbuild.record import assemble
from optbuild.record.evidence import (
    AttemptRecord,
    EvidenceCheckRecord,
    PgoRecord,
    ProfdataRecord,
    ProfileFormatRecord,
    QuarantinedRecord,
    TrainingRecord,
)
from optbuild.record.model import OutputRecord, WorkloadRecord
from optbuild.record.variants import VariantRecord, VariantStatus
from optbuild.testing import (
    TARGET,
    make_comparison,
    make_compiled,
    make_package,
    make_pgo_profile,
    make_plan_inputs,
    make_project,
    make_run_record,
    make_toolchain,
)
from optbuild.tools.llvm_profdata import ProfileHeader
from optbuild.workloads.overlap import Overlap

INPUTS = make_plan_inputs()
PLAN = make_plan(INPUTS, ("release", "lto", "pgo"), measure=True)
PRINTED = KeptPart(sha256="01", size_bytes=2, kept=None)
NOTHING = KeptPart(sha256="00", size_bytes=0, kept=None)
PROFILE = make_pgo_profile(raw_profiles=2, quarantined=("bad.profraw",))


EVIDENCE = PgoEvidence(
    profile=PROFILE,
    header=ProfileHeader(kind="indexed", version=13, is_ir_level=True),
    crates=tuple(CrateCounts(name=f"c{i}", functions=9, functions_with_counts=5, total_count=50) for i in range(30)),
    missing_functions=3,
    mismatched_functions=1,
    strange_functions=0,
    missing_ratio=0.03,
    mismatched_ratio=0.01,
    unmatched_ratio=0.04,
    differs=True,
    checks=(
        Check(name="differs", passed=True, fault="", help=""),
        Check(
            name="covered",
            passed=True,
            fault="",
            help="",
            value=0.6,
            limit=0.01,
            unit=Unit.RATIO,
            key="min-covered",
        ),
    ),
)


def result_of(action: Action[object], *, fresh: bool) -> object:
    """What an action comes to when all goes well."""
    if isinstance(action, Compile):
        artifact = Artifact(
            bin="demo", path=action.directory / "demo", sha256=action.id, size_bytes=7, produced_by=action.id
        )
        return make_compiled(artifacts={"demo": artifact}, reused=fresh, fresh_target_units=int(fresh))
    if isinstance(action, Train):
        return Counts(profile=PROFILE, duration_s=1.0, reused=fresh)
    if isinstance(action, MergeProfiles):
        return CheckedProfile(profile=PROFILE, duration_s=1.0, reused=fresh)
    if isinstance(action, ProbeOutputs):
        return Probed(parts={"standard output": PRINTED}, run_s=0.5, reused=fresh)
    return Compared(sha256="01", equal=True, reused=fresh)


@dataclass
class Made:
    """What a run came to, and what of it a test may change."""

    plan: Plan
    results: dict[ActionId, object] = field(default_factory=dict)
    steps: dict[ActionId, Step] = field(default_factory=dict)
    failures: dict[ActionId, OptbuildError] = field(default_factory=dict)
    evidence: dict[ActionId, PgoEvidence] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    taken: dict[str, Attempt] = field(default_factory=dict)
    rejected: dict[str, tuple[Rejection, ...]] = field(default_factory=dict)
    set_aside: dict[ActionId, dict[Path, str]] = field(default_factory=dict)

    @property
    def built(self) -> Built:
        return Built(
            plan=self.plan,
            results=Results(self.results),
            steps=self.steps,
            failures=self.failures,
            evidence=self.evidence,
            skipped=self.skipped,
            taken=self.taken,
            rejected=self.rejected,
            set_aside=self.set_aside,
        )


def outcome_of(plan: Plan = PLAN, *, fresh: bool = False) -> Made:
    """A run in which everything was done."""
    made = Made(plan)
    for entry in plan.entries:
        if isinstance(entry, Choice):
            made.results[entry.id] = made.results[entry.attempts[0].compile]
        elif isinstance(entry, Action):
            made.results[entry.id] = result_of(entry, fresh=fresh)
            log = Path(f"/logs/{entry.id}.log") if isinstance(entry, Compile) else None
            made.steps[entry.id] = Step(action=entry, argv=("x",), duration_s=2.0, reused=fresh, log=log)
    for attempt in plan.variants[-1].attempts:
        made.evidence[attempt.compile] = EVIDENCE
    return made


def variants(outcome: Made) -> dict[str, VariantRecord]:
    """All variants by name."""
    found = assemble.describe_variants(outcome.built, INPUTS.layout, in_sample=True)
    return {variant.name: variant for variant in found}


def test_variants_that_were_built() -> None:
    """Artifacts are where they were published; a build's time is that of all its steps, training included."""
    found = variants(outcome_of())
    release, lto, pgo = found.values()
    assert [variant.status for variant in found.values()] == [VariantStatus.BUILT] * 3
    assert [variant.baseline for variant in found.values()] == [True, False, False]
    assert release.artifacts[0].path == "/p/target/optbuild/artifacts/release/demo"
    assert (release.artifacts[0].size_bytes, release.build_s) == (7, 2.0)
    assert [step.kind for step in pgo.steps] == ["object", "compile", "train", "merge", "compile"]
    assert pgo.build_s == 10.0
    assert lto.pgo is None
    assert lto.steps[0].log is not None
    assert pgo.steps[2].log is None


def test_a_step_says_when_it_began() -> None:
    """What ran beside what can be drawn from the record."""
    outcome = outcome_of()
    outcome.steps = {name: replace(step, started_s=1.5) for name, step in outcome.steps.items()}
    assert {step.started_s for variant in variants(outcome).values() for step in variant.steps} == {1.5}


def test_the_evidence_of_pgo() -> None:
    """What the profile knows, what rustc found missing, what was demanded, and that all of it was accepted."""
    recorded = variants(outcome_of())["pgo"].pgo
    assert recorded is not None
    assert recorded == PgoRecord(
        profdata=ProfdataRecord(path="/d/ab.profdata", sha256="ab"),
        raw_profiles=2,
        quarantined=("bad.profraw",),
        functions=100,
        functions_with_counts=60,
        total_count=1000,
        missing_functions=3,
        mismatched_functions=1,
        in_sample=True,
        applied=True,
        attempt="lto-free",
        format=ProfileFormatRecord(kind="indexed", version=13, is_ir_level=True),
        missing_ratio=0.03,
        mismatched_ratio=0.01,
        unmatched_ratio=0.04,
        differs=True,
        crates=recorded.crates,
        crate_count=30,
        trainings=(
            TrainingRecord(
                workload="small",
                weight=1.0,
                duration_s=1.0,
                reused=False,
                raw_profiles=2,
                pooled=False,
                quarantined=("bad.profraw",),
                functions_with_counts=60,
                total_count=1000,
            ),
        ),
        checks=(
            EvidenceCheckRecord(name="differs", passed=True, value=None, limit=None, unit=None, key=None),
            EvidenceCheckRecord(name="covered", passed=True, value=0.6, limit=0.01, unit="ratio", key="min-covered"),
        ),
    )
    assert [crate.name for crate in recorded.crates] == [f"c{number}" for number in range(20)]


def test_evidence_that_proves_nothing_is_recorded_as_well() -> None:
    """A variant that failed for it shows what was found; one that never was compiled, what was counted."""
    outcome = outcome_of()
    failed = replace(EVIDENCE.checks[0], passed=False)
    (compile_id, *_) = outcome.evidence
    outcome.evidence[compile_id] = replace(EVIDENCE, checks=(failed,), header=None)
    outcome.skipped["pgo"] = "the profile changed nothing"
    recorded = variants(outcome)["pgo"]
    assert recorded.status is VariantStatus.SKIPPED
    assert recorded.pgo is not None
    assert (recorded.pgo.applied, recorded.pgo.checks[0].passed, recorded.pgo.format) == (False, False, None)
    del outcome.evidence[compile_id]
    recorded = variants(outcome)["pgo"]
    assert recorded.pgo is not None
    assert (recorded.pgo.applied, recorded.pgo.checks, recorded.pgo.total_count) == (False, (), 1000)


def test_an_attempt_that_was_rejected_is_told() -> None:
    """The record says in which way a variant was trained, why the first one would not do, and what both took."""
    outcome = outcome_of()
    first, second = PLAN.variants[2].attempts
    outcome.taken["pgo"] = second
    outcome.rejected["pgo"] = (Rejection(attempt=first, reason="2 functions lost"),)
    pgo = variants(outcome)["pgo"]
    assert pgo.pgo is not None
    assert pgo.pgo.attempt == "exact"
    assert pgo.pgo.rejected_attempts == (AttemptRecord(name="lto-free", reason="2 functions lost"),)
    assert [step.kind for step in pgo.steps] == ["object", *["compile", "train", "merge", "compile"] * 2]
    assert pgo.build_s == 18.0


def test_pgo_without_evidence_is_not_applied() -> None:
    """Nothing is claimed that was not checked."""
    outcome = outcome_of()
    outcome.evidence.clear()
    pgo = variants(outcome)["pgo"].pgo
    assert pgo is not None
    assert (pgo.applied, pgo.missing_functions, pgo.mismatched_functions) == (False, 0, 0)


def test_a_variant_of_which_all_was_there_is_reused() -> None:
    """Its build time is not known: nothing of it was built."""
    found = variants(outcome_of(fresh=True))
    assert {variant.status for variant in found.values()} == {VariantStatus.REUSED}
    assert {variant.build_s for variant in found.values()} == {None}


def test_a_build_of_which_a_part_was_there_has_no_time() -> None:
    """A part of the time would look like the whole."""
    outcome = outcome_of()
    first = PLAN.variants[2].attempts[0].instrument
    assert first is not None
    outcome.steps[first] = replace(outcome.steps[first], reused=True)
    pgo = variants(outcome)["pgo"]
    assert (pgo.status, pgo.build_s) == (VariantStatus.BUILT, None)


def test_a_build_that_found_units_of_an_earlier_one_has_no_time() -> None:
    """Cargo had kept dependencies of the program: what was left to do is no time from clean."""
    outcome = outcome_of()
    first = PLAN.variants[0].compile
    assert first is not None
    (built,) = (outcome.results[each.id] for each in PLAN.of_kind(Compile) if each.id == first)
    assert isinstance(built, Compiled)
    outcome.results[first] = replace(built, fresh_target_units=1)
    found = variants(outcome)
    assert (found["release"].status, found["release"].build_s) == (VariantStatus.BUILT, None)
    assert found["lto"].build_s == 2.0


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Compile, BuildError("cargo failed", help="-")),
        (CompareOutputs, NotComparableError("another output", help="-")),
    ],
)
def test_a_variant_that_failed_says_why(kind: type[Action[object]], error: OptbuildError) -> None:
    """A failed build, and a binary that prints something else, are failures; artifacts are not claimed."""
    outcome = outcome_of()
    pgo = PLAN.variants[2]
    (failed, *_) = (a for a in reversed(PLAN.actions) if isinstance(a, kind) and a.id in PLAN.serving(pgo))
    outcome.failures[failed.id] = error
    outcome.skipped["pgo"] = error.message
    found = variants(outcome)["pgo"]
    assert (found.status, found.reason) == (VariantStatus.FAILED, error.message)
    assert found.artifacts == ()
    assert found.steps != ()


def test_a_variant_that_was_given_up_is_skipped() -> None:
    """With `pgo = "auto"` missing evidence is no failure."""
    outcome = outcome_of()
    outcome.skipped["pgo"] = "no evidence"
    found = variants(outcome)["pgo"]
    assert (found.status, found.reason) == (VariantStatus.SKIPPED, "no evidence")


def test_a_variant_that_was_never_planned_is_skipped() -> None:
    """Where it cannot be built, the reason is known before the run."""
    planned = replace(PLAN.variants[2], compile=None, attempts=(), skipped="no tools")
    plan = replace(PLAN, variants=(*PLAN.variants[:2], planned))
    outcome = replace(outcome_of(), plan=plan)
    outcome.skipped["pgo"] = "no tools"
    found = variants(outcome)["pgo"]
    assert (found.status, found.steps) == (VariantStatus.SKIPPED, ())


def test_a_variant_that_was_not_reached_is_skipped() -> None:
    """A run that ended early has nothing to say of what came after."""
    found = variants(Made(PLAN))
    assert {variant.status for variant in found.values()} == {VariantStatus.SKIPPED}
    assert {variant.reason for variant in found.values()} == {None}


def test_outputs_of_all_variants() -> None:
    """The baseline is equal to itself, and each candidate has its own line."""
    assert assemble.describe_outputs(outcome_of().built) == tuple(
        OutputRecord(workload="small", variant=name, equal=True, sha256="01") for name in ("release", "lto", "pgo")
    )


def test_outputs_that_were_not_compared_have_no_verdict() -> None:
    """A baseline that varies, or a workload that says `none`, is neither equal nor different."""
    outcome = outcome_of()
    (probe,) = (action for action in PLAN.actions if isinstance(action, ProbeOutputs))
    outcome.results[probe.id] = Probed(parts={}, varying=("standard output",), run_s=0.5, reused=False)
    assert assemble.describe_outputs(outcome.built)[0].equal is None
    assert assemble.describe_outputs(outcome.built)[0].left_out == ("standard output",)
    outcome.results[probe.id] = Probed(parts={"standard output": NOTHING}, run_s=0.5, reused=False)
    assert assemble.describe_outputs(outcome.built)[0].equal is None
    assert assemble.describe_outputs(Made(PLAN).built) == ()


LIB = LibFile(name="demo", package="demo", kind=LibKind.CDYLIB, file_name="libdemo.so")


def test_the_project_and_its_revision(tmp_path: Path) -> None:
    """What was built, of which commit, with which dependencies."""
    lockfile = tmp_path / "Cargo.lock"
    lockfile.write_text("lock")
    package = make_package(bins=("demo", "more"))
    targets = Targets(packages=(package, make_package()), bins=package.bins, libs=(LIB,))
    record = assemble.describe_project(make_project(lockfile=lockfile), targets)
    assert (record.manifest, record.package, record.bins) == ("/p/Cargo.toml", "demo", ("demo", "more"))
    assert (record.packages, record.libs) == (("demo", "demo"), ("libdemo.so",))
    assert (record.git_commit, record.git_dirty) == ("5713" * 10, False)
    assert record.lockfile_sha256 == sha256_of(lockfile)
    assert assemble.describe_project(make_project(lockfile=None), targets).lockfile_sha256 is None


def test_the_toolchain() -> None:
    """What compiled the variants, with llvm-profdata where there is one."""
    record = assemble.describe_toolchain(make_toolchain())
    assert (record.rustc, record.cargo, record.host, record.target) == ("1.95.0", "1.95.0", TARGET, TARGET)
    assert record.llvm_profdata is not None
    assert (record.llvm_profdata.path, record.llvm_profdata.version) == ("/toolchain/bin/llvm-profdata", "22.1.2")
    assert assemble.describe_toolchain(make_toolchain(llvm_profdata=None)).llvm_profdata is None


BLOCK = Superblock(order=("release", A_PRIME), values={"release": (1.0,), A_PRIME: (1.0,)})
TAINTED = replace(BLOCK, tainted="steal 9%")
CHECK = MachineCheck(name="governor", level=Level.WARNING, message="powersave", remedy="-")
CONTEST = Contest(
    settings=SamplingSettings(precision=0.01, min_effect=0.02, max_time_s=60.0, confidence=0.9, seed=5713),
    checks=(CHECK,),
    counts=(),
    series=(Series(workload="small", metric="wall", unit="s", rounds=(BLOCK,), set_aside=(TAINTED,)),),
    judged={"small": "wall"},
    workload_of={"small": "small"},
    resources=tuple(
        Resources(
            workload="small",
            variant=arm,
            median_s=1.0,
            median_user_s=0.8,
            median_system_s=0.1,
            median_major_faults=3.0,
            median_involuntary_switches=2.0,
            peak_rss_bytes=9,
            peak_rss_floor_bytes=4,
        )
        for arm in ("release", A_PRIME)
    ),
    analysis=Analysis(
        comparisons=(make_comparison(),),
        aa=AaCheck(change=0.001, ci_low=-0.01, ci_high=0.01, verdict=AaVerdict.OK, margin=0.01),
        warnings=(),
        half_width=0.02,
        rounds=12,
    ),
    wanted_rounds=40,
    round_s=5.0,
    duration_s=60.0,
    stopped_by_time=True,
    tainted=("steal 9%",),
    noisy=False,
    steal_ratio=0.004,
)


MEASURED = assemble.add_contest(make_run_record(), CONTEST)


def test_all_samples_are_kept() -> None:
    """Those that were set aside as well, with the reason."""
    (record,) = MEASURED.benchmarks
    assert (record.workload, record.metric, record.unit) == ("small", "wall", "s")
    assert (record.rounds, record.set_aside) == ((BLOCK,), (TAINTED,))


def test_the_baselines_copy_has_no_resources_of_its_own() -> None:
    """It is a control, not a variant."""
    (record,) = MEASURED.resources
    assert (record.variant, record.median_s, record.peak_rss_bytes, record.peak_rss_floor_bytes) == (
        *("release", 1.0, 9, 4),
    )


def test_how_it_was_measured() -> None:
    """Seed, rounds, what was asked for and what was reached, and what more time would buy."""
    record = MEASURED.measure
    assert record is not None
    assert (record.seed, record.rounds, record.duration_s, record.half_width) == (5713, 12, 60.0, 0.02)
    assert (record.confidence, record.min_effect, record.max_time_s) == (0.9, 0.02, 60.0)
    assert record.advice == "the requested precision takes 40 rounds: --max-time 4m"


def test_how_quiet_the_machine_was() -> None:
    """The baseline against its copy, disturbed superblocks, stolen time, and what was looked at before."""
    record = MEASURED.noise
    assert record is not None
    assert (record.aa.verdict, record.aa.change, record.aa.margin) == ("ok", 0.001, 0.01)
    assert (record.tainted_rounds, record.steal_ratio) == (1, 0.004)
    assert [(item.name, item.level, item.message) for item in record.checks] == [("governor", "warning", "powersave")]


def test_workloads_say_what_they_share_with_training() -> None:
    """A label for each, with the names of the training workloads that it comes from."""
    overlaps = (
        Overlap(workload="a", shared_with=("a", "b"), unknown_with=("c",)),
        Overlap(workload="b", shared_with=(), unknown_with=("c",)),
    )
    assert assemble.describe_workloads(overlaps) == (
        WorkloadRecord(name="a", in_sample=True, shared_with=("a", "b")),
        WorkloadRecord(name="b", in_sample=None),
    )


def test_benchmarks_that_a_workload_measures_itself_are_labelled_as_it_is() -> None:
    """Each stands in the tables by its own name, so that each needs the answer."""
    overlaps = (
        Overlap(workload="benches", shared_with=("benches",), unknown_with=()),
        Overlap(workload="use", shared_with=(), unknown_with=()),
    )
    workload_of = {"benches/parse": "benches", "benches/print": "benches", "use": "use"}
    assert assemble.describe_workloads(overlaps, workload_of) == (
        WorkloadRecord(name="benches/parse", in_sample=True, shared_with=("benches",), part_of="benches"),
        WorkloadRecord(name="benches/print", in_sample=True, shared_with=("benches",), part_of="benches"),
        WorkloadRecord(name="use", in_sample=False),
    )


def test_raw_profiles_that_were_set_aside_are_named(tmp_path: Path) -> None:
    """In the variants that they were to train, and in those only; whether the training failed for them or not."""
    outcome = outcome_of()
    train = next(action for action in PLAN.actions if isinstance(action, Train))
    outcome.set_aside[train.id] = {Path("/q/bad.profraw"): "empty"}
    named = (QuarantinedRecord(path="/q/bad.profraw", reason="empty"),)
    assert {name: item.quarantined for name, item in variants(outcome).items()} == {
        "release": (),
        "lto": (),
        "pgo": named,
    }
    outcome.skipped["pgo"] = "a file was broken"
    assert variants(outcome)["pgo"].quarantined == named
