"""Where the content of an ELF file is in memory: an offset in the file becomes an address of its debug information."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError
from elftools.elf.elffile import ELFFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a file that is loaded as a whole."""

    offset: int
    address: int
    size: int


def read_segments(file: BinaryIO) -> tuple[Segment, ...]:
    """The loaded parts of an ELF file; none if it is not one, or damaged."""
    try:
        return tuple(
            Segment(offset=each["p_offset"], address=each["p_vaddr"], size=each["p_filesz"])
            for each in ELFFile(file).iter_segments()
            if each["p_type"] == "PT_LOAD"
        )
    except (ELFError, ConstructError):
        return ()


def find_address(segments: tuple[Segment, ...], offset: int) -> int | None:
    """The address of what is at an offset of the file; None if that is not loaded."""
    for each in segments:
        if each.offset <= offset < each.offset + each.size:
            return offset - each.offset + each.address
    return None
