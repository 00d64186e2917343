"""What a build has made: the files that cargo names, never guessed, and how it would have run them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.making.cargo.listener import Listener, is_for_target
from optbuild.plan.kinds.compile import Compile
from optbuild.tools.cargo import CompilerArtifact
from optbuild.tools.cargo_programs import StartedProgram
from optbuild.workloads.cargo_build import PACKAGE_NAME, CargoBuild, CargoProgram
from optbuild.workloads.harness import find_harness

DEBUG_SUFFIXES = frozenset({".dwp", ".pdb"})
"""Those of files of debug information, which stand next to what they are about."""
# What rustup's stand-in for cargo sets for itself.
_OF_RUSTUP = re.compile("RUSTUP_|RUST_RECURSION_COUNT$|PATH$")


@dataclass(slots=True, kw_only=True)
class Products(Listener):
    """The files of a build that were asked for.

    Attributes:
        given: The environment that cargo was given.
        files: By name.
        debug: The files of debug information of each.
        programs: What cargo would have run.
        started: The binaries next to them, which they may start.
    """

    action: Compile
    given: Mapping[str, str]
    files: dict[str, Path] = field(default_factory=dict)
    debug: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    programs: list[CargoProgram] = field(default_factory=list)
    started: dict[str, Path] = field(default_factory=dict)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The names of those to keep."""
        recipe = self.action.recipe
        return recipe.products if recipe.call is None else tuple(self.files)

    @property
    def cargo_build(self) -> CargoBuild | None:
        """How cargo would run them; None where that was not asked."""
        return CargoBuild(programs=tuple(self.programs), started=self.started) if self.programs else None

    def on_unit(self, unit: CompilerArtifact) -> None:
        """Take the files of a unit that were asked for."""
        if self.action.recipe.call is None:
            found = self._find_named(unit)
            self.files |= found
            # Only what cargo names: next to it may lie what a build with other settings has left.
            debug = tuple(path for path in unit.filenames if path.suffix in DEBUG_SUFFIXES and path.is_file())
            self.debug |= dict.fromkeys(found, debug)
        elif unit.executable is not None and "bin" in unit.target.kind and not unit.profile.test:
            self.files[unit.executable.name] = self.started[unit.executable.name] = unit.executable

    def _find_named(self, unit: CompilerArtifact) -> dict[str, Path]:
        recipe, name = self.action.recipe, unit.target.name
        if unit.executable is not None:
            names = recipe.examples if "example" in unit.target.kind else recipe.bins
            is_wanted = name in names and {"bin", "example"}.intersection(unit.target.kind)
            return {name: unit.executable} if is_wanted else {}
        libs = recipe.libs if is_for_target(self.action, unit) else ()
        return {path.name: path for path in unit.filenames if path.name in libs}

    def on_program(self, program: StartedProgram) -> None:
        """Take a program that cargo would have run."""
        call = self.action.recipe.call
        if call is not None and call.packages and program.env.get(PACKAGE_NAME) not in call.packages:
            return  # it was built with theirs only so that features unify
        path = Path(program.argv[0])
        added = {name: value for name, value in program.env.items() if self.given.get(name) != value}
        self.files[path.name] = path
        self.programs.append(
            CargoProgram(
                name=path.name,
                arguments=program.argv[1:],
                cwd=Path(program.cwd),
                env={name: value for name, value in sorted(added.items()) if _OF_RUSTUP.match(name) is None},
                harness=find_harness(path),
            )
        )
