from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.tools.callgrind import make_count_argv, parse_count

OUTPUT = """\
# callgrind format
version: 1
creator: callgrind-3.19.0
cmd:  /bin/totals: 12
part: 1

positions: line
events: Ir
summary: 130291

ob=(5) /usr/bin/true
fn=(536) summary: 17
0 4

totals: 130291
"""


def test_the_output_goes_where_it_is_looked_for() -> None:
    """A file for each process, since a script may start the program."""
    assert make_count_argv("/usr/bin/valgrind", Path("/p/count"), ("/p/demo", "--tool=x")) == snapshot(
        (
            "/usr/bin/valgrind",
            "--quiet",
            "--trace-children=yes",
            "--tool=callgrind",
            "--callgrind-out-file=/p/count.%p",
            "/p/demo",
            "--tool=x",
        )
    )


def test_the_count_is_read_from_lines_of_its_own() -> None:
    """What stands within other lines is foreign text."""
    assert parse_count(OUTPUT) == 130291
    assert parse_count(OUTPUT.replace("\nsummary: 130291", "")) == 130291


@pytest.mark.parametrize("text", ["", "# callgrind format\nevents: Ir\n", "summary:\n", "totals: many\n"])
def test_no_such_line_is_no_count(text: str) -> None:
    """A program that crashes, or uses instructions that valgrind does not know, leaves none."""
    with pytest.raises(ValueError, match="callgrind counted no instructions"):
        parse_count(text)
