"""The request of a command, and its collaborators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path

from optbuild.events import Emit
from optbuild.execution.command import ConcurrentExecutor
from optbuild.profile.command_options import CommandOptions


class Selection(Enum):
    """The variants that a command is about."""

    PGO = "pgo"
    NAMED = "named"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What a run should do.

    Attributes:
        directory: The Cargo project, or a directory in it.
        build_profile: `-f`: a file or `preset:NAME`; None looks for `optbuild.toml`.
        variants: For `Selection.NAMED`: names; empty means all.
        workload: The command after `--`: one workload, for training and benchmark, instead of the profile's.
        train: `--train` commands, instead of the profile's training workloads.
        bench: `--bench` commands, instead of its benchmark workloads.
        command_options: `--stdin` and `--env` of all these commands.
        measure: Compare outputs and benchmark; otherwise only build.
        cross_validate: Build PGO variants with profiles that leave workloads out in turn, and measure them on those.
        fresh: Reuse no earlier result.
        ignore_profile_data: Train, whatever counts are committed.
        notes_outlines: Let LLVM write what the blocks do that training counts.
        target: Which of the build profile's `targets` it is about; None for the first one, or the only one.
        require_profile_data: Take the committed counts or fail; train nothing.
        rustflags: Added to those of every variant.
        last_rustflags: Added only where a variant is compiled for good, not where it is instrumented for training.
        baseline: The variant that others are compared with, instead of the build profile's.
        allow_debug: Measure even what is built without optimisation.
        bench_only: The one benchmark workload that is run, instead of all.
        made_for: The command that the run is a step of; None where the run itself was asked for.
    """

    directory: Path
    selection: Selection = Selection.NAMED
    build_profile: str | None = None
    variants: tuple[str, ...] = ()
    workload: tuple[str, ...] = ()
    train: tuple[tuple[str, ...], ...] = ()
    bench: tuple[tuple[str, ...], ...] = ()
    command_options: CommandOptions = field(default_factory=CommandOptions)
    measure: bool = True
    cross_validate: bool = False
    out: Path | None = None
    jobs: int | None = None
    max_time_s: float | None = None
    keep_going: bool = False
    fresh: bool = False
    ignore_profile_data: bool = False
    notes_outlines: bool = False
    require_profile_data: bool = False
    target: str | None = None
    rustflags: tuple[str, ...] = ()
    last_rustflags: tuple[str, ...] = ()
    baseline: str | None = None
    bench_only: str | None = None
    allow_debug: bool = False
    wait: bool = True
    command_line: tuple[str, ...] = ()
    made_for: str | None = None

    @property
    def has_command(self) -> bool:
        """Whether the command line names a workload."""
        return bool(self.workload or self.train or self.bench)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Everything through which a run interacts with its environment.

    Attributes:
        environ: The caller's environment.
        working_directory: The caller's: commands on the command line run here.
        now: Returns the current time.
        platform: The value of `sys.platform`.
        has_input: Whether optbuild's own standard input has data.
    """

    executor: ConcurrentExecutor
    emit: Emit
    environ: Mapping[str, str]
    working_directory: Path
    now: Callable[[], datetime]
    platform: str
    has_input: Callable[[], bool] = lambda: False
