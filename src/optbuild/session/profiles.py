"""Read the PGO profile that a run made, function by function."""

from __future__ import annotations

from pathlib import Path

from optbuild.errors import ProfileDataError
from optbuild.execution.command import Command
from optbuild.record.model import RunRecord
from optbuild.session.request import Machine
from optbuild.tools.llvm_profdata import text_argv
from optbuild.tools.profile_text import FunctionRecord, read_records

_TIMEOUT_S = 600


def read_profile(profdata: Path, record: RunRecord, machine: Machine) -> list[FunctionRecord]:
    """The records of a profile, by the `llvm-profdata` of the run that made it.

    Raises:
        ProfileDataError: It cannot be read.
    """
    tool = None if record.toolchain is None else record.toolchain.llvm_profdata
    if tool is None:
        raise ProfileDataError("no llvm-profdata fits rustc", help="optbuild doctor --fix", location=str(profdata))
    text = profdata.with_suffix(".proftext")
    argv = text_argv(Path(tool.path), profdata, text)
    command = Command(argv=argv, cwd=profdata.parent, env=machine.environ, timeout_s=_TIMEOUT_S)
    try:
        if machine.executor.run(command).exit_code != 0:
            raise ProfileDataError("llvm-profdata cannot write the profile as text", help="optbuild doctor")
        with text.open(encoding="utf-8", errors="surrogateescape") as lines:
            return list(read_records(lines))
    finally:
        text.unlink(missing_ok=True)
