"""Compile the allocator that is linked into programs, and see whether they have it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optbuild.errors import BuildError
from optbuild.execution.command import Command, Executor
from optbuild.execution.tool import run_tool
from optbuild.files import atomic_copy, atomic_write
from optbuild.plan.kinds.make_allocator import MakeAllocator
from optbuild.plan.results import Binaries, MadeObject
from optbuild.text import last_lines, sanitize_line
from optbuild.tools.cargo import RUSTFLAGS
from optbuild.tools.mimalloc import CRATE, MARK, find_archive, render_package

_WITHOUT = "build the variant without it: remove `allocator`"
_DATE = "SOURCE_DATE_EPOCH"
"""Mimalloc's messages say when it was compiled, which would differ each time."""


def make_allocator(action: MakeAllocator, executor: Executor, environ: Mapping[str, str], *, log: Path) -> MadeObject:
    """Compile it unless it exists: its name states everything that it depends on.

    Raises:
        BuildError: Cargo failed: it is offline, or there is no C compiler.
        ToolchainError: Cargo cannot be started.
        StorageError: A file cannot be written.
    """
    if action.file.is_file():
        return MadeObject(path=action.file, reused=True)
    for name, text in render_package().items():
        atomic_write(action.package / name, text.encode())
    env = {_DATE: "0", **environ, RUSTFLAGS: "", "RUSTUP_AUTO_INSTALL": "0", "CARGO_TERM_COLOR": "never"}
    completed = run_tool(executor, "cargo", Command(argv=action.argv, cwd=action.cwd, env=env))
    atomic_write(log, completed.stderr)
    archive = find_archive(completed.stdout)
    if completed.exit_code != 0 or archive is None or not archive.is_file():
        raise BuildError(
            f"{action.label}: cargo could not compile {CRATE} (exit code {completed.exit_code})",
            help=f"let cargo reach crates.io once and install a C compiler; or {_WITHOUT}",
            location=str(log),
            detail=last_lines(completed.stderr),
        )
    atomic_copy(archive, action.file)
    return MadeObject(path=action.file, reused=False)


def check_allocator(label: str, built: Binaries) -> None:
    """Refuse programs that the allocator was not linked into.

    Raises:
        BuildError: It is missing in one of them.
    """
    for name, artifact in built.artifacts.items():
        if MARK not in artifact.path.read_bytes():
            raise BuildError(
                f"{sanitize_line(label)}: the linker has left mimalloc out of {sanitize_line(name)}",
                help=f"see which linker its flags choose; or {_WITHOUT}",
                location=str(artifact.path),
            )
