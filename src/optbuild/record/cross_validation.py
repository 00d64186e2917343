"""Make the record's part about a cross-validation. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from optbuild.build.outcome import Outcome, steps_of
from optbuild.measure.model import CrossValidation
from optbuild.plan.model import Plan, PlannedFold
from optbuild.record.assemble import describe_build
from optbuild.record.model import CrossValidationRecord, FoldRecord


def describe_cross_validation(
    plan: Plan,
    outcome: Outcome,
    shown: CrossValidation | None,
    *,
    in_sample: Callable[[PlannedFold], bool | None],
) -> CrossValidationRecord | None:
    """What was left out and what that showed; None without a cross-validation.

    Args:
        plan: The whole run.
        outcome: Its outcome.
        shown: What measuring showed, if it took place.
        in_sample: Whether a fold measures anything that is still in its training.
    """
    if not plan.folds:
        return None
    record = CrossValidationRecord(
        folds=tuple(_describe_fold(fold, plan, outcome, in_sample=in_sample(fold)) for fold in plan.folds)
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


def _describe_fold(fold: PlannedFold, plan: Plan, outcome: Outcome, *, in_sample: bool | None) -> FoldRecord:
    """A fold with its own steps: those that it shares are in its variant."""
    shared = {action for variant in plan.variants for action in outcome.serving(plan, variant)}
    steps = tuple(step for step in steps_of(outcome, fold.build, plan) if step.action.id not in shared)
    build = describe_build(fold.build, plan, outcome, steps=steps, published=None, in_sample=in_sample)
    return FoldRecord(
        variant=fold.variant,
        left_out=fold.left_out,
        workloads=fold.workloads,
        build=replace(build, quarantined=()),
    )
