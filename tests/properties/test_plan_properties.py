from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbuild.making.training.scaling import make_multipliers
from optbuild.plan.action import ActionId
from optbuild.plan.fingerprint import fingerprint
from optbuild.plan.kinds.compile import Recipe
from optbuild.plan.measure import Measure
from optbuild.plan.model import Plan
from optbuild.plan.planner import make_plan
from optbuild.profile.cargo_words import CargoCall, CargoVerb
from optbuild.profile.model import BuildProfile, MeasureSettings
from optbuild.profile.variants import Lto, PgoMode, Variant
from optbuild.profile.workloads import Use
from optbuild.project.model import Rustflags
from optbuild.testing import (
    TARGET,
    make_build_profile,
    make_invocation,
    make_plan_inputs,
    make_project,
    make_toolchain,
)
from optbuild.toolchain.model import Tool

USES = st.sampled_from([(Use.TRAIN,), (Use.BENCH,), (Use.BENCH, Use.TRAIN)])
SETTINGS = st.fixed_dictionaries(
    {
        "lto": st.sampled_from([None, *Lto]),
        "codegen_units": st.sampled_from([None, 1, 16]),
        "target_cpu": st.sampled_from([None, "native"]),
        "rustflags": st.sampled_from([(), ("-g",), ("--cfg", "x")]),
        "features": st.sampled_from([(), ("x",)]),
        "pgo": st.sampled_from([PgoMode.OFF, PgoMode.AUTO]),
    }
)


@st.composite
def build_profiles(draw: st.DrawFn) -> BuildProfile:
    """Build profiles with a baseline that can always be built, and up to four other variants."""
    settings = draw(st.lists(SETTINGS, max_size=4))
    variants = [Variant(name=f"v{index}", **each) for index, each in enumerate(settings)]
    plain = Variant(name="release", **{**draw(SETTINGS), "pgo": PgoMode.OFF})
    position = draw(st.integers(0, len(variants)))
    variants.insert(position, plain)
    return make_build_profile(*variants, measure=MeasureSettings(baseline="release"))


@st.composite
def plans(draw: st.DrawFn, build_profile: BuildProfile | None = None) -> tuple[Plan, Plan]:
    """The same run planned twice, with an equal but other set of inputs."""
    profile = build_profile or draw(build_profiles())
    uses = draw(st.lists(st.tuples(USES, st.booleans()), min_size=1, max_size=3))
    flags = draw(st.sampled_from([(), ("-Copt-level=3",)]))
    cargo_version = draw(st.sampled_from(["1.70.0", "1.95.0"]))
    measure = draw(st.booleans())

    def plan() -> Plan:
        bench = CargoCall(verb=CargoVerb.BENCH)
        workloads = tuple(
            make_invocation("{bin:demo}", str(index), name=f"w{index}", use=use, call=bench if is_cargo else None)
            for index, (use, is_cargo) in enumerate(uses)
        )
        project = make_project(rustflags=Rustflags(flags=flags, origin="RUSTFLAGS" if flags else None))
        cargo = replace(make_toolchain().cargo, version=cargo_version)
        inputs = make_plan_inputs(
            build_profile=profile, workloads=workloads, project=project, toolchain=make_toolchain(cargo=cargo)
        )
        return make_plan(inputs, tuple(profile.variants), measure=measure)

    return plan(), plan()


@given(plans())
def test_actions_come_after_all_that_they_need(both: tuple[Plan, Plan]) -> None:
    """A plan is acyclic and in topological order, and no action stands in it twice."""
    plan, _ = both
    done: set[ActionId] = set()
    for action in plan.listing:
        assert set(action.needs) <= done
        assert action.id not in done
        done.add(action.id)
    assert {variant.compile for variant in plan.variants if variant.skipped is None} <= done


@given(plans())
def test_planning_is_pure(both: tuple[Plan, Plan]) -> None:
    """The same inputs give the same plan."""
    one, other = both
    assert one == other


@given(plans())
def test_every_action_serves_a_variant(both: tuple[Plan, Plan]) -> None:
    """Nothing is done that no variant needs by one of its attempts, measuring apart."""
    plan, _ = both
    served = frozenset[ActionId]().union(
        *(plan.serving(variant, attempt) for variant in plan.variants for attempt in variant.attempts or (None,))
    )
    assert served == {action.id for action in plan.listing if not isinstance(action, Measure)}


@given(build_profiles(), SETTINGS, st.lists(USES, min_size=1, max_size=2))
def test_a_variant_more_removes_no_action(
    build_profile: BuildProfile, settings: dict[str, object], uses: list[tuple[Use, ...]]
) -> None:
    """Adding a variant only adds work; all that was planned, measuring apart, is planned as before."""
    more = make_build_profile(
        *build_profile.variants.values(),
        Variant(name="more", **settings),  # type: ignore[arg-type]
        measure=build_profile.measure,
    )
    workloads = tuple(make_invocation(str(index), name=f"w{index}", use=use) for index, use in enumerate(uses))

    def actions(profile: BuildProfile) -> list[object]:
        inputs = make_plan_inputs(build_profile=profile, workloads=workloads)
        plan = make_plan(inputs, tuple(profile.variants), measure=True)
        return [action for action in plan.listing if not isinstance(action, Measure)]

    before, after = actions(build_profile), actions(more)
    assert after[: len(before)] == before


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


def shuffled(value: object, chance: random.Random) -> object:
    """The same value with every mapping in another order."""
    if isinstance(value, dict):
        items = list(value.items())
        chance.shuffle(items)
        return {key: shuffled(item, chance) for key, item in items}
    if isinstance(value, list):
        return [shuffled(item, chance) for item in value]
    return value


@given(VALUES, st.randoms(use_true_random=False))
def test_fingerprints_do_not_depend_on_the_order_of_mappings(value: object, chance: random.Random) -> None:
    """However deep a mapping lies, its order does not count."""
    assert fingerprint(shuffled(value, chance)) == fingerprint(value)


RECIPE = Recipe(packages=("demo",), bins=("demo",), target=TARGET, cargo_profile="release")
OTHER_VALUES: Mapping[str, object] = {
    "packages": ("other",),
    "examples": ("other",),
    "libs": ("libother.so",),
    "bins": ("demo", "more"),
    "target": "other",
    "cargo_profile": "dist",
    "features": ("x",),
    "no_default_features": True,
    "all_features": True,
    "config": (("profile.release.lto", '"fat"'),),
    "inherited_rustflags": ("-g",),
    "rustflags": (("-g",),),
    "cargo_args": ("-v",),
    "call": CargoCall(verb=CargoVerb.TEST),
}


@pytest.mark.parametrize("name", [field.name for field in fields(Recipe)])
def test_every_field_of_a_recipe_counts(name: str) -> None:
    """Two recipes that differ in one field are never taken for one another."""
    changed = replace(RECIPE, **{name: OTHER_VALUES[name]})  # type: ignore[arg-type]
    assert fingerprint(changed) != fingerprint(RECIPE)


SHARES = st.lists(st.tuples(st.floats(0.01, 100), st.integers(1, 10**12)), min_size=1, max_size=6)


@given(SHARES)
def test_counts_are_shared_by_weight_whatever_their_length(shares: list[tuple[float, int]]) -> None:
    """Multiplied, each workload has its weight's share of all counts, within the rounding of whole multipliers."""
    named = {ActionId(f"train-{index}"): share for index, share in enumerate(shares)}
    multipliers = make_multipliers(named)
    per_weight = [multipliers[name] * total / weight for name, (weight, total) in named.items()]
    assert max(per_weight) / min(per_weight) <= 1.05 / 0.95 + 1e-9


@given(st.lists(st.tuples(st.floats(0.01, 100), st.integers(1, 2**40)), min_size=1, max_size=6))
def test_merged_counts_do_not_overflow(shares: list[tuple[float, int]]) -> None:
    """Counters have 64 bits: the sum of all multiplied counts stays below."""
    named = {ActionId(f"train-{index}"): share for index, share in enumerate(shares)}
    multipliers = make_multipliers(named)
    assert all(multiplier >= 1 for multiplier in multipliers.values())
    assert sum(multipliers[name] * total for name, (_, total) in named.items()) < 2**64


def test_a_tool_is_hashed_by_all_its_fields() -> None:
    """Dataclasses of any kind are hashed field by field."""
    tool: Tool = make_toolchain().cargo
    assert fingerprint(tool) != fingerprint(replace(tool, version="1.94.0"))
