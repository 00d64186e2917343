"""Call BOLT and LLVM's tools for linked programs: each result is a new file, and no input is ever changed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import ProfileDataError
from optbuild.execution.command import Command, Executor
from optbuild.execution.tool import run_tool
from optbuild.files import atomic_write, sha256_of, writing
from optbuild.plan.counts import BranchCounts
from optbuild.plan.kinds.bolt import BoltInstrument, BoltOptimise, Strip, counts_of
from optbuild.plan.results import Artifact
from optbuild.text import last_lines, sanitize_line
from optbuild.tools.elf_symbols import LinkedProgram, find_symbols, read_linked
from optbuild.tools.llvm_bolt import BoltFacts, instrument_argv, optimise_argv, parse_facts
from optbuild.tools.llvm_objcopy import (
    LONGEST_NAME,
    SHORT,
    Keep,
    long_names,
    rename_argv,
    render_renamings,
    short_names,
    strip_argv,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoltDriver:
    """Calls the tools of one run.

    Attributes:
        environ: The caller's environment.
        logs: Where the output of the tools is kept.
    """

    executor: Executor
    environ: Mapping[str, str]
    logs: Path

    def instrument(self, action: BoltInstrument, linked: Mapping[str, Artifact]) -> dict[str, Artifact]:
        """Make programs count their branches; other binaries stay as they are.

        Raises:
            ProfileDataError: BOLT cannot instrument one.
            ToolchainError: A tool cannot be started.
            StorageError: A file cannot be written.
        """
        made = dict(linked)
        for name in action.programs:
            program = linked[name].path
            output = _place(action.directory, program)
            source = self._with_short_names(action, program, _beside(output, "renamed"))
            unfinished = _beside(output, "unfinished")
            counts = counts_of(action.counts, name)
            self._run(action, instrument_argv(action.tools.bolt.path, program=source, output=unfinished, counts=counts))
            made[name] = _keep(action, linked[name], unfinished, output)
        return made

    def optimise(
        self, action: BoltOptimise, linked: Mapping[str, Artifact], counts: BranchCounts
    ) -> tuple[dict[str, Artifact], dict[str, BoltFacts]]:
        """Lay out programs by their counts, and strip all of them. Raises as `instrument`.

        Returns:
            All programs, and what BOLT reported of those that it laid out.
        """
        made: dict[str, Artifact] = {}
        facts: dict[str, BoltFacts] = {}
        for name, artifact in linked.items():
            output = _place(action.directory, artifact.path)
            source = artifact.path
            if name in action.programs and name in counts.programs:
                source = _beside(output, "laid-out")
                facts[name] = self._lay_out(action, artifact.path, counts.programs[name].path, source)
            made[name] = self._strip(action, artifact, source, action.keep)
        return made, facts

    def strip(self, action: Strip, linked: Mapping[str, Artifact]) -> dict[str, Artifact]:
        """Strip programs. Raises as `instrument`."""
        return {name: self._strip(action, artifact, artifact.path, action.keep) for name, artifact in linked.items()}

    def _lay_out(self, action: BoltOptimise, program: Path, counts: Path, output: Path) -> BoltFacts:
        source = self._with_short_names(action, program, _beside(output, "renamed"))
        argv = optimise_argv(
            action.tools.bolt.path,
            program=source,
            output=output,
            counts=counts,
            is_aarch64=action.is_aarch64,
            keeps_debug=action.keep is Keep.ALL,
        )
        log = self._run(action, argv)
        try:
            found = parse_facts(log)
        except ValueError as error:
            raise ProfileDataError(
                f"{action.label}: the output of llvm-bolt cannot be read: {error}",
                help=f"see what it says: {shlex.join(argv)}",
                location=str(self.logs / f"{action.id}.log"),
                detail=last_lines(log.encode()),
            ) from error
        if action.keep is not Keep.NONE and (names := short_names(_read(program).long_names)):
            renamed = _beside(output, "named")
            self._rename(action, long_names(find_symbols(output, SHORT), names), output, renamed)
            with writing(output):
                renamed.replace(output)
        return found

    def _strip(self, action: BoltOptimise | Strip, artifact: Artifact, source: Path, keep: Keep) -> Artifact:
        linked = read_linked(source, longest_name=LONGEST_NAME)
        output = _place(action.directory, artifact.path)
        if linked is None:  # a library of another kind: nothing of it was kept for BOLT
            return artifact
        unfinished = _beside(output, "unfinished")
        argv = strip_argv(
            action.tools.strip, keep=keep, relocations=linked.relocations, program=source, output=unfinished
        )
        self._run(action, argv)
        if source != artifact.path:
            with writing(source):
                source.unlink()
        return _keep(action, artifact, unfinished, output)

    def _with_short_names(self, action: BoltInstrument | BoltOptimise, program: Path, copy: Path) -> Path:
        """A copy without the names that are too long for BOLT's runtime; the program itself if it has none."""
        names = short_names(_read(program).long_names)
        if not names:
            return program
        self._rename(action, names, program, copy)
        return copy

    def _rename(
        self, action: BoltInstrument | BoltOptimise, names: Mapping[str, str], program: Path, output: Path
    ) -> None:
        renamings = _beside(output, "names")
        atomic_write(renamings, render_renamings(names).encode())
        self._run(action, rename_argv(action.tools.objcopy, renamings=renamings, program=program, output=output))

    def _run(self, action: BoltInstrument | BoltOptimise | Strip, argv: tuple[str, ...]) -> str:
        """Run a tool to its end and add its output to the action's log; return the output."""
        with writing(self.logs):
            self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{action.id}.log"
        command = Command(argv=argv, cwd=action.directory, env={**self.environ, "LC_ALL": "C"})
        completed = run_tool(self.executor, Path(argv[0]).name, command)
        output = completed.stdout + completed.stderr
        with writing(log), log.open("ab") as stream:
            stream.write(output)
        if completed.exit_code != 0:
            raise ProfileDataError(
                f"{action.label}: {Path(argv[0]).name} failed (exit code {completed.exit_code})",
                help='build the variant without BOLT: bolt = false, or bolt = "auto"',
                location=str(log),
                detail=last_lines(output),
            )
        return output.decode("utf-8", "replace")


def _read(program: Path) -> LinkedProgram:
    """A program that BOLT can work with."""
    try:
        linked = read_linked(program, longest_name=LONGEST_NAME)
    except ValueError:
        linked = None
    if linked is None or not linked.has_symbols or not linked.relocations:
        raise ProfileDataError(
            f"BOLT needs the symbols and the relocations of {sanitize_line(program.name)}, and it has none",
            help="remove what strips it from the rustflags or from the linker's arguments",
            location=str(program),
        )
    return linked


def _place(directory: Path, program: Path) -> Path:
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
    return directory / program.name


def _beside(path: Path, what: str) -> Path:
    """A file next to another one."""
    return path.with_name(f"{path.name}.{what}")


def _keep(
    action: BoltInstrument | BoltOptimise | Strip, artifact: Artifact, unfinished: Path, output: Path
) -> Artifact:
    """Put a finished program in its place."""
    with writing(output):
        unfinished.replace(output)
    size = output.stat().st_size
    return Artifact(bin=artifact.bin, path=output, sha256=sha256_of(output), size_bytes=size, produced_by=action.id)
