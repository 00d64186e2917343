"""Rules for all tests: those of the pure parts start no process, and others say which tools they need."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

from optbuild.errors import OptbuildError
from optbuild.execution.local import LocalExecutor
from optbuild.toolchain.builders import discover_builder
from optbuild.toolchain.discover import Wanted, discover_toolchain
from optbuild.toolchain.lookup import Inquiry
from optbuild.toolchain.model import Toolchain
from optbuild.toolchain.requirements import require_bolt, require_pgo_tools
from optbuild.tools.builders import BUILDERS
from tests.integration.optbuild_program import program
from tests.integration.started_program import Starter

# How long an example takes says how busy the machine is, and nothing about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

if importlib.util.find_spec("matplotlib") is not None:
    # Where nobody has used it yet it asks the system for its fonts, which starts a process: once, and before any test.
    importlib.import_module("matplotlib.font_manager")

TOOLS = {
    "cargo": "the test needs cargo and rustc",
    "pgo": "the test needs cargo, an llvm-profdata of rustc's LLVM, and the profiler runtime",
    "cmake": "the test needs cmake and a C++ compiler",
    "chromium": "the test opens pages in a headless Chromium or Chrome",
    "libclang": "the test needs libclang.so, of the package `libclang` or where LIBCLANG_PATH says",
    "registry": "the test needs crates of the registry",
    "loads": "the test needs the load generator wrk",
    "bolt": "the test needs LLVM's BOLT of rustc's LLVM major",
    "valgrind": "the test counts allocations with valgrind",
    "heaptrack": "the test counts allocations with heaptrack, and with valgrind",
    "builders": "the test needs maturin, cargo-zigbuild and ziglang of PyPI",
}
NEEDED = {
    **{name: (name,) for name in TOOLS},
    "pgo": ("cargo", "pgo"),
    "registry": ("cargo", "registry"),
    "valgrind": ("cargo", "valgrind"),
    "heaptrack": ("cargo", "valgrind", "heaptrack"),
    "bolt": ("cargo", "pgo", "bolt"),
}

LONGEST_FIRST = (
    *("registry/criterion", "registry/builders", "registry/native_code", "registry/examples", "registry/divan"),
    *("integration/first_table", "integration/lto_free", "integration/compare", "integration/cli"),
    *("integration/ci_files", "integration/faults", "integration/side_by_side", "integration/raw_profiles"),
    *("integration/bolt", "integration/builders", "integration/fleet", "integration/explain", "integration/heap"),
    *("integration/shared_training", "integration/cargo_benchmarks", "integration/bench_command"),
    *("integration/targets", "registry/extension_module"),
)
"""The modules that take long. One that is started last keeps one worker busy, and the others idle."""

_PURE = tuple(Path(__file__).parent / name for name in ("unit", "properties"))


class ProcessStartedError(Exception):
    """A test that may not start a process has done so."""


def _refuse(*arguments: object, **_options: object) -> NoReturn:
    raise ProcessStartedError(f"tests below unit/ and properties/ start no process: {arguments!r:.200}")


@pytest.fixture(autouse=True)
def no_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make starting a process fail where tests are about pure code."""
    if not any(request.path.is_relative_to(directory) for directory in _PURE):
        return
    monkeypatch.setattr(subprocess.Popen, "__init__", lambda _self, argv, *_, **__: _refuse(argv))
    monkeypatch.setattr(subprocess.Popen, "__del__", lambda _: None)  # it would miss what __init__ sets
    for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system"):
        monkeypatch.setattr(os, name, _refuse)


@pytest.fixture(autouse=True)
def _hear_signals() -> None:
    """A test run started by nohup or in the background ignores signals, and what tests start would inherit that."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


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
    return _LACKS[tool]()


def _find_lack_of_programs(*names: str) -> str | None:
    missing = [name for name in names if shutil.which(name) is None]
    return f"{missing[0]} is not on PATH" if missing else None


def _find_lack_of(require: Callable[[Toolchain], None]) -> str | None:
    """What a check says of the toolchain here; None if it passes."""
    try:
        with LocalExecutor(emit=lambda _: None) as executor:
            require(
                discover_toolchain(
                    Wanted(),
                    Inquiry(executor=executor, directory=Path.cwd(), environ=dict(os.environ)),
                    trusted=True,
                )
            )
    except OptbuildError as error:
        return error.message
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hand out the long modules first: workers take whole modules, in the order of the collection."""
    places = {module: place for place, module in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(_module_of(item.path), len(places)))


def _module_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem.removeprefix('test_')}"


def find_libclang() -> Path | None:
    """The directory of libclang.so: the one that is named, or that of the Python package."""
    if (named := os.environ.get("LIBCLANG_PATH")) is not None:
        return Path(named)
    package = importlib.util.find_spec("clang")
    native = None if package is None or package.origin is None else Path(package.origin).parent / "native"
    return native if native is not None and native.is_dir() else None


def find_chromium() -> str | None:
    """The browser, by whatever name it has here."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def _find_lack_of_chromium() -> str | None:
    return "neither chromium nor google-chrome is on PATH" if find_chromium() is None else None


def _find_lack_of_builders() -> str | None:
    """What optbuild says of those that `pip install` puts beside the Python that runs it."""
    with LocalExecutor(emit=lambda _: None) as executor:
        inquiry = Inquiry(executor=executor, directory=Path.cwd(), environ=dict(os.environ))
        found = [discover_builder(name, None, inquiry) for name, row in BUILDERS.items() if row.packages]
    return next((each.problem for each in found if each.problem is not None), None)


def _find_lack_of_libclang() -> str | None:
    return "there is no libclang.so: pip install libclang" if find_libclang() is None else None


def _find_lack_of_crates() -> str | None:
    """What cargo says of the smallest crate here that has dependencies."""
    manifest = Path(__file__).parent / "registry/crates/packed/Cargo.toml"
    argv = ["cargo", "fetch", "--locked", "--manifest-path", str(manifest)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    return None if ended.returncode == 0 else f"cargo fetches no crates: {ended.stderr.strip()[-300:]}"


_LACKS: Mapping[str, Callable[[], str | None]] = {
    "cargo": partial(_find_lack_of_programs, "cargo", "rustc"),
    "pgo": partial(_find_lack_of, require_pgo_tools),
    "cmake": partial(_find_lack_of_programs, "cmake", "c++"),
    "chromium": _find_lack_of_chromium,
    "libclang": _find_lack_of_libclang,
    "registry": _find_lack_of_crates,
    "loads": partial(_find_lack_of_programs, "wrk"),
    "bolt": partial(_find_lack_of, require_bolt),
    "valgrind": partial(_find_lack_of_programs, "valgrind"),
    "heaptrack": partial(_find_lack_of_programs, "heaptrack"),
    "builders": _find_lack_of_builders,
}


@pytest.fixture(scope="session")
def starter() -> Iterator[Starter]:
    """What starts the program for all tests of this process."""
    with Starter(program("optbuild")) as starter:
        yield starter
