from __future__ import annotations

import pytest

from optbuild.errors import ImplausibleCountsError
from optbuild.making.training.merging import RawMerge
from optbuild.making.training.plausibility import check_plausible
from optbuild.tools.llvm_profdata import ProfileSummary


def merge_of(*, functions: int = 0, blocks: int = 0, overflowed: bool = False) -> RawMerge:
    """What a training counted at most."""
    summary = ProfileSummary(
        functions=1,
        functions_with_counts=1,
        total_count=1,
        maximum_function_count=functions,
        maximum_block_count=blocks,
        blocks=1,
        is_ir_level=True,
    )
    return RawMerge(unfinished=None, summary=summary, unusable=(), raw_profiles=1, overflowed=overflowed)


def test_what_a_machine_can_count_is_plausible() -> None:
    """A million million for each core and second, and for a second more."""
    check_plausible("w", merge_of(functions=6 * 10**12, blocks=6 * 10**12), duration_s=2.0, cores=2)
    check_plausible("w", merge_of(functions=10**12), duration_s=0.0, cores=1)


@pytest.mark.parametrize("merge", [merge_of(functions=2**55), merge_of(blocks=2**55)], ids=["function", "block"])
def test_more_than_that_is_not(merge: RawMerge) -> None:
    """LLVM takes any counter up to 2**56; the remedy is the one for racing threads."""
    with pytest.raises(ImplausibleCountsError, match="a counter of 36,028,797,018,963,968, which 2 cores") as caught:
        check_plausible("w", merge, duration_s=2.0, cores=2)
    assert 'counters = "atomic"' in caught.value.help


def test_sums_that_were_cut_off_are_not() -> None:
    """The merge succeeds, and says so in its log only."""
    with pytest.raises(ImplausibleCountsError, match="sums were cut off"):
        check_plausible("w", merge_of(overflowed=True), duration_s=2.0, cores=2)


def test_where_nothing_was_merged_there_is_nothing_to_say() -> None:
    """That is told elsewhere."""
    empty = RawMerge(unfinished=None, summary=None, unusable=(), raw_profiles=0)
    check_plausible("w", empty, duration_s=2.0, cores=2)
