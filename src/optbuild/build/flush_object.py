"""Compile the object that lets an instrumented server write its counts when its stop signal ends it."""

from __future__ import annotations

from collections.abc import Mapping

from optbuild.build.model import FlushObject
from optbuild.errors import BuildError, ToolchainError
from optbuild.execution.command import Command, Executor, ProgramNotFoundError
from optbuild.files import atomic_write, writing
from optbuild.plan.actions import MakeFlushObject
from optbuild.text import last_lines
from optbuild.tools.flush_object import SOURCE, compile_argv


def make_flush_object(action: MakeFlushObject, executor: Executor, environ: Mapping[str, str]) -> FlushObject:
    """Compile it, unless it is there: its name tells everything that it depends on.

    Raises:
        BuildError: rustc failed.
        ToolchainError: rustc cannot be started.
        StorageError: A file cannot be written.
    """
    if action.object.is_file():
        return FlushObject(path=action.object, reused=True)
    source, unfinished = action.object.with_suffix(".rs"), action.object.with_suffix(".unfinished")
    atomic_write(source, SOURCE.encode())
    argv = compile_argv(action.rustc, target=action.target, source=source, output=unfinished)
    try:
        completed = executor.run(Command(argv=argv, cwd=action.cwd, env=environ, sweep=False))
    except ProgramNotFoundError as error:
        raise ToolchainError(f"cannot start rustc: {error}", help="optbuild doctor") from error
    if completed.exit_code != 0:
        raise BuildError(
            f"{action.label}: rustc failed (exit code {completed.exit_code})",
            help="let the server end by itself on its stop signal, so that it needs no such object:"
            " `flush-object = false` in its [[workloads]] table",
            location=str(source),
            detail=last_lines(completed.stderr),
        )
    with writing(action.object):
        unfinished.replace(action.object)
    return FlushObject(path=action.object, reused=False)
