"""Everything that the order of work has to know of a kind of action, whatever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from optbuild.errors import AttemptFault, OptbuildError, ProfileDataError
from optbuild.making.built import Built
from optbuild.making.keys import Kept
from optbuild.making.order.exclusivity import Budget, Demand, Exclusivity
from optbuild.making.proof.prover import Proof
from optbuild.making.tools import Tools
from optbuild.plan.action import Action, ActionId
from optbuild.plan.forecast import Expectation
from optbuild.plan.results import Results


class Result(Protocol):
    """What every action yields, beside what only those of its kind do."""

    @property
    def reused(self) -> bool:
        """Whether it was there already."""


A = TypeVar("A", bound=Action[Any])
R = TypeVar("R", bound=Result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What people see of an action while it runs.

    Attributes:
        argv: What it runs, as people know it.
        log: Where what that says is kept.
        unit: What its progress counts.
        total: How many of those there will be, where that is known.
    """

    argv: tuple[str, ...]
    log: Path | None = None
    unit: str = ""
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a plan says of an action before it runs.

    Attributes:
        expectation: Where its result is there.
        kept: Why it is expected then.
        never_done: Why it is not, where it was never done.
        changed: Why it is not, where it was done before.
    """

    expectation: Expectation = Expectation.REUSED
    kept: str = "its result is kept, and holds if cargo finds its binaries fresh"
    never_done: str = "it was not done before"
    changed: str = "its binary or what it reads is not what it was"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A failure that others which ran at the same time may have caused: the action is retried alone.

    Attributes:
        error: How it shows.
        code: Of the notice.
        reason: What happened, in a few words.
    """

    error: type[OptbuildError]
    code: str
    reason: str


class Kind(ABC, Generic[A, R]):
    """One kind of action: a row of the table."""

    outlook = Outlook()
    depends_on_needs = True
    """Whether what is kept can be found only with the results of what the action needs."""
    retry: Retry | None = None

    @abstractmethod
    def perform(self, action: A, results: Results, tools: Tools) -> R:
        """Do it, with the results of what it needs.

        Raises:
            OptbuildError: It failed.
        """

    @abstractmethod
    def find_kept(self, action: A, results: Results, kept: Kept) -> object | None:
        """What an earlier run has left that would be used again; found without running anything."""

    @abstractmethod
    def show(self, action: A, tools: Tools) -> Shown:
        """What people see of it while it runs."""

    @abstractmethod
    def describe(self, result: R) -> str:
        """Its result in a few words."""

    def demand(self, _action: A, _tools: Tools, _budget: Budget, *, alone: Exclusivity) -> Demand:
        """What it needs for itself while it runs.

        Args:
            alone: `SHARED`, unless it has shown that it cannot run alongside others.
        """
        return Demand(exclusivity=alone)

    def peak_rss_bytes(self, _result: R) -> int | None:
        """The memory of its largest process, where that was looked at."""
        return None

    def begin(self, _action: A, _results: Results, _tools: Tools) -> Callable[[R], R]:
        """Note what has to be known from before it runs; gives what is called with its result once that is proved.

        Both are called in the thread that decides, and nothing else changes what the run has come to meanwhile. The
        second may raise what `perform` may, and gives the result as it is to be kept.
        """
        return lambda result: result

    def compared_with(self, _action: A, _built: Built) -> frozenset[ActionId]:
        """What its proof compares it with, and therefore waits for."""
        return frozenset()

    def prove(self, _action: A, _result: R, _built: Built, _tools: Tools) -> Proof | None:
        """What shows that it had the effect that it is done for; None where it need not show any.

        Raises:
            OptbuildError: It had not.
        """
        return None

    def fault(self, _action: A, error: OptbuildError) -> AttemptFault | None:
        """What is wrong with the attempt that it belongs to, if another attempt may mend it."""
        return error.fault if isinstance(error, ProfileDataError) else None

    def remember_failure(self, _action: A, _error: OptbuildError, _results: Results, _tools: Tools) -> None:
        """Spare later runs a failure that another attempt has made good."""

    def set_aside(self, _result: R) -> Mapping[Path, str]:
        """Files that were kept for people to look at, and why."""
        return {}
