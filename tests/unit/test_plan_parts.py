"""Variants whose programs each have a PGO profile of their own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import UsageError
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.kinds.train import Train
from optbuild.plan.measure import Measure
from optbuild.plan.model import Plan, PlannedVariant
from optbuild.plan.parts import trains
from optbuild.plan.planner import make_plan
from optbuild.plan.render import plan_to_dict, render_actions
from optbuild.plan.ways import Gathering
from optbuild.profile.cargo_words import parse_cargo_words
from optbuild.profile.variants import Counters, PgoMode, Profiles, Variant
from optbuild.profile.workloads import Use
from optbuild.project.model import LibFile, LibKind
from optbuild.project.selection import Targets
from optbuild.testing import make_build_profile, make_invocation, make_package, make_plan_inputs
from optbuild.toolchain.cpu import CpuNeeds
from optbuild.workloads.invocation import Invocation

PACKAGE = make_package(bins=("north", "south", "east"))
NORTH = make_invocation("{bin:north}", "n.txt", name="north")
SOUTH = make_invocation("{bin:south}", "s.txt", name="south", use=(Use.TRAIN,))
ALL = make_invocation("sh", "-c", "{bin:north}; {bin:south}; {bin:east}", name="all", use=(Use.TRAIN,))
PGO = Variant(name="pgo", ancestors=("release",), pgo=PgoMode.REQUIRED, counters=Counters.SINGLE)
EACH = replace(PGO, name="each", profiles=Profiles.PER_BIN)
NAMES = ("release", "pgo", "each", "abort")


def plan_of(*workloads: Invocation, variants: tuple[Variant, ...] = (PGO, EACH), **changes: object) -> Plan:
    """The plan of three programs."""
    profile = make_build_profile(Variant(name="release"), *variants)
    given = {
        "build_profile": profile,
        "targets": Targets(packages=(PACKAGE,), bins=PACKAGE.bins),
        "workloads": workloads,
        "python": Path("/python"),
        **changes,
    }
    return make_plan(make_plan_inputs(**given), tuple(profile.variants), measure=True)


def each_of(plan: Plan) -> PlannedVariant:
    """The variant with a profile for each program."""
    return plan.variants[-1]


def compiled_by(plan: Plan, build: PlannedVariant) -> Compile:
    """How a part is compiled."""
    assert build.compile is not None
    action = plan.entry(build.compile)
    assert isinstance(action, Compile)
    return action


def test_each_program_is_compiled_with_what_runs_it() -> None:
    """By itself, and with the packages of all, whose features unify."""
    plan = plan_of(NORTH, SOUTH, ALL)
    parts = each_of(plan).parts
    compiled = {name: compiled_by(plan, part) for name, part in parts.items()}
    assert {name: action.recipe.bins for name, action in compiled.items()} == {
        "north": ("north",),
        "south": ("south",),
        "east": ("east",),
    }
    assert {action.recipe.packages for action in compiled.values()} == {("demo",)}
    trained_on = {}
    for name, part in parts.items():
        merge = plan.entry(part.attempts[0].merge)
        assert isinstance(merge, MergeProfiles)
        trainings = [plan.entry(need) for need in merge.weights]
        trained_on[name] = [action.workload.name for action in trainings if isinstance(action, Train)]
    assert trained_on == {"north": ["north", "all"], "south": ["south", "all"], "east": ["all"]}


def test_nothing_is_instrumented_or_trained_a_second_time() -> None:
    """The merged profile and those of programs come from the same counts."""
    plan = plan_of(NORTH, SOUTH, ALL)
    assert len([a for a in plan.listing if isinstance(a, Compile) and a.role is Role.INSTRUMENT]) == 1
    assert len([a for a in plan.listing if isinstance(a, Train)]) == 3
    assert plan_of(NORTH, SOUTH, ALL, variants=(EACH,)).actions[1].id == plan.listing[1].id


def test_the_variant_gathers_its_programs() -> None:
    """It is measured, checked and published as any other; each part is proved by itself."""
    plan = plan_of(NORTH, SOUTH, ALL)
    each = each_of(plan)
    gather = plan.entry(each.made[0])
    assert isinstance(gather, Gathering)
    assert gather.programs == {name: part.compile for name, part in each.parts.items()}
    assert (each.attempts, each.plain) == ((), None)
    (measure,) = (action for action in plan.listing if isinstance(action, Measure))
    assert measure.arms[-1].binaries == gather.id
    assert [part.name for part in each.parts.values()] == ["each: north", "each: south", "each: east"]
    assert [build.name for build in plan.builds] == ["release", "pgo", "each", *(p.name for p in each.parts.values())]
    serving = plan.serving(each)
    assert all(plan.serving(part) <= serving for part in each.parts.values())
    assert {a.id for a in plan.listing if "each" in a.label} <= serving


def test_the_plan_shows_where_each_program_comes_from() -> None:
    """To people and to programs."""
    plan = plan_of(NORTH, SOUTH, ALL)
    each = each_of(plan)
    assert f"north by {each.parts['north'].compile}" in render_actions(plan)
    shown = json.loads(json.dumps(plan_to_dict(plan)))["variants"][-1]
    assert shown["parts"]["south"]["compile"] == each.parts["south"].compile
    assert shown["compile"] == each.compile


def test_a_program_that_no_training_runs_is_refused() -> None:
    """Before anything is built; it would be optimised for something else, or not at all."""
    with pytest.raises(UsageError) as caught:
        plan_of(NORTH, SOUTH)
    assert caught.value.message == (
        "variant each wants PGO, but no training workload runs east, which needs a separate profile"
    )
    assert '{bin:east} and use = ["train"], or set profiles = "merged"' in caught.value.help
    automatic = replace(EACH, pgo=PgoMode.AUTO)
    assert each_of(plan_of(NORTH, SOUTH, variants=(automatic,))).skipped == (
        "no training workload runs east, which needs a separate profile"
    )


def test_a_single_program_has_its_own_profile_in_any_case() -> None:
    """Nothing is done twice for it."""
    package = make_package()
    plan = plan_of(make_invocation(), targets=Targets(packages=(package,), bins=package.bins))
    assert plan.variants[1].compile == plan.variants[2].compile
    assert not each_of(plan).parts


def test_what_belongs_to_no_program_is_refused() -> None:
    """A library would need a profile of its own as well, and so would a bench that is measured."""
    lib = LibFile(name="demo", package="demo", file_name="libdemo.so", kind=LibKind.CDYLIB, has_rlib=False)
    with pytest.raises(UsageError, match=r"libdemo\.so is a library"):
        plan_of(ALL, targets=Targets(packages=(PACKAGE,), bins=PACKAGE.bins, libs=(lib,)))
    benches = replace(make_invocation("cargo", "bench", name="benches"), call=parse_cargo_words(("bench",)))
    with pytest.raises(UsageError, match="'benches' belongs to no single program"):
        plan_of(ALL, benches)
    assert each_of(plan_of(ALL, replace(benches, use=(Use.TRAIN,)))).parts


@pytest.mark.parametrize(
    ("words", "program", "expected"),
    [
        (("bench",), "north", True),
        (("test", "--test", "cli"), "south", True),
        (("run",), "north", True),  # by `default-run`
        (("run", "--", "9"), "south", False),
        (("run", "-p", "other"), "north", False),
        (("run", "--bin", "north"), "north", True),
        (("run", "--bin", "north"), "south", False),
    ],
)
def test_tests_and_benches_train_any_program(
    words: tuple[str, ...],
    program: str,
    expected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """They run code of all; a program that is run by its name trains itself."""
    workload = replace(make_invocation("cargo", *words), call=parse_cargo_words(words))
    assert trains(workload, program, (replace(PACKAGE, default_run="north"),)) is expected


def test_only_what_is_trained_on_counts() -> None:
    """A program that `prepare` runs is not profiled."""
    workload = replace(NORTH, beside={}, bins=("north", "south"))
    assert trains(workload, "north", (PACKAGE,))
    assert not trains(workload, "south", (PACKAGE,))


def test_each_program_takes_the_translated_counts_of_the_same_program() -> None:
    """Of the first variant with a profile for each program; one with a single profile has other counts."""
    abort = replace(EACH, name="abort", panic="abort")
    plan = plan_of(NORTH, SOUTH, ALL, variants=(PGO, EACH, abort), cpu_needs=dict.fromkeys(NAMES, CpuNeeds()))
    each, other = plan.variants[2], plan.variants[3]
    for name in ("north", "south"):
        trained, translated = each.parts[name].attempts[0], other.parts[name].attempts[0]
        assert (translated.shared_with, translated.is_translated) == ("each", True)
        merges = [plan.entry(attempt.merge) for attempt in (trained, translated)]
        assert all(isinstance(merge, MergeProfiles) for merge in merges)
        weights = [merge.weights for merge in merges if isinstance(merge, MergeProfiles)]
        assert weights[0] == weights[1]


def test_the_counts_of_each_program_are_scaled() -> None:
    """By the scale of the variant; training is shared with the one without."""
    plan = plan_of(NORTH, SOUTH, ALL, variants=(EACH, replace(EACH, name="small", count_scale=0.1)))
    plain, small = (
        [merge for part in variant.parts.values() for merge in plan.find(MergeProfiles, (part.attempts[0].merge,))]
        for variant in plan.variants[1:]
    )
    assert [merge.count_scale for merge in (*plain, *small)] == [None] * 3 + [0.1] * 3
    assert [merge.weights for merge in plain] == [merge.weights for merge in small]
