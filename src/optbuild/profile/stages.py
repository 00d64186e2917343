"""The order in which a search builds: first what differs in one setting, then what these promise. Pure.

The reference has the first level of every factor, but PGO wherever that is searched: settings are judged where they
will be used, and some have an effect only there. What differs from it in one level shows what that level brings; all
other candidates combine several such changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NewType

from optbuild.profile.tune import Levels

Change = NewType("Change", str)
"""One level of one factor that differs from the reference, as users know it: `lto = fat`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What each arm of a search changes.

    Attributes:
        reference: The arm that changes nothing; empty if there is none, and then nothing waits.
        alone: By change, the arm that makes only this one.
        combined: By candidate, the changes of those that make several, and that wait for what each brings alone.
    """

    reference: str = ""
    alone: Mapping[Change, str] = field(default_factory=dict)
    combined: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)

    def changes_of(self, arm: str) -> tuple[Change, ...] | None:
        """What an arm changes; None if it is none of these."""
        if arm == self.reference:
            return ()
        alone = {own: (change,) for change, own in self.alone.items()}
        return alone.get(arm) or self.combined.get(arm)

    def renamed(self, names: Mapping[str, str]) -> Stages:
        """The same with other names of some arms."""
        alone = {change: names.get(arm, arm) for change, arm in self.alone.items()}
        return replace(self, reference=names.get(self.reference, self.reference), alone=alone)


def make_stages(
    factors: Mapping[str, Levels], points: Iterable[tuple[Mapping[str, Any], str]], *, baseline: str
) -> Stages:
    """Find the reference, the arms that make one change, and the combinations of such changes.

    Args:
        factors: With their levels.
        points: The levels of each combination, and the arm that stands for it.
        baseline: The arm that is there in any case.
    """
    reference = _reference_levels(factors)
    made = [(_changes(levels, reference), arm) for levels, arm in points]
    found = next((arm for changes, arm in made if not changes), "")
    if not found:
        return Stages()
    alone: dict[Change, str] = {}
    for changes, arm in made:
        if len(changes) == 1:
            alone.setdefault(changes[0], arm)
    first = {baseline, found, *alone.values()}
    combined: dict[str, tuple[Change, ...]] = {}
    for changes, arm in made:
        if arm not in first and all(each in alone for each in changes):
            combined.setdefault(arm, changes)
    return Stages(reference=found, alone=alone, combined=combined)


def describe_change(factor: str, level: object) -> Change:
    """A level as users know it."""
    if isinstance(level, list | tuple):
        return Change(f"{factor} = {' '.join(map(str, level)) or 'none'}")
    return Change(f"{factor} = {level if isinstance(level, str) else json.dumps(level)}")


def _reference_levels(factors: Mapping[str, Levels]) -> Mapping[str, Any]:
    levels = {factor: levels[0] for factor, levels in factors.items()}
    with_pgo = [level for level in factors.get("pgo", ()) if level in {True, "auto"}]
    return levels | ({"pgo": with_pgo[0]} if with_pgo else {})


def _changes(levels: Mapping[str, Any], reference: Mapping[str, Any]) -> tuple[Change, ...]:
    return tuple(
        describe_change(factor, level)
        for factor, level in levels.items()
        if describe_change(factor, level) != describe_change(factor, reference[factor])
    )
