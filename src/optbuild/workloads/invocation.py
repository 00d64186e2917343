"""A workload ready to run: with absolute paths and a complete environment, and only the binaries open.

The same invocation trains an instrumented binary and measures every variant. Nothing is run here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from pathlib import Path

from optbuild.execution.command import Command, Stream
from optbuild.profile.cargo_words import CargoCall
from optbuild.profile.placeholders import PlaceholderKind
from optbuild.profile.workloads import MetricName, Use
from optbuild.tools.wheels import WHEEL
from optbuild.workloads.output_files import find_output_files
from optbuild.workloads.readiness import ReadyKind
from optbuild.workloads.words import LOADER_PATH, Values, Word, Words, join_paths, named_in, render_words

_CARGO = "cargo"
_PYTHON_PATH = "PYTHONPATH"


class Kind(StrEnum):
    """The kind of a workload: the key that defines it."""

    COMMAND = "command"
    SERVER = "server"
    CARGO = "cargo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """How a server shows that it is ready, and how many seconds it has for that."""

    kind: ReadyKind
    value: Word
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A program that runs while a load sends it requests."""

    argv: Words
    ready: Ready


class Moment(StrEnum):
    """When an untimed command runs: `setup` and `cleanup` around all runs, the others around each."""

    SETUP = "setup"
    PREPARE = "prepare"
    CONCLUDE = "conclude"
    CLEANUP = "cleanup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """How one workload is run, whichever variant's binaries it is given.

    Attributes:
        name: As the user wrote it.
        slug: The name as a file name.
        argv: What is timed: the command, the load on a server, or the programs that this call of cargo would run.
        bins: The built files that its commands use: names of programs, file names of libraries.
        env: The whole environment.
        declared_env: Variables that the build profile itself sets; the values may be shown.
        passed_env: Names taken from the caller's environment; their values may not be shown.
        scratch: Its own directory, recreated before each run; with a `setup`, only before that.
        inputs: Files and directories whose content decides what it does.
        compare_output: `auto`, `stdout`, `none`, or files below `cwd` or `{scratch}`.
        compare_filter: Regular expressions; text that they match in its output is ignored.
        compare_tolerance: How much floats in its output may differ.
        named: The undeclared inputs: its command names them, and may also write to them.
        absent: Missing files that its command might name: outputs, if it creates them.
        creates: Outputs that its command names: missing files, and those that it is known to have created.
        programs: Files that its commands start without a search of PATH, including scripts of interpreters.
        repeat: The number of runs in a training.
        parallel: Its training may run alongside those of others with this setting.
        beside: Its untimed commands, by the moment when they run.
        server: The target of the load; each run starts and stops it.
        port_env: Variables of the environment whose values name a port.
        needs_flush_object: A signal may end its programs, which then need help to write their counts.
        call: The call of cargo whose programs are the workload.
        runner: What starts those programs, if Cargo's configuration has a runner.
        not_built: Programs of the project that are not in the directory of those it runs.
    """

    name: str
    slug: str
    argv: Words
    bins: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    declared_env: Mapping[str, str]
    passed_env: tuple[str, ...]
    scratch: Path
    stdin: Path | None
    inputs: tuple[Path, ...]
    use: tuple[Use, ...]
    weight: float
    timeout_s: float
    expect_exit: int
    compare_output: str | tuple[str, ...]
    metric: MetricName
    stop_signal: int
    grace_s: float
    compare_filter: tuple[str, ...] = ()
    compare_tolerance: float | None = None
    named: tuple[Path, ...] = ()
    absent: tuple[Path, ...] = ()
    creates: tuple[Path, ...] = ()
    programs: tuple[Path, ...] = ()
    repeat: int = 1
    parallel: bool = False
    beside: Mapping[Moment, Words] = field(default_factory=dict)
    server: Server | None = None
    port_env: Mapping[str, Word] = field(default_factory=dict)
    needs_flush_object: bool = False
    call: CargoCall | None = None
    runner: tuple[str, ...] = ()
    not_built: tuple[str, ...] = ()

    def recipe(self) -> object:
        """What decides the result of running it, apart from contents of files and the caller's environment."""
        return (
            self.argv,
            self.cwd,
            self.declared_env,
            self.passed_env,
            self.stdin,
            self.inputs,
            self.timeout_s,
            self.expect_exit,
            self.stop_signal,
            self.grace_s,
            self.repeat,
            self.beside,
            self.server,
            self.runner,
        )

    @property
    def comparing(self) -> object:
        """What decides how its outputs compare, apart from the outputs."""
        return self.compare_output, self.compare_filter, self.compare_tolerance

    @property
    def output_files(self) -> Mapping[str, Path]:
        """The files that `compare-output` names, as it names them."""
        return find_output_files(self.compare_output, cwd=self.cwd, scratch=self.scratch)

    @property
    def kind(self) -> Kind:
        """The kind of workload."""
        if self.call is not None:
            return Kind.CARGO
        return Kind.COMMAND if self.server is None else Kind.SERVER

    @property
    def ports(self) -> tuple[str, ...]:
        """The names of the ports that it needs."""
        ready = () if self.server is None else (self.server.ready.value,)
        return named_in((*chain(*self.commands.values()), *ready, *self.port_env.values()), PlaceholderKind.PORT)

    def env_with(self, values: Values) -> Mapping[str, str]:
        """The whole environment of one run; shared libraries next to the programs are found."""
        directory = values.library_directory(self.bins)
        libraries = {} if directory is None else {LOADER_PATH: join_paths(directory, self.env.get(LOADER_PATH))}
        if (wheel := values.binaries.get(WHEEL)) is not None:
            libraries[_PYTHON_PATH] = join_paths(str(wheel), self.env.get(_PYTHON_PATH))
        return {**self.env, **libraries, **{name: values.fill(word) for name, word in self.port_env.items()}}

    def shown_argv(self) -> tuple[str, ...]:
        """The argv as people wrote it, `{bin:NAME}` for binaries."""
        return render_words(self.argv)

    @property
    def commands(self) -> Mapping[str, Words]:
        """Everything that it runs, by key, except what cargo builds first."""
        beside = {str(moment): words for moment, words in self.beside.items()}
        if self.call is not None:
            return beside
        if self.server is None:
            return {"command": self.argv, **beside}
        return {"server": self.server.argv, "load": self.argv, **beside}

    def make_command(
        self,
        values: Values,
        *,
        extra_env: Mapping[str, str],
        stdout: Path | Stream,
        stderr: Path | Stream,
    ) -> Command:
        """The command that is timed."""
        return Command(
            argv=values.fill_all(self.argv),
            cwd=self.cwd,
            env={**self.env_with(values), **extra_env},
            stdin=self.stdin,
            stdout=stdout,
            stderr=stderr,
            timeout_s=self.timeout_s,
            stop_signal=self.stop_signal,
            grace_s=self.grace_s,
        )
