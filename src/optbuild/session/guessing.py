"""Choose workloads for a project that has none yet, based on its files; runs nothing. Pure.

The surest way to a first table comes first: benches, then commands that the project itself documents and whose files
exist, then tests, then a file that looks like an input, then a program that needs nothing. Everything else is written
as comments, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from optbuild.profile.edit import ProposedWorkload
from optbuild.project.model import SourceTarget
from optbuild.project.sample_files import SampleFile, largest_kind
from optbuild.project.source_marks import SourceMarks
from optbuild.project.usage_lines import FILE, UsageCall

_MOST_BENCHES = 2
_MOST_TESTS = 3
_MOST_EXAMPLES = 3
_MOST_CALLS = 2
_MOST_TRAINED = 3
_BENCH_AND_TRAIN = ("train", "bench")
_TESTS = re.compile(r"#\[(?:\w+::)*test\b")
_NIGHTLY = re.compile(r"#!\[feature\(|extern crate test\b")
_VALGRIND = re.compile(r"\b(?:iai|iai_callgrind|gungraun)\b")
_DIVAN_COUNTS = ("--", "--sample-count", "20", "--sample-size", "1")


class Surety(IntEnum):
    """How surely a workload runs and is informative; lower is surer."""

    BENCH = 1
    DOCUMENTED = 2
    EXAMPLE = 3
    TEST = 4
    FILE = 5
    NOTHING_NEEDED = 6
    NONE = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program of the package, and the facts in its sources.

    Attributes:
        word: How a workload names it, `{bin}` or `{bin:NAME}`.
        calls: Its calls in the project's texts.
        size_bytes: Of its sources.
    """

    target: SourceTarget
    word: str
    marks: SourceMarks
    calls: tuple[UsageCall, ...] = ()
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A bench or a test target, and its text; `missing` are required features that are off."""

    target: SourceTarget
    text: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts about a package.

    Attributes:
        programs: Its binaries, or the examples of a library.
        files: Possible inputs, the largest first.
        present: Files that the project's texts name and that exist.
        has_unit_tests: The package's sources contain tests.
        is_library: Its programs are examples.
    """

    programs: tuple[Program, ...]
    benches: tuple[Suite, ...] = ()
    tests: tuple[Suite, ...] = ()
    files: tuple[SampleFile, ...] = ()
    present: frozenset[str] = frozenset()
    unit_tests: str | None = None
    is_library: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """Workloads to propose.

    Attributes:
        surety: Of those that are not commented out.
    """

    workloads: tuple[ProposedWorkload, ...]
    surety: Surety


def guess_workloads(facts: Facts) -> Guess:
    """Choose the surest kind of workload; the others are commented out."""
    kinds: dict[Surety, list[ProposedWorkload]] = {
        Surety.BENCH: list(_benches(facts.benches)),
        Surety.DOCUMENTED: [item for program in facts.programs for item in _documented(program, facts)],
        Surety.EXAMPLE: list(_examples(facts)),
        Surety.TEST: list(_tests(facts)),
        Surety.FILE: [item for program in facts.programs for item in _with_file(program, facts)],
        Surety.NOTHING_NEEDED: [item for program in facts.programs for item in _without_anything(program, facts)],
    }
    surest = next((surety for surety, found in kinds.items() if any(item.is_active for item in found)), Surety.NONE)
    # Weaker guesses about the same programs add nothing to a surer one.
    shown = [surety for surety in kinds if surety <= Surety.TEST or surest > Surety.TEST]
    workloads = (
        item
        if surety is surest or not item.is_active
        else replace(item, is_active=False, comment=_beside(item, surest))
        for surety in sorted(shown, key=lambda surety: surety is not surest)
        for item in kinds[surety]
    )
    return Guess(workloads=tuple(_distinct(workloads)), surety=surest)


def _beside(item: ProposedWorkload, surest: Surety) -> str:
    said = {Surety.BENCH: "the benches", Surety.DOCUMENTED: "the commands above", Surety.EXAMPLE: "the examples"}
    return f"{item.comment} Left out: {said.get(surest, 'the tests')} are more certain to run and to take long enough."


def _distinct(workloads: Iterable[ProposedWorkload]) -> Iterator[ProposedWorkload]:
    """Make names unique, including commented-out ones, which the user may enable."""
    seen: set[str] = set()
    for item in workloads:
        name, number = item.name, 2
        while name in seen:
            name, number = f"{item.name} ({number})", number + 1
        seen.add(name)
        yield replace(item, name=name)


def _benches(benches: tuple[Suite, ...]) -> Iterator[ProposedWorkload]:
    named = [suite for suite in benches if not suite.target.name.startswith("-") and suite.target.name.isprintable()]
    active = 0
    for suite in sorted(named, key=lambda suite: _why_no_bench(suite) != ""):
        reason = _why_no_bench(suite)
        is_active = not reason and active < _MOST_BENCHES
        active += is_active
        name = suite.target.name
        own = "Criterion's own samples are compared." if "criterion" in suite.text else "Its wall time is compared."
        counts = _DIVAN_COUNTS if "divan" in suite.text else ()
        more = "" if is_active or reason else "Another bench; the first ones are enough for a first table."
        yield ProposedWorkload(
            name=f"bench {name}",
            key="cargo",
            words=("bench", "--bench", _literal(name), *counts),
            use=_BENCH_AND_TRAIN,
            comment=reason or more or f"A bench of the project, trained on and measured: in-sample. {own}",
            is_active=is_active,
        )


def _why_no_bench(suite: Suite) -> str:
    if suite.missing:
        return f"Not proposed: it needs the features {', '.join(suite.missing)} under [project]."
    if _NIGHTLY.search(suite.text) or ("#[bench]" in suite.text and "criterion" not in suite.text):
        return "Not proposed: it needs a nightly rustc (`#![feature(test)]`)."
    if _VALGRIND.search(suite.text):
        return "Not proposed: it counts instructions with valgrind, so its time is meaningless."
    if not suite.text:
        return "Not proposed: its source could not be read."
    return ""


def _documented(program: Program, facts: Facts) -> Iterator[ProposedWorkload]:
    with_file = [call for call in program.calls if call.reads_file]
    for call in with_file[:_MOST_CALLS]:
        files = _files_for(call, facts)
        comment = "A call from the project's own documentation."
        if call.harm or not program.marks.stands_alone:
            why = f"`{call.harm}` may change files or never end" if call.harm else "it may need a network or a screen"
            yield from _pairs(
                program, call, files[:1] or (_unknown(),), f"{comment} Not proposed: {why}.", active=False
            )
        elif files:
            yield from _pairs(program, call, files, comment, active=True)
        else:
            why = "there is no such file here. Put a typical one in its place: users' work says more than tests"
            yield from _pairs(program, call, (_named_by(call),), f"{comment} Not proposed: {why}.", active=False)


def _files_for(call: UsageCall, facts: Facts) -> tuple[SampleFile, ...]:
    """The possible input files of a call: those with the extension that it names, or else that file itself."""
    alike = [file for file in facts.files if call.suffix and file.suffix == call.suffix]
    if alike:
        return tuple(alike)
    if call.file is not None:
        return (SampleFile(path=call.file, size_bytes=1),) if call.file in facts.present else ()
    return largest_kind(facts.files)


def _examples(facts: Facts) -> Iterator[ProposedWorkload]:
    if not facts.is_library:
        return
    active = 0
    for program in sorted(facts.programs, key=lambda program: -program.size_bytes):
        marks = program.marks
        reason = (
            "it reads its command line"
            if marks.arguments
            else "it reads standard input"
            if marks.stdin
            else "it may need a network or a screen"
            if not marks.stands_alone
            else "it writes files"
            if marks.writes
            else ""
        )
        is_active = not reason and active < _MOST_EXAMPLES
        active += is_active
        why = f" Not proposed: {reason}." if reason else ""
        yield ProposedWorkload(
            name=f"example {program.target.name}",
            words=(program.word,),
            use=_BENCH_AND_TRAIN,
            comment=f"An example of the library, trained on and measured: in-sample.{why}",
            is_active=is_active,
        )


def _tests(facts: Facts) -> Iterator[ProposedWorkload]:
    named = [suite for suite in facts.tests if not suite.missing and _TESTS.search(suite.text)]
    usable = [suite for suite in named if "trybuild" not in suite.text and suite.target.name.isprintable()]
    comment = "The project's own tests, trained on and measured: in-sample, which are not typical use."
    if usable:
        words = tuple(word for suite in usable[:_MOST_TESTS] for word in ("--test", _literal(suite.target.name)))
        yield ProposedWorkload(name="tests", key="cargo", words=("test", *words), use=_BENCH_AND_TRAIN, comment=comment)
    elif facts.unit_tests is not None:
        yield ProposedWorkload(
            name="unit tests", key="cargo", words=("test", facts.unit_tests), use=_BENCH_AND_TRAIN, comment=comment
        )


def _with_file(program: Program, facts: Facts) -> Iterator[ProposedWorkload]:
    """A file on standard input, or as the only argument, if the sources read either."""
    marks = program.marks
    files = largest_kind(facts.files)
    if not files or not marks.stands_alone or not (marks.arguments or marks.stdin) or facts.is_library:
        return
    if marks.subcommands:
        comment = "Not proposed: the program has subcommands, and it is unknown which one reads this file."
        yield from _pairs(program, UsageCall(words=(FILE,)), files[:1], comment, active=False)
        return
    call = UsageCall(words=(), stdin=True) if marks.stdin else UsageCall(words=(FILE,))
    how = "its sources read standard input" if marks.stdin else "its sources read the command line"
    yield from _pairs(program, call, files, f"A guess: {how}, and this file looks like an input.", active=True)


def _without_anything(program: Program, facts: Facts) -> Iterator[ProposedWorkload]:
    marks = program.marks
    if facts.is_library or not marks.stands_alone:
        return
    for call in (call for call in program.calls if not call.reads_file and call.words and not call.harm):
        comment = "A call from the project's own documentation."
        yield from _pairs(program, call, (), comment, active=not marks.writes)
        return
    if marks.stdin and not marks.arguments:
        texts = tuple(
            SampleFile(path=path, size_bytes=1) for path in ("README.md", "Cargo.toml") if path in facts.present
        )
        comment = "It reads standard input, and no data was found: this is a placeholder for your own."
        yield from _pairs(program, UsageCall(words=(), stdin=True), texts[:1], comment, active=True)
    elif not marks.arguments:
        comment = "Its sources read neither a command line nor standard input."
        yield from _pairs(program, UsageCall(words=()), (), comment, active=True)


def _pairs(
    program: Program, call: UsageCall, files: tuple[SampleFile, ...], comment: str, *, active: bool
) -> Iterator[ProposedWorkload]:
    """Train and measure on different files if there are two or more; otherwise both on one, which is in-sample."""
    title = " ".join(word for word in call.words if word != FILE and not word.startswith("-"))[:40]
    what = " ".join(filter(None, (program.target.name, title)))
    if len(files) < 2:  # noqa: PLR2004 - one to train on, one to measure
        said = f"{comment} Trained on and measured: in-sample." if active else comment
        item = _workload(program, call, files[0] if files else None)
        yield replace(item, name=what, use=_BENCH_AND_TRAIN, comment=said + item.comment, is_active=active)
        return
    measured = min(files, key=lambda file: ("train" in file.path.lower(), -file.size_bytes, file.path))
    rest = [file for file in files if file is not measured][:_MOST_TRAINED]
    for number, file in enumerate(rest):
        name = f"train {what}" + (f" {number + 1}" if len(rest) > 1 else "")
        item = _workload(program, call, file)
        yield replace(item, name=name, use=("train",), comment=comment + item.comment, is_active=active)
    item = _workload(program, call, measured)
    said = f"{comment} Not trained on: held-out.{item.comment}"
    yield replace(item, name=f"measure {what}", use=("bench",), comment=said, is_active=active)


def _workload(program: Program, call: UsageCall, file: SampleFile | None) -> ProposedWorkload:
    """A call with its file, without its uses."""
    path = "" if file is None else file.path
    # A program that writes may change its input, so it gets a copy.
    copied = bool(path) and program.marks.writes and FILE in call.words
    place = f"{{scratch}}/{_literal(path.rpartition('/')[2])}" if copied else _literal(path)
    return ProposedWorkload(
        name="",
        words=(program.word, *(place if word == FILE else _literal(word) for word in call.words)),
        use=(),
        stdin=_literal(path) if call.stdin and path else None,
        prepare=("cp", _literal(path), place) if copied else (),
        inputs=(_literal(path),) if copied else (),
        comment=" Its sources write files, so it gets a copy." if copied else "",
    )


def _unknown() -> SampleFile:
    return SampleFile(path="FILE", size_bytes=1)


def _named_by(call: UsageCall) -> SampleFile:
    """The file that the documentation names."""
    return _unknown() if call.file is None else SampleFile(path=call.file, size_bytes=1)


def _literal(text: str) -> str:
    """Escape braces in a text, which would otherwise be placeholders."""
    return text.replace("{", "{{").replace("}", "}}")
