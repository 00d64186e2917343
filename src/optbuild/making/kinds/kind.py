"""Everything that the scheduling has to know about a kind of action."""

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
    """The common part of every action's result."""

    @property
    def reused(self) -> bool:
        """Whether it existed already."""


A = TypeVar("A", bound=Action[Any])
R = TypeVar("R", bound=Result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What users see of an action while it runs.

    Attributes:
        argv: The command that it runs, as users know it.
        log: The log of its output.
        unit: What its progress counts.
        total: How many units there will be, if known.
    """

    argv: tuple[str, ...]
    log: Path | None = None
    unit: str = ""
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a plan shows about an action before it runs.

    Attributes:
        expectation: If its result exists.
        kept: Why it is then expected.
        never_done: Why it is not expected, if it was never done.
        changed: Why it is not expected, if it was done before.
    """

    expectation: Expectation = Expectation.REUSED
    kept: str = "its result is kept, and holds if cargo finds its binaries fresh"
    never_done: str = "it has not run before"
    changed: str = "its binary or its inputs have changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A failure that concurrent actions may have caused: the action is retried alone.

    Attributes:
        error: The type of its error.
        code: The code of the notice.
        reason: What happened, in a few words.
    """

    error: type[OptbuildError]
    code: str
    reason: str


class Kind(ABC, Generic[A, R]):
    """One kind of action: a row of the table."""

    outlook = Outlook()
    depends_on_needs = True
    """Whether a kept result can be found only with the results that the action needs."""
    retry: Retry | None = None
    lays_out = False
    """Whether its failure leaves a variant without BOLT, if that is optional."""

    @abstractmethod
    def perform(self, action: A, results: Results, tools: Tools) -> R:
        """Do it, with the results that it needs.

        Raises:
            OptbuildError: It failed.
        """

    @abstractmethod
    def find_kept(self, action: A, results: Results, kept: Kept) -> object | None:
        """The result of an earlier run that would be reused; found without running anything."""

    @abstractmethod
    def show(self, action: A, tools: Tools) -> Shown:
        """What users see of it while it runs."""

    @abstractmethod
    def describe(self, result: R) -> str:
        """Its result in a few words."""

    def demand(self, _action: A, _tools: Tools, _budget: Budget, *, alone: Exclusivity) -> Demand:
        """What it needs for itself while it runs.

        Args:
            alone: `SHARED`, unless it has failed to run alongside others.
        """
        return Demand(exclusivity=alone)

    def peak_rss_bytes(self, _result: R) -> int | None:
        """The memory of its largest process, if that was measured."""
        return None

    def begin(self, _action: A, _results: Results, _tools: Tools) -> Callable[[R], R]:
        """Note the state before it runs; return what is called with its result once that is proved.

        Both are called in the deciding thread, and nothing else changes the outcome meanwhile. The second may raise
        what `perform` may, and returns the result to keep.
        """
        return lambda result: result

    def compared_with(self, _action: A, _built: Built) -> frozenset[ActionId]:
        """What its proof is compared with, and therefore waits for."""
        return frozenset()

    def prove(self, _action: A, _result: R, _built: Built, _tools: Tools) -> Proof | None:
        """The proof that it had its intended effect; None if it needs none.

        Raises:
            OptbuildError: It had no effect.
        """
        return None

    def fault(self, _action: A, error: OptbuildError) -> AttemptFault | None:
        """What is wrong with its attempt, if another attempt may succeed."""
        return error.fault if isinstance(error, ProfileDataError) else None

    def remember_failure(self, _action: A, _error: OptbuildError, _results: Results, _tools: Tools) -> None:
        """Spare later runs a failure after which another attempt succeeded."""

    def set_aside(self, _result: R) -> Mapping[Path, str]:
        """Files that were kept for inspection, and why."""
        return {}
