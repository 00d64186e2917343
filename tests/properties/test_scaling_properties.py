from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from optbuild.making.training.scaling import make_scaling, scale_record
from optbuild.tools.profile_text import FunctionRecord

COUNTS = st.integers(0, 2**64 - 3)
SCALES = st.floats(0, 1, exclude_min=True)


@given(COUNTS, SCALES)
def test_a_scaled_count_is_there_exactly_where_it_was(count: int, scale: float) -> None:
    """It is never more than it was, and less than one apart from the product."""
    found = make_scaling(scale)(count)
    assert (found == 0) == (count == 0)
    assert found <= count
    assert abs(found - count * scale) <= 1 + count * 1e-15


@given(st.tuples(COUNTS, COUNTS), SCALES)
def test_what_ran_more_often_still_does(counts: tuple[int, int], scale: float) -> None:
    """Or as often."""
    less, more = sorted(counts)
    scaled = make_scaling(scale)
    assert scaled(less) <= scaled(more)


@given(st.lists(COUNTS, max_size=5), st.lists(st.tuples(COUNTS, COUNTS), max_size=3), SCALES)
def test_a_scaled_record_has_the_same_shape(counters: list[int], values: list[tuple[int, int]], scale: float) -> None:
    """By 1 nothing changes; by less, no line that is not a count does."""
    kinds = ["1", "1", "1", str(len(values)), *(f"{value}:{count}" for value, count in values)]
    lines = ("# Func Hash:", "77", str(len(counters)), *map(str, counters), *kinds)
    record = FunctionRecord(name="main", hash=77, lines=lines)
    assert scale_record(record, make_scaling(1.0)) == record
    scaled = make_scaling(scale)
    expected = [*lines[:3], *(str(scaled(count)) for count in counters), *kinds[:4]]
    expected += [f"{value}:{scaled(count)}" for value, count in values]
    assert list(scale_record(record, scaled).lines) == expected
