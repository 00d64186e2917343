"""Binaries that no single action makes: taken from the first way that holds, or put together one by one.

A *way* of a variant is a chain of actions. It begins with PGO (`plan/steps/pgo`); further chains that make binaries out
of binaries may follow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Protocol

from optbuild.errors import AttemptFault
from optbuild.plan.action import Action, Entry, Id
from optbuild.plan.counts import CheckedProfile
from optbuild.plan.fingerprint import make_action_id
from optbuild.plan.results import Binaries, Compiled

_NEWER = frozenset({"after", "shared_with", "is_translated"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """What follows binaries: actions, each after what it needs, and the binaries that they end in."""

    actions: tuple[Action[object], ...]
    binaries: Id[Binaries]


class Follow(Protocol):
    """Makes binaries out of binaries."""

    def __call__(self, binaries: Id[Binaries], label: str, *, left_out: Collection[str] = ()) -> Following:
        """Plan that.

        Args:
            binaries: The binaries.
            label: The name of their purpose.
            left_out: Names of workloads that may not be trained on.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way to train a variant and to optimise it with the counts.

    Attributes:
        name: For users and the record, such as `lto-free`.
        instrument: The action that builds the instrumented binaries; None if their functions' names are committed.
        merge: The action that makes the profile.
        compile: The action that compiles with it.
        lossless: Accepted only where no function with counts is lost: it instruments another recipe than it optimises.
        mends: What may be wrong with an earlier attempt for this one to be taken in its place.
        shared_with: The variant whose counts it takes, if another was trained.
        is_translated: Functions have other names there: a separate build, which is never run, lends the names.
        after: What is made of the compiled binaries, one of the other.
    """

    name: str
    instrument: Id[Compiled] | None
    merge: Id[CheckedProfile]
    compile: Id[Compiled]
    lossless: bool = False
    mends: frozenset[AttemptFault] = frozenset()
    shared_with: str | None = None
    is_translated: bool = False
    after: tuple[Id[Binaries], ...] = ()

    @property
    def is_shared(self) -> bool:
        """Whether it takes the counts of another variant as they are: its functions have the same names."""
        return self.shared_with is not None and not self.is_translated

    @property
    def binaries(self) -> Id[Binaries]:
        """The last entry of the chain."""
        return self.after[-1] if self.after else self.compile

    def identity(self) -> Mapping[str, object]:
        """Everything that affects its result; what is empty is left out, which keeps ids of earlier runs valid."""
        named = {"is_shared": self.is_shared, **{item.name: getattr(self, item.name) for item in fields(self)}}
        return {name: value for name, value in named.items() if name not in _NEWER or value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Entry[Binaries]):
    """The binaries of the first attempt whose evidence holds; the others' actions are carried out only if needed.

    Attributes:
        attempts: In the order in which they are tried. For a workload's own programs, `compile` builds those.
    """

    kind: ClassVar[str] = "choose"

    attempts: tuple[Attempt, ...]

    def of(self, attempt: Attempt) -> Attempt:
        """How this is built if a variant takes an attempt."""
        wanted = (attempt.name, attempt.shared_with)
        return next(own for own in self.attempts if (own.name, own.shared_with) == wanted)

    def details(self) -> Mapping[str, object]:
        """The attempts, in their order."""
        return {"tries": [f"{attempt.name} ({attempt.binaries})" for attempt in self.attempts]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering(Entry[Binaries]):
    """Programs that were built one by one, each with a separate profile.

    Attributes:
        programs: For each program, the entry that makes its binary.
    """

    kind: ClassVar[str] = "gather"

    programs: Mapping[str, Id[Binaries]]

    def details(self) -> Mapping[str, object]:
        """The origin of each program."""
        return {"how": ", ".join(f"{name} by {built}" for name, built in self.programs.items())}


def make_choice(variant: str, attempts: tuple[Attempt, ...]) -> Choice:
    """The binaries of the first attempt whose evidence holds."""
    return Choice(
        id=make_action_id("choose", tuple(attempt.identity() for attempt in attempts)),
        needs=tuple(attempt.binaries for attempt in attempts),
        label=f"{variant}: the first attempt whose evidence holds",
        attempts=attempts,
    )


def make_gathering(variant: str, programs: Mapping[str, Id[Binaries]]) -> Gathering:
    """The programs of a variant, put together."""
    return Gathering(
        id=make_action_id("gather", programs),
        needs=tuple(programs.values()),
        label=f"{variant}: each program with its own profile",
        programs=programs,
    )


def make_following(
    binaries: Id[Binaries], follows: tuple[Follow, ...], label: str, *, left_out: Collection[str] = ()
) -> tuple[Following, ...]:
    """What follows binaries, each based on the result of the one before."""
    following: list[Following] = []
    for follow in follows:
        latest = following[-1].binaries if following else binaries
        following.append(follow(latest, label, left_out=left_out))
    return tuple(following)


def actions_of(following: tuple[Following, ...]) -> tuple[Action[object], ...]:
    """All actions, each after what it needs."""
    return tuple(action for each in following for action in each.actions)


def with_following(attempt: Attempt, following: tuple[Following, ...]) -> Attempt:
    """An attempt whose compilation others follow."""
    return replace(attempt, after=tuple(each.binaries for each in following))
