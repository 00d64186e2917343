"""Read the functions of an instrumented program, each with the hash of its control flow, from the program itself.

A profile has them too, but only after a run. The only supported object format is 64-bit little-endian ELF.

Sources:
    LLVM, "Instrumentation Profile Format", https://llvm.org/docs/InstrProfileFormat.html: per-function records begin
    with the MD5 of the name and the hash of the function; names lie in chunks, compressed with zlib
    The ELF section header table: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.sheader.html
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping

_ELF = b"\x7fELF\x02\x01"
_NAMES = b"__llvm_prf_names"
_RECORDS = b"__llvm_prf_data"
_NAME_SEPARATOR = b"\x01"
_SECTION_SIZE = 64
# With and without the bitmaps that LLVM 17 added for condition coverage.
_RECORD_SIZES = (64, 48)


def parse_functions(program: bytes) -> Mapping[str, int] | None:
    """Each instrumented function's mangled name and hash; None for another format, or without instrumentation."""
    try:
        sections = dict(_sections(program))
        if _NAMES not in sections or _RECORDS not in sections:
            return None
        by_digest = {_digest(name): name for name in _names(sections[_NAMES])}
        records = sections[_RECORDS]
        size = next(size for size in _RECORD_SIZES if _fits(records, size, by_digest))
    except (struct.error, zlib.error, IndexError, ValueError, StopIteration):
        return None  # truncated, or in a future format
    found = (struct.unpack_from("<QQ", records, start) for start in range(0, len(records), size))
    return {by_digest[digest].decode("utf-8", "replace"): function_hash for digest, function_hash in found}


def _sections(program: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not program.startswith(_ELF):
        return
    (table,) = struct.unpack_from("<Q", program, 0x28)
    count, index_of_names = struct.unpack_from("<HH", program, 0x3C)
    headers = [struct.unpack_from("<IIQQQQ", program, table + number * _SECTION_SIZE) for number in range(count)]
    names_at = headers[index_of_names][4]
    for name, _, _, _, start, size in headers:
        yield program[names_at + name : program.index(b"\0", names_at + name)], program[start : start + size]


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


def _fits(records: bytes, size: int, by_digest: Mapping[int, bytes]) -> bool:
    """Whether records have this size: each begins with a known name."""
    starts = range(0, len(records), size)
    return len(records) % size == 0 and all(
        struct.unpack_from("<Q", records, start)[0] in by_digest for start in starts
    )
