"""The rules of the advice: each looks for one thing, and says what it saw with its figure. Pure.

To add one, write a function and give it a line in `RULES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from optbuild.observe.observation import MOST_STALLED, Finding, FindingKind, Observation
from optbuild.observe.shares import (
    HotFunction,
    Part,
    crate_of,
    find_dispatch,
    find_kernel_entry,
    inclusive_share,
    thread_share,
)
from optbuild.observe.sites import AllocationSite, Cause, total_of
from optbuild.tools.mangling import STANDARD_LIBRARY
from optbuild.units import format_duration, format_share

WORTH = 0.05
"""A smaller share of the time is not worth a sentence."""
_HOT = 0.3
_SMALL_BYTES = 256
"""A function of at most this size would be inlined if its code were known to the caller."""
_ONE_AT_A_TIME = 1.3
_RUNTIME = re.compile(r"^<?(?:tokio::runtime|async_std::task|smol::|async_executor::|actix_rt::|futures_executor::)")
_TASKS = re.compile(
    r"^<?(?:tokio::runtime::scheduler::|tokio::task::coop|async_std::task|smol::|async_executor::|futures_executor::)"
)
"""What runs tasks. In tokio it lies itself on a thread of the pool for blocking work, so the innermost decides."""
_BLOCKING = re.compile(r"tokio::runtime::blocking::(?:task|pool)")
_COPYING = re.compile(r"^(?:__)?mem(?:move|cpy)")
_COPY_BLOCK_S, _COPY_BYTE_S = 1e-7, 1e-9
"""What copying takes at most: for each block a call whose memory is in no cache, and 1 GB/s."""
_BUFFERED = re.compile(r"\bio::buffered::(?:buf|line)")
_FORMATTING = re.compile(r"^(?:alloc::fmt::format|<?core::fmt::)")
_RAYON = re.compile(r"^<?rayon(?:_core)?::")


Parts = Mapping[Part, float]
Rule = Callable[[Observation, Parts, tuple[HotFunction, ...]], Iterator[Finding]]


def _finding(kind: FindingKind, share: float, figure: str, todo: str) -> Finding:
    return Finding(kind=kind, figure=figure, share=share, at_most=share, todo=todo)


def _find_kernel(seen: Observation, parts: Parts, _: tuple[HotFunction, ...]) -> Iterator[Finding]:
    share = parts[Part.KERNEL] * seen.running_share
    if share < 2 * WORTH:
        return
    entry = find_kernel_entry(seen.samples)
    by = "" if entry is None else f", most of it called by {entry[0]}"
    larger = "BufReader and BufWriter around files and sockets, one `write` for many lines"
    if entry is not None and _BUFFERED.search(entry[0]):
        larger = "there is a buffer already, so a larger one (`with_capacity`), fewer bytes"
    yield _finding(
        FindingKind.KERNEL,
        share,
        f"{format_share(share)} of the time is the kernel's{by}",
        f"make fewer and larger calls: {larger}, memory that is kept instead of given back; no build setting reaches "
        "this time",
    )


def _find_waiting(seen: Observation, _: Parts, __: tuple[HotFunction, ...]) -> Iterator[Finding]:
    share = seen.waiting_share
    if share is not None and share >= 2 * WORTH:
        yield _finding(
            FindingKind.WAITING,
            share,
            f"{format_share(share)} of {format_duration(seen.wall_s)} the program does not run: it waits",
            "find what it waits for (a disk, another program, a timer, a lock: strace -f -r, or perf trace); no build "
            "setting reaches this time",
        )


def _find_c_code(seen: Observation, parts: Parts, hot: tuple[HotFunction, ...]) -> Iterator[Finding]:
    share = parts[Part.C] * seen.running_share
    if share < 2 * WORTH:
        return
    first = next((each for each in hot if crate_of(each.frame.function) is None), None)
    name = "" if first is None else f", most of it in {first.frame.function} ({first.frame.module})"
    yield _finding(
        FindingKind.C_CODE,
        share,
        f"{format_share(share)} of the time is C code{name}",
        "LTO and PGO of Rust do not reach it: call it less (fewer copies, larger pieces), or compile it with its own "
        "optimisation flags (CFLAGS)",
    )


def _find_allocating(seen: Observation, parts: Parts, _: tuple[HotFunction, ...]) -> Iterator[Finding]:
    share = parts[Part.ALLOCATOR] * seen.running_share
    if share < WORTH:
        return
    said, first = f"{format_share(share)} of the time is the allocator's", ""
    if seen.sites:
        total, top = total_of(seen.sites), max(seen.sites, key=lambda site: site.blocks)
        rate = total.blocks / (seen.cpu_s * 1000) if seen.cpu_s > 0 else 0.0
        said += f": {total.blocks:,} blocks a run, {rate:,.0f} for each millisecond of CPU time"
        where = f"{top.function} ({top.location})" if top.location else top.function
        first = f"begin with {where}, which asks for {format_share(top.blocks / total.blocks)} of the blocks; "
    another = 'mimalloc, which allocator = "mimalloc" in a variant links without a change to the source'
    if seen.allocator is not None:
        such_as = " or ".join(name for name in ("mimalloc", "jemalloc") if name != seen.allocator)
        another = f"another allocator than {seen.allocator}, such as {such_as}"
    yield _finding(
        FindingKind.ALLOCATOR,
        share,
        said,
        f"{first}allocate less (reuse buffers, borrow, reserve), or try {another}; see every place: "
        "optbuild heap VARIANT",
    )


_CAUSE_WORDS = {
    Cause.COPY: (
        FindingKind.COPIES,
        "copies of values (`clone`, `to_owned`, `to_string`)",
        "borrow instead (`&str`, `&[T]`, `Cow`), or share with `Rc` or `Arc`; look up by a borrowed key first",
    ),
    Cause.GROWTH: (
        FindingKind.GROWTH,
        "vectors, texts or maps that grow step by step",
        "reserve the size that is known (`with_capacity`, `reserve`), or keep the buffer and `clear` it",
    ),
    Cause.FORMAT: (
        FindingKind.FORMATTING,
        "`format!` and its like",
        "write into a buffer that is kept (`write!`), or convert numbers with the crates itoa or ryu",
    ),
}


def _find_causes(seen: Observation, parts: Parts, _: tuple[HotFunction, ...]) -> Iterator[Finding]:
    """Why memory is asked for; each cause has the part of the allocator's time that it has of the blocks."""
    allocating = parts[Part.ALLOCATOR] * seen.running_share
    sites = seen.sites or ()
    blocks = total_of(sites).blocks
    for cause, (kind, words, todo) in _CAUSE_WORDS.items():
        chosen = [site for site in sites if site.cause is cause]
        own = sum(site.blocks for site in chosen)
        share = allocating * own / blocks if blocks else 0.0
        if cause is Cause.COPY and own:  # what is copied is also moved by memcpy
            share += (
                min(_leaf_share(seen, _COPYING) * own / blocks, _most_of_copying(seen, chosen)) * seen.running_share
            )
        if cause is Cause.FORMAT:
            share = max(share, inclusive_share(seen.samples, _FORMATTING) * seen.running_share)
        if share < WORTH:
            continue
        top = max(chosen, key=lambda site: site.blocks, default=None)
        if top is None:
            yield _finding(kind, share, f"at most {format_share(share)} of the time is for {words}", todo)
            continue
        where = f"{top.function} ({top.location})" if top.location else top.function
        figure = f"{format_share(own / blocks)} of {blocks:,} blocks are for {words}, most of them in {where}"
        yield _finding(kind, share, f"{figure}: at most {format_share(share)} of the time", todo)


def _most_of_copying(seen: Observation, copies: Iterable[AllocationSite]) -> float:
    """The largest share of the CPU time that copies of values can have: memcpy also moves what is read and written."""
    total = total_of(copies)
    needed_s = total.blocks * _COPY_BLOCK_S + total.bytes * _COPY_BYTE_S
    return needed_s / seen.cpu_s if seen.cpu_s > 0 else 0.0


def _leaf_share(seen: Observation, pattern: re.Pattern[str]) -> float:
    found = (
        stack.weight for stack in seen.samples.stacks if stack.frames and pattern.search(stack.frames[-1].function)
    )
    return sum(found) / (seen.samples.total or 1.0)


def _find_hot_function(seen: Observation, _: Parts, hot: tuple[HotFunction, ...]) -> Iterator[Finding]:
    if not hot or hot[0].share < _HOT or crate_of(hot[0].frame.function) is None:
        return
    share, name = hot[0].share * seen.running_share, hot[0].frame.function
    if crate_of(name) in STANDARD_LIBRARY and hot[0].callers:  # an instance of it, with the caller's code inlined
        name = f"{name}, called by {max(hot[0].callers, key=hot[0].callers.__getitem__)},"
    yield _finding(
        FindingKind.HOT_FUNCTION,
        share,
        f"{format_share(share)} of the time is in {name} alone, with what it inlines",
        "look at it first: a better algorithm or data layout there, SIMD (`target-cpu`, which excludes older CPUs); "
        "see what is in it: optbuild flamegraph VARIANT",
    )


def _find_dispatched(seen: Observation, _: Parts, hot: tuple[HotFunction, ...]) -> Iterator[Finding]:
    found = find_dispatch(hot)
    if found is None or found[1] * seen.running_share < WORTH:
        return
    method, share, types, caller = found
    share *= seen.running_share
    yield _finding(
        FindingKind.DISPATCH,
        share,
        f"{format_share(share)} of the time is in {method} of {types} types, each called by {caller} and not inlined: "
        "calls through `dyn`",
        "use an enum with `match`, or a generic parameter, where the types are known; or sort the values by type; PGO "
        "can turn the most frequent targets into direct calls",
    )


def _find_not_inlined(seen: Observation, _: Parts, hot: tuple[HotFunction, ...]) -> Iterator[Finding]:
    for function in hot:
        share = function.share * seen.running_share
        own, size = crate_of(function.frame.function), seen.sizes_bytes.get(function.frame.symbol)
        others = [caller for caller in function.callers if crate_of(caller) not in {own, None, *STANDARD_LIBRARY}]
        if share < WORTH or seen.has_lto:
            return
        if own is None or own in STANDARD_LIBRARY or not others or size is None or size > _SMALL_BYTES:
            continue
        if function.frame.function.startswith("<") and " as " in function.frame.function:
            continue  # it may be called through a vtable, which no inlining reaches
        yield _finding(
            FindingKind.NOT_INLINED,
            share,
            f"{format_share(share)} of the time is in {function.frame.function}, {size} bytes of crate {own} that "
            f"{others[0]} of another crate calls",
            'let it be inlined there: `#[inline]` on it, or LTO (`lto = "thin"` in a variant)',
        )


def _find_idle_threads(seen: Observation, _: Parts, __: tuple[HotFunction, ...]) -> Iterator[Finding]:
    in_threads = thread_share(seen.samples)
    at_once = seen.cpu_s / seen.wall_s if seen.wall_s > 0 else 0.0
    is_known = seen.stalled_share is not None and seen.stalled_share <= MOST_STALLED
    if is_known and in_threads >= 2 * WORTH and at_once < _ONE_AT_A_TIME:
        yield Finding(
            kind=FindingKind.IDLE_THREADS,
            figure=f"the program starts threads, which do {format_share(in_threads)} of its work, but on average "
            f"{at_once:.1f} run at once",
            share=None,
            at_most=None,
            todo="see what they wait for: a lock that one holds for long, a channel, pieces of work that are too "
            "small; if the work cannot be shared out, leave the threads out",
        )


def _find_busy_runtime(seen: Observation, parts: Parts, _: tuple[HotFunction, ...]) -> Iterator[Finding]:
    total, computing = seen.samples.total or 1.0, 0.0
    for stack in seen.samples.stacks:
        names = [frame.function for frame in reversed(stack.frames)]
        runs_it = next((name for name in names if _TASKS.search(name) or _BLOCKING.search(name)), None)
        is_task = runs_it is not None and _TASKS.search(runs_it) is not None
        if is_task and not stack.frames[-1].is_kernel and not _RUNTIME.search(names[0]):
            computing += stack.weight / total
    share = computing * seen.running_share
    if share >= 0.5 and parts[Part.KERNEL] < 0.3:  # noqa: PLR2004 - most of the time, and hardly any input or output
        yield _finding(
            FindingKind.BUSY_RUNTIME,
            share,
            f"{format_share(share)} of the time tasks of an async runtime compute, without waiting for anything",
            "async is for waiting: compute in `spawn_blocking` or on a thread pool, so that other tasks can go on; "
            "for a program that only computes, leave the runtime out",
        )


def _find_rayon(seen: Observation, _: Parts, __: tuple[HotFunction, ...]) -> Iterator[Finding]:
    in_runtime, in_rayon = inclusive_share(seen.samples, _RUNTIME), inclusive_share(seen.samples, _RAYON)
    if in_rayon >= WORTH and in_runtime > 0:
        share = in_rayon * seen.running_share
        yield Finding(
            kind=FindingKind.RAYON_IN_RUNTIME,
            figure=f"rayon computes ({format_share(share)} of the time) in a program with an async runtime",
            share=share,
            at_most=None,
            todo="a task that calls rayon blocks its worker until all of it is done: call `rayon::spawn` and send the "
            "result through a oneshot channel; let both pools together have no more threads than there are cores",
        )


RULES: tuple[Rule, ...] = (
    _find_kernel,
    _find_waiting,
    _find_c_code,
    _find_allocating,
    _find_causes,
    _find_hot_function,
    _find_dispatched,
    _find_not_inlined,
    _find_idle_threads,
    _find_busy_runtime,
    _find_rayon,
)
