"""Examine a machine for measuring: run a program briefly against its own copy, and check the machine's state."""

from __future__ import annotations

import math
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import ToolchainError
from optbuild.events import Level
from optbuild.execution.command import Stream
from optbuild.files import claim_directory
from optbuild.measure.arms import Arms
from optbuild.measure.contest import Venue, contest
from optbuild.measure.machine_checks import check_machine
from optbuild.measure.model import Arm
from optbuild.measure.settings import SamplingSettings
from optbuild.profile.load import command_line_workload
from optbuild.profile.model import BuildProfile, MeasureSettings
from optbuild.profile.workloads import Use
from optbuild.project.layout import Layout
from optbuild.session.request import Machine
from optbuild.toolchain.model import Finding
from optbuild.units import format_duration, format_percent
from optbuild.workloads.make_invocation import make_invocation
from optbuild.workloads.programs import run_program
from optbuild.workloads.words import BuiltNames, Values

# Small programs that every system has, that only compute, and that also run from a copy.
_PROGRAMS = ("sha256sum", "shasum", "md5sum", "cksum")
_INPUT_BYTES = 16 << 20
_BUDGET_S = 20.0
_FORESEEN_S = 60.0
_GOOD_PRECISION = 0.01
_BIN = "program"


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """The result of a short session against a copy.

    Attributes:
        foreseen: The predicted half-width of the 95% interval after a minute of measuring, as a ratio.
    """

    program: str
    run_s: float
    rounds: int
    foreseen: float


def examine_measuring(machine: Machine, *, clock: Callable[[], float] = time.monotonic) -> tuple[Finding, ...]:
    """Determine how precisely this machine can measure, and what would help.

    Raises:
        ToolchainError: No suitable program is installed.
    """
    checks = tuple(
        Finding(level=check.level, subject=check.name, message=check.message, remedy=check.remedy)
        for check in check_machine()
    )
    precision = _try(machine, clock)
    good = precision.foreseen <= _GOOD_PRECISION
    known = math.isfinite(precision.foreseen)
    width = f"±{format_percent(precision.foreseen, 2).lstrip('+')}" if known else "too few rounds for an estimate"
    return (
        *checks,
        Finding(
            level=Level.INFO if good else Level.WARNING,
            subject="precision",
            message=f"{width} in one minute, estimated from {precision.rounds} rounds of {precision.program} "
            f"({format_duration(precision.run_s)} a run) against its own copy",
            remedy="" if good else "measure longer (--max-time), on a quieter machine, or with --metric instructions",
        ),
    )


def _try(machine: Machine, clock: Callable[[], float]) -> Precision:
    name = next((name for name in _PROGRAMS if shutil.which(name, path=machine.environ.get("PATH"))), None)
    if name is None:
        raise ToolchainError(
            "no program for a trial measurement is installed", help=f"install one of: {', '.join(_PROGRAMS)}"
        )
    program = Path(shutil.which(name, path=machine.environ.get("PATH")) or name)
    with tempfile.TemporaryDirectory(prefix="optbuild-") as directory:
        root = Path(directory)
        claim_directory(root)
        layout = Layout.apart(root)
        data = root / "zeros"
        data.write_bytes(bytes(_INPUT_BYTES))
        workload = command_line_workload((f"{{bin:{_BIN}}}", str(data)), (Use.BENCH,), root, name)
        invocation = make_invocation(
            workload,
            BuildProfile(path=None, directory=root, variants={}, measure=MeasureSettings()),
            BuiltNames(bins=(_BIN,), default_bin=_BIN),
            scratch=layout.scratch,
            environ=machine.environ,
        )
        binaries = {_BIN: program}
        command = invocation.make_command(
            Values(binaries=binaries), extra_env={}, stdout=Stream.NULL, stderr=Stream.NULL
        )
        run_s = min(run_program(machine.executor, command, invocation).usage.wall_s for _ in range(2))
        settings = SamplingSettings(
            precision=_GOOD_PRECISION,
            min_effect=_GOOD_PRECISION,
            max_time_s=_BUDGET_S,
            confidence=0.95,
            seed=secrets.randbits(32),
            counting_share=0.0,
        )
        venue = Venue(
            executor=machine.executor,
            emit=machine.emit,
            environ=machine.environ,
            layout=layout,
            label=f"measure {name} against its copy",
            clock=clock,
        )
        arms = Arms(variants={Arm(variant=name): binaries})
        shown = contest(arms, (invocation,), settings, venue, run_s={name: run_s})
    aa = shown.analysis.aa
    half_width = math.inf if aa.ci_low is None or aa.ci_high is None else (aa.ci_high - aa.ci_low) / 2
    foreseen = half_width * math.sqrt(shown.duration_s / _FORESEEN_S)
    return Precision(program=name, run_s=run_s, rounds=shown.analysis.rounds, foreseen=foreseen)
