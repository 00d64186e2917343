"""What a comparison of versions was made of, as it is stored and printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """What one side of a comparison of versions was built from.

    Attributes:
        name: As it was named: a revision, `working tree`, or the path of a program that was built before.
        git_commit: None for such a program, and without git.
        dirty: A working tree has changes that are not in the commit; None where that is not known.
    """

    name: str
    git_commit: str | None
    dirty: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRecord:
    """What was measured under a name: `old` or `new`.

    Attributes:
        source: The name of a source.
        variant: How it was built; None for a program that was built before.
    """

    name: str
    source: str
    variant: str | None
