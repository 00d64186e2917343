"""What is installed, as data: the tools, where they were looked for, and the findings of `doctor` about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.events import Level
from optbuild.tools.builders import BUILDERS, Builder, BuilderName
from optbuild.tools.rustc import parse_release

OLDEST_CARGO = (1, 63)
"""The oldest supported cargo.

The newest feature that optbuild needs is `--config KEY=VALUE`, which 1.62 accepts on nightly only.
CARGO_ENCODED_RUSTFLAGS is older, and since 1.39 rustflags do not enter `-C metadata`
(https://github.com/rust-lang/cargo/issues/8716), so the functions of an instrumented and an optimised build have the
same names."""

FLAG_SETS_COEXIST_SINCE = (1, 85)
"""The first cargo whose file names depend on the rustflags (https://github.com/rust-lang/cargo/pull/14830): going back
to an earlier flag set in one target directory finds everything fresh. Before that, each change of flags recompiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program that was found, with its version."""

    name: str
    path: Path
    version: str
    llvm_major: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoltTools:
    """LLVM's BOLT and the tools that work with it, all of one LLVM."""

    bolt: Tool
    merge_fdata: Path
    objcopy: Path
    strip: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedPlace:
    """A place that was searched for a matching llvm-profdata or llvm-bolt.

    Attributes:
        path: A file, or a bare name that was not found on `PATH`.
        outcome: What was found: `not there`, `LLVM 14`, `cannot run: …`.
    """

    path: Path
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBuilder:
    """What calls cargo, and whether it is there.

    Attributes:
        name: Its row of the table.
        tool: Its program; None for cargo itself, or if it was not found.
        glibc: The version of glibc to link with, if the target names one.
        problem: Why it cannot be used, if so.
        remedy: What mends that, if installing it does not.
        env: Variables that it needs to find its parts.
        interpreters: The Pythons that it builds wheels for; the first one trains and measures.
        auditor: cargo-auditable, if it shall embed the list of dependencies.
        engine: What starts the container that it builds in, if it builds in one.
    """

    name: BuilderName = BuilderName.CARGO
    tool: Tool | None = None
    glibc: str | None = None
    problem: str | None = None
    remedy: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    interpreters: tuple[Path, ...] = ()
    auditor: Tool | None = None
    engine: Path | None = None

    @property
    def row(self) -> Builder:
        """What is known about it."""
        return BUILDERS[self.name]

    def target_of(self, triple: str) -> str:
        """A target as the builder is asked for it."""
        return triple if self.glibc is None else f"{triple}.{self.glibc}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """Everything that turns sources into binaries on this machine, for one target.

    Attributes:
        rustc: With the LLVM major that generates its code.
        host: The triple that rustc runs on.
        target: The triple that is built for, never `host`.
        target_origin: The key of cargo's configuration that names the target; None if the build profile names it, or
            nothing.
        sysroot: The directory of rustc's toolchain.
        target_cfg: The target's `cfg` values as rustc prints them.
        llvm_profdata: Of the same LLVM major as rustc; None if there is none, or none was requested.
        searched: The places that were searched for it, in order; the last one was taken if there is a tool.
        profiler_runtime: The library that instrumented binaries are linked with.
        target_installed: The target's standard library is there.
        accepts_unstable: It accepts `-Z` flags.
        build_std: What asks cargo to build the standard library from its sources, for display; None if nothing does.
        library_sources: Where these sources are; None if they are not installed.
        pgo_tools_remedy: The command that would install a matching llvm-profdata on this system.
        rustup_toolchain: Its name in rustup; None if rustup does not manage it.
        bolt: LLVM's BOLT of the same LLVM major; None if there is none.
        searched_for_bolt: The places that were searched for it, in order.
        bolt_remedy: The command that would install it.
        builder: What calls cargo.
        inferno: What draws flame graphs as SVG; None if it is not installed.
    """

    rustc: Tool
    cargo: Tool
    host: str
    target: str
    sysroot: Path
    target_cfg: tuple[str, ...]
    llvm_profdata: Tool | None
    searched: tuple[SearchedPlace, ...]
    profiler_runtime: Path | None
    target_installed: bool
    accepts_unstable: bool = False
    build_std: str | None = None
    library_sources: Path | None = None
    pgo_tools_remedy: str = "optbuild doctor --fix"
    rustup_toolchain: str | None = None
    bolt: BoltTools | None = None
    searched_for_bolt: tuple[SearchedPlace, ...] = ()
    bolt_remedy: str = "optbuild doctor --fix"
    target_origin: str | None = None
    builder: FoundBuilder = FoundBuilder()
    inferno: Path | None = None

    @property
    def flag_sets_coexist(self) -> bool:
        """Whether builds with different rustflags can share one target directory without recompiling."""
        return parse_release(self.cargo.version) >= FLAG_SETS_COEXIST_SINCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of `doctor`.

    Attributes:
        level: `ERROR` if optbuild cannot work like this.
        subject: What it is about, such as `rustc`.
        message: What was found, with its version, or what is wrong.
        remedy: A command that fixes it; empty if there is nothing to fix.
    """

    level: Level
    subject: str
    message: str
    remedy: str = ""
