"""What only a nightly toolchain does: `-Z` flags, and code that another backend than LLVM generates.

Sources:
    The Rustc Book, "Codegen Backend": https://doc.rust-lang.org/unstable-book/compiler-flags/codegen-backend.html
    cargo 1.95, `src/cargo/core/features.rs` (`channel`), for RUSTC_BOOTSTRAP
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

LLVM = "llvm"
"""rustc's own backend, the only one that instruments programs and uses counts."""
LLVM_FLAG = f"-Zcodegen-backend={LLVM}"
_BACKEND = re.compile(r"codegen[-_]backend=(?P<name>.+)", re.DOTALL)
BOOTSTRAP = "RUSTC_BOOTSTRAP"
"""The variable that makes a stable toolchain accept them."""
_CHANNELS = ("-nightly", "-dev")


def accepts_unstable(release: str, environ: Mapping[str, str]) -> bool:
    """Whether a rustc and its cargo accept `-Z` flags.

    Args:
        release: Such as `1.97.0-nightly`.
        environ: The environment that cargo runs in.
    """
    return any(channel in release for channel in _CHANNELS) or bool(environ.get(BOOTSTRAP))


def find_unstable(words: Iterable[str]) -> tuple[str, ...]:
    """The `-Z` options among words for rustc or cargo, each without its `-Z`, which may be a word of its own."""
    rest = iter(words)
    return tuple(word[2:] or next(rest, "") for word in rest if word.startswith("-Z"))


def find_backend(flags: Iterable[str], configured: str | None) -> str:
    """What generates the code of a program: a name such as `llvm`, or the path of a library.

    Args:
        flags: All rustflags, in order: the last one decides.
        configured: What the Cargo profile names.
    """
    named = [match["name"] for option in find_unstable(flags) if (match := _BACKEND.fullmatch(option)) is not None]
    return named[-1] if named else configured or LLVM


def backend_pattern(sysroot: Path, host: str, backend: str) -> tuple[Path, str]:
    """Where rustc looks for a backend that is named: a directory, and a pattern for the file."""
    return sysroot / "lib" / "rustlib" / host / "codegen-backends", f"*rustc_codegen_{backend}*"
