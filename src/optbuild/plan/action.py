"""What a plan lists: actions, each with an id that carries the type of its result, and what else has a name in it.

The kinds of actions are in `plan/kinds`, a module each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

R_co = TypeVar("R_co", covariant=True)


class Id(str, Generic[R_co]):
    """The name of an action, or of binaries; it says what type of result there is under it.

    An id is a hash of everything that decides the result, so it is known before anything starts.
    """

    __slots__ = ()


ActionId = Id[object]
"""An id whose result's type does not matter."""


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

Argument = tuple[str | Output, ...]
"""An argument or a value, in pieces that are joined when every output is known."""


def render_argument(argument: Argument) -> str:
    """An argument as a plan shows it, outputs by their names."""
    return "".join(map(str, argument))


def resolve_argument(argument: Argument, lookup: Callable[[Output], str]) -> str:
    """An argument with every output replaced by its value."""
    return "".join(piece if isinstance(piece, str) else lookup(piece) for piece in argument)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Generic[R_co]):
    """Something that a plan lists.

    Attributes:
        needs: What must be there before.
        label: What it is called, for people.
    """

    kind: ClassVar[str]

    id: Id[R_co]
    needs: tuple[ActionId, ...]
    label: str

    def details(self) -> Mapping[str, object]:
        """What a plan shows of it beyond these fields, ready for JSON."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Entry[R_co]):
    """Something that is carried out."""

    @property
    def judges(self) -> ActionId | None:
        """The binaries that this checks, where it makes nothing for them."""
        return None
