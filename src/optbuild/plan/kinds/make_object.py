"""Make an object: compile code that is linked into instrumented builds only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from optbuild.plan.action import Action
from optbuild.plan.results import MadeObject
from optbuild.tools.linked_object import ObjectForm, compile_argv


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeObject(Action[MadeObject]):
    """Compile an object that is linked into instrumented builds.

    Attributes:
        crate: Its name.
        source: Its source.
        file: The object file; its name states everything that it depends on.
        saves_counts: It makes a program write its counts when a signal ends it. Other objects only watch, and a
            training can do without them.
        form: What it is compiled to.
    """

    kind: ClassVar[str] = "object"

    rustc: Path
    crate: str
    source: str
    target: str
    cwd: Path
    file: Path
    saves_counts: bool
    form: ObjectForm = ObjectForm.OBJECT

    def details(self) -> Mapping[str, object]:
        """The call of rustc."""
        source = self.file.with_suffix(".rs")
        argv = compile_argv(
            self.rustc, crate=self.crate, target=self.target, source=source, output=self.file, form=self.form
        )
        return {"argv": list(argv), "cwd": str(self.cwd), "writes": str(self.file.parent)}
