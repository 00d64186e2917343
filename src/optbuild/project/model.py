"""What is known about a Cargo project before planning. Data only: `discover` fills it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from optbuild.errors import ToolchainError


@dataclass(frozen=True, slots=True, kw_only=True)
class BinTarget:
    """A program that a package declares.

    Attributes:
        name: Its name, without a file extension.
        package: The package's name.
        required_features: Features without which cargo does not build it.
        is_example: It is a `[[example]]`, not a `[[bin]]`.
    """

    name: str
    package: str
    required_features: tuple[str, ...]
    is_example: bool = False


class LibKind(StrEnum):
    """A kind of library that other languages load or link."""

    CDYLIB = "cdylib"
    STATICLIB = "staticlib"


@dataclass(frozen=True, slots=True, kw_only=True)
class LibFile:
    """A library for other languages: one of the files that a package's library target becomes.

    Attributes:
        name: The library's name in rustc.
        package: The package's name.
        file_name: Such as `libdemo.so`.
        has_rlib: The target is built for Rust as well; cargo then excludes it from link-time optimisation.
    """

    name: str
    package: str
    kind: LibKind
    file_name: str
    has_rlib: bool = False

    def is_called(self, name: str) -> bool:
        """Whether a name is the library's, in the form of rustc or Cargo.toml, or its file's."""
        return name in {self.name, self.name.replace("_", "-"), self.file_name}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTarget:
    """Something that cargo compiles of a package, and where its source begins.

    Attributes:
        kind: `bin`, `example`, `test` or `bench`.
        source: Its main source file.
        required_features: Features without which cargo does not build it.
    """

    kind: str
    name: str
    source: Path
    required_features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A member of the workspace.

    Attributes:
        name: Its name.
        version: Its version, as declared.
        manifest: Its `Cargo.toml`.
        bins: Its binaries, in cargo's order.
        examples: Its examples that are programs.
        libs: Its libraries for other languages, a shared one first.
        tests: Names of its integration tests.
        benches: Names of its benches.
        default_run: The binary that `cargo run` takes, if declared.
        features: What each feature enables, sorted by name; optional dependencies that count as features included.
        is_library_only: It has a library and no binary.
        has_criterion: It depends on Criterion, which then runs benches of it.
        rust_version: The oldest Rust that it wants to be built with, such as `1.85`.
        sources: Its programs, tests and benches, in cargo's order, with their main source files.
        dylibs: The files of packages of the workspace that it is linked with and that are a `dylib` only.
    """

    name: str
    version: str
    manifest: Path
    bins: tuple[BinTarget, ...]
    default_run: str | None
    features: Mapping[str, tuple[str, ...]]
    is_library_only: bool
    examples: tuple[BinTarget, ...] = ()
    libs: tuple[LibFile, ...] = ()
    tests: tuple[str, ...] = ()
    benches: tuple[str, ...] = ()
    has_criterion: bool = False
    rust_version: str | None = None
    sources: tuple[SourceTarget, ...] = ()
    dylibs: tuple[str, ...] = ()

    @property
    def program_run(self) -> str | None:
        """What `cargo run` starts by default: `default-run`, or the only binary; None if there is neither."""
        return self.default_run or (self.bins[0].name if len(self.bins) == 1 else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredValue:
    """A value that cargo would use, and where it comes from.

    Attributes:
        value: The value; a program's path is absolute unless it is looked up in `PATH`.
        origin: For display: `RUSTFLAGS`, `/p/.cargo/config.toml: build.rustc`.
    """

    value: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredRunner:
    """The runner that cargo would start a target's programs with.

    Attributes:
        argv: The program, its path absolute unless it is looked up in `PATH`, and its first arguments.
        origin: For display, as in `ConfiguredValue`.
        engine: What starts a container for each program, where that is what it does.
    """

    argv: tuple[str, ...]
    origin: str
    engine: str | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """How it is called, for display."""
        return self.argv if self.engine is None else (self.engine, "run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rustflags:
    """The flags that cargo would pass to rustc for target code.

    Attributes:
        flags: The arguments, in order.
        origin: Where they come from, for display, joined by ` + `; None if there are no flags.
    """

    flags: tuple[str, ...]
    origin: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One string, number or boolean of a Cargo configuration file.

    Attributes:
        value: The value itself.
        file: The file that contains it.
    """

    value: object
    file: Path


ConfigTable: TypeAlias = "Mapping[str, ConfigNode]"
ConfigNode: TypeAlias = "Setting | Sequence[ConfigNode] | ConfigTable"


@dataclass(frozen=True, slots=True, kw_only=True)
class CargoConfig:
    """Cargo's configuration files as they apply to one directory, merged.

    Attributes:
        directory: Where cargo runs; relative paths from the environment are relative to it.
        files: The files that were read, nearest first, included ones after the file that includes them.
        values: The merged tree; each value knows its file.
    """

    directory: Path
    files: tuple[Path, ...]
    values: ConfigTable

    def find(self, *key: str) -> ConfigNode | None:
        """The configuration under a key such as `("build", "rustflags")`, without environment variables.

        Raises:
            ToolchainError: A part of the key is a value where cargo expects a table.
        """
        node: ConfigNode = self.values
        for depth, part in enumerate(key):
            if not isinstance(node, Mapping):
                raise misconfigured(key[:depth], "expected a table", node)
            if part not in node:
                return None
            node = node[part]
        return node


def misconfigured(key: tuple[str, ...], problem: str, node: ConfigNode) -> ToolchainError:
    """Make the error for a Cargo configuration value that cargo would refuse."""
    file = first_file(node)
    where = "" if file is None else f" in {file}"
    return ToolchainError(
        f"Cargo's configuration cannot be used: `{'.'.join(key)}`: {problem}",
        help=f"correct `{'.'.join(key)}`{where}; `cargo check` refuses it as well",
        location=None if file is None else str(file),
    )


def first_file(node: ConfigNode) -> Path | None:
    """The file of a node's first value; None if it has no value."""
    if isinstance(node, Setting):
        return node.file
    children = node.values() if isinstance(node, Mapping) else node
    return next((file for child in children if (file := first_file(child)) is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CargoProfiles:
    """Where Cargo's profiles are written.

    Attributes:
        tables: The `[profile]` tables of the configuration files and of the manifest, the winning ones first.
        environ: The variables `CARGO_PROFILE_*`, which override both.
    """

    tables: tuple[Mapping[str, Any], ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CargoProfile:
    """A Cargo profile's settings for the units of a program.

    Attributes:
        lto: `off`, `thin-local`, `thin` or `fat`.
        codegen_units: How many units a crate is split into.
        package_codegen_units: The numbers for single packages, under `[profile.NAME.package]`.
        is_for_development: It inherits from Cargo's profile `dev`.
        opt_level: `0` to `3`, `s` or `z`.
        debug_assertions: Whether `debug_assert!` and checks of unsafe preconditions are compiled in.
        overflow_checks: Whether arithmetic that overflows panics.
        strip: As written, in lower case; None if nothing sets it.
        debug: Likewise.
        split_debuginfo: Likewise.
        codegen_backend: Likewise.
    """

    lto: str
    codegen_units: int
    package_codegen_units: frozenset[int] = frozenset()
    is_for_development: bool = False
    opt_level: str = "3"
    debug_assertions: bool = False
    overflow_checks: bool = False
    strip: str | None = None
    debug: str | None = None
    split_debuginfo: str | None = None
    codegen_backend: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GitState:
    """The revision of the project's directory.

    Attributes:
        commit: The full hash; None without git, a repository or a first commit.
        dirty: Files differ from it or are not under version control; None if unknown.
    """

    commit: str | None
    dirty: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A Cargo project, as cargo sees it.

    Attributes:
        manifest: The requested `Cargo.toml`: a package's or a workspace's.
        directory: The manifest's directory; cargo is run here.
        workspace_root: The directory of the workspace's root manifest.
        target_directory: Where cargo builds.
        packages: The workspace's members.
        lockfile: `Cargo.lock`, where it exists.
        rustflags: The flags that apply to target code today.
        cargo_profiles: The Cargo profiles that variants start from.
        rustc_wrappers: `rustc-wrapper`, then `rustc-workspace-wrapper`, if set.
        config_files: Cargo's configuration files that apply, nearest first.
        git: The revision.
        runner: What cargo would start the target's programs with, if configured.
        runner_is_text: The configuration files have the runner for the target's triple as a text, not as a list.
        default_members: Names of the members that cargo takes in the workspace's root; empty if it does not say.
        build_directory_origin: What sets cargo's `build-dir`, for display; None if it is the target directory.
    """

    manifest: Path
    directory: Path
    workspace_root: Path
    target_directory: Path
    packages: tuple[Package, ...]
    lockfile: Path | None
    rustflags: Rustflags
    cargo_profiles: CargoProfiles
    rustc_wrappers: tuple[ConfiguredValue, ...]
    config_files: tuple[Path, ...]
    git: GitState
    runner: ConfiguredRunner | None = None
    build_directory_origin: str | None = None
    runner_is_text: bool = False
    default_members: tuple[str, ...] = ()
