from __future__ import annotations

from dataclasses import replace

import pytest

from optbuild.errors import UsageError
from optbuild.making.proof.startup import check_order
from optbuild.plan.action import render_argument
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.model import Plan
from optbuild.plan.planner import make_plan
from optbuild.profile.cargo_words import parse_cargo_words
from optbuild.profile.profile_data import ProfileDataSettings, UseProfileData
from optbuild.profile.variants import CodeLayout, Lto, PgoMode, Variant
from optbuild.profile.workloads import Use
from optbuild.project.model import Rustflags
from optbuild.testing import make_build_profile, make_invocation, make_plan_inputs, make_project, make_toolchain
from optbuild.toolchain.model import Toolchain
from optbuild.tools.temporal_traces import parse_traces
from optbuild.workloads.invocation import Invocation

RELEASE = Variant(name="release")
PGO = Variant(name="pgo", pgo=PgoMode.REQUIRED)
STARTUP = Variant(name="startup", pgo=PgoMode.REQUIRED, layout=CodeLayout.STARTUP)
TRACE = ("main", "read", "parse", "work", "print")


def _plan(
    *variants: Variant,
    toolchain: Toolchain | None = None,
    flags: tuple[str, ...] = (),
    profile_data: UseProfileData = UseProfileData.NEVER,
    workloads: tuple[Invocation, ...] | None = None,
) -> Plan:
    project = make_project(rustflags=Rustflags(flags=flags, origin="RUSTFLAGS" if flags else None))
    settings = ProfileDataSettings(path="pgo/demo.pgodata", use=profile_data)
    build_profile = replace(make_build_profile(RELEASE, *variants), profile_data=settings)
    inputs = make_plan_inputs(build_profile=build_profile, project=project, toolchain=toolchain or make_toolchain())
    inputs = replace(inputs, has_profile_data=profile_data is not UseProfileData.NEVER)
    if workloads is not None:
        inputs = replace(inputs, workloads=workloads)
    return make_plan(inputs, tuple(build_profile.variants), measure=False)


def _flags(plan: Plan, role: Role) -> list[str]:
    action = next(each for each in plan.of_kind(Compile) if each.role is role)
    return [render_argument(flag) for flag in action.recipe.rustflags]


def test_training_notes_the_order_and_the_linker_gets_it() -> None:
    """With the same profile that the compiler gets."""
    plan = _plan(STARTUP)
    assert "-Cllvm-args=--pgo-temporal-instrumentation" in _flags(plan, Role.INSTRUMENT)
    merge = plan.named("startup").attempts[0].merge
    linking = _flags(plan, Role.OPTIMISE)
    assert f"-Clink-arg=-Wl,--irpgo-profile={{profdata:{merge}}}" in linking
    assert "-Clink-arg=-Wl,--bp-startup-sort=function" in linking
    assert not any("fuse-ld" in flag for flag in linking), "this rustc links with its own lld anyway"


@pytest.mark.parametrize(
    "toolchain",
    [
        make_toolchain(target="aarch64-unknown-linux-gnu"),
        make_toolchain(rustc=replace(make_toolchain().rustc, version="1.89.0")),
    ],
)
def test_elsewhere_rustcs_own_linker_is_named(toolchain: Toolchain) -> None:
    """GNU ld knows nothing of profiles."""
    linking = _flags(_plan(STARTUP, toolchain=toolchain), Role.OPTIMISE)
    assert "-Clink-arg=-fuse-ld=lld" in linking
    assert any(flag.startswith("-Clink-arg=-B/") and flag.endswith("/gcc-ld") for flag in linking)


def test_it_is_trained_on_its_own() -> None:
    """Counts without an order do not give one."""
    plan = _plan(PGO, STARTUP)
    merges = {variant.name: {attempt.merge for attempt in variant.attempts} for variant in plan.variants}
    assert merges["pgo"].isdisjoint(merges["startup"])


def test_counts_of_another_variant_are_not_translated() -> None:
    """The order in which functions first ran is under names that the variant does not have."""
    plan = _plan(STARTUP, replace(STARTUP, name="other", lto=Lto.THIN))
    assert not any(attempt.is_translated for variant in plan.variants for attempt in variant.attempts)


def test_committed_counts_have_no_order() -> None:
    """The variant is trained, which the plan tells, or refused where nothing may be trained."""
    plan = _plan(PGO, STARTUP, profile_data=UseProfileData.AUTO)
    pgo, startup = (next(each for each in plan.variants if each.name == name) for name in ("pgo", "startup"))
    assert pgo.attempts[0].name == "profile-data"
    assert "profile-data" not in [attempt.name for attempt in startup.attempts]
    assert any(note.startswith("startup will be trained") for note in plan.notes)
    with pytest.raises(UsageError, match="do not say in which order"):
        _plan(PGO, STARTUP, profile_data=UseProfileData.ALWAYS)


def test_an_order_needs_a_training_that_runs_the_program() -> None:
    """Counts of tests and benches are taken by name, and the order is lost; it is that of commands beside them."""
    call = parse_cargo_words(("bench",))
    benches = replace(make_invocation(name="benches", use=(Use.TRAIN,)), call=call)
    command = make_invocation("{bin:demo}", name="command", use=(Use.TRAIN,))
    with pytest.raises(UsageError, match="their order is lost"):
        _plan(STARTUP, workloads=(benches,))
    assert _plan(STARTUP, workloads=(benches, command)).variants[-1].attempts


@pytest.mark.parametrize(
    ("variant", "options", "reason"),
    [
        (replace(STARTUP, pgo=PgoMode.OFF), {}, "the variant has no PGO"),
        (STARTUP, {"toolchain": make_toolchain(target="aarch64-apple-darwin")}, "cannot do that"),
        (STARTUP, {"flags": ("-Clink-arg=-fuse-ld=mold",)}, "name another linker"),
    ],
)
def test_what_cannot_be_is_refused(variant: Variant, options: dict[str, object], reason: str) -> None:
    """Before anything is built."""
    with pytest.raises(UsageError, match=reason):
        _plan(variant, **options)  # type: ignore[arg-type]  # options of `_plan`


def test_traces_are_read() -> None:
    """A local function's name follows that of its codegen unit."""
    text = (
        "Total functions: 3\nTemporal Profile Traces (samples=1 seen=1):\n"
        "  Temporal Profile Trace 0 (weight=1 count=2):\n    main\n    t.cgu.0;work\n"
        "  Temporal Profile Trace 1 (weight=1 count=1):\n    main\n"
    )
    assert parse_traces(text.splitlines()) == (("main", "work"), ("main",))


def _laid_out(*names: str) -> dict[str, tuple[int, int]]:
    return {name: (0x1000 + 0x100 * place, 0x40) for place, name in enumerate(names)}


@pytest.mark.parametrize(
    ("names", "passed"),
    [(TRACE, True), (TRACE[::-1], False), ((*TRACE[:2], "never", *TRACE[2:]), True), (TRACE[:2], None), ((), None)],
)
def test_the_order_is_shown_by_neighbours(names: tuple[str, ...], passed: bool | None) -> None:  # noqa: FBT001 - a parameter of the test
    """A stripped program, or one of hardly any functions, shows nothing."""
    _, order = check_order([TRACE], _laid_out(*names))
    assert order.passed is passed


def test_a_profile_without_an_order_proves_nothing() -> None:
    """Such as committed counts, which have none."""
    known, order = check_order([], _laid_out(*TRACE))
    assert (known.passed, order.passed) == (False, None)
