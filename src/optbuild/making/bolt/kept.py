"""Programs that a tool has made of linked ones, kept for the next run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.files import sha256_of
from optbuild.making.result_store import ResultStore
from optbuild.plan.action import ActionId
from optbuild.plan.results import Artifact, Binaries, Bolted
from optbuild.tools.llvm_bolt import BoltFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Program:
    path: Path
    sha256: str
    size_bytes: int
    debug: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPrograms:
    """Programs by name, and what BOLT reported of them."""

    programs: Mapping[str, _Program]
    facts: Mapping[str, BoltFacts] = field(default_factory=dict)


def keep_programs(key: str, binaries: Binaries, results: ResultStore) -> None:
    """Keep what was made."""
    programs = {
        name: _Program(path=each.path, sha256=each.sha256, size_bytes=each.size_bytes, debug=each.debug)
        for name, each in binaries.artifacts.items()
    }
    facts = binaries.facts if isinstance(binaries, Bolted) else {}
    results.save(key, KeptPrograms(programs=programs, facts=facts))


def find_programs(key: str, action: ActionId, results: ResultStore) -> Bolted | None:
    """What an action made in an earlier run; None if a file is not as it was written."""
    stored = results.load(key, KeptPrograms)
    if stored is None or not all(_is_intact(program) for program in stored.programs.values()):
        return None
    artifacts = {
        name: Artifact(
            bin=name,
            path=each.path,
            sha256=each.sha256,
            size_bytes=each.size_bytes,
            produced_by=action,
            debug=each.debug,
        )
        for name, each in stored.programs.items()
    }
    return Bolted(artifacts=artifacts, reused=True, facts=stored.facts)


def _is_intact(program: _Program) -> bool:
    return program.path.is_file() and sha256_of(program.path) == program.sha256
