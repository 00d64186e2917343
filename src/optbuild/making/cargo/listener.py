"""What cargo says during one build, read once and passed on to those whose questions it answers.

Each listener takes in what its own question needs, and nothing of another's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from optbuild.events import Emit, Event
from optbuild.plan.kinds.compile import Compile
from optbuild.tools.cargo import BuildFinished, BuildScriptExecuted, CompilerArtifact, CompilerMessage, parse_message
from optbuild.tools.cargo_programs import StartedProgram, parse_started


class Listener:
    """Reads a build's messages; those that it has no method for pass it by."""

    def on_unit(self, unit: CompilerArtifact) -> None:
        """Cargo finished a unit, or found it fresh."""

    def on_script(self, script: BuildScriptExecuted) -> None:
        """A build script ran, or was found fresh."""

    def on_diagnostic(self, diagnostic: CompilerMessage) -> None:
        """Rustc reported something."""

    def on_program(self, program: StartedProgram) -> None:
        """Cargo would have started a program."""

    def on_end(self) -> None:
        """Cargo has built everything; a builder may call it again, for another interpreter."""

    def on_text(self, line: bytes) -> None:
        """Something else was printed to standard output."""

    def on_status(self, line: bytes) -> None:
        """Cargo printed a line to standard error."""


@dataclass(frozen=True, slots=True)
class Feed:
    """Reads each line once, and passes it on in the order of the listeners.

    Attributes:
        mounted: A directory in the container that cargo runs in, and what it is here, in JSON's escapes.
    """

    listeners: tuple[Listener, ...]
    mounted: tuple[bytes, bytes] | None = None

    def read_stdout(self, line: bytes) -> None:
        """Pass on a line of cargo's standard output."""
        if self.mounted is not None and line.startswith(b"{"):
            inside, outside = self.mounted
            line = line.replace(b'"' + inside + b"/", b'"' + outside + b"/")
        message = parse_message(line)
        program = parse_started(line) if message is None else None
        for listener in self.listeners:
            if isinstance(message, CompilerArtifact):
                listener.on_unit(message)
            elif isinstance(message, BuildScriptExecuted):
                listener.on_script(message)
            elif isinstance(message, CompilerMessage):
                listener.on_diagnostic(message)
            elif isinstance(message, BuildFinished):
                listener.on_end()
            elif program is not None:
                listener.on_program(program)
            elif message is None:
                listener.on_text(line)

    def read_stderr(self, line: bytes) -> None:
        """Pass on a line of cargo's standard error."""
        for listener in self.listeners:
            listener.on_status(line)


@dataclass(frozen=True, slots=True)
class Once:
    """Passes on each event once: every variant repeats the same warnings."""

    emit: Emit
    seen: set[Event] = field(default_factory=set)

    def __call__(self, event: Event) -> None:
        """Pass on an event unless it was passed on before."""
        if event not in self.seen:
            self.seen.add(event)
            self.emit(event)


def is_for_target(action: Compile, unit: CompilerArtifact) -> bool:
    """Whether a unit is one of the program's own, rather than a build script or macro that runs while it is built.

    Sources: The Cargo Book, "Build cache", https://doc.rust-lang.org/cargo/reference/build-cache.html
    """
    return any(is_below_target(action, path) for path in unit.filenames)


def is_below_target(action: Compile, path: Path) -> bool:
    """Whether a file is in the part of cargo's directory that is for the target."""
    return path.is_relative_to(action.cargo_target / action.recipe.target)
