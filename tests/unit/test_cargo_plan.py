"""What a `cargo` workload adds to a plan: another build with the variant's recipe, and a training on its programs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.plan.model import Compile, Plan, Role, Train, render_word
from optbuild.plan.planner import make_plan
from optbuild.plan.render import plan_to_dict, render_plan
from optbuild.profile.cargo_words import parse_cargo_words
from optbuild.profile.model import Counters, PgoMode, ProjectSettings, Use, Variant
from optbuild.testing import TARGET, make_build_profile, make_invocation, make_package, make_plan_inputs, make_project
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
    return [action for action in plan.actions if isinstance(action, Compile) and action.recipe.call is not None]


def between(action: Compile, first: str, last: str) -> tuple[str, ...]:
    """The part of an argv from one word to another one."""
    return action.argv[action.argv.index(first) : action.argv.index(last) + 1]


def test_its_programs_are_built_with_the_instrumented_recipe_of_the_variant() -> None:
    """The same Cargo profile, settings and flags: functions would have other names otherwise, and fit no profile."""
    plan = plan_of(BENCHES)
    (action,) = builds_for_cargo(plan)
    instrument = next(a for a in plan.actions if isinstance(a, Compile) and a.role is Role.INSTRUMENT)
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
        for a in plan.actions
        if isinstance(a, (Compile, Train))
    ]
    assert steps == ["bins", "bins", "bench", "bench", "use", "test", "test", "bins"]
    trainings = [action for action in plan.actions if isinstance(action, Train)]
    assert [action.binaries for action in trainings if action.workload.call] == [a.id for a in builds_for_cargo(plan)]


def test_workloads_that_ask_cargo_for_the_same_share_a_build() -> None:
    """Whatever they are called, and however they are set up."""
    plan = plan_of(BENCHES, replace(BENCHES, name="again", timeout_s=1.0))
    assert len(builds_for_cargo(plan)) == 1
    assert len([action for action in plan.actions if isinstance(action, Train)]) == 2


def test_the_plan_shows_what_is_asked_of_cargo_and_how_it_is_run() -> None:
    """Nobody has to guess which programs those are: the action that builds them is named."""
    plan = plan_of(BENCHES)
    (build,) = builds_for_cargo(plan)
    text = render_plan(plan)
    assert f"{build.id}  pgo: build for bench, instrumented" in text
    assert f"  how     each program of {build.id}, one after the other, as cargo would start it" in text
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
    assert render_word(action.env["CARGO_ENCODED_RUSTFLAGS"]).startswith("-Cprofile_generate=")
