"""A workload of the project's own tests, benches or programs: cargo builds them and says how it would start them.

The programs run one after another, as cargo would run them, from copies: the next variant's build overwrites cargo's
files. A test or bench may start the package's binaries by the path that cargo gave them when it was compiled, so before
each run the binaries of its build are put there.

The results of a bench that measures itself are read, and its output is reduced to what two variants can be compared by:
a bench prints times, but nothing that it computes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from optbuild.errors import WorkloadError
from optbuild.execution.command import Command, Executor, Usage
from optbuild.files import link_or_copy, remove_below, writing
from optbuild.profile.cargo_words import CRITERION_HOME, CargoVerb
from optbuild.text import sanitize_line
from optbuild.workloads.cargo_build import CargoProgram
from optbuild.workloads.harness import (
    Harness,
    counts_itself,
    measures_itself,
    measuring_arguments,
    training_arguments,
    without_criterions_options,
)
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.programs import PROFILE_FILE, Place, WorkloadRun, check_ending, run_program
from optbuild.workloads.self_measured import (
    describe_benchmarks,
    describe_tests,
    read_criterion,
    read_divan,
    read_gungraun,
    read_libtest,
)
from optbuild.workloads.words import LOADER_PATH, Values, join_paths

_Number = TypeVar("_Number", int, float)
_SHORTEST_TIMEOUT_S = 0.001
_WHOLE = frozenset({Harness.VALGRIND, Harness.OTHER})  # what is measured as a whole
# What measures unless it is asked not to
_NAMES = {Harness.CRITERION: "Criterion", Harness.DIVAN: "Divan", Harness.GUNGRAUN: "Gungraun"}
_HASH = re.compile("-[0-9a-f]{16}$")  # in the file names of tests and benches
# Where each keeps its results, which it would compare with an earlier run's.
_GUNGRAUN_HOMES = ("GUNGRAUN_HOME", "IAI_CALLGRIND_HOME")
# In training each bench runs once, without valgrind, and keeps the variable that says where its counts go. Versions
# before 0.20 know neither.
_GUNGRAUN_TRAINING = {"GUNGRAUN_TEST": "true", "GUNGRAUN_ENV_CLEAR": "false"}
_BINARY_VARIABLE = "CARGO_BIN_EXE_"


def run_cargo(executor: Executor, invocation: Invocation, place: Place, values: Values) -> WorkloadRun:
    """Run every program to its end.

    Raises:
        WorkloadError: One cannot be started, ended in another way than expected, or left processes behind.
        WorkloadTimeoutError: All together took longer than the timeout.
        StorageError: A file cannot be written.
    """
    build = place.cargo_build
    assert build is not None  # noqa: S101 - for mypy: whoever runs a workload of this kind has built it
    for name, path in build.started.items():
        _put_back(values.binaries[name], path)
    for home in (_criterion_home(invocation), _gungraun_home(invocation)):
        remove_below(place.root, home)  # from an earlier run, which would be compared with
    is_training = PROFILE_FILE in place.extra_env
    runs: list[_ProgramRun] = []
    for program in _with_their_own_options(build.programs):
        left_s = invocation.timeout_s - sum(run.usage.wall_s for run in runs)
        command = _make_command(program, invocation, place, values)
        command = replace(command, timeout_s=max(left_s, _SHORTEST_TIMEOUT_S))
        named = replace(invocation, name=f"{invocation.name}: {_target_name(program)}")
        completed = run_program(executor, command, named, "cargo")
        check_ending(completed, named, stdout=place.stdout, stderr=place.stderr, arm=place.arm)
        benchmarks = {} if is_training else _read_benchmarks(program, named, place)
        instructions = {} if is_training else _read_instructions(program, place)
        run = _ProgramRun(program=program, usage=completed.usage, benchmarks=benchmarks, instructions=instructions)
        runs.append(run)
        if not is_training and (len(build.programs) > 1 or program.harness not in _WHOLE):
            runs[-1].shown = _comparable_output(runs[-1], place)
    if any(run.shown is not None for run in runs):
        with writing(place.stdout):
            place.stdout.write_bytes(b"".join(run.shown or b"" for run in runs))
    return WorkloadRun(
        usage=_total(run.usage for run in runs),
        benchmarks={} if is_training else _benchmarks_of(runs, invocation),
        instructions=_with_distinct_names([(run.program, run.instructions) for run in runs]),
    )


def _with_their_own_options(programs: tuple[CargoProgram, ...]) -> Iterable[CargoProgram]:
    """Pass Criterion's options only to Criterion: cargo gives them to the harnesses of library and binaries as well."""
    has_criterion = any(program.harness is Harness.CRITERION for program in programs)
    for program in programs:
        if has_criterion and program.harness is Harness.LIBTEST:
            yield replace(program, arguments=without_criterions_options(program.arguments))
        else:
            yield program


@dataclass(slots=True, kw_only=True)
class _ProgramRun:
    """One program, run once.

    Attributes:
        benchmarks: What it measured itself, in seconds.
        instructions: What it counted itself.
        shown: The part of its output that can be compared; None if all of it can, in the file where it was written.
    """

    program: CargoProgram
    usage: Usage
    benchmarks: Mapping[str, float]
    instructions: Mapping[str, int]
    shown: bytes | None = None


def _target_name(program: CargoProgram) -> str:
    return _HASH.sub("", program.name)


def _criterion_home(invocation: Invocation) -> Path:
    return invocation.scratch / "criterion"


def _gungraun_home(invocation: Invocation) -> Path:
    return invocation.scratch / "gungraun"


def _read_instructions(program: CargoProgram, place: Place) -> dict[str, int]:
    if not counts_itself(program.harness, program.arguments):
        return {}
    return read_gungraun(place.stdout.read_text("utf-8", "replace"))


def _read_benchmarks(program: CargoProgram, invocation: Invocation, place: Place) -> dict[str, float]:
    """Read what a bench measured itself; nothing, for most programs."""
    if not measures_itself(program.harness, program.arguments):
        return {}
    if program.harness is Harness.LIBTEST:
        return read_libtest(place.stdout.read_text("utf-8", "replace"))
    if program.harness is Harness.DIVAN:
        return read_divan(place.stdout.read_text("utf-8", "replace"))
    try:
        return read_criterion(_criterion_home(invocation) / program.name)
    except ValueError as error:
        raise WorkloadError(
            f"workload {sanitize_line(invocation.name)!r}: Criterion's samples cannot be used: {error}",
            help="see whether `cargo bench` itself reports a time for each benchmark",
            location=str(place.stderr),
        ) from error


def _comparable_output(run: _ProgramRun, place: Place) -> bytes:
    if run.program.harness in _WHOLE:
        return place.stdout.read_bytes()
    if run.program.harness in _NAMES:
        return describe_benchmarks([*run.benchmarks, *run.instructions]).encode()
    return describe_tests(place.stdout.read_text("utf-8", "replace")).encode()


def _benchmarks_of(runs: list[_ProgramRun], invocation: Invocation) -> dict[str, float]:
    """All benchmarks that measured themselves; other programs of `cargo bench` count by their wall time."""
    found = _with_distinct_names([(run.program, run.benchmarks) for run in runs])
    asked = [run.program for run in runs if _is_asked(run.program)]
    if asked and not found and not any(run.instructions for run in runs):
        names, harness = ", ".join(map(_target_name, asked)), asked[0].harness
        unread = "; a bench that sets `output_directory` or discards its results cannot be read"
        raise WorkloadError(
            f"workload {sanitize_line(invocation.name)!r}: {_NAMES[harness]} measured nothing in "
            + sanitize_line(names),
            help=f"correct the filter in `cargo`{unread if harness is Harness.CRITERION else ''}",
        )
    if not found or invocation.call is None or invocation.call.verb is not CargoVerb.BENCH:
        return found
    whole = [
        (run.program, {_target_name(run.program): run.usage.wall_s}) for run in runs if run.program.harness in _WHOLE
    ]
    return _with_distinct_names([*((run.program, run.benchmarks) for run in runs), *whole])


def _is_asked(program: CargoProgram) -> bool:
    """Whether a program is of a harness that measures unless it is asked not to, and is not asked."""
    measures = measures_itself(program.harness, program.arguments)
    return program.harness in _NAMES and (measures or counts_itself(program.harness, program.arguments))


def _with_distinct_names(runs: Iterable[tuple[CargoProgram, Mapping[str, _Number]]]) -> dict[str, _Number]:
    """The measurements of several programs, under names with as much of package and target as distinguishes them."""
    each = [(program, name, value) for program, values in runs for name, value in values.items()]
    short = Counter(name for _, name, _ in each)
    longer = Counter((_target_name(program), name) for program, name, _ in each)

    def label(program: CargoProgram, name: str) -> str:
        target = _target_name(program)
        if short[name] == 1:
            return name
        return f"{target}/{name}" if longer[target, name] == 1 else f"{program.package}/{target}/{name}"

    return {label(program, name): value for program, name, value in each}


def _make_command(program: CargoProgram, invocation: Invocation, place: Place, values: Values) -> Command:
    """How cargo would start it, but from its copy, and with the build profile's environment."""
    command = invocation.make_command(values, extra_env=place.extra_env, stdout=place.stdout, stderr=place.stderr)
    arguments = program.arguments
    if PROFILE_FILE in place.extra_env:
        arguments += training_arguments(program.harness, arguments)
    else:
        arguments += measuring_arguments(program.harness, arguments)
    env = {**command.env, **program.env}
    env |= {
        _BINARY_VARIABLE + name: str(path) for name, path in values.binaries.items() if _BINARY_VARIABLE + name in env
    }
    if program.harness is Harness.CRITERION:
        env[CRITERION_HOME] = str(_criterion_home(invocation) / program.name)
    if program.harness is Harness.GUNGRAUN:
        env |= dict.fromkeys(_GUNGRAUN_HOMES, str(_gungraun_home(invocation) / program.name))
        env |= _GUNGRAUN_TRAINING if PROFILE_FILE in place.extra_env else {}
    if (directory := values.library_directory(())) is not None:  # before cargo's, where another variant's may lie
        env[LOADER_PATH] = join_paths(directory, program.env.get(LOADER_PATH))
    env |= {name: command.env[name] for name in (*invocation.declared_env, *place.extra_env)}
    return replace(
        command, argv=(*invocation.runner, str(values.binaries[program.name]), *arguments), cwd=program.cwd, env=env
    )


def _put_back(binary: Path, path: Path) -> None:
    """Put a binary at a path, whatever a later build has put there."""
    if path.is_file() and path.samefile(binary):
        return
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        link = path.with_name(f".{path.name}.optbuild")
        link.unlink(missing_ok=True)
        link_or_copy(binary, link)
        link.replace(path)


def _total(usages: Iterable[Usage]) -> Usage:
    """The total cost of programs that ran one after another."""
    each = tuple(usages)
    return Usage(
        wall_s=sum(usage.wall_s for usage in each),
        user_s=sum(usage.user_s for usage in each),
        system_s=sum(usage.system_s for usage in each),
        peak_rss_bytes=max(usage.peak_rss_bytes for usage in each),
        peak_rss_floor_bytes=max(usage.peak_rss_floor_bytes for usage in each),
        major_faults=sum(usage.major_faults for usage in each),
        involuntary_switches=sum(usage.involuntary_switches for usage in each),
        minor_faults=sum(usage.minor_faults for usage in each),
    )
