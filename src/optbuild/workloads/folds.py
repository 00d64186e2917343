"""Which workloads a cross-validation leaves out of training, and what it then measures.

A fold is made for what is measured: everything that shares an input with it is left out, and the rest of the training
has not seen it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from optbuild.errors import UsageError
from optbuild.profile.workloads import Use
from optbuild.text import sanitize_line
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.overlap import Overlap


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Training workloads to leave out together.

    Attributes:
        left_out: Their names.
        workloads: Names of the benchmark workloads that share an input with these and no others.
    """

    left_out: tuple[str, ...]
    workloads: tuple[str, ...]


def make_folds(workloads: Collection[Invocation], overlaps: Collection[Overlap]) -> tuple[Fold, ...]:
    """Make a fold for each benchmark workload that was trained on; those that leave out the same share one.

    A workload whose fold would leave nothing to train on has none.

    Args:
        workloads: All that are trained or measured on.
        overlaps: What each benchmark workload has in common with training.

    Raises:
        UsageError: There is none.
    """
    trainings = [workload.name for workload in workloads if Use.TRAIN in workload.use]
    trained_on = [overlap for overlap in overlaps if overlap.shared_with]
    if not trained_on:
        both = 'give workloads both uses: use = ["train", "bench"]'
        if not trainings:
            raise UsageError("there is nothing to leave out of training: no workload is for training", help=both)
        raise UsageError(
            "there is nothing to leave out of training: no benchmark is known to share an input with it",
            help=f"without --cross-validate the gain is already measured on other inputs; or {both}",
        )
    by_left_out: dict[tuple[str, ...], list[str]] = {}
    for overlap in trained_on:
        if len(overlap.shared_with) < len(trainings):
            by_left_out.setdefault(overlap.shared_with, []).append(overlap.workload)
    if not by_left_out:
        name = sanitize_line(trained_on[0].workload)
        shared = f"all {len(trainings)} training workloads share an input with it"
        raise UsageError(
            f"leaving {name!r} out would leave nothing to train on: "
            + ("it is the only training workload" if len(trainings) == 1 else shared),
            help='add a [[workloads]] table with another input and use = ["train", "bench"]',
        )
    return tuple(Fold(left_out=left_out, workloads=tuple(names)) for left_out, names in by_left_out.items())


def without_fold(overlaps: Collection[Overlap], folds: Collection[Fold]) -> tuple[str, ...]:
    """The benchmark workloads that were trained on and that no fold measures."""
    measured = {name for fold in folds for name in fold.workloads}
    return tuple(item.workload for item in overlaps if item.shared_with and item.workload not in measured)
