from __future__ import annotations

from optbuild.tools.profile_text import read_header, read_records

PROFILE = """\
# IR level Instrumentation Flag
:ir
:temporal_prof_traces
# Num Temporal Profile Traces:
2
# Temporal Profile Trace Stream Size:
2
# Weight:
1
main,demo.0;parse,
# Weight:
1
main,

main
# Func Hash:
7
# Num Counters:
1
# Counter Values:
30

"""


def test_the_order_of_the_start_is_no_record() -> None:
    """It stands between the header and the first record, and its lines look like those of one."""
    lines = PROFILE.splitlines(keepends=True)
    assert [(record.name, record.hash) for record in read_records(lines)] == [("main", 7)]


def test_the_order_of_the_start_is_not_of_the_header() -> None:
    """A profile with this header and other records has no order."""
    assert list(read_header(PROFILE.splitlines(keepends=True))) == ["# IR level Instrumentation Flag\n", ":ir\n"]
