"""A workload ready to run: with absolute paths and a complete environment, and only the binaries open.

The same invocation trains an instrumented binary and measures every variant. Nothing is run here.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.execution.command import Command, Stream
from optbuild.profile.cargo_words import CargoCall, parse_cargo_words
from optbuild.profile.model import BuildProfile, MetricName, ReadySettings, Use, Workload, slug
from optbuild.profile.placeholders import PlaceholderKind
from optbuild.project.model import LibFile
from optbuild.tools.wheels import WHEEL
from optbuild.workloads.environment import is_secret_name, make_workload_env
from optbuild.workloads.named_files import find_absent_paths, find_named_path, find_programs
from optbuild.workloads.output_files import find_output_files
from optbuild.workloads.readiness import ReadyKind, check_ready_value
from optbuild.workloads.words import LOADER_PATH, Values, Word, WordFiller, Words, join_paths, named_in, render_words

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
        """The whole environment of one run; shared libraries that stand beside the programs are found."""
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


def make_invocation(  # noqa: PLR0913 - all that placeholders may stand for, by name
    workload: Workload,
    build_profile: BuildProfile,
    *,
    bins: tuple[str, ...],
    default_bin: str | None,
    libs: tuple[LibFile, ...] = (),
    runner: tuple[str, ...] = (),
    needs_runner: bool = True,
    python: Path | None = None,
    scratch: Path,
    environ: Mapping[str, str],
    written: frozenset[Path] = frozenset(),
) -> Invocation:
    """Make a workload ready to run.

    Args:
        workload: As in the build profile.
        build_profile: Whose directory its paths are relative to.
        bins: The binaries that will be built.
        default_bin: What `{bin}` stands for, if unambiguous.
        libs: The libraries that will be built.
        runner: What starts the programs that are built.
        needs_runner: They do not run here without it.
        python: The interpreter that a wheel is built for, if one is built.
        scratch: Where scratch directories are created.
        environ: The caller's environment.
        written: What it is known to have created, and is therefore not an input.

    Raises:
        UsageError: A placeholder has no value: no such binary, an ambiguous `{bin}`, an unset variable, a secret; or
            `pass-env` names a secret.
    """
    _refuse_secrets(workload)
    name = slug(workload.name)
    fill = WordFiller(
        workload.name,
        bins=bins,
        default_bin=default_bin,
        libs=libs,
        scratch=scratch / name,
        environ=environ,
        runner=runner,
        needs_runner=needs_runner,
        python=python,
    )
    call = None if workload.cargo is None else parse_cargo_words(tuple(map(fill.text, workload.cargo)))
    argv = fill.words(workload.command or workload.load or (_CARGO, *(workload.cargo or ())))
    # None of cargo's words is a file; the programs run where cargo would be called.
    timed = argv if call is None else tuple((word,) for word in (_CARGO, *call.arguments))
    server = None if workload.server is None else _make_server(workload, fill)
    beside = {moment: fill.words(words) for moment in Moment if (words := getattr(workload, moment.value)) is not None}
    commands = (*(() if server is None else (server.argv,)), timed, *beside.values())
    variables = {key: fill.word(value) for key, value in workload.env.items()}
    port_env = {key: word for key, word in variables.items() if named_in((word,), PlaceholderKind.PORT)}
    declared = {
        key: render_words((word,))[0] if key in port_env else fill.text(workload.env[key])
        for key, word in variables.items()
    }
    directory = build_profile.directory
    cwd = (directory / workload.cwd).resolve()
    if call is not None:
        cwd = (directory / build_profile.project.manifest).resolve().parent
    stdin = None if workload.stdin is None else directory / fill.text(workload.stdin)
    inputs = [directory / fill.text(text) for text in workload.inputs]
    # An argument that names a file or a directory is an input, declared or not.
    programs = [path for words in commands for path in find_programs(cwd, words, scratch / name)]
    compared = find_output_files(workload.compare_output, cwd=cwd, scratch=scratch / name)
    known = {*inputs, *programs, stdin, *compared.values(), *written}
    arguments = [word for words in commands for word in words[1:]]
    found = [path for word in arguments if (path := find_named_path(cwd, word)) is not None]
    named = [path for path in found if path not in known and not path.is_relative_to(scratch / name)]
    inputs += named if stdin is None else [*named, stdin]
    absent = tuple(dict.fromkeys(path for word in arguments for path in find_absent_paths(cwd, word)))
    return Invocation(
        name=workload.name,
        slug=name,
        argv=argv,
        bins=named_in(chain(*commands), PlaceholderKind.BIN, PlaceholderKind.LIB),
        cwd=cwd,
        env=make_workload_env(declared, workload.pass_env, environ),
        declared_env=declared,
        passed_env=workload.pass_env,
        scratch=scratch / name,
        stdin=stdin,
        inputs=tuple(dict.fromkeys(inputs)),
        use=tuple(sorted(workload.use)),
        weight=workload.weight,
        timeout_s=workload.timeout_s,
        expect_exit=workload.expect_exit,
        compare_output=workload.compare_output,
        compare_filter=workload.compare_filter,
        compare_tolerance=workload.compare_tolerance,
        metric=workload.metric or build_profile.measure.metric,
        stop_signal=signal.Signals[f"SIG{workload.stop_signal}"],
        grace_s=workload.grace_s,
        named=tuple(dict.fromkeys(named)),
        absent=absent,
        creates=tuple(dict.fromkeys([*absent, *(path for path in found if path in written)])),
        programs=tuple(dict.fromkeys(path for path in programs if path not in inputs)),
        repeat=workload.repeat,
        parallel=workload.parallel,
        beside=beside,
        server=server,
        port_env=port_env,
        needs_flush_object=server is not None if workload.flush_object is None else workload.flush_object,
        call=call,
        runner=() if call is None else runner,
    )


def _make_server(workload: Workload, fill: WordFiller) -> Server:
    argv = fill.words(workload.server or ())
    ready = workload.ready or ReadySettings(tcp="{port}")
    kind = next(kind for kind in ReadyKind if getattr(ready, kind.value) is not None)
    value = fill.word(getattr(ready, kind.value))
    sample = Values(binaries={}, ports=dict.fromkeys(named_in((value,), PlaceholderKind.PORT), 1))
    if named_in((value,), PlaceholderKind.BIN):
        raise UsageError(
            f"workload {workload.name!r}: `ready` may not name a binary", help="name a {port}, a URL or a text"
        )
    if (problem := check_ready_value(kind, sample.fill(value))) is not None:
        raise UsageError(
            f"workload {workload.name!r}: `ready.{kind}` is {render_words((value,))[0]!r}: {problem}",
            help='write for instance `ready = { tcp = "{port}" }`'
            ' or `ready = { http = "http://127.0.0.1:{port}/health" }`',
        )
    return Server(argv=argv, ready=Ready(kind=kind, value=value, within_s=ready.within_s))


def _refuse_secrets(workload: Workload) -> None:
    """Refuse what would silently be left out of the environment: the program would only miss it later."""
    if secrets := [name for name in workload.pass_env if is_secret_name(name)]:
        raise UsageError(
            f"workload {workload.name!r}: `pass-env` names {secrets[0]}, which looks like a secret",
            help="a workload's output is kept in logs: let it read the secret from a file instead",
        )
