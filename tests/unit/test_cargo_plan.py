"""What a `cargo` workload adds to a plan: another build with the variant's recipe, and a training on its programs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.plan.action import ActionId, render_argument
from optbuild.plan.kinds.check_outputs import CompareOutputs, ProbeOutputs
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.kinds.train import Train
from optbuild.plan.measure import Measure
from optbuild.plan.model import Plan, PlannedVariant
from optbuild.plan.planner import make_plan
from optbuild.plan.render import plan_to_dict, render_actions
from optbuild.plan.ways import Choice
from optbuild.profile.cargo_words import parse_cargo_words
from optbuild.profile.model import ProjectSettings
from optbuild.profile.variants import Counters, Lto, PgoMode, Variant
from optbuild.profile.workloads import Use
from optbuild.testing import TARGET, make_build_profile, make_invocation, make_package, make_plan_inputs, make_project
from optbuild.workloads.folds import Fold
from optbuild.workloads.invocation import Invocation


def cargo_workload(*words: str, **changes: object) -> Invocation:
    """A workload for training: what cargo would run."""
    settings = {"name": words[0], "use": (Use.TRAIN,), "call": parse_cargo_words(words), **changes}
    return replace(make_invocation("cargo", *words), **settings)  # type: ignore[arg-type]


BENCHES = cargo_workload("bench", "--bench", "parse", "large")


def plan_of(*workloads: Invocation, **changes: object) -> Plan:
    """The plan of release and pgo, trained on these workloads."""
    profile = make_build_profile(
        Variant(name="release"), Variant(name="pgo", pgo=PgoMode.REQUIRED, counters=Counters.SINGLE)
    )
    inputs = make_plan_inputs(
        **{"workloads": workloads, "build_profile": profile, "python": Path("/python"), **changes}
    )
    return make_plan(inputs, tuple(inputs.build_profile.variants), measure=False)


def builds_for_cargo(plan: Plan) -> list[Compile]:
    """The compile actions of what cargo would run."""
    return [action for action in plan.listing if isinstance(action, Compile) and action.recipe.call is not None]


def between(action: Compile, first: str, last: str) -> tuple[str, ...]:
    """The part of an argv from one word to another one."""
    return action.argv[action.argv.index(first) : action.argv.index(last) + 1]


def test_its_programs_are_built_with_the_instrumented_recipe_of_the_variant() -> None:
    """The same Cargo profile, settings and flags: functions would have other names otherwise, and fit no profile."""
    plan = plan_of(BENCHES)
    (action,) = builds_for_cargo(plan)
    instrument = next(a for a in plan.listing if isinstance(a, Compile) and a.role is Role.INSTRUMENT)
    assert action.role is Role.INSTRUMENT
    assert replace(action.recipe, call=None, bins=("demo",)) == instrument.recipe
    assert action.env == instrument.env
    assert action.cargo_target == instrument.cargo_target


def test_cargo_tells_what_it_would_run() -> None:
    """Its own runner is replaced; targets stand before, and what programs are given after all options."""
    (action,) = builds_for_cargo(plan_of(BENCHES))
    assert action.argv[1] == "bench"
    assert between(action, "--package", "parse") == ("--package", "demo@0.1.0", "--bench", "parse")
    assert action.argv[-2:] == ("--", "large")
    setting = next(word for word in action.argv if word.startswith("target."))
    assert setting.startswith(f'target."{TARGET}".runner=["/python", "-I", "-S", "-c", ')


@pytest.mark.parametrize(
    ("words", "targets"),
    [
        (("test",), ("--tests",)),
        (("test", "--lib"), ("--lib",)),
        (("test", "--test", "cli", "--lib"), ("--test", "cli", "--lib")),
        (("bench",), ()),
        (("run", "--example", "shapes"), ("--example", "shapes")),
    ],
)
def test_targets_are_those_that_were_named_or_cargos_own(words: tuple[str, ...], targets: tuple[str, ...]) -> None:
    """A plain `cargo test` would compile and run documentation tests as well."""
    (action,) = builds_for_cargo(plan_of(cargo_workload(*words)))
    assert between(action, "--package", "--profile") == ("--package", "demo@0.1.0", *targets, "--profile")


def test_packages_that_it_names_are_built_together_with_those_of_the_project() -> None:
    """Features unify over all of them, as they do not over two calls of cargo."""
    project = make_project()
    other = replace(make_package(), name="parser", version="2.0.0", manifest=Path("/p/parser/Cargo.toml"))
    project = replace(project, packages=(*project.packages, other))
    (action,) = builds_for_cargo(plan_of(cargo_workload("bench", "-p", "parser"), project=project))
    assert between(action, "--manifest-path", "--profile") == (
        *("--manifest-path", "/p/Cargo.toml", "--package", "demo@0.1.0", "--package", "parser@2.0.0", "--profile"),
    )
    (action,) = builds_for_cargo(plan_of(cargo_workload("run", "-p", "parser"), project=project))
    assert between(action, "--manifest-path", "--profile") == (
        *("--manifest-path", "/p/parser/Cargo.toml", "--package", "parser@2.0.0", "--profile"),
    )


def test_each_training_follows_its_own_build() -> None:
    """A test may start a binary by its path, and the next build puts another one there."""
    tests = cargo_workload("test")
    plan = plan_of(BENCHES, make_invocation(name="use"), tests)
    steps = [
        (a.recipe.call.verb if a.recipe.call else "bins") if isinstance(a, Compile) else a.workload.name
        for a in plan.listing
        if isinstance(a, (Compile, Train))
    ]
    assert steps == ["bins", "bins", "bench", "bench", "use", "test", "test", "bins"]
    trainings = [action for action in plan.listing if isinstance(action, Train)]
    assert [action.binaries for action in trainings if action.workload.call] == [a.id for a in builds_for_cargo(plan)]


def test_workloads_that_ask_cargo_for_the_same_share_a_build() -> None:
    """Whatever they are called, and however they are set up."""
    plan = plan_of(BENCHES, replace(BENCHES, name="again", timeout_s=1.0))
    assert len(builds_for_cargo(plan)) == 1
    assert len([action for action in plan.listing if isinstance(action, Train)]) == 2


def test_the_plan_shows_what_is_asked_of_cargo_and_how_it_is_run() -> None:
    """Nobody has to guess which programs those are: the action that builds them is named."""
    plan = plan_of(BENCHES)
    (build,) = builds_for_cargo(plan)
    text = render_actions(plan)
    assert f"{build.id}  pgo: build for bench, instrumented" in text
    assert f"  how     each program of {build.id}, one after another, as cargo would start it" in text
    (training,) = [
        action for action in json.loads(json.dumps(plan_to_dict(plan)))["actions"] if action["kind"] == "train"
    ]
    assert training["argv"] == ["cargo", "bench", "--bench", "parse", "large"]


def test_features_of_the_project_hold_for_what_cargo_would_run() -> None:
    """They change names as well."""
    profile = make_build_profile(
        Variant(name="pgo", pgo=PgoMode.REQUIRED, counters=Counters.SINGLE), project=ProjectSettings(features=("fast",))
    )
    (action,) = builds_for_cargo(plan_of(BENCHES, build_profile=profile))
    assert between(action, "--features", "fast") == ("--features", "fast")
    assert "-Cprofile_generate=" in render_argument(action.env["CARGO_ENCODED_RUSTFLAGS"])


def measured_plan(*workloads: Invocation, **changes: object) -> Plan:
    """The plan of release and pgo, trained and measured on these workloads."""
    profile = make_build_profile(
        Variant(name="release"), Variant(name="pgo", pgo=PgoMode.REQUIRED, counters=Counters.SINGLE)
    )
    inputs = make_plan_inputs(
        **{"workloads": workloads, "build_profile": profile, "python": Path("/python"), **changes}
    )
    return make_plan(inputs, tuple(inputs.build_profile.variants), measure=True)


BOTH = replace(BENCHES, use=(Use.TRAIN, Use.BENCH))
ONLY_BENCH = replace(BENCHES, use=(Use.BENCH,))


def variant_of(plan: Plan, name: str) -> PlannedVariant:
    """A planned variant."""
    return next(variant for variant in plan.variants if variant.name == name)


def compiled_by(plan: Plan, action_id: ActionId) -> Compile:
    """A compile action."""
    action = plan.entry(action_id)
    assert isinstance(action, Compile)
    return action


def test_to_be_measured_it_is_built_once_more_for_each_variant() -> None:
    """With that variant's recipe; nothing where it is not a benchmark, or nothing is measured."""
    plan = measured_plan(BOTH)
    programs = {variant.name: compiled_by(plan, variant.programs["bench"]) for variant in plan.variants}
    release = compiled_by(plan, variant_of(plan, "release").compile or ActionId(""))
    assert replace(programs["release"].recipe, call=None, bins=("demo",)) == release.recipe
    assert programs["release"].role is Role.BUILD
    assert programs["pgo"].role is Role.OPTIMISE
    assert [action.label for action in builds_for_cargo(plan)] == [
        "release: build for bench",
        "pgo: build for bench, instrumented",  # which the training is on
        "pgo: build for bench",
    ]
    assert variant_of(plan_of(BOTH), "pgo").programs == {}
    assert variant_of(measured_plan(BENCHES, make_invocation()), "pgo").programs == {}


def test_a_bench_is_built_with_counts_by_its_own_names() -> None:
    """The variant's profile knows the program's; a bench compiled with it would be compiled without counts."""
    plan = measured_plan(BOTH)
    attempt = variant_of(plan, "pgo").attempts[0]
    built = compiled_by(plan, variant_of(plan, "pgo").programs["bench"])
    (own,) = (plan.entry(need) for need in built.needs)
    merge = plan.entry(attempt.merge)
    assert isinstance(own, MergeProfiles)
    assert isinstance(merge, MergeProfiles)
    assert own.weights == merge.weights
    assert merge.program is None
    training = next(action for action in plan.listing if isinstance(action, Train))
    assert own.program == training.binaries  # the instrumented bench: the only build that tells its functions
    optimised = compiled_by(plan, attempt.compile)
    flags = [render_argument(word).replace(own.id, merge.id) for word in built.recipe.rustflags]
    assert flags == [*map(render_argument, optimised.recipe.rustflags)]


def test_what_is_not_trained_on_is_built_instrumented_for_its_names() -> None:
    """Which a training on something else does not need."""
    plan = measured_plan(ONLY_BENCH, make_invocation(name="use"))
    assert [action.label for action in builds_for_cargo(plan)] == [
        "release: build for bench",
        "pgo: build for bench, instrumented",
        "pgo: build for bench",
    ]


def test_outputs_and_times_are_those_of_these_programs() -> None:
    """Other workloads run the variants' binaries."""
    plan = measured_plan(BOTH, make_invocation(name="use"))
    checks = [action for action in plan.listing if isinstance(action, (ProbeOutputs, CompareOutputs))]
    release, pgo = plan.variants
    assert [(check.workload.name, check.binaries) for check in checks] == [
        ("bench", release.programs["bench"]),
        ("use", release.compile),
        ("bench", pgo.programs["bench"]),
        ("use", pgo.compile),
    ]
    (measure,) = (action for action in plan.listing if isinstance(action, Measure))
    assert {*measure.needs} == {*release.made, *pgo.made}
    assert dict(measure.measured()) == {
        "release": release.compile,
        "release bench": release.programs["bench"],
        "pgo": pgo.compile,
        "pgo bench": pgo.programs["bench"],
    }
    assert {check.id for check in checks[2:]} <= plan.serving(pgo)
    shown = render_actions(plan)
    assert f"pgo on bench ({pgo.programs['bench']})" in shown
    assert f"by the names that functions have in {compiled_by(plan, checks[0].binaries).id}" not in shown
    assert plan_to_dict(plan)["variants"][1]["programs"] == {"bench": pgo.programs["bench"]}  # type: ignore[index]


def test_each_attempt_of_a_variant_has_its_own_and_one_is_chosen() -> None:
    """As with the variant's binaries; what belongs to an attempt that is not taken serves nothing."""
    variant = Variant(name="pgo", pgo=PgoMode.REQUIRED, lto=Lto.FAT, codegen_units=1, counters=Counters.SINGLE)
    plan = measured_plan(BOTH, build_profile=make_build_profile(Variant(name="release"), variant))
    pgo = variant_of(plan, "pgo")
    choice = plan.entry(pgo.programs["bench"])
    assert isinstance(choice, Choice)
    assert [attempt.name for attempt in choice.attempts] == [attempt.name for attempt in pgo.attempts] != []
    first, second = (choice.of(attempt).compile for attempt in pgo.attempts)
    assert first != second
    assert second not in plan.serving(pgo)
    assert {first, *plan.needed_by(first), choice.id} <= plan.serving(pgo)
    assert first not in plan.serving(pgo, pgo.attempts[1])
    assert second in plan.serving(pgo, pgo.attempts[1])


def test_a_fold_that_is_measured_on_it_has_its_own() -> None:
    """With the fold's profile."""
    use = make_invocation(name="use")
    inputs = make_plan_inputs(
        workloads=(BOTH, use),
        build_profile=make_build_profile(
            Variant(name="release"), Variant(name="pgo", pgo=PgoMode.REQUIRED, counters=Counters.SINGLE)
        ),
        python=Path("/python"),
    )
    folds = (Fold(left_out=("bench",), workloads=("bench",)), Fold(left_out=("use",), workloads=("use",)))
    plan = make_plan(inputs, ("release", "pgo"), measure=True, folds=folds)
    on_bench, on_use = (fold.build for fold in plan.folds)
    own = plan.entry(compiled_by(plan, on_bench.programs["bench"]).needs[0])
    rest = plan.entry(on_bench.attempts[0].merge)
    assert isinstance(own, MergeProfiles)
    assert isinstance(rest, MergeProfiles)
    assert own.weights == rest.weights
    assert len(own.weights) == 1
    assert on_use.programs == {}
    (measure,) = (action for action in plan.listing if isinstance(action, Measure))
    assert [dict(arm.programs) for arm in measure.held_out] == [dict(on_bench.programs), {}]
