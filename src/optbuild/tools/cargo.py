"""Cargo's build commands: arguments out, JSON messages in. Cargo's metadata has its own module."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

_KIND_OF_PATH = re.compile("(?:dependency|crate|native|framework|all)=")
RUSTFLAGS = "CARGO_ENCODED_RUSTFLAGS"
"""The variable that goes before all other sources of flags for rustc."""
FLAG_SEPARATOR = "\x1f"  # between the flags in it
# Arguments that keep the parsed lines unchanged. They override variables and configuration files, and programs that
# cargo starts do not inherit them.
_AS_READ = ("--color", "never", "--config", 'term.progress.when="never"', "--config", "term.quiet=false")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSettings:
    """A call of cargo.

    Attributes:
        packages: Package ID specifications, such as `name@1.2.3`; features unify over all of them.
        lib: Build the packages' libraries as well.
        verb: `build`, or a command that also runs what it built.
        targets: Further options that choose what is built.
        arguments: Arguments for the programs that cargo runs.
        config: `--config` keys and their values in TOML, such as `("profile.release.lto", '"fat"')`.
        explain: Let cargo and rustc print everything (`-vv`), which also lifts the cap on dependencies' warnings.
            Warnings are neither hidden nor errors, whatever the user has configured.
    """

    manifest: Path
    packages: tuple[str, ...]
    bins: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    lib: bool = False
    target: str
    target_directory: Path
    cargo_profile: str
    config: tuple[tuple[str, str], ...] = ()
    features: tuple[str, ...] = ()
    no_default_features: bool = False
    all_features: bool = False
    locked: bool = False
    jobs: int | None = None
    explain: bool = False
    extra: tuple[str, ...] = ()
    verb: str = "build"
    targets: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


def make_build_argv(cargo: str, settings: BuildSettings) -> tuple[str, ...]:
    """The argv of one call of cargo."""
    argv = [cargo, settings.verb, "--manifest-path", str(settings.manifest), *_choose_targets(settings)]
    argv += ["--profile", settings.cargo_profile, "--target", settings.target]
    argv += ["--target-dir", str(settings.target_directory), *_AS_READ]
    for key, value in settings.config:
        argv += ["--config", f"{key}={value}"]
    if settings.features:
        argv += ["--features", ",".join(settings.features)]
    if settings.no_default_features:
        argv.append("--no-default-features")
    if settings.all_features:
        argv.append("--all-features")
    if settings.locked:
        argv.append("--locked")
    if settings.jobs is not None:
        argv += ["--jobs", str(settings.jobs)]
    if settings.explain:
        # Cargo would hide warnings, or fail on them, if `build.warnings` says so.
        argv += ["--config", 'build.warnings="warn"', "-vv"]
    argv.append("--message-format=json-diagnostic-rendered-ansi")
    argv += settings.extra
    return (*argv, "--", *settings.arguments) if settings.arguments else tuple(argv)


def build_directory_setting(directory: Path) -> tuple[str, str] | None:
    """The `--config` key and value that make cargo keep intermediate files in a directory; None if inexpressible.

    Cargo takes braces for a variable, and there is no escape.

    Sources: The Cargo Book, `build.build-dir`, https://doc.rust-lang.org/cargo/reference/config.html#buildbuild-dir
    """
    # A JSON string is a TOML string if no character is split in two.
    text = json.dumps(str(directory), ensure_ascii=False)
    return None if {"{", "}"} & {*text} else ("build.build-dir", text)


def _choose_targets(settings: BuildSettings) -> Iterator[str]:
    for option, names in (("--package", settings.packages), ("--bin", settings.bins), ("--example", settings.examples)):
        for name in names:
            yield from (option, name)
    if settings.lib:
        yield "--lib"
    yield from settings.targets


@dataclass(frozen=True, slots=True, kw_only=True)
class CargoTarget:
    """A target of a package, as named in messages."""

    name: str
    kind: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactProfile:
    """How a unit was compiled; `test`: with a main function that runs its tests or benches."""

    test: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilerArtifact:
    """Cargo finished a unit, or found it fresh; `filenames` are the unit's files."""

    reason: Literal["compiler-artifact"]
    package_id: str
    target: CargoTarget
    fresh: bool
    profile: ArtifactProfile = ArtifactProfile()
    filenames: tuple[Path, ...] = ()
    executable: Path | None = None
    manifest_path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RustcDiagnostic:
    """A diagnostic of rustc: its message, and the rendered text."""

    message: str
    level: str
    rendered: str | None = None

    @property
    def text(self) -> str:
        """As rustc would print it."""
        return self.rendered or self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilerMessage:
    """Rustc reported something about a unit."""

    reason: Literal["compiler-message"]
    package_id: str
    target: CargoTarget
    message: RustcDiagnostic


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildScriptExecuted:
    """A build script ran or was found fresh.

    Attributes:
        out_dir: Where it writes.
        linked_paths: Where it says that libraries are: directories, most with their kind and `=` before them.
    """

    reason: Literal["build-script-executed"]
    package_id: str
    out_dir: Path | None = None
    linked_paths: tuple[str, ...] = ()

    @property
    def library_directories(self) -> tuple[Path, ...]:
        """Where it says that libraries are."""
        return tuple(
            Path(text[found.end() :] if (found := _KIND_OF_PATH.match(text)) else text) for text in self.linked_paths
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFinished:
    """Cargo is done."""

    reason: Literal["build-finished"]
    success: bool


Message = CompilerArtifact | CompilerMessage | BuildScriptExecuted | BuildFinished


@cache
def _messages() -> TypeAdapter[Message]:
    return TypeAdapter(Annotated[Message, Field(discriminator="reason")])


def parse_message(line: bytes) -> Message | None:
    """Read one line of cargo's JSON messages; None for anything else (newer reasons, a program's own output).

    Sources: The Cargo Book, "External tools", https://doc.rust-lang.org/cargo/reference/external-tools.html
    """
    if not line.startswith(b"{"):
        return None
    try:
        return _messages().validate_json(line)
    except ValidationError:
        return None


def short_package_name(package_id: str) -> str:
    """The crate's name in a package ID such as `registry+https://…#serde@1.0.0` or `path+file:///p/app#0.1.0`."""
    source, _, fragment = package_id.partition("#")
    name, at, _ = fragment.partition("@")
    return name if at else source.rstrip("/").rpartition("/")[2]
