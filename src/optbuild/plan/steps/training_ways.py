"""In which ways the instrumented binary of a variant may be built, and in which order they are tried.

The exact recipe always works, and with link-time optimisation it is the longest build of all. Counts, though, are put
into the code before the linker sees anything: a binary that is linked without LTO counts the same edges of the same
functions, as long as they keep their names. Two things decide that: Cargo's profile stays as it is, since it is hashed
into every mangled name, and each crate is one codegen unit, whose name stands before those of its local functions. So
LTO is cancelled in the rustflags, which are hashed into no name.

Flags that choose a CPU are hashed into no name either. A variant that differs from an earlier one only in its CPU takes
the counts of that one, where it has no function without them that the other has not: code that is compiled in only for
a CPU's features.

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
from optbuild.profile.variants import Counters, TrainingLto, Variant
from optbuild.project.cargo_profile import WITH_LTO, resolve_cargo_profile
from optbuild.tools.rustc import ATOMIC_COUNTERS, LTO_OFF, TARGET_CPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How an instrumented binary is built.

    Attributes:
        name: For the record.
        label: What its build is called, after "build instrumented".
        flags: What only the instrumented compilation gets.
        without: What of the variant's own flags it lacks.
        lossless: Accepted only where no function with counts is lost.
        mends: What may be wrong with an earlier way for this one to be taken.
    """

    name: str
    label: str = ""
    flags: tuple[Argument, ...] = ()
    without: tuple[Argument, ...] = ()
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
    if _has_twin(variant, inputs):
        cpu: Argument = (f"{TARGET_CPU}{variant.target_cpu}",)
        label = f"{ways[0].label} for any CPU"
        shared = replace(ways[0], name="shared", label=label, without=(cpu,), lossless=True)
        ways = (shared, *(ways[1:] or (replace(ways[0], mends=EXACT.mends),)))
    if variant.counters is Counters.ATOMIC:
        return tuple(map(_counting_atomically, ways))
    if variant.counters is Counters.SINGLE:
        return ways
    last = ways[-1]
    retry = replace(last, name=f"{last.name}-atomic", mends=frozenset({AttemptFault.IMPLAUSIBLE}))
    return (*ways, _counting_atomically(retry))


def _has_twin(variant: Variant, inputs: PlanInputs) -> bool:
    """Whether a variant that is built before this one is the same for any CPU, so that both can be held together."""
    if variant.target_cpu is None or variant.training_lto is TrainingLto.SAME:
        return False
    twin = replace(variant, name="", ancestors=(), target_cpu=None)
    earlier = takewhile(lambda other: other.name != variant.name, inputs.build_profile.variants.values())
    built = (other for other in earlier if other.name in inputs.cpu_needs)
    return any(replace(other, name="", ancestors=()) == twin for other in built)


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
