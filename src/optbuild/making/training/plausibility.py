"""Distinguish counts that a training can produce from corrupted ones.

LLVM refuses a raw profile with a counter above 2**56 by itself (`salvage` explains it), and cuts a sum off at the
largest number without failing. Everything below may still be far more than a program counts in the time that it ran.
"""

from __future__ import annotations

from optbuild.errors import AttemptFault, ImplausibleCountsError
from optbuild.making.training.merging import RawMerge
from optbuild.text import sanitize_line
from optbuild.units import format_duration

# A core takes a few thousand million steps in a second. The compiler may compute an instrumented loop at once and still
# count it in full, hence a hundred times that; a damaged counter is mostly far larger.
_COUNTS_PER_CORE_S = 1e12


def check_plausible(workload: str, merge: RawMerge, *, duration_s: float, cores: int) -> None:
    """Refuse counts that no run of a workload can produce.

    Args:
        workload: Its name.
        merge: Its counts.
        duration_s: How long it ran.
        cores: On how many cores at most.

    Raises:
        ImplausibleCountsError: A counter holds more, or a sum was cut off.
    """
    if merge.summary is None:
        return
    name = repr(sanitize_line(workload))
    largest = max(merge.summary.maximum_function_count, merge.summary.maximum_block_count)
    if merge.overflowed:
        fault = f"training on {name} counted so much that sums were cut off at the largest counter"
    elif largest > _COUNTS_PER_CORE_S * cores * (duration_s + 1):
        fault = (
            f"training on {name} left a counter of {largest:,}, which {cores} core{'s' * (cores != 1)} cannot have "
            f"counted in {format_duration(duration_s)}"
        )
    else:
        return
    raise ImplausibleCountsError(
        f"{fault}: a raw profile is damaged, or threads counted in the same place at the same time",
        help='count without races: counters = "atomic" in the variant; if that is set, free disk space and train again',
        fault=AttemptFault.IMPLAUSIBLE,
    )
