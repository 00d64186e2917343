from __future__ import annotations

import re

import pytest

from optbuild.text import last_lines, name_some, sanitize, sanitize_line

ESC = "\x1b"


@pytest.mark.parametrize("keep_colour", [False, True])
@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("a\ttab\nlines größe, 漢字, 👩\u200d💻", "a\ttab\nlines größe, 漢字, 👩\u200d💻"),
        (f"{ESC}[2J{ESC}[1;1H{ESC}[1A", "^[[2J^[[1;1H^[[1A"),
        (f"{ESC}]0;title\x07", "^[]0;title^G"),
        (f"{ESC}]8;;http://x{ESC}\\link", r"^[]8;;http://x^[\link"),
        (f"{ESC}]52;c;ZXZpbA==", "^[]52;c;ZXZpbA=="),
        (f"{ESC}P1$q{ESC}\\x {ESC}_apc {ESC}^pm", r"^[P1$q^[\x ^[_apc ^[^pm"),
        (f"{ESC}c{ESC}(0", "^[c^[(0"),
        ("100%\rlie", "100%^Mlie"),
        ("dos\r\nlines\r\n", "dos\nlines\n"),
        ("ab\b\bxy\x7f\0\x0b\x0c", "ab^H^Hxy^?^@^K^L"),
        ("\u202egnp.exe\u202c \u2066x\u2069", r"\u202egnp.exe\u202c \u2066x\u2069"),
        ("\u061c\u200e\u200f", r"\u061c\u200e\u200f"),
        ("\x9b2J \x9d0;t\x9c \x85", r"\u009b2J \u009d0;t\u009c \u0085"),
        ("line\u2028and\u2029paragraph", r"line\u2028and\u2029paragraph"),
        ("lone \ud800 surrogate \udcff", r"lone \ud800 surrogate \udcff"),
    ],
)  # fmt: skip
def test_what_a_terminal_would_obey_becomes_visible(foreign: str, shown: str, *, keep_colour: bool) -> None:
    r"""Control characters become caret or `\u` form, whatever sequence they begin; letters of all languages stay."""
    assert sanitize(foreign, keep_colour=keep_colour) == shown


def test_colours_pass_only_where_they_are_wanted() -> None:
    """An SGR sequence is dropped, or kept as it is; nothing else that begins with ESC is a colour."""
    text = f"{ESC}[1;38;5;9merror{ESC}[0m: {ESC}[38:2::1:2:3mx{ESC}[m {ESC}[?25l {ESC}[31 m"

    assert sanitize(text) == "error: x ^[[?25l ^[[31 m"
    assert sanitize(text, keep_colour=True) == text.replace(f"{ESC}[?", "^[[?").replace(f"{ESC}[31 m", "^[[31 m")


def test_a_colour_cannot_hide_the_halves_of_another_sequence() -> None:
    """What is left when a colour is dropped is looked at as a whole."""
    assert sanitize(f"{ESC}{ESC}[0m[2J") == "^[[2J"
    assert sanitize(f"\r{ESC}[0m\n") == "\n"


@pytest.mark.parametrize("keep_colour", [False, True])
@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("::error::gotcha", r":\:error::gotcha"),
        ("fine\n::add-mask::x\n", "fine\n:\\:add-mask::x\n"),
        ("fine\r\n::set-output name=a::x", "fine\n:\\:set-output name=a::x"),
        (" \t\u00a0\u3000\u200b::error::x", " \t\u00a0\u3000\u200b:\\:error::x"),
        ("##[error]x", r"#\#[error]x"),
        ("all is ##[group]well", r"all is #\#[group]well"),
        ("a ##vso[task.setvariable variable=x]y", r"a #\#vso[task.setvariable variable=x]y"),
        ("##teamcity[testFailed]", r"#\#teamcity[testFailed]"),
        ("####[error]", r"###\#[error]"),
        ("#\u200b#[error] :", "#\\\u200b#[error] :"),
        ("std::vec::Vec and a ## b # [c]", "std::vec::Vec and a ## b # [c]"),
    ],
)
def test_commands_to_a_ci_system_become_inert(foreign: str, shown: str, *, keep_colour: bool) -> None:
    """What a CI system would obey in a log gets a backslash; paths and headings within a line are left alone."""
    assert sanitize(foreign, keep_colour=keep_colour) == shown


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        (f"{ESC}[31m::error::x", f"{ESC}[31m:\\:error::x"),
        (f":{ESC}[0m:error::x", f":\\{ESC}[0m:error::x"),
        (f"#{ESC}[0m#{ESC}[1mvso{ESC}[m[x]", f"#\\{ESC}[0m#{ESC}[1mvso{ESC}[m[x]"),
    ],
)
def test_colours_hide_no_command(foreign: str, shown: str) -> None:
    """A terminal library may drop a colour that changes nothing: the command would stand there again."""
    assert sanitize(foreign, keep_colour=True) == shown
    assert sanitize(foreign) == re.sub(rf"{ESC}\[\d*m", "", shown)


@pytest.mark.parametrize(
    "unit",
    ["hello world\n", ESC, f"{ESC}[31mx{ESC}[0m", "#", "##a", " ", ":", "\u200b", f"{ESC}[", "#\u200b", "\r", "::\n"],
    ids=ascii,
)
def test_a_megabyte_of_whatever_is_made_safe(unit: str) -> None:
    """The work grows with the length of the text alone, whatever stands in it: quadratic work would not end here."""
    text = unit * ((1 << 20) // len(unit))

    for keep_colour in (False, True):
        safe = sanitize(text, keep_colour=keep_colour)
        assert sanitize(safe, keep_colour=keep_colour) == safe


def test_a_name_fits_on_one_line() -> None:
    """In a name, newlines and tabs are visible as well, and it is no command either."""
    assert sanitize_line("a\nb\tc\r\n") == "a^Jb^Ic^J"
    assert sanitize_line("::error::x") == r":\:error::x"
    assert sanitize_line(f"{ESC}[31mred{ESC}[0m") == "red"


def test_last_lines_are_the_end_of_the_output_made_safe() -> None:
    """Blank ends are dropped, lines are counted from the end, and bytes that are no UTF-8 are replaced."""
    assert last_lines(b"1\n2\n3\n\n", 2) == "2\n3"
    assert last_lines(b"one \xff two\x1b[2J\n") == "one \ufffd two^[[2J"
    assert last_lines(b"10%\r20%\r30%", 1) == "30%"
    assert last_lines(b"") == ""
    assert last_lines(b"x\n" * 100).count("x") == 20


def test_some_names_stand_for_many() -> None:
    """All where they are few; else the first ones and a number."""
    assert name_some([]) == ""
    assert name_some(["a", "b"], 2) == "a, b"
    assert name_some(["a", "b", "c"], 2) == "a, b and 1 more"
    assert name_some([str(number) for number in range(2000)], 1) == "0 and 1,999 more"
