"""What two runs of a workload wrote, held next to each other: what is the same, and where it parts.

Not for what follows from it: `checker` and `optbuild bench` decide that, each in its own way.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optbuild.making.outputs.leniency import Leniency, propose_leniency
from optbuild.making.outputs.written_parts import STDOUT, Part
from optbuild.making.workload_runs import KEPT_BYTES
from optbuild.plan.results import KeptPart, Probed
from optbuild.text import sanitize_line

_CONTEXT_BYTES = 24


def find_steady(
    first: Mapping[str, KeptPart], second: Mapping[str, Part], leniency: Leniency, *, run_s: float
) -> Probed:
    """What two runs of the baseline wrote alike, and what they did not."""
    varying = differing(first, second, leniency)
    parts = {name: part for name, part in first.items() if name not in varying}
    return Probed(parts=parts, varying=varying, run_s=run_s, reused=False)


def comparable(found: Mapping[str, Part], probed: Probed) -> dict[str, Part]:
    """What a run has written; where names vary, as those of temporary files do, one more file shows nothing."""
    return {name: part for name, part in found.items() if name in probed.parts or not probed.varying}


def differing(expected: Mapping[str, KeptPart], found: Mapping[str, Part], leniency: Leniency) -> tuple[str, ...]:
    """The names of what is not the same in two runs."""
    return tuple(name for name in {**expected, **found} if not _is_alike(expected.get(name), found.get(name), leniency))


def _is_alike(expected: KeptPart | None, found: Part | None, leniency: Leniency) -> bool:
    if expected is None or found is None:
        return False
    if expected.sha256 == found.sha256:
        return True
    texts = _texts(expected, found)
    return texts is not None and leniency.are_close(*texts)


def _texts(expected: KeptPart | None, found: Part | None) -> tuple[Path, Path] | None:
    """Where both can be read; None where one was not written, or not kept."""
    if expected is None or found is None or found.sha256 is None:
        return None
    if expected.kept is None or not expected.kept.is_file():
        return None
    return expected.kept, found.path


def _aligned(
    expected: Mapping[str, KeptPart], found: Mapping[str, Part], name: str, leniency: Leniency
) -> tuple[bytes, bytes] | None:
    texts = _texts(expected.get(name), found.get(name))
    if texts is None or max(path.stat().st_size for path in texts) > KEPT_BYTES:
        return None
    return leniency.align(*texts)


def propose(expected: Mapping[str, KeptPart], found: Mapping[str, Part], name: str, leniency: Leniency) -> str | None:
    """The key that would let a difference pass, where it looks harmless."""
    aligned = _aligned(expected, found, name, leniency)
    return None if aligned is None else propose_leniency(*aligned)


def first_difference(expected: Mapping[str, KeptPart], found: Mapping[str, Part], name: str, leniency: Leniency) -> str:
    """Where two outputs part, with the bytes around it."""
    shown = "" if name == STDOUT else f": {sanitize_line(name)}"
    if name not in expected:
        return f": it wrote {sanitize_line(name)} as well"
    if expected[name].sha256 is None:
        return f": it did not remove {sanitize_line(name)}"
    if name not in found or found[name].sha256 is None:
        return f": it did not write {sanitize_line(str(found[name].path if name in found else name))}"
    aligned = _aligned(expected, found, name, leniency)
    if aligned is None:
        return shown
    left, right = aligned
    position = next(
        (i for i, (one, other) in enumerate(zip(left, right, strict=False)) if one != other),
        min(len(left), len(right)),
    )
    line = left.count(b"\n", 0, position) + 1
    return (
        f"{shown}: first difference at byte {position}, line {line}: "
        f"baseline {_excerpt(left, position)}, this variant {_excerpt(right, position)}"
    )


def _excerpt(data: bytes, position: int) -> str:
    piece = data[max(0, position - _CONTEXT_BYTES // 2) : position + _CONTEXT_BYTES]
    return f'"{sanitize_line(piece.decode("utf-8", "replace"))}"' if piece else "the end"
