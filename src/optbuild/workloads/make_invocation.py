"""Make workloads of the build profile ready to run: fill their placeholders, find their files. Nothing is run here."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.profile.cargo_words import parse_cargo_words
from optbuild.profile.model import BuildProfile
from optbuild.profile.placeholders import PlaceholderKind
from optbuild.profile.workloads import ReadySettings, Workload, slug
from optbuild.workloads.environment import is_secret_name, make_workload_env
from optbuild.workloads.invocation import Invocation, Moment, Ready, Server
from optbuild.workloads.named_files import find_absent_paths, find_named_path, find_programs
from optbuild.workloads.output_files import find_output_files
from optbuild.workloads.readiness import ReadyKind, check_ready_value
from optbuild.workloads.words import BuiltNames, Values, Word, WordFiller, Words, named_in, render_words

_CARGO = "cargo"


def make_invocation(
    workload: Workload,
    build_profile: BuildProfile,
    built: BuiltNames,
    *,
    scratch: Path,
    environ: Mapping[str, str],
    written: frozenset[Path] = frozenset(),
) -> Invocation:
    """Make a workload ready to run.

    Args:
        workload: As in the build profile.
        build_profile: Whose directory its paths are relative to.
        built: What it may name.
        scratch: Where scratch directories are created.
        environ: The caller's environment.
        written: What it is known to have created, and is therefore not an input.

    Raises:
        UsageError: A placeholder has no value: no such binary, an ambiguous `{bin}`, an unset variable, a secret; or
            `pass-env` names a secret.
    """
    _refuse_secrets(workload)
    name = slug(workload.name)
    fill = WordFiller(workload=workload.name, built=built, scratch=scratch / name, environ=environ)
    call = None if workload.cargo is None else parse_cargo_words(tuple(map(fill.text, workload.cargo)))
    argv = fill.words(workload.command or workload.load or (_CARGO, *(workload.cargo or ())))
    # None of cargo's words is a file; the programs run where cargo would be called.
    timed = argv if call is None else tuple((word,) for word in (_CARGO, *call.arguments))
    server = None if workload.server is None else _make_server(workload, fill)
    beside = {moment: fill.words(words) for moment in Moment if (words := getattr(workload, moment.value)) is not None}
    commands = (*(() if server is None else (server.argv,)), timed, *beside.values())
    declared, port_env = _fill_env(workload, fill)
    directory = build_profile.directory
    cwd = (directory / workload.cwd).resolve()
    if call is not None:
        cwd = (directory / build_profile.project.manifest).resolve().parent
    files = _find_files(workload, fill, commands, directory=directory, cwd=cwd, scratch=scratch / name, written=written)
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
        stdin=files.stdin,
        inputs=files.inputs,
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
        named=files.named,
        absent=files.absent,
        creates=files.creates,
        programs=files.programs,
        repeat=workload.repeat,
        parallel=workload.parallel,
        beside=beside,
        server=server,
        port_env=port_env,
        needs_flush_object=server is not None if workload.flush_object is None else workload.flush_object,
        call=call,
        runner=() if call is None else built.runner,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """The files of a workload's commands; fields as in `Invocation`."""

    stdin: Path | None
    inputs: tuple[Path, ...]
    named: tuple[Path, ...]
    absent: tuple[Path, ...]
    creates: tuple[Path, ...]
    programs: tuple[Path, ...]


def _find_files(  # noqa: PLR0913 - where files may be, by name
    workload: Workload,
    fill: WordFiller,
    commands: tuple[Words, ...],
    *,
    directory: Path,
    cwd: Path,
    scratch: Path,
    written: frozenset[Path],
) -> _Files:
    """Find what the commands read, write and start; an argument that names a file is an input, declared or not."""
    stdin = None if workload.stdin is None else directory / fill.text(workload.stdin)
    declared = [directory / fill.text(text) for text in workload.inputs]
    programs = [path for words in commands for path in find_programs(cwd, words, scratch)]
    compared = find_output_files(workload.compare_output, cwd=cwd, scratch=scratch)
    known = {*declared, *programs, stdin, *compared.values(), *written}
    arguments = [word for words in commands for word in words[1:]]
    found = [path for word in arguments if (path := find_named_path(cwd, word)) is not None]
    named = _unique(path for path in found if path not in known and not path.is_relative_to(scratch))
    inputs = _unique([*declared, *named, *(() if stdin is None else (stdin,))])
    absent = _unique(path for word in arguments for path in find_absent_paths(cwd, word))
    return _Files(
        stdin=stdin,
        inputs=inputs,
        named=named,
        absent=absent,
        creates=_unique([*absent, *(path for path in found if path in written)]),
        programs=_unique(path for path in programs if path not in inputs),
    )


def _unique(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(paths))


def _fill_env(workload: Workload, fill: WordFiller) -> tuple[Mapping[str, str], Mapping[str, Word]]:
    """The variables that a workload declares, as they may be shown, and those of them whose values name a port."""
    variables = {key: fill.word(value) for key, value in workload.env.items()}
    port_env = {key: word for key, word in variables.items() if named_in((word,), PlaceholderKind.PORT)}
    declared = {
        key: render_words((word,))[0] if key in port_env else fill.text(workload.env[key])
        for key, word in variables.items()
    }
    return declared, port_env


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
