"""Every check of the project. `nox` runs what CI runs; `nox --list` names the rest."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "imports", "schema", "build", "tests", "integration"]
nox.options.reuse_venv = "yes"
nox.options.stop_on_first_error = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
PROGRAMS = Path(".nox", "environment", "bin").resolve()
"""Where the session `environment` puts programs."""
SHARED: dict[str, Any] = {"venv_backend": "none", "requires": ["environment"]}
"""What makes a session one of those that use that environment: to install it for each would take minutes."""


def _group(name: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PYPROJECT, name)


def _side_by_side(workers: int) -> list[str]:
    """Spread test modules over worker processes; a module stays in one, for its tests share projects.

    They begin in the order of their collection, where a conftest.py puts those first that take long.
    """
    return ["-n", str(workers), "--dist", "loadscope", "--no-loadscope-reorder"]


def _run(session: nox.Session, program: str, *arguments: str) -> None:
    """Run a program of the shared environment, as if that were the session's own."""
    path = os.pathsep.join((str(PROGRAMS), os.environ.get("PATH", os.defpath)))  # noqa: TID251 - not the product
    environ = {"PATH": path, "VIRTUAL_ENV": str(PROGRAMS.parent)}
    session.run(str(PROGRAMS / program), *arguments, env=environ, external=True)


def _find_llvm_profdata(session: nox.Session) -> None:
    """Let optbuild itself get the tool that its tests need."""
    _run(session, "optbuild", "doctor", "--fix", "--yes")


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: all rules, and the formatter."""
    session.install(*_group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def environment(session: nox.Session) -> None:
    """One environment for everything that imports optbuild, but for what needs another."""
    session.install("-e", ".[fleet]", *_group("dev"), *_group("registry"))


@nox.session(**SHARED)
def types(session: nox.Session) -> None:
    """Strict mypy on everything."""
    _run(session, "mypy")


@nox.session(**SHARED)
def imports(session: nox.Session) -> None:
    """The layers of the house."""
    _run(session, "lint-imports", "--no-cache")


@nox.session(**SHARED)
def schema(session: nox.Session) -> None:
    """The committed JSON schemas and generated pages are those that the code gives; `-- --write` renews them."""
    _run(session, "python", "docs/generate.py", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """A wheel installed away from the checkout has its presets and both commands."""
    session.install("build")
    dist = Path(session.create_tmp()).resolve() / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.run("python", "-m", "build", "--wheel", "--outdir", str(dist), ".")
    session.install("--force-reinstall", "--no-deps", *map(str, dist.glob("*.whl")))
    session.install(*map(str, dist.glob("*.whl")))
    with session.chdir(dist):
        session.run("optbuild", "--version")
        session.run("cargo-optbuild", "optbuild", "--version")
        session.run(
            "python",
            "-c",
            "from pathlib import Path; from optbuild.profile.load import load_build_profile as load;"
            "assert [*load('pgo', directory=Path.cwd()).variants] == ['release', 'lto', 'pgo']",
        )


@nox.session(**SHARED)
def tests(session: nox.Session) -> None:
    """Unit tests and properties: no process, no cargo."""
    _run(session, "pytest", *_side_by_side(CORES), "tests/unit", "tests/properties", *session.posargs)


@nox.session(**SHARED)
def integration(session: nox.Session) -> None:
    """Real cargo, real llvm-profdata, real faults; and crates of the registry: Criterion, C and C++ by cc, tokio."""
    _find_llvm_profdata(session)
    needed = "cargo,pgo,chromium,loads,valgrind,heaptrack,bolt,cmake,libclang,registry,builders"
    # In CI a missing tool is a failure, not a skipped test.
    required = [f"--require={needed}"] if os.environ.get("CI") else []  # noqa: TID251 - not the product
    # One more than there are cores: programs that are waited for leave a core idle.
    workers = _side_by_side(CORES + 1)
    _run(session, "pytest", *workers, "tests/integration", "tests/registry", *required, *session.posargs)


@nox.session
def minimums(session: nox.Session) -> None:
    """The unit tests with the oldest dependencies that pyproject.toml admits."""
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    requirements = [*PYPROJECT["project"]["dependencies"], *(each for extra in extras for each in extra)]
    oldest = [requirement.split(",")[0].replace(">=", "==") for requirement in requirements]
    session.install("-e", ".", *_group("test"), *oldest)
    session.run("pytest", "tests/unit", "-W", "default", *session.posargs)


@nox.session(**SHARED)
def record(session: nox.Session) -> None:
    """Record again what real tools print, for tests/recorded: `nox -s record -- LLVM_PROFDATA`, one that fits rustc."""
    if len(session.posargs) != 1:
        session.error("name the llvm-profdata that fits rustc, as `optbuild doctor` shows it: nox -s record -- PATH")
    for name, tools in (("cargo", ["cargo"]), ("llvm_profdata", ["rustc"])):
        _run(session, "python", f"tests/recorded/{name}/record.py", *tools, *session.posargs)
    _run(session, "python", "tests/recorded/rustc/record.py", "rustc", "cargo")
    _run(session, "python", "tests/recorded/profilers/record.py", "rustc", "perf", "valgrind", "llvm-symbolizer")


@nox.session(**SHARED)
def validate(session: nox.Session) -> None:
    """Simulate the statistics and the race, and write their pages in docs/measurement; `-- --full` takes longer."""
    _run(session, "python", "-m", "validation.simulate", *(session.posargs or ["--write"]))
    _run(session, "python", "-m", "validation.race", *(session.posargs or ["--write"]))


@nox.session(name="validate-real", **SHARED)
def validate_real(session: nox.Session) -> None:
    """Take real A/A reports and reports with injected changes, for hours, going on where it was stopped.

    `-- --guard` runs the sessions beside a load that the noise guard has to find, which take minutes.
    """
    options = [option for option in session.posargs if option != "--guard"]
    module = "validation.real" if options == session.posargs else "validation.guard_rate"
    _run(session, "python", "-m", module, *options)


@nox.session(**SHARED)
def bench(session: nox.Session) -> None:
    """What optbuild costs beside the same steps by hand, as ratios within one run."""
    _find_llvm_profdata(session)
    _run(session, "python", "benchmarks/overhead.py", *session.posargs)


@nox.session(name="bench-builds", **SHARED)
def bench_builds(session: nox.Session) -> None:
    """How long builds and training take with optbuild, by shell script and with cargo-pgo: `-- PROJECT...`."""
    if not session.posargs:
        session.error("name projects with the variants release, lto and pgo: nox -s bench-builds -- examples/calc-vm")
    _find_llvm_profdata(session)
    _run(session, "python", "benchmarks/builds.py", *session.posargs)


@nox.session(name="bench-fleet", **SHARED)
def bench_fleet(session: nox.Session) -> None:
    """What a fleet of a thousand and of ten thousand units costs beside its builds, which are stand-ins."""
    _run(session, "python", "-m", "benchmarks.fleet", *session.posargs)


@nox.session(name="bench-search", **SHARED)
def bench_search(session: nox.Session) -> None:
    """How long a search of twelve variants takes, over one variant with PGO, both from clean: `-- --work DIR`."""
    _find_llvm_profdata(session)
    _run(session, "python", "-m", "benchmarks.search", *session.posargs)


@nox.session(name="bench-peers", **SHARED)
def bench_peers(session: nox.Session) -> None:
    """What `tune` finds for programs of the registry, against cargo-pgo: `-- --work DIR --cargo-pgo FILE`."""
    _find_llvm_profdata(session)
    _run(session, "python", "-m", "benchmarks.peers", *session.posargs)


@nox.session(name="bench-travel", **SHARED)
def bench_travel(session: nox.Session) -> None:
    """How much of a profile later releases, another rustc and other targets find again: `-- --work DIR`."""
    _run(session, "python", "-m", "benchmarks.travel", *session.posargs)
