"""Handle raw profiles that cannot be merged: the training fails, unless the user accepts the rest.

The rest is compared with the last complete training of the same recipe. Without that, the loss would be unknown: a
project once shipped a sixth of its counts because a merge skipped broken files.
Source: electron#53065, https://github.com/electron/electron/pull/53065
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from optbuild.errors import AttemptFault, ImplausibleCountsError, ProfileDataError
from optbuild.events import Emit, Level, Notice
from optbuild.making.training.accepted import AcceptedTrainings
from optbuild.making.training.merging import RawMerge
from optbuild.plan.action import ActionId
from optbuild.plan.counts import PgoProfile, Unusable
from optbuild.profile.model import RawProfileSettings
from optbuild.text import name_some, sanitize_line
from optbuild.tools.llvm_profdata import OVERSIZED_COUNTER
from optbuild.units import format_percent

_NAMED = 3
_LISTED = 20
_KEY = "under [raw-profiles] in the build profile"


@dataclass(slots=True, kw_only=True)
class Salvage:
    """Decides whether to continue with the rest."""

    settings: RawProfileSettings
    accepted: AcceptedTrainings
    emit: Emit

    def allows(self, profile: PgoProfile) -> bool:
        """Whether an earlier result may be reused: a salvaged one only if `salvage` is still set."""
        return self.settings.salvage or not profile.quarantined

    def judge(self, action: ActionId, workload: str, merge: RawMerge, aside: Mapping[Path, str]) -> None:
        """Decide whether the rest of a training may be used.

        Args:
            action: The training.
            workload: The name of what was run.
            merge: The merged files, and those that could not be merged.
            aside: Where the latter are kept, and what is wrong with each.

        Raises:
            ProfileDataError: It may not.
        """
        found = f"training on {sanitize_line(workload)!r} left {_describe(merge)}"
        if merge.summary is None:
            raise _refusal(merge, aside, f"{found}; no counts are left to optimise with")
        if not self.settings.salvage:
            raise _refusal(merge, aside, found)
        accepted = self.accepted.load(action)
        if accepted is None:
            raise _refusal(
                merge, aside, f"{found}; they cannot be skipped: there is no complete training to compare with"
            )
        last = accepted.profile
        kept = min(
            merge.summary.total_count / last.total_count,
            merge.summary.functions_with_counts / last.functions_with_counts,
        )
        facts = (
            f"{merge.summary.total_count:,} of {last.total_count:,} counts and "
            f"{merge.summary.functions_with_counts:,} of {last.functions_with_counts:,} functions that ran "
            "in the last training that was accepted"
        )
        if kept < self.settings.salvage_floor:
            raise _refusal(
                merge,
                aside,
                f"{found}; without them it has only {facts}: {_percent(kept)}, and `salvage-floor` is "
                f"{_percent(self.settings.salvage_floor)}",
            )
        self.emit(
            Notice(
                level=Level.WARNING,
                code="salvaged",
                message=f"{found}; they are skipped, as `salvage` allows; what is left: {facts}",
                help=f"they are kept in {sanitize_line(str(_place(aside)))}",
            )
        )


def _refusal(merge: RawMerge, aside: Mapping[Path, str], message: str) -> ProfileDataError:
    detail = [f"{path.name}: {reason}" for path, reason in islice(aside.items(), _LISTED)]
    if len(aside) > _LISTED:
        detail.append(f"and {len(aside) - _LISTED:,} more")
    place = str(_place(aside))
    text = "\n".join(map(sanitize_line, detail))
    if any(_is_oversized(item) for item in merge.unusable):
        return ImplausibleCountsError(
            f"{message}. A counter holds more than any program can count to: the file is damaged, or threads counted "
            "in the same place at the same time",
            help='count without races: counters = "atomic" in the variant; '
            "if that is set, free disk space and train again",
            location=place,
            detail=text,
            fault=AttemptFault.IMPLAUSIBLE,
        )
    return ProfileDataError(
        f"{message}. A process was killed before it had written its counts, or belongs to another build",
        help="let every process of the workload end by itself, within its timeout, and run again; to continue with "
        f"what is left, as long as it is enough: `salvage = true` {_KEY}",
        location=place,
        detail=text,
    )


def _place(aside: Mapping[Path, str]) -> Path:
    return next(iter(aside)).parent


def _is_oversized(item: Unusable) -> bool:
    return item.reason.startswith(OVERSIZED_COUNTER)


def _describe(merge: RawMerge) -> str:
    """How many raw profiles are unusable, and which."""
    unusable = merge.unusable
    named = name_some([f"{sanitize_line(item.name)} ({sanitize_line(item.reason)})" for item in unusable], _NAMED)
    return f"{len(unusable):,} of {merge.raw_profiles + len(unusable):,} raw profiles that cannot be merged: {named}"


def _percent(ratio: float) -> str:
    return format_percent(ratio).lstrip("+")
