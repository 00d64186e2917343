"""What `doctor --fix` does about a missing target or llvm-profdata: steps as data, run until one of them helps.

Not for asking whether to do it: `optbuild.cli` does, before anything here runs.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from optbuild.events import Emit, Level, Notice
from optbuild.execution.command import Command, Executor, ProgramNotFoundError
from optbuild.text import last_lines
from optbuild.toolchain.model import Toolchain
from optbuild.toolchain.packages import (
    Has,
    bolt_package_argvs,
    find_rustup_toolchain,
    package_argvs,
    rustup_component_argv,
)
from optbuild.tools import inferno
from optbuild.tools.rustc import is_specification

_INSTALL_S = 1800.0  # a download on a slow line


class Need(Enum):
    """What a step provides."""

    TARGET = "the target's standard library"
    LIBRARY_SOURCES = "the sources of the standard library"
    LLVM_PROFDATA = "a matching llvm-profdata"
    BOLT = "LLVM's BOLT"
    BUILDER = "what calls cargo"
    INFERNO = "what draws flame graphs"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallStep:
    """A command that may install what is missing."""

    argv: tuple[str, ...]
    need: Need
    why: str


def make_install_steps(
    toolchain: Toolchain,
    environ: Mapping[str, str],
    *,
    is_root: bool,
    has: Has,
    draws: bool = False,
    lays_out: bool = False,
) -> tuple[InstallStep, ...]:
    """The commands that install what a toolchain lacks, the best one first; empty if nothing is known to help.

    Later steps for the same need are fallbacks.

    Args:
        toolchain: As discovered.
        environ: The caller's environment.
        is_root: Whether system packages can be installed without sudo.
        has: Whether a program is on `PATH`.
        draws: Also install what draws flame graphs, which is compiled for minutes.
        lays_out: Also install BOLT, which is large.
    """
    steps: list[InstallStep] = []
    rustup_toolchain = find_rustup_toolchain(toolchain.sysroot, environ) if has("rustup") else None
    if Need.TARGET in missing_needs(toolchain) and rustup_toolchain is not None:
        steps.append(
            InstallStep(
                argv=("rustup", "target", "add", toolchain.target, "--toolchain", rustup_toolchain),
                need=Need.TARGET,
                why=f"{toolchain.target} is not installed for {rustup_toolchain}",
            )
        )
    if Need.LIBRARY_SOURCES in missing_needs(toolchain) and rustup_toolchain is not None:
        steps.append(
            InstallStep(
                argv=("rustup", "component", "add", "rust-src", "--toolchain", rustup_toolchain),
                need=Need.LIBRARY_SOURCES,
                why="build-std compiles the standard library, and its sources are not installed",
            )
        )
    major = toolchain.rustc.llvm_major
    if Need.LLVM_PROFDATA in missing_needs(toolchain) and major is not None:
        why = f"there is no llvm-profdata of LLVM {major}"
        if rustup_toolchain is not None:
            argv = rustup_component_argv(rustup_toolchain, toolchain.rustc.version)
            steps.append(InstallStep(argv=argv, need=Need.LLVM_PROFDATA, why=why))
        steps += (
            InstallStep(argv=argv, need=Need.LLVM_PROFDATA, why=why)
            for argv in package_argvs(major, is_root=is_root, has=has)
        )
    if lays_out and Need.BOLT in missing_needs(toolchain) and major is not None:
        why = f"there is no llvm-bolt of LLVM {major}"
        steps += (
            InstallStep(argv=argv, need=Need.BOLT, why=why)
            for argv in bolt_package_argvs(major, is_root=is_root, has=has)
        )
    if Need.BUILDER in missing_needs(toolchain):
        row = toolchain.builder.row
        why = f"the builder {row.name} is not complete"
        argv = (sys.executable, "-m", "pip", "install", *row.packages)
        steps.append(InstallStep(argv=argv, need=Need.BUILDER, why=why))
    if draws and Need.INFERNO in missing_needs(toolchain):
        steps.append(InstallStep(argv=inferno.INSTALL_ARGV, need=Need.INFERNO, why="inferno is not installed"))
    return tuple(steps)


def missing_needs(toolchain: Toolchain) -> frozenset[Need]:
    """The missing parts of a toolchain that can be installed."""
    missing = set()
    builds_library = toolchain.build_std is not None
    if builds_library and toolchain.library_sources is None:
        missing.add(Need.LIBRARY_SOURCES)
    if not (builds_library or toolchain.target_installed or is_specification(toolchain.target)):
        missing.add(Need.TARGET)
    if toolchain.llvm_profdata is None:
        missing.add(Need.LLVM_PROFDATA)
    if toolchain.bolt is None and "linux" in toolchain.target:
        missing.add(Need.BOLT)
    if toolchain.builder.problem is not None and toolchain.builder.row.packages:
        missing.add(Need.BUILDER)
    if toolchain.inferno is None:
        missing.add(Need.INFERNO)
    return frozenset(missing)


def run_install(
    steps: tuple[InstallStep, ...],
    *,
    toolchain: Toolchain,
    environ: Mapping[str, str],
    executor: Executor,
    emit: Emit,
    rediscover: Callable[[], Toolchain],
) -> Toolchain:
    """Run the steps in order, and check again after each: a step runs only while its need remains.

    A step that fails is reported and skipped. The returned toolchain shows whether anything is still missing.

    Args:
        steps: From `make_install_steps`.
        toolchain: As it is before.
        environ: The caller's environment.
        executor: Runs the steps.
        emit: Gets what is about to be done, and what failed.
        rediscover: Discovers the toolchain again.

    Raises:
        ToolchainError: The toolchain can no longer be discovered.
        InterruptedRunError: A signal arrived.
    """
    for step in steps:
        if step.need not in missing_needs(toolchain):
            continue
        shown = shlex.join(step.argv)
        emit(Notice(level=Level.INFO, code="install", message=f"{step.why}; running: {shown}"))
        # Not in the project: nothing there may influence what is installed.
        command = Command(argv=step.argv, cwd=toolchain.sysroot, env=environ, timeout_s=_INSTALL_S)
        failure = _run(command, executor)
        if failure is not None:
            emit(Notice(level=Level.WARNING, code="install-failed", message=f"{shown}: {failure}"))
        toolchain = rediscover()
    return toolchain


def _run(command: Command, executor: Executor) -> str | None:
    """Run one step; return what went wrong, or None."""
    try:
        completed = executor.run(command)
    except ProgramNotFoundError as error:
        return error.reason
    if completed.timed_out:
        return "took too long and was stopped"
    if completed.exit_code != 0:
        text = last_lines(completed.stderr or completed.stdout)
        return f"ended with exit code {completed.exit_code}\n{text}".rstrip()
    return None
