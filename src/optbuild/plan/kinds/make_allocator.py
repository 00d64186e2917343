"""Make an allocator: compile what is linked into programs in place of the C library's allocator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from optbuild.plan.action import Action
from optbuild.plan.results import MadeObject
from optbuild.tools.mimalloc import build_argv


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeAllocator(Action[MadeObject]):
    """Compile mimalloc with cargo.

    Attributes:
        cwd: Where cargo is called; its configuration is in force.
        package: The directory of the package that needs nothing else.
        cargo_target: Cargo's target directory for it.
        file: The archive; its name states everything that it depends on.
    """

    kind: ClassVar[str] = "allocator"

    cargo: Path
    target: str
    cwd: Path
    package: Path
    cargo_target: Path
    file: Path

    @property
    def argv(self) -> tuple[str, ...]:
        """The call of cargo."""
        return build_argv(self.cargo, package=self.package, target=self.target, target_directory=self.cargo_target)

    def details(self) -> Mapping[str, object]:
        """The call of cargo."""
        return {"argv": list(self.argv), "cwd": str(self.cwd), "writes": str(self.file.parent)}
