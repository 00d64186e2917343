from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.observe.raw import RawSamples, name_samples
from optbuild.observe.samples import Unit, join
from optbuild.observe.sampling import read_callgrind_stacks, read_perf_samples
from optbuild.tools.addr2line import make_argv, parse_functions, render_addresses
from optbuild.tools.callgrind_stacks import CallgrindProfile, parse_profile
from optbuild.tools.callgrind_stacks import make_record_argv as make_callgrind_argv
from optbuild.tools.elf_segments import Segment, find_address
from optbuild.tools.perf_record import CallGraph, Lost, PerfSample, make_record_argv, make_script_argv, read_script

RECORDED = Path(__file__).parents[1] / "recorded" / "profilers"


def read_recorded_script() -> list[PerfSample | Lost]:
    """The samples of a real program with two threads."""
    return list(read_script((RECORDED / "perf-script.txt").read_text().splitlines(keepends=True)))


def read_recorded_profile() -> CallgrindProfile:
    """What callgrind counted in a function of a real program that calls itself three times."""
    return parse_profile((RECORDED / "callgrind.txt").read_text().splitlines(keepends=True))


def test_perf_records_what_a_program_starts_as_well() -> None:
    """Everything after `--` is the program's own."""
    argv = make_record_argv(
        "/usr/bin/perf",
        Path("/p/000"),
        ("/p/demo", "--freq"),
        event="cpu-clock",
        frequency_hz=999,
        call_graph=CallGraph.FRAME_POINTERS,
    )
    assert " ".join(argv[:-2]) == snapshot(
        "/usr/bin/perf record --quiet --event cpu-clock --freq 999 --call-graph fp --no-buildid --no-buildid-cache "
        "--output /p/000 --"
    )
    assert argv[-2:] == ("/p/demo", "--freq")
    assert " ".join(make_script_argv("perf", Path("/p/000"))) == snapshot(
        "perf script --input /p/000 --force --no-demangle --no-inline --show-lost-events "
        "--fields comm,pid,tid,period,event,ip,sym,symoff,dso"
    )


def test_perf_unwinds_with_copies_of_the_stack() -> None:
    """Unwinding by DWARF needs no frame pointers."""
    argv = make_record_argv("perf", Path("o"), ("a",), event="cycles", frequency_hz=99, call_graph=CallGraph.DWARF)
    assert argv[argv.index("--call-graph") + 1] == "dwarf,16384"


def test_a_script_of_perf_is_read() -> None:
    """The name of a thread may contain blanks."""
    samples = read_recorded_script()
    assert len(samples) == 12
    first = samples[0]
    assert isinstance(first, PerfSample)
    assert (first.thread, first.event, first.period) == snapshot(("helper 7", "cpu-clock:u", 3344481))
    assert [frame.symbol for frame in first.frames] == snapshot(
        [
            "_ZN4demo4work17h5d8d339e41a399ffE",
            "_ZN3std3sys9backtrace28__rust_begin_short_backtrace17h55f1ba8306123a31E",
            "_ZN4core3ops8function6FnOnce40call_once$u7b$$u7b$vtable.shim$u7d$$u7d$17ha0767be523f1f03bE",
            "_RNvNvMs0_NtNtNtCsjrHSEGnQ3l9_3std3sys6thread4unixNtB7_6Thread3new12thread_start",
            "start_thread",
        ]
    )


def test_unusual_lines_of_a_script_are_understood() -> None:
    """Lost samples are counted, perf's own start is left out, foreign text is passed over."""
    text = """\
a 1/2/3 (x) 10/11  250 cpu-clock:
\t           15df0 [unknown] (/p/a (deleted))
\tffffffff81000000 do_syscall_64+0x10 ([kernel.kallsyms])
\t    7ffc00000000 __vdso_gettime+0x1 ([vdso])

perf-exec 10/10  250 cpu-clock:
\t           15df0 [unknown] (/usr/bin/perf)

demo 10/10 PERF_RECORD_LOST lost 12
evil
 thread 10/10  1 cycles:
no frame at all
"""
    samples = list(read_script(text.splitlines(keepends=True)))
    assert [type(each).__name__ for each in samples] == ["PerfSample", "Lost", "PerfSample"]
    raw = read_perf_samples(samples[:2])
    assert (raw.count, raw.lost, raw.unit) == (1, 12, Unit.SECONDS)
    (stack,) = raw.stacks
    assert stack.thread == "a 1/2/3 (x)"
    assert stack.weight == pytest.approx(250e-9)
    assert [(frame.symbol, frame.module, frame.is_kernel) for frame in stack.frames] == snapshot(
        [
            ("", "/p/a (deleted)", False),
            ("do_syscall_64", "[kernel]", True),
            ("__vdso_gettime", "[vdso]", False),
        ]
    )


NAMED = {
    "demo::work": 1.0,
    "std::sys::backtrace::__rust_begin_short_backtrace": 1.0,
    "__libc_start_call_main": 0.5,
    "core::ops::function::FnOnce::call_once{{vtable.shim}}": 0.5,
}


def test_samples_of_perf_get_names_without_hashes() -> None:
    """Both manglings; the functions that took most with all that they called."""
    samples = name_samples(read_perf_samples(read_recorded_script()), {}, lambda module: Path(module).name)
    assert {stack.thread for stack in samples.stacks} == {"helper 7", "demo"}
    shares: Counter[str] = Counter()
    for stack in samples.stacks:
        shares.update(dict.fromkeys((frame.function for frame in stack.frames), stack.weight / samples.total))
    assert {name: round(share, 2) for name, share in shares.items() if name in NAMED} == NAMED


def test_a_profile_of_callgrind_has_stacks() -> None:
    """Costs add up to the file's own sum, and each belongs to one chain of calls."""
    profile = read_recorded_profile()
    assert profile.program == "demo"
    assert sum(cost.instructions for cost in profile.costs) == 657
    samples = RawSamples(stacks=tuple(read_callgrind_stacks(profile)), unit=Unit.INSTRUCTIONS, tool="callgrind")
    named = name_samples(samples, {}, lambda module: Path(module).name)
    assert named.total == 657
    deepest = max(named.stacks, key=lambda stack: stack.weight)
    assert [frame.function for frame in deepest.frames][-5:] == snapshot(
        [
            "std::rt::lang_start::{closure}",
            "std::sys::backtrace::__rust_begin_short_backtrace",
            "demo::main",
            "demo::deep",
            "demo::work",
        ]
    )


def test_callgrind_separates_functions_by_their_callers() -> None:
    """One file for each process."""
    assert " ".join(make_callgrind_argv("valgrind", Path("/p/000"), ("/p/demo", "1"))) == snapshot(
        "valgrind --quiet --trace-children=yes --tool=callgrind --demangle=no --dump-instr=yes "
        "--separate-callers=32 --callgrind-out-file=/p/000.%p /p/demo 1"
    )


def test_inlined_functions_become_frames() -> None:
    """LLVM's symbolizer and GNU addr2line answer in one form; the compiled function is last."""
    answers = [parse_functions((RECORDED / f"{name}.txt").read_text()) for name in ("llvm-symbolizer", "addr2line")]
    assert answers[0].keys() == answers[1].keys()
    profile = read_recorded_profile()
    raw = RawSamples(stacks=tuple(read_callgrind_stacks(profile)), unit=Unit.INSTRUCTIONS, tool="callgrind")
    named = name_samples(raw, {("/p/demo", address): names for address, names in answers[0].items()})
    inlined = [stack for stack in named.stacks if any(frame.is_inlined for frame in stack.frames)]
    assert {tuple(frame.function for frame in stack.frames if frame.is_inlined) for stack in inlined} == snapshot(
        {
            (
                "<core::ops::range::Range as core::iter::traits::iterator::Iterator>::next",
                "<core::ops::range::Range as core::iter::range::RangeIteratorImpl>::spec_next",
                "<u64 as core::cmp::PartialOrd>::lt",
            )
        }
    )


def test_a_symbolizer_is_asked_in_its_own_way() -> None:
    """GNU addr2line leaves names mangled unless it is told otherwise."""
    assert make_argv("/usr/bin/llvm-symbolizer-22", Path("/p/a")) == snapshot(
        ("/usr/bin/llvm-symbolizer-22", "--output-style=GNU", "--no-demangle", "-f", "-i", "-a", "-e", "/p/a")
    )
    assert make_argv("/usr/bin/addr2line", Path("/p/a")) == snapshot(
        ("/usr/bin/addr2line", "-f", "-i", "-a", "-e", "/p/a")
    )
    assert render_addresses([16, 255]) == "0x10\n0xff\n"
    assert parse_functions("0x10\n??\n??:0\n0xff\nf\na.c:1\ng\na.c:2\n") == {16: (), 255: ("f", "g")}


def test_an_offset_in_a_file_has_an_address() -> None:
    """Code is loaded elsewhere than it is in the file."""
    segments = (Segment(offset=0, address=0, size=100), Segment(offset=100, address=4196, size=50))
    assert [find_address(segments, offset) for offset in (0, 99, 100, 149, 150)] == [0, 99, 4196, 4245, None]


def test_recordings_add_up() -> None:
    """Equal stacks become one, and so do counts."""
    samples = name_samples(read_perf_samples(read_recorded_script()), {})
    both = join([samples, samples.scaled(2)])
    assert both.count == 24
    assert both.total == samples.total * 3
    assert len(both.stacks) == len(samples.stacks)
