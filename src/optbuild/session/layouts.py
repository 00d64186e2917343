"""What a variant that BOLT has laid out is compared with, and what speaks against it before any time is measured."""

from __future__ import annotations

from optbuild.making.built import Built
from optbuild.measure.layout_trials import LayoutTrial
from optbuild.plan.model import PlannedVariant
from optbuild.units import format_percent, format_share


def find_layout_trials(built: Built, max_size_growth: float | None) -> dict[str, LayoutTrial]:
    """By name, the variants with BOLT of which all that is compared was built.

    Args:
        built: The outcome of the plan.
        max_size_growth: How much larger than without BOLT an optional layout may be; None for no limit.
    """
    trials = {}
    for variant in built.plan.variants:
        bolt = variant.bolt
        if bolt is None or bolt.without is None or bolt.relocations_only is None:
            continue
        controls = [built.plan.named(name) for name in (bolt.without, bolt.relocations_only)]
        if all(map(built.is_built, (variant, *controls))):
            trials[variant.name] = LayoutTrial(
                without=bolt.without,
                relocations_only=bolt.relocations_only,
                is_optional=bolt.is_optional,
                drawback=_find_drawback(variant, controls[0], built, max_size_growth),
            )
    return trials


def _find_drawback(
    variant: PlannedVariant, without: PlannedVariant, built: Built, max_size_growth: float | None
) -> str | None:
    growth = _size_bytes(variant, built) / _size_bytes(without, built) - 1
    if max_size_growth is None or growth <= max_size_growth:
        return None
    limit = format_share(max_size_growth)
    return f"it is {format_percent(growth)} larger than without BOLT, and `max-size-growth` is {limit}"


def _size_bytes(build: PlannedVariant, built: Built) -> int:
    assert build.compile is not None  # noqa: S101 - it is built
    return built.results[build.compile].size_bytes
