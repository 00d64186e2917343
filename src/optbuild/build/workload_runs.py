"""Run a workload once for its effects: training, or its output."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import WorkloadError
from optbuild.execution.command import Completed, Executor
from optbuild.files import writing
from optbuild.text import sanitize_line
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.running import check_ending, renew_scratch, run_program


@dataclass(slots=True, kw_only=True)
class WorkloadRunner:
    """Runs invocations from one and the same path, so that a program that prints its own name always prints the same.

    Attributes:
        root: The directory with our marker.
        stage: Where the binaries stand while they run.
        logs: Where output is kept.
    """

    executor: Executor
    root: Path
    stage: Path
    logs: Path

    def run(
        self, invocation: Invocation, binaries: Mapping[str, Path], *, log_name: str, extra_env: Mapping[str, str]
    ) -> tuple[Completed, Path]:
        """Run a workload to its end; also the file that holds its standard output.

        Raises:
            WorkloadError: It cannot be started, ended in another way than expected, or left processes behind.
            WorkloadTimeoutError: It took longer than its timeout.
            StorageError: Its output, binaries or scratch directory cannot be written.
        """
        with writing(self.logs):
            self.logs.mkdir(parents=True, exist_ok=True)
        stdout, stderr = self.logs / f"{log_name}.stdout", self.logs / f"{log_name}.stderr"
        renew_scratch(self.root, invocation)
        command = invocation.make_command(
            self._put_on_stage(binaries), extra_env=extra_env, stdout=stdout, stderr=stderr
        )
        completed = run_program(self.executor, command, invocation)
        check_ending(completed, invocation, stdout=stdout, stderr=stderr)
        return completed, stdout

    def _put_on_stage(self, binaries: Mapping[str, Path]) -> dict[str, Path]:
        staged = {}
        with writing(self.stage):
            self.stage.mkdir(parents=True, exist_ok=True)
            for name, path in binaries.items():
                staged[name] = self.stage / name
                staged[name].unlink(missing_ok=True)
                staged[name].hardlink_to(path)
        return staged


def check_before_building(invocation: Invocation, hashes: InputHashes) -> None:
    """Find out before the first long build what would stop a workload.

    Raises:
        WorkloadError: Its program is missing, or its directory.
        UsageError: One of its inputs is missing, or is no file whose end can be known.
    """
    if not invocation.cwd.is_dir():
        raise WorkloadError(
            f"workload {invocation.name!r}: there is no directory {invocation.cwd}",
            help="correct `cwd`, or make the directory",
            location=str(invocation.cwd),
        )
    program = invocation.argv[0]
    if len(program) == 1 and isinstance(program[0], str):
        name = program[0]
        path = str(invocation.cwd / name) if "/" in name else name
        if shutil.which(path, path=invocation.env.get("PATH", "")) is None:
            raise WorkloadError(
                f"workload {invocation.name!r}: {sanitize_line(name)} is missing or not executable",
                help="install it, or correct `command`; a program is looked for in PATH, or relative to cwd",
                location=str(invocation.cwd),
            )
    hashes.resolve(invocation)
