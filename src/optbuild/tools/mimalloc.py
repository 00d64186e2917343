"""The allocator mimalloc: how cargo compiles it, and how it is linked into programs in place of the C library's.

It is taken from crates.io, as crate `libmimalloc-sys`, in one version with all that it needs: a lock file holds their
checksums, and cargo takes nothing else.

A program's own definition of `malloc` goes before that of a shared C library, for all code of the process. The linker
takes an archive's members only where something is still undefined, and the C library defines all of them; so it is told
to take the whole archive.

Sources:
    "Overriding Standard Malloc", https://microsoft.github.io/mimalloc/overrides.html
    libmimalloc-sys, feature `override`, https://docs.rs/crate/libmimalloc-sys/0.1.49/features
    ld, `--whole-archive`, https://sourceware.org/binutils/docs/ld/Options.html
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optbuild.tools.cargo import (
    BuildScriptExecuted,
    BuildSettings,
    make_build_argv,
    parse_message,
    short_package_name,
)

CRATE = "libmimalloc-sys"
"""The package of crates.io."""
ARCHIVE = "libmimalloc.a"
"""What its build script makes."""
MARK = b"mimalloc: warning: "
"""What every program has that it is linked into: the beginning of a message, which no flag of the build removes."""
LINK_WHOLE = "-Clink-arg=-Wl,--whole-archive"
"""The flag for rustc after which the linker takes whole archives."""
END_OF_WHOLE = "-Clink-arg=-Wl,--no-whole-archive"
"""The flag that ends this."""

_PACKAGE = "optbuild-allocator"
_VERSION = "0.1.49"
_REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"
_CHECKSUMS = (
    ("cc", "1.11.3", "02f0e023adb368345ce0ca6cdfc0f24a06554468d0e8503e14a0841de79bfa69", ("find-msvc-tools", "shlex")),
    ("find-msvc-tools", "0.1.15", "1c66915cc5391097de7a2b0b972e8505aa33c0df401fd3a6811dbdb32881ba48", ()),
    (CRATE, _VERSION, "6a45a52f43e1c16f667ccfe4dd8c85b7f7c204fd5e3bf46c5b0db9a5c3c0b8e9", ("cc",)),
    ("shlex", "2.0.1", "f8fadd59c855ef2080decdef8ff161eb6661b86933c9d82e5ba29dc602a55aba", ()),
)


def render_package() -> Mapping[str, str]:
    """The files of a package that has nothing but this dependency, by their paths in it."""
    wanted = f'{{ version = "={_VERSION}", default-features = false, features = ["override"] }}'
    manifest = (
        f'[package]\nname = "{_PACKAGE}"\nversion = "0.0.0"\nedition = "2021"\n\n'
        f"[dependencies]\n{CRATE} = {wanted}\n\n"
        "[workspace]\n"  # of its own: it lies below the project
    )
    return {"Cargo.toml": manifest, "Cargo.lock": _render_lock(), "src/lib.rs": ""}


def _render_lock() -> str:
    tables = [_render_locked(name, version, needs, checksum) for name, version, checksum, needs in _CHECKSUMS]
    tables.insert(3, _render_locked(_PACKAGE, "0.0.0", (CRATE,)))
    return "version = 4\n\n" + "\n".join(tables)


def _render_locked(name: str, version: str, needs: tuple[str, ...], checksum: str | None = None) -> str:
    lines = ["[[package]]", f'name = "{name}"', f'version = "{version}"']
    if checksum is not None:
        lines += [f'source = "{_REGISTRY}"', f'checksum = "{checksum}"']
    if needs:
        lines += ["dependencies = [", *(f' "{need}",' for need in needs), "]"]
    return "".join(f"{line}\n" for line in lines)


def build_argv(cargo: Path, *, package: Path, target: str, target_directory: Path) -> tuple[str, ...]:
    """The call of cargo that compiles it and names the archive."""
    settings = BuildSettings(
        manifest=package / "Cargo.toml",
        packages=(),
        target=target,
        target_directory=target_directory,
        cargo_profile="release",
        config=(("profile.release.opt-level", "3"), ("profile.release.debug", "false")),
        locked=True,
    )
    return make_build_argv(str(cargo), settings)


def find_archive(messages: bytes) -> Path | None:
    """The archive, as cargo's JSON names it; None if it does not."""
    for message in map(parse_message, messages.splitlines()):
        if isinstance(message, BuildScriptExecuted) and short_package_name(message.package_id) == CRATE:
            return None if message.out_dir is None else message.out_dir / ARCHIVE
    return None
