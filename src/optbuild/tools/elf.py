"""What an ELF program says of itself: its machine, its hardening, and the CPU that it needs; with pyelftools.

Sources:
    System V ABI, Program Header: https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html
    x86-64 psABI, `.note.gnu.property`: https://gitlab.com/x86-psABIs/x86-64-ABI, GNU_PROPERTY_X86_ISA_1_NEEDED
    RELRO and GNU_STACK: https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/progheader.html
"""

from __future__ import annotations

import io
import struct
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import NoteSection, SymbolTableSection

from optbuild.tools.object_sections import read_objects

_EXECUTABLE = 1
_BIND_NOW, _NOW = 0x8, 0x1
_ISA_NEEDED = "GNU_PROPERTY_X86_ISA_1_NEEDED"
_INSTRUMENTED_SECTIONS: Final = ("__llvm_prf_", "__llvm_cov", ".lprf", ".bolt.instr")
_INSTRUMENTED_SYMBOLS: Final = ("__llvm_profile_runtime", "__llvm_profile_write_file")


class Relro(StrEnum):
    """How much of what the loader writes is read-only afterwards."""

    NONE = "none"
    PARTIAL = "partial"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfFacts:
    """An ELF program.

    Attributes:
        machine: As the ELF header has it, such as `EM_X86_64`.
        position_independent: It runs wherever it is loaded.
        relro: What is read-only after loading.
        executable_stack: Its stack may hold code.
        isa_level: The x86-64 level that its marker demands, 1 to 4; None without a marker.
        instrumentation: Sections and symbols that only an instrumented program has.
    """

    machine: str
    position_independent: bool
    relro: Relro
    executable_stack: bool
    isa_level: int | None
    instrumentation: tuple[str, ...]


def read_elf(data: bytes) -> ElfFacts:
    """Look at an ELF program; nothing of it is run.

    Raises:
        ValueError: It is cut short or damaged.
    """
    try:
        elf = ELFFile(io.BytesIO(data))
        _require_tables_within(elf, len(data))
        return _read(elf)
    except (ELFError, ConstructError, struct.error, AttributeError, KeyError, IndexError, TypeError) as error:
        # What is broken reaches pyelftools in many places, as a name or number that it does not know.
        raise ValueError("it is cut short or damaged") from error


def _require_tables_within(elf: Any, size: int) -> None:  # noqa: ANN401 - likewise
    """Refuse tables that are larger than the file: a damaged number would be counted up to for hours."""
    tables = [(elf.num_segments(), elf["e_phentsize"]), (elf.num_sections(), elf["e_shentsize"])]
    if any(count * max(entry, 1) > size for count, entry in tables):
        raise ValueError("its headers are larger than the file")
    if any(section["sh_size"] > size for section in elf.iter_sections() if section["sh_type"] != "SHT_NOBITS"):
        raise ValueError("a section is larger than the file")


def read_needed_versions(data: bytes) -> tuple[str, ...]:
    """The versions of symbols that an ELF program needs of other libraries, such as `GLIBC_2.17`.

    Raises:
        ValueError: It is cut short or damaged.
    """
    try:
        elf = ELFFile(io.BytesIO(data))
        _require_tables_within(elf, len(data))
        tables = (section for section in elf.iter_sections() if isinstance(section, GNUVerNeedSection))
        return tuple({str(entry.name) for table in tables for _, entries in table.iter_versions() for entry in entries})
    except (ELFError, ConstructError, struct.error, AttributeError, KeyError, IndexError, TypeError) as error:
        raise ValueError("it is cut short or damaged") from error


def find_instrumented_sections(data: bytes) -> tuple[str, ...]:
    """The sections of a program of any known format that only an instrumented one has.

    Raises:
        ValueError: It is cut short.
    """
    try:
        names = [name.decode("ascii", "replace") for part in read_objects(data) for name, _ in part.sections]
    except OverflowError as error:  # a number that no file can be as large as
        raise ValueError("it is cut short or damaged") from error
    return tuple(dict.fromkeys(name for name in names if name.startswith(_INSTRUMENTED_SECTIONS)))


def read_symbol_sizes(data: bytes, names: Collection[str]) -> dict[str, int]:
    """The sizes in bytes of some functions, as far as the symbol table of an ELF program has them."""
    try:
        tables = [each for each in ELFFile(io.BytesIO(data)).iter_sections() if isinstance(each, SymbolTableSection)]
        wanted = frozenset(names)
        return {
            symbol.name: symbol["st_size"]
            for table in tables
            for symbol in table.iter_symbols()
            if symbol.name in wanted
        }
    except (ELFError, ConstructError, struct.error, AttributeError, KeyError, IndexError, TypeError):
        return {}


def _read(elf: Any) -> ElfFacts:  # noqa: ANN401 - headers of pyelftools have no types
    segments = list(elf.iter_segments())
    stacks = [segment["p_flags"] for segment in segments if segment["p_type"] == "PT_GNU_STACK"]
    return ElfFacts(
        machine=str(elf["e_machine"]),
        position_independent=elf["e_type"] == "ET_DYN",
        relro=_relro(segments),
        executable_stack=not stacks or any(flags & _EXECUTABLE for flags in stacks),
        isa_level=_isa_level(elf),
        instrumentation=_instrumentation(elf),
    )


def _relro(segments: list[Any]) -> Relro:
    if not any(segment["p_type"] == "PT_GNU_RELRO" for segment in segments):
        return Relro.NONE
    dynamic = next((segment for segment in segments if isinstance(segment, DynamicSegment)), None)
    if dynamic is None:  # a static program: nothing is bound later
        return Relro.FULL
    tags = {tag.entry.d_tag: tag.entry.d_val for tag in dynamic.iter_tags()}
    is_bound_now = "DT_BIND_NOW" in tags or tags.get("DT_FLAGS", 0) & _BIND_NOW or tags.get("DT_FLAGS_1", 0) & _NOW
    return Relro.FULL if is_bound_now else Relro.PARTIAL


def _isa_level(elf: Any) -> int | None:  # noqa: ANN401 - likewise
    needed = 0
    for section in elf.iter_sections():
        if isinstance(section, NoteSection) and section.name == ".note.gnu.property":
            for note in section.iter_notes():
                for item in note["n_desc"] if isinstance(note["n_desc"], list) else ():
                    if item.pr_type == _ISA_NEEDED:
                        needed |= item.pr_data
    return needed.bit_length() or None


def _instrumentation(elf: Any) -> tuple[str, ...]:  # noqa: ANN401 - likewise
    found = [section.name for section in elf.iter_sections() if section.name.startswith(_INSTRUMENTED_SECTIONS)]
    for table in elf.iter_sections():
        if isinstance(table, SymbolTableSection):
            found += [symbol.name for symbol in table.iter_symbols() if symbol.name in _INSTRUMENTED_SYMBOLS]
    return tuple(dict.fromkeys(found))
