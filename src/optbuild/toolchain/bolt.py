"""Search for LLVM's BOLT of rustc's LLVM major: it has to read what that LLVM generates.

Debian's package `bolt` is another program, which manages Thunderbolt devices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from optbuild.execution.command import ProgramNotFoundError
from optbuild.text import last_lines, sanitize_line
from optbuild.toolchain import search
from optbuild.toolchain.lookup import Inquiry, find_program, is_program, output_text
from optbuild.toolchain.model import BoltTools, SearchedPlace, Tool
from optbuild.tools import llvm_bolt

VARIABLE = "LLVM_BOLT"
"""The environment variable that names the tool explicitly; it is tried first."""

_RUNTIME = Path("lib") / "libbolt_rt_instr.a"


def search_bolt(
    major: int, inquiry: Inquiry, *, sysroot: Path, host: str
) -> tuple[BoltTools | None, tuple[SearchedPlace, ...]]:
    """Take the first BOLT of the LLVM major that is complete; also return what every place up to it had.

    Args:
        major: The LLVM major.
        inquiry: Asks the programs.
        sysroot: Of rustc, whose `llvm-tools` have all but BOLT itself.
        host: The triple that rustc runs on.

    Raises:
        InterruptedRunError: A signal arrived.
    """
    searched: list[SearchedPlace] = []
    for path in _places(major, inquiry.environ):
        tool, outcome = _examine(path, major, inquiry)
        tools, lacking = (None, None) if tool is None else _complete(tool, sysroot, host, inquiry.environ)
        searched.append(
            SearchedPlace(path=path, outcome=outcome if lacking is None else f"{outcome}, but no {lacking}")
        )
        if tools is not None:
            return tools, tuple(searched)
    return None, tuple(searched)


def _places(major: int, environ: Mapping[str, str]) -> Iterator[Path]:
    """Files, with links resolved: an older BOLT finds its runtime only from where it lies."""
    if environ.get(VARIABLE):
        yield Path(environ[VARIABLE])
    on_path = (find_program(name, environ) for name in (f"llvm-bolt-{major}", "llvm-bolt"))
    places = (Path(directory.format(major=major)) / "llvm-bolt" for directory in search.VERSIONED_DIRECTORIES)
    yield from dict.fromkeys(path.resolve() for path in (*on_path, *places) if path is not None)


def _examine(path: Path, major: int, inquiry: Inquiry) -> tuple[Tool | None, str]:
    """The tool, if it is of the wanted LLVM, and what there is."""
    path = inquiry.directory / path
    if not is_program(path):
        return None, "not a program" if path.exists() else search.NOT_THERE
    try:
        answer = inquiry.ask(llvm_bolt.version_argv(path))
        version, found = llvm_bolt.parse_version(output_text(answer))
    except ProgramNotFoundError as error:
        return None, f"cannot run: {error.reason}"
    except ValueError as error:
        return None, f"cannot run: {sanitize_line(last_lines(answer.stderr, 1)) or error}"
    tool = Tool(name="llvm-bolt", path=path, version=version, llvm_major=found)
    return (tool if found == major else None), f"LLVM {found}"


def _complete(tool: Tool, sysroot: Path, host: str, environ: Mapping[str, str]) -> tuple[BoltTools | None, str | None]:
    """BOLT with the tools that it needs, or the name of the first one that is missing."""
    own = tool.path.parent
    directories = (own, sysroot / "lib" / "rustlib" / host / "bin")
    found: dict[str, Path] = {}
    for name in ("merge-fdata", "llvm-objcopy", "llvm-strip"):
        paths = (directory / name for directory in directories)
        place = next(filter(is_program, paths), None) or find_program(f"{name}-{tool.llvm_major}", environ)
        if place is None:
            return None, name
        found[name] = place
    if not (own.parent / _RUNTIME).is_file():
        return None, _RUNTIME.name
    tools = BoltTools(
        bolt=tool,
        merge_fdata=found["merge-fdata"],
        objcopy=found["llvm-objcopy"],
        strip=found["llvm-strip"],
    )
    return tools, None
