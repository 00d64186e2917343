"""How far a build is, what of it was fresh, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass

from optbuild.events import ActionProgressed, Emit, Level, Notice
from optbuild.making.cargo.listener import Listener, is_for_target
from optbuild.plan.kinds.compile import Compile
from optbuild.tools.cargo import BuildScriptExecuted, CompilerArtifact, short_package_name

_BLOCKED = b"Blocking waiting for file lock"
_SHARED = b"package cache"  # held for moments by every cargo, our own others included


@dataclass(slots=True, kw_only=True)
class Units(Listener):
    """Counts units of a build, and reports each.

    Attributes:
        fresh: Cargo has built none of them.
        fresh_for_target: How many of the program's own were fresh.
    """

    action: Compile
    emit: Emit
    count: int = 0
    fresh: bool = True
    fresh_for_target: int = 0

    def on_unit(self, unit: CompilerArtifact) -> None:
        """Count a unit."""
        self._add(unit.package_id)
        self.fresh &= unit.fresh
        self.fresh_for_target += unit.fresh and is_for_target(self.action, unit)

    def on_script(self, script: BuildScriptExecuted) -> None:
        """Count the run of a build script."""
        self._add(script.package_id)

    def _add(self, package_id: str) -> None:
        self.count += 1
        self.emit(ActionProgressed(action=self.action.id, done=self.count, detail=short_package_name(package_id)))

    def on_status(self, line: bytes) -> None:
        """Report that cargo waits for another one."""
        if _BLOCKED in line and _SHARED not in line:
            message = f"another cargo holds {self.action.directory.parent.parent}: waiting for it"
            self.emit(Notice(level=Level.INFO, code="cargo-blocked", message=message))
