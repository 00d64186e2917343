"""A change to a file of the user's: shown first, and written only to the file that it was proposed for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.files import atomic_write


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a file would become.

    Attributes:
        command: The command that proposes it, such as `init`.
        path: The file.
        before: Its text; None where there is none.
        after: Its text if the owner agrees; equal to `before` where nothing is missing.
        next_step: What to do then.
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
    """Write what was proposed, if the file is still the one that it was proposed for.

    Raises:
        UsageError: The file has changed meanwhile.
        StorageError: It cannot be written.
    """
    before = None if proposal.before is None else proposal.before.encode()
    if (proposal.path.read_bytes() if proposal.path.is_file() else None) != before:
        raise UsageError(
            f"{proposal.path} has changed since the proposal was made; nothing was written",
            help=f"look at a new proposal: optbuild {proposal.command}",
            location=str(proposal.path),
        )
    atomic_write(proposal.path, proposal.after.encode())
