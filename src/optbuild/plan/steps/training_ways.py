"""The ways to build a variant's instrumented binary, in the order in which they are tried.

The exact recipe always works, but with link-time optimisation it is the longest build. Counters, however, are inserted
before the linker runs: a binary linked without LTO counts the same edges of the same functions, as long as they keep
their names. This has two conditions. Cargo's profile must not change, since it is hashed into every mangled name. Each
crate must be one codegen unit, as its name precedes those of its local functions. So the rustflags cancel LTO; they are
hashed into no name.

Rustflags are hashed into no name either, those that choose a CPU included. A variant that differs from an earlier one
only in what is in no name takes the counts of that one. Where names differ, because the variants set `lto`, `panic` or
the like, the counts are *translated*: the variant's own instrumented build is made but never run, and each of its
functions gets the counts of the one with the same path and control flow. This saves the training runs; should the
counts not fit, that build is the one that is trained.

The evidence decides whether a variant may keep the counts of another: they find their functions, no function loses
counts, and none lacks them that has them there, such as code that is compiled in for a CPU's features or by `--cfg`.
Where the counts do not fit a CPU, the first variant that is for it is trained, and the others for it share its counts.

Threads that count in the same place at the same time may produce impossible counts. If that happens, the last way is
retried with atomic counters, unless the variant sets its counters.

Sources: the rustc book, "Codegen Options", https://doc.rust-lang.org/rustc/codegen-options/index.html#lto (the last of
several `-C` with the same key wins; rustc refuses `embed-bitcode=no` unless LTO is off)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import Any

from optbuild.errors import AttemptFault, UsageError
from optbuild.plan.action import Argument, render_argument
from optbuild.plan.draft import Draft, PlanInputs
from optbuild.plan.steps.codegen import draft_as
from optbuild.profile.variants import Counters, PgoMode, TrainingLto, Variant
from optbuild.project.cargo_profile import WITH_LTO, resolve_cargo_profile
from optbuild.tools.rustc import ATOMIC_COUNTERS, LTO_OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How an instrumented binary is built.

    Attributes:
        name: For the record.
        label: What its build is called, after "build instrumented".
        flags: What only the instrumented compilation gets.
        rustflags: Those of the variant that the binary is built for, in place of the recipe's.
        counts_of: The variant that is trained, if it is another.
        is_translated: The binary is not run; it lends the names of its functions to the counts of the other variant.
        lossless: Accepted only where no function with counts is lost.
        mends: The faults of an earlier way after which this one is taken.
    """

    name: str
    label: str = ""
    flags: tuple[Argument, ...] = ()
    rustflags: tuple[Argument, ...] | None = None
    counts_of: Variant | None = None
    is_translated: bool = False
    lossless: bool = False
    mends: frozenset[AttemptFault] = frozenset()


# With underscores as in `pgo`: crates that compile C read the usual spelling of the second flag, whatever its value, as
# a request to prepare C for link-time optimisation, and pass that and the third on to clang.
LTO_FREE = Way(
    name="lto-free",
    label=" without LTO",
    flags=((LTO_OFF,), ("-Clinker_plugin_lto=no",), ("-Cembed_bitcode=no",)),
    lossless=True,
)
EXACT = Way(name="exact", mends=frozenset({AttemptFault.NOT_BUILT, AttemptFault.UNFIT}))


def training_ways(draft: Draft, variant: Variant, inputs: PlanInputs) -> tuple[Way, ...]:
    """The ways to train a variant, in the order in which they are tried.

    Raises:
        UsageError: The variant requires a training without LTO, which would lose functions.
    """
    own = _linking_ways(draft, variant, inputs)
    ways = _in_order(*_sharing_ways(draft, own, variant, inputs))
    if variant.counters is Counters.ATOMIC:
        return tuple(map(_counting_atomically, ways))
    if variant.counters is Counters.SINGLE:
        return ways
    last = ways[-1]
    retry = replace(last, name=f"{last.name}-atomic", mends=frozenset({AttemptFault.IMPLAUSIBLE}))
    return (*ways, _counting_atomically(retry))


def first_own_way(draft: Draft, variant: Variant, inputs: PlanInputs) -> Way:
    """The first of the ways in which a variant is trained itself."""
    way = _linking_ways(draft, variant, inputs)[0]
    return _counting_atomically(way) if variant.counters is Counters.ATOMIC else way


def _sharing_ways(draft: Draft, own: tuple[Way, ...], variant: Variant, inputs: PlanInputs) -> tuple[Way, ...]:
    """The ways with counts of other variants before its own: what is rejected soonest costs least."""
    if variant.training_lto is TrainingLto.SAME or not inputs.shares_training:
        return own
    alike = _earlier_alike(variant, inputs)
    twins = [other for other in alike if _of(other, _IN_NAMES) == _of(variant, _IN_NAMES)]
    if not twins:
        return (*(_translated(own[0], other) for other in _leaders(alike, variant)), *own)
    first = twins[0]
    as_first = _built_as(first, own[0], draft, inputs)
    if as_first is None:
        return own
    leaders = _leaders(_earlier_alike(first, inputs), first)
    ways = [*(_translated(as_first, other) for other in leaders), _shared(as_first, first)]
    # Code that was compiled in for a CPU has counts only with the first variant that is for the same one.
    same_cpu = next((other for other in twins if other.target_cpu == variant.target_cpu), None)
    if same_cpu is None:
        return (*ways, *own)
    if same_cpu is not first:
        as_same = _built_as(same_cpu, own[0], draft, inputs)
        if as_same is None:
            return (*ways, *own)
        ways.append(_shared(as_same, same_cpu))
    return (*ways, *(own[1:] or own))


def _built_as(twin: Variant, way: Way, draft: Draft, inputs: PlanInputs) -> Way | None:
    """A way with the rustflags of a variant of the same names; None if that one is not built in this way at first."""
    as_twin = draft_as(draft, twin, inputs)
    if _linking_ways(as_twin, twin, inputs)[0] != way:
        return None
    return replace(way, label=f"{way.label} as {twin.name}", rustflags=as_twin.recipe.rustflags, lossless=True)


def _shared(way: Way, twin: Variant) -> Way:
    return replace(way, name="shared", counts_of=twin)


def _translated(way: Way, other: Variant) -> Way:
    return replace(way, name="translated", counts_of=other, is_translated=True, lossless=True)


def _in_order(*ways: Way) -> tuple[Way, ...]:
    """Each way but the first mends what is wrong with those before it."""
    return (ways[0], *(replace(way, mends=EXACT.mends) for way in ways[1:]))


_IN_NAMES = ("lto", "codegen_units", "opt_level", "panic", "strip", "debug", "overflow_checks")
"""The settings that cargo hashes into the names of functions."""
_IN_CONTROL_FLOW = ("codegen_units", "opt_level", "panic", "overflow_checks")
"""Those of them that change control flow before counters are inserted: small functions are inlined within a unit."""
_IN_TRAINING = ("features", "training_lto", "counters", "profiles", "layout")
"""The settings by which a training differs, or what it is of."""


def _of(variant: Variant, settings: tuple[str, ...]) -> list[Any]:
    return [getattr(variant, name) for name in settings]


def _earlier_alike(variant: Variant, inputs: PlanInputs) -> list[Variant]:
    """The PGO variants built before this one whose training may do for it, and that are for no other CPU than this."""
    earlier = takewhile(lambda other: other.name != variant.name, inputs.build_profile.variants.values())
    built = (other for other in earlier if other.name in inputs.cpu_needs and other.pgo is not PgoMode.OFF)
    alike = (other for other in built if _of(other, _IN_TRAINING) == _of(variant, _IN_TRAINING))
    return [other for other in alike if other.target_cpu in {None, variant.target_cpu}]


def _leaders(alike: list[Variant], variant: Variant) -> list[Variant]:
    """The variants whose counts are tried: the first of all, and the first that has this one's control flow.

    The second has counts of its own only where those of the first did not fit, for the same reason as here.
    """
    if not variant.takes_foreign_counts:
        return []
    same_flow = (other for other in alike if _of(other, _IN_CONTROL_FLOW) == _of(variant, _IN_CONTROL_FLOW))
    return list(dict.fromkeys((*alike[:1], *islice(same_flow, 1))))


def _counting_atomically(way: Way) -> Way:
    return replace(way, label=f"{way.label}, atomic counters", flags=((ATOMIC_COUNTERS,), *way.flags))


def _linking_ways(draft: Draft, variant: Variant, inputs: PlanInputs) -> tuple[Way, ...]:
    cargo_profile = resolve_cargo_profile(inputs.project.cargo_profiles, draft.recipe.cargo_profile)
    lto = cargo_profile.lto if variant.lto is None else variant.lto.value
    if variant.training_lto is TrainingLto.SAME or lto not in WITH_LTO:
        return (EXACT,)
    obstacle = _obstacle(
        draft,
        units={variant.codegen_units or cargo_profile.codegen_units, *cargo_profile.package_codegen_units},
    )
    if obstacle is None:
        return (LTO_FREE,) if variant.training_lto is TrainingLto.OFF else (LTO_FREE, EXACT)
    if variant.training_lto is TrainingLto.OFF:
        raise UsageError(
            f'variant {variant.name} has training-lto = "off", but {obstacle}: functions would lose their counts',
            help='set `codegen-units = 1` in the variant, or training-lto = "auto"',
            location=inputs.build_profile.where("variants", variant.name, "training-lto"),
        )
    return (EXACT,)


def _obstacle(draft: Draft, *, units: set[int]) -> str | None:
    """Why names of functions would differ, or LTO would not be cancelled."""
    if more := sorted(units - {1}):
        return f"crates are split into {more[-1]} codegen units"
    flags = (*draft.recipe.inherited_rustflags, *map(render_argument, draft.recipe.rustflags), *draft.recipe.cargo_args)
    deciding = ("lto", "codegen-units", "embed-bitcode")
    if clash := [flag for flag in flags if any(name in flag.replace("_", "-") for name in deciding)]:
        return f"{clash[0]} overrides it"
    return None
