"""Why two builds of the same sources are not the same bytes: which units of the project differ.

Not for building: `session.verify` does. Crates are compared by the object code in their rlibs; their metadata is left
out, because it holds the path of the profile that they were compiled with.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from optbuild.making.cargo.build_scripts import describe_differences, find_earlier_runs, read_script_run
from optbuild.plan.results import ScriptRun
from optbuild.text import name_some, sanitize_line
from optbuild.tools.object_sections import ObjectFile, read_archive_members, read_objects

_HASH = re.compile(r"-[0-9a-f]{16}$")
_METADATA = "lib.rmeta"
_MOST_SECTIONS = 6


def describe_unlike_units(ours: Path, theirs: Path) -> tuple[str, ...]:
    """Name the build scripts and crates that did not come out the same in two target directories.

    Args:
        ours: Where the first build was made; it may hold results of other builds as well.
        theirs: Where the second one was made from nothing.
    """
    known = dict(_crates(ours))
    crates = sorted({name for name, codes in _crates(theirs) if name in known and not codes <= known[name]})
    told = (f"the code of crate {sanitize_line(name)} differs" for name in crates)
    return (*describe_differences(_scripts(ours), _scripts(theirs)), *told)


def describe_unlike_programs(ours: Path, theirs: Path, place: Path) -> tuple[str, ...]:
    """Say where two programs differ: in which sections, and whether the second holds the place it was built in.

    Args:
        ours: The first program.
        theirs: The second one.
        place: The directory that the second build was made in.
    """
    ours_data, theirs_data = ours.read_bytes(), theirs.read_bytes()
    told = []
    try:
        before, after = (_sections(next(read_objects(data), None)) for data in (ours_data, theirs_data))
    except ValueError:
        before, after = {}, {}
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if names:
        told.append(f"{sanitize_line(ours.name)} differs in {name_some(names, _MOST_SECTIONS)}")
    if bytes(place) in theirs_data:
        told.append(
            f'{sanitize_line(ours.name)} holds the directory it was built in, which a build script, env!("OUT_DIR") '
            "or C code wrote: rustc's --remap-path-prefix does not reach them"
        )
    return tuple(told)


def _sections(part: ObjectFile | None) -> dict[str, bytes]:
    return {} if part is None else {name.decode("ascii", "replace"): data for name, data in part.sections}


def _crates(place: Path) -> Iterator[tuple[str, frozenset[str]]]:
    """Each crate below a target directory, with the hashes of what it was compiled to, once for each build."""
    codes: dict[str, set[str]] = {}
    for path in sorted(place.rglob("*.rlib")):
        codes.setdefault(_HASH.sub("", path.stem).removeprefix("lib"), set()).add(_code_of(path))
    yield from ((name, frozenset(found)) for name, found in codes.items())


def _code_of(rlib: Path) -> str:
    """The hash of an rlib's objects, whatever they are called."""
    digest = hashlib.sha256()
    members = read_archive_members(rlib.read_bytes())
    for code in sorted(hashlib.sha256(data).digest() for name, data in members if name != _METADATA):
        digest.update(code)
    return digest.hexdigest()


def _scripts(place: Path) -> dict[str, ScriptRun]:
    """The runs of build scripts below a target directory, by package; of two versions the later one in the alphabet."""
    found = {}
    for directory in sorted(path for tree in place.iterdir() if tree.is_dir() for path in find_earlier_runs(tree)):
        name = _HASH.sub("", directory.name)
        found[name] = read_script_run(name, directory / "out", directory, {})
    return found
