"""The sections of an object file or a linked program, by name: ELF, Mach-O and COFF, and archives of objects.

Only what is needed to find a section's bytes is read. Of a name there may be several: a function that several objects
may hold has its own sections.

Sources:
    The ELF section header table: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.sheader.html
    PE and COFF: https://learn.microsoft.com/en-us/windows/win32/debug/pe-format
    Mach-O: `mach-o/loader.h`, https://github.com/apple-oss-distributions/xnu/blob/main/EXTERNAL_HEADERS/mach-o/loader.h
    Archives: https://www.unix.com/man-page/opensolaris/3head/ar.h/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_ELF = b"\x7fELF"
_ARCHIVE = b"!<arch>\n"
_THIN_MACH_O = {b"\xcf\xfa\xed\xfe": 8, b"\xce\xfa\xed\xfe": 4}
_COFF_MACHINES = {0x8664: 8, 0xAA64: 8, 0x14C: 4, 0x1C4: 4}
_SEGMENTS = {0x19: (72, 80, "<QQI"), 0x1: (56, 68, "<III")}
_MEMBER_HEADER = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFile:
    """An object, or a program.

    Attributes:
        pointer_bytes: The size of its addresses.
        sections: Each with its name, in the order in which they lie there.
    """

    pointer_bytes: int
    sections: tuple[tuple[bytes, bytes], ...]

    def joined(self, *names: bytes) -> bytes:
        """The bytes of all sections that have one of these names."""
        return b"".join(data for name, data in self.sections if name in names)


def read_objects(data: bytes) -> Iterator[ObjectFile]:
    """The object file, or each one of an archive; nothing for a file of another format.

    Raises:
        ValueError: It is cut short.
    """
    try:
        if data.startswith(_ARCHIVE):
            for member in _members(data):
                yield from read_objects(member)
        elif data.startswith(_ELF):
            yield _read_elf(data)
        elif data[:4] in _THIN_MACH_O:
            yield _read_mach_o(data, _THIN_MACH_O[data[:4]])
        elif (start := _coff_start(data)) is not None:
            yield _read_coff(data, start)
    except (struct.error, IndexError) as error:
        raise ValueError("cut short") from error


def _members(data: bytes) -> Iterator[bytes]:
    return (member for _, member in _named_members(data))


def _named_members(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The members of an archive, each with its name as its header has it."""
    position = len(_ARCHIVE)
    while position + _MEMBER_HEADER <= len(data):
        size = int(data[position + 48 : position + 58])
        start = position + _MEMBER_HEADER
        yield data[position : position + 16].rstrip(), data[start : start + size]
        position = start + size + size % 2


def read_archive_members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The members of an archive with short names as they are, and without its indexes.

    Raises:
        ValueError: It is none.
    """
    if not data.startswith(_ARCHIVE):
        raise ValueError("no archive")
    for name, member in _named_members(data):
        if not name.startswith(b"/") or name[1:].isdigit():  # a number stands for a long name
            yield name.decode("ascii", "replace").removesuffix("/"), member


def _read_elf(data: bytes) -> ObjectFile:
    is_64, order = data[4] == 2, "<" if data[5] == 1 else ">"  # noqa: PLR2004 - ELFCLASS64, ELFDATA2LSB
    table = struct.unpack_from(order + ("Q" if is_64 else "I"), data, 0x28 if is_64 else 0x20)[0]
    entry, count, index_of_names = struct.unpack_from(order + "HHH", data, 0x3A if is_64 else 0x2E)
    form = order + ("IIQQQQ" if is_64 else "IIIIII")
    first = struct.unpack_from(form, data, table)
    if count == 0:  # more than the field can hold: the first header has the number
        count = first[5]
    if index_of_names == 0xFFFF:  # noqa: PLR2004 - SHN_XINDEX, likewise
        index_of_names = struct.unpack_from(order + "I", data, table + (0x28 if is_64 else 0x18))[0]
    headers = [struct.unpack_from(form, data, table + number * entry) for number in range(count)]
    names_at = headers[index_of_names][4]
    no_bits = 8
    sections = tuple(
        (_text(data, names_at + name), b"" if kind == no_bits else data[start : start + size])
        for name, kind, _, _, start, size in headers
    )
    return ObjectFile(pointer_bytes=8 if is_64 else 4, sections=sections)


def _read_mach_o(data: bytes, pointer_bytes: int) -> ObjectFile:
    commands = struct.unpack_from("<I", data, 16)[0]
    position = 32 if pointer_bytes == 8 else 28  # noqa: PLR2004 - of 64 bits
    sections: list[tuple[bytes, bytes]] = []
    for _ in range(commands):
        command, size = struct.unpack_from("<II", data, position)
        if command in _SEGMENTS:
            header, entry, form = _SEGMENTS[command]
            count = struct.unpack_from("<I", data, position + header - 8)[0]
            for number in range(count):
                at = position + header + number * entry
                _, length, start = struct.unpack_from(form, data, at + 32)
                sections.append((data[at : at + 16].rstrip(b"\0"), data[start : start + length]))
        position += size
    return ObjectFile(pointer_bytes=pointer_bytes, sections=tuple(sections))


def _coff_start(data: bytes) -> int | None:
    """Where the COFF header is; None for what has none."""
    start = 0
    if data.startswith(b"MZ"):
        start = struct.unpack_from("<I", data, 0x3C)[0] + 4
        if data[start - 4 : start] != b"PE\0\0":
            return None
    if len(data) < start + 20:
        return None
    return start if struct.unpack_from("<H", data, start)[0] in _COFF_MACHINES else None


def _read_coff(data: bytes, start: int) -> ObjectFile:
    machine, count, _, symbols_at, symbols, optional = struct.unpack_from("<HHIIIH", data, start)
    strings_at = symbols_at + symbols * 18
    sections = []
    for number in range(count):
        at = start + 20 + optional + number * 40
        virtual_size, _, size, position = struct.unpack_from("<IIII", data, at + 8)
        name = data[at : at + 8].rstrip(b"\0")
        if name.startswith(b"/"):
            name = _text(data, strings_at + int(name[1:]))
        # What a program has beyond its own size is padding; an object has no virtual size.
        sections.append((name, data[position : position + (min(size, virtual_size) if virtual_size else size)]))
    return ObjectFile(pointer_bytes=_COFF_MACHINES[machine], sections=tuple(sections))


def _text(data: bytes, start: int) -> bytes:
    end = data.find(b"\0", start)
    if end < 0:
        raise IndexError("no end")
    return data[start:end]
