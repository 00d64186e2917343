"""Discover what is installed: ask rustc, cargo and llvm-profdata about themselves where cargo will run.

Not for deciding whether that suffices: `optbuild.toolchain.requirements` does, before any long step.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import ToolchainError
from optbuild.execution.command import Completed, ProgramNotFoundError
from optbuild.text import last_lines, sanitize_line
from optbuild.toolchain.bolt import search_bolt
from optbuild.toolchain.builders import discover_builder
from optbuild.toolchain.lookup import Inquiry, find_program, is_program, output_text
from optbuild.toolchain.model import OLDEST_CARGO, BoltTools, SearchedPlace, Tool, Toolchain
from optbuild.toolchain.observers import find_inferno
from optbuild.toolchain.packages import (
    USE_NIGHTLY,
    USE_STABLE,
    describe_bolt_remedy,
    describe_remedy,
    find_rustup_toolchain,
)
from optbuild.toolchain.search import list_places, search_llvm_profdata
from optbuild.toolchain.trust import refuse_toolchain_by_path
from optbuild.tools import rustc
from optbuild.tools.builders import BuilderName
from optbuild.tools.rustc import is_specification
from optbuild.tools.unstable import accepts_unstable

_LIBRARY_SOURCES = Path("lib/rustlib/src/rust/library")  # where cargo's build-std looks for them
_INSTALL_RUST = "install Rust with rustup (https://rustup.rs), or put its directory on PATH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a build profile, cargo's configuration and variables ask for.

    Attributes:
        target: `host`, which cargo calls `host-tuple` as well, or a triple, or the path of a target's JSON file.
        target_origin: The key of cargo's configuration that names it, if any.
        rustc: The compiler that a variable or cargo's configuration names, if any.
        rustc_origin: What names it: one of the caller's variables, in capitals, or a key of cargo's configuration.
        builder: What calls cargo.
        glibc: The version of glibc that it shall link with.
        interpreters: The Pythons that it builds wheels for.
        auditable: cargo-auditable shall embed the list of dependencies.
        build_std: What asks cargo to build the standard library, if anything does.
    """

    target: str = "host"
    target_origin: str | None = None
    rustc: str | None = None
    rustc_origin: str = "build.rustc"
    builder: BuilderName = BuilderName.CARGO
    glibc: str | None = None
    interpreters: tuple[str, ...] = ()
    auditable: bool = False
    build_std: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _LlvmTools:
    """The tools of rustc's LLVM, and where they were looked for; fields as in `Toolchain`."""

    llvm_profdata: Tool | None = None
    searched: tuple[SearchedPlace, ...] = ()
    bolt: BoltTools | None = None
    searched_for_bolt: tuple[SearchedPlace, ...] = ()


def discover_toolchain(wanted: Wanted, inquiry: Inquiry, *, trusted: bool) -> Toolchain:
    """Find the toolchain in force in a directory.

    Args:
        wanted: What is asked for.
        inquiry: Asks programs where cargo will run: rustup chooses by the directory.
        trusted: Whether programs that the repository names may be run.

    Raises:
        ToolchainError: rustc or cargo is missing, too old, does not know the target, or is named by an untrusted
            repository.
        InterruptedRunError: A signal arrived.
    """
    environ = inquiry.environ
    if not trusted:
        refuse_toolchain_by_path(inquiry.directory, environ)
    rustc_path = _find_rustc(inquiry, wanted.rustc, wanted.rustc_origin, trusted=trusted)
    compiler, host = _ask_rustc(rustc_path, inquiry)
    cargo = _ask_cargo(_find_cargo(inquiry), inquiry)
    triple = host if wanted.target in {"host", "host-tuple"} else wanted.target
    unstable = accepts_unstable(compiler.version, environ)
    if is_specification(triple) and not unstable:
        raise ToolchainError(
            f"the target {triple} is described by a file, which rustc {compiler.version} does not read",
            help=f"{USE_NIGHTLY}; or build for one of: rustc --print target-list",
            location=wanted.target_origin or triple,
        )
    facts = _ask_target(rustc_path, triple, inquiry)
    sources = facts.sysroot / _LIBRARY_SOURCES
    rustup_toolchain = find_rustup_toolchain(facts.sysroot, environ)
    llvm = _search_llvm_tools(compiler.llvm_major, inquiry, sysroot=facts.sysroot, host=host)

    def has(name: str) -> bool:
        return find_program(name, environ) is not None

    return Toolchain(
        rustc=compiler,
        cargo=cargo,
        host=host,
        target=triple,
        sysroot=facts.sysroot,
        target_cfg=facts.cfg,
        llvm_profdata=llvm.llvm_profdata,
        searched=llvm.searched,
        profiler_runtime=next(iter(sorted(facts.libdir.glob("libprofiler_builtins-*.rlib"))), None),
        target_origin=wanted.target_origin,
        builder=discover_builder(
            wanted.builder, wanted.glibc, inquiry, wanted.interpreters, auditable=wanted.auditable
        ),
        inferno=find_inferno(environ),
        target_installed=any(facts.libdir.glob("libcore-*.rlib")),
        pgo_tools_remedy=describe_remedy(
            rustc_release=compiler.version,
            llvm_major=compiler.llvm_major,
            rustup_toolchain=rustup_toolchain,
            has=has,
        ),
        accepts_unstable=unstable,
        build_std=wanted.build_std if unstable else None,
        library_sources=sources if (sources / "Cargo.lock").is_file() else None,
        rustup_toolchain=rustup_toolchain,
        bolt=llvm.bolt,
        searched_for_bolt=llvm.searched_for_bolt,
        bolt_remedy=describe_bolt_remedy(compiler.llvm_major, has=has),
    )


def _search_llvm_tools(major: int | None, inquiry: Inquiry, *, sysroot: Path, host: str) -> _LlvmTools:
    """Look for the tools of a major version; None, as Cranelift's rustc has it, needs none."""
    if major is None:
        return _LlvmTools()
    places = list_places(major, sysroot=sysroot, host=host, environ=inquiry.environ)
    profdata, searched = search_llvm_profdata(major, places, inquiry)
    bolt, searched_for_bolt = search_bolt(major, inquiry, sysroot=sysroot, host=host)
    return _LlvmTools(llvm_profdata=profdata, searched=searched, bolt=bolt, searched_for_bolt=searched_for_bolt)


def discover_git(inquiry: Inquiry) -> Tool | None:
    """Find git, which is optional; None if it is missing or does not answer.

    Raises:
        InterruptedRunError: A signal arrived.
    """
    path = find_program("git", inquiry.environ)
    if path is None:
        return None
    try:
        answer = inquiry.ask((str(path), "--version"))
    except ProgramNotFoundError:
        return None
    match = re.match(r"git version (\S+)", output_text(answer))
    return None if match is None else Tool(name="git", path=path, version=match[1])


def _find_rustc(inquiry: Inquiry, configured: str | None, origin: str, *, trusted: bool) -> Path:
    if not configured:
        return _on_path("rustc", inquiry)
    if not trusted and not origin.isupper():
        raise ToolchainError(
            f"cargo's configuration names the compiler {configured}, and this command runs nothing that a"
            " repository names",
            help=f"name it yourself: export RUSTC={shlex.quote(configured)}",
            location=origin,
        )
    return _named_program(configured, origin, inquiry)


def _find_cargo(inquiry: Inquiry) -> Path:
    if inquiry.environ.get("CARGO"):
        return _named_program(inquiry.environ["CARGO"], "CARGO", inquiry)
    return _on_path("cargo", inquiry)


def _on_path(name: str, inquiry: Inquiry) -> Path:
    path = find_program(name, inquiry.environ)
    if path is None:
        raise ToolchainError(f"{name} was not found on PATH", help=_INSTALL_RUST, location=name)
    return path


def _named_program(name: str, origin: str, inquiry: Inquiry) -> Path:
    path = inquiry.directory / name if os.sep in name else find_program(name, inquiry.environ)
    if path is None or not is_program(path):
        raise ToolchainError(
            f"{origin} names {name}, which is not a program",
            help=f"unset {origin}" if origin.isupper() else "correct build.rustc in cargo's configuration",
            location=origin,
        )
    return path


def _ask_rustc(path: Path, inquiry: Inquiry) -> tuple[Tool, str]:
    answer = _ask(path, rustc.version_argv(path), inquiry)
    try:
        version = rustc.parse_version(output_text(answer))
    except ValueError as error:
        raise _unexpected(path, error) from error
    return Tool(name="rustc", path=path, version=version.release, llvm_major=version.llvm_major), version.host


def _ask_cargo(path: Path, inquiry: Inquiry) -> Tool:
    answer = _ask(path, rustc.version_argv(path), inquiry)
    try:
        release = rustc.parse_verbose_version(output_text(answer)).get("release", "")
        number = rustc.parse_release(release)
    except ValueError as error:
        raise _unexpected(path, error) from error
    if number < OLDEST_CARGO:
        oldest = ".".join(map(str, OLDEST_CARGO))
        raise ToolchainError(
            f"cargo {release} is too old: optbuild needs {oldest} or newer",
            help=USE_STABLE,
            location=str(path),
        )
    return Tool(name="cargo", path=path, version=release)


def _ask_target(path: Path, target: str, inquiry: Inquiry) -> rustc.TargetFacts:
    answer = _ask(path, rustc.target_argv(path, target), inquiry, target=target)
    try:
        return rustc.parse_target(output_text(answer))
    except ValueError as error:
        raise _unexpected(path, error) from error


def _ask(path: Path, argv: tuple[str, ...], inquiry: Inquiry, *, target: str | None = None) -> Completed:
    try:
        answer = inquiry.ask(argv)
    except ProgramNotFoundError as error:
        raise ToolchainError(f"{path} cannot be run: {error.reason}", help=_INSTALL_RUST, location=str(path)) from error
    if answer.timed_out:
        raise ToolchainError(
            f"{path.name} did not answer", help=f"see what it does: {shlex.join(argv)}", location=str(path)
        )
    if answer.exit_code != 0:
        raise _refusal(argv, answer, target)
    return answer


def _refusal(argv: tuple[str, ...], answer: Completed, target: str | None) -> ToolchainError:
    """What rustup or rustc said, with the command that fixes it, if known."""
    text = answer.stderr.decode("utf-8", "replace")
    missing = re.search(r"toolchain '([^'\n]+)' is not installed", text)
    if missing is not None:
        message = f"the toolchain {sanitize_line(missing[1])} is not installed"
        remedy = f"rustup toolchain install {shlex.quote(sanitize_line(missing[1]))}"
    elif "no default is configured" in text:
        message, remedy = "rustup has no toolchain to run", "rustup default stable"
    elif target is not None and "target" in text:
        message, remedy = f"rustc does not know the target {target}", "list those it knows: rustc --print target-list"
    else:
        message = f"{Path(argv[0]).name} failed with exit code {answer.exit_code}"
        remedy = f"see why: {shlex.join(argv)}"
    return ToolchainError(message, help=remedy, location=str(answer.command.cwd), detail=last_lines(answer.stderr))


def _unexpected(path: Path, error: ValueError) -> ToolchainError:
    return ToolchainError(
        f"{path} does not answer like rustc or cargo: {error}",
        help="unset RUSTC and CARGO, or let them name the real programs",
        location=str(path),
    )
