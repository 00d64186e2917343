"""Which allocator is linked into a program, by the names of its symbols: valgrind sees none of those.

Sources:
    The prefix of jemalloc in Rust: tikv-jemalloc-sys, https://docs.rs/tikv-jemalloc-sys
    mimalloc: https://microsoft.github.io/mimalloc/group__malloc.html
    snmalloc: `src/snmalloc/override/rust.cc`, https://github.com/microsoft/snmalloc
"""

from __future__ import annotations

import io
import struct
from typing import Final

from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError
from elftools.elf.elffile import ELFFile

_KNOWN: Final = {
    "jemalloc": (b"\0_rjem_", b"\0je_malloc\0"),
    "mimalloc": (b"\0mi_malloc\0", b"\0_mi_malloc_generic\0"),
    "snmalloc": (b"\0sn_rust_alloc\0", b"\0sn_malloc\0"),
    "tcmalloc": (b"\0tc_malloc\0", b"\0TCMallocInternal"),
    "rpmalloc": (b"\0rpmalloc\0",),
}
STATIC: Final = "the C library's allocator, linked statically"


def find_linked_allocator(data: bytes) -> str | None:
    """The allocator that an ELF program brings along; None where it has none that is known, or is another format."""
    try:
        elf = ELFFile(io.BytesIO(data))
        is_static = not any(segment["p_type"] == "PT_INTERP" for segment in elf.iter_segments())
        names = b"".join(section.data() for section in elf.iter_sections() if section["sh_type"] == "SHT_STRTAB")
    except (ELFError, ConstructError, struct.error, AttributeError, KeyError, IndexError, TypeError):
        return None  # what is broken reaches pyelftools in many places
    known = (name for name, marks in _KNOWN.items() if any(mark in names for mark in marks))
    return next(known, STATIC if is_static else None)
