"""The ways to build a variant's instrumented binary, in the order in which they are tried.

The exact recipe always works, but with link-time optimisation it is the longest build. Counters, however, are inserted
before the linker runs: a binary linked without LTO counts the same edges of the same functions, as long as they keep
their names. This has two conditions. Cargo's profile must not change, since it is hashed into every mangled name. Each
crate must be one codegen unit, as its name precedes those of its local functions. So the rustflags cancel LTO; they are
hashed into no name.

Rustflags are hashed into no name either, those that choose a CPU included. A variant that differs from an earlier one
only in its rustflags takes the counts of that one. The evidence decides whether it may keep them: no function loses
counts, and none lacks them that has them there, such as code that is compiled in for a CPU's features or by `--cfg`.

Threads that count in the same place at the same time may produce impossible counts. If that happens, the last way is
retried with atomic counters, unless the variant sets its counters.

Sources: the rustc book, "Codegen Options", https://doc.rust-lang.org/rustc/codegen-options/index.html#lto (the last of
several `-C` with the same key wins; rustc refuses `embed-bitcode=no` unless LTO is off)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile

from optbuild.errors import AttemptFault, UsageError
from optbuild.plan.action import Argument, render_argument
from optbuild.plan.draft import Draft, PlanInputs
from optbuild.plan.steps.codegen import own_rustflags
from optbuild.profile.variants import Counters, TrainingLto, Variant
from optbuild.project.cargo_profile import WITH_LTO, resolve_cargo_profile
from optbuild.tools.rustc import ATOMIC_COUNTERS, LTO_OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How an instrumented binary is built.

    Attributes:
        name: For the record.
        label: What its build is called, after "build instrumented".
        flags: What only the instrumented compilation gets.
        rustflags: Those of the variant whose counts it takes, in place of the recipe's.
        lossless: Accepted only where no function with counts is lost.
        mends: The faults of an earlier way after which this one is taken.
    """

    name: str
    label: str = ""
    flags: tuple[Argument, ...] = ()
    rustflags: tuple[Argument, ...] | None = None
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
    ways = _linking_ways(draft, variant, inputs)
    twin = _find_twin(variant, inputs)
    if twin is not None:
        flags = (*draft.recipe.rustflags[: -len(own_rustflags(variant)) or None], *own_rustflags(twin))
        draft_of_twin = replace(draft, recipe=replace(draft.recipe, rustflags=flags))
        if _linking_ways(draft_of_twin, twin, inputs)[0] == ways[0]:
            label = f"{ways[0].label} as {twin.name}"
            shared = replace(ways[0], name="shared", label=label, rustflags=flags, lossless=True)
            ways = (shared, *(ways[1:] or (replace(ways[0], mends=EXACT.mends),)))
    if variant.counters is Counters.ATOMIC:
        return tuple(map(_counting_atomically, ways))
    if variant.counters is Counters.SINGLE:
        return ways
    last = ways[-1]
    retry = replace(last, name=f"{last.name}-atomic", mends=frozenset({AttemptFault.IMPLAUSIBLE}))
    return (*ways, _counting_atomically(retry))


def _find_twin(variant: Variant, inputs: PlanInputs) -> Variant | None:
    """The first variant built before this one that differs only in its rustflags, and is for no other CPU than this."""
    if variant.training_lto is TrainingLto.SAME:
        return None
    earlier = takewhile(lambda other: other.name != variant.name, inputs.build_profile.variants.values())
    built = (other for other in earlier if other.name in inputs.cpu_needs)
    alike = (other for other in built if _without_rustflags(other) == _without_rustflags(variant))
    return next((other for other in alike if other.target_cpu in {None, variant.target_cpu}), None)


def _without_rustflags(variant: Variant) -> Variant:
    return replace(variant, name="", ancestors=(), target_cpu=None, rustflags=(), hot_count=None)


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
