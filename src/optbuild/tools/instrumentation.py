"""Read the functions of an instrumented program, each with the hash of its control flow, from the program itself.

A profile has them too, but only after a run. An object file that was never linked has them as well, so that this
works for targets whose programs cannot even be linked here.

Sources:
    LLVM, "Instrumentation Profile Format", https://llvm.org/docs/InstrProfileFormat.html: per-function records begin
    with the MD5 of the name and the hash of the function; names lie in chunks, compressed with zlib
    LLVM, `InstrProfData.inc`, `INSTR_PROF_DATA` and `INSTR_PROF_SECT_ENTRY`: the fields of a record, and the names of
    the sections by object format
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from optbuild.tools.object_sections import ObjectFile, read_objects

_NAMES = (b"__llvm_prf_names", b".lprfn$M", b".lprfn")
_RECORDS = (b"__llvm_prf_data", b".lprfd$M", b".lprfd")
_NAME_SEPARATOR = b"\x01"


@dataclass(frozen=True, slots=True)
class InstrumentedFunction:
    """A function that would be counted.

    Attributes:
        name: As a profile has it: mangled, behind its codegen unit's name where only that sees it.
        hash: Of its control flow.
        counters: How many counters it has.
        value_sites: How many places there are where values are seen, by the number of their kind.
    """

    name: str
    hash: int
    counters: int
    value_sites: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    """The form of a record: with bitmaps for coverage of conditions since LLVM 17."""

    size: int
    counters_at: int
    sites: int


_LAYOUTS = {
    8: (_Layout(64, 48, 3), _Layout(56, 48, 2), _Layout(48, 40, 2)),
    4: (_Layout(48, 32, 3), _Layout(40, 32, 2), _Layout(40, 28, 2), _Layout(32, 28, 2)),
}


def parse_functions(program: bytes) -> Mapping[str, int] | None:
    """Each instrumented function's mangled name and hash; None for a file of another format, or not instrumented."""
    found = parse_instrumented(program)
    return None if found is None else {function.name: function.hash for function in found}


def parse_instrumented(program: bytes) -> tuple[InstrumentedFunction, ...] | None:
    """The instrumented functions of a program, an object file or an archive of them.

    Returns:
        Them, in the order of the file; None for a file of another format, or not instrumented.
    """
    try:
        found = [function for part in read_objects(program) for function in _functions(part)]
    except (struct.error, zlib.error, IndexError, ValueError):
        return None  # cut short, or of a format yet to come
    return tuple(dict.fromkeys(found)) or None


def _functions(part: ObjectFile) -> Iterator[InstrumentedFunction]:
    by_digest = {_digest(name): name.decode("utf-8", "replace") for name in _names(part.joined(*_NAMES))}
    records = part.joined(*_RECORDS)
    if not records or not by_digest:
        return
    layout = next((layout for layout in _LAYOUTS[part.pointer_bytes] if _fits(records, layout.size, by_digest)), None)
    if layout is None:
        raise ValueError("records of an unknown form")
    for start in range(0, len(records), layout.size):
        digest, function_hash = struct.unpack_from("<QQ", records, start)
        counters, *sites = struct.unpack_from(f"<I{layout.sites}H", records, start + layout.counters_at)
        yield InstrumentedFunction(by_digest[digest], function_hash, counters, tuple(sites))


def _names(section: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(section):
        if not section[position]:
            position += 1  # chunks of several object files are padded
            continue
        size, position = _number(section, position)
        compressed_size, position = _number(section, position)
        chunk = section[position : position + (compressed_size or size)]
        position += len(chunk)
        yield from (zlib.decompress(chunk) if compressed_size else chunk).split(_NAME_SEPARATOR)


def _number(data: bytes, position: int) -> tuple[int, int]:
    """Read an unsigned LEB128 number, and its end."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return value, position


def _digest(name: bytes) -> int:
    return int.from_bytes(hashlib.md5(name, usedforsecurity=False).digest()[:8], "little")


def _fits(records: bytes, size: int, by_digest: Mapping[int, str]) -> bool:
    """Whether records are of this size: each begins with a name that is known."""
    starts = range(0, len(records), size)
    return len(records) % size == 0 and all(
        struct.unpack_from("<Q", records, start)[0] in by_digest for start in starts
    )
