from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import UsageError
from optbuild.plan.action import render_argument
from optbuild.plan.draft import Draft, PlanInputs
from optbuild.plan.kinds.compile import Compile, Recipe, Role
from optbuild.plan.kinds.make_object import MakeObject
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.kinds.train import Train
from optbuild.plan.steps import STEPS
from optbuild.profile.variants import Counters, Lto, PgoMode, Variant
from optbuild.profile.workloads import Use
from optbuild.project.layout import Layout
from optbuild.project.model import CargoProfiles, Rustflags
from optbuild.testing import (
    TARGET,
    make_build_profile,
    make_invocation,
    make_plan_inputs,
    make_project,
    make_toolchain,
)
from optbuild.toolchain.cpu import CpuNeeds

RECIPE = Recipe(packages=("demo",), bins=("demo",), target=TARGET, cargo_profile="release")
PGO = Variant(name="pgo", pgo=PgoMode.REQUIRED, counters=Counters.SINGLE)
AUTO = Variant(name="pgo", pgo=PgoMode.AUTO, counters=Counters.SINGLE)


def draft_of(variant: Variant, inputs: PlanInputs | None = None, recipe: Recipe = RECIPE) -> Draft:
    """What all steps make of a variant."""
    draft = Draft(variant=variant.name, recipe=recipe)
    for step in STEPS:
        draft = step(draft, variant, inputs or make_plan_inputs())
    return draft


def test_a_variant_without_settings_changes_nothing() -> None:
    """The plain variant is exactly what cargo builds today."""
    assert draft_of(Variant(name="release")) == Draft(variant="release", recipe=RECIPE)


def test_settings_become_keys_of_the_cargo_profile_it_starts_from() -> None:
    """Every setting is given by `--config` in TOML, under the Cargo profile in use; unset ones are not."""
    variant = Variant(
        name="all",
        lto=Lto.OFF,
        codegen_units=1,
        opt_level="s",
        panic="abort",
        strip=True,
        debug="line-tables-only",
        overflow_checks=False,
    )
    config = draft_of(variant, recipe=replace(RECIPE, cargo_profile="dist")).recipe.config
    assert config == (
        ("profile.dist.opt-level", '"s"'),
        ("profile.dist.lto", '"off"'),
        ("profile.dist.codegen-units", "1"),
        ("profile.dist.panic", '"abort"'),
        ("profile.dist.strip", "true"),
        ("profile.dist.debug", '"line-tables-only"'),
        ("profile.dist.overflow-checks", "false"),
    )


def test_flags_of_a_variant_come_after_its_target_cpu() -> None:
    """What the user wrote last wins: rustc takes the last of several flags."""
    variant = Variant(name="native", target_cpu="native", rustflags=("-Ctarget-cpu=x86-64-v3", "-g"))
    assert [render_argument(word) for word in draft_of(variant).recipe.rustflags] == [
        "-Ctarget-cpu=native",
        "-Ctarget-cpu=x86-64-v3",
        "-g",
    ]


def test_features_are_added_once() -> None:
    """A variant's features join the project's, without repetition."""
    recipe = replace(RECIPE, features=("a", "b"))
    assert draft_of(Variant(name="v", features=("b", "c")), recipe=recipe).recipe.features == ("a", "b", "c")


def test_feedback_is_instrument_train_merge_use() -> None:
    """PGO compiles instrumented, trains each workload, merges, and compiles the same recipe with the result."""
    workloads = (
        make_invocation(name="a", weight=3.0),
        make_invocation(name="b", use=(Use.BENCH,)),
        make_invocation("{bin:demo}", "other", name="c", use=(Use.TRAIN,)),
    )
    draft = draft_of(replace(PGO, lto=Lto.FAT, rustflags=("-g",)), make_plan_inputs(workloads=workloads))
    marks, instrument, first, second, merge, optimise = draft.actions
    assert isinstance(marks, MakeObject)
    assert isinstance(instrument, Compile)
    assert isinstance(first, Train)
    assert isinstance(second, Train)
    assert isinstance(merge, MergeProfiles)
    assert isinstance(optimise, Compile)
    assert instrument.role is Role.INSTRUMENT
    assert (first.workload.name, second.workload.name) == ("a", "c")
    assert first.needs == second.needs == (instrument.id,)
    assert merge.weights == {first.id: 3.0, second.id: 1.0}
    (attempt,) = draft.attempts
    assert (attempt.instrument, attempt.merge, attempt.compile) == (instrument.id, merge.id, optimise.id)
    assert optimise.role is Role.OPTIMISE
    flags = [render_argument(word) for word in optimise.recipe.rustflags]
    use = f"-Cprofile_use={{profdata:{merge.id}}}"
    assert flags == ["-g", use, "-Cllvm-args=-pgo-warn-missing-function", "-Wwarnings"]


def test_atomic_counters_are_for_the_instrumented_build_alone() -> None:
    """The flag is in no other recipe; the optimised program has nothing to count."""
    for counters, flags in ((Counters.SINGLE, 0), (Counters.ATOMIC, 1)):
        draft = draft_of(replace(PGO, lto=None, codegen_units=None, counters=counters))
        compilations = [action for action in draft.actions if isinstance(action, Compile)]
        found = [sum("atomic" in render_argument(word) for word in each.recipe.rustflags) for each in compilations]
        assert found == [flags, 0]
        assert (", atomic counters" in compilations[0].label) is bool(flags)


def test_both_phases_have_one_cargo_profile() -> None:
    """Cargo hashes its profile into every symbol: with another one no function would find its counts."""
    draft = draft_of(replace(PGO, lto=Lto.FAT, codegen_units=1, panic="abort", features=("x",)))
    recipes = [action.recipe for action in draft.actions if isinstance(action, Compile)]
    assert len(recipes) == 4
    assert {replace(recipe, rustflags=()) for recipe in recipes} == {replace(draft.recipe, rustflags=())}


def test_instrumented_programs_without_our_environment_write_to_a_place_of_ours() -> None:
    """The default path is compiled in, so that raw profiles never land in the project."""
    instrument = draft_of(PGO).actions[1]
    assert isinstance(instrument, Compile)
    assert instrument.recipe.rustflags[-1] == ("-Cprofile_generate=/p/target/optbuild/stray",)


OBSTACLES = [
    ({"workloads": ()}, "the project has no training workload", "optbuild pgo --"),
    ({"workloads": (make_invocation(use=(Use.BENCH,)),)}, "the project has no training workload", "[[workloads]]"),
    ({"toolchain": make_toolchain(llvm_profdata=None)}, "no llvm-profdata fits rustc", "optbuild doctor --fix"),
    ({"toolchain": make_toolchain(profiler_runtime=None)}, f"rustc has no profiler runtime for {TARGET}", "rustup"),
    (
        {"toolchain": make_toolchain(target="wasm32-wasip1"), "not_runnable": "a program for it does not run here"},
        "a program for it does not run here",
        "target.wasm32-wasip1.runner",
    ),
    (
        {"cpu_needs": {"pgo": CpuNeeds(missing_here=("avx",))}},
        "this machine's CPU lacks avx",
        "a machine whose CPU has",
    ),
    (
        {"layout": Layout.of(Path("/p/100%/target"))},
        "no raw profile can be written below /p/100%/target/optbuild: its path contains a percent sign",
        "CARGO_TARGET_DIR",
    ),
    (
        {"layout": Layout.of(Path("/p/two\nlines/target"))},
        "no counts can be kept below /p/two^Jlines/target/optbuild: its path contains a line break",
        "CARGO_TARGET_DIR",
    ),
    (
        {"layout": Layout.of(Path("/p/a\x1fb/target"))},
        "no counts can be kept below /p/a^_b/target/optbuild: its path contains the byte 0x1f",
        "CARGO_TARGET_DIR",
    ),
]


@pytest.mark.parametrize(("changes", "reason", "remedy"), OBSTACLES)
def test_auto_skips_with_the_reason(changes: dict[str, object], reason: str, remedy: str) -> None:
    """Where PGO cannot be done, `pgo = "auto"` says why and adds no action."""
    draft = draft_of(AUTO, make_plan_inputs(**changes))
    assert draft.skipped == reason
    assert draft.actions == ()


@pytest.mark.parametrize(("changes", "reason", "remedy"), OBSTACLES)
def test_required_pgo_refuses_with_what_mends_it(changes: dict[str, object], reason: str, remedy: str) -> None:
    """Where PGO cannot be done, `pgo = true` is an error that names its place, the obstacle and its remedy."""
    build_profile = make_build_profile(origins={("variants", "pgo", "pgo"): "optbuild.toml:7"})
    with pytest.raises(UsageError) as caught:
        draft_of(PGO, make_plan_inputs(build_profile=build_profile, **changes))
    assert reason in caught.value.message
    assert remedy in caught.value.help
    assert caught.value.location == "optbuild.toml:7"


@pytest.mark.parametrize(
    "flag",
    [
        *("-Cprofile-generate=/x", "-Cprofile_use=/x.profdata", "profile-generate=/x", "-Cinstrument-coverage"),
        *("-Zprofile-sample-use=/x.prof", "-Cprofile_sample_use=/x.prof", "--codegen=profile-sample-use=/x.prof"),
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_rustflags_that_already_instrument_are_refused(flag: str, *, own: bool) -> None:
    """Two instrumentations at once would leave counts that nobody can tell apart."""
    inherited = () if own else (flag,)
    variant = replace(PGO, rustflags=(flag,) if own else ())
    project = make_project(rustflags=Rustflags(flags=inherited, origin=None if own else "RUSTFLAGS"))
    with pytest.raises(UsageError, match=f"the rustflags already hold {flag}"):
        draft_of(variant, make_plan_inputs(project=project), replace(RECIPE, inherited_rustflags=inherited))


@pytest.mark.parametrize(
    ("flags", "lto", "tables"),
    [
        (("-Clinker-plugin-lto",), Lto.FAT, {}),
        (("-C", "linker-plugin-lto=/p.so"), Lto.FAT, {}),
        (("-Clinker-plugin-lto", "-Clto=off", "-Clto"), None, {}),
        (("--codegen=linker-plugin-lto",), None, {"release": {"lto": True}}),
    ],
)
def test_fat_lto_beside_that_of_the_linker_is_refused(
    flags: tuple[str, ...], lto: Lto | None, tables: dict[str, dict[str, bool]]
) -> None:
    """LLVM refuses what was compiled with a profile and is linked into one twice; "auto" skips it, naming the flag."""
    recipe = replace(RECIPE, inherited_rustflags=flags)
    inputs = make_plan_inputs(project=make_project(cargo_profiles=CargoProfiles(tables=(tables,))))
    with pytest.raises(UsageError, match=r'linker-plugin-lto.* in the rustflags and lto = "fat"') as caught:
        draft_of(replace(PGO, lto=lto), inputs, recipe)
    assert 'lto = "thin"' in caught.value.help
    assert "linker-plugin-lto" in (draft_of(replace(AUTO, lto=lto), inputs, recipe).skipped or "")


@pytest.mark.parametrize(
    ("flags", "lto"),
    [
        (("-Clinker-plugin-lto",), Lto.THIN),
        (("-Clinker-plugin-lto",), None),
        (("-Clinker-plugin-lto", "-Clinker-plugin-lto=no"), Lto.FAT),
        (("-Clinker-plugin-lto", "-Clto=thin"), Lto.FAT),
        (("-Clinker-plugin-lto", "-Clto=off"), Lto.FAT),
        (("--cfg", "linker_plugin_lto_is_off"), Lto.FAT),
    ],
)
def test_lto_by_the_linker_alone_is_trained(flags: tuple[str, ...], lto: Lto | None) -> None:
    """Where rustc does not make one of all crates, the linker may: the last flag decides, then Cargo's profile."""
    draft = draft_of(replace(PGO, lto=lto), recipe=replace(RECIPE, inherited_rustflags=flags))
    assert (draft.skipped, draft.attempts != ()) == (None, True)


def test_training_depends_on_the_instrumented_binary_and_the_command() -> None:
    """Another command or another recipe is another training, whatever the workload is called."""

    def training(variant: Variant, *command: str, name: str = "w") -> str:
        inputs = make_plan_inputs(workloads=(make_invocation(*command, name=name, cwd=Path("/p")),))
        return draft_of(variant, inputs).actions[2].id

    base = training(PGO, "{bin:demo}", "a")
    assert training(PGO, "{bin:demo}", "a", name="another") == base
    assert training(PGO, "{bin:demo}", "b") != base
    assert training(replace(PGO, lto=Lto.THIN), "{bin:demo}", "a") != base


def test_a_flag_that_would_silence_the_evidence_is_refused() -> None:
    """With --cap-lints rustc keeps to itself that functions have no counts; -Wwarnings undoes -Awarnings, not this."""
    recipe = replace(RECIPE, inherited_rustflags=("--cap-lints=allow",))
    with pytest.raises(UsageError, match="--cap-lints in the rustflags silences rustc") as caught:
        draft_of(PGO, recipe=recipe)
    assert "remove --cap-lints" in caught.value.help


def test_a_scale_of_counts_is_part_of_the_merge_alone() -> None:
    """Where it is set, and not 1: the ids of all else, and so what is kept of it, stay as they are."""
    drafts = []
    for scale in (None, 1.0, 0.1, 0.01):
        variant = replace(PGO, count_scale=scale)
        inputs = make_plan_inputs(build_profile=make_build_profile(Variant(name="release"), variant))
        drafts.append(draft_of(variant, inputs))
    found = [[action for action in draft.actions if isinstance(action, MergeProfiles)] for draft in drafts]
    assert [merge.count_scale for (merge,) in found] == [None, None, 0.1, 0.01]
    assert len({merge.id for (merge,) in found}) == 3
    assert drafts[0].actions == drafts[1].actions
    before = [[action.id for action in draft.actions if action.kind != "merge"][:-1] for draft in drafts]
    assert all(ids == before[0] for ids in before)
    assert [merge.details()["how"] for (merge,) in found] == [
        *(None, None, "each count × 0.1, 1 at least", "each count × 0.01, 1 at least"),
    ]


def test_a_scale_of_counts_needs_counts() -> None:
    """Without PGO there are none; a scale of 1 asks for nothing, so that a variant may cancel what it inherits."""
    variant = Variant(name="plain", count_scale=0.1)
    profile = make_build_profile(variant, origins={("variants", "plain", "count-scale"): "optbuild.toml:4"})
    with pytest.raises(UsageError, match=r"plain has count-scale = 0\.1, but no PGO") as caught:
        draft_of(variant, make_plan_inputs(build_profile=profile))
    assert "`pgo = true`" in caught.value.help
    assert caught.value.location == "optbuild.toml:4"
    assert draft_of(replace(variant, count_scale=1.0)).actions == ()
