"""Names and hashes of an instrumented program's functions, from files that are made here byte by byte."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbuild.tools.instrumentation import parse_functions

FUNCTIONS = {"_ZN4demo4mainE": 742261418966908927, "demo.5713-cgu.0;_ZN4demo5innerE": 1 << 63}


def leb128(number: int) -> bytes:
    """An unsigned number as LLVM writes it."""
    out = bytearray()
    while True:
        out.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(out)


def names_section(*chunks: list[str], compressed: bool = True) -> bytes:
    """Names in chunks, as the linker joins those of several object files."""
    section = b""
    for names in chunks:
        text = b"\x01".join(name.encode() for name in names)
        data = zlib.compress(text) if compressed else text
        section += leb128(len(text)) + leb128(len(data) if compressed else 0) + data + bytes(3)
    return section


def records_section(functions: Mapping[str, int], size: int = 64) -> bytes:
    """Records of functions: the name's digest, the hash, and what else there is."""
    digests = {name: hashlib.md5(name.encode(), usedforsecurity=False).digest()[:8] for name in functions}
    return b"".join(
        (digests[name] + struct.pack("<Q", value)).ljust(size, b"\xaa") for name, value in functions.items()
    )


def elf(**sections: bytes) -> bytes:
    """A 64-bit ELF file with these sections and one for their names."""
    named = {"": b"", **sections, "shstrtab": b""}
    table = b"".join(name.encode() + b"\0" for name in named)
    named["shstrtab"] = table
    body, headers, position = b"", b"", 64
    for name, content in named.items():
        offset = table.index(name.encode() + b"\0") if name else 0
        headers += struct.pack("<IIQQQQIIQQ", offset, 1, 0, 0, position, len(content), 0, 0, 1, 0)
        body += content
        position += len(content)
    header = b"\x7fELF\x02\x01".ljust(0x28, b"\0") + struct.pack("<Q", position)
    header = header.ljust(0x3A, b"\0") + struct.pack("<HHH", 64, len(named), len(named) - 1)
    return header.ljust(64, b"\0") + body + headers


def program(functions: Mapping[str, int] = FUNCTIONS, *, size: int = 64) -> bytes:
    """An instrumented program."""
    return elf(
        text=b"\x90" * 40,
        __llvm_prf_names=names_section(list(functions)),
        __llvm_prf_data=records_section(functions, size),
    )


@pytest.mark.parametrize("size", [64, 48])
def test_functions_are_known_with_their_hashes(size: int) -> None:
    """Whatever the size of a record is: it has grown with LLVM 17."""
    assert parse_functions(program(size=size)) == FUNCTIONS


def test_names_lie_in_chunks_with_padding_between() -> None:
    """One for each object file, compressed or not."""
    first, second = FUNCTIONS
    for compressed in (True, False):
        names = names_section([first], [second], compressed=compressed)
        found = parse_functions(elf(__llvm_prf_names=names, __llvm_prf_data=records_section(FUNCTIONS)))
        assert found == FUNCTIONS


def test_a_name_without_a_record_is_no_function_of_the_program() -> None:
    """The linker drops functions that nothing calls, and leaves their names."""
    first, second = FUNCTIONS
    names = names_section([first, second])
    found = parse_functions(elf(__llvm_prf_names=names, __llvm_prf_data=records_section({second: 7})))
    assert found == {second: 7}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"#!/bin/sh\nexit 0\n",
        b"\x7fELF\x01\x01" + bytes(100),
        elf(text=b"\x90"),
        elf(__llvm_prf_names=names_section(["a"])),
        elf(__llvm_prf_names=names_section(["a"]), __llvm_prf_data=bytes(64)),
        elf(__llvm_prf_names=b"\x05\x09notzlib--", __llvm_prf_data=bytes(64)),
    ],
)
def test_other_files_are_none(content: bytes) -> None:
    """Scripts, other formats, programs that are not instrumented, and what cannot be read."""
    assert parse_functions(content) is None


@given(end=st.integers(min_value=0, max_value=len(program()) - 1))
def test_a_program_that_is_cut_short_is_never_taken_for_another_one(end: int) -> None:
    """At whatever byte: the section table comes last, and of that the last bytes mean nothing here."""
    assert parse_functions(program()[:end]) in (None, FUNCTIONS)
