"""What `optbuild explain` found, as a report: the hottest functions first, then what a person can do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from optbuild.record.explanation import (
    CrateUse,
    ExplainedFunction,
    ExplainedProgram,
    Explanation,
    FunctionChange,
    FunctionCode,
    HotCode,
)
from optbuild.report.display import sentence
from optbuild.report.model import NOTHING, Align, Cell, Column, Report, Table
from optbuild.text import sanitize_line
from optbuild.units import format_bytes, format_percent, format_share

DEFAULT_ROWS = 15
_MOST_CHARACTERS = 64
_LEAST_CHANGE_BYTES = 64
_LEAST_SHARE = 0.0005  # what is printed as 0.1%


def assemble_explanation(found: Explanation, *, rows: int = DEFAULT_ROWS) -> list[Report]:
    """A report for each program.

    Args:
        found: What is explained.
        rows: How many rows a table may have.
    """
    return [_assemble_program(program, found, rows) for program in found.programs]


def _assemble_program(program: ExplainedProgram, found: Explanation, rows: int) -> Report:
    tables = [_hot_table(program, found, rows)] if program.profile is not None else []
    tables += [_size_table(program, found, rows)]
    tables += [_crate_table(program.crates, rows)] if program.crates else []
    return Report(
        title=sanitize_line(f"{program.bin}: {found.variant} compared with {found.against}"),
        status=tuple(_summarise(program, found)),
        tables=tuple(table for table in tables if table.rows),
        footnotes=(*map(sentence, program.advice), *_explain_words(program, found)),
    )


def _summarise(program: ExplainedProgram, found: Explanation) -> Iterator[str]:
    """The findings in a few sentences, each with its figure."""
    against, variant = found.against, found.variant
    before, after = program.code_bytes_against, program.code_bytes
    change = f" ({format_percent(after / before - 1)})" if before else ""
    yield f"Code: {format_bytes(before)} in {against}, {format_bytes(after)} in {variant}{change}."
    counted = Counter(function.change for function in program.functions)
    own = [each for each in program.functions if each.change is FunctionChange.INLINED and each.against is not None]
    parts = [f"{len(own):,} that ran are inlined wherever they are called"] if own else []
    parts += [
        f"{counted[change]:,} {word}"
        for change, word in (
            (FunctionChange.GONE, "others are gone"),
            (FunctionChange.NEW, "are new"),
            (FunctionChange.SPLIT, "are split into a hot and a cold part"),
            (FunctionChange.GROWN, "have grown"),
            (FunctionChange.SHRUNK, "have shrunk"),
            (FunctionChange.REARRANGED, "are rearranged at the same size"),
        )
        if counted[change]
    ]
    yield f"Functions: {', '.join(parts)}." if parts else "Functions: all have the same code in both."
    if program.hot_functions is not None and program.hot_code is not None and program.hot_code_against is not None:
        yield (
            f"Hot code: {_number(program.hot_functions, 'function')} with {format_share(program.hot_share, 0)} of the "
            f"counts. In {against}, {_say_hot(program.hot_code_against)}; in {variant}, {_say_hot(program.hot_code)}."
        )
    new = [each for each in program.functions if each.change is FunctionChange.NEW and each.count == 0]
    if new:
        size = sum(each.variant.size_bytes for each in new if each.variant is not None)
        yield (
            f"{len(new):,} of the new functions never ran in training ({format_bytes(size)}): code of their own "
            "keeps them out of the hot code that contained them."
        )


def _say_hot(code: HotCode) -> str:
    own = f"{code.functions:,} of them {'has' if code.functions == 1 else 'have'} code of their own"
    return f"{own}: {format_bytes(code.size_bytes)} on {_number(code.pages, 'page')} of 4 KiB"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _hot_table(program: ExplainedProgram, found: Explanation, rows: int) -> Table:
    hot = [function for function in program.functions if (function.share or 0.0) >= _LEAST_SHARE]
    figures = [(format_share(function.share or 0.0), function) for function in hot[:rows]]
    return _function_table("The hottest functions, by the counts of training", "counts", figures, found)


def _size_table(program: ExplainedProgram, found: Explanation, rows: int) -> Table:
    changed = [function for function in program.functions if abs(_growth(function)) >= _LEAST_CHANGE_BYTES]
    changed.sort(key=lambda function: (-abs(_growth(function)), function.name))
    figures = [(_say_growth(_growth(function)), function) for function in changed[:rows]]
    return _function_table("The largest changes in size", "change", figures, found)


def _say_growth(size_bytes: int) -> str:
    return f"{'+' if size_bytes > 0 else '−'}{format_bytes(abs(size_bytes))}"


def _function_table(
    caption: str, what: str, figures: Iterable[tuple[str, ExplainedFunction]], found: Explanation
) -> Table:
    return Table(
        caption=caption,
        columns=(
            Column(heading=what, align=Align.RIGHT),
            Column(heading="function"),
            Column(heading=found.against, align=Align.RIGHT, optional=True),
            Column(heading=found.variant, align=Align.RIGHT),
            Column(heading="what became of it"),
        ),
        rows=tuple(
            (Cell(text=figure), _name_cell(function), *_size_cells(function), Cell(text=_say_change(function)))
            for figure, function in figures
        ),
    )


def _crate_table(crates: Iterable[CrateUse], rows: int) -> Table:
    counted = [crate for crate in crates if crate.ran_bytes or crate.never_ran_bytes]
    return Table(
        caption="What ran in training, by crate",
        columns=(
            Column(heading="crate"),
            Column(heading="code", align=Align.RIGHT),
            Column(heading="ran", align=Align.RIGHT),
            Column(heading="never ran", align=Align.RIGHT),
            Column(heading="not counted", align=Align.RIGHT, optional=True),
        ),
        rows=tuple(
            (
                Cell(text=sanitize_line(crate.crate or "(no crate: C, start-up)"), foreign=True),
                Cell(text=format_bytes(crate.size_bytes)),
                *(
                    Cell(text=format_share(part / crate.size_bytes)) if part else NOTHING
                    for part in (crate.ran_bytes, crate.never_ran_bytes, crate.uncounted_bytes)
                ),
            )
            for crate in counted[:rows]
        ),
    )


def _name_cell(function: ExplainedFunction) -> Cell:
    name = sanitize_line(function.name)
    return Cell(text=name if len(name) <= _MOST_CHARACTERS else f"{name[: _MOST_CHARACTERS - 1]}…", foreign=True)


def _size_cells(function: ExplainedFunction) -> tuple[Cell, Cell]:
    return (_size_cell(function.against), _size_cell(function.variant))


def _size_cell(code: FunctionCode | None) -> Cell:
    return NOTHING if code is None else Cell(text=format_bytes(code.size_bytes + code.cold_bytes))


def _growth(function: ExplainedFunction) -> int:
    before, after = (
        0 if code is None else code.size_bytes + code.cold_bytes for code in (function.against, function.variant)
    )
    return after - before


def _say_change(function: ExplainedFunction) -> str:
    match function.change:
        case FunctionChange.INLINED:
            return "inlined" if function.against is not None else "inlined in both"
        case FunctionChange.NEW:
            return "has its own code now"
        case FunctionChange.SPLIT:
            cold = 0 if function.variant is None else function.variant.cold_bytes
            return f"split: {format_bytes(cold)} of it are cold"
        case FunctionChange.SAME:
            return "the same code"
        case other:
            return str(other)


def _explain_words(program: ExplainedProgram, found: Explanation) -> Iterator[str]:
    if program.profile is not None:
        of = program.profile.of
        yield (
            f"Counts say how often the blocks of a function ran in training ({of}), not how long they took. Instances "
            "of generic code are one function. An inlined function has no separate code: its callers contain it."
        )
    if any(each.change is FunctionChange.GONE for each in program.functions):
        yield "Gone: it has neither code nor counts, because it was merged with others or inlined before counting."
    if uncounted := sum(crate.uncounted_bytes for crate in program.crates):
        yield (
            f"Not counted ({format_bytes(uncounted)}): the precompiled standard library, code in C, and what the "
            "linker left out of the program that was trained."
        )
    if found.built_with:
        yield f"Both were built with {' '.join(found.built_with)}, as the symbols are missing in what you ship."
