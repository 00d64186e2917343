"""Records made by hand, for tests of reports. The numbers are invented."""

# ruff: noqa: ANN401 - the fields of a record are passed on by name
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from optbuild.measure.model import (
    A_PRIME,
    AaCheck,
    AaVerdict,
    Comparison,
    Resources,
    Series,
    Superblock,
    Verdict,
    held_out_arm,
)
from optbuild.record.evidence import PgoRecord, ProfdataRecord
from optbuild.record.model import (
    CrossValidationRecord,
    ErrorRecord,
    FoldRecord,
    HostRecord,
    MeasureRecord,
    NoiseRecord,
    OutputRecord,
    ProjectRecord,
    RunRecord,
    RunStatus,
    ToolchainRecord,
    WarningRecord,
    WorkloadRecord,
)
from optbuild.record.variants import ArtifactRecord, StepRecord, VariantRecord, VariantStatus

MIB = 1024 * 1024
NAMES = ("release", "lto", "pgo")
CHANGES = {"lto": (-0.031, -0.039, -0.023), "pgo": (-0.118, -0.126, -0.110)}
SIZES_MIB = {"release": 9.2, "lto": 7.4, "pgo": 7.9}
BUILD_S = {"release": 52.0, "lto": 88.0, "pgo": 190.0}


def make_comparison(candidate: str, workload: str | None = None, **given: Any) -> Comparison:
    """A gain as `CHANGES` has it, or as given."""
    change, low, high = CHANGES.get(candidate, (-0.05, -0.06, -0.04))
    made = Comparison(
        workload=workload,
        metric="wall",
        baseline="release",
        candidate=candidate,
        change=change,
        ci_low=low,
        ci_high=high,
        confidence=0.95,
        p_value=0.0001,
        p_adjusted=0.0002,
        verdict=Verdict.FASTER,
        rounds=20,
        mde=0.021,
    )
    return replace(made, **given)


def make_pgo(**given: Any) -> PgoRecord:
    """Evidence that passed its checks, from other inputs than the benchmark's."""
    made = PgoRecord(
        profdata=ProfdataRecord(path="/w/pgo.profdata", sha256="3f2a1bc9d0e1" + "0" * 52),
        raw_profiles=3,
        quarantined=(),
        functions=8087,
        functions_with_counts=1204,
        total_count=10**9,
        missing_functions=52,
        mismatched_functions=0,
        in_sample=False,
        applied=True,
    )
    return replace(made, **given)


def make_variant(name: str, **given: Any) -> VariantRecord:
    """A variant that was built; PGO for the one called `pgo`."""
    size = round(SIZES_MIB.get(name, 8.0) * MIB)
    path = f"/w/artifacts/{name}/wordfreq"
    made = VariantRecord(
        name=name,
        baseline=name == "release",
        status=VariantStatus.BUILT,
        artifacts=(ArtifactRecord(bin="wordfreq", path=path, sha256="a" * 64, size_bytes=size),),
        build_s=BUILD_S.get(name, 60.0),
        steps=(
            StepRecord(
                action=f"compile-{name}",
                kind="compile",
                argv=("cargo", "build", "--config", 'profile.release.lto="fat"'),
                duration_s=BUILD_S.get(name, 60.0),
                reused=False,
                log=None,
            ),
        ),
        pgo=make_pgo() if name == "pgo" else None,
    )
    return replace(made, **given)


def make_unmeasured(**given: Any) -> RunRecord:
    """What `optbuild build` leaves: three variants, nothing measured."""
    made = RunRecord(
        optbuild_version="0.1.0",
        run_id="20260102-030405-beef",
        status=RunStatus.COMPLETE,
        exit_code=0,
        started_at="2026-01-02T03:04:05+00:00",
        finished_at="2026-01-02T03:14:05+00:00",
        command_line=("optbuild", "build"),
        project=ProjectRecord(
            manifest="Cargo.toml",
            package="wordfreq",
            bins=("wordfreq",),
            git_commit="0123456789abcdef0123456789abcdef01234567",
            git_dirty=False,
            lockfile_sha256=None,
        ),
        toolchain=ToolchainRecord(
            rustc="1.95.0",
            cargo="1.95.0",
            host="x86_64-unknown-linux-gnu",
            target="x86_64-unknown-linux-gnu",
            llvm_major=22,
            llvm_profdata=None,
        ),
        host=HostRecord(cpu="Acme 9000", cores=2, memory_bytes=8192 * MIB, kernel="Linux 6.1", governor=None),
        variants=tuple(map(make_variant, NAMES)),
    )
    return replace(made, **given)


def make_measured(*workloads: str, **given: Any) -> RunRecord:
    """What `optbuild pgo` leaves, measured on the workloads; without names on one called `books`."""
    names = workloads or ("books",)
    resources = tuple(
        Resources(
            workload=workload,
            variant=variant,
            median_s=0.0352 * (1 + CHANGES.get(variant, (0.0,))[0]),
            peak_rss_bytes=41 * MIB,
            peak_rss_floor_bytes=10 * MIB,
        )
        for workload in names
        for variant in NAMES
    )
    made = make_unmeasured(
        command_line=("optbuild", "pgo"),
        build_profile={"workloads": [{"name": name} for name in names]},
        outputs=tuple(
            OutputRecord(workload=workload, variant=variant, equal=True, sha256="b" * 64)
            for workload in names
            for variant in NAMES
        ),
        resources=resources,
        comparisons=tuple(
            make_comparison(candidate, workload) for workload in (None, *names) for candidate in NAMES[1:]
        ),
        measure=MeasureRecord(
            seed=1,
            rounds=20,
            duration_s=100.0,
            confidence=0.95,
            min_effect=0.01,
            max_time_s=300.0,
            half_width=0.008,
            advice=None,
        ),
        noise=make_noise(steal_ratio=0.003),
    )
    return replace(made, **given)


def with_samples(record: RunRecord, *, rounds: int = 8) -> RunRecord:
    """The same with the runs that its comparisons could rest on: some a little slower than others, as runs are."""
    shifts = [1 + 0.004 * ((3 * number) % 7 - 3) for number in range(2 * rounds)]
    names = list(dict.fromkeys(item.variant for item in record.resources))
    medians = {(item.workload, item.variant): item.median_s for item in record.resources}
    order = (*names, A_PRIME)

    def block(workload: str, number: int) -> Superblock:
        pair = shifts[2 * number : 2 * number + 2]
        values = {name: tuple(medians[workload, name] * shift for shift in pair) for name in names}
        return Superblock(order=(*order, *reversed(order)), values={**values, A_PRIME: values[names[0]]})

    workloads = dict.fromkeys(item.workload for item in record.resources)
    return replace(
        record,
        benchmarks=tuple(
            Series(
                workload=name, metric="wall", unit="s", rounds=tuple(block(name, number) for number in range(rounds))
            )
            for name in workloads
        ),
        resources=tuple(replace(item, median_user_s=item.median_s, median_system_s=0.0) for item in record.resources),
    )


def with_in_sample(record: RunRecord, **answers: bool | None) -> RunRecord:
    """The same with the answer for each workload whether it was trained on."""
    known = set(answers.values())
    pgo = make_pgo(in_sample=True if True in known else None if None in known else False)
    return replace(
        record,
        workloads=tuple(WorkloadRecord(name=name, in_sample=answer) for name, answer in answers.items()),
        variants=tuple(replace(item, pgo=item.pgo and pgo) for item in record.variants),
    )


def make_cross_validated(*workloads: str, skipped: str | None = None, **given: Any) -> RunRecord:
    """What `optbuild pgo --cross-validate` leaves: each workload left out in turn, the last two measured so."""
    names = workloads or ("books", "logs", "code")
    left = {"change": -0.052, "ci_low": -0.061, "ci_high": -0.043}
    folds = tuple(
        FoldRecord(
            variant="pgo",
            left_out=(name,),
            workloads=(name,),
            build=make_variant(f"pgo without {name}", pgo=make_pgo())
            if name != skipped
            else VariantRecord(
                name=f"pgo without {name}", baseline=False, status=VariantStatus.SKIPPED, reason="it changed nothing"
            ),
        )
        for name in names
    )
    measured = tuple(name for name in names if name != skipped)
    arm = held_out_arm("pgo")
    found = CrossValidationRecord(
        folds=folds,
        workloads=measured,
        trained=tuple(make_comparison("pgo", name) for name in (None, *measured)),
        held_out=tuple(make_comparison(arm, name, **left) for name in (None, *measured)),
        optimism=tuple(
            make_comparison(
                arm, name, baseline="pgo", change=0.075, ci_low=0.061, ci_high=0.089, verdict=Verdict.SLOWER
            )
            for name in (None, *measured)
        ),
    )
    record = with_in_sample(make_measured(*names), **dict.fromkeys(names, True))
    return replace(record, cross_validation=found, **given)


def make_noise(*, steal_ratio: float | None = None, **given: Any) -> NoiseRecord:
    """A quiet machine, or an A/A check as given."""
    aa = AaCheck(change=-0.001, ci_low=-0.005, ci_high=0.003, verdict=AaVerdict.OK, margin=0.01)
    return NoiseRecord(aa=replace(aa, **given), tainted_rounds=0, steal_ratio=steal_ratio)


def make_inconclusive() -> RunRecord:
    """A session that ended for want of time before it proved anything about `pgo`."""
    record = make_measured()
    unproven: dict[str, Any] = {
        "change": -0.012,
        "ci_low": -0.06,
        "ci_high": 0.04,
        "verdict": Verdict.INCONCLUSIVE,
        "mde": 0.083,
    }
    same: dict[str, Any] = {"change": 0.0004, "ci_low": -0.003, "ci_high": 0.004, "verdict": Verdict.SAME, "mde": 0.012}
    by_name = {"lto": same, "pgo": unproven}
    assert record.measure is not None
    return replace(
        record,
        comparisons=tuple(replace(item, **by_name[item.candidate]) for item in record.comparisons),
        measure=replace(
            record.measure, half_width=0.05, advice="the requested precision takes 500 rounds: --max-time 42m"
        ),
    )


def make_invalid() -> RunRecord:
    """A session whose two identical copies differed."""
    record = make_measured()
    return replace(
        record,
        comparisons=tuple(replace(item, verdict=Verdict.INVALID) for item in record.comparisons),
        noise=make_noise(change=0.031, ci_low=0.02, ci_high=0.042, verdict=AaVerdict.INVALID),
        warnings=(WarningRecord(code="measurement", message="no verdict is given: copies differ", help=""),),
    )


def make_skipped() -> RunRecord:
    """A run that could not do PGO and was allowed to go on without."""
    reason = "no workload is used for training"
    skipped = VariantRecord(name="pgo", baseline=False, status=VariantStatus.SKIPPED, reason=reason)
    record = make_measured()
    return replace(
        record,
        variants=(*record.variants[:2], skipped),
        comparisons=tuple(item for item in record.comparisons if item.candidate != "pgo"),
        resources=tuple(item for item in record.resources if item.variant != "pgo"),
        warnings=(WarningRecord(code="variant-skipped", message=f"variant pgo is skipped: {reason}", help=""),),
    )


def make_failed() -> RunRecord:
    """A run whose second variant did not compile."""
    failed = VariantRecord(name="lto", baseline=False, status=VariantStatus.FAILED, reason="cargo ended with 101")
    skipped = VariantRecord(name="pgo", baseline=False, status=VariantStatus.SKIPPED)
    return make_unmeasured(
        status=RunStatus.FAILED,
        exit_code=10,
        variants=(make_variant("release"), failed, skipped),
        error=ErrorRecord(
            code="build", message="cargo ended with 101", help="read the log: less /w/lto.log", location="variant lto"
        ),
    )


def rename(record: RunRecord, names: dict[str, str]) -> RunRecord:
    """The same record with other names of variants and workloads, wherever they stand."""

    def new(name: str | None) -> Any:
        return None if name is None else names.get(name, name)

    return replace(
        record,
        variants=tuple(replace(item, name=new(item.name)) for item in record.variants),
        comparisons=tuple(
            replace(item, workload=new(item.workload), baseline=new(item.baseline), candidate=new(item.candidate))
            for item in record.comparisons
        ),
        resources=tuple(
            replace(item, workload=new(item.workload), variant=new(item.variant)) for item in record.resources
        ),
        outputs=tuple(replace(item, workload=new(item.workload), variant=new(item.variant)) for item in record.outputs),
        benchmarks=tuple(
            replace(item, workload=new(item.workload), rounds=tuple(_renamed_block(each, new) for each in item.rounds))
            for item in record.benchmarks
        ),
        workloads=tuple(replace(item, name=new(item.name)) for item in record.workloads),
        cross_validation=record.cross_validation and _renamed_folds(record.cross_validation, new),
        build_profile={"workloads": [{"name": new(item.workload)} for item in record.outputs]},
    )


def _renamed_block(block: Superblock, new: Callable[[str | None], Any]) -> Superblock:
    return replace(
        block, order=tuple(map(new, block.order)), values={new(name): values for name, values in block.values.items()}
    )


def _renamed_folds(found: CrossValidationRecord, new: Callable[[str | None], Any]) -> CrossValidationRecord:
    """Candidates are arms: names of variants, with what says that they were left out."""

    def renamed(items: tuple[Comparison, ...]) -> tuple[Comparison, ...]:
        return tuple(
            replace(item, workload=new(item.workload), baseline=new(item.baseline), candidate=_new_arm(item, new))
            for item in items
        )

    return CrossValidationRecord(
        folds=tuple(
            replace(
                fold,
                variant=new(fold.variant),
                left_out=tuple(map(new, fold.left_out)),
                workloads=tuple(map(new, fold.workloads)),
                build=replace(fold.build, name=f"{new(fold.variant)} without {new(fold.left_out[0])}"),
            )
            for fold in found.folds
        ),
        workloads=tuple(map(new, found.workloads)),
        trained=renamed(found.trained),
        held_out=renamed(found.held_out),
        optimism=renamed(found.optimism),
    )


def _new_arm(item: Comparison, new: Callable[[str | None], Any]) -> str:
    held_out = item.candidate == held_out_arm("pgo")
    return held_out_arm(new("pgo")) if held_out else str(new(item.candidate))
