"""Objects that are linked into instrumented builds: how rustc compiles and links them.

They are written in Rust without its library: rustc is always available, and a C compiler may not be.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

EMPTY_ARCHIVE = b"!<arch>\n"
"""What every linker accepts as an archive without members, and links nothing from."""


class ObjectForm(StrEnum):
    """What a source is compiled to."""

    OBJECT = "object"
    """What a program is linked with."""
    SHARED = "shared"
    """A library that a program loads when it starts."""


def compile_argv(
    rustc: Path, *, crate: str, target: str, source: Path, output: Path, form: ObjectForm = ObjectForm.OBJECT
) -> tuple[str, ...]:
    """The argv that compiles a source."""
    kind = {
        ObjectForm.OBJECT: ("--crate-type=lib", "--edition=2021", "--emit=obj"),
        ObjectForm.SHARED: ("--crate-type=cdylib", "--edition=2021"),
    }[form]
    argv = [str(rustc), f"--crate-name={crate}", *kind]
    return (*argv, "-Copt-level=2", "-Cpanic=abort", "--target", target, "-o", str(output), str(source))


def link_flag(path: Path) -> str:
    """The flag for rustc that links the object into a program."""
    return f"-Clink-arg={path}"
