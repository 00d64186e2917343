"""`optbuild heap --from FILE`: what a program allocated, by a file that it wrote itself or that a tool wrote about it.

Nothing is built or run, except zstd where such a file is compressed with it.
"""

from __future__ import annotations

import gzip
import io
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from optbuild import __version__
from optbuild.errors import ToolchainError, UsageError
from optbuild.execution.command import Command
from optbuild.observe.points import points_of_dhat, points_of_heaptrack
from optbuild.observe.sites import AllocationSite, compare_sites, find_sites, total_of
from optbuild.record.heap import HeapDocument, HeapOfWorkload, HeapTool
from optbuild.session.request import Machine
from optbuild.toolchain.lookup import find_program
from optbuild.tools import dhat, heaptrack

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_UNITS = {"instrs": "{} instructions", "µs": "{} µs"}
_UNZIPPING_S = 1800.0


def words_of(time_unit: str, short_lived: int) -> str:
    """How long a block of DHAT may live and still is short-lived."""
    return _UNITS.get(time_unit, f"{{}} {time_unit}").format(short_lived)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What is in one file."""

    tool: HeapTool
    short_lived: str | None
    sites: tuple[AllocationSite, ...]


def read_heap(file: Path, base: Path | None, machine: Machine) -> HeapDocument:
    """What is in a file of DHAT, of the crate `dhat` or of heaptrack.

    Args:
        file: The file.
        base: Another one of the same tool that it is compared with.
        machine: Where a relative path begins.

    Raises:
        UsageError: A file is missing, is of no such tool, or the two are of different ones.
        ToolchainError: It is compressed, and nothing here reads that.
    """
    read = _load(machine.working_directory / file, machine)
    before = None if base is None else _load(machine.working_directory / base, machine)
    if before is not None and before.tool is not read.tool:
        raise UsageError(
            f"{file} is of {read.tool}, and {base} of {before.tool}: they do not count the same",
            help="write both files with the same tool",
        )
    return HeapDocument(
        optbuild_version=__version__,
        tool=read.tool,
        variant=None,
        base=None,
        files=tuple(str(each) for each in (file, base) if each is not None),
        short_lived=read.short_lived,
        allocator=None,
        workloads=(
            HeapOfWorkload(
                workload=None,
                total=total_of(read.sites),
                base_total=None if before is None else total_of(before.sites),
                sites=read.sites,
                differences=() if before is None else compare_sites(before.sites, read.sites),
            ),
        ),
    )


def _load(path: Path, machine: Machine) -> _Read:
    try:
        with _opened(path, machine) as file:
            if file.peek(1)[:1] == b"v":
                logged = heaptrack.parse_profile(file)
                sites = find_sites(points_of_heaptrack(logged))
                return _Read(tool=HeapTool.HEAPTRACK, short_lived=None, sites=sites)
            counted = dhat.parse_profile(file.read())
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}",
            help="name a file that valgrind's DHAT, the crate dhat or heaptrack has written",
            location=str(path),
        ) from error
    except (ValueError, EOFError, zlib.error) as error:
        raise UsageError(
            f"{path} cannot be used: {error}",
            help="write one with `valgrind --tool=dhat PROGRAM`, with the crate dhat in heap mode, or with "
            "`heaptrack PROGRAM`",
            location=str(path),
        ) from error
    return _Read(
        tool=HeapTool.CRATE if counted.mode.startswith("rust-") else HeapTool.DHAT,
        short_lived=words_of(counted.time_unit, counted.short_lived) if counted.knows_lifetimes else None,
        sites=find_sites(points_of_dhat(counted)),
    )


@contextmanager
def _opened(path: Path, machine: Machine) -> Iterator[io.BufferedReader | gzip.GzipFile]:
    """A file, uncompressed."""
    with path.open("rb") as file:
        beginning = file.peek(len(_ZSTD))
        if beginning.startswith(_GZIP):
            with gzip.open(file) as unzipped:
                yield unzipped
        elif beginning.startswith(_ZSTD):
            with tempfile.TemporaryDirectory(prefix="optbuild-") as scratch:
                text = Path(scratch) / "text"
                _unzip(path, text, machine)
                with text.open("rb") as unzipped_file:
                    yield unzipped_file
        else:
            yield file


def _unzip(path: Path, output: Path, machine: Machine) -> None:
    program = find_program("zstd", machine.environ)
    if program is None:
        raise ToolchainError(
            f"{path.name} is compressed with zstd, which is not on PATH",
            help="install it with the system's package manager, as in: apt-get install zstd",
            location=str(path),
        )
    argv = (str(program), "--decompress", "--stdout", "--quiet", str(path.absolute()))
    command = Command(argv=argv, cwd=output.parent, env=dict(machine.environ), stdout=output, timeout_s=_UNZIPPING_S)
    if machine.executor.run(command).exit_code != 0:
        raise ValueError("it is damaged or cut short: zstd cannot read it")
