"""Records of LLVM's text profile, and what a portable profile keeps of them: one into the other.

Sources:
    LLVM, `TextInstrProfReader` and `InstrProfWriter::writeRecordInText`,
    https://github.com/llvm/llvm-project/tree/main/llvm/lib/ProfileData
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from optbuild.portable.model import FunctionCounts, FunctionKey, Site, Value, ValueKind
from optbuild.portable.names import read_name
from optbuild.tools.profile_text import FunctionRecord

COUNT_LIMIT = (1 << 64) - 3
"""The largest counter that a profile holds: those above have special meanings (LLVM's `InstrProf.h`)."""
_EXTERNAL = "** External Symbol **"


def parse_records(records: Iterable[FunctionRecord]) -> list[FunctionCounts]:
    """Read the records of one program, in their order; its functions call each other.

    Raises:
        ValueError: A record is not as expected.
    """
    records = list(records)
    callees = {record.name: (read_name(record.name), record.hash) for record in records}
    return [parse_record(record, callees) for record in records]


def parse_record(record: FunctionRecord, callees: Mapping[str, FunctionKey] | None = None) -> FunctionCounts:
    """Read a record.

    Args:
        record: Of a function.
        callees: What functions that it may call are, by their mangled names.

    Raises:
        ValueError: It is not as expected.
    """
    lines = iter([line for line in record.lines if not line.startswith("#")])
    try:
        function_hash = int(next(lines))
        counters = tuple([int(next(lines)) for _ in range(int(next(lines)))])  # a generator would hide the end
        values = {}
        for line in lines:
            if line.startswith("$"):  # coverage of conditions
                continue
            for _ in range(int(line)):
                kind = ValueKind(int(next(lines)))
                sites = tuple([_parse_site(lines, kind, callees or {}) for _ in range(int(next(lines)))])
                if any(sites):
                    values[kind] = sites
    except StopIteration:
        raise ValueError(f"the record of {record.name} is cut short") from None
    return FunctionCounts(
        name=read_name(record.name), hash=function_hash, instances=1, counters=counters, values=values
    )


def _parse_site(lines: Iterator[str], kind: ValueKind, callees: Mapping[str, FunctionKey]) -> Site:
    found: Counter[Value] = Counter()
    for _ in range(int(next(lines))):
        text, _, count = next(lines).rpartition(":")
        if text == _EXTERNAL:
            continue
        value: Value = int(text) if kind is ValueKind.SIZE else callees.get(text) or (read_name(text), 0)
        found[value] += int(count)
    return _sorted_site(found)


def _sorted_site(values: Mapping[Value, int]) -> Site:
    """The most frequent first, as LLVM has them."""
    return tuple(sorted(values.items(), key=lambda item: (-item[1], str(item[0]))))


def join(functions: Iterable[FunctionCounts]) -> list[FunctionCounts]:
    """Sum what has one name and one control flow, and sort it: the same counts give the same list."""
    by_key: dict[FunctionKey, list[FunctionCounts]] = {}
    for function in functions:
        by_key.setdefault(function.key, []).append(function)
    return [
        joined
        for _, group in sorted(by_key.items())
        for joined in (group if len(group) == 1 else _sum_of_one_shape(group))
    ]


def _sum_of_one_shape(group: Sequence[FunctionCounts]) -> Iterator[FunctionCounts]:
    """The sum of those with the most usual number of counters; others share the hash by chance, and are left out."""
    length = max(Counter(len(function.counters) for function in group).items(), key=lambda item: (item[1], item[0]))[0]
    same = [function for function in group if len(function.counters) == length]
    yield add(same)


def add(functions: Sequence[FunctionCounts]) -> FunctionCounts:
    """The sum of several functions' counts, which have the same number of counters."""
    first = functions[0]
    counters = tuple(min(sum(column), COUNT_LIMIT) for column in zip(*(f.counters for f in functions), strict=True))
    values = {}
    for kind in ValueKind:
        columns = zip_longest(*(function.values.get(kind, ()) for function in functions), fillvalue=())
        sites = tuple(_add_sites(column) for column in columns)
        if sites:
            values[kind] = sites
    return FunctionCounts(
        name=first.name,
        hash=first.hash,
        instances=sum(function.instances for function in functions),
        counters=counters,
        values=values,
        outline=next((function.outline for function in reversed(functions) if function.outline), ()),
    )


def _add_sites(sites: Iterable[Site]) -> Site:
    total: Counter[Value] = Counter()
    for site in sites:
        total.update(dict(site))
    return _sorted_site({value: min(count, COUNT_LIMIT) for value, count in total.items()})


def render_record(
    symbol: str, function_hash: int, counts: FunctionCounts, symbols_of: Callable[[FunctionKey], Sequence[str]]
) -> str:
    """The text of a record for a function of a program.

    Args:
        symbol: Its name there.
        function_hash: Of its control flow there.
        counts: What it gets.
        symbols_of: The names that a called function has there.
    """
    lines = [symbol, str(function_hash), str(len(counts.counters)), *map(str, counts.counters)]
    kinds = {kind: sites for kind, sites in counts.values.items() if sites}
    if kinds:
        lines.append(str(len(kinds)))
    for kind, sites in sorted(kinds.items()):
        lines += [str(int(kind)), str(len(sites))]
        for site in sites:
            seen = list(_render_values(site, symbols_of))
            lines += [str(len(seen)), *seen]
    return "\n".join((*lines, "", ""))


def _render_values(site: Site, symbols_of: Callable[[FunctionKey], Sequence[str]]) -> Iterator[str]:
    for value, count in site:
        if isinstance(value, int):
            yield f"{value}:{count}"
        elif symbols := symbols_of(value):
            # Which of several was called is not known. One gets it all: promoted wrongly, it costs a comparison.
            yield f"{symbols[0]}:{count}"
