"""Counts times a factor: what is scaled in the text of a profile, and what stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.making.training.scaling import make_scaling, scale_record, write_scaled
from optbuild.tools.profile_text import read_records

PROFILE = """\
# IR level Instrumentation Flag
:ir
:temporal_prof_traces
# Num Temporal Profile Traces:
1
# Temporal Profile Trace Stream Size:
1
# Weight:
1
main,demo.0;parse,

main
# Func Hash:
7
# Num Counters:
3
# Counter Values:
3000
0
4
# Num Value Kinds:
2
# ValueKind = IPVK_IndirectCallTarget:
0
# NumValueSites:
2
0
2
demo.0;a::parse:700
** External Symbol **:40
# ValueKind = IPVK_MemOPSize:
1
# NumValueSites:
1
1
8000:95

demo.0;parse
# Func Hash:
900
# Num Counters:
1
# Counter Values:
1

"""


def test_counts_are_scaled_and_nothing_else(tmp_path: Path) -> None:
    """Hashes, lengths and sizes are numbers as well; the order of the start stays before the first function."""
    source, target = tmp_path / "merged.proftext", tmp_path / "scaled.proftext"
    source.write_text(PROFILE)
    write_scaled(source, target, 0.1)
    expected = PROFILE.replace("\n3000\n", "\n300\n").replace("\n0\n4\n", "\n0\n1\n")
    expected = expected.replace(":700", ":70").replace(":40\n", ":4\n").replace("8000:95", "8000:10")
    assert target.read_text() == expected


def test_a_count_is_rounded_to_the_nearest_but_only_nothing_becomes_nothing() -> None:
    """What ran in training stays what ran; the largest counts are exact."""
    scaled = make_scaling(0.01)
    assert [scaled(count) for count in (0, 1, 49, 149, 150, 250)] == [0, 1, 1, 1, 2, 3]
    assert make_scaling(0.3)(10**18 + 10) == 3 * 10**17 + 3
    assert make_scaling(1e-7)(2**63) == 922337203685


@pytest.mark.parametrize("text", ["main\n7\n", "main\n7\n2\n5\n"])
def test_a_record_that_is_cut_short_is_refused(text: str) -> None:
    """Half of the counts would be no profile."""
    (record,) = read_records(text.splitlines())
    with pytest.raises(ValueError, match="cut short"):
        scale_record(record, make_scaling(0.5))
