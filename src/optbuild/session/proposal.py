"""A change to a user's file: shown first, and written only if the file is still the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.files import atomic_write


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The proposed contents of a file.

    Attributes:
        command: The command that proposes it, such as `init`.
        path: The file.
        before: Its text; None if it does not exist.
        after: Its text if the owner agrees; equal to `before` if nothing is missing.
        next_step: What to do next.
        notes: What the owner should know before agreeing.
    """

    command: str
    path: Path
    before: str | None
    after: str
    next_step: str
    notes: tuple[str, ...] = ()

    @property
    def changes_nothing(self) -> bool:
        """Whether the file can stay as it is."""
        return self.before == self.after


def write(proposal: Proposal) -> None:
    """Write the proposal, if the file has not changed since.

    Raises:
        UsageError: The file has changed meanwhile.
        StorageError: It cannot be written.
    """
    before = None if proposal.before is None else proposal.before.encode()
    if (proposal.path.read_bytes() if proposal.path.is_file() else None) != before:
        raise UsageError(
            f"{proposal.path} has changed since the proposal was made; nothing was written",
            help=f"view a new proposal: optbuild {proposal.command}",
            location=str(proposal.path),
        )
    atomic_write(proposal.path, proposal.after.encode())
