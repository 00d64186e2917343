"""Handle `--cross-validate` before a run begins: choose the folds, and announce their cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from optbuild.errors import UsageError, located
from optbuild.plan.draft import PlanInputs
from optbuild.plan.model import Plan, PlannedVariant
from optbuild.plan.planner import baseline_name
from optbuild.profile.model import BuildProfile
from optbuild.profile.variants import PgoMode
from optbuild.record.history import History
from optbuild.units import format_duration
from optbuild.workloads.folds import Fold, make_folds, without_fold
from optbuild.workloads.overlap import Overlap


def require_candidate(build_profile: BuildProfile, names: Iterable[str]) -> None:
    """Refuse variants without a profile to leave workloads out of.

    Raises:
        UsageError: No variant other than the baseline has PGO.
    """
    baseline = baseline_name(build_profile)
    if not any(name != baseline and build_profile.variants[name].pgo is not PgoMode.OFF for name in names):
        raise UsageError(
            f"nothing can be cross-validated: no variant that is compared with {baseline} has PGO",
            help="name a variant with `pgo = true`, or run without --cross-validate",
        )


def find_folds(inputs: PlanInputs, overlaps: tuple[Overlap, ...]) -> tuple[Fold, ...]:
    """Choose what to leave out of training in turn.

    Raises:
        UsageError: Nothing can be left out, or nothing can be measured.
    """
    if inputs.not_measurable is not None:
        raise UsageError(
            f"nothing can be cross-validated without measuring: {inputs.not_measurable}",
            help="run without --cross-validate, or on a machine that can run the programs",
        )
    path = inputs.build_profile.path
    with located(None if path is None else str(path)):
        return make_folds(inputs.workloads, overlaps)


def describe_folds(
    plan: Plan, folds: tuple[Fold, ...], overlaps: tuple[Overlap, ...], history: History
) -> Iterator[str]:
    """Announce before anything starts what a cross-validation costs, and what it cannot cover.

    Args:
        plan: The plan with its folds.
        folds: The requested folds.
        overlaps: What each benchmark workload shares with training.
        history: How long builds took in earlier runs.
    """
    for variant in plan.variants:
        if variant.parts:
            yield f"{variant.name} is not cross-validated: each of its programs has a separate profile"
    if not plan.folds:
        yield "nothing is cross-validated: no PGO variant is built"
        return
    count = len({fold.build.compile for fold in plan.folds})
    variants = ", ".join(dict.fromkeys(fold.variant for fold in plan.folds))
    left_out = "; ".join(dict.fromkeys(", ".join(fold.left_out) for fold in plan.folds))
    took = _describe_time(plan, history)
    yield f"cross-validation: {count} more build{'s' * (count != 1)} of {variants}{took}; left out in turn: {left_out}"
    for name in without_fold(overlaps, folds):
        yield f"no fold for {name}: all training workloads share an input with it, so none would be left"


def _describe_time(plan: Plan, history: History) -> str:
    """How long the unbuilt folds may take: as long as their variants took."""
    variants = {variant.name: variant for variant in plan.variants}
    new = [fold for fold in plan.folds if _last_s(fold.build, history) is None]
    if not new:
        return ", which an earlier run has built; unchanged ones are reused"
    known = [_last_s(variants[fold.variant], history) for fold in new]
    times = [last_s for last_s in known if last_s is not None]
    return f", about {format_duration(sum(times))} based on earlier builds" if len(times) == len(new) else ""


def _last_s(build: PlannedVariant, history: History) -> float | None:
    """How long the last build with a profile took, however it was trained."""
    found = (history.duration_s(attempt.compile) for attempt in build.attempts)
    return next((last_s for last_s in found if last_s is not None), None)
