from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from inline_snapshot import snapshot

from optbuild.errors import UsageError
from optbuild.plan.action import render_argument
from optbuild.plan.kinds.bolt import BoltInstrument, BoltMerge, BoltOptimise, BoltTrain, Strip
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.model import Plan
from optbuild.plan.planner import make_plan
from optbuild.profile.variants import BoltMode, PgoMode, Profiles, Variant
from optbuild.profile.workloads import Use
from optbuild.project.model import CargoProfiles, LibFile, LibKind, Rustflags
from optbuild.project.selection import Targets
from optbuild.testing import (
    make_build_profile,
    make_invocation,
    make_package,
    make_plan_inputs,
    make_project,
    make_toolchain,
)
from optbuild.tools.llvm_bolt import EMIT_RELOCATIONS
from optbuild.tools.llvm_objcopy import Keep
from optbuild.workloads.folds import Fold

RELEASE = Variant(name="release")
PGO = Variant(name="pgo", pgo=PgoMode.REQUIRED)
SPLIT = "-Cllvm-args=-enable-split-machine-functions"
BOLT = Variant(name="bolt", ancestors=("pgo",), pgo=PgoMode.REQUIRED, bolt=BoltMode.REQUIRED)
TRAIN = make_invocation("{bin:demo}", "a.txt", name="training", use=(Use.TRAIN,), weight=3.0)
BENCH = make_invocation("{bin:demo}", "b.txt", name="benchmark", use=(Use.BENCH,))


def _plan(*variants: Variant, measure: bool = True, **changes: Any) -> Plan:  # noqa: ANN401 - fields of PlanInputs
    build_profile = make_build_profile(RELEASE, *variants)
    inputs = make_plan_inputs(**{"build_profile": build_profile, "workloads": (TRAIN, BENCH), **changes})
    return make_plan(inputs, tuple(build_profile.variants), measure=measure)


def test_the_chain_follows_the_last_compilation() -> None:
    """Instrument, count, merge and lay out: each with what the one before has made."""
    plan = _plan(PGO, BOLT, measure=False)
    serving = plan.serving(plan.named("bolt"))
    labels = [action.label for action in plan.actions if action.id in serving]
    assert labels == snapshot(
        [
            "object that marks each start of a program",
            "pgo: build instrumented",
            "pgo: train on training",
            "pgo: merge profiles",
            "bolt: build",
            "bolt: instrument for BOLT",
            "bolt: count branches on training",
            "bolt: merge counts for BOLT",
            "bolt: lay out with BOLT",
        ]
    )
    (optimised,) = (each for each in plan.of_kind(BoltOptimise) if each.id in serving)
    merge, compilation = plan.action(optimised.counts), plan.action(optimised.binaries)
    assert isinstance(merge, BoltMerge)
    assert list(merge.weights.values()) == [3.0]
    assert isinstance(compilation, Compile)
    flags = [render_argument(flag) for flag in compilation.recipe.rustflags]
    assert {"-Clink-arg=-Wl,--emit-relocs", "-Cstrip=none"} <= set(flags)
    assert all("strip" not in key for key, _ in compilation.recipe.config), "it would change every mangled name"


def test_it_shares_the_training_of_the_same_variant_without() -> None:
    """The flags that it needs are in no mangled name."""
    alone, both = _plan(PGO, measure=False), _plan(PGO, BOLT, measure=False)
    added = {action.kind for action in both.actions} - {action.kind for action in alone.actions}
    assert added == {"bolt-instrument", "bolt-train", "bolt-merge", "bolt-optimise"}
    attempts = {variant.name: [attempt.merge for attempt in variant.attempts] for variant in both.variants}
    assert attempts["bolt"] == attempts["pgo"]


def test_without_pgo_it_follows_the_plain_build() -> None:
    """It needs only a program that it can run."""
    plan = _plan(replace(BOLT, pgo=PgoMode.OFF), measure=False)
    assert [action.kind for action in plan.actions if action.id in plan.serving(plan.named("bolt"))] == snapshot(
        ["compile", "bolt-instrument", "bolt-train", "bolt-merge", "bolt-optimise"]
    )


def test_its_controls_are_measured_beside_it() -> None:
    """The variant without BOLT is one already; relocations only is none, and is in no table."""
    plan = _plan(PGO, BOLT)
    bolt = plan.named("bolt").bolt
    assert bolt is not None
    assert (bolt.without, bolt.relocations_only) == ("pgo", "bolt:relocations-only")
    assert [control.name for control in plan.controls] == ["bolt:relocations-only"]
    assert plan.measure is not None
    assert [arm.variant for arm in plan.measure.arms] == ["release", "pgo", "bolt"]
    assert [arm.variant for arm in plan.measure.controls] == ["bolt:relocations-only"]
    assert any(plan.of_kind(Strip))


def test_a_variant_without_its_like_gets_that_as_a_control() -> None:
    """What BOLT brings shows only beside the same without it."""
    plan = _plan(BOLT)
    assert [control.name for control in plan.controls] == ["bolt:without-bolt", "bolt:relocations-only"]


@pytest.mark.parametrize("measure", [True, False])
def test_auto_is_decided_only_where_it_is_measured(measure: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A build alone shows nothing, so it is built without."""
    plan = _plan(PGO, replace(BOLT, bolt=BoltMode.AUTO), measure=measure)
    bolt = plan.named("bolt").bolt
    assert bolt is not None
    assert bolt.is_optional
    assert (bolt.obstacle is None) is measure
    assert any(plan.of_kind(BoltInstrument)) is measure


def test_a_cross_validation_counts_nothing_on_what_is_left_out() -> None:
    """BOLT must not have seen it either."""
    other = make_invocation("{bin:demo}", "c.txt", name="other", use=(Use.TRAIN, Use.BENCH))
    build_profile = make_build_profile(RELEASE, BOLT)
    inputs = make_plan_inputs(build_profile=build_profile, workloads=(TRAIN, other))
    fold = Fold(left_out=("other",), workloads=("other",))
    plan = make_plan(inputs, tuple(build_profile.variants), measure=True, folds=(fold,))
    needed = plan.serving(plan.folds[0].build)
    assert {train.workload.name for train in plan.find(BoltTrain, needed)} == {"training"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"toolchain": make_toolchain(bolt=None)}, "no llvm-bolt fits rustc"),
        ({"toolchain": make_toolchain(target="wasm32-wasip1")}, "does not support wasm32-wasip1"),
        ({"toolchain": make_toolchain(target="aarch64-unknown-linux-gnu")}, "cannot be instrumented on"),
        (
            {"toolchain": make_toolchain(target_cfg=("unix", 'target_feature="crt-static"'))},
            "a statically linked program",
        ),
        ({"workloads": (replace(TRAIN, bins=()), BENCH)}, "no training workload runs the program itself"),
        (
            {"project": make_project(rustflags=Rustflags(flags=("-Clink-arg=-Wl,-s",), origin="RUSTFLAGS"))},
            "the rustflags strip the program",
        ),
        (
            {"project": make_project(rustflags=Rustflags(flags=(SPLIT,), origin="RUSTFLAGS"))},
            "llvm-bolt crashes on functions that LLVM has split",
        ),
    ],
)
def test_what_cannot_be_is_refused_when_planning(changes: dict[str, Any], reason: str) -> None:
    """Before anything is built, with what mends it; "auto" builds without it, and says why."""
    variant = replace(BOLT, pgo=PgoMode.OFF)
    with pytest.raises(UsageError, match=reason) as refused:
        _plan(variant, **changes)
    assert 'or say bolt = "auto"' in refused.value.help
    bolt = _plan(replace(variant, bolt=BoltMode.AUTO), **changes).named("bolt").bolt
    assert bolt is not None
    assert reason in (bolt.obstacle or "")


@pytest.mark.parametrize("flag", ["-Cllvm-args=-inline-threshold=500", f"{SPLIT}=false"])
def test_other_flags_of_llvm_are_no_obstacle(flag: str) -> None:
    """BOLT lays out such a program like any other."""
    project = make_project(rustflags=Rustflags(flags=(flag,), origin="RUSTFLAGS"))
    bolt = _plan(replace(BOLT, pgo=PgoMode.OFF), project=project).named("bolt").bolt
    assert bolt is not None
    assert bolt.obstacle is None


def test_programs_with_profiles_of_their_own_are_counted_alone() -> None:
    """Each is laid out by itself, without those that a workload may need beside it."""
    package = make_package(bins=("demo", "ask"))
    both = make_invocation("{bin:demo}", "{bin:ask}", name="both", use=(Use.TRAIN,))
    alone = make_invocation("{bin:demo}", "a.txt", name="alone", use=(Use.TRAIN,))
    changes: dict[str, Any] = {
        "project": make_project(packages=(package,)),
        "targets": Targets(packages=(package,), bins=package.bins),
        "measure": False,
    }
    variant = replace(BOLT, profiles=Profiles.PER_BIN)
    with pytest.raises(UsageError, match="no training workload runs ask and no other program") as refused:
        _plan(variant, workloads=(both, alone), **changes)
    assert 'set profiles = "merged"' in refused.value.help
    other = make_invocation("{bin:ask}", "b.txt", name="other", use=(Use.TRAIN,))
    plan = _plan(variant, workloads=(both, alone, other), **changes)
    assert {(each.programs, each.workload.name) for each in plan.of_kind(BoltTrain)} == {
        (("demo",), "alone"),
        (("ask",), "other"),
    }


def test_a_library_is_refused() -> None:
    """BOLT is for programs."""
    inputs = make_plan_inputs()
    library = LibFile(name="demo", file_name="libdemo.so", package="demo", kind=LibKind.CDYLIB)
    targets = Targets(packages=inputs.targets.packages, bins=inputs.targets.bins, libs=(library,))
    with pytest.raises(UsageError, match=r"libdemo\.so is a library"):
        _plan(BOLT, targets=targets)


@pytest.mark.parametrize(
    ("table", "settings", "keep"),
    [
        ({}, {}, Keep.NO_DEBUG),
        ({"strip": "symbols"}, {}, Keep.NONE),
        ({"strip": False}, {}, Keep.ALL),
        ({"debug": 1}, {}, Keep.ALL),
        ({"debug": "none"}, {}, Keep.NO_DEBUG),
        ({"strip": True}, {"strip": "none"}, Keep.ALL),
    ],
)
def test_programs_keep_of_their_symbols_what_cargo_would_leave(
    table: dict[str, object], settings: dict[str, str], keep: Keep
) -> None:
    """Cargo itself removes the standard library's debug information where none is asked for."""
    project = make_project(cargo_profiles=CargoProfiles(tables=({}, {"release": table}), environ={}))
    plan = _plan(replace(BOLT, **settings), project=project, measure=False)  # type: ignore[arg-type]  # fields of Variant
    assert {each.keep for each in plan.of_kind(BoltOptimise)} == {keep}


@pytest.mark.parametrize(
    ("table", "flags", "is_needed"),
    [
        ({"strip": "symbols", "debug": 2, "split-debuginfo": "packed"}, (), True),
        ({"split-debuginfo": "unpacked"}, (), True),
        ({}, ("-C", "split-debuginfo=packed"), True),
        ({"split-debuginfo": "packed"}, ("-Csplit-debuginfo=off",), False),
        ({"strip": "symbols", "debug": 2}, (), False),
    ],
)
def test_debug_information_is_not_packed_where_relocations_are_kept(
    table: dict[str, object], flags: tuple[str, ...], *, is_needed: bool
) -> None:
    """Rustc cannot pack it there; it is stripped in the end, or the variant is refused."""
    project = make_project(
        cargo_profiles=CargoProfiles(tables=({}, {"release": table}), environ={}),
        rustflags=Rustflags(flags=flags, origin="RUSTFLAGS" if flags else None),
    )
    plan = _plan(BOLT, project=project, measure=False)
    built = [[render_argument(flag) for flag in each.recipe.rustflags] for each in plan.of_kind(Compile)]
    linked = {"-Csplit-debuginfo=off" in flags for flags in built if EMIT_RELOCATIONS in flags}
    assert linked == {is_needed}


def test_a_server_gets_a_library_that_lets_it_exit() -> None:
    """A signal ends it, and it writes its counts only when it exits."""
    server = replace(TRAIN, needs_flush_object=True)
    plan = _plan(BOLT, workloads=(server, BENCH), measure=False)
    (train, *_) = plan.of_kind(BoltTrain)
    assert train.saves_counts is not None
    assert plan.action(train.saves_counts).details()["argv"] == snapshot(
        [
            "/toolchain/bin/rustc",
            "--crate-name=optbuild_exit",
            "--crate-type=cdylib",
            "--edition=2021",
            "-Copt-level=2",
            "-Cpanic=abort",
            "--target",
            "x86_64-unknown-linux-gnu",
            "-o",
            "/p/target/optbuild/objects/object-ad7cb99f.so",
            "/p/target/optbuild/objects/object-ad7cb99f.rs",
        ]
    )
