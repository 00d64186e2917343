"""What a build profile may say under `cargo`."""

from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.errors import BuildProfileError
from optbuild.profile.load import load_build_profile

HEAD = 'schema = 1\n[[workloads]]\nname = "w"\n'


def load(directory: Path, text: str) -> list[tuple[str, str, str]]:
    """The problems of a build profile: where, what, and the remedy."""
    (directory / "optbuild.toml").write_text(HEAD + text)
    try:
        load_build_profile(Path("optbuild.toml"), directory=directory)
    except BuildProfileError as error:
        return [(str(p.location).rpartition(":")[2], p.message, p.help) for p in error.problems]
    return []


@pytest.mark.parametrize(
    "words", ['["test"]', '["bench", "--bench", "parse"]', '["run", "--example", "x", "--", "{scratch}/y", "{env:C}"]']
)
def test_tests_benches_and_programs_are_workloads(words: str, tmp_path: Path) -> None:
    """Arguments may hold placeholders."""
    assert load(tmp_path, f'cargo = {words}\nuse = ["train"]\n') == []


def test_each_problem_is_told_with_its_line_and_remedy(tmp_path: Path) -> None:
    """What cargo would not take, what optbuild says itself, and what does not go with it."""
    assert load(tmp_path, 'cargo = ["bnech"]\nuse = ["train"]\n') == [
        (
            "4",
            "`workloads[0].cargo`: `cargo bnech` cannot be a workload",
            'did you mean "bench"? the first word is "test", "bench" or "run"',
        )
    ]
    assert load(tmp_path, 'cargo = ["test", "--release"]\nuse = ["train"]\n') == [
        (
            "4",
            '`workloads[0].cargo`: "--release" is not for `cargo`',
            "leave it out: programs are built like the variant, with `cargo-profile` of [project]",
        )
    ]
    assert load(tmp_path, 'cargo = ["test"]\nuse = ["train"]\ncwd = "data"\n') == [
        (
            "6",
            "`workloads[0].cwd` is not for `cargo`, which chooses the directory itself",
            "remove `cwd`: tests and benches run in their package's directory, others in the directory of Cargo.toml",
        )
    ]


@pytest.mark.parametrize("use", ["", 'use = ["train"]\n', 'use = ["bench"]\n', 'use = ["train", "bench"]\n'])
def test_what_cargo_runs_is_for_training_and_measuring(use: str, tmp_path: Path) -> None:
    """As any other workload; both where nothing is said."""
    assert load(tmp_path, 'cargo = ["test"]\n' + use) == []


def test_a_workload_is_of_one_kind(tmp_path: Path) -> None:
    """A command beside it would have to be another workload."""
    problems = load(tmp_path, 'command = ["{bin}"]\ncargo = ["test"]\nuse = ["train"]\n')
    assert problems == [
        (
            "5",
            "`workloads[0]` has both `command` and `cargo`",
            "a workload is one or the other: write two [[workloads]] tables",
        )
    ]


def test_words_are_texts(tmp_path: Path) -> None:
    """A list of them, not one text and not none."""
    assert load(tmp_path, 'cargo = "bench"\nuse = ["train"]\n') == [
        ("4", '`workloads[0].cargo`: expected a list of texts, not empty, got "bench"', 'write it as a list: ["bench"]')
    ]
    assert [message for _, message, _ in load(tmp_path, 'cargo = []\nuse = ["train"]\n')] == [
        "`workloads[0].cargo`: expected a list of texts, not empty, got an empty list"
    ]
