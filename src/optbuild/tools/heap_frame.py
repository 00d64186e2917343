"""A function on the way to an allocation, as tools that watch the heap name it. Not for what a stack means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One function of a stack.

    Attributes:
        address: Where it was in the running process.
        function: Its name as the file has it, mangled or not.
        file: The source file; None if it is not known.
        object: The program or library that it is in, where that is all that is known.
    """

    address: int
    function: str
    file: str | None = None
    line: int | None = None
    object: str | None = None
