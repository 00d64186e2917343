"""The one driver of cargo's builds: starts it, lets listeners read what it says, and keeps what it made.

Cargo decides what is fresh; nothing here second-guesses it. An unchanged build costs a fraction of a second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.events import Emit, Event
from optbuild.execution.command import Command, Executor
from optbuild.execution.jobserver import Jobserver
from optbuild.execution.tool import run_tool
from optbuild.files import atomic_write, writing
from optbuild.making.cargo.build_scripts import BuildScripts, find_earlier_runs
from optbuild.making.cargo.failures import cargo_failed, no_file_for, nothing_to_run
from optbuild.making.cargo.glibc import require_glibc
from optbuild.making.cargo.kept import delete_others, keep, keep_cargo_build
from optbuild.making.cargo.listener import Feed, Once
from optbuild.making.cargo.products import Products
from optbuild.making.cargo.profile_warnings import ProfileWarnings
from optbuild.making.cargo.progress import Units
from optbuild.making.cargo.shared_libraries import SharedLibraries
from optbuild.making.cargo.transcript import Diagnostics, open_transcript
from optbuild.making.cargo.wheels import forget_wheels, take_wheels
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.results import Artifact, Compiled
from optbuild.profile.cargo_words import CargoCall
from optbuild.tools.builders import BUILDERS, Builder, with_messages


@dataclass(slots=True, kw_only=True)
class CargoDriver:
    """Calls cargo for compile actions of one run.

    Attributes:
        environ: The caller's environment, which cargo gets whole.
        sysroot: Where rustc's toolchain lies, for its own shared libraries.
        jobserver: What it shares its jobs with others by; None where it is on its own.
    """

    executor: Executor
    environ: Mapping[str, str]
    emit: Emit
    sysroot: Path | None = None
    jobserver: Jobserver | None = None
    _units: dict[tuple[tuple[str, ...], CargoCall | None], int] = field(default_factory=dict)
    _shown: set[Event] = field(default_factory=set)

    @property
    def jobserver_auth(self) -> str:
        """How cargo learns of the jobs that it shares."""
        assert self.jobserver is not None  # noqa: S101 - a plan whose builds share jobs is carried out with one
        return self.jobserver.auth

    def units_of(self, action: Compile) -> int | None:
        """How many units the last build of the same programs had: the total that a progress bar shows for the next."""
        return self._units.get(_asked_for(action))

    def turn(self) -> AbstractContextManager[None]:
        """What is to be held while cargo runs outside of those who hold it anyway."""
        return nullcontext() if self.jobserver is None else self.jobserver.token()

    def compile(self, action: Compile, env: Mapping[str, str], log: Path) -> Compiled:
        """Build what an action says.

        Args:
            action: What to build.
            env: Additions to the environment, every output resolved.
            log: Where all that cargo and rustc say is kept.

        Raises:
            BuildError: Cargo failed, or did not build a binary that it was asked for.
            ToolchainError: Cargo cannot be started.
            StorageError: The log or a copy of a binary cannot be written.
        """
        _write_scripts(action)
        inherits = () if self.jobserver is None else self.jobserver.descriptors
        row = BUILDERS[action.builder]
        argv = with_messages(action.argv) if row.cargo_script(action.argv[0]) is not None else action.argv
        if row.makes_wheels:
            forget_wheels(action)
        command = Command(argv=argv, cwd=action.cwd, env={**self.environ, **env}, sweep=False, inherits=inherits)
        once = Once(self.emit, self._shown)
        units = Units(action=action, emit=self.emit)
        products = Products(action=action, given=command.env)
        warnings = ProfileWarnings(action=action)
        scripts = BuildScripts(action=action, emit=once, earlier=find_earlier_runs(action.cargo_target))
        libraries = SharedLibraries(action=action, emit=once, sysroot=self.sysroot)
        with open_transcript(log) as transcript:
            listeners = (transcript, Diagnostics(emit=once), units, products, warnings, scripts, libraries)
            feed = Feed(listeners, mounted=_mounted(action, row))
            completed = run_tool(
                self.executor, action.builder, command, on_stdout=feed.read_stdout, on_stderr=feed.read_stderr
            )
        if completed.exit_code != 0:
            raise cargo_failed(action, completed.exit_code, bytes(transcript.status), log)
        if units.count:
            self._units[_asked_for(action)] = units.count
        if action.recipe.call is not None and not products.programs:
            raise nothing_to_run(action, log)
        script_runs = scripts.read()
        wheels = take_wheels(action, products, log) if row.makes_wheels else {}
        loaded = libraries.find_loaded_by(products)
        products.files |= loaded
        products.files |= wheels
        artifacts = {name: _keep(action, name, products, log) for name in (*products.wanted, *loaded, *wheels)}
        if action.glibc is not None:
            require_glibc(action, artifacts.values(), log)
        if products.cargo_build is not None:
            keep_cargo_build(action, products.cargo_build)
        delete_others(action, artifacts.values())
        return Compiled(
            artifacts=artifacts,
            duration_s=completed.usage.wall_s,
            units=units.count,
            reused=units.fresh,
            fresh_target_units=units.fresh_for_target,
            executables=tuple(products.files.values()),
            log=log,
            profile_use=warnings.summarise() if action.role is Role.OPTIMISE else None,
            cargo_build=products.cargo_build,
            scripts=script_runs,
            peak_rss_bytes=completed.usage.peak_rss_bytes,
        )


def _mounted(action: Compile, row: Builder) -> tuple[bytes, bytes] | None:
    """Where cargo's target directory is in a container and here, as its messages have them."""
    if row.target_mount is None:
        return None
    return row.target_mount.encode(), json.dumps(str(action.cargo_target), ensure_ascii=False)[1:-1].encode()


def _write_scripts(action: Compile) -> None:
    for path, text in action.scripts.items():
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, text.encode())
            path.chmod(0o755)


def _asked_for(action: Compile) -> tuple[tuple[str, ...], CargoCall | None]:
    return action.recipe.products, action.recipe.call


def _keep(action: Compile, name: str, products: Products, log: Path) -> Artifact:
    if name not in products.files:
        raise no_file_for(name, log)
    return keep(action, name, products.files[name], products.debug.get(name, ()))
