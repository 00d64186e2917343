"""From the stacks of allocations to the places in the source that allocate. Pure.

The first functions of nearly every such stack are those of the standard library: they are left out, and the first
function of other code names the site.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from functools import cache
from itertools import takewhile
from pathlib import PurePath
from typing import Any

from optbuild.observe.raw import function_name
from optbuild.tools.heap_frame import Frame

RUNTIME = "(Rust's runtime and the C library)"
"""The site of what no other code has asked for."""

# The standard library is compiled below /rustc/HASH, with dependencies below /rust/deps; with rust-src it has a path.
_STANDARD_FILE = re.compile(r"(?:^|/)(?:rustc/[0-9a-f]+|lib/rustlib/src/rust)/|^/?rust/deps/|^library/")
# The path begins with such a crate, or it implements a trait of one for a type that belongs to no crate.
_STANDARD_PATH = re.compile(
    r"[<&*\[({]*(?:(?:mut|const|dyn) )?(?:(?:std|core|alloc|hashbrown)::|[^:<>]* as (?:std|core|alloc|hashbrown)::)"
)
_HASH = re.compile(r"::h[0-9a-f]{16}$")  # of a name that is demangled already
_ALLOCATORS = re.compile(
    r"(?:__rustc(?:\[\w+\])?::|_R.*)?__r(?:ust|dl|g)_\w*alloc\w*|(?:m|c|re)alloc|(?:posix_)?mem(?:align)|aligned_alloc"
    r"|operator new.*|<?dhat::.*"
)
_STARTUP = frozenset({"main", "_start", "(below main)", "start_thread", "clone", "clone3", "_dl_start", "call_init"})
_DEPENDENCY = re.compile(r"/(?:registry/src/[^/]+|git/checkouts/[^/]+)/(?P<rest>.+)")
_UNNAMED = "UnknownInlinedFun"  # valgrind's word


class Cause(StrEnum):
    """What of the standard library asked for the memory."""

    COPY = "copy"
    """`clone`, `to_owned`, `to_vec`, `to_string` of a text."""
    GROWTH = "growth"
    """A vector, a text or a map that had to become larger."""
    FORMAT = "format"
    """`format!` and its like."""
    OTHER = "other"


# In this order: what formats or copies may also grow.
_CAUSES = (
    (Cause.FORMAT, re.compile(r"alloc::fmt::format(?:::|$)|core::fmt::write$")),
    (Cause.COPY, re.compile(r"::(?:clone|to_owned|to_vec|to_vec_in|clone_into|spec_to_string)$")),
    (
        Cause.GROWTH,
        re.compile(r"::(?:grow_one|grow_amortized|finish_grow|do_reserve_and_handle|reserve_rehash|resize_inner)$"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much was allocated.

    Attributes:
        bytes: All of it together, whenever it was freed.
        blocks: How many allocations.
        short_lived_blocks: How many of them were freed almost at once; null if that is not known.
        peak_bytes: At the moment when the whole program had most bytes.
        peak_blocks: How many blocks these are.
        end_bytes: Never freed.
    """

    bytes: int = 0
    blocks: int = 0
    short_lived_blocks: int | None = None
    peak_bytes: int = 0
    peak_blocks: int = 0
    end_bytes: int = 0

    def plus(self, other: Amounts) -> Amounts:
        """The sum of both."""
        short = [each.short_lived_blocks for each in (self, other) if each.short_lived_blocks is not None]
        return Amounts(
            bytes=self.bytes + other.bytes,
            blocks=self.blocks + other.blocks,
            short_lived_blocks=sum(short) if short else None,
            peak_bytes=self.peak_bytes + other.peak_bytes,
            peak_blocks=self.peak_blocks + other.peak_blocks,
            end_bytes=self.end_bytes + other.end_bytes,
        )


def total_of(amounts: Iterable[Amounts]) -> Amounts:
    """The sum of amounts."""
    found = Amounts()
    for each in amounts:
        found = found.plus(each)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFrame:
    """A function on the way to an allocation.

    Attributes:
        function: Its path without hashes.
        location: `file:line`; null if it is not known.
        is_dependency: It belongs to a crate of a registry or of git.
    """

    function: str
    location: str | None = None
    is_dependency: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationSite(Amounts):
    """A place in the source that allocates, with what it allocated.

    Attributes:
        function: The first function that is not of the standard library.
        location: Where in it: `file:line`.
        caller: If that function belongs to a dependency, the first one that does not.
        stack: All functions of other code than the standard library's, the innermost first.
        cause: Why the memory was asked for: `copy`, `growth`, `format` or `other`.
    """

    function: str
    location: str | None
    caller: SiteFrame | None
    stack: tuple[SiteFrame, ...]
    cause: Cause = Cause.OTHER

    @property
    def paths(self) -> tuple[str, ...]:
        """What a site is known by in another build: the paths of its functions."""
        return tuple(frame.function for frame in self.stack) or (self.function,)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDifference:
    """A site of two builds.

    Attributes:
        function: As in a site.
        location: As in a site, of the variant if it has the site.
        caller: As in a site.
        base: What it allocated in the base; null if the base does not have it.
        variant: The same of the variant.
    """

    function: str
    location: str | None
    caller: SiteFrame | None
    base: Amounts | None
    variant: Amounts | None

    @property
    def more_bytes(self) -> int:
        """How many bytes more the variant allocates."""
        return (self.variant or Amounts()).bytes - (self.base or Amounts()).bytes

    @property
    def more_blocks(self) -> int:
        """How many blocks more the variant allocates."""
        return (self.variant or Amounts()).blocks - (self.base or Amounts()).blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What was allocated with one stack; its frames from the innermost to the outermost, inlined functions included."""

    amounts: Amounts
    frames: tuple[Frame, ...]


def find_sites(points: Iterable[Point]) -> tuple[AllocationSite, ...]:
    """The sites of a process, the largest first."""
    name = cache(_name)
    found: dict[object, AllocationSite] = {}
    for point in points:
        site = _make_site(point.amounts, tuple(map(name, point.frames)))
        key = (site.paths, site.location, site.cause)
        found[key] = site if key not in found else _joined(found[key], site)
    return tuple(sorted(found.values(), key=lambda site: (-site.bytes, site.function, site.location or "")))


def join_sites(groups: Iterable[tuple[AllocationSite, ...]]) -> tuple[AllocationSite, ...]:
    """The sites of several processes, the largest first."""
    found: dict[object, AllocationSite] = {}
    for site in (site for group in groups for site in group):
        key = (site.paths, site.location, site.cause)
        found[key] = site if key not in found else _joined(found[key], site)
    return tuple(sorted(found.values(), key=lambda site: (-site.bytes, site.function, site.location or "")))


def compare_sites(base: tuple[AllocationSite, ...], variant: tuple[AllocationSite, ...]) -> tuple[SiteDifference, ...]:
    """The sites of two builds side by side, the largest difference of bytes first.

    A site is known by the paths on its stack: lines may move between two versions.
    """
    ours, theirs = _by_paths(variant), _by_paths(base)
    found = []
    for paths in dict.fromkeys((*ours, *theirs)):
        shown = (ours.get(paths) or theirs[paths])[0]
        found.append(
            SiteDifference(
                function=shown.function,
                location=shown.location,
                caller=shown.caller,
                base=total_of(theirs[paths]) if paths in theirs else None,
                variant=total_of(ours[paths]) if paths in ours else None,
            )
        )
    return tuple(sorted(found, key=lambda each: (-abs(each.more_bytes), -abs(each.more_blocks), each.function)))


def is_standard(function: str, file: str | None) -> bool:
    """Whether a function belongs to the standard library, to an allocator, or to what starts a program."""
    if file is not None and _STANDARD_FILE.search(file):
        return True
    if function in _STARTUP or _ALLOCATORS.fullmatch(function):
        return True
    return _STANDARD_PATH.match(function) is not None


def _by_paths(sites: tuple[AllocationSite, ...]) -> Mapping[tuple[str, ...], list[AllocationSite]]:
    found: dict[tuple[str, ...], list[AllocationSite]] = {}
    for site in sites:
        found.setdefault(site.paths, []).append(site)
    return found


def _joined(first: AllocationSite, second: AllocationSite) -> AllocationSite:
    return replace(first, **_amounts_in(first.plus(second)))


def _amounts_in(amounts: Amounts) -> dict[str, Any]:
    return {item.name: getattr(amounts, item.name) for item in fields(Amounts)}


def _make_site(amounts: Amounts, named: tuple[SiteFrame | str, ...]) -> AllocationSite:
    own = tuple(_without_repeats(each for each in named if isinstance(each, SiteFrame)))
    first = own[0] if own else SiteFrame(function=RUNTIME)
    caller = next((frame for frame in own if not frame.is_dependency), None) if first.is_dependency else None
    return AllocationSite(
        function=first.function,
        location=first.location,
        caller=caller,
        stack=own,
        cause=_find_cause(named),
        **_amounts_in(amounts),
    )


def _without_repeats(frames: Iterable[SiteFrame]) -> Iterator[SiteFrame]:
    """A function that calls itself counts once."""
    last = None
    for frame in frames:
        if frame.function != last:
            yield frame
        last = frame.function


def _find_cause(named: tuple[SiteFrame | str, ...]) -> Cause:
    """What of the standard library asked, before the first function of other code."""
    before = [each for each in takewhile(lambda each: isinstance(each, str), named) if isinstance(each, str)]
    matching = (cause for cause, pattern in _CAUSES if any(pattern.search(name) for name in before))
    return next(matching, Cause.OTHER)


def _name(frame: Frame) -> SiteFrame | str:
    """A function of the standard library only has its name."""
    function = _HASH.sub("", function_name(frame.function))
    if frame.object is not None or is_standard(function, frame.file):
        return function
    match = None if frame.file is None else _DEPENDENCY.search(frame.file)
    file = frame.file if match is None else match["rest"]
    location = None if file is None else file if frame.line is None else f"{file}:{frame.line}"
    if function in {"", _UNNAMED}:
        function = f"(inlined, {PurePath(file).name})" if file else "(unknown)"
    return SiteFrame(function=function, location=location, is_dependency=match is not None)
