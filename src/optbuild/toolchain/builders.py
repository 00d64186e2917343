"""Look for a builder: its program on PATH or next to optbuild's, its version, and whether it finds what it needs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from optbuild.execution.command import ProgramNotFoundError
from optbuild.text import last_lines, sanitize_line
from optbuild.toolchain.lookup import Inquiry, find_program, is_program, output_text
from optbuild.toolchain.model import FoundBuilder, Tool
from optbuild.tools.builders import AUDITOR, BUILDERS, CONTAINER_ENGINE, INSTALL_AUDITOR, RUSTUP, Builder, BuilderName
from optbuild.tools.wheels import tag_of_interpreter

_VERSION = re.compile(r"\d+\.\d+\S*")
_ENGINES = ("docker", "podman")
_START_ENGINE = "install docker or podman and start it, until it answers: docker info"
_DEFAULT_PYTHON = ("python3",)
_ZIG_PYTHON = "CARGO_ZIGBUILD_PYTHON_PATH"


def discover_builder(
    name: BuilderName,
    glibc: str | None,
    inquiry: Inquiry,
    interpreters: tuple[str, ...] = (),
    *,
    auditable: bool = False,
) -> FoundBuilder:
    """Find a builder; what is wrong with it is said in the result.

    Args:
        name: Its row.
        glibc: The version of glibc to link with.
        inquiry: Asks it.
        interpreters: The Pythons to build wheels for; by default `python3`.
        auditable: cargo-auditable shall embed the list of dependencies.

    Raises:
        InterruptedRunError: A signal arrived.
    """
    row = BUILDERS[name]
    found = FoundBuilder(name=name, glibc=glibc)
    if row.program is None:
        return _with_auditor(found, inquiry) if auditable else found
    if row.target_mount is not None:
        engine, problem = _find_engine(inquiry)
        if problem is not None:
            return replace(found, problem=problem, remedy=_START_ENGINE)
        found = replace(found, engine=engine)
    path = _find(row.program, inquiry.environ)
    if path is None:
        return replace(found, problem=f"{row.program} was not found on PATH")
    if not row.version_argv:
        return replace(found, tool=Tool(name=row.program, path=path, version="unknown"), env=_to_guard(inquiry.environ))
    env = _variables(path, inquiry.environ)
    asking = replace(inquiry, environ={**inquiry.environ, **env})
    version, problem = _ask(path, row.version_argv, asking)
    tool = Tool(name=row.program, path=path, version=version)
    if problem is None and row.works_argv:
        problem = _why_it_does_not_work(path, row, asking)
    if problem is None and row.makes_wheels:
        pythons = {each: _find_named(each, inquiry) for each in interpreters or _DEFAULT_PYTHON}
        missing = [each for each, python in pythons.items() if python is None]
        problem = f"the interpreter {sanitize_line(missing[0])} was not found on PATH" if missing else None
        if problem is None and len(pythons) > 1:
            problem = _why_untold(*pythons.values())
        found = replace(found, interpreters=tuple(python for python in pythons.values() if python is not None))
    return replace(found, tool=tool, env=env, problem=problem)


def _with_auditor(found: FoundBuilder, inquiry: Inquiry) -> FoundBuilder:
    path = find_program(AUDITOR, inquiry.environ)
    if path is None:
        return replace(found, problem=f"{AUDITOR} was not found on PATH", remedy=INSTALL_AUDITOR)
    # It has no option for its version.
    return replace(found, auditor=Tool(name=AUDITOR, path=path, version="unknown"))


def _find(program: str, environ: Mapping[str, str]) -> Path | None:
    """On PATH, or where `pip install` puts programs for the Python that runs optbuild."""
    beside = Path(sys.executable).parent / program
    return find_program(program, environ) or (beside if is_program(beside) else None)


def _why_untold(first: Path | None, *_others: Path | None) -> str | None:
    """Why it would not be known which of several wheels trains and measures."""
    if first is None or tag_of_interpreter(first) is not None:
        return None
    return f"the name of {sanitize_line(str(first))} does not say its version: name it as in python3.12"


def _find_engine(inquiry: Inquiry) -> tuple[Path | None, str | None]:
    """What would start the builder's container, or why none can be started."""
    named = inquiry.environ.get(CONTAINER_ENGINE)
    names = (named,) if named else _ENGINES
    path = next((path for name in names if (path := _find_named(name, inquiry)) is not None), None)
    if path is None:
        return None, f"no container engine is here: {' and '.join(map(sanitize_line, names))} not on PATH"
    try:
        answer = inquiry.ask((str(path), "info"))
    except ProgramNotFoundError as error:
        return None, f"{path} cannot be run: {error.reason}"
    if answer.exit_code == 0:
        return path, None
    said = sanitize_line(last_lines(answer.stderr, 1))
    return None, f"the container engine {path.name} does not answer: {said}"


def _find_named(name: str, inquiry: Inquiry) -> Path | None:
    """A program by its path or its name."""
    if os.sep in name:
        path = inquiry.directory / name
        return path if is_program(path) else None
    return find_program(name, inquiry.environ)


def _to_guard(environ: Mapping[str, str]) -> dict[str, str]:
    """What a plan needs to put a stand-in before rustup, where there is a rustup."""
    rustup = find_program("rustup", environ)
    return {} if rustup is None else {RUSTUP: str(rustup), "PATH": environ.get("PATH", "")}


def _variables(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The Python next to a program, which has the packages that were installed with it."""
    python = path.parent / "python3"
    return {_ZIG_PYTHON: str(python)} if _ZIG_PYTHON not in environ and is_program(python) else {}


def _ask(path: Path, argv: tuple[str, ...], inquiry: Inquiry) -> tuple[str, str | None]:
    try:
        answer = inquiry.ask((str(path), *argv))
    except ProgramNotFoundError as error:
        return "unknown", f"{path} cannot be run: {error.reason}"
    version = _VERSION.search(output_text(answer))
    if answer.exit_code != 0 or version is None:
        return "unknown", f"{path} does not say its version"
    return version.group(), None


def _why_it_does_not_work(path: Path, row: Builder, inquiry: Inquiry) -> str | None:
    try:
        answer = inquiry.ask((str(path), *row.works_argv))
    except ProgramNotFoundError as error:
        return f"{path} cannot be run: {error.reason}"
    if answer.exit_code == 0:
        return None
    said = sanitize_line(last_lines(answer.stderr.partition(os.linesep.encode())[0], 1))
    return f"{path.name} cannot use {row.lacks}: {said}"
