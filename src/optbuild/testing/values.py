"""Small, complete values of the domain; keywords replace what a test is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from optbuild.plan.counts import PgoProfile
from optbuild.plan.draft import PlanInputs
from optbuild.plan.results import Compiled
from optbuild.profile.model import BuildProfile, ProjectSettings
from optbuild.profile.placeholders import parse_placeholders
from optbuild.profile.variants import Counters, Lto, PgoMode, Variant
from optbuild.profile.workloads import MetricName, Use, slug
from optbuild.project.layout import Layout
from optbuild.project.model import BinTarget, CargoProfiles, GitState, Package, Project, Rustflags
from optbuild.project.selection import Targets
from optbuild.toolchain.model import BoltTools, Tool, Toolchain
from optbuild.workloads.environment import make_workload_env
from optbuild.workloads.invocation import Invocation

TARGET = "x86_64-unknown-linux-gnu"
_PROJECT = Path("/p")
_TOOLCHAIN = Path("/toolchain")


def make_toolchain(**changes: Any) -> Toolchain:  # noqa: ANN401 - fields of Toolchain
    """Rust 1.95.0 with all that PGO needs."""
    toolchain = Toolchain(
        rustc=Tool(name="rustc", path=_TOOLCHAIN / "bin/rustc", version="1.95.0", llvm_major=22),
        cargo=Tool(name="cargo", path=_TOOLCHAIN / "bin/cargo", version="1.95.0"),
        host=TARGET,
        target=TARGET,
        sysroot=_TOOLCHAIN,
        target_cfg=("unix",),
        llvm_profdata=Tool(
            name="llvm-profdata", path=_TOOLCHAIN / "bin/llvm-profdata", version="22.1.2", llvm_major=22
        ),
        searched=(),
        profiler_runtime=_TOOLCHAIN / "lib/libprofiler_builtins-1.rlib",
        target_installed=True,
        bolt=make_bolt_tools(),
    )
    return replace(toolchain, **changes)


def make_bolt_tools() -> BoltTools:
    """BOLT of LLVM 22."""
    return BoltTools(
        bolt=Tool(name="llvm-bolt", path=_TOOLCHAIN / "bin/llvm-bolt", version="22.1.2", llvm_major=22),
        merge_fdata=_TOOLCHAIN / "bin/merge-fdata",
        objcopy=_TOOLCHAIN / "bin/llvm-objcopy",
        strip=_TOOLCHAIN / "bin/llvm-strip",
    )


def make_pgo_profile(**changes: Any) -> PgoProfile:  # noqa: ANN401 - fields of PgoProfile
    """A profile of a hundred functions, sixty of which ran; there is no file."""
    profile = PgoProfile(
        path=Path("/d/ab.profdata"),
        sha256="ab",
        functions=100,
        functions_with_counts=60,
        total_count=1000,
        raw_profiles=1,
    )
    return replace(profile, **changes)


def make_compiled(**changes: Any) -> Compiled:  # noqa: ANN401 - fields of Compiled
    """What came of a compilation without artifacts."""
    compiled = Compiled(
        artifacts={},
        duration_s=1.0,
        units=1,
        reused=False,
        fresh_target_units=0,
        executables=(),
        log=Path("/logs/build.log"),
    )
    return replace(compiled, **changes)


def make_package(*, directory: Path = _PROJECT, bins: tuple[str, ...] = ("demo",), **changes: Any) -> Package:  # noqa: ANN401 - fields of Package
    """Package `demo` 0.1.0."""
    package = Package(
        name="demo",
        version="0.1.0",
        manifest=directory / "Cargo.toml",
        bins=tuple(BinTarget(name=name, package="demo", required_features=()) for name in bins),
        default_run=None,
        features={},
        is_library_only=False,
    )
    return replace(package, **changes)


def make_project(*, directory: Path = _PROJECT, **changes: Any) -> Project:  # noqa: ANN401 - fields of Project
    """A project of one package, locked, at a clean commit, without rustflags of its own."""
    project = Project(
        manifest=directory / "Cargo.toml",
        directory=directory,
        workspace_root=directory,
        target_directory=directory / "target",
        packages=(make_package(directory=directory),),
        lockfile=directory / "Cargo.lock",
        rustflags=Rustflags(flags=(), origin=None),
        cargo_profiles=CargoProfiles(),
        rustc_wrappers=(),
        config_files=(),
        git=GitState(commit="5713" * 10, dirty=False),
    )
    return replace(project, **changes)


def make_variants() -> dict[str, Variant]:
    """Variants `release`, `lto` and `pgo`, as the preset `pgo` has them."""
    return {
        "release": Variant(name="release"),
        "lto": Variant(name="lto", ancestors=("release",), lto=Lto.FAT, codegen_units=1),
        "pgo": Variant(
            name="pgo",
            ancestors=("lto", "release"),
            lto=Lto.FAT,
            codegen_units=1,
            pgo=PgoMode.REQUIRED,
            counters=Counters.SINGLE,
        ),
    }


def make_build_profile(
    *variants: Variant,
    directory: Path = _PROJECT,
    **changes: Any,  # noqa: ANN401 - fields of BuildProfile
) -> BuildProfile:
    """A build profile with the given variants, or with those of `make_variants`; it has no workloads."""
    named = {variant.name: variant for variant in variants} or make_variants()
    build_profile = BuildProfile(
        path=directory / "optbuild.toml", directory=directory, project=ProjectSettings(), variants=named
    )
    return replace(build_profile, **changes)


def make_invocation(
    *command: str,
    name: str = "small",
    directory: Path = _PROJECT,
    environ: Mapping[str, str] | None = None,
    **changes: Any,  # noqa: ANN401 - fields of Invocation
) -> Invocation:
    """A workload that is ready to run, for training and benchmark; `{bin:NAME}` in its command stays open."""
    words = tuple(parse_placeholders(word) for word in command or ("{bin:demo}", "small.txt"))
    bins = tuple(dict.fromkeys(piece.argument or "" for word in words for piece in word if not isinstance(piece, str)))
    declared: Mapping[str, str] = changes.get("declared_env", {})
    passed: tuple[str, ...] = changes.get("passed_env", ())
    invocation = Invocation(
        name=name,
        slug=slug(name),
        argv=words,
        bins=bins,
        cwd=directory,
        env=make_workload_env(declared, passed, {"PATH": "/bin", **(environ or {})}),
        declared_env={},
        passed_env=(),
        scratch=Layout.of(directory / "target").scratch / slug(name),
        stdin=None,
        inputs=(),
        use=(Use.BENCH, Use.TRAIN),
        weight=1.0,
        timeout_s=300.0,
        expect_exit=0,
        compare_output="auto",
        metric=MetricName.WALL,
        stop_signal=15,
        grace_s=10.0,
    )
    return replace(invocation, **changes)


def make_plan_inputs(**changes: Any) -> PlanInputs:  # noqa: ANN401 - fields of PlanInputs
    """All that a plan is made of: `make_build_profile`, `make_project`, `make_toolchain` and one workload."""
    project: Project = changes.get("project", make_project())
    package = project.packages[0]
    inputs = PlanInputs(
        build_profile=make_build_profile(directory=project.directory),
        project=project,
        targets=Targets(packages=(package,), bins=package.bins),
        toolchain=make_toolchain(),
        layout=Layout.of(project.target_directory),
        workloads=(make_invocation(directory=project.directory),),
    )
    return replace(inputs, **changes)
