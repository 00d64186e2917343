"""Compile the objects that are linked into instrumented builds."""

from __future__ import annotations

from collections.abc import Mapping

from optbuild.errors import BuildError
from optbuild.execution.command import Command, Executor
from optbuild.execution.tool import run_tool
from optbuild.files import atomic_write, writing
from optbuild.plan.kinds.make_object import MakeObject
from optbuild.plan.results import MadeObject
from optbuild.text import last_lines
from optbuild.tools.linked_object import EMPTY_ARCHIVE, compile_argv


def make_object(action: MakeObject, executor: Executor, environ: Mapping[str, str]) -> MadeObject:
    """Compile it unless it exists: its name states everything that it depends on.

    If rustc cannot make an object that only watches, as for a target whose `core` cargo builds itself, an empty one
    takes its place, and nothing is watched.

    Raises:
        BuildError: rustc failed.
        ToolchainError: rustc cannot be started.
        StorageError: A file cannot be written.
    """
    if action.file.is_file():
        return MadeObject(path=action.file, reused=True)
    source, unfinished = action.file.with_suffix(".rs"), action.file.with_suffix(".unfinished")
    atomic_write(source, action.source.encode())
    argv = compile_argv(
        action.rustc,
        crate=action.crate,
        target=action.target,
        source=source,
        output=unfinished,
        form=action.form,
    )
    completed = run_tool(executor, "rustc", Command(argv=argv, cwd=action.cwd, env=environ, sweep=False))
    if completed.exit_code != 0 and action.saves_counts:
        raise BuildError(
            f"{action.label}: rustc failed (exit code {completed.exit_code})",
            help="let the program exit by itself on its stop signal, which makes this object unnecessary:"
            " `flush-object = false` in its [[workloads]] table",
            location=str(source),
            detail=last_lines(completed.stderr),
        )
    if completed.exit_code != 0:
        atomic_write(action.file, EMPTY_ARCHIVE)
        return MadeObject(path=action.file, reused=False)
    with writing(action.file):
        unfinished.replace(action.file)
    return MadeObject(path=action.file, reused=False)
