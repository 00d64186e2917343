"""Flag steps: settings of Cargo's profile, rustflags with the target CPU, and features."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from optbuild.plan.action import Argument
from optbuild.plan.draft import Draft, PlanInputs
from optbuild.profile.variants import Variant
from optbuild.project.cargo_profile import is_said_already
from optbuild.tools.rustc import TARGET_CPU

# Settings of a variant with the same name in Cargo's profile.
_CARGO_PROFILE_KEYS = ("opt_level", "lto", "codegen_units", "panic", "strip", "debug", "overflow_checks")


def set_cargo_profile(draft: Draft, variant: Variant, inputs: PlanInputs) -> Draft:
    """Set keys of Cargo's profile by `--config`; `Cargo.toml` stays untouched.

    A setting that `Cargo.toml` already has is left out: the recipe then equals that of a variant without the setting,
    and is built once.

    Sources: The Cargo Book, "Profiles", https://doc.rust-lang.org/cargo/reference/profiles.html
    """
    profile = draft.recipe.cargo_profile
    config = tuple(
        (f"profile.{profile}.{key}", json.dumps(value))  # a JSON scalar is a TOML scalar
        for key, value in cargo_profile_settings(variant).items()
        if not is_said_already(inputs.project.cargo_profiles, profile, key, value)
    )
    return replace(draft, recipe=replace(draft.recipe, config=(*draft.recipe.config, *config)))


def cargo_profile_settings(variant: Variant) -> dict[str, str | int | bool]:
    """What a variant sets in a Cargo profile, by Cargo's keys."""
    values = {key.replace("_", "-"): getattr(variant, key) for key in _CARGO_PROFILE_KEYS}
    return {key: value for key, value in values.items() if value is not None}


def add_rustflags(draft: Draft, variant: Variant, _inputs: PlanInputs) -> Draft:
    """Append the variant's own flags to the user's."""
    flags = (*draft.recipe.rustflags, *own_rustflags(variant))
    return replace(draft, recipe=replace(draft.recipe, rustflags=flags))


def own_rustflags(variant: Variant) -> tuple[Argument, ...]:
    """The flags that a variant asks for: its CPU, which older ones then cannot run, and its `rustflags`."""
    cpu: tuple[Argument, ...] = () if variant.target_cpu is None else ((f"{TARGET_CPU}{variant.target_cpu}",),)
    return (*cpu, *((flag,) for flag in variant.rustflags or ()))


def add_features(draft: Draft, variant: Variant, _inputs: PlanInputs) -> Draft:
    """Add the variant's features to the project's."""
    features = tuple(dict.fromkeys((*draft.recipe.features, *(variant.features or ()))))
    return replace(draft, recipe=replace(draft.recipe, features=features))


FLAG_STEPS: tuple[Callable[[Draft, Variant, PlanInputs], Draft], ...] = (
    set_cargo_profile,
    add_rustflags,
    add_features,
)


def draft_as(draft: Draft, variant: Variant, inputs: PlanInputs) -> Draft:
    """The same programs with the settings of another variant, before any feedback."""
    features = inputs.build_profile.project.features
    plain = replace(draft.recipe, config=(), rustflags=(), features=features)
    drafted = Draft(variant=variant.name, recipe=plain, program=draft.program)
    for step in FLAG_STEPS:
        drafted = step(drafted, variant, inputs)
    return drafted
