"""The candidates of a search: factors and levels in, variants out. Pure.

Every combination of levels is a variant of the baseline. Settings without effect are left out of it: without PGO there
is nothing that a profile could decide. Combinations that are then equal are one candidate.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from optbuild.adapters import adapter_of
from optbuild.profile.tune import DEFAULT_LEVEL, Levels
from optbuild.profile.variants import Lto, PgoMode, Variant, VariantSettings

_NEEDS_PGO = frozenset({"hot-count", "count-scale", "layout", "training-lto", "counters", "profiles"})
_ADDED = ("features", "rustflags")
# Not in the name of any function, so that variants which differ only in them may share one training.
_SHARES_TRAINING = ("target_cpu", "rustflags", "hot_count", "count_scale", "allocator", "bolt", "layout")
_AFTER_LINKING = ("bolt", "layout")
# What a level is called after in a name, where it would not be clear by itself.
_PREFIXES = {
    "codegen-units": "cu",
    "opt-level": "o",
    "hot-count": "hot-",
    "count-scale": "scale-",
    "lto": "lto-",
    "debug": "debug-",
}
_UNSET = (None, (), "off", DEFAULT_LEVEL)
_LTO_COST = {None: 0, Lto.OFF: 0, Lto.THIN: 1, Lto.FAT: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One combination of levels.

    Attributes:
        variant: What it builds.
        levels: By factor, without those that have no effect here.
        settings: Those levels that the baseline does not have already: what a build profile would say of it.
    """

    variant: Variant
    levels: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its variant's name."""
        return self.variant.name


def make_candidates(
    baseline: Variant, factors: Mapping[str, Levels], taken: Mapping[str, Variant]
) -> tuple[Candidate, ...]:
    """Every combination of levels once, cheapest first; what may share a training comes one after the other.

    Args:
        baseline: What every combination changes.
        factors: Settings with their levels.
        taken: The build profile's variants, whose names stay theirs.
    """
    found: dict[str, Candidate] = {}
    for levels, variant in _combine(baseline, factors):
        key = repr(replace(variant, name=""))
        if not _is_same(variant, baseline) and key not in found:
            changed = {
                name: level for name, level in levels.items() if not _is_same(_vary(baseline, {name: level}), baseline)
            }
            found[key] = Candidate(variant=variant, levels=levels, settings=changed)
    return tuple(sorted(_named(found.values(), factors, taken), key=lambda each: cost_of(each.variant, baseline)))


def find_baseline_levels(baseline: Variant, factors: Mapping[str, Levels]) -> tuple[Mapping[str, Any], ...]:
    """The combinations of levels that are the baseline itself, each once."""
    found = [levels for levels, variant in _combine(baseline, factors) if _is_same(variant, baseline)]
    return tuple(levels for place, levels in enumerate(found) if levels not in found[:place])


def _combine(baseline: Variant, factors: Mapping[str, Levels]) -> Iterator[tuple[Mapping[str, Any], Variant]]:
    """Every combination of levels, without those that have no effect, and what it makes of the baseline."""
    for chosen in itertools.product(*factors.values()):
        levels = _with_effect(dict(zip(factors, chosen, strict=True)), baseline)
        yield levels, _vary(baseline, levels)


def _is_same(variant: Variant, baseline: Variant) -> bool:
    """Whether a variation of the baseline changes nothing about it."""
    return replace(variant, name="", ancestors=()) == replace(baseline, name="", ancestors=())


def cost_of(variant: Variant, baseline: Variant) -> tuple[Any, ...]:
    """The place of a variant in the order of building: without training first, then one training after the other.

    What changes least comes first: it lends its counts to what follows.
    """
    alone = [each.name for each in fields(Variant) if each.name not in {"name", "ancestors", *_SHARES_TRAINING}]
    changed = sum(getattr(variant, key) != getattr(baseline, key) for key in alone)
    own = [getattr(variant, key) for key in alone]
    return (variant.pgo is not PgoMode.OFF, _LTO_COST[variant.lto], changed, repr(own), *_extras(variant))


def risk_of(variant: Variant, baseline: Variant) -> tuple[int, ...]:
    """What speaks against a variant where times do not: the first difference decides, less is better.

    A program that runs on fewer CPUs, steps after linking, another behaviour, another allocator, flags of LLVM,
    training, and how long a link of the whole program takes.
    """
    behaves = ("panic", "features", "overflow_checks", "opt_level")
    return (
        variant.target_cpu != baseline.target_cpu,
        sum(getattr(variant, key, None) not in _UNSET for key in _AFTER_LINKING),
        sum(getattr(variant, key) != getattr(baseline, key) for key in behaves),
        variant.allocator != baseline.allocator,
        len(variant.rustflags) - len(baseline.rustflags),
        variant.pgo is not PgoMode.OFF,
        variant.hot_count is not None,
        variant.count_scale is not None,
        _LTO_COST[variant.lto],
        variant.codegen_units != baseline.codegen_units,
    )


def _extras(variant: Variant) -> tuple[int, list[str]]:
    """How many of the settings that share a training are set, and which: fewer first."""
    values = [getattr(variant, key, None) for key in _SHARES_TRAINING]
    return sum(value not in _UNSET for value in values), ["" if value in _UNSET else repr(value) for value in values]


def _with_effect(levels: Mapping[str, Any], baseline: Variant) -> dict[str, Any]:
    """The levels without those that only a profile gives an effect, where there is none."""
    pgo = levels.get("pgo", DEFAULT_LEVEL)
    has_pgo = baseline.pgo is not PgoMode.OFF if pgo == DEFAULT_LEVEL else pgo is not False
    return {key: level for key, level in levels.items() if has_pgo or key not in _NEEDS_PGO}


def _vary(baseline: Variant, levels: Mapping[str, Any]) -> Variant:
    written = {key: level for key, level in levels.items() if level != DEFAULT_LEVEL}
    settings = adapter_of(VariantSettings).validate_python(written)
    values: dict[str, Any] = {
        each.name: value
        for each in fields(VariantSettings)
        if each.name not in {"inherits", *_ADDED} and (value := getattr(settings, each.name)) is not None
    }
    values |= {key: (*getattr(baseline, key), *(getattr(settings, key) or ())) for key in _ADDED}
    return replace(baseline, ancestors=(baseline.name, *baseline.ancestors), **values)


def _named(
    candidates: Iterable[Candidate], factors: Mapping[str, Levels], taken: Mapping[str, Variant]
) -> list[Candidate]:
    """The candidates with names: those levels in which they differ from the baseline, as short as they are clear."""
    named: dict[str, Candidate] = {}
    for candidate in candidates:
        words = [word for key, level in candidate.settings.items() if (word := _word(key, level, factors[key]))]
        name = "-".join(words) or "plain"
        variant = replace(candidate.variant, name=name)
        if name in taken and replace(taken[name], ancestors=()) != replace(variant, ancestors=()):
            name = f"tune-{name}"
        while name in named:
            name = f"{name}_"
        named[name] = replace(candidate, variant=replace(variant, name=name))
    return list(named.values())


def _word(key: str, level: Any, levels: Levels) -> str:  # noqa: ANN401 - any value of a setting
    """A level in a name; nothing for a setting that every candidate has."""
    if (len(levels) == 1 and key != "pgo") or (key == "pgo" and level is False):
        return ""
    if isinstance(level, list | tuple):
        return _flag_word(level[0]) if len(level) == 1 else f"{key}{list(levels).index(level)}"
    if isinstance(level, bool) or level == "auto":
        return key if level else f"no-{key}"
    text = _plain(str(level).lower()) or key
    return f"{_PREFIXES[key]}{text}" if key in _PREFIXES and (key != "lto" or level == "off") else text


def _flag_word(flag: str) -> str:
    """What a flag is about: `inline-threshold-500`."""
    return _plain(re.sub(r"^-*(?:C\s*)?(?:llvm[-_]args=)?-*(?:enable-)?", "", flag)) or "flag"


def _plain(text: str) -> str:
    """A text as a part of a variant's name."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip(".-")
