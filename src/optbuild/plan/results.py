"""The results of actions: one type for each id. Data only; `making` produces it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from optbuild.plan.action import ActionId, Id
from optbuild.tools.llvm_bolt import BoltFacts
from optbuild.workloads.cargo_build import CargoBuild

R = TypeVar("R")

PROFDATA = "profdata"
"""The output of a checked profile that is its file; others are its hot counts, such as `p95`."""


class Results:
    """Results by id, each of the type that its id carries. Only the owner of the mapping may add to it."""

    def __init__(self, by_id: Mapping[ActionId, object]) -> None:
        self._by_id = by_id

    def __getitem__(self, action_id: Id[R]) -> R:
        return cast("R", self._by_id[action_id])

    def __contains__(self, action_id: object) -> bool:
        return action_id in self._by_id

    def find(self, action_id: Id[R]) -> R | None:
        """The result; None if there is none yet."""
        return cast("R | None", self._by_id.get(action_id))

    def ids(self) -> frozenset[ActionId]:
        """All results so far."""
        return frozenset(self._by_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A program or a library that cargo built, copied to where the next build does not overwrite it.

    Attributes:
        bin: The program's name, or the library's file name.
        path: Its file, which keeps the name that cargo gave it.
        debug: Separate files with its debug information, if there are any.
    """

    bin: str
    path: Path
    sha256: str
    size_bytes: int
    produced_by: ActionId
    debug: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileUse:
    """What rustc reported about a profile while compiling with it, over all crates.

    Attributes:
        missing_functions: Functions that have no counts in the profile.
        missing_names: Their mangled names, each after that of its codegen unit, by the binary that has them as its own
            code; "" stands for libraries.
        mismatched_functions: Functions whose control flow differs from the counted one.
        complaints: Its messages about the profile itself.
        profiled: Crates that were compiled with the profile, without those that were fresh.
        unprofiled: Crates that were compiled without it.
        versions: How many libraries have a crate's name, if several do: versions of one package.
    """

    missing_functions: int
    mismatched_functions: int
    missing_names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    complaints: tuple[str, ...] = ()
    profiled: tuple[str, ...] = ()
    unprofiled: tuple[str, ...] = ()
    versions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRun:
    """The output of a build script's last run.

    Attributes:
        package: The name of its package.
        printed: The hash of its instructions for cargo, including environment variables for the crate.
        code: The hash of each Rust file that it generated, by its name below `OUT_DIR`.
        always: Why cargo runs it in every build; None if it does not.
        again: Why it was rerun, if it was.
    """

    package: str
    printed: str = ""
    code: Mapping[str, str] = field(default_factory=dict)
    always: str | None = None
    again: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """Runnable programs and libraries: the result of everything that makes some.

    Attributes:
        artifacts: By name.
        reused: They existed already.
        cargo_build: How cargo would run them, if cargo runs them.
    """

    artifacts: Mapping[str, Artifact]
    reused: bool
    cargo_build: CargoBuild | None = None

    @property
    def paths(self) -> dict[str, Path]:
        """Their paths, by name."""
        return {name: artifact.path for name, artifact in self.artifacts.items()}

    @property
    def size_bytes(self) -> int:
        """Their total size."""
        return sum(artifact.size_bytes for artifact in self.artifacts.values())


def gather(each: Iterable[Binaries]) -> Binaries:
    """Programs that were built one by one, put together."""
    built = tuple(each)
    artifacts = {name: artifact for binaries in built for name, artifact in binaries.artifacts.items()}
    return Binaries(artifacts=artifacts, reused=all(binaries.reused for binaries in built))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled(Binaries):
    """The result of a call of cargo; it is reused if cargo had nothing to do.

    Attributes:
        units: How many units cargo reported, fresh ones included.
        fresh_target_units: How many units of the program itself existed already. Build scripts and procedural macros
            are not counted: all variants share them, and only the first build of a run compiles them.
        executables: Programs and libraries where cargo put them; the next build with other flags replaces them.
        profile_use: For an optimising compilation only.
        scripts: The outputs of the build scripts of the program's packages, by package ID.
        peak_rss_bytes: The memory of the largest process, which with link-time optimisation is the one that links.
    """

    duration_s: float
    units: int
    fresh_target_units: int
    executables: tuple[Path, ...]
    log: Path
    profile_use: ProfileUse | None = None
    scripts: Mapping[str, ScriptRun] = field(default_factory=dict)
    peak_rss_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeObject:
    """An object or an archive that is linked into programs."""

    path: Path
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CargoTraining:
    """What a training on cargo's programs needs besides them.

    Attributes:
        build: How cargo would start them.
        program: The instrumented program that is optimised: their counts become its counts.
    """

    build: CargoBuild
    program: Mapping[str, Artifact]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bolted(Binaries):
    """Programs that BOLT has laid out.

    Attributes:
        facts: What BOLT reported of each program that it laid out; others are as they were linked.
    """

    facts: Mapping[str, BoltFacts]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPart:
    """Something that the baseline wrote: standard output or a file.

    Attributes:
        size_bytes: Of its relevant content.
        kept: Where a copy of it is, if it is not too large.
    """

    sha256: str | None
    size_bytes: int
    kept: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """The output of the baseline.

    Attributes:
        parts: The equal outputs of two runs, by name; empty if outputs are not compared.
        varying: The names of the outputs that differ.
        run_s: The shorter wall time of the two runs, to size the schedule.
    """

    parts: Mapping[str, KeptPart]
    varying: tuple[str, ...] = ()
    run_s: float
    reused: bool

    @property
    def sha256(self) -> str:
        """One hash over everything that is compared."""
        return combined_sha256({name: part.sha256 for name, part in self.parts.items()})

    @property
    def equal(self) -> bool | None:
        """Equal to itself; None if there is nothing to compare: two silent programs may do different things."""
        return True if any(part.size_bytes for part in self.parts.values()) else None


def combined_sha256(parts: Mapping[str, str | None]) -> str:
    """One hash over hashes by name; that of a single one is its own."""
    if len(parts) == 1 and (only := next(iter(parts.values()))) is not None:
        return only
    return hashlib.sha256("\n".join(f"{name} {digest}" for name, digest in sorted(parts.items())).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How a candidate's output compares; `equal` is None if it was not compared."""

    sha256: str | None
    equal: bool | None
    reused: bool
