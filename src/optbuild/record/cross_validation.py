"""Make the record's part about a cross-validation. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from optbuild.making.built import Built
from optbuild.measure.model import CrossValidation
from optbuild.plan.model import PlannedFold
from optbuild.record.assemble import describe_build
from optbuild.record.model import CrossValidationRecord, FoldRecord


def describe_cross_validation(
    built: Built,
    shown: CrossValidation | None,
    *,
    in_sample: Callable[[PlannedFold], bool | None],
) -> CrossValidationRecord | None:
    """What was left out and what that showed; None without a cross-validation.

    Args:
        built: What the run came to.
        shown: What measuring showed, as far as it came to that.
        in_sample: Whether a fold measures anything that is left in its training.
    """
    if not built.plan.folds:
        return None
    record = CrossValidationRecord(
        folds=tuple(_describe_fold(fold, built, in_sample=in_sample(fold)) for fold in built.plan.folds)
    )
    if shown is None:
        return record
    return replace(
        record,
        workloads=shown.workloads,
        trained=shown.trained,
        held_out=shown.held_out,
        optimism=shown.optimism,
    )


def _describe_fold(fold: PlannedFold, built: Built, *, in_sample: bool | None) -> FoldRecord:
    """A fold with its own steps: what it shares with its variant stands there."""
    shared = {action for variant in built.plan.variants for action in built.serving(variant)}
    steps = tuple(step for step in built.steps_of(fold.build) if step.action.id not in shared)
    build = describe_build(fold.build, built, steps=steps, published=None, in_sample=in_sample)
    return FoldRecord(
        variant=fold.variant,
        left_out=fold.left_out,
        workloads=fold.workloads,
        build=replace(build, quarantined=()),
    )
