"""Match profile data: a checked profile of counts that are committed."""

from __future__ import annotations

from optbuild.making.keys import Kept, profile_data_key
from optbuild.making.kinds.kind import Kind, Shown
from optbuild.making.tools import Tools
from optbuild.making.training.merging import is_intact
from optbuild.making.training.profile_data import match_profile_data
from optbuild.plan.counts import CheckedProfile
from optbuild.plan.kinds.profile_data import MatchProfileData
from optbuild.plan.results import Artifact, Results
from optbuild.units import format_share


class MatchKind(Kind[MatchProfileData, CheckedProfile]):
    """Matches committed counts with the functions of a program."""

    def perform(self, action: MatchProfileData, results: Results, tools: Tools) -> CheckedProfile:
        """Match, and check what comes of it."""
        return match_profile_data(action, _program(action, results), tools.merger)

    def find_kept(self, action: MatchProfileData, results: Results, kept: Kept) -> CheckedProfile | None:
        """What came of the same file and the same program."""
        key = profile_data_key(action, _program(action, results), kept.profdata_version)
        stored = kept.results.load(key, CheckedProfile)
        return stored if stored is not None and is_intact(stored.profile) else None

    def show(self, action: MatchProfileData, _tools: Tools) -> Shown:
        """The tool."""
        return Shown(argv=(str(action.tool), "merge"))

    def describe(self, result: CheckedProfile) -> str:
        """How much of it found its function."""
        found = f"{_percent(result.profile.matched_ratio)} of the committed counts found their function"
        approximate = result.profile.approximate_ratio
        return f"{found}, {format_share(approximate)} one that has changed" if approximate else found


def _program(action: MatchProfileData, results: Results) -> dict[str, Artifact]:
    """What lends the names, if a program does."""
    return {} if action.program is None else dict(results[action.program].artifacts)


def _percent(ratio: float | None) -> str:
    return format_share(1.0 if ratio is None else ratio)
