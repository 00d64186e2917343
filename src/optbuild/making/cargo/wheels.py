"""The wheels that a builder has made: checked, and the library in the first one taken for evidence and comparison.

What is proved is what ships: the bytes in the wheel, not the file that cargo has left.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optbuild.errors import BuildError
from optbuild.files import atomic_write, writing
from optbuild.making.cargo.products import Products
from optbuild.plan.kinds.compile import Compile
from optbuild.tools.builders import wheels_in
from optbuild.tools.wheels import WHEEL, find_wheel_faults, hold_the_same, name_wheels, read_extension
from optbuild.workloads.words import is_wheel


def forget_wheels(action: Compile) -> None:
    """Delete the wheels of an earlier call: one with another name would be taken for a new one."""
    directory = wheels_in(action.cargo_target)
    if not directory.is_dir():
        return
    for path in directory.iterdir():
        with writing(path):
            path.unlink()


def take_wheels(action: Compile, products: Products, log: Path) -> Mapping[str, Path]:
    """Check the wheels, and put the library of the first one where the library that cargo named was.

    Args:
        action: What was built.
        products: What cargo has named; the library's file is replaced.
        log: Where all is kept that was said.

    Returns:
        The wheels by name: the first one is that of the interpreter which trains and measures.

    Raises:
        BuildError: There is no wheel, or its RECORD is wrong, or it does not hold one library.
        StorageError: The library cannot be written.
    """
    directory = wheels_in(action.cargo_target)
    paths = sorted(path for path in directory.iterdir() if is_wheel(path.name)) if directory.is_dir() else []
    if not paths:
        raise _failed(action, f"{action.builder} has made no wheel", log)
    named = name_wheels(paths, action.python_tag)
    (library,) = action.recipe.libs
    try:
        for path in paths:
            if faults := find_wheel_faults(path):
                raise _failed(action, f"{path.name}: {faults[0]}", log)
        content = read_extension(named[WHEEL], library.removeprefix("lib").partition(".")[0])
    except ValueError as error:
        raise _failed(action, str(error), log) from error
    extracted = directory / library
    atomic_write(extracted, content)
    products.files[library] = extracted
    return {name: _kept_if_same(path, action) for name, path in named.items()}


def _kept_if_same(path: Path, action: Compile) -> Path:
    """The wheel of an earlier build if this one holds the same: its results are then still those of this build."""
    kept = action.directory / path.name
    return kept if kept.is_file() and hold_the_same(path, kept) else path


def _failed(action: Compile, message: str, log: Path) -> BuildError:
    return BuildError(
        f"{action.label}: {message}",
        help="see what the builder says in the log that is named here",
        location=str(log),
    )
