from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from optbuild.plan.action import ActionId, Output
from optbuild.plan.fingerprint import fingerprint, make_action_id, make_result_key
from optbuild.profile.workloads import Use

ID = ActionId("train-00112233")


@dataclass(frozen=True)
class Pair:
    left: object
    right: object


def test_a_mapping_has_no_order() -> None:
    """Two mappings with the same content are the same, in whatever order they were made."""
    assert fingerprint({"a": 1, "b": {"c": 2, "d": 3}}) == fingerprint({"b": {"d": 3, "c": 2}, "a": 1})


def test_a_set_has_no_order() -> None:
    """Sets are hashed by what is in them."""
    assert fingerprint({"a", "b", "c"}) == fingerprint(frozenset({"c", "b", "a"}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b"), ("b", "a")),
        (("ab",), ("a", "b")),
        ("1", 1),
        (1, 1.0),
        (1, True),
        (None, "None"),
        (None, False),
        ({"a": None}, {}),
        (Pair("a", "b"), Pair("b", "a")),
        ((("a",), ()), ((), ("a",))),
    ],
)
def test_what_differs_has_another_fingerprint(one: object, other: object) -> None:
    """Order in a sequence, types, nesting and presence all count."""
    assert fingerprint(one) != fingerprint(other)


def test_values_of_the_domain_are_hashed_by_their_text() -> None:
    """Paths, outputs and enumerations stand for what they are written as."""
    output = Output(action=ActionId("merge-1"), name="profdata")
    assert fingerprint(Path("/a")) == fingerprint("/a")
    assert fingerprint(output) == fingerprint("{profdata:merge-1}")
    assert fingerprint(Use.TRAIN) == fingerprint("train")


@pytest.mark.parametrize("value", [b"bytes", object(), Pair])
def test_what_has_no_stable_text_is_refused(value: object) -> None:
    """Nothing is hashed by its address or by chance."""
    with pytest.raises(TypeError, match="cannot fingerprint a"):
        fingerprint(value)


def test_an_id_tells_its_kind_and_its_content() -> None:
    """An id is short, begins with the action's kind, and is the same today and tomorrow."""
    assert make_action_id("train", "a", 1) == "train-135f17a4"
    assert make_action_id("train", "a", 1) != make_action_id("train", "a", 2)


def test_a_result_key_is_of_the_action_and_of_every_input() -> None:
    """Another content or another name of one input gives another key."""
    key = make_result_key(ID, {"bin demo": "aa", "input /a": "bb"})
    assert key.startswith(f"{ID}-")
    assert key == make_result_key(ID, {"input /a": "bb", "bin demo": "aa"})
    assert key != make_result_key(ID, {"bin demo": "aa", "input /a": "cc"})
    assert key != make_result_key(ID, {"bin demo": "aa", "input /b": "bb"})
    assert key != make_result_key(ActionId("train-44556677"), {"bin demo": "aa", "input /a": "bb"})
