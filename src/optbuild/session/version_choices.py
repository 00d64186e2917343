"""The choices of `optbuild compare`, which its options name; apart, so that reading a command line loads little."""

from __future__ import annotations

from enum import StrEnum


class ProfileOwner(StrEnum):
    """Whose build profile both versions are built by."""

    NEW = "new"
    OLD = "old"
    EACH = "each"


class OnDifference(StrEnum):
    """What to do about outputs that differ."""

    WARN = "warn"
    FAIL = "fail"
    NONE = "none"
