"""The families of comparisons that need precision: over the suite, and over workloads left out of training."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from optbuild.measure.arms import Arms
from optbuild.measure.model import A_PRIME, Series, held_out_arm


def families_of(
    series: Sequence[Series], arms: Arms, gone: Collection[str] = ()
) -> Iterator[tuple[Sequence[Series], tuple[str, ...]]]:
    """Each family as its series and its remaining candidates; the control alone if no other remains.

    Args:
        series: One per cell, of the metric that decides.
        arms: All arms that take turns.
        gone: Those that have left.
    """
    yield series, tuple(arm for arm in arms.candidates if arm not in gone) or (A_PRIME,)
    if folds := folds_of(series, arms.cross_validated):
        yield folds, tuple(map(held_out_arm, arms.cross_validated))


def folds_of(series: Sequence[Series], variants: Sequence[str]) -> tuple[Series, ...]:
    """The workloads on which every one of these variants was measured with a profile that leaves them out."""
    wanted = {held_out_arm(variant) for variant in variants}
    return tuple(one for one in series if wanted and one.rounds and wanted <= one.rounds[0].values.keys())
