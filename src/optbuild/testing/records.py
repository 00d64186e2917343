"""Small, complete records; keywords replace what a test is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from optbuild.measure.model import A_PRIME, AaCheck, AaVerdict, Comparison, Resources, Series, Superblock, Verdict
from optbuild.record.evidence import PgoRecord, ProfdataRecord
from optbuild.record.model import (
    HostRecord,
    MeasureRecord,
    NoiseRecord,
    OutputRecord,
    ProjectRecord,
    RunRecord,
    RunStatus,
    ToolchainRecord,
    ToolRecord,
)
from optbuild.record.variants import ArtifactRecord, StepRecord, VariantRecord, VariantStatus
from optbuild.testing.values import TARGET


def make_comparison(**changes: Any) -> Comparison:  # noqa: ANN401 - fields of Comparison
    """Variant `pgo` against `release` over all workloads: 20% faster, proven."""
    comparison = Comparison(
        workload=None,
        metric="wall",
        baseline="release",
        candidate="pgo",
        change=-0.2,
        ci_low=-0.21,
        ci_high=-0.19,
        confidence=0.95,
        p_value=0.001,
        p_adjusted=0.001,
        verdict=Verdict.FASTER,
        rounds=1,
        mde=0.01,
    )
    return replace(comparison, **changes)


def make_variant_record(name: str = "release", **changes: Any) -> VariantRecord:  # noqa: ANN401 - fields of VariantRecord
    """A variant that was built; `release` is the baseline."""
    artifact = ArtifactRecord(
        bin="demo", path=f"/p/target/optbuild/artifacts/{name}/demo", sha256="ab" * 32, size_bytes=400_000
    )
    step = StepRecord(
        action=f"compile-{name}", kind="compile", argv=("cargo", "build"), duration_s=2.5, reused=False, log=None
    )
    variant = VariantRecord(
        name=name,
        baseline=name == "release",
        status=VariantStatus.BUILT,
        artifacts=(artifact,),
        build_s=2.5,
        steps=(step,),
    )
    return replace(variant, **changes)


def make_pgo_record(**changes: Any) -> PgoRecord:  # noqa: ANN401 - fields of PgoRecord
    """Evidence of PGO that was applied."""
    evidence = PgoRecord(
        profdata=ProfdataRecord(path="/p/target/optbuild/profdata/cd.profdata", sha256="cd" * 32),
        raw_profiles=1,
        quarantined=(),
        functions=200,
        functions_with_counts=120,
        total_count=1_000_000,
        missing_functions=3,
        mismatched_functions=0,
        in_sample=True,
        applied=True,
    )
    return replace(evidence, **changes)


def make_run_record(**changes: Any) -> RunRecord:  # noqa: ANN401 - fields of RunRecord
    """A complete run: `release` and `pgo` on one workload, one round of it shown."""
    names = ("release", "pgo", A_PRIME)
    block = Superblock(
        order=(*names, *reversed(names)), values={"release": (1.0, 1.0), "pgo": (0.8, 0.8), A_PRIME: (1.0, 1.0)}
    )
    record = RunRecord(
        optbuild_version="0.1.0",
        run_id="20260102-030405-0a0b",
        status=RunStatus.COMPLETE,
        exit_code=0,
        started_at="2026-01-02T03:04:05+00:00",
        finished_at="2026-01-02T03:05:05+00:00",
        command_line=("optbuild", "pgo"),
        result_key="measure-0a0b0c0d-00112233",
        project=ProjectRecord(
            manifest="/p/Cargo.toml",
            package="demo",
            bins=("demo",),
            git_commit="5713" * 10,
            git_dirty=False,
            lockfile_sha256="ef" * 32,
        ),
        toolchain=ToolchainRecord(
            rustc="1.95.0",
            cargo="1.95.0",
            host=TARGET,
            target=TARGET,
            llvm_major=22,
            llvm_profdata=ToolRecord(path="/toolchain/bin/llvm-profdata", version="22.1.2"),
        ),
        host=HostRecord(cpu="A CPU", cores=2, memory_bytes=8 << 30, kernel="Linux 6.1", governor=None),
        build_profile={"schema": 1},
        variants=(make_variant_record(), make_variant_record("pgo", pgo=make_pgo_record())),
        outputs=(OutputRecord(workload="small", variant="release", equal=True, sha256="01" * 32),),
        benchmarks=(Series(workload="small", metric="wall", unit="s", rounds=(block,)),),
        resources=tuple(
            Resources(
                workload="small",
                variant=name,
                median_s=median_s,
                peak_rss_bytes=8 << 20,
                peak_rss_floor_bytes=4 << 20,
            )
            for name, median_s in (("release", 1.0), ("pgo", 0.8))
        ),
        comparisons=(make_comparison(), make_comparison(workload="small")),
        measure=MeasureRecord(
            seed=5713,
            rounds=1,
            duration_s=60.0,
            confidence=0.95,
            min_effect=0.01,
            max_time_s=300.0,
            half_width=0.01,
            advice=None,
        ),
        noise=NoiseRecord(
            aa=AaCheck(change=0.001, ci_low=-0.004, ci_high=0.006, verdict=AaVerdict.OK, margin=0.01),
            tainted_rounds=0,
            steal_ratio=None,
        ),
    )
    return replace(record, **changes)
