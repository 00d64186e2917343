from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.tools.perf import make_count_argv, parse_count

STARTED = "# started on Mon Nov 23 09:24:06 2026\n\n"


def test_the_program_stands_behind_the_dashes() -> None:
    """Nothing of the program's own arguments is read by perf, and only user space is counted."""
    assert make_count_argv("/usr/bin/perf", Path("/p/count"), ("/p/demo", "--output", "x")) == snapshot(
        (
            "/usr/bin/perf",
            "stat",
            "--event",
            "instructions:u",
            "--field-separator",
            ",",
            "--output",
            "/p/count",
            "--",
            "/p/demo",
            "--output",
            "x",
        )
    )


@pytest.mark.parametrize(
    "line",
    [
        "2082458,,instructions:u,1283947,100.00,,",
        "2082458,,instructions:u,1283947,100.00,1.21,insn per cycle",
        "2082458,,instructions,1283947,100.00,,",
    ],
)
def test_the_count_is_read_from_the_line_of_the_event(line: str) -> None:
    """Other columns come and go with perf's version."""
    assert parse_count(f"{STARTED}{line}\n") == 2082458


@pytest.mark.parametrize("words", ["not supported", "not counted"])
def test_a_machine_without_counters_says_so_in_perfs_words(words: str) -> None:
    """Most virtual machines have none: that is a reason, and no zero."""
    with pytest.raises(ValueError, match=f"^perf: instructions {words}$"):
        parse_count(f"{STARTED}<{words}>,,instructions:u,0,100.00,,\n")


@pytest.mark.parametrize("text", ["", STARTED, "1234,,cycles:u,1,100.00,,\n", "instructions:u\n", "\n,\n"])
def test_no_line_is_no_count(text: str) -> None:
    """It may not be allowed to count, or may have written nothing."""
    with pytest.raises(ValueError, match="perf counted no instructions"):
        parse_count(text)
