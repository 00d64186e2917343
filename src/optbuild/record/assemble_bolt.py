"""Make the record of what BOLT made of a variant. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from optbuild.making.built import Built
from optbuild.measure.layout_trials import LayoutResult
from optbuild.plan.kinds.bolt import BoltOptimise
from optbuild.plan.model import PlannedVariant
from optbuild.record.evidence import BoltRecord
from optbuild.record.variants import VariantRecord
from optbuild.tools.llvm_bolt import BoltFacts

_NOT_DECIDED = "it was not measured"


def describe_bolt(variant: PlannedVariant, built: Built) -> BoltRecord | None:
    """What BOLT made, complete or not; None if it was not asked for."""
    planned = variant.bolt
    if planned is None:
        return None
    kept = planned.obstacle is None and built.shipped(variant) is variant and built.is_built(variant)
    failed = built.skipped.get(variant.name)
    reason = planned.obstacle or failed or (None if kept else _NOT_DECIDED)
    record = BoltRecord(kept=kept, optional=planned.is_optional, reason=reason, without=planned.without)
    facts = tuple(_facts_of(variant, built))
    if not facts:
        return record
    return replace(
        record,
        functions=sum(each.functions for each in facts),
        functions_with_counts=sum(each.functions_with_counts for each in facts),
        unused_functions=sum(each.unused_functions for each in facts),
        stale_functions=sum(each.stale_functions for each in facts),
        taken_branches_change=_change(each.taken_branches for each in facts),
        instructions_change=_change(each.instructions for each in facts),
    )


def with_layouts(variants: Iterable[VariantRecord], layouts: Iterable[LayoutResult]) -> tuple[VariantRecord, ...]:
    """The variants with what measuring has shown of their layouts."""
    found = {layout.variant: layout for layout in layouts}
    return tuple(
        variant
        if variant.bolt is None or (layout := found.get(variant.name)) is None
        else replace(
            variant,
            bolt=replace(variant.bolt, kept=layout.kept, reason=layout.reason, comparisons=layout.comparisons),
        )
        for variant in variants
    )


def _facts_of(variant: PlannedVariant, built: Built) -> Iterable[BoltFacts]:
    served = (built.serving(each) for each in (variant, *variant.parts.values()))
    for action in built.plan.find(BoltOptimise, dict.fromkeys(entry for each in served for entry in sorted(each))):
        result = built.results.find(action.id)
        if result is not None:
            yield from result.facts.values()


def _change(pairs: Iterable[tuple[int, int] | None]) -> float | None:
    known = [pair for pair in pairs if pair is not None]
    before = sum(pair[0] for pair in known)
    return sum(pair[1] for pair in known) / before - 1 if before else None
