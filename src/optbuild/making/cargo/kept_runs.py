"""What cargo would run, kept beside the programs for those who look before cargo is asked again."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import TypeAdapter

from optbuild.files import atomic_write
from optbuild.plan.kinds.compile import Compile
from optbuild.workloads.cargo_build import CargoBuild

_ADAPTER = TypeAdapter(CargoBuild)


def keep_cargo_build(action: Compile, build: CargoBuild) -> None:
    """Keep how cargo would run the programs that an action has built."""
    # Pydantic's own JSON has no room for a value that is not Unicode.
    atomic_write(cargo_build_path(action), json.dumps(_ADAPTER.dump_python(build, mode="json"), indent=1).encode())


def find_cargo_build(action: Compile) -> CargoBuild | None:
    """How cargo would have run what the action built in an earlier run; None where that is not known any more."""
    try:
        return _ADAPTER.validate_python(json.loads(cargo_build_path(action).read_bytes()))
    except (OSError, ValueError):  # a ValidationError is one
        return None


def cargo_build_path(action: Compile) -> Path:
    """The file that it is kept in."""
    return action.directory / "cargo-build.json"
