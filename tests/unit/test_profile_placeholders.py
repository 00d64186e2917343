from __future__ import annotations

import pytest

from optbuild.profile.placeholders import Placeholder, PlaceholderKind, double_braces, parse_placeholders

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
        ("{bin", r"the brace \{ in `\{bin` has no partner"),
        ("bin}", r"the brace \} in `bin\}` has no partner"),
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
        "did you mean {bin}? placeholders are {bin}, {bin:NAME}, {lib}, {lib:NAME}, {scratch}, {port}, {wheel}, "
        "{python} and {env:NAME}; "
        "literal braces are doubled: {{ and }}"
    )


@pytest.mark.parametrize(
    "text", ["map({k: .a})", "{}", "if x { y", "Hello {{name}}", "{env:.x}", '{"env": 1}', "{bin:}", "}}{{", "{{{k}}}"]
)
def test_braces_on_the_command_line_arrive_as_they_were_written(text: str) -> None:
    """Nothing is a placeholder there but what names one, and nothing has to be doubled."""
    assert parse_placeholders(double_braces(text)) == (text,)


@pytest.mark.parametrize("text", ["{bin}", "a{bin:x}b", "{lib:x.so}", "{env:HOME}/{scratch}", "{port:admin}"])
def test_placeholders_on_the_command_line_are_what_they_are_in_a_build_profile(text: str) -> None:
    """The same word means the same in both places."""
    assert double_braces(text) == text


@pytest.mark.parametrize("text", ["{bni}", "{scratch:x}", "{env}", "{{bin}}", "{{{port}}}"])
def test_what_could_be_meant_as_a_placeholder_is_refused_on_the_command_line(text: str) -> None:
    """The help says where literal braces can be written."""
    with pytest.raises(ValueError, match=r"\{") as caught:
        double_braces(text)
    assert "optbuild.toml, where literal braces are doubled" in getattr(caught.value, "help", "")
