"""The findings of `doctor` about this machine: one line each, with a command if something needs fixing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from optbuild.errors import ToolchainError, UsageError
from optbuild.events import Level
from optbuild.toolchain.bolt import VARIABLE as LLVM_BOLT
from optbuild.toolchain.model import Finding, FoundBuilder, Tool, Toolchain
from optbuild.toolchain.packages import USE_STABLE
from optbuild.toolchain.requirements import (
    describe_missing_bolt,
    describe_missing_profdata,
    find_library_problem,
    profiler_remedy,
    require_platform,
)
from optbuild.toolchain.search import VARIABLE
from optbuild.tools.rustc import parse_release
from optbuild.units import format_bytes

LOW_DISK_BYTES = 2 * 1024**3
"""Below this much free space `doctor` warns; a small project's variants fit into it."""


def examine(
    found: Toolchain | ToolchainError | UsageError,
    *,
    environ: Mapping[str, str],
    directory: Path,
    platform: str,
    git: Tool | None,
    free_disk_bytes: int,
) -> tuple[Finding, ...]:
    """Check what is installed and whether it fits together.

    Args:
        found: The discovered toolchain.
        environ: The caller's environment.
        directory: Where the builds would be.
        platform: As `sys.platform` has it.
        git: The git that was found.
        free_disk_bytes: Free space in `directory`.
    """
    if isinstance(found, (ToolchainError, UsageError)):
        of_toolchain: tuple[Finding, ...] = (_refused(found),)
    else:
        of_toolchain = (
            _rustc(found),
            _cargo(found),
            *_builder(found.builder),
            _target(found),
            *_llvm_profdata(found, environ),
            _profiler_runtime(found),
            *_bolt(found, environ),
        )
    return (_platform(platform), *of_toolchain, _git(git), _disk(directory, free_disk_bytes))


def examine_further_target(found: Toolchain | ToolchainError | UsageError) -> tuple[Finding, ...]:
    """Check what a target needs in addition to the first one, whose tools are the same.

    Args:
        found: The toolchain that was discovered for it.
    """
    if isinstance(found, (ToolchainError, UsageError)):
        return (_refused(found),)
    return (_target(found), _profiler_runtime(found))


def _refused(error: ToolchainError | UsageError) -> Finding:
    text = error.message if error.detail is None else f"{error.message}\n{error.detail}"
    return Finding(level=Level.ERROR, subject="toolchain", message=text, remedy=error.help)


def free_disk_bytes(directory: Path) -> int:
    """The free space of the disk that has, or would have, a directory."""
    existing = next(folder for folder in (directory.absolute(), *directory.absolute().parents) if folder.exists())
    return shutil.disk_usage(existing).free


def _platform(platform: str) -> Finding:
    try:
        require_platform(platform)
    except ToolchainError as error:
        return Finding(level=Level.ERROR, subject="platform", message=error.message, remedy=error.help)
    if platform == "darwin":
        return Finding(
            level=Level.WARNING,
            subject="platform",
            message="macOS: builds, trains and reports as far as the system allows; Linux is fully supported",
        )
    return Finding(level=Level.INFO, subject="platform", message=platform)


def _rustc(toolchain: Toolchain) -> Finding:
    rustc = toolchain.rustc
    if rustc.llvm_major is None:
        return Finding(
            level=Level.ERROR,
            subject="rustc",
            message=f"{rustc.version} without LLVM ({rustc.path}): it cannot do PGO",
            remedy=USE_STABLE,
        )
    return Finding(
        level=Level.INFO, subject="rustc", message=f"{rustc.version}, LLVM {rustc.llvm_major} ({rustc.path})"
    )


def _cargo(toolchain: Toolchain) -> Finding:
    cargo, rustc = toolchain.cargo, toolchain.rustc
    message = f"{cargo.version} ({cargo.path})"
    if parse_release(cargo.version) != parse_release(rustc.version):
        return Finding(
            level=Level.WARNING,
            subject="cargo",
            message=f"{message} does not belong to rustc {rustc.version} ({rustc.path})",
            remedy="unset CARGO RUSTC, or put the directory of both first on PATH",
        )
    return Finding(level=Level.INFO, subject="cargo", message=message)


def _builder(builder: FoundBuilder) -> tuple[Finding, ...]:
    if builder.row.program is None and builder.problem is None:
        auditor = builder.auditor
        found = () if auditor is None else (f"{auditor.name} ({auditor.path})",)
        return tuple(Finding(level=Level.INFO, subject="builder", message=message) for message in found)
    if builder.problem is not None or builder.tool is None:
        remedy = builder.remedy or builder.row.remedy
        return (Finding(level=Level.ERROR, subject="builder", message=builder.problem or "", remedy=remedy),)
    message = f"{builder.tool.name} {builder.tool.version} ({builder.tool.path})"
    return (Finding(level=Level.INFO, subject="builder", message=message),)


def _target(toolchain: Toolchain) -> Finding:
    origin = "" if toolchain.target_origin is None else f" (from {toolchain.target_origin})"
    problem = find_library_problem(toolchain)
    if problem is not None:
        message, remedy = problem
        message = f"{message.removeprefix('the target ')}{origin}"  # the line begins with that word
        return Finding(level=Level.ERROR, subject="target", message=message, remedy=remedy)
    return Finding(level=Level.INFO, subject="target", message=f"{toolchain.target}{origin}")


def _llvm_profdata(toolchain: Toolchain, environ: Mapping[str, str]) -> tuple[Finding, ...]:
    if toolchain.rustc.llvm_major is None:
        return ()  # reported in rustc's line
    tool = toolchain.llvm_profdata
    if tool is None:
        return (
            Finding(
                level=Level.ERROR,
                subject="llvm-profdata",
                message=describe_missing_profdata(toolchain),
                remedy=toolchain.pgo_tools_remedy,
            ),
        )
    finding = Finding(level=Level.INFO, subject="llvm-profdata", message=f"{tool.version} ({tool.path})")
    if environ.get(VARIABLE) and len(toolchain.searched) > 1:
        named = toolchain.searched[0]
        passed_over = Finding(
            level=Level.WARNING,
            subject="llvm-profdata",
            message=f"{VARIABLE} names {named.path}, which was rejected: {named.outcome}",
            remedy=f"unset {VARIABLE}",
        )
        return finding, passed_over
    return (finding,)


def _profiler_runtime(toolchain: Toolchain) -> Finding:
    runtime = toolchain.profiler_runtime
    if runtime is None:
        return Finding(
            level=Level.ERROR,
            subject="profiler runtime",
            message=f"libprofiler_builtins is missing for {toolchain.target}",
            remedy=profiler_remedy(toolchain),
        )
    return Finding(level=Level.INFO, subject="profiler runtime", message=str(runtime))


def _bolt(toolchain: Toolchain, environ: Mapping[str, str]) -> Iterator[Finding]:
    """It is optional, and there is none for other systems."""
    if toolchain.rustc.llvm_major is None or "linux" not in toolchain.target:
        return
    found = toolchain.bolt
    if found is None:
        message = f"{describe_missing_bolt(toolchain)}; only variants with `bolt` need it"
        yield Finding(level=Level.INFO, subject="llvm-bolt", message=message, remedy=toolchain.bolt_remedy)
        return
    yield Finding(level=Level.INFO, subject="llvm-bolt", message=f"{found.bolt.version} ({found.bolt.path})")
    if environ.get(LLVM_BOLT) and len(toolchain.searched_for_bolt) > 1:
        named = toolchain.searched_for_bolt[0]
        message = f"{LLVM_BOLT} names {named.path}, which was rejected: {named.outcome}"
        yield Finding(level=Level.WARNING, subject="llvm-bolt", message=message, remedy=f"unset {LLVM_BOLT}")


def _git(git: Tool | None) -> Finding:
    if git is None:
        return Finding(
            level=Level.WARNING,
            subject="git",
            message="not found; only `optbuild compare` and the commit in the record need it",
            remedy="install git with the system's package manager",
        )
    return Finding(level=Level.INFO, subject="git", message=f"{git.version} ({git.path})")


def _disk(directory: Path, free_bytes: int) -> Finding:
    message = f"{format_bytes(free_bytes)} free for {directory}"
    if free_bytes < LOW_DISK_BYTES:
        return Finding(level=Level.WARNING, subject="disk", message=message, remedy="cargo clean, or: optbuild clean")
    return Finding(level=Level.INFO, subject="disk", message=message)
