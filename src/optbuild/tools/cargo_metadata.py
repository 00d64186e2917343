"""`cargo metadata`: its argument list, and its JSON as data. Pure: `optbuild.project` runs it.

Sources:
    The Cargo Book, cargo metadata: https://doc.rust-lang.org/cargo/commands/cargo-metadata.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from optbuild.adapters import adapter_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetMetadata:
    """One target of a package: a library, a binary, a test."""

    name: str
    kind: tuple[str, ...]
    crate_types: tuple[str, ...] = ()
    src_path: Path | None = None
    required_features: Annotated[tuple[str, ...], Field(alias="required-features")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyMetadata:
    """A dependency, with the name in its own manifest.

    Attributes:
        kind: `dev` or `build`; None for what becomes part of the package itself.
    """

    name: str
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageMetadata:
    """One member of the workspace."""

    name: str
    version: str
    manifest_path: Path
    targets: tuple[TargetMetadata, ...]
    default_run: str | None = None
    features: dict[str, tuple[str, ...]]
    dependencies: tuple[DependencyMetadata, ...] = ()
    rust_version: str | None = None
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What `cargo metadata --no-deps` says about a workspace.

    Attributes:
        workspace_default_members: The ids of the packages that cargo takes in the root; missing before cargo 1.71.
    """

    packages: tuple[PackageMetadata, ...]
    workspace_root: Path
    target_directory: Path
    workspace_default_members: tuple[str, ...] = ()


def metadata_argv(cargo: Path, manifest: Path) -> tuple[str, ...]:
    """Describe the workspace of a manifest, without its dependencies and without the network."""
    return (
        *(str(cargo), "metadata", "--format-version", "1", "--no-deps", "--offline"),
        *("--manifest-path", str(manifest)),
    )


def parse_metadata(stdout: bytes) -> Metadata:
    """Read what `cargo metadata` printed.

    Raises:
        ValueError: It is not the requested JSON.
    """
    return adapter_of(Metadata).validate_json(stdout)


def fetch_argv(cargo: Path, manifest: Path, target: str) -> tuple[str, ...]:
    """Describe a manifest's workspace with all that it depends on, for which cargo fetches it."""
    return (
        *(str(cargo), "metadata", "--format-version", "1", "--quiet", "--filter-platform", target),
        *("--manifest-path", str(manifest)),
    )


def find_package(stdout: bytes, name: str, version: str) -> Path | None:
    """The manifest of a fetched package in the answer to `fetch_argv`; None if it is not there.

    Build metadata of a version does not count: a requirement cannot ask for it.
    """
    wanted = (name.replace("-", "_"), version.partition("+")[0])
    packages = parse_metadata(stdout).packages
    found = (p for p in packages if (p.name.replace("-", "_"), p.version.partition("+")[0]) == wanted)
    return next((package.manifest_path for package in found), None)
