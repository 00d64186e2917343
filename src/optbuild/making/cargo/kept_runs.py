"""What cargo would run, stored alongside the programs for readers that come before cargo's next call."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import TypeAdapter

from optbuild.files import atomic_write
from optbuild.plan.kinds.compile import Compile
from optbuild.workloads.cargo_build import CargoBuild

_ADAPTER = TypeAdapter(CargoBuild)


def keep_cargo_build(action: Compile, build: CargoBuild) -> None:
    """Store how cargo would run the programs that an action has built."""
    # Pydantic's own JSON cannot hold a value that is not Unicode.
    atomic_write(cargo_build_path(action), json.dumps(_ADAPTER.dump_python(build, mode="json"), indent=1).encode())


def find_cargo_build(action: Compile) -> CargoBuild | None:
    """How cargo would have run what the action built in an earlier run; None if that is no longer known."""
    try:
        return _ADAPTER.validate_python(json.loads(cargo_build_path(action).read_bytes()))
    except (OSError, ValueError):  # a ValidationError is one
        return None


def cargo_build_path(action: Compile) -> Path:
    """The file that stores it."""
    return action.directory / "cargo-build.json"
