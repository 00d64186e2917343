"""Variants with all that they inherit; not for build profiles that extend each other: `load` merges those."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from optbuild.profile.faults import Fault, KeyPath, find_nearest, render_choices, render_key_path, render_value
from optbuild.profile.variants import (
    Allocator,
    BoltMode,
    CodegenSettings,
    CodeLayout,
    PgoMode,
    Profiles,
    TrainingLto,
    Variant,
    VariantSettings,
)

_NEAREST_WINS = tuple(field.name for field in fields(CodegenSettings))


def resolve_variants(settings: Mapping[str, VariantSettings]) -> dict[str, Variant]:
    """Resolve every variant: the nearest setting wins; features and rustflags add up from the root ancestor down.

    Args:
        settings: Variants whose `inherits` name each other without a cycle.
    """
    return {name: _resolve(name, settings) for name in settings}


def find_inheritance_faults(parents: Mapping[str, object]) -> Iterator[Fault]:
    """Find unknown names and cycles.

    Args:
        parents: Each variant's `inherits`; values that are not text are left to validation.
    """
    reported: set[str] = set()
    for name, parent in parents.items():
        path: KeyPath = ("variants", name, "inherits")
        if isinstance(parent, str) and parent not in parents:
            yield Fault(
                path=path,
                message=f"`{render_key_path(path)}` names the unknown variant {render_value(parent)}",
                help=suggest_variant(parent, parents),
            )
        cycle = _find_cycle(name, parents)
        if cycle and reported.isdisjoint(cycle):
            reported.update(cycle)
            yield Fault(
                path=path,
                message=f"variants inherit from each other in a circle: {' -> '.join(cycle)}",
                help=f"remove `inherits` from one of them, such as `{name}`",
            )


def suggest_variant(name: object, variants: Mapping[str, object]) -> str:
    """Suggest the variant that was most likely meant, and list all."""
    nearest = find_nearest(name, variants)
    meant = f'did you mean "{nearest}"? ' if nearest else ""
    return f"{meant}write {render_choices(variants)}"


def _find_cycle(name: str, parents: Mapping[str, object]) -> tuple[str, ...]:
    """The chain from `name` back to itself; empty when `name` is on no cycle."""
    chain = [name]
    while isinstance(parent := parents.get(chain[-1]), str):
        if parent == name:
            return (*chain, name)
        if parent in chain:
            break
        chain.append(parent)
    return ()


def _resolve(name: str, settings: Mapping[str, VariantSettings]) -> Variant:
    lineage = [name]
    while (parent := settings[lineage[-1]].inherits) is not None:
        lineage.append(parent)
    nearest_first = [settings[each] for each in lineage]
    return Variant(
        name=name,
        ancestors=tuple(lineage[1:]),
        features=_add_up([each.features for each in nearest_first]),
        rustflags=_add_up([each.rustflags for each in nearest_first]),
        pgo=_nearest("pgo", nearest_first) or PgoMode.OFF,
        bolt=_nearest("bolt", nearest_first) or BoltMode.OFF,
        layout=_nearest("layout", nearest_first) or CodeLayout.DEFAULT,
        allocator=_nearest("allocator", nearest_first) or Allocator.DEFAULT,
        training_lto=_nearest("training_lto", nearest_first) or TrainingLto.AUTO,
        counters=_nearest("counters", nearest_first),
        profiles=_nearest("profiles", nearest_first) or Profiles.MERGED,
        **{key: _nearest(key, nearest_first) for key in _NEAREST_WINS},
    )


def _nearest(key: str, nearest_first: list[VariantSettings]) -> Any:  # noqa: ANN401 - as many types as settings
    return next((value for each in nearest_first if (value := getattr(each, key)) is not None), None)


def _add_up(nearest_first: list[tuple[str, ...] | None]) -> tuple[str, ...]:
    return tuple(word for words in reversed(nearest_first) for word in words or ())
