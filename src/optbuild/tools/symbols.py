"""The functions of a linked ELF program by its symbol table, each with its place and its code; with pyelftools.

Sources:
    ELF symbol table: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.symtab.html
    Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2: CALL (E8), JMP (E9), Jcc (0F 80 to 0F 8F),
    and ModR/M bytes that mean an address relative to the instruction (mod 00, r/m 101)
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError
from elftools.elf.elffile import ELFFile

_ELF = b"\x7fELF"
_FUNCTION_TYPES = frozenset({2, 10})  # STT_FUNC, STT_GNU_IFUNC
_UNDEFINED, _RESERVED = 0, 0xFF00  # SHN_UNDEF, SHN_LORESERVE
_X86_64: Final = "EM_X86_64"
_OFFSET_BYTES = 4
_CALL_OR_JUMP, _TWO_BYTES, _CONDITIONAL_JUMP, _RELATIVE = frozenset({0xE8, 0xE9}), 0x0F, 0x80, 0x05


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSymbol:
    """A function as a program has it.

    Attributes:
        name: Mangled.
        address: Where it begins when the program is loaded at its own address.
        code: Its bytes.
    """

    name: str
    address: int
    code: bytes

    @property
    def size_bytes(self) -> int:
        """How long its code is."""
        return len(self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSymbols:
    """The functions of a program.

    Attributes:
        machine: As the ELF header has it, such as `EM_X86_64`.
        functions: In the order of their addresses; several names of one address follow each other.
    """

    machine: str
    functions: tuple[FunctionSymbol, ...]


def read_symbols(data: bytes) -> ProgramSymbols | None:
    """The functions of a program; none where it was stripped. None for a file of another format.

    Raises:
        ValueError: It is cut short or damaged.
    """
    if not data.startswith(_ELF):
        return None
    try:
        elf = ELFFile(io.BytesIO(data))
        found = sorted(_functions(elf, data), key=lambda function: (function.address, function.name))
        return ProgramSymbols(machine=str(elf["e_machine"]), functions=tuple(found))
    except (ELFError, ConstructError, struct.error, AttributeError, KeyError, IndexError, TypeError) as error:
        # What is broken reaches pyelftools in many places, as a name or number that it does not know.
        raise ValueError("it is cut short or damaged") from error


def _functions(elf: Any, data: bytes) -> Iterator[FunctionSymbol]:  # noqa: ANN401 - pyelftools has no types
    table = elf.get_section_by_name(".symtab")
    if table is None:
        return
    names = elf.get_section(table["sh_link"]).data()
    places = [(section["sh_addr"], section["sh_offset"], section["sh_size"]) for section in elf.iter_sections()]
    order = "<" if elf.little_endian else ">"
    form = struct.Struct(order + ("IBBHQQ" if elf.elfclass == 64 else "IIIBBH"))  # noqa: PLR2004 - bits
    entries = table.data()
    for entry in form.iter_unpack(entries[: len(entries) // form.size * form.size]):
        if elf.elfclass == 64:  # noqa: PLR2004 - bits
            name_at, info, _, section, address, size = entry
        else:
            name_at, address, size, info, _, section = entry
        if info & 0xF not in _FUNCTION_TYPES or not size or section == _UNDEFINED or section >= _RESERVED:
            continue
        start_address, offset, length = places[section]
        within = address - start_address
        if within >= 0 and within + size <= length:
            name = names[name_at : names.index(b"\0", name_at)].decode("utf-8", "replace")
            yield FunctionSymbol(name=name, address=address, code=data[offset + within : offset + within + size])


def is_same_code(one: bytes, other: bytes, machine: str) -> bool:
    """Whether two functions differ in nothing but the distances to what they refer to.

    The linker fills these in, so they differ as soon as anything else of a program has another size. For another
    machine than x86-64 only equal bytes are the same.
    """
    if one == other:
        return True
    if machine != _X86_64 or len(one) != len(other):
        return False
    at = 0
    while at < len(one):
        if one[at] == other[at]:
            at += 1
            continue
        start = next((each for each in range(at - _OFFSET_BYTES + 1, at + 1) if _holds_offset(one, each)), None)
        if start is None:
            return False
        at = start + _OFFSET_BYTES
    return True


def _holds_offset(code: bytes, at: int) -> bool:
    """Whether the four bytes from here on may be a distance from the instruction."""
    if at < 1 or at + _OFFSET_BYTES > len(code):
        return False
    before = code[at - 1]
    is_jump = at > 1 and code[at - 2] == _TWO_BYTES and before & 0xF0 == _CONDITIONAL_JUMP
    return is_jump or before in _CALL_OR_JUMP or before & 0xC7 == _RELATIVE
