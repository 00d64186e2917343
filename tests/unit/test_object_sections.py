"""Instrumented functions of object files that were never linked, in the formats of other systems."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from optbuild.tools.instrumentation import InstrumentedFunction, parse_instrumented
from optbuild.tools.object_sections import read_objects

OBJECTS = Path(__file__).parents[1] / "recorded" / "objects"
TARGETS = sorted(path.stem for path in OBJECTS.glob("*.o"))


@pytest.mark.parametrize("target", TARGETS)
def test_an_object_file_tells_its_functions(target: str) -> None:
    """Names, control flow, counters and value sites are the same whatever the object format is."""
    functions = parse_instrumented((OBJECTS / f"{target}.o").read_bytes())
    assert functions == (
        InstrumentedFunction("_RNvCs1_3app4main", 212526878233036805, 2, (1, 0, 0)),
        InstrumentedFunction(f"{target}.ll;_ZN3app5local17h0123456789abcdefE", 742261418966908927, 1, (0, 0, 0)),
        InstrumentedFunction("keep", 742261418966908927, 1, (0, 0, 0)),
    )


def test_an_archive_tells_the_functions_of_all_its_objects() -> None:
    """A library that was never linked is an archive: each of its objects is read."""
    members = [(OBJECTS / f"{target}.o").read_bytes() for target in TARGETS]
    archive = b"!<arch>\n" + b"".join(_member(data) for data in members)
    functions = parse_instrumented(archive)
    assert functions is not None
    assert len(functions) == len(TARGETS) + 2


def _member(data: bytes) -> bytes:
    header = b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (b"a.o/", 0, 0, 0, b"100644", len(data))
    return header + data + b"\n" * (len(data) % 2)


@pytest.mark.parametrize("target", TARGETS)
def test_an_object_cut_short_is_no_crash(target: str) -> None:
    """A file cut at any byte is read as far as it goes, or refused."""
    data = (OBJECTS / f"{target}.o").read_bytes()
    for length in range(0, len(data), 7):
        parse_instrumented(data[:length])
        with suppress(ValueError):
            tuple(read_objects(data[:length]))


def test_a_file_of_another_format_has_no_sections() -> None:
    """What is no object file is passed over, and not guessed at."""
    assert list(read_objects(b"#!/bin/sh\n" * 10)) == []
    assert parse_instrumented(b"MZ" + bytes(0x80)) is None
