from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.errors import UsageError
from optbuild.profile.shell_words import require_no_shell, split_command


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory with files that patterns fit."""
    (tmp_path / "data").mkdir()
    for name in ("a.txt", "data/b.txt", "data/c.txt"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "sign", "remedy"),
    [
        ("{bin} < data/b.txt", "<", "--stdin FILE"),
        ("{bin} <data/b.txt", "<", "--stdin FILE"),
        ("cat data/b.txt | {bin}", "|", "--stdin FILE"),
        ("cat data/b.txt|{bin}", "|", "--stdin FILE"),
        ("{bin} > out.txt", ">", "leave it out"),
        ("{bin} 2>/dev/null", ">", "leave it out"),
        ("{bin} a && {bin} b", "&&", "a separate workload"),
        ("{bin} a || true", "||", "a separate workload"),
        ("{bin} a; {bin} b", ";", "a separate workload"),
        ("{bin} a &", "&", "a separate workload"),
        ("{bin} data/*.txt", "*", "one by one"),
        ("{bin} data/?.txt", "data/?.txt", "one by one"),
        ("{bin} data/[bc].txt", "data/[bc].txt", "one by one"),
        ("{bin} $HOME/x", "$H", "{env:NAME}"),
        ('{bin} "$HOME/x"', "$H", "{env:NAME}"),
        ("{bin} $(ls)", "$(", "{env:NAME}"),
        ("{bin} `ls`", "`", "{env:NAME}"),
        ("{bin} ~/x", "~/", "{env:HOME}"),
    ],
)
def test_what_a_shell_would_do_is_refused(data: Path, text: str, sign: str, remedy: str) -> None:
    """There is no shell: the program would be given the sign as a word, and its input would never arrive."""
    with pytest.raises(UsageError) as caught:
        split_command(text, data)
    assert caught.value.message.startswith(f"`{sign}` in")
    assert remedy in (caught.value.help or "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{bin} '.a | .b' \"x > y\" \\*", ("{bin}", ".a | .b", "x > y", "*")),
        ("{bin} '*.txt' 'data/*'", ("{bin}", "*.txt", "data/*")),
        ("{bin} '$HOME' \"^a$\" a$", ("{bin}", "$HOME", "^a$", "a$")),
        ("{bin} http://localhost:{port}/?a=1&b=2", ("{bin}", "http://localhost:{port}/?a=1&b=2")),
        ("{bin} --define=a=b [none] a~b ''", ("{bin}", "--define=a=b", "[none]", "a~b", "")),
        ("env FOO=1 {bin}", ("env", "FOO=1", "{bin}")),
        ("{bin} a\xa0b", ("{bin}", "a\xa0b")),
        ("", ()),
    ],
)
def test_what_is_quoted_or_means_nothing_to_a_shell_is_the_program_s(
    data: Path, text: str, words: tuple[str, ...]
) -> None:
    """A filter of jq, a regular expression and a URL arrive as they are."""
    assert split_command(text, data) == words


def test_an_open_quote_is_refused(data: Path) -> None:
    """Nobody knows where the word ends."""
    with pytest.raises(UsageError, match="No closing quotation"):
        split_command("{bin} 'a", data)


@pytest.mark.parametrize(
    ("words", "sign", "remedy"),
    [
        (("{bin}", "<", "a.txt"), "<", "--stdin FILE"),
        (("cat", "a.txt", "|", "{bin}"), "|", "--stdin FILE"),
        (("{bin}", "2>", "log"), "2>", "leave it out"),
        (("{bin}", "2>&1"), "2>&1", "leave it out"),
        (("{bin}", ">/dev/null"), ">/dev/null", "leave it out"),
        (("{bin}", "&&", "{bin}"), "&&", "a separate workload"),
        (("{bin}", "data/*.txt"), "data/*.txt", "one by one"),
        (("{bin}", "*.txt"), "*.txt", "one by one"),
    ],
)
def test_operators_and_patterns_after_the_dashes_are_refused(
    data: Path, words: tuple[str, ...], sign: str, remedy: str
) -> None:
    """Only somebody who quoted them by mistake, or a program without a shell, writes them there."""
    with pytest.raises(UsageError) as caught:
        require_no_shell(words, data)
    assert f"`{sign}`" in caught.value.message
    assert remedy in (caught.value.help or "")


@pytest.mark.parametrize(
    "words",
    [
        ("{bin}", ".a | .b", "a.txt"),
        ("{bin}", "a|b", "<html>", "x && y", "*", "a*"),
        ("{bin}", "--glob", "*.txt"),
        ("{bin}", "nothing/*.txt", "$HOME", "~/x"),
        ("sh", "-c", "cat data/*.txt | {bin}"),
        ("{bin}", "A=1"),
        ("find", ".", "-exec", "{}", ";"),
    ],
)
def test_other_words_after_the_dashes_have_been_through_a_shell(data: Path, words: tuple[str, ...]) -> None:
    """Whatever signs are left in them were quoted there, and are the program's own."""
    require_no_shell(words, data)


@pytest.mark.parametrize("text", ["FOO=1 {bin} x", "FOO='a b' {bin}"])
def test_a_variable_before_the_program_names_the_option_that_sets_it(data: Path, text: str) -> None:
    """A shell would set it."""
    with pytest.raises(UsageError, match="variable FOO") as caught:
        split_command(text, data)
    assert "--env" in (caught.value.help or "")
    with pytest.raises(UsageError, match="variable FOO"):
        require_no_shell(("FOO=1", "{bin}"), data)
