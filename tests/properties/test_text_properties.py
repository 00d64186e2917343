from __future__ import annotations

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from optbuild.text import last_lines, sanitize, sanitize_line

COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
PIECES = [*"[]0m:#a \n\r\t\\\x07\x1b\x9b\u200b\u202e\ud800", "\x1b[0m", "\x1b[", "::", "##", "vso"]
# Characters at random hardly ever meet in a sequence: half of the texts are made of what sequences are made of.
TEXTS = st.lists(st.sampled_from(PIECES)).map("".join) | st.text(st.characters(exclude_categories=()))


@given(TEXTS, st.booleans())
def test_what_is_safe_stays_as_it_is(text: str, keep_colour: bool) -> None:  # noqa: FBT001 - drawn
    """Text may be made safe more than once on its way to people."""
    once = sanitize(text, keep_colour=keep_colour)

    assert sanitize(once, keep_colour=keep_colour) == once


@given(TEXTS)
def test_safe_text_holds_no_control_character(text: str) -> None:
    """Newlines and tabs aside, and colours where they are kept, nothing is left that a terminal obeys."""
    for safe in (sanitize(text), COLOUR.sub("", sanitize(text, keep_colour=True))):
        assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in safe if character not in "\n\t")
        assert not any(unicodedata.bidirectional(character) in {"RLO", "LRO", "RLI", "LRI"} for character in safe)
        safe.encode()


@given(TEXTS)
def test_safe_text_holds_no_command(text: str) -> None:
    """No line begins with `::` and none holds `##[` or `##vso[`, after a colour is dropped neither."""
    for safe in (sanitize(text), COLOUR.sub("", sanitize(text, keep_colour=True))):
        assert "##[" not in safe
        assert "##vso[" not in safe
        assert not any(line.lstrip().startswith("::") for line in safe.splitlines())


@given(TEXTS)
def test_a_safe_name_is_one_line(text: str) -> None:
    """A name never breaks a table."""
    assert len(sanitize_line(text).splitlines()) <= 1


@given(st.text(st.characters(categories=("L", "N", "Po"), exclude_characters=":#"), max_size=50))
def test_letters_of_all_languages_pass(text: str) -> None:
    """Nobody's name is escaped because of its script."""
    assert sanitize(text) == text


@given(st.binary(), st.integers(1, 5))
def test_last_lines_take_any_bytes(data: bytes, count: int) -> None:
    """Whatever a program prints, a few safe lines come of it."""
    lines = last_lines(data, count)

    assert sanitize(lines) == lines
    assert len(lines.splitlines()) <= count
