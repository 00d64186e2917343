"""What a build needs, checked before the first long step: each error names what was found and what fixes it."""

from __future__ import annotations

import re
from pathlib import Path

from optbuild.errors import ToolchainError
from optbuild.toolchain.model import Candidate, Toolchain
from optbuild.toolchain.packages import USE_STABLE
from optbuild.tools.rustc import is_new_enough
from optbuild.units import format_bytes


def require_platform(platform: str) -> None:
    """Refuse a platform that optbuild does not run on.

    Args:
        platform: As `sys.platform` has it.

    Raises:
        ToolchainError: It is Windows.
    """
    if platform in {"win32", "cygwin"}:
        raise ToolchainError(
            "optbuild does not run on Windows",
            help="run it in the Windows Subsystem for Linux: wsl --install",
            location=platform,
        )


def require_target(toolchain: Toolchain) -> None:
    """Check that the target's standard library is installed.

    Raises:
        ToolchainError: It is not.
    """
    if not toolchain.target_installed:
        raise ToolchainError(
            f"the target {toolchain.target} is not installed for rustc {toolchain.rustc.version}",
            help=target_remedy(toolchain),
            location=toolchain.target_origin or toolchain.target,
        )


def require_builder(toolchain: Toolchain) -> None:
    """Check that what calls cargo is installed.

    Raises:
        ToolchainError: It is not, or lacks something.
    """
    builder = toolchain.builder
    if builder.problem is not None:
        fix = "optbuild doctor --fix; or by hand: " if builder.row.packages else ""
        raise ToolchainError(
            f"the builder {builder.name} cannot be used: {builder.problem}",
            help=builder.remedy or (f"{fix}{builder.row.remedy}"),
            location=builder.row.program or builder.name,
        )


def require_rust_version(toolchain: Toolchain, *, package: str, rust_version: str | None, location: str) -> None:
    """Check that rustc is as new as a package requires; cargo would refuse to build it otherwise.

    Args:
        toolchain: The toolchain that would build it.
        package: The package's name.
        rust_version: The package's `rust-version`, if set.
        location: Its manifest.

    Raises:
        ToolchainError: rustc is older.
    """
    if rust_version is not None and not is_new_enough(toolchain.rustc.version, rust_version):
        raise ToolchainError(
            f"{package} has rust-version = {rust_version}, and this is rustc {toolchain.rustc.version}",
            help=f"use a newer toolchain: {USE_STABLE}; or lower `rust-version` in Cargo.toml",
            location=location,
        )


def require_pgo_tools(toolchain: Toolchain) -> None:
    """Check that PGO is possible: a target, the profiler runtime, and a matching llvm-profdata.

    Raises:
        ToolchainError: One of them is missing or from a different LLVM.
    """
    require_target(toolchain)
    rustc = f"rustc {toolchain.rustc.version}"
    if toolchain.rustc.llvm_major is None:
        raise ToolchainError(
            f"{rustc} does not use LLVM, so it cannot do PGO",
            help=USE_STABLE,
            location=str(toolchain.rustc.path),
        )
    if toolchain.profiler_runtime is None:
        raise ToolchainError(
            f"the profiler runtime (libprofiler_builtins) for {toolchain.target} is missing from {rustc}",
            help=USE_STABLE,
            location=str(toolchain.sysroot / "lib" / "rustlib" / toolchain.target / "lib"),
        )
    if toolchain.llvm_profdata is None:
        raise ToolchainError(
            describe_missing_profdata(toolchain),
            help=f"optbuild doctor --fix; or by hand: {toolchain.pgo_tools_remedy}",
            location="llvm-profdata",
            detail="searched:\n" + "\n".join(f"  {place.path}: {place.outcome}" for place in toolchain.searched),
        )


def require_bolt(toolchain: Toolchain) -> None:
    """Check that there is a matching BOLT.

    Raises:
        ToolchainError: It is missing or of a different LLVM.
    """
    if toolchain.bolt is None:
        raise ToolchainError(
            describe_missing_bolt(toolchain),
            help=f"optbuild doctor --fix; or by hand: {toolchain.bolt_remedy}",
            location="llvm-bolt",
            detail="searched:\n" + "\n".join(f"  {each.path}: {each.outcome}" for each in toolchain.searched_for_bolt),
        )


def require_disk(directory: Path, *, free_bytes: int, needed_bytes: int) -> None:
    """Check that there is enough space for a run's files.

    Raises:
        ToolchainError: There is not.
    """
    if free_bytes < needed_bytes:
        raise ToolchainError(
            f"the run needs about {format_bytes(needed_bytes)} of disk space, and {format_bytes(free_bytes)} are free",
            help="free some space, for instance: cargo clean, or: optbuild clean",
            location=str(directory),
        )


def describe_missing_profdata(toolchain: Toolchain) -> str:
    """Say in one sentence that no llvm-profdata matches, naming those of other LLVMs that were found."""
    return _describe_missing("llvm-profdata", toolchain, toolchain.searched)


def describe_missing_bolt(toolchain: Toolchain) -> str:
    """The same of llvm-bolt, which may also lack a part."""
    return _describe_missing("llvm-bolt", toolchain, toolchain.searched_for_bolt)


def _describe_missing(name: str, toolchain: Toolchain, searched: tuple[Candidate, ...]) -> str:
    wanted = f"rustc {toolchain.rustc.version} needs an {name} of LLVM {toolchain.rustc.llvm_major}"
    others = [place for place in searched if re.match(r"LLVM \d+", place.outcome)]
    if not others:
        return f"{wanted}, and none was found"
    found = ", ".join(f"{place.path} of {place.outcome}" for place in others)
    return f"{wanted}, and only {found} was found"


def target_remedy(toolchain: Toolchain) -> str:
    """The command that installs the target's standard library."""
    return f"rustup target add {toolchain.target}"
