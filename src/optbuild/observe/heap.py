"""Record what a workload allocates, below valgrind's DHAT: nothing in the program is changed for it.

DHAT sees calls of malloc in shared libraries only. `find_hidden` says where it cannot see any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.errors import WorkloadError
from optbuild.execution.command import Command, ConcurrentExecutor
from optbuild.execution.signals import describe_ending
from optbuild.observe.sites import AllocationSite, Expand, find_sites, join_sites
from optbuild.observe.wrapping import WrappingExecutor, with_patience
from optbuild.text import sanitize_line
from optbuild.tools import dhat, symbolizer
from optbuild.tools.dhat import DhatProfile, Frame
from optbuild.tools.symbolizer import NamedFunction
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.programs import Place
from optbuild.workloads.running import run_workload, set_up

SLOWDOWN = 60.0
"""Roughly how many times longer a program takes below DHAT at most."""

_OUTPUT = "dhat"
_LOAD_ADDRESSES = (0x108000, 0x0, 0x400000)
"""Where valgrind puts a position-independent program, and where others are linked to be."""
_MAIN = "main"
_LIBRARY = "a shared library"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapRecording:
    """What a workload's programs have allocated.

    Attributes:
        sites: Of the project's own programs.
        processes: How many of them ran.
        left_out: Other programs that ran, such as a shell.
        own_blocks: Blocks that code of the programs themselves asked for.
    """

    sites: tuple[AllocationSite, ...]
    processes: int
    left_out: tuple[str, ...]
    own_blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapRecorder:
    """Records workloads below DHAT.

    Attributes:
        valgrind: The program.
        symbolizer: Names inlined functions; None leaves that to valgrind, which knows few of them.
        sources: The project's directory, which locations are shown without.
        directory: Where DHAT's files go; it is there.
    """

    executor: ConcurrentExecutor
    valgrind: Path
    symbolizer: Path | None
    sources: Path
    environ: Mapping[str, str]
    directory: Path

    def record(self, workload: Invocation, place: Place) -> HeapRecording:
        """Run a workload once and read what its programs have allocated.

        Raises:
            WorkloadError: It failed, or ended in a way in which DHAT writes nothing.
            WorkloadTimeoutError: It took longer than its timeout, many times extended.
        """
        self._remove_files()
        executor = WrappingExecutor(executor=self.executor, wrap=self._wrap, place=place, kind=workload.kind)
        patient = with_patience(workload, SLOWDOWN)
        try:
            with set_up(self.executor, patient, place):
                run_workload(executor, patient, place)
        except WorkloadError as error:
            error.message += ", run by valgrind"
            if any(describe_ending(-number) in error.message for number in (4, 11)):
                error.help = "valgrind lacks some instructions: look at a variant without `target-cpu`"
            raise
        finally:
            place.remove_output()
        recording = self._read(place.binaries)
        self._remove_files()
        if not recording.processes:
            raise WorkloadError(
                f"workload {sanitize_line(workload.name)!r} runs none of the programs that are built here, or they "
                "ended in a way in which valgrind writes nothing",
                help="let its command start {bin}, and let that end by itself",
                location=str(workload.cwd),
            )
        return recording

    def _wrap(self, command: Command) -> Command:
        argv = dhat.make_heap_argv(
            str(self.valgrind),
            self.directory / _OUTPUT,
            command.argv,
            expands_inlined=self.symbolizer is None,
        )
        return replace(command, argv=argv)

    def _files(self) -> list[Path]:
        return sorted(self.directory.glob(f"{_OUTPUT}.*"))

    def _remove_files(self) -> None:
        for path in self._files():
            path.unlink()

    def _read(self, binaries: Mapping[str, Path]) -> HeapRecording:
        groups, left_out, own_blocks = [], [], 0
        for path in self._files():
            try:
                profile = dhat.parse_profile(path.read_bytes())
            except ValueError:
                continue  # of a process that was killed while it wrote
            binary = _find_binary(profile.command, binaries.values())
            if binary is None:
                left_out.append(profile.command.partition(" ")[0])
                continue
            sites = find_sites(profile, self._expand(profile, binary))
            groups.append(sites)
            own_blocks += sum(site.blocks for site in sites if site.stack)
        return HeapRecording(
            sites=join_sites(groups),
            processes=len(groups),
            left_out=tuple(dict.fromkeys(left_out)),
            own_blocks=own_blocks,
        )

    def _expand(self, profile: DhatProfile, binary: Path) -> Expand:
        """Names the functions at an address of the program, inlined ones included."""
        if self.symbolizer is None:
            return lambda frame: (frame,)
        frames = [frame for frame in map(dhat.parse_frame, profile.frames) if frame is not None]
        named = self._name(binary, {frame.address for frame in frames})
        base = find_load_address(frames, named)
        if base is None:
            return lambda frame: (frame,)
        return lambda frame: tuple(self._expand_frame(frame, named.get(frame.address - base, ())))

    def _expand_frame(self, frame: Frame, functions: tuple[NamedFunction, ...]) -> Iterator[Frame]:
        """All functions at the address of a frame; what is not in the program is in a shared library."""
        if not functions or not functions[-1].function:
            yield replace(frame, file=None, line=None, object=frame.object or _LIBRARY)
            return
        for each in functions:
            file = each.file
            if file is not None and Path(file).is_relative_to(self.sources):
                file = str(Path(file).relative_to(self.sources))
            yield Frame(address=frame.address, function=each.function, file=file, line=each.line)

    def _name(self, binary: Path, addresses: Iterable[int]) -> Mapping[int, tuple[NamedFunction, ...]]:
        """The functions at addresses, wherever the program may have been loaded."""
        assert self.symbolizer is not None  # noqa: S101 - for mypy: it is only called with one
        asked = self.directory / "addresses"
        offsets = sorted({address - base for base in _LOAD_ADDRESSES for address in addresses if address >= base})
        asked.write_text("".join(f"{offset:#x}\n" for offset in offsets))
        argv = symbolizer.make_argv(self.symbolizer, binary)
        command = Command(argv=argv, cwd=self.directory, env=self.environ, stdin=asked, timeout_s=600)
        completed = self.executor.run(command)
        return symbolizer.parse_names(completed.stdout.decode("utf-8", "replace"))


def find_load_address(frames: Iterable[Frame], named: Mapping[int, tuple[NamedFunction, ...]]) -> int | None:
    """Where a program was loaded: the address by which what valgrind calls `main` has that name."""
    mains = [frame.address for frame in frames if frame.function == _MAIN]
    for base in _LOAD_ADDRESSES:
        if mains and all((found := named.get(main - base)) and found[-1].function == _MAIN for main in mains):
            return base
    return None


def _find_binary(command: str, binaries: Iterable[Path]) -> Path | None:
    """Which of the programs a process ran: DHAT has its command line with blanks between the words."""
    return next((path for path in binaries if command == str(path) or command.startswith(f"{path} ")), None)
