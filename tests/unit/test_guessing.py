from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.project.model import SourceTarget
from optbuild.project.sample_files import SampleFile, find_sample_files, largest_kind
from optbuild.project.source_marks import (
    SourceMarks,
    find_marks,
    find_variables,
    read_package_sources,
    read_sources,
)
from optbuild.project.usage_lines import FILE, UsageCall
from optbuild.session.guessing import Facts, Program, Suite, Surety, guess_workloads

ARGUMENTS = SourceMarks(arguments=True)


def target(kind: str, name: str) -> SourceTarget:
    """A target of a package."""
    return SourceTarget(kind=kind, name=name, source=Path(f"/p/{kind}/{name}.rs"))


def make_facts(marks: SourceMarks = ARGUMENTS, *calls: UsageCall, **changes: object) -> Facts:
    """A package with one program, and what else a test is about."""
    program = Program(target=target("bin", "tool"), word="{bin}", marks=marks, calls=calls)
    return replace(Facts(programs=(program,)), **changes)  # type: ignore[arg-type]


def files(*paths: str) -> tuple[SampleFile, ...]:
    """Files of falling size."""
    return tuple(SampleFile(path=path, size_bytes=1000 - number) for number, path in enumerate(paths))


def active(facts: Facts) -> list[tuple[tuple[str, ...], tuple[str, ...], str | None]]:
    """Words, use and standard input of what takes effect."""
    return [(item.words, item.use, item.stdin) for item in guess_workloads(facts).workloads if item.is_active]


BENCH = Suite(target=target("bench", "speed"), text="use criterion::Criterion;")
TEST = Suite(target=target("test", "cli"), text="#[test]\nfn works() {}")
README = UsageCall(words=("--all", FILE), file="data/a.txt", suffix=".txt")


def test_the_surest_kind_goes_first() -> None:
    """Benches before documented commands, before tests, before a file, before nothing."""
    everything = make_facts(ARGUMENTS, README, benches=(BENCH,), tests=(TEST,), files=files("data/a.txt"))
    assert guess_workloads(everything).surety is Surety.BENCH
    assert guess_workloads(replace(everything, benches=())).surety is Surety.DOCUMENTED
    bare = make_facts(tests=(TEST,), files=files("data/a.txt"))
    assert guess_workloads(bare).surety is Surety.TEST
    assert guess_workloads(replace(bare, tests=())).surety is Surety.FILE
    assert guess_workloads(make_facts(SourceMarks())).surety is Surety.NOTHING_NEEDED
    assert guess_workloads(make_facts()).surety is Surety.NONE


def test_what_is_not_the_surest_is_commented_out_with_the_reason() -> None:
    """Nothing that was found is lost."""
    found = guess_workloads(make_facts(benches=(BENCH,), tests=(TEST,))).workloads
    assert [(item.name, item.is_active) for item in found] == [("bench speed", True), ("tests", False)]
    assert "Left out: the benches are more certain" in found[1].comment


def test_the_largest_file_is_held_out() -> None:
    """The others train, at most three of them; one file alone is in-sample, and says so."""
    five = files("d/a.txt", "d/b.txt", "d/c.txt", "d/d.txt", "d/e.txt")
    assert active(make_facts(files=five)) == [
        *((("{bin}", f"d/{name}.txt"), ("train",), None) for name in "bcd"),
        (("{bin}", "d/a.txt"), ("bench",), None),
    ]
    (alone,) = guess_workloads(make_facts(files=five[:1])).workloads
    assert alone.use == ("train", "bench")
    assert "in-sample" in alone.comment


def test_a_file_named_for_training_is_not_measured() -> None:
    """However large it is."""
    found = active(make_facts(files=files("data/train.txt", "data/bench.txt")))
    assert [(words[1], use) for words, use, _ in found] == [
        ("data/train.txt", ("train",)),
        ("data/bench.txt", ("bench",)),
    ]


@pytest.mark.parametrize(
    ("marks", "reason"),
    [
        (SourceMarks(arguments=True, subcommands=True), "the program has subcommands"),
        (SourceMarks(arguments=True, serves=True), None),
        (SourceMarks(arguments=True, interactive=True), None),
    ],
)
def test_a_program_that_needs_more_gets_no_file(marks: SourceMarks, reason: str | None) -> None:
    """A server, a screen or a subcommand is nothing to start with a file and hope."""
    guess = guess_workloads(make_facts(marks, files=files("data/a.txt")))
    assert guess.surety is Surety.NONE
    assert [reason in item.comment for item in guess.workloads if reason] == [True] * (reason is not None)


def test_a_command_that_may_do_harm_is_only_shown() -> None:
    """Whatever the README says, nothing is started unasked that writes, deletes or never ends."""
    harmful = replace(README, words=("--fix", FILE), harm="--fix")
    *_, item = guess_workloads(make_facts(ARGUMENTS, harmful, files=files("data/a.txt"))).workloads
    assert not item.is_active
    assert "`--fix` may change files" in item.comment


def test_a_program_that_writes_gets_copies() -> None:
    """In its own scratch directory; the file itself is an input."""
    marks = SourceMarks(arguments=True, writes=True)
    (item,) = guess_workloads(make_facts(marks, README, files=files("data/a.txt"))).workloads[:1]
    assert item.words == ("{bin}", "--all", "{scratch}/a.txt")
    assert item.prepare == ("cp", "data/a.txt", "{scratch}/a.txt")
    assert item.inputs == ("data/a.txt",)


@pytest.mark.parametrize(
    ("text", "missing", "reason"),
    [
        ("#![feature(test)]", (), "nightly"),
        ("#[bench]\nfn b() {}", (), "nightly"),
        ("use iai_callgrind::main;", (), "valgrind"),
        ("use criterion::x;", ("full",), "it needs the features full"),
        ("", (), "could not be read"),
    ],
)
def test_a_bench_that_cannot_measure_is_named_with_the_reason(text: str, missing: tuple[str, ...], reason: str) -> None:
    """And does not take the place of what can."""
    bench = Suite(target=target("bench", "old"), text=text, missing=missing)
    guess = guess_workloads(make_facts(benches=(bench, BENCH)))
    assert [(item.name, item.is_active) for item in guess.workloads] == [("bench speed", True), ("bench old", False)]
    assert reason in guess.workloads[1].comment


def test_names_of_foreign_things_hold_no_placeholder() -> None:
    """Braces in a file's name are its own, and two workloads never share a name."""
    found = guess_workloads(make_facts(files=files("d/{bin}.txt"))).workloads
    assert found[0].words == ("{bin}", "d/{{bin}}.txt")
    calls = (README, replace(README, file="data/b.txt", words=("--all", "-x", FILE)))
    named = guess_workloads(make_facts(ARGUMENTS, *calls, files=files("data/a.txt", "data/b.txt"))).workloads
    assert len({item.name for item in named}) == len(named) == 4


def test_marks_are_found_by_names() -> None:
    """Of functions and crates."""
    assert find_marks(["use clap::Parser; std::io::stdin().lock()"]) == SourceMarks(arguments=True, stdin=True)
    assert find_marks(["fn main() { fs::write(p, b) }"]) == SourceMarks(writes=True)
    assert not find_marks(["TcpListener::bind"]).stands_alone
    assert find_marks([]) == SourceMarks()


def test_a_program_is_its_own_modules_only(tmp_path: Path) -> None:
    """Other programs below `src/bin` are not it; an example of one file is that file."""
    for name in ("src/main.rs", "src/part/mod.rs", "src/bin/other.rs", "examples/a.rs", "examples/b.rs"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert read_sources(tmp_path / "src" / "main.rs") == ("src/main.rs", "src/part/mod.rs")
    assert read_sources(tmp_path / "examples" / "a.rs") == ("examples/a.rs",)
    assert read_sources(tmp_path / "gone.rs") == ()


def test_what_looks_like_an_input_is_found(tmp_path: Path) -> None:
    """By its place; not sources, results, hidden files, links, what is empty, or what cargo built."""
    for name in (
        "tests/data/a.csv",
        "fixtures/deep/b.csv",
        "benches/c.json",
        "tests/it.rs",
        "data/expected.csv",
        "data/.hidden",
        "data/target/d.csv",
        "data/a.out",
        "elsewhere/e.csv",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x" * len(name))
    (tmp_path / "data" / "empty.csv").touch()
    (tmp_path / "data" / "link.csv").symlink_to("/etc/hostname")
    found = find_sample_files(tmp_path, tmp_path)
    assert [file.path for file in found] == ["fixtures/deep/b.csv", "tests/data/a.csv", "benches/c.json"]
    assert [file.path for file in largest_kind(found)] == ["fixtures/deep/b.csv", "tests/data/a.csv"]
    assert largest_kind(()) == ()


def test_variables_that_sources_read_are_known() -> None:
    """By std, by an import of its function, and by clap; those that a compiler reads are not."""
    code = """
    let a = std::env::var("MODE"); let b = env::var_os( "PLACE"); let c = var("DEPTH");
    #[arg(long, env = "LEVEL")] level: u8,
    const D: &str = env!("CARGO_PKG_NAME"); let e = option_env!("BUILT_BY"); let f = my_var("NOT");
    """
    assert find_variables([code, 'std::env::var(\n"SPLIT")']) == {"MODE", "PLACE", "DEPTH", "LEVEL", "SPLIT"}


def test_sources_of_a_package_are_those_of_all_its_targets(tmp_path: Path) -> None:
    """A package without sources of its own has none."""
    for name in ("src/main.rs", "src/bin/other.rs", "src/part/mod.rs", "tests/a.rs"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert read_package_sources(tmp_path) == ("src/bin/other.rs", "src/main.rs", "src/part/mod.rs")
    assert read_package_sources(tmp_path / "elsewhere") == ()


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (UsageCall(words=("--all", FILE), file="foo.txt", suffix=".txt"), "foo.txt"),
        (README, "data/a.txt"),
        (UsageCall(words=("--all", FILE)), "FILE"),
    ],
)
def test_a_documented_call_without_its_file_is_shown(call: UsageCall, word: str) -> None:
    """It is the better workload, and only its author has the file; until then the tests are what runs."""
    found = guess_workloads(make_facts(ARGUMENTS, call, tests=(TEST,)))
    assert found.surety is Surety.TEST
    shown = next(item for item in found.workloads if not item.is_active)
    assert shown.words == ("{bin}", "--all", word)
    assert "there is no such file here. Put a typical one in its place" in shown.comment
