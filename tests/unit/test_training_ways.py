from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from optbuild.errors import AttemptFault, UsageError
from optbuild.plan.action import render_argument
from optbuild.plan.draft import Draft, PlanInputs
from optbuild.plan.kinds.compile import Compile, Recipe, Role
from optbuild.plan.kinds.make_object import MakeObject
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.planner import make_plan
from optbuild.plan.steps.training_ways import training_ways
from optbuild.plan.ways import Choice
from optbuild.profile.variants import Counters, Lto, PgoMode, TrainingLto, Variant
from optbuild.project.model import CargoProfiles
from optbuild.testing import TARGET, make_build_profile, make_plan_inputs, make_project
from optbuild.toolchain.cpu import CpuNeeds

PGO = Variant(name="pgo", pgo=PgoMode.REQUIRED, counters=Counters.SINGLE)
LTO = replace(PGO, lto=Lto.FAT, codegen_units=1)


def ways(variant: Variant, profile: dict[str, Any] | None = None, **recipe: Any) -> list[str]:  # noqa: ANN401 - fields of Recipe
    """The names of the ways a variant is trained in, where `[profile.release]` of the manifest is this."""
    project = make_project(cargo_profiles=CargoProfiles(tables=({}, {"release": profile or {}})))
    built = Recipe(packages=("demo",), bins=("demo",), target=TARGET, cargo_profile="release", **recipe)
    draft = Draft(variant=variant.name, recipe=built)
    return [way.name for way in training_ways(draft, variant, make_plan_inputs(project=project))]


@pytest.mark.parametrize("lto", [Lto.FAT, Lto.THIN])
def test_lto_is_left_out_first_and_the_exact_recipe_comes_if_that_loses_something(lto: Lto) -> None:
    """With one codegen unit the names stay the same, so that the short way is worth a try."""
    assert ways(replace(LTO, lto=lto)) == ["lto-free", "exact"]


@pytest.mark.parametrize("variant", [PGO, replace(LTO, lto=Lto.OFF), replace(PGO, codegen_units=1)])
def test_without_lto_there_is_nothing_to_leave_out(variant: Variant) -> None:
    """The instrumented build is the exact recipe, whatever the setting says."""
    for setting in TrainingLto:
        assert ways(replace(variant, training_lto=setting)) == ["exact"]


def test_cargos_own_profile_counts_as_well() -> None:
    """A variant without settings is built with what the project's Cargo.toml says."""
    assert ways(PGO, {"lto": True, "codegen-units": 1}) == ["lto-free", "exact"]
    assert ways(PGO, {"lto": "thin", "codegen-units": 1}) == ["lto-free", "exact"]
    assert ways(PGO, {"lto": True}) == ["exact"]
    assert ways(replace(PGO, lto=Lto.OFF), {"lto": True, "codegen-units": 1}) == ["exact"]


@pytest.mark.parametrize(
    ("variant", "profile", "recipe"),
    [
        (replace(LTO, codegen_units=16), {}, {}),
        (replace(LTO, codegen_units=None), {}, {}),
        (LTO, {"package": {"regex": {"codegen-units": 4}}}, {}),
        (LTO, {}, {"inherited_rustflags": ("-Clinker-plugin-lto",)}),
        (LTO, {}, {"rustflags": (("-Ccodegen_units=4",),)}),
        (LTO, {}, {"cargo_args": ("--config", "profile.release.package.regex.codegen-units=4")}),
    ],
)
def test_where_names_would_change_only_the_exact_recipe_will_do(
    variant: Variant, profile: dict[str, Any], recipe: dict[str, Any]
) -> None:
    """More units than one give local functions other names, and flags that decide about LTO may not be overruled."""
    assert ways(variant, profile, **recipe) == ["exact"]
    with pytest.raises(UsageError, match="functions would lose their counts") as caught:
        ways(replace(variant, training_lto=TrainingLto.OFF), profile, **recipe)
    assert 'training-lto = "auto"' in caught.value.help


def test_either_way_can_be_forced() -> None:
    """`same` never leaves LTO out, and `off` never goes back to it."""
    assert ways(replace(LTO, training_lto=TrainingLto.SAME)) == ["exact"]
    assert ways(replace(LTO, training_lto=TrainingLto.OFF)) == ["lto-free"]


def test_counters_are_atomic_once_others_went_wrong() -> None:
    """Unless the variant says how it counts: the last way again, for counts that no run can have made and no more."""
    by_itself = replace(LTO, counters=None)
    assert ways(by_itself) == ["lto-free", "exact", "exact-atomic"]
    assert ways(replace(by_itself, training_lto=TrainingLto.OFF)) == ["lto-free", "lto-free-atomic"]
    assert ways(replace(by_itself, counters=Counters.ATOMIC)) == ["lto-free", "exact"]
    plan = make_plan(
        make_plan_inputs(build_profile=make_build_profile(Variant(name="release"), by_itself)),
        ("release", "pgo"),
        measure=False,
    )
    exact, atomic = plan.variants[1].attempts[1:]
    assert (atomic.lossless, set(atomic.mends)) == (exact.lossless, {AttemptFault.IMPLAUSIBLE})
    flags = []
    for attempt in (exact, atomic):
        assert attempt.instrument is not None
        instrument = plan.action(attempt.instrument)
        assert isinstance(instrument, Compile)
        flags.append([render_argument(word) for word in instrument.recipe.rustflags])
    assert flags[1] == [*flags[0], "-Cllvm-args=-instrprof-atomic-counter-update-all"]


V3, V4 = (replace(LTO, name=f"pgo-v{level}", target_cpu=f"x86-64-v{level}") for level in (3, 4))


def built(*variants: Variant) -> PlanInputs:
    """All of these variants are built."""
    build_profile = make_build_profile(Variant(name="release"), *variants)
    return make_plan_inputs(build_profile=build_profile, cpu_needs=dict.fromkeys(build_profile.variants, CpuNeeds()))


def ways_beside(variant: Variant, *others: Variant) -> list[str]:
    """The ways of a variant that stands behind others."""
    recipe = Recipe(packages=("demo",), bins=("demo",), target=TARGET, cargo_profile="release")
    draft = Draft(variant=variant.name, recipe=recipe)
    return [way.name for way in training_ways(draft, variant, built(*others, variant))]


def test_variants_for_several_cpus_are_trained_once() -> None:
    """With the binary of the one for any CPU; should that lose something, each is trained like any other."""
    plan = make_plan(built(LTO, V3, V4), ("release", "pgo", "pgo-v3", "pgo-v4"), measure=False)
    firsts = [variant.attempts[0] for variant in plan.variants[1:]]
    assert len({attempt.instrument for attempt in firsts}) == len({attempt.merge for attempt in firsts}) == 1
    assert len({attempt.compile for attempt in firsts}) == 3
    assert [attempt.is_shared for attempt in firsts] == [False, True, True]
    shared, own, exact = plan.variants[2].attempts
    assert [(each.name, each.lossless) for each in (shared, own, exact)] == [
        ("shared", True),
        ("lto-free", True),
        ("exact", False),
    ]
    assert set(own.mends) == set(exact.mends) == {AttemptFault.NOT_BUILT, AttemptFault.UNFIT}
    flags = []
    for built_by in (shared.instrument, exact.instrument, shared.compile):
        assert built_by is not None
        action = plan.action(built_by)
        assert isinstance(action, Compile)
        flags.append([render_argument(word) for word in action.recipe.rustflags])
    assert ["-Ctarget-cpu=x86-64-v3" in each for each in flags] == [False, True, True]


def test_variants_that_differ_only_in_rustflags_share_one_training() -> None:
    """With the flags of the first; one that decides about LTO or codegen units changes names, and trains for itself."""
    flagged = [replace(LTO, name=f"pgo-{n}", rustflags=(f"-Cllvm-args=-inline-threshold={n}",)) for n in range(2)]
    units = replace(LTO, name="pgo-units", rustflags=("-Ccodegen-units=4",))
    inputs = built(*flagged, units)
    plan = make_plan(inputs, tuple(inputs.build_profile.variants), measure=False)
    firsts = [variant.attempts[0] for variant in plan.variants[1:]]
    assert [attempt.is_shared for attempt in firsts] == [False, True, False]
    assert firsts[0].merge == firsts[1].merge != firsts[2].merge
    compiled = {action.id: action.recipe for action in plan.of_kind(Compile)}
    assert [render_argument(compiled[attempt.compile].rustflags[0]) for attempt in firsts] == [
        "-Cllvm-args=-inline-threshold=0",
        "-Cllvm-args=-inline-threshold=1",
        "-Ccodegen-units=4",
    ]


@pytest.mark.parametrize(
    "others",
    [(), (V4,), (replace(LTO, features=("fast",)),), (replace(LTO, pgo=PgoMode.OFF),), (replace(LTO, name="v3"),)],
)
def test_what_has_no_twin_is_trained_for_its_own_cpu(others: tuple[Variant, ...]) -> None:
    """Nothing would be spared, or nothing would be there to hold it against."""
    expected = [*(["shared"] if [other.name for other in others] == ["v3"] else []), "lto-free", "exact"]
    assert ways_beside(V3, *others) == expected


THIN = replace(LTO, name="thin", lto=Lto.THIN)
OFF = replace(LTO, name="off", lto=Lto.OFF, codegen_units=16)
ABORT = replace(LTO, name="abort", panic="abort")


def test_where_names_differ_counts_are_translated_before_anything_is_trained() -> None:
    """The variant's own instrumented build lends the names; should the counts not fit, that same build is trained."""
    plan = make_plan(built(LTO, OFF), ("release", "pgo", "off"), measure=False)
    (own, *_), (translated, exact) = plan.variants[1].attempts, plan.variants[2].attempts
    assert (translated.name, translated.shared_with, translated.is_translated) == ("translated", "pgo", True)
    assert translated.instrument == exact.instrument != own.instrument
    merge, merge_of_other = plan.action(translated.merge), plan.action(own.merge)
    assert isinstance(merge, MergeProfiles) and isinstance(merge_of_other, MergeProfiles)  # noqa: PT018
    assert (merge.weights, merge.program) == (merge_of_other.weights, exact.instrument)
    assert (merge.min_matched, merge_of_other.min_matched) == (0.99, None)
    assert set(exact.mends) == {AttemptFault.NOT_BUILT, AttemptFault.UNFIT}


@pytest.mark.parametrize(
    ("variant", "others", "expected"),
    [
        (THIN, (LTO,), [("translated", "pgo"), ("lto-free", None), ("exact", None)]),
        # The first of all, and the first with the same control flow, which has counts where those did not fit.
        (
            replace(ABORT, name="abort-off", lto=Lto.OFF),
            (LTO, THIN, OFF, ABORT),
            [("translated", "pgo"), ("translated", "abort"), ("exact", None)],
        ),
        # What has its names shares what it shares, by the names of its build.
        (
            replace(THIN, name="flags", rustflags=("-Cllvm-args=-inline-threshold=1",)),
            (LTO, THIN),
            [("translated", "pgo"), ("shared", "thin"), ("exact", None)],
        ),
        # Where the counts of all do not fit a CPU, those of the first variant for it may.
        (
            replace(V3, name="flags", rustflags=("-Cllvm-args=-inline-threshold=1",)),
            (LTO, V3),
            [("shared", "pgo"), ("shared", "pgo-v3"), ("exact", None)],
        ),
        (
            replace(THIN, training_lto=TrainingLto.SAME),
            (replace(LTO, training_lto=TrainingLto.SAME),),
            [("exact", None)],
        ),
    ],
)
def test_counts_of_which_variant_are_tried(
    variant: Variant, others: tuple[Variant, ...], expected: list[tuple[str, str | None]]
) -> None:
    """What is rejected soonest comes first; what a variant trained itself comes after what it was spared by."""
    inputs = built(*others, variant)
    plan = make_plan(inputs, tuple(inputs.build_profile.variants), measure=False)
    assert [(attempt.name, attempt.shared_with) for attempt in plan.variants[-1].attempts] == expected


def test_a_variant_with_the_names_of_a_translated_one_costs_one_build() -> None:
    """It takes the same translated counts."""
    flagged = replace(THIN, name="flags", rustflags=("-Cllvm-args=-inline-threshold=1",))
    plan = make_plan(built(LTO, THIN, flagged), ("release", "pgo", "thin", "flags"), measure=False)
    thin, flags = (variant.attempts[0] for variant in plan.variants[2:])
    assert (thin.merge, thin.instrument) == (flags.merge, flags.instrument)
    assert thin.compile != flags.compile


def test_what_is_kept_for_other_builds_is_trained_itself() -> None:
    """A committed profile holds the counts of the variant that it names."""
    inputs = replace(built(LTO, THIN), shares_training=False)
    plan = make_plan(inputs, ("release", "pgo", "thin"), measure=False)
    assert [attempt.name for attempt in plan.variants[2].attempts] == ["lto-free", "exact"]


def test_a_twin_counts_only_where_it_is_built_before() -> None:
    """One that nobody asked for this time spares nothing, and one that comes later proves nothing."""
    recipe = Recipe(packages=("demo",), bins=("demo",), target=TARGET, cargo_profile="release")
    draft = Draft(variant=V3.name, recipe=recipe)
    unasked = make_plan_inputs(build_profile=make_build_profile(LTO, V3), cpu_needs={V3.name: CpuNeeds()})
    assert training_ways(draft, V3, unasked)[0].name == "lto-free"
    assert training_ways(draft, V3, built(V3, LTO))[0].name == "lto-free"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"lto": None}, ["shared", "exact"]),
        ({"training_lto": TrainingLto.OFF}, ["shared", "lto-free"]),
        ({"training_lto": TrainingLto.SAME}, ["exact"]),
        ({"counters": None}, ["shared", "lto-free", "exact", "exact-atomic"]),
    ],
)
def test_a_shared_training_falls_back_to_the_ways_there_are_without(
    changes: dict[str, Any], expected: list[str]
) -> None:
    """And is no way at all where the variant asks for the exact recipe."""
    assert ways_beside(replace(V3, **changes), replace(LTO, **changes)) == expected


def test_lto_is_cancelled_in_the_instrumented_build_alone() -> None:
    """The flags come last, so that they win over cargo's; the cargo profile stays the same."""
    build_profile = make_build_profile(Variant(name="release"), LTO)
    plan = make_plan(make_plan_inputs(build_profile=build_profile), ("release", "pgo"), measure=False)
    compiles = [action for action in plan.actions if isinstance(action, Compile)]
    flags = {action.id: [render_argument(word) for word in action.recipe.rustflags] for action in compiles}
    lto_free, exact = plan.variants[1].attempts
    generate = "-Cprofile_generate=/p/target/optbuild/stray"
    marks = next(f"-Clink-arg={action.file}" for action in plan.actions if isinstance(action, MakeObject))
    lto_off = ["-Clto=off", "-Clinker_plugin_lto=no", "-Cembed_bitcode=no"]
    assert lto_free.instrument is not None
    assert exact.instrument is not None
    assert flags[lto_free.instrument] == [marks, generate, *lto_off]
    assert flags[exact.instrument] == [marks, generate]
    assert {action.recipe.config for action in compiles if action.role is not Role.BUILD} == {
        (("profile.release.lto", '"fat"'), ("profile.release.codegen-units", "1"))
    }
    for attempt in (lto_free, exact):
        use = f"-Cprofile_use={{profdata:{attempt.merge}}}"
        assert flags[attempt.compile] == [use, "-Cllvm-args=-pgo-warn-missing-function", "-Wwarnings"]


def test_the_binaries_are_those_of_the_attempt_that_is_chosen() -> None:
    """One action stands for all attempts, and only the exact recipe is taken in the place of another one."""
    plan = make_plan(make_plan_inputs(), ("release", "lto", "pgo"), measure=True)
    pgo = plan.variants[2]
    assert pgo.compile is not None
    choose = plan.entry(pgo.compile)
    assert isinstance(choose, Choice)
    lto_free, exact = choose.attempts
    assert (lto_free.lossless, lto_free.mends) == (True, frozenset())
    assert (exact.lossless, set(exact.mends)) == (False, {AttemptFault.NOT_BUILT, AttemptFault.UNFIT})
    assert choose.needs == (lto_free.compile, exact.compile)


def test_a_variant_that_is_trained_in_one_way_needs_no_choice() -> None:
    """Its compilation is what is measured."""
    build_profile = make_build_profile(Variant(name="release"), replace(LTO, training_lto=TrainingLto.SAME))
    plan = make_plan(make_plan_inputs(build_profile=build_profile), ("release", "pgo"), measure=True)
    (attempt,) = plan.variants[1].attempts
    assert plan.variants[1].compile == attempt.compile
    assert not any(isinstance(entry, Choice) for entry in plan.entries)


def test_variants_that_differ_in_their_ways_share_those_they_have_in_common() -> None:
    """An exact training that one variant demands is the other one's fallback."""
    same = replace(LTO, name="same", training_lto=TrainingLto.SAME)
    build_profile = make_build_profile(Variant(name="release"), same, LTO)
    plan = make_plan(make_plan_inputs(build_profile=build_profile), ("release", "same", "pgo"), measure=False)
    (exact,) = plan.variants[1].attempts
    assert plan.variants[2].attempts[1].compile == exact.compile
    assert Path(plan.action(exact.compile).label).name == "same: build"


def test_variants_that_differ_only_in_the_scale_of_counts_share_one_training() -> None:
    """Each has its own merge of the same counts, also where they get other names."""
    small = replace(LTO, name="small", count_scale=0.1)
    thin = replace(small, name="thin", lto=Lto.THIN)
    plan = make_plan(built(LTO, small, thin), ("release", "pgo", "small", "thin"), measure=False)
    first, shared, translated = (variant.attempts[0] for variant in plan.variants[1:])
    assert (shared.name, shared.shared_with, shared.instrument) == ("shared", "pgo", first.instrument)
    assert (translated.is_translated, translated.shared_with) == (True, "pgo")
    merges = [merge for each in (first, shared, translated) for merge in plan.find(MergeProfiles, (each.merge,))]
    assert [merge.count_scale for merge in merges] == [None, 0.1, 0.1]
    assert len({merge.id for merge in merges}) == 3
    assert merges[0].weights == merges[1].weights == merges[2].weights
