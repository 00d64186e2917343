"""How a comparison of versions is named: `v1.2.0 → v1.3.0 (pgo)`, and which commits these are."""

from __future__ import annotations

from collections.abc import Iterator

from optbuild.record.compared import ArmRecord
from optbuild.record.model import RunRecord
from optbuild.text import sanitize_line

_HASH_DIGITS = 12


def describe_versions(record: RunRecord) -> str:
    """Both versions, and the variant that they were built as."""
    names = " → ".join(
        sanitize_line(arm.source.rpartition("/")[2] if _is_program(arm) else arm.source) for arm in record.arms
    )
    variants = list(dict.fromkeys(sanitize_line(arm.variant) for arm in record.arms if arm.variant is not None))
    return f"{names} ({' → '.join(variants)})" if variants else names


def describe_sources(record: RunRecord) -> Iterator[str]:
    """What each arm was built from, in one sentence."""
    sources = {source.name: source for source in record.sources}
    facts = []
    for arm in record.arms:
        source = sources.get(arm.source)
        commit = ""
        if source is not None and source.git_commit is not None:
            changed = " + changes" * bool(source.dirty)
            commit = f", commit {sanitize_line(source.git_commit[:_HASH_DIGITS])}{changed}"
        built = ", built before" if _is_program(arm) else ""
        facts.append(f"{sanitize_line(arm.name)} is {sanitize_line(arm.source)}{commit}{built}")
    if facts:
        yield "; ".join(facts) + "."


def _is_program(arm: ArmRecord) -> bool:
    return arm.variant is None
