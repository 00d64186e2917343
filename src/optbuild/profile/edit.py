"""The text of a build profile that is made or changed for its owner; not for what it means: `load` says that.

What is made for a new project is a pure function of what was found there. An existing file only gets whole new lines:
every comment, space and line ending stays as it was.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import tomlkit

from optbuild.profile.locate import locate_keys
from optbuild.profile.model import SCHEMA_VERSION
from optbuild.profile.presets import PREFIX
from optbuild.text import BYTE_ORDER_MARK, keep_form

SCHEMA_FILE_NAME = "optbuild.schema.json"
"""What `#:schema` names: the JSON schema of the build profile, where the project keeps a copy."""
FIRST_MAX_TIME = "2m"
"""How long a first table may measure, so that it is there within minutes."""

_MOST_LISTED = 6
_COMMENT_COLUMN = 34
_COMMENT_WIDTH = 116
_WORKLOAD_INTRODUCTION = """\
# Only you know how the program is used, and optbuild runs nothing that is not written here. Write the arguments of a
# typical call in place of the words in capitals, remove the `# ` of each line, and train on other data than you
# measure: a gain on the training data says only how well the compiler learnt that data by heart.
"""
_GUESS_INTRODUCTION = """\
# These workloads are guesses from the files of this project; nothing of it was run. Read each one, for `optbuild pgo`
# runs them. What users do is a better workload than any of them, and a gain on other data than was trained on
# (held-out) says more than one on the same (in-sample).
"""
_SCHEMA_ADVICE = f"""\
# Editors can check and complete this file: run `optbuild schema profile > {SCHEMA_FILE_NAME}`
# next to it, and remove the first `# ` of the next line.
# #:schema {SCHEMA_FILE_NAME}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedWorkload:
    """A workload to write down.

    Attributes:
        words: The value of `key`, braces in foreign names doubled.
        use: `train`, `bench` or both.
        comment: Where it comes from, and why it is commented out where it is.
        is_active: It takes effect as it is written.
    """

    name: str
    words: tuple[str, ...]
    use: tuple[str, ...]
    key: str = "command"
    stdin: str | None = None
    prepare: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    comment: str = ""
    is_active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The contents of a new build profile.

    Attributes:
        package: The package to build; None where there is no choice.
        bins: The binaries that a workload is wanted for.
        examples: Examples to build in the place of binaries.
        libs: Names of libraries for other languages, where there are no binaries.
        features: Features without which cargo builds none of them.
        left_out: Binaries that are not built by default, each with the features that it needs.
        workloads: Workloads that were found.
        data: Directories that may hold inputs, relative to the build profile.
        has_schema_file: There is a copy of the JSON schema next to the build profile.
    """

    package: str | None = None
    bins: tuple[str, ...]
    examples: tuple[str, ...] = ()
    libs: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    left_out: tuple[tuple[str, tuple[str, ...]], ...] = ()
    workloads: tuple[ProposedWorkload, ...] = ()
    data: tuple[str, ...] = ()
    has_schema_file: bool = False

    @property
    def runs(self) -> bool:
        """Whether a workload takes effect as it is written."""
        return any(workload.is_active for workload in self.workloads)


def make_profile_text(outline: Outline) -> str:
    """Write a new build profile: valid as it is, its workloads commented out where somebody has to fill them in."""
    # A `#:schema` that leads nowhere makes `taplo lint` fail, so it takes effect only where it leads somewhere.
    schema_line = f"#:schema {SCHEMA_FILE_NAME}\n" if outline.has_schema_file else _SCHEMA_ADVICE
    settings = (
        f"schema = {SCHEMA_VERSION}",
        _with_comment(f'extends = "{PREFIX}pgo"', "the variants release, lto and pgo"),
    )
    project = tuple(_project_lines(outline))
    introduction = _GUESS_INTRODUCTION if outline.runs else _WORKLOAD_INTRODUCTION
    measure = _joined(("[measure]", _with_comment(f'max-time = "{FIRST_MAX_TIME}"', "more time, narrower intervals")))
    parts = (
        schema_line,
        _joined(settings),
        _joined(("[project]", *project)) if project else "",
        introduction + _joined(_hints(outline)),
        *map(_proposed, outline.workloads),
        *(() if outline.runs else _workloads(outline)),
        measure if outline.runs else "",
    )
    return "\n".join(part for part in parts if part)


def add_schema_version(text: str) -> str:
    """Put `schema` in front of the first key of a build profile that lacks it.

    A comment right above that key stays with it; one that begins the file is about the whole file.

    Args:
        text: A TOML document without the key `schema`.
    """
    lines = text.removeprefix(BYTE_ORDER_MARK).split("\n")
    at = min(locate_keys("\n".join(lines)).values(), default=len(lines)) - 1
    above = at
    while above > 0 and lines[above - 1].lstrip().startswith("#"):
        above -= 1
    if above > 0:
        at = above
    added = [f"schema = {SCHEMA_VERSION}"]
    if lines[at].lstrip().startswith(("#", "[")):
        added.append("")  # a blank line separates it from unrelated text
    return keep_form(text, "\n".join([*lines[:at], *added, *lines[at:]]))


def _project_lines(outline: Outline) -> Iterator[str]:
    if outline.package is not None:
        yield f"package = {_quoted(outline.package)}"
    if len(outline.bins) > 1:
        yield _with_comment(f"bins = {_array(outline.bins)}", "leave out what need not be fast")
    if outline.examples:
        comment = "examples, built in the place of programs"
        yield _with_comment(f"bins = {_array(outline.examples)}", comment)
    if outline.features:
        yield _with_comment(f"features = {_array(outline.features)}", "without them cargo builds none of the programs")
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


def _proposed(workload: ProposedWorkload) -> str:
    """One `[[workloads]]` table, behind comment signs where it is not active, what it rests on above it."""
    settings = (
        "[[workloads]]",
        f"name = {_quoted(workload.name)}",
        f"{workload.key} = {_array(workload.words)}",
        *([f"stdin = {_quoted(workload.stdin)}"] if workload.stdin is not None else []),
        *([f"prepare = {_array(workload.prepare)}"] if workload.prepare else []),
        *([f"inputs = {_array(workload.inputs)}"] if workload.inputs else []),
        f"use = {_array(workload.use)}",
    )
    comment = (f"# {_shown(line)}" for line in textwrap.wrap(workload.comment, _COMMENT_WIDTH))
    return _joined((*comment, *(line if workload.is_active else f"# {line}" for line in settings)))


def _shown(text: str) -> str:
    """A sentence with foreign words in it, on one line of a comment."""
    return text if text.isprintable() else _quoted(text)


def _workload(name: str, argv: tuple[str, ...], use: str) -> str:
    return _joined(
        (
            "# [[workloads]]",
            f"# name = {_quoted(name)}",
            f"# command = {_array(argv)}",
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
