"""Run a workload once, for training or for its output."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from optbuild.errors import OptbuildError, UsageError, WorkloadError
from optbuild.execution.command import ConcurrentExecutor
from optbuild.files import link_or_copy, writing
from optbuild.text import sanitize_line
from optbuild.workloads.cargo_build import CargoBuild
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.placing import place_together
from optbuild.workloads.programs import Place, WorkloadRun
from optbuild.workloads.running import run_workload, set_up
from optbuild.workloads.words import Word

KEPT_BYTES = 64 << 20
"""A larger output is not kept after its run."""


@dataclass(slots=True, kw_only=True)
class WorkloadRunner:
    """Runs invocations from one fixed path: a program that prints its own name always prints the same.

    Attributes:
        root: The directory with optbuild's marker.
        stage: Where the binaries of one variant, and no others, are placed while they run.
        logs: Where output is kept.
    """

    executor: ConcurrentExecutor
    root: Path
    stage: Path
    logs: Path
    _succeeded: set[str] = field(default_factory=set)

    @contextmanager
    def set_up(
        self,
        invocation: Invocation,
        binaries: Mapping[str, Path],
        *,
        log_name: str,
        extra_env: Mapping[str, str],
        cargo_build: CargoBuild | None = None,
    ) -> Iterator[Callable[..., WorkloadRun]]:
        """Set up a workload and return a function that runs it once to its end; its output is in `output(log_name)`.

        The function takes `watched`, as `run_workload` does.

        Raises:
            WorkloadError: It cannot be started, ended unexpectedly, or left processes behind.
            WorkloadTimeoutError: It took longer than its timeout.
            StorageError: Its output, binaries or scratch directory cannot be written.
        """
        with writing(self.logs):
            self.logs.mkdir(parents=True, exist_ok=True)
        place = Place(
            root=self.root,
            binaries=place_together(binaries, self.stage, root=self.root, put=link_or_copy),
            stdout=self.output(log_name),
            stderr=self.logs / f"{log_name}.stderr",
            extra_env=extra_env,
            cargo_build=cargo_build,
        )
        try:
            with set_up(self.executor, invocation, place):
                yield partial(self._run_once, invocation, place)
        except OptbuildError:
            self.keep_output(log_name)
            raise

    def _run_once(
        self,
        invocation: Invocation,
        place: Place,
        *,
        watched: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> WorkloadRun:
        """Run a workload; if it fails after it has succeeded, what the earlier run left behind may be the cause."""
        try:
            run = run_workload(self.executor, invocation, place, watched=watched)
        except WorkloadError as error:
            if invocation.name in self._succeeded:
                error.help = (
                    "it succeeded before in this run: if what that left behind is in its way, remove it in `prepare`, "
                    "or let the command write below {scratch}; otherwise run its command by hand to see why"
                )
            raise
        self._succeeded.add(invocation.name)
        return run

    def run(
        self,
        invocation: Invocation,
        binaries: Mapping[str, Path],
        *,
        log_name: str,
        extra_env: Mapping[str, str],
        watched: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> tuple[WorkloadRun, Path]:
        """Set up a workload and run it once; also return the file with its standard output. Raises as `set_up`."""
        with self.set_up(invocation, binaries, log_name=log_name, extra_env=extra_env) as run_once:
            return run_once(watched=watched), self.output(log_name)

    def keep_output(self, log_name: str) -> bool:
        """Keep the output of a failed run for inspection, unless it is large; return whether it is kept."""
        output = self.output(log_name)
        if not output.is_file() or output.stat().st_size <= KEPT_BYTES:
            return output.is_file()
        with writing(output):
            output.unlink()
        return False

    def output(self, log_name: str) -> Path:
        """The file that holds the standard output of the last run of this name."""
        return self.logs / f"{log_name}.stdout"


def check_before_building(invocation: Invocation, hashes: InputHashes) -> None:
    """Check before the first long build that a workload can run.

    Raises:
        WorkloadError: Its program is missing, or its directory.
        UsageError: One of its inputs is missing, or is not a file with a known end.
    """
    if not invocation.cwd.is_dir():
        raise WorkloadError(
            f"workload {invocation.name!r}: the directory {invocation.cwd} does not exist",
            help="correct `cwd`, or make the directory",
            location=str(invocation.cwd),
        )
    for key, words in invocation.commands.items():
        _check_program(invocation, key, words)
    if invocation.stdin is not None and invocation.stdin.is_dir():
        raise UsageError(
            f"workload {invocation.name!r}: its standard input {invocation.stdin} is a directory",
            help="name a file in `stdin`",
            location=str(invocation.stdin),
        )
    hashes.resolve(invocation)


def _check_program(invocation: Invocation, key: str, words: tuple[Word, ...]) -> None:
    if len(words[0]) != 1 or not isinstance(words[0][0], str):
        return  # it is built first
    name = words[0][0]
    path = str(invocation.cwd / name) if "/" in name else name
    if Path(path).is_relative_to(invocation.scratch):
        return  # another of its commands makes it
    if shutil.which(path, path=invocation.env.get("PATH", "")) is None:
        starts_built = any(not isinstance(piece, str) for word in words[1:] for piece in word)
        where = f"`{key}`" + ", or the target's `runner` in Cargo's configuration" * starts_built
        raise WorkloadError(
            f"workload {invocation.name!r}: {sanitize_line(name)} is missing or not executable",
            help=f"install it, or correct {where}; a program is looked for in PATH, or relative to cwd",
            location=str(invocation.cwd),
        )
