"""Run a program of the toolchain: that it is missing is an error with one remedy, wherever it is noticed."""

from __future__ import annotations

from optbuild.errors import ToolchainError
from optbuild.execution.command import Command, Completed, Executor, OnLine, ProgramNotFoundError


def run_tool(
    executor: Executor, name: str, command: Command, *, on_stdout: OnLine | None = None, on_stderr: OnLine | None = None
) -> Completed:
    """Run it to its end, whatever that is.

    Raises:
        ToolchainError: It cannot be started.
        StorageError: A file for its output cannot be opened.
        InterruptedRunError: A signal arrived.
    """
    try:
        return executor.run(command, on_stdout=on_stdout, on_stderr=on_stderr)
    except ProgramNotFoundError as error:
        raise ToolchainError(
            f"cannot start {name}: {error}", help="optbuild doctor", location=str(command.cwd)
        ) from error
