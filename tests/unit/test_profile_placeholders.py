from __future__ import annotations

import pytest

from optbuild.profile.placeholders import Placeholder, PlaceholderKind, parse_placeholders

BIN = Placeholder(kind=PlaceholderKind.BIN)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", ()),
        ("data/books.txt", ("data/books.txt",)),
        ("{bin}", (BIN,)),
        ("{bin:word freq}", (Placeholder(kind=PlaceholderKind.BIN, argument="word freq"),)),
        ("--out={scratch}/a", ("--out=", Placeholder(kind=PlaceholderKind.SCRATCH), "/a")),
        ("{env:CORPUS}{bin}", (Placeholder(kind=PlaceholderKind.ENV, argument="CORPUS"), BIN)),
        ('{{"a":1}}', ('{"a":1}',)),
        ("{{bin}}", ("{bin}",)),
        ("{{{bin}}}", ("{", BIN, "}")),
    ],
)
def test_words_split_into_text_and_placeholders(text: str, pieces: tuple[str | Placeholder, ...]) -> None:
    """Placeholders stand in single braces; doubled braces are literal ones."""
    assert parse_placeholders(text) == pieces


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a":1}', r"unknown placeholder \{\"a\":1\}"),
        ("{}", r"unknown placeholder \{\}"),
        ("{bin:}", r"unknown placeholder \{bin:\}"),
        ("{env}", r"unknown placeholder \{env\}"),
        ("{scratch:a}", r"unknown placeholder \{scratch:a\}"),
        ("{port:}", r"unknown placeholder \{port:\}"),
        ("{bin", r"the brace \{ in `\{bin` stands alone"),
        ("bin}", r"the brace \} in `bin\}` stands alone"),
    ],
)
def test_what_is_no_placeholder_is_refused(text: str, message: str) -> None:
    """An unknown placeholder is never passed on as text."""
    with pytest.raises(ValueError, match=message):
        parse_placeholders(text)


def test_the_refusal_says_how_to_write_braces_and_what_was_meant() -> None:
    """JSON-like text is possible, and the error says how."""
    with pytest.raises(ValueError, match="bni") as caught:
        parse_placeholders("{bni}")
    assert getattr(caught.value, "help", "") == (
        "did you mean {bin}? placeholders are {bin}, {bin:NAME}, {lib}, {lib:NAME}, {scratch}, {port} and {env:NAME}; "
        "literal braces are doubled: {{ and }}"
    )
