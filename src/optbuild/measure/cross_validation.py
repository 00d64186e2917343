"""Judge a cross-validation: each workload measured with a profile that has not seen it, and with one that has.

Pure. All arms come from one session: the differences are paired, and the session's check of the harness applies.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from optbuild.measure.compare import analyse
from optbuild.measure.families import folds_of
from optbuild.measure.model import AaCheck, CrossValidation, Series, held_out_arm


def cross_validate(  # noqa: PLR0913 - all that one analysis is given, by name
    series: Sequence[Series],
    *,
    baseline: str,
    variants: Sequence[str],
    confidence: float,
    min_effect: float,
    aa: AaCheck,
    silent: Collection[str] = (),
) -> CrossValidation | None:
    """Compare variants on workloads that were left out of their profiles; None if there are no such workloads.

    Args:
        series: One per workload, from the whole session.
        baseline: The arm the changes refer to.
        variants: Those that were also built with profiles that leave workloads out.
        confidence: Of all intervals of a family: over all workloads together, and on single workloads.
        min_effect: The smallest change that matters, as a ratio.
        aa: The check of the harness over the whole session.
        silent: Workloads whose times prove nothing.
    """
    folds = folds_of(series, variants)
    if not folds:
        return None
    judge = partial(analyse, folds, confidence=confidence, min_effect=min_effect, aa=aa, silent=silent)
    trained, held_out = (
        judge(baseline=baseline, candidates=arms) for arms in (tuple(variants), tuple(map(held_out_arm, variants)))
    )
    optimism = [judge(baseline=variant, candidates=(held_out_arm(variant),)) for variant in variants]
    return CrossValidation(
        workloads=tuple(one.workload for one in folds),
        trained=trained.comparisons,
        held_out=held_out.comparisons,
        optimism=tuple(item for analysis in optimism for item in analysis.comparisons),
        warnings=held_out.warnings,
    )
