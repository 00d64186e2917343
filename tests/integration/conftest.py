"""What the tests with real tools share: which tools they need, and an `optbuild` with a home of its own."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

import pytest

from optbuild.errors import OptbuildError
from optbuild.execution.local import LocalExecutor
from optbuild.toolchain.discover import discover_toolchain
from optbuild.toolchain.requirements import require_pgo_tools
from tests.integration.optbuild_program import Optbuild

TOOLS = {
    "cargo": "the test needs cargo and rustc",
    "pgo": "the test needs cargo, an llvm-profdata of rustc's LLVM, and the profiler runtime",
}
NEEDED = {"cargo": ("cargo",), "pgo": ("cargo", "pgo")}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let CI demand what a laptop may lack."""
    parser.addoption(
        "--require",
        default="",
        metavar="TOOL,…",
        help=f"fail, instead of skipping, where one of these is missing: {', '.join(TOOLS)}",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare a marker for each tool, and refuse to require one that does not exist."""
    for name, meaning in TOOLS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    if unknown := _required(config) - TOOLS.keys():
        raise pytest.UsageError(f"--require knows {', '.join(TOOLS)}, not {', '.join(sorted(unknown))}")


def _required(config: pytest.Config) -> set[str]:
    return {name for name in config.getoption("--require", default="").split(",") if name}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose tool is missing, or fail it where that tool is required."""
    marked = [tool for name, tools in NEEDED.items() if item.get_closest_marker(name) for tool in tools]
    for tool in dict.fromkeys(marked):
        lack = _find_lack(tool)
        if lack is not None and tool in _required(item.config):
            pytest.fail(lack, pytrace=False)
        if lack is not None:
            pytest.skip(lack)


@cache
def _find_lack(tool: str) -> str | None:
    """Why a tool cannot be used here; None where it can."""
    if tool == "cargo":
        missing = [name for name in ("cargo", "rustc") if shutil.which(name) is None]
        return f"{missing[0]} is not on PATH" if missing else None
    try:
        with LocalExecutor(emit=lambda _: None) as executor:
            require_pgo_tools(
                discover_toolchain(
                    directory=Path.cwd(),
                    target="host",
                    environ=dict(os.environ),
                    executor=executor,
                    configured_rustc=None,
                    trusted=True,
                )
            )
    except OptbuildError as error:
        return error.message
    return None


@pytest.fixture
def optbuild(tmp_path_factory: pytest.TempPathFactory) -> Optbuild:
    """The program with a home of its own, for one test."""
    return Optbuild.at(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def shared_optbuild(tmp_path_factory: pytest.TempPathFactory) -> Optbuild:
    """The program with one home for all tests of a module, for projects that they share."""
    return Optbuild.at(tmp_path_factory.mktemp("shared-home"))
