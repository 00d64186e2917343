"""Whose time it is: the program's own Rust code, other Rust code, C, the allocator or the kernel. Pure.

A sample belongs to the function that it ended in; what was inlined into a function of the project is its time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from optbuild.observe.samples import Frame, Samples, Stack
from optbuild.observe.sites import is_standard

_RUST_SYMBOL = re.compile(r"_R|_ZN.*17h[0-9a-f]{16}E|.*::")
_ALLOCATOR = re.compile(
    r"(?:__libc_|__GI___libc_)?(?:malloc|calloc|realloc|free|memalign)(?:_consolidate)?|cfree|_int_\w+|unlink_chunk.*"
    r"|sysmalloc|systrim.*|tcache_.*|alloc_perturb|arena_(?:for_chunk|get)\w*|heap_for_ptr|ptmalloc_init.*|checked_request2size"
    r"|(?:alloc|free)_(?:slot|group|meta)|nontrivial_free|__libc_malloc_impl|__malloc_\w+|_?(?:rjem_|je_|mi_|sn_|tc_|_mi_|rpmalloc|rpfree)\w*|(?:__rustc::)?__r(?:ust|dl|g)_\w*alloc\w*"
    r"|__rustc::__rust_no_alloc_shim.*|.*(?:TCMalloc|snmalloc).*|posix_memalign|aligned_alloc"
)
_CRATE = re.compile(r"[<&*\[({]*(?:(?:mut|const|dyn) )?(\w+)::")
_IMPLEMENTED = re.compile(r"<(?P<type>.+?) as (?P<trait>.+)>::(?P<method>[^:]+)$")
_THREAD_START = re.compile(r"std::sys::(?:pal::unix::)?thread::.*thread_start$")


class Part(StrEnum):
    """Where time goes."""

    OWN = "own"
    """Rust code of the project's own packages."""
    RUST = "rust"
    """Rust code of the standard library and of dependencies."""
    C = "c"
    """C and other code, such as memcpy of the C library."""
    ALLOCATOR = "allocator"
    KERNEL = "kernel"


def weigh_parts(samples: Samples, own_crates: Collection[str]) -> Mapping[Part, float]:
    """The share of each part in the CPU time.

    Args:
        samples: What was seen.
        own_crates: The crates of the project's own packages.
    """
    found = dict.fromkeys(Part, 0.0)
    for stack in samples.stacks:
        if stack.frames:
            found[part_of(stack, own_crates)] += stack.weight
    total = sum(found.values()) or 1.0
    return {part: weight / total for part, weight in found.items()}


def part_of(stack: Stack, own_crates: Collection[str]) -> Part:
    """Whose time a stack is; a function that was inlined belongs to its own crate."""
    leaf = stack.frames[-1]
    if leaf.is_kernel:
        return Part.KERNEL
    if _ALLOCATOR.fullmatch(leaf.function):
        return Part.ALLOCATOR
    if _RUST_SYMBOL.match(leaf.symbol) is None:
        return Part.C
    # What the standard library does for a function of the project, inlined into it, is that function's time.
    compiled = next((frame for frame in reversed(stack.frames) if not frame.is_inlined), leaf)
    inlined_there = [leaf, compiled]
    return Part.OWN if any(crate_of(frame.function) in own_crates for frame in inlined_there) else Part.RUST


def crate_of(function: str) -> str | None:
    """The crate that a path begins with; of an implementation the type's, or the trait's where that has none."""
    match = _IMPLEMENTED.match(function)
    candidates = (function,) if match is None else (match["type"], match["trait"])
    return next((found[1] for each in candidates if (found := _CRATE.match(each)) is not None), None)


def inclusive_share(samples: Samples, pattern: re.Pattern[str]) -> float:
    """The share of the stacks that contain a function of such a name."""
    found = sum(
        stack.weight for stack in samples.stacks if any(pattern.search(frame.function) for frame in stack.frames)
    )
    return found / (samples.total or 1.0)


def thread_share(samples: Samples) -> float:
    """The share of the CPU time that was spent in threads that the program has started."""
    return inclusive_share(samples, _THREAD_START)


@dataclass(frozen=True, slots=True, kw_only=True)
class HotFunction:
    """A function with a large share of the CPU time.

    Attributes:
        share: Of the CPU time, what it inlined included.
        callers: The functions that call it, each with its share.
    """

    frame: Frame
    share: float
    callers: Mapping[str, float]


def find_hot(samples: Samples) -> tuple[HotFunction, ...]:
    """The compiled functions with most time of their own, the hottest first; what is inlined counts for its caller."""
    own: dict[tuple[str, str], float] = defaultdict(float)
    callers: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    frames: dict[tuple[str, str], Frame] = {}
    total = samples.total or 1.0
    for stack in samples.stacks:
        compiled = list(_compiled(stack))
        if not compiled or stack.frames[-1].is_kernel:
            continue
        leaf = compiled[-1]
        key = (leaf.function, leaf.module)
        own[key] += stack.weight / total
        frames.setdefault(key, leaf)
        if len(compiled) > 1:
            callers[key][compiled[-2].function] += stack.weight / total
    ordered = sorted(own.items(), key=lambda item: -item[1])
    return tuple(HotFunction(frame=frames[key], share=share, callers=dict(callers[key])) for key, share in ordered)


def _compiled(stack: Stack) -> Iterator[Frame]:
    """The functions that were compiled, from the outermost, without those that were inlined into them."""
    return (frame for frame in stack.frames if not frame.is_inlined)


def find_dispatch(hot: tuple[HotFunction, ...]) -> tuple[str, float, int, str] | None:
    """A method of a trait that one function calls on several types, none of them inlined: it goes through a vtable.

    Returns:
        The method, the share of its implementations together, how many types, and the caller.
    """
    groups: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for function in hot:
        match = _IMPLEMENTED.match(function.frame.function)
        if match is None or is_standard(function.frame.function, None):
            continue
        for caller, share in function.callers.items():
            groups[f"{match['trait']}::{match['method']}", caller][match["type"]] = share
    several = [(key, types) for key, types in groups.items() if len(types) > 1]
    if not several:
        return None
    (method, caller), types = max(several, key=lambda item: sum(item[1].values()))
    return method, sum(types.values()), len(types), caller


def find_kernel_entry(samples: Samples) -> tuple[str, float] | None:
    """The function of the program that called the kernel most, with its share of the CPU time."""
    entries: dict[str, float] = defaultdict(float)
    for stack in samples.stacks:
        if stack.frames and stack.frames[-1].is_kernel:
            named = (frame for frame in reversed(stack.frames) if not frame.is_kernel)
            entry = next((each for each in named if _RUST_SYMBOL.match(each.symbol)), None)
            if entry is not None:
                entries[entry.function] += stack.weight / (samples.total or 1.0)
    return max(entries.items(), key=lambda item: item[1]) if entries else None
