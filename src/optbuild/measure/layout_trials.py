"""Judge whether BOLT's layout of a variant pays: against the same variant without BOLT, and with relocations only.

Pure. The arms take turns with all others, so the differences are paired. The three are a separate family: what is
reported of the variant itself is compared with the baseline, as for every other one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from optbuild.measure.model import Arm, Comparison, Count, Resources, Series, Superblock, Verdict
from optbuild.units import format_percent

_WORDS = {
    Verdict.FASTER: "faster",
    Verdict.SLOWER: "slower",
    Verdict.SAME: "neither faster nor slower",
    Verdict.INCONCLUSIVE: "not shown to be faster",
    Verdict.INVALID: "not shown to be faster",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutTrial:
    """What a variant that BOLT has laid out is compared with.

    Attributes:
        without: The arm without BOLT: another variant, or a control.
        relocations_only: The arm with relocations and without BOLT.
        is_optional: It is dropped unless it is faster.
        drawback: Why it is dropped whatever its speed.
    """

    without: str
    relocations_only: str
    is_optional: bool
    drawback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutResult:
    """What was found of a variant that BOLT has laid out.

    Attributes:
        variant: Its name.
        kept: It is shipped as BOLT laid it out.
        reason: Why, with the figure.
        without: The arm that takes its place if it is dropped.
        comparisons: It, and the arm with relocations only, against the one without BOLT: over all workloads, then on
            each.
    """

    variant: str
    kept: bool
    reason: str
    without: str
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """Arms under the names of what is shipped.

    Attributes:
        renamed: The new name of each arm that gets another one.
        copied: For each name that stands for the same binary as another arm, that arm.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    copied: Mapping[str, str] = field(default_factory=dict)

    def of_series(self, series: Iterable[Series]) -> tuple[Series, ...]:
        """Series of values."""
        return tuple(
            replace(
                one,
                rounds=tuple(map(self._of_superblock, one.rounds)),
                set_aside=tuple(map(self._of_superblock, one.set_aside)),
            )
            for one in series
        )

    def of_resources(self, resources: Iterable[Resources]) -> tuple[Resources, ...]:
        """What runs needed."""
        found = [replace(item, variant=self._name(item.variant)) for item in resources]
        copies = [
            replace(each, variant=name) for name, arm in self.copied.items() for each in found if each.variant == arm
        ]
        return (*found, *copies)

    def of_counts(self, counts: Iterable[Count]) -> tuple[Count, ...]:
        """Counts of instructions."""
        found = [replace(item, variant=self._name(item.variant)) for item in counts]
        copies = [
            replace(each, variant=name) for name, arm in self.copied.items() for each in found if each.variant == arm
        ]
        return (*found, *copies)

    def _name(self, arm: str) -> str:
        return self.renamed.get(arm, arm)

    def _of_superblock(self, superblock: Superblock) -> Superblock:
        values = {self._name(arm): found for arm, found in superblock.values.items()}
        copies = {name: values[arm] for name, arm in self.copied.items() if arm in values}
        order: list[str] = []
        for arm in map(self._name, superblock.order):
            order += (arm, *(name for name, original in self.copied.items() if original == arm))
        return replace(superblock, order=tuple(order), values={**values, **copies})


def judge_layouts(
    series: Sequence[Series],
    trials: Mapping[str, LayoutTrial],
    *,
    confidence: float,
    min_effect: float,
    silent: Collection[str] = (),
) -> tuple[LayoutResult, ...]:
    """Judge each variant that BOLT has laid out.

    Args:
        series: One per workload, of the metric that decides.
        trials: By the name of the variant.
        confidence: Of the intervals of each variant's family together.
        min_effect: The smallest change that matters, as a ratio.
        silent: Workloads whose times prove nothing.
    """
    from optbuild.measure.compare import analyse  # noqa: PLC0415 - scipy takes long to load

    results = []
    for variant, trial in trials.items():
        analysis = analyse(
            series,
            baseline=trial.without,
            candidates=(variant, trial.relocations_only),
            confidence=confidence,
            min_effect=min_effect,
            silent=silent,
        )
        suite = next(
            (item for item in analysis.comparisons if item.workload is None and item.candidate == variant), None
        )
        kept, reason = _decide(trial, suite)
        results.append(
            LayoutResult(
                variant=variant, kept=kept, reason=reason, without=trial.without, comparisons=analysis.comparisons
            )
        )
    return tuple(results)


def as_shipped(results: Iterable[LayoutResult], controls: Collection[Arm]) -> Shipped:
    """The names under which arms are reported: a dropped layout gives its name to what is shipped instead.

    Args:
        results: Of the variants that BOLT has laid out.
        controls: Arms that are no variants.
    """
    names = {arm.name for arm in controls}
    renamed: dict[str, str] = {}
    copied: dict[str, str] = {}
    for result in results:
        if result.kept:
            continue
        renamed[result.variant] = laid_out_arm(result.variant)
        if result.without in names:
            renamed[result.without] = result.variant
        else:
            copied[result.variant] = result.without
    return Shipped(renamed=renamed, copied=copied)


def laid_out_arm(variant: str) -> str:
    """The name of the arm that BOLT has laid out where the variant is shipped without."""
    return f"{variant}:with-bolt"


def _decide(trial: LayoutTrial, suite: Comparison | None) -> tuple[bool, str]:
    """Whether a layout is kept, and why."""
    measured = "time was too short to compare it with the same without BOLT"
    if suite is not None:
        measured = f"{_WORDS[suite.verdict]} than without BOLT: {_figure(suite)}"
    if not trial.is_optional:
        return True, measured
    if trial.drawback is not None:
        return False, trial.drawback
    return suite is not None and suite.verdict is Verdict.FASTER, measured


def _figure(suite: Comparison) -> str:
    """The change with its interval."""
    change = format_percent(suite.change)
    if suite.ci_low is None or suite.ci_high is None:
        return change
    return f"{change} ({format_percent(suite.ci_low)} to {format_percent(suite.ci_high)})"
