"""Observe what programs allocate, below valgrind's DHAT or with heaptrack: nothing in a program is changed for it.

Both see only calls of malloc and its like that go to a shared library; `tools/allocators` knows what hides them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.errors import WorkloadError
from optbuild.execution.command import Command, Executor
from optbuild.observe.inlining import InlineResolver
from optbuild.observe.observer import ORDERLY
from optbuild.observe.points import points_of_dhat, points_of_heaptrack, shorten
from optbuild.observe.sites import AllocationSite, find_sites, join_sites
from optbuild.text import last_lines
from optbuild.tools import dhat, heaptrack
from optbuild.tools.addr2line import Place as SourcePlace
from optbuild.tools.dhat import DhatProfile
from optbuild.tools.heap_frame import Frame
from optbuild.tools.heaptrack import Heaptrack, HeaptrackProfile

HEAP_SLOWDOWN = 60.0
"""Roughly how many times longer a program takes below DHAT at most."""
_HEAPTRACK_SLOWDOWN = 20.0
_NAMING_S = 1800.0

_LOAD_ADDRESSES = (0x108000, 0x0)
"""Where valgrind puts a position-independent program; another one is where its file says."""
_MAIN = "main"
_LIBRARY = "a shared library"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapObserver:
    """Records every allocation of a program and of what it starts.

    Attributes:
        path: Where valgrind is.
        names_inlined: Let valgrind name inlined functions, of which it knows few; another tool knows more.
    """

    path: Path
    names_inlined: bool = False

    @property
    def name(self) -> str:
        """See `Observer`."""
        return "DHAT"

    @property
    def slowdown(self) -> float:
        """See `Observer`."""
        return HEAP_SLOWDOWN

    @property
    def stop_signals(self) -> frozenset[int]:
        """See `Observer`."""
        return ORDERLY

    def wrap(self, command: Command, output: Path) -> Command:
        """See `Observer`."""
        argv = dhat.make_heap_argv(str(self.path), output, command.argv, names_inlined=self.names_inlined)
        return replace(command, argv=argv)

    def read(self, output: Path) -> tuple[DhatProfile, ...]:
        """See `Observer`. One profile for each process; one that was killed has written none, or half of one."""
        found = []
        for path in sorted(output.parent.glob(f"{output.name}.*")):
            try:
                found.append(dhat.parse_profile(path.read_bytes()))
            except ValueError:
                continue
        if not found:
            raise WorkloadError(
                "valgrind wrote nothing, because of how the program ended",
                help="let it end by itself, or by the signal in `stop-signal`",
            )
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaptrackObserver:
    """Logs every allocation of the program that a command is, but not of those that it starts.

    Attributes:
        heaptrack: Where its parts are.
    """

    executor: Executor
    environ: Mapping[str, str]
    heaptrack: Heaptrack

    @property
    def name(self) -> str:
        """See `Observer`."""
        return "heaptrack"

    @property
    def slowdown(self) -> float:
        """See `Observer`."""
        return _HEAPTRACK_SLOWDOWN

    @property
    def stop_signals(self) -> frozenset[int]:
        """See `Observer`."""
        return ORDERLY

    def wrap(self, command: Command, output: Path) -> Command:
        """See `Observer`."""
        return replace(command, env=heaptrack.make_variables(self.heaptrack, output, command.env))

    def read(self, output: Path) -> tuple[HeaptrackProfile, ...]:
        """See `Observer`. The functions are named now, while the program's file is still there."""
        if not output.is_file() or not output.stat().st_size:
            raise WorkloadError(
                "heaptrack saw nothing of the program: another one starts it, or it ended before anything was written",
                help="let the workload's command be {bin} itself, or count with valgrind: --tool dhat",
            )
        named = output.with_name(f"{output.name}.named")
        command = Command(
            argv=(str(self.heaptrack.interpreter),),
            cwd=output.parent,
            env={**self.environ, "LC_ALL": "C", "DEBUGINFOD_URLS": ""},  # nothing is fetched from a network
            stdin=output,
            stdout=named,
            timeout_s=_NAMING_S,
        )
        completed = self.executor.run(command)
        try:
            with named.open("rb") as lines:
                found = heaptrack.parse_profile(lines)
        except ValueError as error:
            raise WorkloadError(
                f"what heaptrack logged cannot be used: {error}",
                help="count with valgrind instead: --tool dhat",
                detail=last_lines(completed.stderr),
            ) from error
        return (found,)


HeapProfile = DhatProfile | HeaptrackProfile
"""What was counted of one process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocations:
    """What the programs of a workload have allocated in one run.

    Attributes:
        sites: Of the project's own programs.
        processes: How many of those ran.
        left_out: Other programs that ran, such as a shell.
        own_blocks: How many blocks code of the programs themselves has asked for.
    """

    sites: tuple[AllocationSite, ...]
    processes: int
    left_out: tuple[str, ...]
    own_blocks: int


def find_allocations(
    profiles: Iterable[HeapProfile], binaries: Iterable[Path], resolver: InlineResolver, sources: Path
) -> Allocations:
    """From the profiles of processes to the places in the source that allocate.

    Args:
        profiles: Of all processes that ran.
        binaries: The project's programs, where they ran; other processes are left out.
        resolver: Names the functions at addresses.
        sources: The directory that locations are shown without.
    """
    groups, left_out = [], []
    programs = tuple(binaries)
    for profile in profiles:
        binary = _find_binary(profile.command, programs)
        if binary is None:
            left_out.append(profile.command.partition(" ")[0])
            continue
        groups.append(_find_sites(profile, binary, resolver, sources))
    sites = join_sites(groups)
    return Allocations(
        sites=sites,
        processes=len(groups),
        left_out=tuple(dict.fromkeys(left_out)),
        own_blocks=sum(site.blocks for site in sites if site.stack),
    )


def _find_sites(
    profile: HeapProfile, binary: Path, resolver: InlineResolver, sources: Path
) -> tuple[AllocationSite, ...]:
    if isinstance(profile, HeaptrackProfile):
        return find_sites(points_of_heaptrack(profile, sources))
    frames = [frame for frame in map(dhat.parse_frame, profile.frames) if frame is not None]
    offsets = {frame.address - base for base in _LOAD_ADDRESSES for frame in frames if frame.address >= base}
    places = resolver.locate(binary, frozenset(offsets))
    base = find_load_address(frames, places)
    if base is None:
        return find_sites(points_of_dhat(profile))
    return find_sites(
        points_of_dhat(profile, lambda frame: tuple(_expand(frame, places.get(frame.address - base, ()), sources)))
    )


def find_load_address(frames: Iterable[Frame], places: Mapping[int, tuple[SourcePlace, ...]]) -> int | None:
    """Where a program was loaded: the address by which what valgrind calls `main` has that name in the file."""
    mains = [frame.address for frame in frames if frame.function == _MAIN]
    for base in _LOAD_ADDRESSES:
        if mains and all((found := places.get(main - base)) and found[-1].symbol == _MAIN for main in mains):
            return base
    return None


def _expand(frame: Frame, places: tuple[SourcePlace, ...], sources: Path) -> Iterator[Frame]:
    """All functions at the address of a frame; what is not in the program is in a shared library."""
    if not places or not places[-1].symbol:
        yield replace(frame, file=None, line=None, object=frame.object or _LIBRARY)
        return
    for each in places:
        file = shorten(each.file, sources)
        yield Frame(address=frame.address, function=each.symbol, file=file, line=each.line)


def _find_binary(command: str, binaries: Iterable[Path]) -> Path | None:
    """Which of the programs a process ran: tools have its command line with blanks between the words."""
    return next((path for path in binaries if command == str(path) or command.startswith(f"{path} ")), None)
