"""What a command asks for, and the collaborators it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from optbuild.events import Emit
from optbuild.execution.command import ConcurrentExecutor


class Selection(Enum):
    """Which variants a command is about."""

    PGO = "pgo"
    NAMED = "named"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What a run is to do.

    Attributes:
        directory: The Cargo project, or a directory in it.
        build_profile: `-f`: a file or `preset:NAME`; None looks for `optbuild.toml`.
        variants: For `Selection.NAMED`: names; empty means all.
        workload: The command after `--`: one workload, for training and benchmark, instead of the profile's.
        train: `--train` commands, instead of the profile's training workloads.
        bench: `--bench` commands, instead of its benchmark workloads.
        measure: Compare outputs and benchmark; otherwise only build.
        cross_validate: Build PGO variants with profiles that leave workloads out in turn, and measure them on those.
        fresh: Reuse no earlier result.
    """

    directory: Path
    selection: Selection = Selection.NAMED
    build_profile: str | None = None
    variants: tuple[str, ...] = ()
    workload: tuple[str, ...] = ()
    train: tuple[tuple[str, ...], ...] = ()
    bench: tuple[tuple[str, ...], ...] = ()
    measure: bool = True
    cross_validate: bool = False
    out: Path | None = None
    jobs: int | None = None
    max_time_s: float | None = None
    keep_going: bool = False
    fresh: bool = False
    wait: bool = True
    command_line: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Everything a run touches the world through.

    Attributes:
        environ: The caller's environment.
        working_directory: The caller's: commands on the command line run here.
        now: The time of day.
        platform: As `sys.platform` has it.
    """

    executor: ConcurrentExecutor
    emit: Emit
    environ: Mapping[str, str]
    working_directory: Path
    now: Callable[[], datetime]
    platform: str
