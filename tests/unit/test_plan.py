from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import UsageError
from optbuild.plan.action import ActionId, Output, render_argument, resolve_argument
from optbuild.plan.draft import PlanInputs
from optbuild.plan.kinds.check_outputs import CompareOutputs, ProbeOutputs
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.kinds.make_object import MakeObject
from optbuild.plan.kinds.train import Train
from optbuild.plan.measure import Measure
from optbuild.plan.model import Plan
from optbuild.plan.planner import baseline_name, make_plan, select_pgo_variants, select_variants
from optbuild.profile.load import default_build_profile
from optbuild.profile.model import BuildProfile, MeasureSettings, ProjectSettings
from optbuild.profile.variants import Counters, Lto, PgoMode, Variant
from optbuild.profile.workloads import Use
from optbuild.project.model import CargoProfiles, ConfiguredRunner, ConfiguredValue, LibFile, LibKind, Rustflags
from optbuild.testing import (
    TARGET,
    make_build_profile,
    make_invocation,
    make_package,
    make_plan_inputs,
    make_project,
    make_toolchain,
    make_variants,
)
from optbuild.toolchain.cpu import CpuNeeds
from optbuild.toolchain.model import Tool

WORKLOADS = (
    make_invocation("{bin:demo}", "books.txt", name="books", weight=3.0),
    make_invocation("{bin:demo}", "logs.txt", name="logs", use=(Use.TRAIN,)),
    make_invocation("{bin:demo}", "held-out.txt", name="held out", use=(Use.BENCH,)),
)
RELEASE = Variant(name="release")


def plan_of(*variants: Variant, measure: bool = True, **changes: object) -> Plan:
    """The plan of all of the given variants, or of release, lto and pgo."""
    build_profile: BuildProfile = make_build_profile(*variants)
    inputs = make_plan_inputs(**{"build_profile": build_profile, "workloads": WORKLOADS, **changes})
    return make_plan(inputs, tuple(inputs.build_profile.variants), measure=measure)


def compiles(plan: Plan) -> list[Compile]:
    """The compile actions of a plan."""
    return [action for action in plan.listing if isinstance(action, Compile)]


def env_of(action: Compile) -> Mapping[str, str]:
    """What an action adds to the environment, outputs by their names."""
    return {name: render_argument(word) for name, word in action.env.items()}


def kinds(plan: Plan) -> list[str]:
    """What a plan does, in order, without the small objects that are linked into instrumented builds."""
    actions = (action for action in plan.listing if not isinstance(action, MakeObject))
    return [action.role if isinstance(action, Compile) else action.kind for action in actions]


def test_the_baseline_is_built_and_tried_before_anything_else() -> None:
    """A workload whose output varies is found out before the long builds, and all is measured together at the end."""
    assert kinds(plan_of()) == [
        *("build", "probe", "probe"),
        *("build", "compare", "compare"),
        *("instrument", "train", "train", "merge", "optimise"),
        *("instrument", "train", "train", "merge", "optimise"),  # if the evidence of the first attempt does not hold
        *("choose", "compare", "compare"),
        "measure",
    ]


def test_only_benchmark_workloads_are_compared_and_measured() -> None:
    """A workload for training alone is run only with instrumented binaries."""
    plan = plan_of()
    measured = [action for action in plan.listing if isinstance(action, (ProbeOutputs, CompareOutputs))]
    assert {action.workload.name for action in measured} == {"books", "held out"}
    assert {a.workload.name for a in plan.listing if isinstance(a, Train)} == {"books", "logs"}
    last = plan.listing[-1]
    assert isinstance(last, Measure)
    assert [workload.name for workload in last.workloads] == ["books", "held out"]
    assert [arm.variant for arm in last.arms] == ["release", "lto", "pgo"]


def test_building_alone_neither_compares_nor_measures() -> None:
    """Without measuring, the plan ends with the last binary."""
    plan = plan_of(measure=False)
    attempt = ["instrument", "train", "train", "merge", "optimise"]
    assert kinds(plan) == ["build", "build", *attempt, *attempt, "choose"]
    assert plan.measure is None


def test_ids_do_not_depend_on_names() -> None:
    """What has the same content is the same action, whatever its variant or workload is called."""
    renamed = [replace(variant, name=f"my-{name}") for name, variant in make_variants().items()]
    workloads = tuple(replace(w, name=f"my {w.name}") for w in WORKLOADS)
    one, other = plan_of(), plan_of(*renamed, workloads=workloads)
    assert [action.id for action in one.listing[:-1]] == [action.id for action in other.listing[:-1]]


def test_variants_share_what_they_have_in_common() -> None:
    """Two variants of one recipe are compiled, trained and merged once."""
    twins = (
        RELEASE,
        *(Variant(name=name, lto=Lto.FAT, pgo=PgoMode.REQUIRED, counters=Counters.SINGLE) for name in ("one", "two")),
    )
    plan = plan_of(*twins)
    one, two = plan.variants[1:]
    assert (one.compile, one.attempts) == (two.compile, two.attempts)
    assert len(compiles(plan)) == 3
    assert len({action.id for action in plan.listing}) == len(plan.listing)


def test_the_baseline_comes_first() -> None:
    """Whatever the profile's order, the variant that others are compared with leads."""
    variants = make_variants()
    build_profile = make_build_profile(*variants.values(), measure=MeasureSettings(baseline="lto"))
    plan = plan_of(build_profile=build_profile)
    assert [variant.name for variant in plan.variants] == ["lto", "release", "pgo"]
    assert plan.baseline.name == "lto"


def test_every_build_names_its_target() -> None:
    """With `--target` the flags stay away from build scripts and macros."""
    for action in compiles(plan_of()):
        assert action.argv[action.argv.index("--target") + 1] == TARGET


def test_both_phases_of_pgo_have_identical_cargo_profile_flags() -> None:
    """The instrumented and the optimised build differ in rustflags alone."""
    plan = plan_of()
    lto_free, optimise, exact, optimise_again = (a for a in compiles(plan) if a.role is not Role.BUILD)

    def without_verbosity(action: Compile) -> str:
        return shlex.join(action.argv).replace("--config 'build.warnings=\"warn\"' -vv ", "")

    assert without_verbosity(optimise) != shlex.join(optimise.argv)

    assert "--config" in lto_free.argv
    assert without_verbosity(lto_free) == without_verbosity(optimise)
    assert without_verbosity(exact) == without_verbosity(optimise_again) == without_verbosity(optimise)


def test_the_users_own_flags_come_first() -> None:
    """Cargo takes one source of flags only, so the user's are in it, in front of ours, separated by 0x1f."""
    project = make_project(rustflags=Rustflags(flags=("--cfg", "a b"), origin="RUSTFLAGS"))
    variant = Variant(name="native", target_cpu="native", rustflags=("-g",))
    release, native = compiles(plan_of(RELEASE, variant, project=project))
    assert env_of(native)["CARGO_ENCODED_RUSTFLAGS"] == "--cfg\x1fa b\x1f-Ctarget-cpu=native\x1f-g"
    assert "CARGO_ENCODED_RUSTFLAGS" not in release.env


def test_a_variant_without_flags_of_its_own_leaves_the_variable_alone() -> None:
    """Cargo finds the user's flags by itself: setting the variable could only spoil them."""
    has_flags = {(action.role, "CARGO_ENCODED_RUSTFLAGS" in action.env) for action in compiles(plan_of())}
    assert has_flags == {(Role.BUILD, False), (Role.INSTRUMENT, True), (Role.OPTIMISE, True)}


def test_the_profile_is_named_by_its_content_when_it_is_known() -> None:
    """The optimised build refers to the merge's output, which is filled in when it runs."""
    optimise = compiles(plan_of())[-1]
    word = optimise.env["CARGO_ENCODED_RUSTFLAGS"]
    assert [piece.name for piece in word if isinstance(piece, Output)] == ["profdata"]
    assert "-Cprofile_use=/d/ab.profdata\x1f" in resolve_argument(word, lambda _: "/d/ab.profdata")


def test_flag_sets_share_a_directory_where_cargo_keeps_them_apart() -> None:
    """From cargo 1.85 on two directories are enough, and older cargo gets one for each recipe."""

    def target_directories(version: str) -> set[str]:
        cargo = Tool(name="cargo", path=Path("/toolchain/bin/cargo"), version=version)
        plan = plan_of(toolchain=make_toolchain(cargo=cargo))
        return {action.argv[action.argv.index("--target-dir") + 1] for action in compiles(plan)}

    assert target_directories("1.85.0") == {"/p/target/optbuild/cargo", "/p/target/optbuild/train"}
    assert target_directories("1.84.1") == {f"{a.cargo_target}/{a.id}" for a in compiles(plan_of())}


def test_what_is_about_a_profile_has_a_directory_of_its_own() -> None:
    """Cargo locks a directory, and builds of both sorts shall run side by side.

    How many jobs there are does not change it: paths of generated files may be in binaries, and so may be their length.
    """
    for inputs in ({}, {"jobs": 1}, {"shares_jobs": True}):
        places = {action.role: action.cargo_target.name for action in compiles(plan_of(**inputs))}
        assert places == {Role.BUILD: "cargo", Role.INSTRUMENT: "train", Role.OPTIMISE: "train"}
    assert len("cargo") == len("train")


def test_builds_that_share_jobs_are_told_of_the_jobserver() -> None:
    """Cargo would warn of `--jobs` beside it, and a build script's cargo would inherit a variable with the number."""
    alone, shared = (plan_of(jobs=3, shares_jobs=shares) for shares in (False, True))
    assert [action.id for action in alone.listing] == [action.id for action in shared.listing]
    for action in compiles(alone):
        assert action.argv[action.argv.index("--jobs") + 1] == "3"
        assert not {"CARGO_MAKEFLAGS", "CARGO_BUILD_JOBS"} & action.env.keys()
    for action in compiles(shared):
        assert "--jobs" not in action.argv
        told = "{descriptors:jobserver}"
        assert env_of(action)["CARGO_MAKEFLAGS"] == f"-j --jobserver-fds={told} --jobserver-auth={told}"
        assert ("build.jobs=3" in action.argv, "CARGO_BUILD_JOBS" in action.env) == (True, False)
    for action in compiles(plan_of(shares_jobs=True)):
        assert not any(word.startswith("build.jobs") for word in action.argv)


def test_links_of_the_whole_program_are_known(tmp_path: Path) -> None:
    """By the variant's setting, or by the project's own; an instrumented build that cancels it does not count."""
    links = {action.label: action.links_whole_program for action in compiles(plan_of())}
    assert links == {
        "release: build": False,
        "lto: build": True,
        "pgo: build instrumented without LTO": False,
        "pgo: build instrumented": True,
        "pgo: build": True,
    }
    tables = ({"release": {"lto": True}},)
    project = make_project(directory=tmp_path, cargo_profiles=CargoProfiles(tables=tables))
    plan = plan_of(project=project, build_profile=make_build_profile(make_variants()["release"]))
    assert [action.links_whole_program for action in compiles(plan)] == [True]


def test_intermediate_files_stay_in_our_directory() -> None:
    """A `build-dir` in cargo's configuration would lead them elsewhere; a variable, those of a build script's cargo."""
    for action in compiles(plan_of()):
        assert f'build.build-dir="{action.cargo_target}"' in action.argv
        assert "CARGO_BUILD_BUILD_DIR" not in action.env


def test_a_directory_with_braces_is_refused_only_where_a_build_directory_is_set() -> None:
    """Cargo takes braces there for a variable; without such a setting its own default is the right place."""
    project = make_project(directory=Path("/{p}"))
    for action in compiles(plan_of(project=project)):
        assert not any(word.startswith("build.build-dir") for word in action.argv)
    project = replace(project, build_directory_origin="/h/config.toml: build.build-dir")
    with pytest.raises(UsageError, match=r"/\{p\}/target/optbuild.*/h/config.toml: build.build-dir sets") as caught:
        plan_of(project=project)
    assert "CARGO_TARGET_DIR=DIR" in caught.value.help


def test_settings_of_the_project_reach_cargo() -> None:
    """Features, the Cargo profile, further arguments and jobs are passed on, further arguments last."""
    settings = ProjectSettings(
        features=("a", "b"), no_default_features=True, cargo_profile="dist", cargo_args=("--offline",)
    )
    (action,) = compiles(plan_of(build_profile=make_build_profile(RELEASE, project=settings), jobs=3))
    text = " ".join(action.argv)
    assert "--profile dist" in text
    assert "--features a,b --no-default-features --locked --jobs 3" in text
    assert action.argv[-1] == "--offline"


def test_without_a_lockfile_nothing_is_locked_and_the_plan_says_so() -> None:
    """Cargo makes the file, which `--locked` would forbid."""
    plan = plan_of(RELEASE, project=make_project(lockfile=None))
    assert "--locked" not in compiles(plan)[0].argv
    assert plan.notes == ("Cargo.lock is missing: cargo will resolve the dependencies and write one",)


def test_locking_can_be_turned_off() -> None:
    """`locked = false` leaves the option out."""
    build_profile = make_build_profile(RELEASE, project=ProjectSettings(locked=False))
    assert "--locked" not in compiles(plan_of(build_profile=build_profile))[0].argv


def test_notes_name_what_the_user_may_have_forgotten() -> None:
    """Flags and wrappers are kept, with their origin, and a CPU that others lack is named once."""
    project = make_project(
        rustflags=Rustflags(flags=("-g", "-v"), origin="RUSTFLAGS"),
        rustc_wrappers=(ConfiguredValue(value="sccache", origin="RUSTC_WRAPPER"),),
    )
    variants = (RELEASE, *(Variant(name=name, target_cpu="native") for name in ("one", "two")))
    native = CpuNeeds(features=("avx", "avx2"))
    needs = {"release": CpuNeeds(), "one": native, "two": native}
    assert plan_of(*variants, project=project, cpu_needs=needs).notes == (
        "rustflags kept in every build: -g -v (from RUSTFLAGS)",
        "compiler wrapper kept: sccache (from RUSTC_WRAPPER)",
        "one, two will not run on a CPU without avx, avx2",
        "variant two is measured although it has an equal: it has the same settings as one",
    )


def test_a_variant_that_cannot_be_built_is_left_out_with_its_reason() -> None:
    """Nothing is planned for it, and it is no arm of the measurement."""
    auto = Variant(name="pgo", pgo=PgoMode.AUTO, counters=Counters.SINGLE)
    plan = plan_of(RELEASE, auto, toolchain=make_toolchain(profiler_runtime=None))
    assert plan.variants[1].skipped == f"rustc has no profiler runtime for {TARGET}"
    assert plan.variants[1].compile is None
    assert kinds(plan) == ["build", "probe", "probe", "measure"]


def test_a_baseline_that_cannot_be_built_is_an_error() -> None:
    """Without it there is nothing to compare with."""
    auto = Variant(name="pgo", pgo=PgoMode.AUTO, counters=Counters.SINGLE)
    with pytest.raises(UsageError, match="the baseline pgo cannot be built: the project has no") as caught:
        plan_of(auto, RELEASE, workloads=())
    assert "[measure]" in caught.value.help


def test_pgo_is_held_against_the_same_recipe_without_it() -> None:
    """Where a variant differs from the PGO variant by PGO alone, its binary is the one that must differ."""
    plan = plan_of()
    lto, pgo = plan.variants[1:]
    assert pgo.plain == lto.compile
    alone = plan_of(RELEASE, replace(make_variants()["pgo"], lto=Lto.THIN))
    assert alone.variants[1].plain is None


def test_the_measurement_does_not_depend_on_its_budget() -> None:
    """More time gives the same result more precisely, so that an earlier one is found again."""

    def measurement(**settings: float) -> ActionId | None:
        build_profile = make_build_profile(RELEASE, measure=MeasureSettings(**settings))  # type: ignore[arg-type]
        measure = plan_of(build_profile=build_profile).measure
        return None if measure is None else measure.id

    assert measurement(max_time_s=1.0) == measurement(max_time_s=2.0)
    assert measurement(min_effect=0.01) != measurement(min_effect=0.02)


def test_directories_outside_the_target_directory_are_told() -> None:
    """The plan names every directory that a run writes to."""
    inputs = make_plan_inputs()
    assert make_plan(inputs, ("release",), measure=True).directories == (Path("/p/target/optbuild"),)
    elsewhere: PlanInputs = replace(inputs, layout=replace(inputs.layout, artifacts=Path("/out")))
    assert make_plan(elsewhere, ("release",), measure=True).directories == (Path("/p/target/optbuild"), Path("/out"))


def test_a_plan_knows_what_an_action_needs() -> None:
    """Needs are followed to the end, and a variant is served by the checks of its outputs as well."""
    plan = plan_of()
    pgo = plan.variants[2]
    assert pgo.compile is not None
    needed = [plan.entry(found).kind for found in plan.needed_by(pgo.attempts[0].compile)]
    assert needed == ["compile", "merge", "train", "train", "compile", "object"]
    first, second = ([action for action in plan.listing if action.id in plan.serving(pgo, a)] for a in pgo.attempts)
    chain = ["object", "compile", "train", "train", "merge", "compile"]
    assert [action.kind for action in first] == [action.kind for action in second]
    assert [action.kind for action in first] == [*chain, "choose", "compare", "compare"]
    shared = {action.id for action in first} & {action.id for action in second}
    assert {plan.entry(found).kind for found in shared} == {"object", "choose", "compare"}
    assert plan.serving(pgo) == plan.serving(pgo, pgo.attempts[0])
    assert plan.serving(replace(pgo, compile=None)) == frozenset()


def test_packages_are_named_with_their_version() -> None:
    """A dependency of the same name cannot be meant."""
    package = make_package(name="demo", version="2.0.0-rc.1")
    (action,) = compiles(plan_of(RELEASE, project=make_project(packages=(package,))))
    assert action.argv[action.argv.index("--package") + 1] == "demo@2.0.0-rc.1"


FAT = {"release": {"lto": True, "codegen-units": 1}}


def test_a_variant_of_a_preset_that_adds_nothing_is_skipped(tmp_path: Path) -> None:
    """Cargo's profile may have the settings of `lto` already; what inherits from it is optimised as it would be."""
    project = make_project(cargo_profiles=CargoProfiles(tables=(FAT,)))
    inputs = make_plan_inputs(build_profile=default_build_profile(tmp_path), project=project, workloads=WORKLOADS)
    plan = make_plan(inputs, ("release", "lto", "pgo"), measure=True)
    release, lto, pgo = plan.variants
    assert (lto.compile, lto.skipped) == (None, "it has the same settings as release")
    assert pgo.plain == release.compile
    measure = plan.measure
    assert measure is not None
    assert [arm.variant for arm in measure.arms] == ["release", "pgo"]


def test_a_variant_that_somebody_wrote_is_measured_beside_its_like() -> None:
    """It is built once, and a note says that there is nothing to find."""
    fat = Variant(name="fat", ancestors=("release",), lto=Lto.FAT, codegen_units=1)
    plan = plan_of(RELEASE, fat, project=make_project(cargo_profiles=CargoProfiles(tables=(FAT,))))
    assert len(compiles(plan)) == 1
    assert [variant.compile for variant in plan.variants] == [compiles(plan)[0].id] * 2
    assert plan.notes == ("variant fat is measured although it has an equal: it has the same settings as release",)


def test_pgo_selects_the_baseline_and_all_ancestors() -> None:
    """`optbuild pgo` builds what its table compares: PGO variants, what they inherit from, and the baseline."""
    variants = make_variants()
    extra = Variant(name="small", opt_level="s")
    build_profile = make_build_profile(extra, *variants.values(), measure=MeasureSettings(baseline="release"))
    assert select_pgo_variants(build_profile) == ("release", "lto", "pgo")


def test_pgo_without_a_pgo_variant_is_refused() -> None:
    """The error says how to get one, and what to run instead."""
    with pytest.raises(UsageError, match="the build profile has no variant with PGO") as caught:
        select_pgo_variants(make_build_profile(RELEASE))
    assert "optbuild run" in caught.value.help


def test_named_variants_are_built_beside_the_baseline() -> None:
    """`optbuild run lto` compares lto with the baseline; without names all are built, in the profile's order."""
    build_profile = make_build_profile()
    assert select_variants(build_profile, ("lto",)) == ("release", "lto")
    assert select_variants(build_profile, ()) == ("release", "lto", "pgo")


def test_an_unknown_variant_lists_those_there_are() -> None:
    """A misspelt name is answered with the names."""
    with pytest.raises(UsageError, match="unknown variant 'pog'") as caught:
        select_variants(make_build_profile(), ("pog",))
    assert caught.value.help == "did you mean pgo? the build profile has: release, lto, pgo"
    with pytest.raises(UsageError, match=r"unknown variant '\.'") as caught:
        select_variants(make_build_profile(), (".",))
    assert "go to its directory" in caught.value.help


def test_the_baseline_is_the_named_one_or_the_first() -> None:
    """A profile that names none compares with its first variant."""
    assert baseline_name(make_build_profile()) == "release"
    assert baseline_name(make_build_profile(measure=MeasureSettings(baseline="lto"))) == "lto"


def test_what_cannot_run_here_is_built_and_neither_trained_nor_measured() -> None:
    """The reason stands at the variant with PGO; the others are built."""
    auto = Variant(name="pgo", pgo=PgoMode.AUTO, counters=Counters.SINGLE)
    plan = plan_of(RELEASE, auto, not_runnable="it does not run here")
    assert [action.kind for action in plan.listing] == ["compile"]
    assert (plan.measure, plan.variants[1].skipped) == (None, "it does not run here")
    with pytest.raises(UsageError, match="variant pgo wants PGO, but it does not run here"):
        plan_of(
            RELEASE, replace(auto, pgo=PgoMode.REQUIRED, counters=Counters.SINGLE), not_runnable="it does not run here"
        )


def test_a_library_that_lto_leaves_out_is_named_in_the_notes() -> None:
    """Rustc has no LTO for a library that is an rlib as well; cargo leaves it out in silence."""
    inputs = make_plan_inputs()
    lib = LibFile(name="demo", package="demo", kind=LibKind.CDYLIB, file_name="libdemo.so", has_rlib=True)
    targets = replace(inputs.targets, libs=(lib,))
    lto = Variant(name="lto", lto=Lto.FAT)
    (note,) = plan_of(RELEASE, lto, targets=targets).notes
    assert note.startswith("link-time optimisation leaves out libdemo.so")
    assert plan_of(RELEASE, targets=targets).notes == ()
    assert plan_of(RELEASE, lto, targets=replace(targets, libs=(replace(lib, has_rlib=False),))).notes == ()


def test_shared_libraries_of_the_workspace_are_named_before_they_are_built() -> None:
    """A program's own, and std's; those of build scripts are known when they are there."""
    inputs = make_plan_inputs()
    package = replace(inputs.targets.packages[0], dylibs=("libshared.so",))
    targets = replace(inputs.targets, packages=(package,))
    project = make_project(rustflags=Rustflags(flags=("-C", "prefer-dynamic"), origin=None))
    assert plan_of(RELEASE, targets=targets, project=project).notes == (
        f"{package.name} loads libshared.so, which only `cargo run` would find: kept with its programs",
        "programs load std as a shared library (prefer-dynamic): it is kept with each of them",
    )
    static = make_project(rustflags=Rustflags(flags=("-Cprefer-dynamic=no",), origin=None))
    assert plan_of(RELEASE, project=static).notes == ()


def test_a_runner_is_named_in_the_notes() -> None:
    """What is timed is the program together with what runs it."""
    project = make_project(runner=ConfiguredRunner(argv=("qemu", "-x"), origin="VARIABLE"))
    workloads = (make_invocation("qemu", "-x", "{bin:demo}"),)
    (note,) = plan_of(RELEASE, project=project, workloads=workloads).notes
    assert note == "programs are run by qemu -x (from VARIABLE): times include it, for every variant alike"
    (note,) = plan_of(RELEASE, project=project, workloads=(make_invocation("sh", "go.sh", "{bin:demo}"),)).notes
    assert note == (
        "the runner qemu -x (from VARIABLE) is used only if a command begins with {bin}; not used for workload 'small'"
    )
    assert plan_of(RELEASE, project=project, workloads=(make_invocation("sh", "go.sh"),)).notes == ()
