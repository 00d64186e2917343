"""Where the counters of some functions are: read from what LLVM wrote while it compiled, one file a codegen unit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from optbuild.files import storage_error
from optbuild.portable.alignment import Located, align_changed, find_changed, locate
from optbuild.portable.difference import find_hot, find_shares
from optbuild.portable.matching import Matching
from optbuild.portable.model import FunctionCounts, FunctionKey, Place
from optbuild.portable.names import read_name
from optbuild.portable.places import locate_counters
from optbuild.tools.instrumentation import InstrumentedFunction
from optbuild.tools.llvm_ir import find_outdated, parse_functions
from optbuild.tools.mangling import without_unit
from optbuild.tools.profile_text import FunctionRecord


def read_places(directory: Path, wanted: Collection[Located]) -> dict[Located, tuple[Place, ...]]:
    """The places of the counters of some functions, as far as LLVM has written them; files of older builds go.

    Raises:
        StorageError: A file cannot be read or removed.
    """
    found: dict[Located, tuple[Place, ...]] = {}
    try:
        written = [(path, path.stat().st_mtime_ns) for path in sorted(directory.glob("*.ll"))]
        outdated = set(find_outdated(written))
        for path in outdated:
            Path(path).unlink()
        for path, _ in written if wanted else ():
            if path not in outdated:
                text = path.read_text(encoding="utf-8", errors="surrogateescape")
                found |= {(each.symbol, each.hash): locate_counters(each) for each in parse_functions(text, wanted)}
    except OSError as error:
        raise storage_error(directory, error) from error
    return found


def align_with_places(matching: Matching, program: Sequence[InstrumentedFunction], directory: Path) -> Matching:
    """Give counts to functions that have changed, as far as LLVM has written where their counters are.

    Raises:
        StorageError: What it has written cannot be read.
    """
    changed = find_changed(matching, program)
    places = read_places(directory, {locate(function) for _, function in changed}) if changed else {}
    return align_changed(matching, program, places)


def note_places(
    counts: Iterable[FunctionCounts], records: Iterable[FunctionRecord], directory: Path
) -> list[FunctionCounts]:
    """Counts with the places of the counters of hot functions, which are worth finding again when they have changed.

    Args:
        counts: What was trained.
        records: The same under the names of the program that was trained.
        directory: What LLVM has written of that program.
    """
    counts = list(counts)
    hot = find_hot(find_shares(counts))
    located: dict[Located, FunctionKey] = {}
    for record in records:
        name = read_name(record.name)
        if name.path in hot:
            located[without_unit(record.name), record.hash] = (name.path, name.detail, record.hash)
    places = {located[key]: places for key, places in read_places(directory, located).items()}
    return [replace(each, places=places.get(each.key, ())) if each.total else each for each in counts]
