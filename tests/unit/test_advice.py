from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from inline_snapshot import snapshot

from optbuild.observe.advice import advise
from optbuild.observe.benches import find_folded
from optbuild.observe.observation import Advice, FindingKind, Observation, Remedy
from optbuild.observe.raw import function_name
from optbuild.observe.samples import Frame, Samples, Stack, Unit
from optbuild.observe.shares import Part, crate_of, part_of
from optbuild.observe.sites import AllocationSite, Cause
from optbuild.record.advice import AdviceDocument, AdviceOnWorkload, make_advice_schema, render_advice
from optbuild.report.advice import assemble_advice
from optbuild.report.formats.terminal import render_terminal
from optbuild.report.model import Screen

LIBC = "libc.so.6"


def rust(function: str, *, inlined: bool = False) -> Frame:
    """A function of the program."""
    return Frame(function=function, symbol=f"_R{function}", module="app", is_inlined=inlined)


MAIN = rust("app::main")
START = rust("std::sys::thread::unix::Thread::new::thread_start")
POOL, POLL = rust("tokio::runtime::blocking::pool::Inner::run"), rust("tokio::runtime::task::harness::Harness::poll")
SYSCALL = Frame(function="ksys_read", symbol="ksys_read", module="[kernel]", is_kernel=True)
MALLOC = Frame(function="_int_malloc", symbol="_int_malloc", module=LIBC)
MEMCPY = Frame(function="__memmove_avx", symbol="__memmove_avx", module=LIBC)


def samples(**weights: float) -> Samples:
    """Samples whose stacks are those below, by name."""
    stacks = tuple(Stack(frames=STACKS[name], weight=weight, thread="app") for name, weight in weights.items())
    return Samples(stacks=stacks, unit=Unit.SECONDS, tool="perf", count=1000)


STACKS: dict[str, tuple[Frame, ...]] = {
    "own": (MAIN, rust("app::work")),
    "flat": (MAIN, rust("app::rest")),
    "inlined": (MAIN, rust("app::work"), rust("core::iter::fold", inlined=True)),
    "std": (MAIN, rust("core::fmt::write")),
    "kernel": (MAIN, rust("app::load"), SYSCALL),
    "malloc": (MAIN, MALLOC),
    "memcpy": (MAIN, MEMCPY),
    "add": (MAIN, rust("<app::Add as app::Step>::step")),
    "turn": (MAIN, rust("<app::Turn as app::Step>::step")),
    "far": (MAIN, rust("far::mixed")),
    "thread": (START, rust("app::work")),
    "task": (POOL, rust("tokio::runtime::scheduler::multi_thread::worker::run"), POLL, rust("app::handle")),
    "blocking": (
        POOL,
        POLL,
        rust("<tokio::runtime::blocking::task::BlockingTask as Future>::poll"),
        rust("app::handle"),
    ),
    "rayon": (rust("rayon_core::registry::WorkerThread::wait_until"), rust("app::piece")),
}


def site(cause: Cause, blocks: int, *, size_bytes: int = 1) -> AllocationSite:
    """A place that allocates blocks of a size."""
    return AllocationSite(
        function="app::words",
        location="src/main.rs:7",
        caller=None,
        stack=(),
        cause=cause,
        blocks=blocks,
        bytes=blocks * size_bytes,
    )


def look(wall_s: float = 1.0, cpu_s: float = 1.0, **weights: float) -> Observation:
    """What was seen on a quiet machine."""
    return Observation(
        samples=samples(**weights),
        wall_s=wall_s,
        cpu_s=cpu_s,
        stalled_share=0.0,
        own_crates={"app"},
        sizes_bytes={"_Rfar::mixed": 90, "_Rapp::work": 90},
    )


def kinds(advice: Advice) -> list[FindingKind]:
    """What was found, the largest first."""
    return [finding.kind for finding in advice.findings]


def paying(advice: Advice) -> set[Remedy]:
    """What can pay."""
    return {each.remedy for each in advice.prospects if each.can_pay}


BUILDS = {Remedy.LTO, Remedy.PGO, Remedy.BOLT}


def test_time_of_the_kernel_is_left_to_it() -> None:
    """Nothing about the build reaches it; who calls it is named."""
    advice = advise(look(kernel=94, own=6))
    assert paying(advice) == set()
    assert advice.summary == snapshot("leave it: 94.0% of the time is the kernel's, which no build setting reaches")
    assert kinds(advice) == [FindingKind.KERNEL]
    assert "app::load" in advice.findings[0].figure
    assert advice.findings[0].at_most == pytest.approx(0.94)


def test_waiting_is_known_on_a_quiet_machine_only() -> None:
    """Where others kept the CPUs busy, the elapsed time says nothing about the program."""
    advice = advise(look(wall_s=10.0, cpu_s=1.0, own=1))
    assert advice.waiting_share == pytest.approx(0.9)
    assert paying(advice) == set()
    assert advice.summary.startswith("leave it: 90.0% of the time it waits")
    busy = advise(replace(look(wall_s=10.0, cpu_s=1.0, own=1), stalled_share=0.5))
    assert busy.waiting_share is None
    assert FindingKind.WAITING not in kinds(busy)
    assert paying(busy) == BUILDS


def test_compiled_code_is_what_builds_can_change() -> None:
    """At most all of its time; one hot function is pointed at, and what the library does inlined there is its own."""
    advice = advise(look(own=60, inlined=30, std=10))
    assert paying(advice) == BUILDS
    assert advice.parts[Part.OWN] == pytest.approx(0.9)
    assert {each.at_most for each in advice.prospects if each.can_pay} == {1.0}
    assert FindingKind.HOT_FUNCTION in kinds(advice)
    assert Remedy.LTO not in paying(advise(replace(look(own=1), has_lto=True)))


@pytest.mark.parametrize(
    "symbol",
    [
        "malloc",
        "cfree@GLIBC_2.2.5",
        "realloc@@GLIBC_2.2.5",
        "_int_free_merge_chunk",
        "arena_for_chunk",
        "tcache_get",
        "nontrivial_free",
        "_rjem_je_arena_malloc_hard",
        "_mi_page_malloc",
        "_RNvCs1234_7___rustc11___rdl_alloc",
    ],
)
def test_all_that_an_allocator_does_is_its_time(symbol: str) -> None:
    """Under the names that its own functions have, and as perf writes those that a library exports."""
    frame = Frame(function=function_name(symbol), symbol=symbol, module=LIBC)
    assert part_of(Stack(frames=(frame,), weight=1.0, thread="demo"), ()) is Part.ALLOCATOR


def test_an_allocator_pays_where_the_time_is_its_own() -> None:
    """With the blocks of a run, and the place that asks for most."""
    seen = replace(look(malloc=30, flat=70), sites=(site(Cause.OTHER, 900), site(Cause.OTHER, 100)))
    advice = advise(seen)
    assert Remedy.ALLOCATOR in paying(advice)
    (found,) = [each for each in advice.findings if each.kind is FindingKind.ALLOCATOR]
    assert "1,000 blocks a run, 1 for each millisecond" in found.figure
    assert "90.0% of the blocks" in found.todo
    assert 'or try mimalloc, which allocator = "mimalloc" in a variant links' in found.todo
    assert Remedy.ALLOCATOR not in paying(advise(look(malloc=2, own=98)))


def test_the_allocator_that_a_program_has_is_not_advised_to_it() -> None:
    """Another one may still pay, so its time is named as ever."""
    advice = advise(replace(look(malloc=30, own=70), allocator="mimalloc"))
    (found,) = [each for each in advice.findings if each.kind is FindingKind.ALLOCATOR]
    assert "or try another allocator than mimalloc, such as jemalloc;" in found.todo
    (prospect,) = [each for each in advice.prospects if each.remedy is Remedy.ALLOCATOR]
    assert prospect.can_pay
    assert prospect.reason == "an allocator acts on 30.0% of the time; this program has mimalloc already"


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (Cause.COPY, FindingKind.COPIES),
        (Cause.GROWTH, FindingKind.GROWTH),
        (Cause.FORMAT, FindingKind.FORMATTING),
    ],
)
def test_why_memory_is_asked_for_is_said(cause: Cause, kind: FindingKind) -> None:
    """By the number of blocks; a copy is also moved by memcpy."""
    sites = (site(cause, 100, size_bytes=2_000_000), site(Cause.OTHER, 100))
    seen = replace(look(malloc=30, memcpy=20, flat=50), sites=sites)
    (found,) = [each for each in advise(seen).findings if each.kind is kind]
    assert found.share == pytest.approx(0.25 if cause is Cause.COPY else 0.15)
    assert "src/main.rs:7" in found.figure


def test_few_small_copies_are_not_why_memcpy_takes_long() -> None:
    """It also moves what a program reads and writes: a program that parses its options clones some."""
    seen = replace(look(memcpy=20, flat=80), sites=(site(Cause.COPY, 57, size_bytes=20), site(Cause.OTHER, 28)))
    assert FindingKind.COPIES not in kinds(advise(seen))
    often = replace(seen, sites=(site(Cause.COPY, 900_000), site(Cause.OTHER, 100_000)))
    (found,) = [each for each in advise(often).findings if each.kind is FindingKind.COPIES]
    assert found.share == pytest.approx(0.0909)


def test_a_program_that_has_buffers_is_not_told_to_buffer() -> None:
    """The function that called the kernel says whether there is one."""
    written = (MAIN, rust("std::io::buffered::bufwriter::BufWriter::flush_buf"), SYSCALL)
    stack = Stack(frames=written, weight=1.0, thread="app")
    seen = replace(look(own=1), samples=Samples(stacks=(stack,), unit=Unit.SECONDS, tool="perf", count=1000))
    (found,) = [each for each in advise(seen).findings if each.kind is FindingKind.KERNEL]
    assert "there is a buffer already" in found.todo
    assert "BufReader and BufWriter" in advise(look(kernel=1)).findings[0].todo


def test_c_code_is_beyond_the_compiler_of_rust() -> None:
    """Neither LTO nor PGO of Rust reaches it."""
    advice = advise(look(memcpy=95, own=5))
    assert paying(advice) == set()
    assert kinds(advice) == [FindingKind.C_CODE]
    assert "__memmove_avx" in advice.findings[0].figure


def test_calls_through_a_vtable_are_recognised_by_their_targets() -> None:
    """Several types for one caller; one alone may be a plain call."""
    assert FindingKind.DISPATCH in kinds(advise(look(add=40, turn=30, flat=30)))
    assert FindingKind.DISPATCH not in kinds(advise(look(add=70, flat=30)))


def test_a_small_function_of_another_crate_should_be_inlined() -> None:
    """Not a large one, none of the same crate, and not where LTO sees both."""
    seen = look(far=40, flat=60)
    assert FindingKind.NOT_INLINED in kinds(advise(seen))
    assert FindingKind.NOT_INLINED not in kinds(advise(replace(seen, has_lto=True)))
    assert FindingKind.NOT_INLINED not in kinds(advise(replace(seen, sizes_bytes={"_Rfar::mixed": 5000})))
    assert FindingKind.NOT_INLINED not in kinds(advise(look(own=40, flat=60)))


def test_threads_that_take_turns_are_told() -> None:
    """On average one runs at once, although there are several."""
    assert FindingKind.IDLE_THREADS in kinds(advise(look(wall_s=1.0, cpu_s=1.0, thread=1)))
    assert FindingKind.IDLE_THREADS not in kinds(advise(look(wall_s=1.0, cpu_s=2.0, thread=1)))
    assert FindingKind.IDLE_THREADS not in kinds(advise(look(own=1)))


def test_an_async_runtime_is_for_waiting() -> None:
    """Computing in tasks is pointed out, on its pool for blocking work it is not; rayon inside a runtime is."""
    assert FindingKind.BUSY_RUNTIME in kinds(advise(look(task=80, own=20)))
    assert FindingKind.BUSY_RUNTIME not in kinds(advise(look(blocking=80, own=20)))
    assert FindingKind.BUSY_RUNTIME not in kinds(advise(look(task=20, kernel=80)))
    assert FindingKind.RAYON_IN_RUNTIME in kinds(advise(look(task=10, rayon=90)))
    assert FindingKind.RAYON_IN_RUNTIME not in kinds(advise(look(own=10, rayon=90)))


@pytest.mark.parametrize(
    ("function", "crate"),
    [
        ("app::main", "app"),
        ("<app::Tree as core::fmt::Display>::fmt", "app"),
        ("<&_ as app::Step>::step", "app"),
        ("<alloc::vec::Vec as core::clone::Clone>::clone", "alloc"),
        ("memcpy", None),
    ],
)
def test_a_crate_is_read_from_the_path(function: str, crate: str | None) -> None:
    """Of an implementation the type's, and the trait's where the type has none."""
    assert crate_of(function) == crate


def test_a_bench_without_work_is_pointed_out() -> None:
    """It takes no time, or as long for a thousand times the work; another one is left alone."""
    times = {"sum/10": 2.1e-9, "sum/10000": 2.2e-9, "empty": 2e-10, "parse/10": 1e-8, "parse/10000": 1e-5, "one": 3e-9}
    assert [finding.figure for finding in find_folded(times)] == snapshot(
        [
            "empty takes 0.2 ns an iteration, which is less than any work takes",
            "sum/… takes 2.1 ns for 10 and 2.2 ns for 10,000: its time does not grow with its work",
        ]
    )


def make_document(advice: Advice) -> AdviceDocument:
    """What is printed of it."""
    workload = AdviceOnWorkload(
        workload="bo\x1boks",
        summary=advice.summary,
        wall_s=1.0,
        cpu_s=1.0,
        samples=1000,
        waiting_ratio=advice.waiting_share,
        parts=advice.parts,
        allocated_blocks=None,
        allocated_bytes=None,
        findings=advice.findings,
        prospects=advice.prospects,
    )
    return AdviceDocument(optbuild_version="1", variant="release", tool="perf", workloads=(workload,))


def test_the_report_says_what_can_pay_and_what_to_do() -> None:
    """Each sentence with its figure, and what it can bring at most."""
    document = make_document(advise(look(kernel=40, own=60)))
    assert render_terminal(assemble_advice(document), Screen(width=110)) == snapshot("""\
Where the time of release goes, and what can pay
bo^[oks: worth a try: LTO, PGO, BOLT; 60.0% of the time is compiled Rust code.

Shares of the CPU time; waiting is of the elapsed time
workload  a run  own Rust code  other Rust code     C  allocator  kernel  waiting  blocks a run
───────────────────────────────────────────────────────────────────────────────────────────────
bo^[oks     1 s          60.0%             0.0%  0.0%       0.0%   40.0%     0.0%             –

bo^[oks
can it pay?        answer  at most  because
──────────────────────────────────────────────────────────────────────────────────────
LTO                maybe    −60.0%  LTO acts on compiled Rust code, 60.0% of the time
PGO                maybe    −60.0%  PGO acts on compiled Rust code, 60.0% of the time
BOLT               maybe    −60.0%  BOLT acts on compiled Rust code, 60.0% of the time
another allocator  no            –  an allocator acts on 0.0% of the time

bo^[oks: 60.0% of the time is in app::work alone, with what it inlines. At most −60.0%. To do: look at it
first: a better algorithm or data layout there, SIMD (`target-cpu`, which excludes older CPUs); see what is in
it: optbuild flamegraph VARIANT.
bo^[oks: 40.0% of the time is the kernel's, most of it called by app::load. At most −40.0%. To do: make fewer
and larger calls: BufReader and BufWriter around files and sockets, one `write` for many lines, memory that is
kept instead of given back; no build setting reaches this time.
At most: the time that is saved if that part took none at all (Amdahl). Only a measurement shows the real
gain: optbuild run.
""")


def test_the_document_keeps_to_its_schema() -> None:
    """Whatever is known."""
    for advice in (advise(look(own=1)), advise(replace(look(malloc=1), stalled_share=None))):
        jsonschema.validate(json.loads(render_advice(make_document(advice))), make_advice_schema())
