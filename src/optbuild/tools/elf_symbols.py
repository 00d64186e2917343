"""What a linked ELF program holds for those who change it: symbols, relocations and its build ID; with pyelftools.

Sources: System V ABI, https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection, SymbolTableSection

_ALLOCATED: Final = 0x2  # SHF_ALLOC: loaded, and so of use to the running program
_PROGRAM_TYPES: Final = ("ET_EXEC", "ET_DYN")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedProgram:
    """A linked program or shared library.

    Attributes:
        long_names: Names of its functions that are longer than what was asked.
        relocations: Sections with relocations that the running program does not use.
        has_symbols: It has a symbol table besides that for the dynamic linker.
    """

    long_names: tuple[str, ...]
    relocations: tuple[str, ...]
    has_symbols: bool


def read_linked(path: Path, *, longest_name: int) -> LinkedProgram | None:
    """Look at a file; None if it is not a linked ELF file.

    Raises:
        ValueError: It is damaged.
        OSError: It cannot be read.
    """
    with path.open("rb") as stream:
        if stream.read(4) != b"\x7fELF":
            return None
        try:
            elf = ELFFile(stream)
            if elf["e_type"] not in _PROGRAM_TYPES:
                return None
            return _read(elf, longest_name)
        except ELFError as error:
            raise ValueError(f"{path} is damaged") from error


def find_symbols(path: Path, prefix: str) -> tuple[str, ...]:
    """The names of symbols that begin in one way."""
    with path.open("rb") as stream:
        tables = [each for each in ELFFile(stream).iter_sections() if isinstance(each, SymbolTableSection)]
        names = (symbol.name for table in tables for symbol in table.iter_symbols())
        return tuple(dict.fromkeys(name for name in names if name.startswith(prefix)))


def read_functions(path: Path) -> dict[str, tuple[int, int]]:
    """The address and the size of each function by its name; empty if the program is stripped.

    Raises:
        ValueError: It is damaged, or of another format.
    """
    try:
        with path.open("rb") as stream:
            tables = [each for each in ELFFile(stream).iter_sections() if isinstance(each, SymbolTableSection)]
            return {
                symbol.name: (symbol["st_value"], symbol["st_size"])
                for table in tables
                for symbol in table.iter_symbols()
                if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"]
            }
    except ELFError as error:
        raise ValueError(f"{path} is damaged") from error


def read_build_id(path: Path) -> str | None:
    """The build ID in hexadecimal digits; None if it has none."""
    with path.open("rb") as stream:
        for section in ELFFile(stream).iter_sections():
            if isinstance(section, NoteSection) and section.name == ".note.gnu.build-id":
                return next((str(note["n_desc"]) for note in section.iter_notes()), None)
    return None


def _read(elf: Any, longest_name: int) -> LinkedProgram:  # noqa: ANN401 - headers of pyelftools have no types
    sections = list(elf.iter_sections())
    tables = [each for each in sections if isinstance(each, SymbolTableSection) and each["sh_type"] == "SHT_SYMTAB"]
    long = [name for table in tables for name in _long_names(elf, table, longest_name)]
    relocations = [
        each.name
        for each in sections
        if each["sh_type"] in {"SHT_RELA", "SHT_REL"} and not each["sh_flags"] & _ALLOCATED
    ]
    return LinkedProgram(
        long_names=tuple(dict.fromkeys(long)), relocations=tuple(relocations), has_symbols=bool(tables)
    )


def _long_names(elf: Any, table: Any, longest_name: int) -> list[str]:  # noqa: ANN401 - likewise
    strings = elf.get_section(table["sh_link"]).data()
    if not any(len(text) > longest_name for text in strings.split(b"\0")):
        return []  # reading a hundred thousand symbols one by one takes seconds
    return [symbol.name for symbol in table.iter_symbols() if len(symbol.name) > longest_name]
