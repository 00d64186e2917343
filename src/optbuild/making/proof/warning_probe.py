"""A probe of rustc's warnings: would it warn if it could not use a profile?

A build without warnings proves something only if rustc would have warned. So the probe compiles a function that no
profile can know, with the same profile and flags: rustc has to report that it has no counts for it, without rejecting
the profile. Otherwise its silence is not evidence.
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
from optbuild.plan.counts import PgoProfile
from optbuild.plan.fingerprint import make_result_key
from optbuild.toolchain.model import Tool
from optbuild.tools.rustc import MISSING_FUNCTION, OF_A_PROFILE, PROFILE_USE, WARN, WARN_MISSING_FUNCTIONS

_NAME = "optbuild_probe"
_SOURCE = f"""#![no_std]
#[no_mangle]
pub extern "C" fn {_NAME}(n: u32) -> u32 {{
    if n > 3 {{ n * 7 }} else {{ n }}
}}
"""
_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """Rustc's answer; kept, as it would not change."""

    warned: bool


@dataclass(slots=True, kw_only=True)
class WarningProbe:
    """Asks the rustc that compiles the project.

    Attributes:
        cwd: The project's directory, where rustup's toolchain is chosen.
        environ: The caller's environment.
        work: The directory for its source.
    """

    executor: Executor
    rustc: Tool
    cwd: Path
    environ: Mapping[str, str]
    results: ResultStore
    work: Path

    def does_rustc_warn(self, profile: PgoProfile) -> bool:
        """Whether rustc accepts the profile and warns about a function that is not in it.

        Raises:
            ToolchainError: Rustc cannot be started.
            StorageError: The source cannot be written.
        """
        key = make_result_key(ActionId("warning-probe"), {"rustc": self.rustc.version, "profile": profile.sha256})
        stored = self.results.load(key, ProbeAnswer)
        if stored is not None:
            return stored.warned
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
            warned=missed is not None and missed["symbol"] == _NAME and OF_A_PROFILE.search(said) is None
        )
        self.results.save(key, answer)
        return answer.warned
