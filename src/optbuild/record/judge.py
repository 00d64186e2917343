"""Judge a stored run by the gates of a build profile: pure, nothing is measured or built."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from optbuild.errors import UsageError
from optbuild.measure.model import AaVerdict, Comparison, Resources, Verdict
from optbuild.measure.warnings import WarningKind
from optbuild.profile.gates import GateSettings
from optbuild.record.gate import GateRecord, GateVerdict
from optbuild.record.model import RunRecord
from optbuild.record.variants import VariantRecord, VariantStatus
from optbuild.units import format_bytes, format_percent

_MISSING = frozenset({VariantStatus.FAILED, VariantStatus.SKIPPED})
_WORST_FIRST = (GateVerdict.FAIL, GateVerdict.INCONCLUSIVE, GateVerdict.PASS)
_SILENT = frozenset({WarningKind.TOO_SHORT, WarningKind.FIXED_DURATION})
"""Why the times of a workload prove nothing, in a session that is sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a run shows about one value that a gate checks; the ends are None if unknown."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    workload: str | None = None
    reason: str = ""
    help: str = ""


def judge(record: RunRecord, gates: GateSettings) -> tuple[GateRecord, ...]:
    """Judge each gate that is set, in the order of the build profile's keys.

    In a comparison of versions the new one is judged against the old one, and `min-gain` is left out.

    A gate passes where the whole interval is on the good side of its threshold, fails where all of it is on the other,
    and is inconclusive otherwise. Sizes have no interval.

    Raises:
        UsageError: The run has no such variant.
    """
    variant, baseline = _find_variant(record, gates), record.baseline
    if record.arms:  # a new version owes no gain over the old one: what a variant owes is owed to its own baseline
        gates = replace(gates, min_gain=None)
    rows: tuple[tuple[str, float | None, Callable[[], Iterable[_Found]]], ...] = (
        ("min-gain", gates.min_gain, lambda: [_gain(record, variant.name)]),
        ("max-regression", gates.max_regression, lambda: _regressions(record, variant.name)),
        ("max-size-growth", gates.max_size_growth, lambda: [_size_growth(variant, baseline)]),
        ("max-rss-growth", gates.max_rss_growth, lambda: _rss_growth(record, variant, baseline)),
        (
            "max-allocation-growth",
            gates.max_allocation_growth,
            lambda: _allocation_growth(record, variant, baseline),
        ),
        ("max-build-time-growth", gates.max_build_time_growth, lambda: [_build_time_growth(variant, baseline)]),
    )
    return tuple(
        _missing(variant, gate, threshold)
        if variant.status in _MISSING
        else _decide(variant.name, gate, threshold, list(find()))
        for gate, threshold, find in rows
        if threshold is not None
    )


def is_accepted(gate: GateRecord, gates: GateSettings) -> bool:
    """Whether a gate lets the run through."""
    undecided = gate.verdict is GateVerdict.INCONCLUSIVE and gates.on_inconclusive == "pass"
    return gate.verdict is GateVerdict.PASS or undecided


def _find_variant(record: RunRecord, gates: GateSettings) -> VariantRecord:
    candidates = [variant for variant in record.variants if not variant.baseline]
    if record.arms and candidates:
        return _compared_version(record, gates, candidates[-1])
    if gates.variant is None and record.search is not None and record.search.winner is not None:
        return next(each for each in record.variants if each.name == record.search.winner)
    found = candidates if gates.variant is None else [each for each in record.variants if each.name == gates.variant]
    if found:
        return found[-1]
    has = ", ".join(variant.name for variant in record.variants) or "no variants"
    wanted = "has no variant to judge" if gates.variant is None else f"has no variant {gates.variant!r}"
    raise UsageError(
        f"the run {record.run_id} {wanted}: it has {has}",
        help="name another run with --run (`optbuild runs` lists them), or make one: optbuild run",
    )


def _compared_version(record: RunRecord, gates: GateSettings, new: VariantRecord) -> VariantRecord:
    """In a comparison of versions, the new one, if it was built as the variant that the gates are about."""
    built = next((arm.variant for arm in record.arms if arm.name == new.name), None)
    if gates.variant is None or gates.variant == built:
        return new
    raise UsageError(
        f"the gates are about the variant {gates.variant!r}, and the run {record.run_id} compares versions built as "
        f"{built!r}",
        help=f"compare that variant: optbuild compare OLD --variant {gates.variant}; or judge another run with --run",
    )


def _missing(variant: VariantRecord, gate: str, threshold: float) -> GateRecord:
    """A variant that was not built fails its gates."""
    reason = f"{variant.name} is {variant.status}" + (f": {variant.reason}" if variant.reason else "")
    return GateRecord(
        gate=gate,
        variant=variant.name,
        threshold=threshold,
        found=None,
        low=None,
        high=None,
        verdict=GateVerdict.FAIL,
        reason=reason,
        help="optbuild doctor",
    )


def _decide(variant: str, gate: str, threshold: float, found: list[_Found]) -> GateRecord:
    """Judge each value that was found; the worst decides."""
    more_is_better = gate.startswith("min")
    judged = [(_verdict(each, threshold, more_is_better=more_is_better), each) for each in found]
    judged.sort(key=lambda item: (_WORST_FIRST.index(item[0]), -(item[1].high or 0.0)))
    verdict, worst = judged[0]
    alike = [each.workload for other, each in judged[1:] if other is verdict and each.workload is not None]
    also = f"likewise {', '.join(alike)}" if alike and verdict is not GateVerdict.PASS else ""
    return GateRecord(
        gate=gate,
        variant=variant,
        workload=worst.workload,
        threshold=threshold,
        found=worst.value,
        low=worst.low,
        high=worst.high,
        verdict=verdict,
        reason="; ".join(filter(None, (worst.reason, also))),
        help="" if verdict is GateVerdict.PASS else worst.help,
    )


def _verdict(found: _Found, threshold: float, *, more_is_better: bool) -> GateVerdict:
    low, high = found.low, found.high
    if more_is_better:
        passes, fails = low is not None and low >= threshold, high is not None and high < threshold
    else:
        passes, fails = high is not None and high <= threshold, low is not None and low > threshold
    return GateVerdict.PASS if passes else GateVerdict.FAIL if fails else GateVerdict.INCONCLUSIVE


def _gain(record: RunRecord, variant: str) -> _Found:
    found = _of_comparison(record, record.suite_comparison(variant))
    low, high = found.low, found.high
    turned = replace(
        found,
        value=None if found.value is None else -found.value,
        low=None if high is None else -high,
        high=None if low is None else -low,
    )
    if any(workload.in_sample for workload in record.workloads):
        return replace(
            turned, reason="; ".join(filter(None, (found.reason, "in-sample: measured on a training input")))
        )
    return turned


def _regressions(record: RunRecord, variant: str) -> list[_Found]:
    own = [item for item in record.comparisons if item.workload is not None and item.candidate == variant]
    return [_of_comparison(record, item) for item in own] or [_of_comparison(record, None)]


def _of_comparison(record: RunRecord, comparison: Comparison | None) -> _Found:
    if comparison is None:
        return _Found(reason="it was not measured", help="optbuild pgo, or: optbuild run")
    again = f"optbuild {'compare' if record.arms else 'pgo'} --fresh"
    if comparison.verdict is Verdict.INVALID:
        said = "; ".join(warning.message for warning in record.warnings if warning.code in _SILENT)
        if said and record.noise is not None and record.noise.aa.verdict is not AaVerdict.INVALID:
            return _Found(workload=comparison.workload, reason=said, help=f"mend the workload, then {again}")
        reason = "the baseline and its own copy measured differently: the session proves nothing"
        return _Found(workload=comparison.workload, reason=reason, help=f"quieten the machine, then {again}")
    advice = record.measure.advice if record.measure and record.measure.advice else again
    if comparison.ci_low is None or comparison.ci_high is None:
        reason = f"{comparison.rounds} rounds are too few for an interval"
        return _Found(value=comparison.change, workload=comparison.workload, reason=reason, help=advice)
    least = (
        "" if comparison.mde is None else f"changes from {format_percent(comparison.mde).lstrip('+')} are detected; "
    )
    return _Found(
        value=comparison.change,
        low=comparison.ci_low,
        high=comparison.ci_high,
        workload=comparison.workload,
        help=least + advice,
    )


def _exactly(value: float, **more: str) -> _Found:
    return _Found(value=value, low=value, high=value, **more)


def _size_growth(variant: VariantRecord, baseline: VariantRecord | None) -> _Found:
    own, before = (_size_bytes(each) for each in (variant, baseline))
    if not own or not before:
        return _Found(reason="the sizes of the binaries are not in the record", help="optbuild build")
    return _exactly(own / before - 1)


def _size_bytes(variant: VariantRecord | None) -> int:
    return 0 if variant is None else variant.size_bytes


def _build_time_growth(variant: VariantRecord, baseline: VariantRecord | None) -> _Found:
    before = None if baseline is None else baseline.build_s
    if variant.build_s is None or not before:
        reason = "parts of the builds were reused, so their time is unknown"
        return _Found(reason=reason, help="optbuild clean, then optbuild build")
    return _exactly(variant.build_s / before - 1, reason="one build each")


def _rss_growth(record: RunRecord, variant: VariantRecord, baseline: VariantRecord | None) -> list[_Found]:
    peaks = {(item.workload, item.variant): item for item in record.resources}
    workloads = dict.fromkeys(item.workload for item in record.resources if item.variant == variant.name)
    pairs = [
        (peaks[name, variant.name], peaks[name, baseline.name])
        for name in workloads
        if baseline is not None and (name, baseline.name) in peaks
    ]
    return [_rss_found(*pair) for pair in pairs] or [_Found(reason="it was not measured", help="optbuild run")]


def _rss_found(own: Resources, before: Resources) -> _Found:
    """The growth of a peak; a peak at the floor of what can be measured bounds it from one side only."""
    growth = own.peak_rss_bytes / before.peak_rss_bytes - 1
    own_is_floor = own.peak_rss_bytes <= own.peak_rss_floor_bytes
    before_is_floor = before.peak_rss_bytes <= before.peak_rss_floor_bytes
    if not own_is_floor and not before_is_floor:
        return _exactly(growth, workload=own.workload)
    floor = format_bytes(before.peak_rss_floor_bytes if before_is_floor else own.peak_rss_floor_bytes)
    return _Found(
        low=None if own_is_floor else growth,
        high=None if before_is_floor else growth,
        workload=own.workload,
        reason=f"a peak is below {floor}, the least that can be measured",
        help="measure a workload that takes more memory, or remove `max-rss-growth`",
    )


def _allocation_growth(record: RunRecord, variant: VariantRecord, baseline: VariantRecord | None) -> list[_Found]:
    counts = {(item.workload, item.variant): item for item in record.allocations}
    workloads = dict.fromkeys(item.workload for item in record.allocations if item.variant == variant.name)
    found = []
    for name in workloads:
        own, before = counts[name, variant.name], counts.get((name, "" if baseline is None else baseline.name))
        if own.blocks is not None and before is not None and before.blocks:
            found.append(_exactly(own.blocks / before.blocks - 1, workload=name))
        else:
            reason = own.reason or (before.reason if before is not None and before.reason else "the baseline has none")
            found.append(_Found(workload=name, reason=reason, help="optbuild heap, which says what hides them"))
    return found or [_Found(reason="allocations were not counted", help="optbuild run --fresh")]
