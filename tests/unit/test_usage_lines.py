from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbuild.project.usage_lines import FILE, UsageCall, find_calls, find_usage, parse_call


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("tool data/a.json", UsageCall(words=(FILE,), file="data/a.json", suffix=".json")),
        ("./target/release/tool --top 20 ./a.txt", UsageCall(words=("--top", "20", FILE), file="a.txt", suffix=".txt")),
        ("cargo run --release -- sort INPUT  # slow", UsageCall(words=("sort", FILE))),
        ("tool [OPTIONS] <file>", UsageCall(words=(FILE,))),
        ("tool sum <INPUT_FILE>", UsageCall(words=("sum", FILE))),
        ("cat a.csv | tool -d ,", UsageCall(words=("-d", ","), stdin=True, file="a.csv", suffix=".csv")),
        ("tool < a.csv > b.csv", UsageCall(words=(), stdin=True, file="a.csv", suffix=".csv")),
        ("tool fib 30", UsageCall(words=("fib", "30"))),
        ("tool -o out a.txt", UsageCall(words=("-o", "out", FILE), file="a.txt", suffix=".txt", harm="-o")),
        ("tool serve", UsageCall(words=("serve",), harm="serve")),
    ],
)
def test_a_command_that_can_be_run_as_it_stands_is_read(line: str, call: UsageCall) -> None:
    """Options in brackets are left out, a place for a file is one, and what may do harm is named."""
    assert parse_call(line, "tool") == call


@pytest.mark.parametrize(
    "line",
    [
        "other a.txt",
        "cargo run a.txt",
        "cargo run --example demo -- a.txt",
        "tool --help",
        "tool a.txt | sort",
        "tool a.txt && rm -r b",
        "tool <count> a.txt",
        "tool ...",
        "tool a.txt b.txt",
        "tool /etc/passwd",
        "tool ../up.txt",
        "tool ~/a.txt",
        "tool $HOME",
        "tool *.txt",
        "tool https://example.org/a.txt",
        "tool 'unclosed",
        "tool 'a (.*) b'",
        "",
    ],
)
def test_what_leaves_something_open_is_passed_over(line: str) -> None:
    """Other programs, shells, placeholders without a meaning, and files elsewhere are no workload."""
    assert parse_call(line, "tool") is None


def test_commands_stand_in_fenced_blocks_or_after_a_prompt() -> None:
    """A sentence that begins with the program's name is none; a continued line is one command."""
    text = "tool is a tool\n\n```console\n$ tool \\\n  a.txt\n```\n$ tool b.txt\n"
    assert [call.file for call in find_calls(text, "tool")] == ["a.txt", "b.txt"]


def test_the_usage_in_a_source_is_a_command() -> None:
    """Braces in it stand for the program's name."""
    source = 'eprintln!("usage: {} FILE", name); panic!("Usage: tool check FILE\\n");'
    assert find_usage(source, "tool") == (UsageCall(words=(FILE,)), UsageCall(words=("check", FILE)))


@given(text=st.text(max_size=300))
def test_no_text_is_too_strange(text: str) -> None:
    """Whatever a README holds, no word of a call can be taken for a path elsewhere or for a shell's."""
    for call in (*find_calls(f"```\ntool {text}\n```", "tool"), *find_usage(f"usage: tool {text}", "tool")):
        assert all(word == FILE or word.isprintable() for word in call.words)
        assert not any(word.startswith(("/", "~")) or set(word) & set("$*?`;&|<>(){}'\"") for word in call.words)
