"""Inspect a Cargo project: cargo's metadata, its configuration and git, without running anything from the project."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from optbuild.errors import ToolchainError, UsageError
from optbuild.execution.command import Command, Completed, Executor, ProgramNotFoundError
from optbuild.project.cargo_config import find_build_directory, load_cargo_config
from optbuild.project.cargo_profile import load_cargo_profiles
from optbuild.project.model import BinTarget, GitState, LibFile, LibKind, Package, Project, Setting, SourceTarget
from optbuild.project.runner import find_runner, runner_key
from optbuild.project.rustc_programs import rustc_wrappers
from optbuild.project.rustflags import settle_rustflags
from optbuild.text import last_lines
from optbuild.tools import git
from optbuild.tools.cargo_metadata import Metadata, PackageMetadata, metadata_argv, parse_metadata
from optbuild.tools.rustc import parse_target, target_argv

_TIMEOUT_S = 60.0
_SOURCE_KINDS = ("bin", "example", "test", "bench")
_LIBRARY_KINDS = frozenset({"lib", "rlib", "dylib", "cdylib", "staticlib", "proc-macro"})


def load_project(  # noqa: PLR0913 - what to look at, and what to look with
    *,
    directory: Path,
    manifest: Path,
    executor: Executor,
    environ: Mapping[str, str],
    cargo: Path,
    rustc: Path,
    target: str,
    target_cfg: tuple[str, ...],
) -> Project:
    """Find out what a Cargo project is.

    Nothing that the project names is run: cargo is given `rustc` and no wrappers, and installs nothing. A
    `rust-toolchain.toml` may name a toolchain by path, which rustup's proxies would run; so `cargo` and `rustc` must
    be the programs themselves, or `environ` must set RUSTUP_TOOLCHAIN.

    Args:
        directory: The directory the user named.
        manifest: The `Cargo.toml`; a relative path starts at `directory`.
        executor: Runs cargo, rustc and git.
        environ: The user's environment.
        cargo: The cargo to ask.
        rustc: The compiler that cargo is given, and that is asked for its `cfg` where flags decide it.
        target: The target triple, or the path of a target's JSON file.
        target_cfg: The lines of `rustc --print=cfg` for the target, without flags.

    Raises:
        UsageError: There is no manifest, or cargo refuses it.
        ToolchainError: Cargo's configuration is malformed, or cargo cannot be run.
        InterruptedRunError: A signal arrived.
    """
    path = directory / manifest
    root = path.parent.resolve()  # not through a manifest that is itself a link: cargo does not follow it
    manifest = root / path.name
    if not manifest.is_file():
        raise _no_manifest(manifest)
    config = load_cargo_config(root, environ)
    safe_environ = {
        **environ,
        "RUSTC": str(rustc),
        "RUSTC_WRAPPER": "",
        "RUSTC_WORKSPACE_WRAPPER": "",
        "RUSTUP_AUTO_INSTALL": "0",
        "CARGO_TERM_COLOR": "never",
    }

    def print_cfg(flags: tuple[str, ...]) -> tuple[str, ...]:
        argv = (*target_argv(rustc, target), *flags)
        return _print_cfg(executor, Command(argv=argv, cwd=root, env=safe_environ, timeout_s=_TIMEOUT_S))

    argv = metadata_argv(cargo, manifest)
    metadata = _metadata(executor, Command(argv=argv, cwd=root, env=safe_environ, timeout_s=_TIMEOUT_S))
    lockfile = metadata.workspace_root / "Cargo.lock"
    return Project(
        manifest=manifest,
        directory=root,
        workspace_root=metadata.workspace_root,
        target_directory=metadata.target_directory,
        packages=tuple(
            replace(_package(package, target_cfg), dylibs=_dylibs(package, metadata.packages, target_cfg))
            for package in metadata.packages
        ),
        lockfile=lockfile if lockfile.is_file() else None,
        rustflags=settle_rustflags(config, environ, target, target_cfg, print_cfg),
        cargo_profiles=load_cargo_profiles(metadata.workspace_root / "Cargo.toml", config, environ),
        rustc_wrappers=rustc_wrappers(config, environ),
        config_files=config.files,
        git=discover_git_state(root, executor, environ),
        runner=find_runner(config, environ, target, target_cfg),
        build_directory_origin=find_build_directory(config, environ),
        runner_is_text=isinstance(config.find(*runner_key(target)), Setting),
        default_members=tuple(p.name for p in metadata.packages if p.id in metadata.workspace_default_members),
    )


def discover_git_state(directory: Path, executor: Executor, environ: Mapping[str, str]) -> GitState:
    """Ask git for the revision of a directory; without git or a repository nothing is known.

    Raises:
        InterruptedRunError: A signal arrived.
    """

    def run(argv: tuple[str, ...], own_filters: tuple[str, ...] = ()) -> Completed:
        env = git.environment(environ, own_filters)
        return executor.run(Command(argv=argv, cwd=directory, env=env, timeout_s=_TIMEOUT_S))

    try:
        head = run(git.head_argv())
        filters = run(git.filter_settings_argv())
        commit = head.stdout.decode("ascii", "replace").strip() if head.exit_code == 0 else None
        if filters.exit_code not in {
            0,
            1,
        }:  # the programs that the repository names are unknown, so none may run
            return GitState(commit=commit, dirty=None)
        status = run(git.status_argv(), git.parse_own_filters(filters.stdout))
    except ProgramNotFoundError:
        return GitState(commit=None, dirty=None)
    return GitState(commit=commit, dirty=bool(status.stdout) if status.exit_code == 0 else None)


def _metadata(executor: Executor, command: Command) -> Metadata:
    cargo = command.argv[0]
    try:
        completed = executor.run(command)
    except ProgramNotFoundError as error:
        raise ToolchainError(
            f"cargo cannot be run: {error}", help="install Rust from https://rustup.rs, or run `optbuild doctor`"
        ) from error
    manifest = command.argv[-1]
    if completed.timed_out:
        raise ToolchainError(
            f"`{cargo} metadata` did not answer within {_TIMEOUT_S:.0f} s",
            help=f"see what it waits for: cargo metadata --no-deps --offline --manifest-path {manifest}",
            location=manifest,
        )
    if completed.exit_code != 0:
        raise UsageError(
            "cargo refuses this project",
            help=f"correct what cargo names; `cargo check --manifest-path {manifest}` shows the same",
            location=manifest,
            detail=last_lines(completed.stderr),
        )
    try:
        return parse_metadata(completed.stdout)
    except ValueError as error:
        raise ToolchainError(
            f"`{cargo} metadata` printed something that optbuild cannot read",
            help="run `optbuild doctor` to see which cargo this is",
            location=cargo,
            detail=last_lines(str(error).encode()),
        ) from error


def _print_cfg(executor: Executor, command: Command) -> tuple[str, ...]:
    try:
        completed = executor.run(command)
    except ProgramNotFoundError as error:
        raise ToolchainError(
            f"rustc cannot be run: {error}", help="install Rust from https://rustup.rs, or run `optbuild doctor`"
        ) from error
    if completed.exit_code != 0:
        raise ToolchainError(
            "rustc refuses the rustflags of Cargo's configuration",
            help="correct them; `cargo check` in the project shows the same error",
            detail=last_lines(completed.stderr),
        )
    try:
        return parse_target(completed.stdout.decode("utf-8", "replace")).cfg
    except ValueError as error:
        raise ToolchainError(
            f"{command.argv[0]} printed something that optbuild cannot read: {error}",
            help="run `optbuild doctor` to see which rustc this is",
            location=command.argv[0],
        ) from error


def _no_manifest(manifest: Path) -> UsageError:
    above = next((parent for parent in manifest.parent.parents if (parent / "Cargo.toml").is_file()), None)
    help_text = "change to the directory of a Cargo project first: cd DIR"
    if above is not None:
        help_text = f"change to the directory of the Cargo project above: cd {shlex.quote(str(above))}"
    return UsageError(f"{manifest} does not exist", help=help_text, location=str(manifest))


def _package(package: PackageMetadata, target_cfg: tuple[str, ...]) -> Package:
    bins = _programs(package, "bin")
    return Package(
        name=package.name,
        version=package.version,
        manifest=package.manifest_path,
        bins=bins,
        default_run=package.default_run,
        features=dict(sorted(package.features.items())),
        is_library_only=not bins and any(_LIBRARY_KINDS.intersection(target.kind) for target in package.targets),
        examples=_programs(package, "example"),
        tests=tuple(target.name for target in package.targets if "test" in target.kind),
        benches=tuple(target.name for target in package.targets if "bench" in target.kind),
        rust_version=package.rust_version,
        sources=_sources(package),
        has_criterion=any(dependency.name == "criterion" for dependency in package.dependencies),
        libs=tuple(
            LibFile(
                name=name,
                package=package.name,
                kind=kind,
                file_name=_file_name(name, kind, target_cfg),
                has_rlib=not set(target.kind) <= set(LibKind),
            )
            for target in package.targets
            for kind in LibKind
            if kind in target.kind
            for name in (target.name.replace("-", "_"),)  # as rustc gets it; older cargo uses the package's name
        ),
    )


def _dylibs(
    package: PackageMetadata, members: tuple[PackageMetadata, ...], target_cfg: tuple[str, ...]
) -> tuple[str, ...]:
    """The files of the shared libraries of Rust among a package's dependencies in the workspace, and among theirs.

    One that is an `rlib` as well is left out: rustc takes that, unless it is asked to prefer what is shared.
    """
    by_name = {member.name: member for member in members}
    found: dict[str, None] = {}
    left, seen = [package], {package.name}
    while left:
        names = [each.name for each in left.pop().dependencies if each.kind is None]
        for member in (by_name[name] for name in names if name in by_name and name not in seen):
            seen.add(member.name)
            left.append(member)
            libraries = [target for target in member.targets if target.kind == ("dylib",)]
            found |= {_file_name(each.name.replace("-", "_"), LibKind.CDYLIB, target_cfg): None for each in libraries}
    return tuple(found)


def _programs(package: PackageMetadata, kind: str) -> tuple[BinTarget, ...]:
    return tuple(
        BinTarget(
            name=target.name,
            package=package.name,
            required_features=target.required_features,
            is_example=kind == "example",
        )
        for target in package.targets
        if kind in target.kind and (kind != "example" or target.crate_types == ("bin",))
    )


def _sources(package: PackageMetadata) -> tuple[SourceTarget, ...]:
    return tuple(
        SourceTarget(kind=kind, name=target.name, source=target.src_path, required_features=target.required_features)
        for target in package.targets
        for kind in _SOURCE_KINDS
        if kind in target.kind and target.src_path is not None and (kind != "example" or target.crate_types == ("bin",))
    )


def _file_name(name: str, kind: LibKind, target_cfg: tuple[str, ...]) -> str:
    """What rustc calls the file of a library.

    Sources: The Rust Reference, "Linkage", https://doc.rust-lang.org/reference/linkage.html; the file names are those
    of rustc's `TargetOptions` (`dll_prefix`, `dll_suffix`, `staticlib_prefix`, `staticlib_suffix`).
    """
    is_windows = "windows" in target_cfg
    if kind is LibKind.STATICLIB:
        return f"{name}.lib" if 'target_env="msvc"' in target_cfg else f"lib{name}.a"
    if is_windows:
        return f"{name}.dll"
    if 'target_family="wasm"' in target_cfg:
        return f"{name}.wasm"
    return f"lib{name}.dylib" if 'target_vendor="apple"' in target_cfg else f"lib{name}.so"
