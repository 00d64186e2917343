"""Turn the counts of a test or bench into counts of the program, matching functions whose names differ.

A test is a different program. Cargo hashes the features of a crate, and whether it is compiled for testing, into every
mangled name, and development dependencies enable features that the program does not have. Then hardly any function has
the same name in both, and no counts would find their function. Two functions are still the same if their path and the
hash of their control flow are equal. So each function of the program whose name is not in the profile gets the counts
of those with the same path and hash; several instances of generic code are added up.

Two builds of one program by different settings have other names for all functions; then the machinery of a portable
profile translates the names in recorded values as well, and what is lost is known by its counts.

Functions outside the program are left out: the harness, and the tests themselves. Otherwise a bench's waiting would
dominate its counts, and weights would be shares of that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TextIO

from optbuild.errors import AttemptFault, ProfileDataError
from optbuild.files import writing
from optbuild.plan.results import Artifact
from optbuild.portable.matching import SAME_FLOW, Matching, match, render_translated
from optbuild.portable.names import read_name
from optbuild.portable.profile_records import join, parse_records
from optbuild.text import sanitize_line
from optbuild.tools.instrumentation import InstrumentedFunction, parse_instrumented
from optbuild.tools.mangling import function_path
from optbuild.tools.profile_text import FunctionRecord, read_header, read_records, write_record
from optbuild.units import format_share

_SHOWN = 5
_TRAIN_FOR_TARGET = 'train for this target: use = "never" under [profile-data]'
_AS_IT_IS = "surrogateescape"  # a name need not be UTF-8

_Key = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """Which counts go to which function.

    Attributes:
        functions: The program's functions, each with the hash of its control flow.
        takers: Those whose names are not in the profile, by path and hash.
    """

    functions: Mapping[str, int]
    takers: Mapping[_Key, tuple[str, ...]]

    def names_for(self, record: FunctionRecord) -> Iterator[str]:
        """The functions of the program that a record belongs to."""
        if self.functions.get(record.name) == record.hash:
            yield record.name
        yield from self.takers.get((function_path(record.name) or "", record.hash), ())


def make_translation(functions: Mapping[str, int], records: Iterable[FunctionRecord]) -> Translation:
    """Find the functions of a program whose names are not in a profile."""
    known = {(record.name, record.hash) for record in records}
    takers: dict[_Key, list[str]] = {}
    for name, function_hash in functions.items():
        path = function_path(name)
        if path is not None and (name, function_hash) not in known:
            takers.setdefault((path, function_hash), []).append(name)
    return Translation(functions=functions, takers={key: tuple(names) for key, names in takers.items()})


def write_translated(source: Path, target: Path, functions: Mapping[str, int]) -> tuple[int, int]:
    """Rewrite a profile's text, with a program's functions only.

    Args:
        source: The profile of other programs, as text.
        target: The file to write.
        functions: The program's functions, each with the hash of its control flow.

    Returns:
        How many of them have a record now, and how many of these had another name in the profile.

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


def write_matched(source: Path, target: Path, program: Sequence[InstrumentedFunction]) -> Matching:
    """Rewrite the profile of another variant under the names that functions have in a build of this one.

    Args:
        source: The profile, as text.
        target: The file to write.
        program: The functions of the build.

    Returns:
        What found its function, where only the same control flow counts.

    Raises:
        ValueError: The text is not as expected.
        StorageError: The file cannot be written.
    """
    with _reading(source) as lines:
        matching = match(join(parse_records(read_records(lines))), program, SAME_FLOW)
    with writing(target), target.open("w", encoding="utf-8", errors=_AS_IT_IS) as stream:
        stream.writelines(render_translated(matching, program))
    return matching


def find_unknown(program: Iterable[InstrumentedFunction], trained: Iterable[InstrumentedFunction]) -> frozenset[str]:
    """The paths of a program's functions that the one that was trained does not have at all: they may be hot."""
    known = {read_name(function.name).path for function in trained}
    return frozenset(path for function in program if (path := read_name(function.name).path) not in known)


def list_functions(
    program: Mapping[str, Artifact], *, remedy: str = _TRAIN_FOR_TARGET
) -> tuple[InstrumentedFunction, ...]:
    """The functions of instrumented binaries.

    Raises:
        ProfileDataError: An object format is not known.
    """
    found = {name: parse_instrumented(artifact.path.read_bytes()) for name, artifact in program.items()}
    if unread := [name for name, functions in found.items() if functions is None]:
        raise ProfileDataError(
            f"the functions of {sanitize_line(unread[0])} cannot be listed: its object format is not known",
            help=remedy,
            fault=AttemptFault.UNFIT,
        )
    return tuple(dict.fromkeys(chain.from_iterable(functions or () for functions in found.values())))


def describe_lost(matching: Matching) -> str:
    """The hottest functions whose counts found none."""
    lines = [
        f"  {format_share(counts.total / matching.total_count):>6}  {sanitize_line(counts.name.path)}"
        for counts in matching.lost[:_SHOWN]
    ]
    more = len(matching.lost) - _SHOWN
    return "\n".join([*lines, *([f"  and {more:,} more"] if more > 0 else [])])


def _reading(path: Path) -> TextIO:
    return path.open(encoding="utf-8", errors=_AS_IT_IS)
