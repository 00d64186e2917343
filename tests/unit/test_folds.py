from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from optbuild.errors import UsageError
from optbuild.profile.workloads import Use
from optbuild.testing import make_invocation
from optbuild.workloads.folds import Fold, make_folds, without_fold
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.overlap import find_overlaps

BOTH = (Use.BENCH, Use.TRAIN)
Read = Callable[..., Invocation]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Makes a workload that reads files of given contents, each written under a name of its own."""

    def read(name: str, *contents: str, use: tuple[Use, ...] = BOTH) -> Invocation:
        paths = tuple(tmp_path / f"{name}-{number}" for number in range(len(contents)))
        for path, content in zip(paths, contents, strict=True):
            path.write_text(content)
        return make_invocation("{bin:demo}", name, name=name, use=use, inputs=paths)

    return read


def folds_of(*workloads: Invocation) -> dict[tuple[str, ...], tuple[str, ...]]:
    """What is measured, by what is left out."""
    overlaps = find_overlaps(workloads, InputHashes())
    return {fold.left_out: fold.workloads for fold in make_folds(workloads, overlaps)}


def test_each_workload_is_left_out_in_turn(read: Read) -> None:
    """Where all inputs differ, a fold is one workload, and measures that one."""
    found = folds_of(read("a", "1"), read("b", "2"), read("c", "3"))
    assert found == {("a",): ("a",), ("b",): ("b",), ("c",): ("c",)}


def test_what_shares_an_input_is_left_out_together(read: Read) -> None:
    """Leaving out one of two workloads on the same input would leave that input in."""
    assert folds_of(read("a", "1"), read("copy", "1"), read("c", "3")) == {
        ("a", "copy"): ("a", "copy"),
        ("c",): ("c",),
    }


def test_no_more_is_left_out_than_what_is_shared(read: Read) -> None:
    """The middle one shares with both, the outer ones not with each other."""
    found = folds_of(read("left", "1"), read("middle", "1", "2"), read("right", "2"), read("other", "3"))
    assert found == {
        ("left", "middle"): ("left",),
        ("left", "middle", "right"): ("middle",),
        ("middle", "right"): ("right",),
        ("other",): ("other",),
    }


def test_only_what_is_measured_makes_a_fold(read: Read) -> None:
    """A workload for training alone is never left out by itself, but together with a benchmark on the same input."""
    train, bench = (Use.TRAIN,), (Use.BENCH,)
    found = folds_of(
        read("a", "1"), read("learn", "2", use=train), read("also", "3", use=train), read("race", "3", use=bench)
    )
    assert found == {("a",): ("a",), ("also",): ("race",)}


def test_what_was_not_trained_on_needs_no_fold(read: Read) -> None:
    """Its gain is one on other inputs already."""
    assert folds_of(read("a", "1"), read("b", "2"), read("c", "3", use=(Use.BENCH,))).keys() == {("a",), ("b",)}


def test_unknown_inputs_are_left_in() -> None:
    """Nobody knows whether two commands without files mean the same input: each is left out by itself."""
    workloads = tuple(make_invocation("{bin:demo}", name, name=name) for name in ("one", "two"))
    assert folds_of(*workloads) == {("one",): ("one",), ("two",): ("two",)}


def test_a_workload_that_shares_with_all_has_no_fold(read: Read) -> None:
    """There would be nothing left to train on; the others are measured, and it is named."""
    workloads = (read("a", "1"), read("b", "2"), read("all", "1", "2"))
    overlaps = find_overlaps(workloads, InputHashes())
    folds = make_folds(workloads, overlaps)
    assert folds == (
        Fold(left_out=("a", "all"), workloads=("a",)),
        Fold(left_out=("b", "all"), workloads=("b",)),
    )
    assert without_fold(overlaps, folds) == ("all",)


def refusal(*workloads: Invocation) -> UsageError:
    """Why there are no folds."""
    with pytest.raises(UsageError) as caught:
        folds_of(*workloads)
    return caught.value


def test_one_training_workload_cannot_be_left_out(read: Read) -> None:
    """Nothing would be left to train on; the remedy is a second one."""
    error = refusal(read("only", "1"), read("race", "2", use=(Use.BENCH,)))
    assert error.message == "leaving 'only' out would leave nothing to train on: it is the only training workload"
    assert error.help == 'add a [[workloads]] table with another input and use = ["train", "bench"]'
    assert error.status == 2


def test_workloads_on_one_input_cannot_be_left_out(read: Read) -> None:
    """Two commands that read the same file are one training input."""
    error = refusal(read("a", "1"), read("b", "1"))
    assert error.message == (
        "leaving 'a' out would leave nothing to train on: all 2 training workloads share an input with it"
    )


def test_held_out_benchmarks_need_no_cross_validation(read: Read) -> None:
    """Who trains and measures on different inputs has what it gives, and is told so."""
    error = refusal(read("a", "1", use=(Use.TRAIN,)), read("b", "2", use=(Use.BENCH,)))
    assert error.message.endswith("no benchmark is known to share an input with it")
    assert error.help.startswith("without --cross-validate the gain is already measured on other inputs; or give ")
    assert "no workload is for training" in refusal(read("b", "2", use=(Use.BENCH,))).message
