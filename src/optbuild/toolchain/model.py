"""What is installed, as data: the tools, where they were looked for, and what `doctor` has to say about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from optbuild.events import Level
from optbuild.tools.rustc import parse_release

OLDEST_CARGO = (1, 63)
"""The oldest cargo that will do. The youngest thing we cannot do without is `--config KEY=VALUE`, which 1.62 accepts
on nightly only. CARGO_ENCODED_RUSTFLAGS is older, and since 1.39 rustflags do not enter `-C metadata`
(https://github.com/rust-lang/cargo/issues/8716), so that the functions of an instrumented and an optimised build have
the same names."""

FLAG_SETS_COEXIST_SINCE = (1, 85)
"""The first cargo whose file names depend on the rustflags (https://github.com/rust-lang/cargo/pull/14830): going back
to an earlier flag set in one target directory finds everything fresh. Before, each change of flags compiles anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program that was found and has told its version."""

    name: str
    path: Path
    version: str
    llvm_major: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A place where a fitting llvm-profdata was looked for.

    Attributes:
        path: A file, or a bare name when `PATH` was searched for it in vain.
        outcome: What was found: `not there`, `LLVM 14`, `cannot run: …`.
    """

    path: Path
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """Everything that turns sources into binaries on this machine, for one target.

    Attributes:
        rustc: With the LLVM major that generates its code.
        host: The triple that rustc runs on.
        target: The triple that is built for, never `host`.
        target_origin: What in cargo's configuration names the target; None where the build profile does, or nothing.
        sysroot: Where rustc's toolchain lies.
        target_cfg: The target's `cfg` values as rustc prints them.
        llvm_profdata: Of the same LLVM major as rustc; None when there is none, or none was asked for.
        searched: The places where it was looked for, in order; the last one was taken if there is a tool.
        profiler_runtime: The library that instrumented binaries are linked with.
        target_installed: The target's standard library is there.
        pgo_tools_remedy: The command that would bring a fitting llvm-profdata on this system.
    """

    rustc: Tool
    cargo: Tool
    host: str
    target: str
    sysroot: Path
    target_cfg: tuple[str, ...]
    llvm_profdata: Tool | None
    searched: tuple[Candidate, ...]
    profiler_runtime: Path | None
    target_installed: bool
    pgo_tools_remedy: str = "optbuild doctor --fix"
    target_origin: str | None = None

    @property
    def flag_sets_coexist(self) -> bool:
        """Whether builds with different rustflags can share one target directory without compiling anew."""
        return parse_release(self.cargo.version) >= FLAG_SETS_COEXIST_SINCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of `doctor`.

    Attributes:
        level: `ERROR` where optbuild cannot do its work like this.
        subject: What it is about, such as `rustc`.
        message: What there is, with its version, or what is wrong.
        remedy: A command that mends it; empty when there is nothing to mend.
    """

    level: Level
    subject: str
    message: str
    remedy: str = ""
