"""What the tests with crates of the registry share: an `optbuild` that may use the network and the user's own cargo."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import find_libclang
from tests.integration.optbuild_program import Optbuild
from tests.integration.started_program import Starter

_DEADLINE_S = 2700.0


@pytest.fixture
def optbuild(tmp_path_factory: pytest.TempPathFactory, starter: Starter) -> Optbuild:
    """The program with a home of its own, but for what cargo has fetched."""
    program = Optbuild.at(tmp_path_factory.mktemp("home"), starter)
    kept = {name: value for name, value in program.environ.items() if name != "CARGO_NET_OFFLINE"}
    kept["CARGO_HOME"] = os.environ.get("CARGO_HOME") or str(Path.home() / ".cargo")
    if (libclang := find_libclang()) is not None:
        kept["LIBCLANG_PATH"] = str(libclang)
    return replace(program, environ=kept, deadline_s=_DEADLINE_S)
