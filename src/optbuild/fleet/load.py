"""From `FLEET.toml` to a checked `Fleet`: read, validate, and refuse with every problem at its line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import ValidationError

from optbuild.adapters import adapter_of
from optbuild.errors import FleetFileError
from optbuild.fleet.settings import FLEET_FILE, SCHEMA_VERSION, FleetProject, FleetSettings, make_fleet_schema
from optbuild.profile.confine import find_escape, find_workspace
from optbuild.profile.document import find_schema_fault, load_document
from optbuild.profile.explain import explain
from optbuild.profile.faults import Fault, KeyPath, render_value
from optbuild.profile.merge import make_layer, value_at

FILE_NAME = "FLEET.toml"
_SOURCES = ("path", "git", "crate")
_COMPANION = {"git": "rev", "crate": "version"}
_EXAMPLES = {"rev": 'rev = "v1.2.0"', "version": 'version = "1.2.3"'}
_CRATE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_PASSWORD = re.compile(r"[a-z+]+://[^/@]*:[^/]*@", re.IGNORECASE)
_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """A checked list of projects.

    Attributes:
        path: The file.
        directory: What its paths are relative to.
        projects: In the order of the file.
        origins: `file:line` of each of them.
    """

    path: Path
    directory: Path
    projects: tuple[FleetProject, ...]
    origins: tuple[str, ...]


def load_fleet(path: Path) -> Fleet:
    """Load and check a list of projects.

    Raises:
        FleetFileError: It cannot be read or is wrong; carries every problem found.
    """
    document = load_document(path, FLEET_FILE)
    layer, tree = make_layer(document), document.tree
    schema_fault = find_schema_fault(document, FLEET_FILE)
    faults = [] if schema_fault is None else [schema_fault]
    faults += _find_faults(tree, path.parent)
    try:
        settings = adapter_of(FleetSettings).validate_python(tree | {"schema": SCHEMA_VERSION})
    except ValidationError as error:
        faults += explain(error, tree, make_fleet_schema())
        settings = None
    if faults or settings is None:
        located = sorted((layer.make_problem(fault) for fault in faults), key=lambda each: each.origin)
        raise FleetFileError(tuple(dict.fromkeys(each.problem for each in located)))
    origins = tuple(str(layer.locate(("projects", index))) for index in range(len(settings.projects)))
    return Fleet(path=path, directory=path.parent, projects=settings.projects, origins=origins)


def _find_faults(tree: Mapping[str, Any], directory: Path) -> Iterator[Fault]:
    projects = tree.get("projects")
    tables: list[tuple[KeyPath, dict[str, Any]]] = [
        (("projects", index), table)
        for index, table in enumerate(projects if isinstance(projects, list) else ())
        if isinstance(table, dict)
    ]
    for place, table in tables:
        yield from _find_source_faults(place, table)
        yield from _find_word_faults(place, table)
        yield from _find_git_faults(place, table)
        yield from _find_path_faults(place, table, directory)
    yield from _find_duplicates(tables)


def _find_source_faults(place: KeyPath, table: Mapping[str, Any]) -> Iterator[Fault]:
    """A project is in exactly one place, and that is one version of it."""
    given = [key for key in _SOURCES if key in table]
    advice = "write `path`, or `git` and `rev`, or `crate` and `version`"
    if not given:
        yield Fault(path=place, message="the project has no source", help=advice)
    elif len(given) > 1:
        names = " and ".join(f"`{key}`" for key in given)
        yield Fault(path=(*place, given[-1]), message=f"the project has several sources: {names}", help=advice)
    for key, companion in _COMPANION.items():
        if key in table and companion not in table:
            message = f"`{key}` without `{companion}`: another version could be there tomorrow"
            yield Fault(path=(*place, key), message=message, help=f"add `{_EXAMPLES[companion]}`")
        elif companion in table and key not in table:
            yield Fault(path=(*place, companion), message=f"`{companion}` belongs to `{key}`", help=f"add `{key}`")


def _find_word_faults(place: KeyPath, table: Mapping[str, Any]) -> Iterator[Fault]:
    """Words that cargo would read as something else, and words that stand twice."""
    crate, version = table.get("crate"), table.get("version")
    if isinstance(crate, str) and crate.strip() and not _CRATE_NAME.fullmatch(crate):
        message = f"{render_value(crate)} is not a name of a crate"
        yield Fault(path=(*place, "crate"), message=message, help="write the name as the registry has it")
    if isinstance(version, str) and version.strip() and not _VERSION.fullmatch(version):
        message = f"{render_value(version)} is not one exact version"
        yield Fault(path=(*place, "version"), message=message, help="write all three numbers, such as `1.2.3`")
    targets = table.get("targets")
    for index, target in enumerate(targets if isinstance(targets, list) else ()):
        if isinstance(target, str) and target.strip() and not _TARGET.fullmatch(target):
            message = f"{render_value(target)} is not a target"
            yield Fault(path=(*place, "targets", index), message=message, help='write "host", or a target triple')
    for key in ("targets", "variants"):
        words = table.get(key)
        words = [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
        for word, count in Counter(words).items():
            if count > 1:
                message = f"`{key}` names {render_value(word)} {count} times"
                yield Fault(path=(*place, key), message=message, help="name it once")


def _find_git_faults(place: KeyPath, table: Mapping[str, Any]) -> Iterator[Fault]:
    """Words that git would not take for a URL or a revision, and a password in a file that is committed."""
    url, rev = table.get("git"), table.get("rev")
    if isinstance(url, str) and _PASSWORD.match(url):
        message = "`git`: the URL holds a password, which reports and logs would show"
        yield Fault(path=(*place, "git"), message=message, help="leave it out: git asks its credential helper")
    for key, word in (("git", url), ("rev", rev)):
        if isinstance(word, str) and (word.startswith("-") or "::" in word or word != word.strip()):
            remedy = "write a URL, such as `https://…`" if key == "git" else "write a commit, a tag or a branch"
            yield Fault(path=(*place, key), message=f"`{key}`: git would not take {render_value(word)}", help=remedy)


def _find_path_faults(place: KeyPath, table: Mapping[str, Any], directory: Path) -> Iterator[Fault]:
    path, build_profile = table.get("path"), table.get("build-profile")
    if _is_word(path) and not (directory / path / "Cargo.toml").is_file():
        found = directory / path
        what = "has no Cargo.toml" if found.is_dir() else "is not a directory"
        message = f"`path`: {render_value(path)} {what}: {found}"
        yield Fault(path=(*place, "path"), message=message, help="name the directory of a Cargo project")
    if _is_word(build_profile):
        key = (*place, "build-profile")
        escape = find_escape(build_profile, directory=directory, workspace=find_workspace(directory), key=key)
        if escape is not None:
            yield escape
        elif not (directory / build_profile).is_file():
            message = f"`build-profile`: there is no file {render_value(build_profile)} in {directory}"
            yield Fault(path=key, message=message, help="name a file, or leave the key out: the project's own is taken")


def _is_word(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip()) and not {"\0", "{", "}"} & set(value)


def _find_duplicates(tables: list[tuple[KeyPath, dict[str, Any]]]) -> Iterator[Fault]:
    """A comparison that two tables ask for, and a name that two projects have."""
    seen: dict[tuple[object, ...], int] = {}
    names: dict[str, int] = {}
    for place, table in tables:
        number = int(place[1]) + 1
        keys = (*_SOURCES, *_COMPANION.values(), "build-profile", "variants")
        what = tuple(repr(value_at(table, (key,))) for key in keys)
        targets = table.get("targets")
        for target in targets if isinstance(targets, list) and targets else [None]:
            first = seen.setdefault((*what, repr(target)), number)
            if first != number:
                message = f"the project is the same as number {first}: nothing in it differs"
                yield Fault(path=place, message=message, help="remove one, or give it other `variants` or `targets`")
                break
        name = table.get("name")
        if isinstance(name, str) and names.setdefault(name, number) != number:
            message = f"the name {render_value(name)} is that of number {names[name]} as well"
            yield Fault(path=(*place, "name"), message=message, help="give each project its own name")
