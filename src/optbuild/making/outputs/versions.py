"""How the outputs of two versions of a program compare: from what two runs of each have written alike.

Not for variants of one version: `outputs` compares those, and refuses what differs. Versions may differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from optbuild.making.outputs.leniency import Leniency, propose_leniency
from optbuild.making.outputs.written_parts import STDOUT
from optbuild.plan.results import KeptPart, Probed
from optbuild.text import sanitize_line

_SHOWN_BYTES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputComparison:
    """How a workload's outputs compare.

    Attributes:
        equal: None where there is nothing to compare: one of the two varies by itself, or both are silent.
        left_out: What one of the versions writes otherwise each time.
        difference: Where they first differ, for people.
        proposal: The key that would let that pass, where it looks harmless.
    """

    equal: bool | None
    left_out: tuple[str, ...] = ()
    difference: str = ""
    proposal: str | None = None


def compare_versions(old: Probed, new: Probed, leniency: Leniency) -> OutputComparison:
    """Compare what two versions have written on one workload."""
    left_out = tuple(dict.fromkeys((*old.varying, *new.varying)))
    names = [name for name in {**old.parts, **new.parts} if name not in left_out]
    if old.varying or new.varying:  # one more file shows nothing where names vary
        names = [name for name in names if name in old.parts and name in new.parts]
    differing = [name for name in names if not _are_alike(old.parts.get(name), new.parts.get(name), leniency)]
    if differing:
        difference = _describe(differing[0], old.parts, new.parts, leniency)
        kept = _kept(old.parts.get(differing[0]), new.parts.get(differing[0]))
        proposal = None if kept is None else propose_leniency(*leniency.align(*kept))
        return OutputComparison(equal=False, left_out=left_out, difference=difference, proposal=proposal)
    shows_something = any(old.parts[name].size_bytes for name in names)
    return OutputComparison(equal=True if shows_something else None, left_out=left_out)


def _are_alike(old: KeptPart | None, new: KeptPart | None, leniency: Leniency) -> bool:
    if old is None or new is None:
        return False
    kept = _kept(old, new)
    return old.sha256 == new.sha256 or (kept is not None and leniency.are_close(*kept))


def _kept(old: KeptPart | None, new: KeptPart | None) -> tuple[Path, Path] | None:
    """Where both can be read."""
    one, other = old and old.kept, new and new.kept
    return (one, other) if one and other and one.is_file() and other.is_file() else None


def _describe(name: str, olds: Mapping[str, KeptPart], news: Mapping[str, KeptPart], leniency: Leniency) -> str:
    shown = "standard output" if name == STDOUT else sanitize_line(name)
    old, new = olds.get(name), news.get(name)
    if old is None or new is None:
        return f"only {'new' if old is None else 'old'} writes {shown}"
    kept = _kept(old, new)
    if kept is None:
        return f"{shown} differs"
    lines = (data.split(b"\n") for data in leniency.align(*kept))
    for number, (left, right) in enumerate(zip_longest(*lines), start=1):
        if left != right:
            return f"{shown} differs in line {number}: old {_excerpt(left)}, new {_excerpt(right)}"
    return f"{shown} differs"


def _excerpt(line: bytes | None) -> str:
    return "has ended" if line is None else f'"{sanitize_line(line[:_SHOWN_BYTES].decode("utf-8", "replace"))}"'
