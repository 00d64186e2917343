"""Objects that are linked into instrumented builds: how rustc compiles and links them.

They are written in Rust without its library: rustc is always available, and a C compiler may not be.
"""

from __future__ import annotations

from pathlib import Path

EMPTY_ARCHIVE = b"!<arch>\n"
"""What every linker accepts as an archive without members, and links nothing from."""


def compile_argv(rustc: Path, *, crate: str, target: str, source: Path, output: Path) -> tuple[str, ...]:
    """The argv that compiles a source to an object file."""
    argv = [str(rustc), f"--crate-name={crate}", "--crate-type=lib", "--edition=2021", "--emit=obj"]
    return (*argv, "-Copt-level=2", "-Cpanic=abort", "--target", target, "-o", str(output), str(source))


def link_flag(path: Path) -> str:
    """The flag for rustc that links the object into a program."""
    return f"-Clink-arg={path}"
