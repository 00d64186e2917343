"""All that cargo and rustc say, kept in a log; and what of it the user sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from optbuild.events import Emit, ForeignText
from optbuild.files import writing
from optbuild.making.cargo.listener import Listener
from optbuild.tools.cargo import CompilerMessage
from optbuild.tools.rustc import is_about_profile


@dataclass(slots=True, kw_only=True)
class Transcript(Listener):
    """Keeps what is said in a log.

    Attributes:
        status: What cargo printed to standard error.
    """

    log: FileIO
    status: bytearray = field(default_factory=bytearray)

    def on_diagnostic(self, diagnostic: CompilerMessage) -> None:
        """Keep it as rustc would print it."""
        self.on_text(diagnostic.message.text.encode("utf-8", "replace"))

    def on_status(self, line: bytes) -> None:
        """Keep a line."""
        self.on_text(line)
        self.status += line

    def on_text(self, line: bytes) -> None:
        """Keep a line."""
        with writing(Path(self.log.name)):
            self.log.write(line)


@contextmanager
def open_transcript(path: Path) -> Iterator[Transcript]:
    """Open a log without a buffer: a full disk is then reported by the write that it concerns."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        log = path.open("wb", buffering=0)
    with log:
        yield Transcript(log=log)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics(Listener):
    """Shows errors, and warnings of the user's own crates, as plain cargo does; `-vv` brings all the others as well."""

    emit: Emit

    def on_diagnostic(self, diagnostic: CompilerMessage) -> None:
        """Show it, unless it is about a PGO profile: those are evidence."""
        message = diagnostic.message
        concerns_user = message.level == "error" or diagnostic.package_id.startswith("path+")
        if concerns_user and not is_about_profile(message.message):
            self.emit(ForeignText(text=message.text))
