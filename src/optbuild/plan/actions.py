"""The actions that a plan is made of: what each does, needs and leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NewType

from optbuild.errors import AttemptFault
from optbuild.profile.cargo_words import CargoCall
from optbuild.workloads.invocation import Invocation

ActionId = NewType("ActionId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A value that an action will have made by the time it is needed, such as `{profdata:merge-3f2a9c10}`.

    The jobserver is no action: the run opens it before the first one.
    """

    action: ActionId
    name: str

    def __str__(self) -> str:
        return f"{{{self.name}:{self.action}}}"


JOBSERVER = Output(action=ActionId("jobserver"), name="descriptors")
"""How programs are told of the budget that they share."""

Word = tuple[str | Output, ...]
"""An argument or a value, in pieces that are joined when every output is known."""


def render_word(word: Word) -> str:
    """A word as a plan shows it, outputs by their names."""
    return "".join(map(str, word))


def resolve_word(word: Word, lookup: Callable[[Output], str]) -> str:
    """A word with every output replaced by its value."""
    return "".join(piece if isinstance(piece, str) else lookup(piece) for piece in word)


class Role(StrEnum):
    """What a compilation is for."""

    BUILD = "build"
    INSTRUMENT = "instrument"
    OPTIMISE = "optimise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides what cargo builds, apart from the sources.

    Attributes:
        libs: File names of libraries for other languages.
        call: Build what cargo would run, in the place of programs and libraries by their names.
        config: Cargo profile settings by `--config` key, values in TOML.
        inherited_rustflags: The user's own flags, as cargo would find them.
        rustflags: Flags that optbuild appends to them.
    """

    packages: tuple[str, ...]
    bins: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    libs: tuple[str, ...] = ()
    call: CargoCall | None = None
    target: str
    cargo_profile: str
    features: tuple[str, ...] = ()
    no_default_features: bool = False
    all_features: bool = False
    config: tuple[tuple[str, str], ...] = ()
    inherited_rustflags: tuple[str, ...] = ()
    rustflags: tuple[Word, ...] = ()
    cargo_args: tuple[str, ...] = ()

    @property
    def products(self) -> tuple[str, ...]:
        """The names of all that is built: programs by their own names, libraries by their files'."""
        return (*self.bins, *self.examples, *self.libs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compile:
    """Call cargo; its programs and libraries are kept.

    Attributes:
        env: What is added to the caller's environment.
        cargo_target: Cargo's target directory.
        directory: Where copies of the binaries are kept.
        links_whole_program: Link-time optimisation looks at all crates at once, which takes memory.
    """

    id: ActionId
    needs: tuple[ActionId, ...]
    label: str
    role: Role
    recipe: Recipe
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, Word]
    cargo_target: Path
    directory: Path
    links_whole_program: bool = False
    kind: str = field(default="compile", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeObject:
    """Compile an object that is linked into instrumented builds.

    Attributes:
        crate: What it is called.
        source: Its source.
        object: The file, named for everything that it depends on.
        saves_counts: It lets a program write its counts when a signal ends it. Another one only watches, and a training
            can do without it.
    """

    id: ActionId
    needs: tuple[ActionId, ...]
    label: str
    rustc: Path
    crate: str
    source: str
    target: str
    cwd: Path
    object: Path
    saves_counts: bool
    kind: str = field(default="object", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOutputs:
    """Run the baseline twice on a workload, to learn its output and whether that is always the same."""

    id: ActionId
    needs: tuple[ActionId, ...]
    label: str
    workload: Invocation
    binaries: ActionId
    kind: str = field(default="probe", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOutputs:
    """Run a candidate on a workload and hold its output against the baseline's."""

    id: ActionId
    needs: tuple[ActionId, ...]
    label: str
    workload: Invocation
    binaries: ActionId
    probe: ActionId
    kind: str = field(default="compare", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """Run an instrumented binary on a workload; its counts are the output `profdata`.

    Attributes:
        directory: Raw profiles are written to a fresh directory below this one.
        program: Builds the instrumented program whose counts are wanted, where others are run in its place.
    """

    id: ActionId
    needs: tuple[ActionId, ...]
    label: str
    workload: Invocation
    binaries: ActionId
    directory: Path
    program: ActionId | None = None
    kind: str = field(default="train", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeProfiles:
    """Merge the workloads' counts by weight; the output is `profdata`.

    Attributes:
        weights: The share of each training run in the merged profile, whatever its length.
        tool: The `llvm-profdata` that fits rustc.
        directory: Where the merged profile is kept, its content's hash in the name.
        program: Builds instrumented programs by whose names of functions the counts are wanted; None where they are
            wanted by the names that they were trained under.
    """

    id: ActionId
    needs: tuple[ActionId, ...]
    label: str
    weights: Mapping[ActionId, float]
    tool: Path
    directory: Path
    program: ActionId | None = None
    kind: str = field(default="merge", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way to train a variant and to optimise it with what was learnt.

    Attributes:
        name: For people and the record, such as `lto-free`.
        instrument: The action that builds the instrumented binaries.
        merge: The action that makes the profile.
        compile: The action that compiles with it.
        lossless: Accepted only where no function with counts is lost: it instruments another recipe than it optimises.
        mends: What may be wrong with an earlier attempt for this one to be taken in its place.
        is_shared: It takes the counts of another variant, which differs from this one in its CPU.
    """

    name: str
    instrument: ActionId
    merge: ActionId
    compile: ActionId
    lossless: bool = False
    mends: frozenset[AttemptFault] = frozenset()
    is_shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """Take the binaries of the first attempt whose evidence holds; the others' actions are carried out only if needed.

    Attributes:
        attempts: In the order in which they are tried. Of what is built for a workload, `compile` builds that.
    """

    id: ActionId
    needs: tuple[ActionId, ...]
    label: str
    attempts: tuple[Attempt, ...]
    kind: str = field(default="choose", init=False)

    def of(self, attempt: Attempt) -> Attempt:
        """How this is built if a variant comes about by an attempt."""
        return next(own for own in self.attempts if own.name == attempt.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather:
    """Put the programs together that were built one by one, each with a profile of its own.

    Attributes:
        programs: For each program the action whose binary it is.
    """

    id: ActionId
    needs: tuple[ActionId, ...]
    label: str
    programs: Mapping[str, ActionId]
    kind: str = field(default="gather", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A variant as it is measured.

    Attributes:
        programs: For workloads that are what cargo would run, what builds it; by their names.
    """

    variant: str
    binaries: ActionId
    programs: Mapping[str, ActionId] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutArm(Arm):
    """A variant as it is measured on some workloads only: those that its profile has left out.

    Attributes:
        workloads: Their names.
    """

    workloads: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Run all arms on all benchmark workloads, interleaved, and compare them with the first arm.

    Attributes:
        held_out: What takes turns with the arms on single workloads, for a cross-validation.
    """

    id: ActionId
    needs: tuple[ActionId, ...]
    label: str
    arms: tuple[Arm, ...]
    workloads: tuple[Invocation, ...]
    max_time_s: float
    directory: Path
    held_out: tuple[HeldOutArm, ...] = ()
    kind: str = field(default="measure", init=False)

    def measured(self) -> Iterator[tuple[str, ActionId]]:
        """All binaries that are measured, by a name that tells them apart."""
        named = [(arm.variant, arm) for arm in self.arms]
        held_out = [(f"{arm.variant} {arm.workloads}", arm) for arm in self.held_out]
        for name, arm in (*named, *held_out):
            yield name, arm.binaries
            yield from ((f"{name} {workload}", programs) for workload, programs in arm.programs.items())


Action = Compile | MakeObject | ProbeOutputs | CompareOutputs | Train | MergeProfiles | Choose | Gather | Measure
