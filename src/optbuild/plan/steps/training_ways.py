"""In which ways the instrumented binary of a variant may be built, and in which order they are tried.

The exact recipe always works, and with link-time optimisation it is the longest build of all. Counts, though, are put
into the code before the linker sees anything: a binary that is linked without LTO counts the same edges of the same
functions, as long as they keep their names. Two things decide that: Cargo's profile stays as it is, since it is hashed
into every mangled name, and each crate is one codegen unit, whose name stands before those of its local functions. So
LTO is cancelled in the rustflags, which are hashed into no name.

Rustflags are hashed into no name either, those that choose a CPU included. A variant that differs from an earlier one
only in its rustflags takes the counts of that one. The evidence decides whether it may keep them: no function loses
counts, and none lacks them that has them there, such as code that is compiled in for a CPU's features or by `--cfg`.

Threads that count in the same place at the same time may leave counts that no run can have made. Where that happened,
the last way is tried once more with atomic counters, unless the variant says how it counts.

Sources: the rustc book, "Codegen Options", https://doc.rust-lang.org/rustc/codegen-options/index.html#lto (the last of
several `-C` with the same key wins; rustc refuses `embed-bitcode=no` beside an LTO that is not off)
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
        mends: What may be wrong with an earlier way for this one to be taken.
    """

    name: str
    label: str = ""
    flags: tuple[Argument, ...] = ()
    rustflags: tuple[Argument, ...] | None = None
    lossless: bool = False
    mends: frozenset[AttemptFault] = frozenset()


# With underscores as in `pgo`: crates that compile C take the usual spelling of the second one, whatever its value, for
# a wish to have C prepared for link-time optimisation, and hand that and the third one on to clang.
LTO_FREE = Way(
    name="lto-free",
    label=" without LTO",
    flags=((LTO_OFF,), ("-Clinker_plugin_lto=no",), ("-Cembed_bitcode=no",)),
    lossless=True,
)
EXACT = Way(name="exact", mends=frozenset({AttemptFault.NOT_BUILT, AttemptFault.UNFIT}))


def training_ways(draft: Draft, variant: Variant, inputs: PlanInputs) -> tuple[Way, ...]:
    """The ways that a variant is trained in, the one that is tried first in front.

    Raises:
        UsageError: The variant demands a training without LTO, and that would lose functions.
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
    return replace(variant, name="", ancestors=(), target_cpu=None, rustflags=())


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
            help='write `codegen-units = 1` in the variant, or training-lto = "auto"',
            location=inputs.build_profile.where("variants", variant.name, "training-lto"),
        )
    return (EXACT,)


def _obstacle(draft: Draft, *, units: set[int]) -> str | None:
    """Why functions would have other names, or LTO would not be cancelled."""
    if more := sorted(units - {1}):
        return f"crates are split into {more[-1]} codegen units"
    flags = (*draft.recipe.inherited_rustflags, *map(render_argument, draft.recipe.rustflags), *draft.recipe.cargo_args)
    deciding = ("lto", "codegen-units", "embed-bitcode")
    if clash := [flag for flag in flags if any(name in flag.replace("_", "-") for name in deciding)]:
        return f"{clash[0]} decides that"
    return None
