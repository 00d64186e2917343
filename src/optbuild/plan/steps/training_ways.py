"""The ways to build a variant's instrumented binary, in the order in which they are tried.

The exact recipe always works, but with link-time optimisation it is the longest build. Counters, however, are inserted
before the linker runs: a binary linked without LTO counts the same edges of the same functions, as long as they keep
their names. This has two conditions. Cargo's profile must not change, since it is hashed into every mangled name. Each
crate must be one codegen unit, as its name precedes those of its local functions. So the rustflags cancel LTO; they are
hashed into no name.

Flags that choose a CPU are hashed into no name either. A variant that differs from an earlier one only in its CPU takes
the counts of that one, unless it lacks counts for further functions: code that is compiled only for a CPU's features.

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
from optbuild.profile.variants import Counters, TrainingLto, Variant
from optbuild.project.cargo_profile import WITH_LTO, resolve_cargo_profile
from optbuild.tools.rustc import ATOMIC_COUNTERS, LTO_OFF, TARGET_CPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How an instrumented binary is built.

    Attributes:
        name: For the record.
        label: The name of its build, after "build instrumented".
        flags: The flags that only the instrumented compilation gets.
        without: The variant's own flags that it lacks.
        lossless: Accepted only where no function with counts is lost.
        mends: The faults of an earlier way after which this one is taken.
    """

    name: str
    label: str = ""
    flags: tuple[Argument, ...] = ()
    without: tuple[Argument, ...] = ()
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
    """Whether an earlier variant is the same for any CPU, which allows comparing the two."""
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
