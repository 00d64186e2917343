"""What a build needs, checked before the first long step: each error names what was found and what fixes it."""

from __future__ import annotations

import re
from pathlib import Path

from optbuild.errors import ToolchainError
from optbuild.toolchain.model import SearchedPlace, Toolchain
from optbuild.toolchain.packages import USE_STABLE
from optbuild.tools.rustc import is_new_enough, is_specification
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
    """Check that the target's standard library is installed, or that cargo can build it.

    Raises:
        ToolchainError: It is not.
    """
    problem = find_library_problem(toolchain)
    if problem is not None:
        message, remedy = problem
        location = toolchain.build_std or toolchain.target_origin or toolchain.target
        raise ToolchainError(f"{message} for rustc {toolchain.rustc.version}", help=remedy, location=location)


def find_library_problem(toolchain: Toolchain) -> tuple[str, str] | None:
    """Why there is no standard library for the target, and what mends that; None if there is one."""
    target = toolchain.target
    if toolchain.build_std is not None:
        if toolchain.library_sources is not None:
            return None
        remedy = f"rustup component add rust-src --toolchain {toolchain.rustup_toolchain or 'nightly'}"
        return "the sources of the standard library, which build-std compiles, are not installed", remedy
    if toolchain.target_installed:
        return None
    if is_specification(target):
        keys = 'build-std = ["std", "panic_abort"] and json-target-spec = true'
        return f"the target {target} has no standard library", f"write {keys} under [unstable] in .cargo/config.toml"
    return f"the target {target} is not installed", target_remedy(toolchain)


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
            help=profiler_remedy(toolchain),
            location=str(toolchain.sysroot / "lib" / "rustlib"),
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


def _describe_missing(name: str, toolchain: Toolchain, searched: tuple[SearchedPlace, ...]) -> str:
    wanted = f"rustc {toolchain.rustc.version} needs an {name} of LLVM {toolchain.rustc.llvm_major}"
    others = [place for place in searched if re.match(r"LLVM \d+", place.outcome)]
    if not others:
        return f"{wanted}, and none was found"
    found = ", ".join(f"{place.path} of {place.outcome}" for place in others)
    return f"{wanted}, and only {found} was found"


def profiler_remedy(toolchain: Toolchain) -> str:
    """What gives the target rustc's profiler runtime: it comes with the target, and build-std cannot make it."""
    if is_specification(toolchain.target):
        return "build only variants without PGO (`optbuild run VARIANT`), or for a target of rustup's"
    return USE_STABLE if toolchain.target_installed else target_remedy(toolchain)


def target_remedy(toolchain: Toolchain) -> str:
    """The command that installs the target's standard library."""
    return f"rustup target add {toolchain.target}"
