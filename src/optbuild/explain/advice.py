"""What a person can do about what was found: one sentence for each thing, with its figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from optbuild.record.explanation import CrateUse, ExplainedFunction, ExplainedProgram, FunctionChange
from optbuild.text import name_some, sanitize_line
from optbuild.tools.mangling import STANDARD_LIBRARY
from optbuild.units import format_bytes, format_share

_SMALL_BYTES = 256
_HOT_FUNCTION = 0.01
_DOMINANT = 0.5
_LEAST_CRATE_BYTES = 4096
_MOSTLY = 0.9
_SHOWN = 3
_WITHOUT_COUNTS = (
    "Neither variant has PGO, so nothing is known of what runs; only sizes are compared. Explain a PGO variant, or "
    "name one with --against, to see counts."
)


def advise(program: ExplainedProgram) -> ExplainedProgram:
    """The same with its sentences."""
    if program.profile is None:
        return replace(program, advice=(_WITHOUT_COUNTS,))
    return replace(program, advice=(*_advise_on_hot_code(program), *_advise_on_idle_code(program)))


def _advise_on_hot_code(program: ExplainedProgram) -> Iterator[str]:
    dominant = program.functions[0] if program.functions else None
    if dominant is not None and dominant.share is not None and dominant.share >= _DOMINANT:
        yield (
            f"{sanitize_line(dominant.name)} has {format_share(dominant.share)} of all counts: look at its source "
            "first, which is likely to gain more than another setting of the compiler."
        )
    small = [each for each in program.functions if _is_small_and_called(each)]
    if small:
        names = name_some([sanitize_line(each.name) for each in small], _SHOWN)
        yield (
            f"Small, hot, and still called: {names}. Without fat LTO, `#[inline]` lets other crates inline such "
            "a function. With it, the compiler decided against inlining, and `-Cllvm-args=-inline-threshold=N` "
            "moves that limit. Measure before you keep either."
        )


def _is_small_and_called(function: ExplainedFunction) -> bool:
    code = function.variant
    return (
        code is not None
        and 0 < code.size_bytes <= _SMALL_BYTES * max(1, code.copies)
        and (function.share or 0.0) >= _HOT_FUNCTION
        and function.crate is not None
        and function.name != f"{function.crate}::main"  # which nothing can contain
        and function.change is not FunctionChange.SPLIT
    )


def _advise_on_idle_code(program: ExplainedProgram) -> Iterator[str]:
    idle = [crate for crate in program.crates if _is_idle(crate)]
    for crate in idle[:_SHOWN]:
        name = sanitize_line(crate.crate or "")
        yield (
            f"Of crate {name}, {format_bytes(crate.never_ran_bytes)} never ran in training, "
            f"{format_share(crate.never_ran_bytes / crate.size_bytes)} of its code. If users need it, add a workload "
            f"that runs it; if not, look for a feature that leaves it out: cargo tree -e features -i {name}"
        )


def _is_idle(crate: CrateUse) -> bool:
    return (
        crate.crate is not None
        and crate.crate not in STANDARD_LIBRARY
        and crate.never_ran_bytes >= _LEAST_CRATE_BYTES
        and crate.never_ran_bytes >= _MOSTLY * crate.size_bytes
    )
