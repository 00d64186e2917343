"""Search for an llvm-profdata of rustc's LLVM major: the formats of raw and merged profiles change with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from optbuild.execution.command import ProgramNotFoundError
from optbuild.text import last_lines, sanitize_line
from optbuild.toolchain.lookup import Inquiry, find_program, is_program, output_text
from optbuild.toolchain.model import SearchedPlace, Tool
from optbuild.tools import llvm_profdata

VARIABLE = "LLVM_PROFDATA"
"""The environment variable that names the tool explicitly; it is tried first."""

NOT_THERE = "not there"


VERSIONED_DIRECTORIES = (
    "/usr/lib/llvm-{major}/bin",  # Debian, Ubuntu
    "/usr/lib64/llvm{major}/bin",  # Fedora
    "/usr/lib/llvm{major}/bin",  # Alpine
    "/usr/lib/llvm/{major}/bin",  # Gentoo
    "/opt/homebrew/opt/llvm@{major}/bin",
    "/usr/local/opt/llvm@{major}/bin",  # Homebrew on Intel
)
"""Where systems install an LLVM of a given major."""


def list_places(major: int, *, sysroot: Path, host: str, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The places to look in, in order; a bare name means a search of `PATH`."""
    named = [Path(environ[VARIABLE])] if environ.get(VARIABLE) else []
    return (
        *named,
        sysroot / "lib" / "rustlib" / host / "bin" / "llvm-profdata",
        Path(f"llvm-profdata-{major}"),
        *(Path(directory.format(major=major)) / "llvm-profdata" for directory in VERSIONED_DIRECTORIES),
        Path("llvm-profdata"),
    )


def search_llvm_profdata(
    major: int, places: tuple[Path, ...], inquiry: Inquiry
) -> tuple[Tool | None, tuple[SearchedPlace, ...]]:
    """Take the first tool of the LLVM major; also return what every place up to it had.

    Raises:
        InterruptedRunError: A signal arrived.
    """
    searched: list[SearchedPlace] = []
    for place in places:
        tool, candidate = _examine_place(place, inquiry)
        searched.append(candidate)
        if tool is not None and tool.llvm_major == major:
            return tool, tuple(searched)
    return None, tuple(searched)


def _examine_place(place: Path, inquiry: Inquiry) -> tuple[Tool | None, SearchedPlace]:
    if os.sep in str(place):
        path = inquiry.directory / place
        if not is_program(path):
            return None, SearchedPlace(path=path, outcome="not a program" if path.exists() else NOT_THERE)
    else:
        found = find_program(str(place), inquiry.environ)
        if found is None:
            return None, SearchedPlace(path=place, outcome="not on PATH")
        path = found
    try:
        answer = inquiry.ask(llvm_profdata.version_argv(path))
    except ProgramNotFoundError as error:
        return None, SearchedPlace(path=path, outcome=f"cannot run: {error.reason}")
    try:
        version = llvm_profdata.parse_version(output_text(answer))
    except ValueError as error:
        reason = sanitize_line(last_lines(answer.stderr, 1)) or str(error)
        return None, SearchedPlace(path=path, outcome=f"cannot run: {reason}")
    if version.major is None:
        return None, SearchedPlace(path=path, outcome=f"Apple LLVM {version.version}, which counts differently")
    tool = Tool(name="llvm-profdata", path=path, version=version.version, llvm_major=version.major)
    return tool, SearchedPlace(path=path, outcome=f"LLVM {version.major}")
