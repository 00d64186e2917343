"""What a training lost: processes without counts, counts that went elsewhere, and errors from LLVM's runtime.

The remaining counts show none of that: if a program's front process writes its counts, their merge is valid although it
lacks the work of all its workers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.events import Level, Notice
from optbuild.execution.command import Command
from optbuild.files import writing
from optbuild.plan.counts import Losses
from optbuild.text import sanitize_line
from optbuild.tools.start_marks import (
    count_started,
    lost_processes,
    marks_directory,
    replaced_processes,
    unended_processes,
)

_ERROR = b"LLVM Profile Error: "
_MOST_ERRORS = 3


@dataclass(slots=True, kw_only=True)
class LossWatch:
    """Watches one training.

    Attributes:
        profiles: Where its processes write their raw profiles, to one file each or to a pool of files.
        stray: Where processes write that do not know that place.
    """

    profiles: Path
    pooled: bool
    stray: Path
    _errors: list[str] = field(default_factory=list, init=False)
    _stray_before: Mapping[Path, tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        self._stray_before = _states(self.stray)
        marks = marks_directory(self.profiles)
        with writing(marks):
            marks.mkdir()

    def read_errors(self, command: Command) -> None:
        """Read the runtime's errors from the output of a finished program: its exit code does not show them."""
        for path in (command.stdout, command.stderr):
            if isinstance(path, Path) and path.is_file():
                with path.open("rb") as lines:
                    self._errors += (_message(line) for line in lines if _ERROR in line)

    def sum_up(self) -> Losses:
        """What was lost, after all processes have ended."""
        marks = marks_directory(self.profiles)
        left = [path.name for path in marks.iterdir()]
        came = [path.name for path in self.profiles.iterdir()]
        # A pool does not show whose counts arrived, only which processes ended in a way that adds them.
        lost = unended_processes(left) if self.pooled else lost_processes(left, came)
        before = self._stray_before
        return Losses(
            processes=count_started(left),
            without_counts=len(lost | replaced_processes(left)),
            stray=sum(before.get(path) != state for path, state in _states(self.stray).items()),
            errors=tuple(dict.fromkeys(self._errors))[:_MOST_ERRORS],
        )


def _message(line: bytes) -> str:
    return sanitize_line(line.partition(_ERROR)[2].decode("utf-8", "replace").strip())


def _states(directory: Path) -> dict[Path, tuple[int, int]]:
    states = ((path, path.stat()) for path in directory.glob("*.profraw"))
    return {path: (state.st_mtime_ns, state.st_size) for path, state in states}


def describe_losses(losses: Losses, workload: str, stray: Path, *, has_flush_object: bool) -> Iterator[Notice]:
    """The warnings about an accepted training.

    Args:
        losses: What it lost.
        workload: The name of what was run.
        stray: Where missing counts went.
        has_flush_object: Counts are already saved from signals where possible.
    """
    training = f"training on {sanitize_line(workload)!r}"
    said = f" (LLVM's runtime says: {'; '.join(losses.errors)})" if losses.errors else ""
    if losses.without_counts:
        flush = "if a signal ends it, set `flush-object = true` in its [[workloads]] table; "
        yield Notice(
            level=Level.WARNING,
            code="processes-without-counts",
            message=f"{training} lacks the counts of {losses.without_counts:,} of {losses.processes:,} processes of "
            "the instrumented program: each was ended by a signal, _exit or abort, replaced itself by exec, "
            f"which loses what it had counted, or could not write a file{said}",
            help=f"let each process return from `main` or call `exit`; {'' if has_flush_object else flush}"
            "if a sandbox forbids it to write files, train without the sandbox",
        )
    elif losses.errors:
        yield Notice(
            level=Level.WARNING,
            code="profile-errors",
            message=f"{training} may lack counts{said}",
            help="make sure that each process may open and write files when it ends, and that the disk has space",
        )
    if losses.stray:
        files = f"{losses.stray:,} file{'s' * (losses.stray != 1)}"
        yield Notice(
            level=Level.WARNING,
            code="stray-counts",
            message=f"{training} lacks counts that went to {sanitize_line(str(stray))} ({files}): processes of the "
            "instrumented program were started with an environment that lacks LLVM_PROFILE_FILE, as below valgrind "
            "where a bench clears it",
            help="make the workload pass LLVM_PROFILE_FILE on to each program that it starts, or train on another "
            "workload",
        )
