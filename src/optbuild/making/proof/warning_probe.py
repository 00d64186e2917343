"""A probe of rustc's warnings: would it warn if it could not use a profile?

That a build gave no warnings proves something only if rustc would have warned. So it is given a function that no
profile can know, with the very profile and the very flags: it has to say that it has no counts for it, and nothing
against the profile itself. Where it does not, silence is not evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.execution.command import Command, Executor
from optbuild.execution.tool import run_tool
from optbuild.files import atomic_write
from optbuild.making.result_store import ResultStore
from optbuild.plan.action import ActionId
from optbuild.plan.fingerprint import make_result_key
from optbuild.plan.results import PgoProfile
from optbuild.toolchain.model import Tool
from optbuild.tools.rustc import MISSING_FUNCTION, OF_A_PROFILE, PROFILE_USE, WARN, WARN_MISSING_FUNCTIONS

_NAME = "optbuild_canary"
_SOURCE = f"""#![no_std]
#[no_mangle]
pub extern "C" fn {_NAME}(n: u32) -> u32 {{
    if n > 3 {{ n * 7 }} else {{ n }}
}}
"""
_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """What rustc did; kept, for it would do the same again."""

    heard: bool  # the name that it is stored under


@dataclass(slots=True, kw_only=True)
class WarningProbe:
    """Asks the rustc that compiles the project.

    Attributes:
        cwd: The project's directory, where rustup's toolchain is chosen.
        environ: The caller's environment.
        work: Where its source is written.
    """

    executor: Executor
    rustc: Tool
    cwd: Path
    environ: Mapping[str, str]
    results: ResultStore
    work: Path

    def does_rustc_warn(self, profile: PgoProfile) -> bool:
        """Whether rustc warns of a function that a profile cannot know, and accepts the profile.

        Raises:
            ToolchainError: Rustc cannot be started.
            StorageError: The source cannot be written.
        """
        key = make_result_key(ActionId("canary"), {"rustc": self.rustc.version, "profile": profile.sha256})
        stored = self.results.load(key, ProbeAnswer)
        if stored is not None:
            return stored.heard
        source = self.work / f"{_NAME}.rs"
        atomic_write(source, _SOURCE.encode())
        argv = (
            str(self.rustc.path),
            f"--crate-name={_NAME}",
            "--crate-type=lib",
            "--emit=obj",
            "-Copt-level=3",
            f"{PROFILE_USE}{profile.path}",
            WARN_MISSING_FUNCTIONS,
            WARN,
            "-o",
            str(self.work / f"{_NAME}.o"),
            str(source),
        )
        command = Command(argv=argv, cwd=self.cwd, env=self.environ, timeout_s=_TIMEOUT_S)
        completed = run_tool(self.executor, "rustc", command)
        said = completed.stderr.decode("utf-8", "replace")
        missed = MISSING_FUNCTION.search(said)
        answer = ProbeAnswer(
            heard=missed is not None and missed["symbol"] == _NAME and OF_A_PROFILE.search(said) is None
        )
        self.results.save(key, answer)
        return answer.heard
