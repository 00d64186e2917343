"""The functions of the program that was trained, `*.pgodata.names`: a build that equals it needs no other for names.

Mangled names hold hashes, which hardly compress, and no other build has them. So they are in a separate file, which
a project may leave out. Functions of one build tell nothing about another: the lock says of which build these are.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from optbuild.errors import ProfileDataError
from optbuild.portable.model import ValueKind
from optbuild.tools.instrumentation import InstrumentedFunction
from optbuild.tools.profile_text import FunctionRecord

_MAGIC = b"optbuild-pgonames 1\n"
_MOST_CONTENT_BYTES = 1 << 28


def names_path(profile: Path) -> Path:
    """Where the names that belong to a profile lie."""
    return profile.with_name(f"{profile.name}.names")


def encode_names(functions: Iterable[InstrumentedFunction]) -> bytes:
    """The bytes of the file: the same functions give the same bytes."""
    rows = sorted((each.name, each.hash, each.counters, each.value_sites) for each in functions)
    content = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    return _MAGIC + zlib.compress(content.encode("utf-8", "surrogatepass"), 9)


def decode_names(data: bytes, *, location: str) -> tuple[InstrumentedFunction, ...]:
    """Read the file.

    Raises:
        ProfileDataError: It is not one, or damaged.
    """
    remedy = "delete it: a build then finds the names itself; or train anew: optbuild train"
    if not data.startswith(_MAGIC):
        raise ProfileDataError(f"{location} is not a list of names of this version", help=remedy, location=location)
    try:
        content = zlib.decompressobj().decompress(data[len(_MAGIC) :], _MOST_CONTENT_BYTES)
        rows = [json.loads(line) for line in content.decode("utf-8", "surrogatepass").splitlines()]
        return tuple(_read_row(*row) for row in rows)
    except (ValueError, TypeError, RecursionError, zlib.error) as error:
        raise ProfileDataError(
            f"{location} cannot be read: it was cut short or changed",
            help=remedy,
            location=location,
        ) from error


def _read_row(name: object, flow: int, counters: int, sites: Sequence[int]) -> InstrumentedFunction:
    if not isinstance(name, str) or "\n" in name or "\r" in name:  # it becomes a line of LLVM's text profile
        raise ValueError("no name of a function")
    return InstrumentedFunction(name, int(flow), int(counters), tuple(map(int, sites)))


def as_instrumented(record: FunctionRecord) -> InstrumentedFunction:
    """A function of the program that was trained: its profile lists all of them.

    Raises:
        ValueError: The record is not as expected.
    """
    numbers = [line for line in record.lines if not line.startswith("#")]
    counters = int(numbers[1])
    return InstrumentedFunction(record.name, record.hash, counters, _value_sites(numbers[2 + counters :]))


def _value_sites(lines: Sequence[str]) -> tuple[int, ...]:
    """How many places there are where values are seen, by kind; also those where none was seen."""
    lines = [line for line in lines if not line.startswith("$")]
    sites = dict.fromkeys(ValueKind, 0)
    at = 1
    for _ in range(int(lines[0]) if lines else 0):
        kind, places = ValueKind(int(lines[at])), int(lines[at + 1])
        sites[kind], at = places, at + 2
        for _ in range(places):
            at += 1 + int(lines[at])
    return tuple(sites.values())
