"""The outlines of some functions: read from what LLVM wrote while it compiled, one file a codegen unit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from optbuild.files import storage_error
from optbuild.portable.alignment import find_moved, move_counts
from optbuild.portable.difference import find_hot, find_shares
from optbuild.portable.matching import Matching
from optbuild.portable.model import FunctionCounts, Located, OutlineBlock
from optbuild.portable.outline import outline
from optbuild.portable.profile_records import join, parse_records
from optbuild.tools.instrumentation import InstrumentedFunction
from optbuild.tools.llvm_ir import find_outdated, parse_functions
from optbuild.tools.mangling import without_unit
from optbuild.tools.profile_text import FunctionRecord

OUTLINED_SHARE = 0.99
"""The hottest functions that have this share of the counts together have an outline: LLVM takes no others for hot."""


def read_outlines(directory: Path, wanted: Collection[Located]) -> dict[Located, tuple[OutlineBlock, ...]]:
    """The outlines of some functions, as far as LLVM has written them; files of older builds go.

    Raises:
        StorageError: A file cannot be read or removed.
    """
    found: dict[Located, tuple[OutlineBlock, ...]] = {}
    try:
        written = [(path, path.stat().st_mtime_ns) for path in sorted(directory.glob("*.ll"))]
        outdated = set(find_outdated(written))
        for path in outdated:
            Path(path).unlink()
        for path, _ in written if wanted else ():
            if path not in outdated:
                text = path.read_text(encoding="utf-8", errors="surrogateescape")
                found |= {(each.symbol, each.hash): outline(each) for each in parse_functions(text, wanted)}
    except OSError as error:
        raise storage_error(directory, error) from error
    return found


def move_by_outlines(matching: Matching, program: Sequence[InstrumentedFunction], directory: Path) -> Matching:
    """Give counts to what blocks do, as far as LLVM has written it.

    Raises:
        StorageError: What it has written cannot be read.
    """
    wanted = find_moved(matching, program)
    return move_counts(matching, program, read_outlines(directory, wanted)) if wanted else matching


def note_outlines(records: Iterable[FunctionRecord], directory: Path) -> list[FunctionCounts]:
    """The counts of a training, those of hot functions with their outlines: other builds find them again by these.

    Args:
        records: Under the names of the program that was trained.
        directory: What LLVM has written of that program.

    Raises:
        ValueError: A record is not as expected.
        StorageError: A file cannot be read or removed.
    """
    records = list(records)
    counted = parse_records(records)
    hot = find_hot(find_shares(counted), OUTLINED_SHARE)
    located = [(without_unit(record.name), record.hash) for record in records]
    wanted = {place for place, counts in zip(located, counted, strict=True) if counts.total and counts.name.path in hot}
    outlines = read_outlines(directory, wanted)
    pairs = zip(located, counted, strict=True)
    return join(replace(counts, outline=outlines.get(place, ())) for place, counts in pairs)
