"""The choices that options of `optbuild tune` name; apart, so that reading a command line loads little."""

from __future__ import annotations

from enum import StrEnum


class Objective(StrEnum):
    """What the winner of a search has least of."""

    TIME = "time"
    SIZE = "size"


class Combinations(StrEnum):
    """Which combinations of several settings a search builds."""

    PROMISING = "promising"
    ALL = "all"


class Space(StrEnum):
    """Factors with their levels that come with optbuild."""

    QUICK = "quick"
    THOROUGH = "thorough"
    SIZE = "size"
