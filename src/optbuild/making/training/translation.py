"""Turn what a test or bench counted into counts of the program: what it knows by other names, and nothing else.

A test is another program. Cargo hashes the features of a crate, and whether it is compiled for testing, into every
mangled name, and development dependencies switch on features that the program does not have: then hardly a function of
the two has the same name, and no counts would find their function. The function is the same all the same, where its
path and the hash of its control flow are. So each function of the program that the profile does not know by its name is
given the counts of those with the same path and hash: of several instances of generic code their sum.

What is not the program's is left out: the harness, and the tests themselves. Otherwise a bench would be known best for
its waiting, and weights would be shares of that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from optbuild.files import writing
from optbuild.tools.mangling import function_path
from optbuild.tools.profile_text import FunctionRecord, read_header, read_records, write_record

_AS_IT_IS = "surrogateescape"  # a name need not be UTF-8

_Key = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """Which counts go to which function.

    Attributes:
        functions: The program's functions, each with the hash of its control flow.
        takers: Those that the profile does not know by name, by path and hash.
    """

    functions: Mapping[str, int]
    takers: Mapping[_Key, tuple[str, ...]]

    def names_for(self, record: FunctionRecord) -> Iterator[str]:
        """The functions of the program that a record is about."""
        if self.functions.get(record.name) == record.hash:
            yield record.name
        yield from self.takers.get((function_path(record.name) or "", record.hash), ())


def make_translation(functions: Mapping[str, int], records: Iterable[FunctionRecord]) -> Translation:
    """Find out which functions of a program a profile does not know by their names."""
    known = {(record.name, record.hash) for record in records}
    takers: dict[_Key, list[str]] = {}
    for name, function_hash in functions.items():
        path = function_path(name)
        if path is not None and (name, function_hash) not in known:
            takers.setdefault((path, function_hash), []).append(name)
    return Translation(functions=functions, takers={key: tuple(names) for key, names in takers.items()})


def write_translated(source: Path, target: Path, functions: Mapping[str, int]) -> tuple[int, int]:
    """Write a profile's text again, with a program's functions only.

    Args:
        source: The profile of other programs, as text.
        target: The file to write.
        functions: The program's functions, each with the hash of its control flow.

    Returns:
        How many of them have a record now, and how many of these the profile knew by other names.

    Raises:
        ValueError: The text is not as expected.
        StorageError: The file cannot be written.
    """
    with _reading(source) as lines:
        translation = make_translation(functions, read_records(lines))
    own: set[str] = set()
    takers: set[str] = set()
    with _reading(source) as lines, writing(target), target.open("w", encoding="utf-8", errors=_AS_IT_IS) as stream:
        with _reading(source) as header:
            stream.writelines(read_header(header))
        for record in read_records(lines):
            for name in translation.names_for(record):
                (own if name == record.name else takers).add(name)
                stream.write(write_record(name, record))
    return len(own | takers), len(takers)


def _reading(path: Path) -> TextIO:
    return path.open(encoding="utf-8", errors=_AS_IT_IS)
