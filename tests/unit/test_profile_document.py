from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.errors import BuildProfileError, Problem
from optbuild.profile.document import load_document, parse_document


def refuse(data: str | bytes) -> Problem:
    """The one problem for which a document is refused."""
    content = data.encode() if isinstance(data, str) else data
    with pytest.raises(BuildProfileError) as caught:
        parse_document(content, label="optbuild.toml")
    (problem,) = caught.value.problems
    assert caught.value.status == 2
    assert problem.help
    return problem


def test_a_syntax_error_has_line_column_and_caret() -> None:
    """TOML that cannot be parsed is shown with a caret below the place."""
    problem = refuse('schema = 1\r\n[variants.lto]\r\n\tlto == "fat"\r\n')
    assert problem.location == "optbuild.toml:3:7"
    assert problem.message == snapshot("not TOML: Invalid value")
    assert problem.excerpt == snapshot(
        """\
3 | \tlto == "fat"
    \t     ^\
"""
    )


def test_an_error_at_the_end_points_behind_the_last_line() -> None:
    """What tomllib reports "at end of document" still has a line."""
    problem = refuse('schema = 1\nname = """never closed\n\n')
    assert problem.location == "optbuild.toml:2:23"
    assert problem.excerpt is not None
    assert problem.excerpt.endswith("closed\n" + " " * 26 + "^")


def test_a_long_line_is_shown_in_part() -> None:
    """A megabyte on one line does not flood the terminal."""
    problem = refuse(f"a = [{'1, ' * 10_000} = ]")
    assert problem.excerpt is not None
    line, caret = problem.excerpt.split("\n")
    assert len(line) < 130
    assert line[len(caret) - 1] == "="


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 1000 + "]" * 1000,
        "a = " + "{a = " * 1000 + "1" + "}" * 1000,
        ".".join(["a"] * 1000) + " = 1",
        "[" + ".".join(["a"] * 1000) + "]",
        "a = " + "[" * 1000,
    ],
)
def test_deep_nesting_is_refused_before_parsing(text: str) -> None:
    """A thousand levels are an error for people, never a RecursionError."""
    problem = refuse(f"schema = 1\n{text}\n")
    assert "levels deep" in problem.message
    assert problem.location == "optbuild.toml:2"


def test_what_is_not_utf_8_is_refused_with_its_line() -> None:
    """The first byte that is not UTF-8 is named."""
    problem = refuse(b'schema = 1\nname = "caf\xe9"\n')
    assert problem.location == "optbuild.toml:2"
    assert "0xe9" in problem.message


def test_a_byte_order_mark_is_ignored() -> None:
    """Some editors write one, and cargo ignores it in its own files."""
    assert parse_document("\ufeffschema = 1\n".encode(), label="x").lines == {("schema",): 1}


def test_more_than_one_mebibyte_is_refused(tmp_path: Path) -> None:
    """A file that large is no build profile; the limit itself is allowed."""
    file = tmp_path / "optbuild.toml"
    file.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(BuildProfileError, match="larger than 1048576 bytes"):
        load_document(file)
    assert parse_document(b"#" * 1024 * 1024, label="x").tree == {}


@pytest.mark.parametrize("version", [2, 99])
def test_a_newer_schema_is_told_before_anything_else(version: int) -> None:
    """What a newer optbuild wrote is not judged by an older one."""
    problem = refuse(f"what = 3\nschema = {version}\n[gates]\n")
    assert problem.location == "optbuild.toml:2"
    assert "needs a newer optbuild" in problem.message
    assert f"schema {version}" in problem.message


@pytest.mark.parametrize("integer", ["9223372036854775808", "-9223372036854775809", "0x" + "f" * 9000, "1" * 9000])
def test_integers_beyond_64_bits_are_refused(integer: str) -> None:
    """TOML does not have them, although Python does."""
    assert refuse(f"schema = 1\na = [{{ b = {integer} }}]\n").location.startswith("optbuild.toml")


@pytest.mark.parametrize(("name", "message"), [("missing.toml", "there is no build profile"), (".", "is not a file")])
def test_what_is_no_file_is_told(tmp_path: Path, name: str, message: str) -> None:
    """A path that holds no file is an error with its path."""
    with pytest.raises(BuildProfileError, match=message) as caught:
        load_document(tmp_path / name)
    assert caught.value.location == str(tmp_path / name)


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    """What the operating system refuses is passed on with a remedy."""
    with pytest.raises(BuildProfileError, match="File name too long") as caught:
        load_document(tmp_path / ("x" * 300))
    assert caught.value.help
