"""An observer wraps a workload's command so that a tool watches it, and reads the file that the tool writes.

Sampling and allocation profiling share this form. Not for running workloads: `recording` does.
"""

from __future__ import annotations

from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Protocol, TypeVar

from optbuild.execution.command import Command

T_co = TypeVar("T_co", covariant=True)

ORDERLY = frozenset({SIGINT, SIGTERM})
"""Signals that servers commonly end on in good order, and on which every tool saves its file."""


class Observer(Protocol[T_co]):
    """A way to watch programs."""

    @property
    def name(self) -> str:
        """The tool, for people."""
        ...

    @property
    def slowdown(self) -> float:
        """About how many times longer a watched program takes; its timeouts are extended by it."""
        ...

    @property
    def stop_signals(self) -> frozenset[int]:
        """The signals that may stop a watched server: others would lose the tool's file, or the server's own ending."""
        ...

    def wrap(self, command: Command, output: Path) -> Command:
        """The command that runs another one under the tool.

        Args:
            command: What to run; it keeps its environment, its streams, its exit code and its reaction to signals.
            output: Where the tool writes; with several processes, the beginning of the names of its files.
        """
        ...

    def read(self, output: Path) -> T_co:
        """What the tool has written about a finished command, over all its processes.

        Raises:
            WorkloadError: It has written nothing that can be used; the message says why.
        """
        ...
