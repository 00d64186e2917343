"""What rustc says of a PGO profile while it compiles with it, and which crates it compiles with it at all."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from optbuild.making.cargo.listener import Listener, is_for_target
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.results import ProfileUse
from optbuild.tools.cargo import CompilerArtifact, CompilerMessage
from optbuild.tools.mangling import join_unit
from optbuild.tools.rustc import MISMATCHED_FUNCTION, MISSING_FUNCTION, OF_A_PROFILE

# How cargo shows a compilation under `-vv`: the environment first, in which a package's description may have lines.
_RUNNING = re.compile(rb"\s+Running `")
# One that is not for the target has no `--target`. What a build script prints stands behind its package's name.
_COMPILATION = re.compile(rb"(?!\[\S+ [^\]]+\] ).* --crate-name (?P<crate>\S+) .*--target ")
_PROFILED = b"profile_use="
_PROGRAMS = frozenset({"bin", "example", "test", "bench"})


@dataclass(slots=True, kw_only=True)
class ProfileWarnings(Listener):
    """Counts them, over all crates of a build.

    A builder that makes several wheels calls cargo for each, and each has its own warnings: the highest count holds.

    Attributes:
        missing: Functions without counts, in the present call of cargo.
        mismatched: Functions whose counts were discarded, in the present call.
        most_missing: The most of any earlier call.
        most_mismatched: The same.
        libraries: The packages of each crate's name.
        in_command: A command is being shown, and no compilation was seen since it began.
    """

    action: Compile
    missing: int = 0
    missing_names: dict[str, set[str]] = field(default_factory=dict)
    mismatched: int = 0
    most_missing: int = 0
    most_mismatched: int = 0
    complaints: set[str] = field(default_factory=set)
    profiled: set[str] = field(default_factory=set)
    unprofiled: set[str] = field(default_factory=set)
    libraries: dict[str, set[str]] = field(default_factory=dict)
    in_command: bool = False

    def on_unit(self, unit: CompilerArtifact) -> None:
        """Note which package a library's crate is of."""
        if is_for_target(self.action, unit) and not _PROGRAMS & {*unit.target.kind}:
            self.libraries.setdefault(unit.target.name.replace("-", "_"), set()).add(unit.package_id)

    def on_diagnostic(self, diagnostic: CompilerMessage) -> None:
        """Count what is about a profile."""
        message = diagnostic.message.message
        if missing := MISSING_FUNCTION.search(message):
            self.missing += 1
            owner = diagnostic.target.name if "bin" in diagnostic.target.kind else ""
            self.missing_names.setdefault(owner, set()).add(join_unit(missing["unit"], missing["symbol"]))
        elif MISMATCHED_FUNCTION.search(message):
            self.mismatched += 1
        elif complaint := OF_A_PROFILE.search(message):
            self.complaints.add(complaint[1])

    def on_end(self) -> None:
        """Begin to count anew."""
        self.most_missing, self.missing = max(self.most_missing, self.missing), 0
        self.most_mismatched, self.mismatched = max(self.most_mismatched, self.mismatched), 0

    def on_status(self, line: bytes) -> None:
        """Note whether a crate is compiled with the profile."""
        self.in_command = self.in_command or _RUNNING.match(line) is not None
        if self.in_command and (compilation := _COMPILATION.match(line)):
            self.in_command = False
            crates = self.profiled if _PROFILED in line else self.unprofiled
            crates.add(compilation["crate"].decode("utf-8", "replace"))

    def summarise(self) -> ProfileUse:
        """What it comes to."""
        return ProfileUse(
            missing_functions=max(self.most_missing, self.missing),
            mismatched_functions=max(self.most_mismatched, self.mismatched),
            missing_names={owner: frozenset(names) for owner, names in self.missing_names.items()},
            complaints=tuple(sorted(self.complaints)),
            profiled=tuple(sorted(self.profiled)),
            unprofiled=tuple(sorted(self.unprofiled)),
            versions={crate: len(packages) for crate, packages in self.libraries.items() if len(packages) > 1},
        )
