"""The entries of a plan: actions, each with an id that carries the type of its result, and other named entries.

The kinds of actions are in `plan/kinds`, a module each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

R_co = TypeVar("R_co", covariant=True)


class Id(str, Generic[R_co]):
    """The name of an action or of binaries; its type parameter is the type of its result.

    An id is a hash of everything that decides the result, so it is known before anything starts.
    """

    __slots__ = ()


ActionId = Id[object]
"""An id whose result's type does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A value that an action makes before it is needed, such as `{profdata:merge-3f2a9c10}`.

    The jobserver is not an action: the run opens it before the first one.
    """

    action: ActionId
    name: str

    def __str__(self) -> str:
        return f"{{{self.name}:{self.action}}}"


JOBSERVER = Output(action=ActionId("jobserver"), name="descriptors")
"""The output that passes the shared budget to programs."""

Argument = tuple[str | Output, ...]
"""An argument or a value, in pieces that are joined when every output is known."""


def render_argument(argument: Argument) -> str:
    """An argument as a plan shows it, with outputs by name."""
    return "".join(map(str, argument))


def resolve_argument(argument: Argument, lookup: Callable[[Output], str]) -> str:
    """An argument with every output replaced by its value."""
    return "".join(piece if isinstance(piece, str) else lookup(piece) for piece in argument)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Generic[R_co]):
    """An entry of a plan.

    Attributes:
        needs: What must exist before.
        label: Its name for users.
    """

    kind: ClassVar[str]

    id: Id[R_co]
    needs: tuple[ActionId, ...]
    label: str

    def details(self) -> Mapping[str, object]:
        """What a plan shows about it beyond these fields, ready for JSON."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Entry[R_co]):
    """An entry that is carried out."""

    @property
    def judges(self) -> ActionId | None:
        """The binaries that this checks without making anything for them."""
        return None
