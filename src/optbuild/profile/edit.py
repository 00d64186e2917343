"""The text of a build profile that is made or changed for its owner; not for what it means: `load` says that.

What is made for a new project is a pure function of what was found there. An existing file only gets whole new lines:
every comment, space and line ending stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import tomlkit

from optbuild.profile.locate import locate_keys
from optbuild.profile.model import SCHEMA_VERSION
from optbuild.profile.presets import PREFIX

SCHEMA_FILE_NAME = "optbuild.schema.json"
"""The file that `#:schema` names: the project's copy of the JSON schema of the build profile."""

_MOST_LISTED = 6
_COMMENT_COLUMN = 34
_WORKLOAD_INTRODUCTION = """\
# Only you know how the program is used, and optbuild runs nothing that is not written here. Write the arguments of a
# typical call in place of the words in capitals, remove the `# ` of each line, and train on other data than you
# measure: a gain on the training data says only how well the compiler learnt that data by heart.
"""
_SCHEMA_ADVICE = f"""\
# Editors can check and complete this file: run `optbuild schema profile > {SCHEMA_FILE_NAME}`
# next to it, and remove the first `# ` of the next line.
# #:schema {SCHEMA_FILE_NAME}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The contents of a new build profile.

    Attributes:
        package: The package to build; None if there is no choice.
        bins: The binaries that need a workload.
        libs: Names of libraries for other languages, if there are no binaries.
        features: Features without which cargo builds none of them.
        left_out: Binaries that are not built by default, each with the features that it needs.
        benches: Names of the package's benches.
        data: Directories that may hold inputs, relative to the build profile.
        has_schema_file: There is a copy of the JSON schema next to the build profile.
    """

    package: str | None = None
    bins: tuple[str, ...]
    libs: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    left_out: tuple[tuple[str, tuple[str, ...]], ...] = ()
    benches: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    has_schema_file: bool = False


def make_profile_text(outline: Outline) -> str:
    """Write a new build profile: valid as it is, with workloads commented out until the user fills them in."""
    # A `#:schema` without its file makes `taplo lint` fail, so it is active only if the file exists.
    schema_line = f"#:schema {SCHEMA_FILE_NAME}\n" if outline.has_schema_file else _SCHEMA_ADVICE
    settings = (
        f"schema = {SCHEMA_VERSION}",
        _with_comment(f'extends = "{PREFIX}pgo"', "the variants release, lto and pgo"),
    )
    project = tuple(_project_lines(outline))
    parts = (
        schema_line,
        _joined(settings),
        _joined(("[project]", *project)) if project else "",
        _WORKLOAD_INTRODUCTION + _joined(_hints(outline)),
        *_workloads(outline),
        *_bench_workload(outline.benches),
    )
    return "\n".join(part for part in parts if part)


def add_schema_version(text: str) -> str:
    """Put `schema` in front of the first key of a build profile that lacks it.

    A comment right above that key stays with it; one that begins the file is about the whole file.

    Args:
        text: A TOML document without the key `schema`.
    """
    lines = text.split("\n")
    at = min(locate_keys(text).values(), default=len(lines)) - 1
    above = at
    while above > 0 and lines[above - 1].lstrip().startswith("#"):
        above -= 1
    if above > 0:
        at = above
    ending = "\r" if lines[0].endswith("\r") else ""
    added = [f"schema = {SCHEMA_VERSION}{ending}"]
    if lines[at].lstrip().startswith(("#", "[")):
        added.append(ending)  # a blank line separates it from unrelated text
    return "\n".join([*lines[:at], *added, *lines[at:]])


def _project_lines(outline: Outline) -> Iterator[str]:
    if outline.package is not None:
        yield f"package = {_quoted(outline.package)}"
    if len(outline.bins) > 1:
        yield _with_comment(f"bins = {_array(outline.bins)}", "leave out programs that need not be fast")
    if outline.features:
        yield _with_comment(f"features = {_array(outline.features)}", "without them cargo builds none of the binaries")
    for name, features in outline.left_out:
        yield f"# {_quoted(name)} is left out: it needs features = {_array(features)}"


def _hints(outline: Outline) -> Iterator[str]:
    if outline.data:
        yield f"# Data that may serve as input: {_listed(outline.data)}"


def _workloads(outline: Outline) -> Iterator[str]:
    """A pair for each binary; `{ARGUMENTS}` is not a placeholder, so an unedited one is refused with its line.

    Only the owner knows the program that uses a library.
    """
    kind, names, before = ("bin", outline.bins, ()) if outline.bins else ("lib", outline.libs, ("{DRIVER}",))
    for name in names[:_MOST_LISTED]:
        word, title = (f"{{{kind}}}", "") if len(names) == 1 else (f"{{{kind}:{name}}}", f" {name}")
        yield _workload(f"train{title}", (*before, word, "{ARGUMENTS}"), "train")
        yield _workload(f"benchmark{title}", (*before, word, "{OTHER-ARGUMENTS}"), "bench")
    if rest := names[_MOST_LISTED:]:
        yield f"# And likewise for {_listed(rest)}.\n"


def _bench_workload(benches: tuple[str, ...]) -> Iterator[str]:
    """Benches need no arguments; only their owner knows whether they do what users do."""
    named = tuple(name for name in benches if not name.startswith("-"))
    if named:
        words = ("bench", *(word for name in named[:_MOST_LISTED] for word in ("--bench", _literal(name))))
        left_out = f"# There is more: {_listed(named[_MOST_LISTED:])}.\n" if named[_MOST_LISTED:] else ""
        introduction = "# If the benches do what users do, you can train on them unchanged.\n"
        yield introduction + left_out + _workload("benches", words, "train", key="cargo")


def _literal(text: str) -> str:
    """A text whose braces are literal."""
    return text.replace("{", "{{").replace("}", "}}")


def _workload(name: str, argv: tuple[str, ...], use: str, key: str = "command") -> str:
    return _joined(
        (
            "# [[workloads]]",
            f"# name = {_quoted(name)}",
            f"# {key} = {_array(argv)}",
            f"# use = {_array((use,))}",
        )
    )


def _with_comment(setting: str, comment: str) -> str:
    return f"{setting:<{_COMMENT_COLUMN - 1}} # {comment}"


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(_quoted(name) for name in names[:_MOST_LISTED])
    return f"{shown}, …" if len(names) > _MOST_LISTED else shown


def _array(values: Iterable[str]) -> str:
    return f"[{', '.join(_quoted(value) for value in values)}]"


def _quoted(text: str) -> str:
    """A TOML string on one line, for any name in a repository; also safe in a comment."""
    return tomlkit.string(text).as_string()
