from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import UsageError
from optbuild.profile.cargo_words import parse_cargo_words
from optbuild.profile.workloads import Use
from optbuild.project.model import BinTarget, Package, Project
from optbuild.project.selection import Targets
from optbuild.testing import make_invocation, make_package, make_project
from optbuild.workloads.cargo_targets import check_targets

DEMO = replace(
    make_package(),
    tests=("cli", "docs"),
    benches=("parse", "print"),
    examples=(BinTarget(name="shapes", package="demo", required_features=(), is_example=True),),
)
PARSER = replace(make_package(bins=()), name="parser", manifest=Path("/p/parser/Cargo.toml"), benches=("tokens",))


def check(*words: str, packages: tuple[Package, ...] = (DEMO,), use: tuple[Use, ...] = (Use.TRAIN,)) -> None:
    """Check a workload of a workspace with two members, of which these packages are built."""
    project: Project = replace(make_project(), packages=(DEMO, PARSER))
    targets = Targets(packages=packages, bins=packages[0].bins)
    invocation = replace(make_invocation(name="w"), call=parse_cargo_words(words), use=use)
    check_targets(invocation, project, targets)


@pytest.mark.parametrize(
    "words",
    [
        ("test",),
        ("bench", "--bench", "parse"),
        ("bench", "--bench", "p*"),
        ("test", "--test", "cli", "--lib", "--bin", "demo"),
        ("run",),
        ("run", "--example", "shapes"),
        ("bench", "-p", "parser", "--bench", "tokens"),
        ("bench", "--", "--baseline", "main"),
    ],
)
def test_what_cargo_would_find_passes(words: tuple[str, ...]) -> None:
    """By name, by a pattern of cargo's, in the project's packages and in those that are named."""
    check(*words)


def test_other_workloads_pass() -> None:
    """They name no targets."""
    check_targets(make_invocation(), make_project(), Targets(packages=(DEMO,), bins=DEMO.bins))


@pytest.mark.parametrize(
    ("words", "message", "help_text"),
    [
        (
            ("bench", "--bench", "prase"),
            "workload 'w': there is no bench `prase` in `demo`; there is `parse`, `print`",
            "did you mean `parse`?",
        ),
        (
            ("bench", "--bench", "x*"),
            "workload 'w': there is no bench `x*` in `demo`; there is `parse`, `print`",
            "correct `cargo` in its [[workloads]] table",
        ),
        (
            ("test", "--test", "clii"),
            "workload 'w': there is no integration test `clii` in `demo`; there is `cli`, `docs`",
            "did you mean `cli`?",
        ),
        (
            ("run", "--bin", "dmo"),
            "workload 'w': there is no binary `dmo` in `demo`; there is `demo`",
            "did you mean `demo`?",
        ),
        (
            ("run", "--example", "shape"),
            "workload 'w': there is no example `shape` in `demo`; there is `shapes`",
            "did you mean `shapes`?",
        ),
        (
            ("test", "-p", "parser", "--test", "tokens"),
            "workload 'w': there is no integration test `tokens` in `parser`; there is none",
            "correct `cargo` in its [[workloads]] table",
        ),
        (
            ("bench", "--bench", "tokens"),
            "workload 'w': there is no bench `tokens` in `demo`; there is `parse`, `print`",
            'name it in `cargo`: "-p", "parser", "--bench", "tokens"',
        ),
        (
            ("test", "-p", "prser"),
            "workload 'w': there is no package `prser`; there is `demo`, `parser`",
            "did you mean `parser`?",
        ),
        (
            ("run", "-p", "parser"),
            "workload 'w': `cargo run` has no single program to run; there is none",
            'name it in `cargo`: "--example", "NAME"',
        ),
        (
            ("run", "-p", "parser", "--bin", "demo"),
            "workload 'w': there is no binary `demo` in `parser`; there is none",
            'name it in `cargo`: "-p", "demo", "--bin", "demo"',
        ),
    ],
)
def test_what_cargo_would_not_find_is_refused(words: tuple[str, ...], message: str, help_text: str) -> None:
    """With what there is, and what was meant."""
    with pytest.raises(UsageError) as caught:
        check(*words)
    assert (caught.value.message, caught.value.help) == (message, help_text)


def test_one_of_several_programs_has_to_be_chosen() -> None:
    """As cargo itself demands, but before the first build."""
    several = replace(DEMO, bins=make_package(bins=("one", "two")).bins)
    with pytest.raises(UsageError, match="no single program to run; there is `one`, `two`") as caught:
        check("run", packages=(several,))
    assert caught.value.help == 'name it in `cargo`: "--bin", "one"'
    check("run", packages=(replace(several, default_run="two"),))


def test_one_of_several_packages_has_to_be_chosen_to_run() -> None:
    """`cargo run` takes a single one."""
    with pytest.raises(UsageError, match="`cargo run` takes one package; there is `demo`, `parser`") as caught:
        check("run", packages=(DEMO, PARSER))
    assert caught.value.help == 'name it in `cargo`: "-p", "demo"'


def test_a_program_of_one_package_is_not_measured_for_that_of_several() -> None:
    """`cargo run` would build it without the features that the other packages of the variants switch on."""
    words = ("run", "-p", "demo")
    with pytest.raises(UsageError, match="whose features unify: it would build a different program") as caught:
        check(*words, packages=(DEMO, PARSER), use=(Use.BENCH,))
    assert "{bin:NAME}" in caught.value.help
    check(*words, packages=(DEMO, PARSER), use=(Use.TRAIN,))
    check(*words, use=(Use.BENCH,))


@pytest.mark.parametrize(
    "words", [("--baseline", "main"), ("--baseline=main",), ("-b", "main"), ("--discard-baseline",)]
)
def test_criterion_is_not_asked_for_what_it_kept_elsewhere(words: tuple[str, ...]) -> None:
    """It would fail after the first build, or leave nothing to read; other harnesses may know such an option."""
    with pytest.raises(UsageError, match=f"with `{words[0].partition('=')[0]}` Criterion would look"):
        check("bench", "--", *words, packages=(replace(DEMO, has_criterion=True),))
    check("bench", "--", "--save-baseline", "main", packages=(replace(DEMO, has_criterion=True),))
    check("test", "--", *words, packages=(replace(DEMO, has_criterion=True),))
