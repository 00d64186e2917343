"""Show a change to one of the user's files, and ask before writing it."""

from __future__ import annotations

import difflib
import shlex
import sys
from typing import TYPE_CHECKING

from optbuild.cli.console import Console
from optbuild.cli.context import CliContext, write_out
from optbuild.events import Level, Notice
from optbuild.text import sanitize, sanitize_line

if TYPE_CHECKING:
    from optbuild.session.proposal import Proposal

_NO_NEWLINE = "\n\\ No newline at end of file\n"


def settle(proposal: Proposal, call: CliContext, *, yes: bool) -> None:
    """Show a proposal as a diff on standard output, ask on standard error, and write it if the user agrees.

    Raises:
        UsageError: The file changed before the answer.
        StorageError: It cannot be written.
    """
    from optbuild.session.proposal import write

    for note in proposal.notes:
        _say(call, note)
    if proposal.changes_nothing:
        _say(call, f"there is nothing to change in {proposal.path}", proposal.next_step)
        return
    (sys.stderr.write if call.json else write_out)(render_diff(proposal))
    if not yes and not sys.stdin.isatty():
        advice = f"agree in advance: {shlex.join(call.argv)} --yes"
        _say(call, "nothing was written: there is no terminal to ask on", advice)
    elif yes or _ask(f"write {sanitize_line(str(proposal.path))}? [y/N] "):
        write(proposal)
        _say(call, f"wrote {proposal.path}", proposal.next_step)
    else:
        _say(call, "nothing was written")


def render_diff(proposal: Proposal) -> str:
    """Render a proposal as a unified diff that is safe to show."""
    name = proposal.path.name
    before = _lines(proposal.before or "")
    origin = "/dev/null" if proposal.before is None else name
    lines = difflib.unified_diff(before, _lines(proposal.after), fromfile=origin, tofile=name)
    return sanitize("".join(line if line.endswith("\n") else line + _NO_NEWLINE for line in lines))


def _lines(text: str) -> list[str]:
    """Split at newlines only: a build profile may hold other characters that end a line for Python."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _ask(question: str) -> bool:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _say(call: CliContext, message: str, advice: str = "") -> None:
    Console(call).show(Notice(level=Level.INFO, code="init", message=message, help=advice))
