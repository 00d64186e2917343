"""Find programs on `PATH` and ask them questions, for discovering a toolchain."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.execution.command import Command, Completed, Executor

_ANSWER_S = 60.0  # a rustup proxy on a cold disk takes seconds; no question here takes a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """Asks programs about themselves, in the directory where cargo will run: rustup decides by directory."""

    executor: Executor
    directory: Path
    environ: Mapping[str, str]

    def ask(self, argv: tuple[str, ...]) -> Completed:
        """Run a program that prints something and ends.

        Raises:
            ProgramNotFoundError: The program cannot be started.
            InterruptedRunError: A signal arrived.
        """
        # Never install a toolchain unasked; messages are parsed here, so no backtrace and no translation.
        quiet = {"RUSTUP_AUTO_INSTALL": "0", "RUST_BACKTRACE": "0", "LC_ALL": "C"}
        command = Command(argv=argv, cwd=self.directory, env={**self.environ, **quiet}, timeout_s=_ANSWER_S)
        return self.executor.run(command)


def find_program(name: str, environ: Mapping[str, str]) -> Path | None:
    """Find a program in the absolute directories of `PATH`.

    Relative ones are left out: with them, a repository could bring its own `rustc`.
    """
    absolute = [entry for entry in environ.get("PATH", "").split(os.pathsep) if Path(entry).is_absolute()]
    found = shutil.which(name, path=os.pathsep.join(absolute)) if absolute else None
    return None if found is None else Path(found)


def is_program(path: Path) -> bool:
    """Whether a file exists and may be executed."""
    return path.is_file() and os.access(path, os.X_OK)


def output_text(completed: Completed) -> str:
    """What a program printed, decoded without damaging file names."""
    return os.fsdecode(completed.stdout)
