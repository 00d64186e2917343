"""Match profile data: give committed counts to the functions of a program, in the place of training and merging."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from optbuild.plan.action import Action, Id
from optbuild.plan.counts import CheckedProfile
from optbuild.plan.kinds.merge import describe_scale
from optbuild.plan.results import Binaries
from optbuild.tools.llvm_profdata import merge_argv


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchProfileData(Action[CheckedProfile]):
    """Give committed counts to the functions of a program; the output is `profdata`.

    Attributes:
        file: The portable profile.
        program: Builds the instrumented program, which is never run: it lends its functions' names.
        names: Has these names, if no program is built for them.
        min_matched: The share of the counts that must find their function.
        tool: The `llvm-profdata` that fits rustc.
        directory: Where the profile is kept that comes of it, its content's hash in the name.
        control_flow: Where LLVM has written the control flow of the program.
        count_scale: What each count is multiplied by in the end; None leaves them as they are.
    """

    kind: ClassVar[str] = "profile-data"

    file: Path
    program: Id[Binaries] | None
    names: Path | None = None
    min_matched: float
    tool: Path
    directory: Path
    control_flow: Path
    count_scale: float | None = None

    def details(self) -> Mapping[str, object]:
        """The file, and the call of llvm-profdata."""
        argv = merge_argv(self.tool, inputs_file=Path("{inputs}"), output=Path("{profdata}"))
        named = f"by the names that functions have in {self.program or self.names}"
        how = "; ".join([named, *describe_scale(self.count_scale)])
        return {"argv": list(argv), "how": how, "inputs": [str(self.file)], "writes": str(self.directory)}
