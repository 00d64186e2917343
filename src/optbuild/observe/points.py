"""What tools that watch the heap have counted, as points of one form. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from optbuild.observe.sites import Amounts, Point
from optbuild.tools.dhat import DhatProfile, ProgramPoint, parse_frame
from optbuild.tools.heap_frame import Frame
from optbuild.tools.heaptrack import HeaptrackProfile

Expand = Callable[[Frame], tuple[Frame, ...]]


def points_of_dhat(profile: DhatProfile, expand: Expand = lambda frame: (frame,)) -> Iterator[Point]:
    """The points of a process that DHAT has watched.

    Args:
        profile: What it allocated.
        expand: All functions at the address of a frame, the innermost first.
    """
    frames = tuple(map(parse_frame, profile.frames))
    known: dict[int, tuple[Frame, ...]] = {}
    for point in profile.points:
        stack: list[Frame] = []
        last = None
        for place in point.frames:
            frame = frames[place]
            if frame is None:
                continue
            if place not in known:
                known[place] = expand(frame)
            if known[place] != (frame,):  # all of one address are expanded once
                if frame.address == last:
                    continue
                last = frame.address
            stack += known[place]
        yield Point(amounts=_amounts_of(point, profile), frames=tuple(stack))


def points_of_heaptrack(profile: HeaptrackProfile, sources: Path | None = None) -> Iterator[Point]:
    """The points of a process that heaptrack has watched.

    Args:
        profile: What it allocated.
        sources: The directory that locations are shown without.
    """
    for trace in profile.traces:
        amounts = Amounts(
            bytes=trace.total_bytes,
            blocks=trace.blocks,
            short_lived_blocks=trace.temporary,
            peak_bytes=trace.peak_bytes,
            peak_blocks=trace.peak_blocks,
            end_bytes=trace.end_bytes,
        )
        yield Point(
            amounts=amounts,
            frames=tuple(replace(frame, file=shorten(frame.file, sources)) for frame in trace.frames),
        )


def shorten(file: str | None, sources: Path | None) -> str | None:
    """The path of a source file below a directory, if it is there."""
    if file is None or sources is None or not Path(file).is_relative_to(sources):
        return file
    return str(Path(file).relative_to(sources))


def _amounts_of(point: ProgramPoint, profile: DhatProfile) -> Amounts:
    short = point.blocks if point.lifetime <= profile.short_lived * point.blocks else 0
    return Amounts(
        bytes=point.total_bytes,
        blocks=point.blocks,
        short_lived_blocks=short if profile.knows_lifetimes else None,
        peak_bytes=point.peak_bytes,
        peak_blocks=point.peak_blocks,
        end_bytes=point.end_bytes,
    )
