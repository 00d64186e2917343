"""What `optbuild compare` is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from optbuild.session.request import RunRequest
from optbuild.session.version_choices import OnDifference, ProfileOwner


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRequest:
    """What to compare.

    Attributes:
        run: The options that a run has as well.
        old: A revision; None where a program stands for it.
        new: A revision; None stands for the working tree.
        baseline_binary: A program that was built before.
        variant: None stands for the last of the build profile.
    """

    run: RunRequest
    old: str | None
    new: str | None = None
    baseline_binary: Path | None = None
    variant: str | None = None
    profile_of: ProfileOwner = ProfileOwner.NEW
    on_difference: OnDifference = OnDifference.WARN
