"""The one driver of cargo's builds: starts it, reads its messages, shows what rustc says, and takes its artifacts.

Cargo decides what is fresh; nothing here second-guesses it. An unchanged build costs a fraction of a second.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path

from optbuild.errors import BuildError, ToolchainError
from optbuild.events import ActionProgressed, Emit, ForeignText, Level, Notice
from optbuild.execution.command import Command, Executor, ProgramNotFoundError
from optbuild.execution.jobserver import Jobserver
from optbuild.files import atomic_copy, sha256_of, writing
from optbuild.making.cargo.build_scripts import find_earlier_runs, read_script_run
from optbuild.making.cargo.kept_runs import cargo_build_path, find_cargo_build, keep_cargo_build
from optbuild.making.cargo.shared_libraries import find_loaded, libraries_in
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.results import Artifact, Compiled, ProfileUse, ScriptRun
from optbuild.profile.cargo_words import CargoCall
from optbuild.text import last_lines, sanitize_line
from optbuild.toolchain.packages import USE_STABLE
from optbuild.tools.cargo import (
    BuildScriptExecuted,
    CompilerArtifact,
    CompilerMessage,
    parse_message,
    short_package_name,
)
from optbuild.tools.cargo_programs import StartedProgram, parse_started
from optbuild.tools.mangling import join_unit
from optbuild.tools.rustc import MISMATCHED_FUNCTION, MISSING_FUNCTION, OF_A_PROFILE
from optbuild.workloads.cargo_build import PACKAGE_NAME, CargoBuild, CargoProgram
from optbuild.workloads.harness import find_harness
from optbuild.workloads.words import is_shared_library

_BLOCKED = b"Blocking waiting for file lock"
_SHARED = b"package cache"  # held for moments by every cargo, our own others included
_SHOWN_ERROR_LINES = 40
# How cargo shows a compilation under `-vv`: the environment first, in which a package's description may have lines.
_RUNNING = re.compile(rb"\s+Running `")
# One that is not for the target has no `--target`. What a build script prints stands behind its package's name.
_COMPILATION = re.compile(rb"(?!\[\S+ [^\]]+\] ).* --crate-name (?P<crate>\S+) .*--target ")
_PROFILED = b"profile_use="
# What cargo says before it builds anything, and what mends that.
_REMEDIES = (
    (
        b"--locked was passed",
        "let cargo bring Cargo.lock up to date (`cargo check`), or write `locked = false` under [project]",
    ),
    (
        b"path segment contains separator",
        "cargo cannot build below a directory with `:` in its name: export CARGO_TARGET_DIR=DIR",
    ),
    (b" requires rustc ", f"use a newer toolchain: {USE_STABLE}; or older dependencies: cargo update NAME --precise"),
)
# What rustup's stand-in for cargo sets for itself.
_OF_RUSTUP = re.compile("RUSTUP_|RUST_RECURSION_COUNT$|PATH$")

_DEBUG = frozenset({".dwp", ".pdb"})  # files of debug information beside what it is about


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
    _shown: set[str] = field(default_factory=set)

    @property
    def jobserver_auth(self) -> str:
        """How cargo is told of the jobs that it shares."""
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
        inherits = () if self.jobserver is None else self.jobserver.descriptors
        command = Command(argv=action.argv, cwd=action.cwd, env={**self.environ, **env}, sweep=False, inherits=inherits)
        earlier = find_earlier_runs(action.cargo_target)
        with _open_log(log) as stream:
            given = command.env
            listener = _Listener(action=action, emit=self.emit, log=stream, shown=self._shown, given=given)
            try:
                completed = self.executor.run(command, on_stdout=listener.hear_message, on_stderr=listener.hear_status)
            except ProgramNotFoundError as error:
                raise ToolchainError(
                    f"cannot start cargo: {error}", help="optbuild doctor", location=str(action.cwd)
                ) from error
        if completed.exit_code != 0:
            raise _build_error(action, completed.exit_code, bytes(listener.status), log)
        if listener.units:
            self._units[_asked_for(action)] = listener.units
        if action.recipe.call is not None and not listener.programs:
            raise _nothing_to_run(action, log)
        scripts = self._look_at_scripts(listener, earlier)
        loaded = self._find_libraries(action, listener)
        listener.products |= loaded
        artifacts = {name: _keep(action, name, listener, log) for name in (*listener.wanted(), *loaded)}
        if (build := listener.cargo_build()) is not None:
            keep_cargo_build(action, build)
        _delete_others(action, artifacts)
        return Compiled(
            artifacts=artifacts,
            duration_s=completed.usage.wall_s,
            units=listener.units,
            reused=listener.fresh,
            fresh_target_units=listener.fresh_target_units,
            executables=tuple(listener.products.values()),
            log=log,
            profile_use=listener.profile_use() if action.role is Role.OPTIMISE else None,
            cargo_build=build,
            scripts=scripts,
            peak_rss_bytes=completed.usage.peak_rss_bytes,
        )

    def _find_libraries(self, action: Compile, listener: _Listener) -> dict[str, Path]:
        """The shared libraries that what was built loads, and that only `cargo run` would let it find."""
        wanted = listener.wanted()
        programs = [listener.products[name] for name in wanted if name in listener.products]
        own = () if self.sysroot is None else (self.sysroot / "lib/rustlib" / action.recipe.target / "lib",)
        known = {path.resolve() for path in programs}
        candidates = [*listener.shared, *libraries_in((*listener.library_directories, *own))]
        loaded = find_loaded(programs, [path for path in candidates if path.resolve() not in known])
        message = f"{', '.join(map(sanitize_line, wanted))} loads {', '.join(map(sanitize_line, loaded))}"
        if loaded and message not in self._shown:
            self._shown.add(message)
            told = f"{message}, which only `cargo run` would find: kept with it, and the loader is told where"
            self.emit(Notice(level=Level.INFO, code="shared-libraries", message=told))
        return loaded

    def _look_at_scripts(self, listener: _Listener, earlier: Mapping[Path, int]) -> dict[str, ScriptRun]:
        """What build scripts have left behind; tell of those that run in every build, or ran again."""
        scripts = {}
        for package_id, out_dir in listener.out_dirs.items():
            name, root = short_package_name(package_id), listener.roots.get(package_id, out_dir)
            scripts[package_id] = script = read_script_run(name, out_dir, root, earlier)
            when, why = ("runs in every build", script.always) if script.always else ("ran again", script.again)
            message = f"the build script of {sanitize_line(name)} {when}: {why}; what it belongs to is built anew"
            if why is not None and message not in self._shown:
                self._shown.add(message)
                remedy = "name only files that are there, and that no build changes, by cargo:rerun-if-changed"
                self.emit(Notice(level=Level.INFO, code="build-script-ran", message=message, help=remedy))
        return scripts


def _asked_for(action: Compile) -> tuple[tuple[str, ...], CargoCall | None]:
    return action.recipe.products, action.recipe.call


@dataclass(slots=True, kw_only=True)
class _Listener:
    """Hears what cargo says during one build.

    Attributes:
        given: The environment that cargo was given.
        programs: What cargo would have run.
        started: The binaries beside them, which they may start.
        debug: The files of debug information of each product.
        roots: The directory of each package.
        out_dirs: Where the build script of each package of the program writes.
        shared: Shared libraries of Rust that were built for the program.
        library_directories: Where build scripts have put libraries, as far as that is below the target directory.
        in_command: A command is being shown, and no compilation was seen since it began.
    """

    action: Compile
    emit: Emit
    log: FileIO
    shown: set[str]
    given: Mapping[str, str]
    programs: list[CargoProgram] = field(default_factory=list)
    started: dict[str, Path] = field(default_factory=dict)
    units: int = 0
    fresh: bool = True
    fresh_target_units: int = 0
    missing: int = 0
    missing_names: dict[str, set[str]] = field(default_factory=dict)
    mismatched: int = 0
    complaints: set[str] = field(default_factory=set)
    profiled: set[str] = field(default_factory=set)
    unprofiled: set[str] = field(default_factory=set)
    libraries: dict[str, set[str]] = field(default_factory=dict)
    products: dict[str, Path] = field(default_factory=dict)
    debug: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    roots: dict[str, Path] = field(default_factory=dict)
    out_dirs: dict[str, Path] = field(default_factory=dict)
    shared: list[Path] = field(default_factory=list)
    library_directories: list[Path] = field(default_factory=list)
    status: bytearray = field(default_factory=bytearray)
    in_command: bool = False

    def hear_message(self, line: bytes) -> None:
        message = parse_message(line)
        if isinstance(message, CompilerArtifact):
            self._finish_unit(message.package_id)
            if message.manifest_path is not None:
                self.roots[message.package_id] = message.manifest_path.parent
            self.fresh &= message.fresh
            if self._is_for_target(message):
                self.fresh_target_units += message.fresh
                if not {"bin", "example", "test", "bench"} & {*message.target.kind}:
                    crate = message.target.name.replace("-", "_")
                    self.libraries.setdefault(crate, set()).add(message.package_id)
                self.shared += (path for path in message.filenames if is_shared_library(path.name))
            self._find_products(message)
        elif isinstance(message, BuildScriptExecuted):
            self._finish_unit(message.package_id)
            if message.out_dir is not None and self._is_below_target(message.out_dir):
                self.out_dirs[message.package_id] = message.out_dir
            self.library_directories += filter(self._is_below_target, message.library_directories)
        elif isinstance(message, CompilerMessage):
            self._hear_rustc(message)
        elif (started := parse_started(line)) is not None:
            self._hear_started(started)
        elif message is None:
            self._write(line)

    def _hear_started(self, started: StartedProgram) -> None:
        call = self.action.recipe.call
        if call is not None and call.packages and started.env.get(PACKAGE_NAME) not in call.packages:
            return  # it was only built beside theirs, so that features unify
        path = Path(started.argv[0])
        added = {name: value for name, value in started.env.items() if self.given.get(name) != value}
        self.products[path.name] = path
        self.programs.append(
            CargoProgram(
                name=path.name,
                arguments=started.argv[1:],
                cwd=Path(started.cwd),
                env={name: value for name, value in sorted(added.items()) if _OF_RUSTUP.match(name) is None},
                harness=find_harness(path),
            )
        )

    def wanted(self) -> tuple[str, ...]:
        """The names of the products to keep."""
        recipe = self.action.recipe
        return recipe.products if recipe.call is None else tuple(self.products)

    def cargo_build(self) -> CargoBuild | None:
        return CargoBuild(programs=tuple(self.programs), started=self.started) if self.programs else None

    def _find_products(self, artifact: CompilerArtifact) -> None:
        recipe = self.action.recipe
        if recipe.call is not None:
            if artifact.executable is not None and "bin" in artifact.target.kind and not artifact.profile.test:
                name = artifact.executable.name
                self.products[name] = self.started[name] = artifact.executable
            return
        found: dict[str, Path] = {}
        if artifact.executable is not None:
            names = recipe.examples if "example" in artifact.target.kind else recipe.bins
            if artifact.target.name in names and {"bin", "example"}.intersection(artifact.target.kind):
                found[artifact.target.name] = artifact.executable
        elif self._is_for_target(artifact):
            found = {path.name: path for path in artifact.filenames if path.name in recipe.libs}
        self.products |= found
        # Only what cargo names: beside it may lie what a build with other settings has left.
        debug = tuple(path for path in artifact.filenames if path.suffix in _DEBUG and path.is_file())
        self.debug |= dict.fromkeys(found, debug)

    def _is_for_target(self, artifact: CompilerArtifact) -> bool:
        """Whether a unit is one of the program's own, rather than a build script or macro that runs while it is built.

        Sources: The Cargo Book, "Build cache", https://doc.rust-lang.org/cargo/reference/build-cache.html
        """
        return any(map(self._is_below_target, artifact.filenames))

    def _is_below_target(self, path: Path) -> bool:
        return path.is_relative_to(self.action.cargo_target / self.action.recipe.target)

    def _write(self, data: bytes) -> None:
        with writing(Path(self.log.name)):
            self.log.write(data)

    def _finish_unit(self, package_id: str) -> None:
        self.units += 1
        name = short_package_name(package_id)
        self.emit(ActionProgressed(action=self.action.id, done=self.units, detail=name))

    def _hear_rustc(self, message: CompilerMessage) -> None:
        rendered = message.message.rendered or message.message.message
        self._write(rendered.encode("utf-8", "replace"))
        if missing := MISSING_FUNCTION.search(message.message.message):
            self.missing += 1
            owner = message.target.name if "bin" in message.target.kind else ""
            self.missing_names.setdefault(owner, set()).add(join_unit(missing["unit"], missing["symbol"]))
        elif MISMATCHED_FUNCTION.search(message.message.message):
            self.mismatched += 1
        elif complaint := OF_A_PROFILE.search(message.message.message):
            self.complaints.add(complaint[1])
        elif rendered not in self.shown and (message.message.level == "error" or self._concerns_user(message)):
            self.shown.add(rendered)  # each variant repeats the same warnings: once is enough
            self.emit(ForeignText(text=rendered))

    def _concerns_user(self, message: CompilerMessage) -> bool:
        """Warnings of the user's own crates, as plain cargo shows them; `-vv` brings those of all others as well."""
        return message.package_id.startswith("path+")

    def hear_status(self, line: bytes) -> None:
        self._write(line)
        self.status += line
        self.in_command = self.in_command or _RUNNING.match(line) is not None
        if self.in_command and (compilation := _COMPILATION.match(line)):
            self.in_command = False
            crates = self.profiled if _PROFILED in line else self.unprofiled
            crates.add(compilation["crate"].decode("utf-8", "replace"))
        if _BLOCKED in line and _SHARED not in line:
            self.emit(
                Notice(
                    level=Level.INFO,
                    code="cargo-blocked",
                    message=f"another cargo holds {self.action.directory.parent.parent}: waiting for it",
                )
            )

    def profile_use(self) -> ProfileUse:
        return ProfileUse(
            missing_functions=self.missing,
            mismatched_functions=self.mismatched,
            missing_names={owner: frozenset(names) for owner, names in self.missing_names.items()},
            complaints=tuple(sorted(self.complaints)),
            profiled=tuple(sorted(self.profiled)),
            unprofiled=tuple(sorted(self.unprofiled)),
            versions={crate: len(packages) for crate, packages in self.libraries.items() if len(packages) > 1},
        )


def _open_log(path: Path) -> FileIO:
    """Open a log without a buffer: a full disk is then told by the write that it concerns."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb", buffering=0)


def find_kept(action: Compile) -> dict[str, Artifact] | None:
    """What an action built in an earlier run, as it is kept; None where a product is missing."""
    if not action.directory.is_dir():
        return None
    files = sorted(action.directory.iterdir())
    files = [path for path in files if path.suffix not in _DEBUG]
    by_name = {path.stem: path for path in files} | {path.name: path for path in files}  # a program may have a suffix
    names: Collection[str] = action.recipe.products
    if action.recipe.call is not None:
        build = find_cargo_build(action)
        names = () if build is None else (*build.started, *(program.name for program in build.programs))
    if (action.recipe.call is not None and not names) or not all(name in by_name for name in names):
        return None
    names = dict.fromkeys((*names, *(path.name for path in files if is_shared_library(path.name))))
    return {name: _artifact(action, name, by_name[name], sha256_of(by_name[name])) for name in names}


def _keep(action: Compile, name: str, listener: _Listener, log: Path) -> Artifact:
    """Copy a product out of cargo's directory, where the next build with other flags overwrites it.

    It keeps its file's name, which has a suffix for some targets, and which a library may have to be found by.
    """
    if name not in listener.products:
        raise BuildError(
            f"cargo reported no file for {name!r}",
            help="check `bins` in the build profile against the targets in Cargo.toml",
            location=str(log),
        )
    kept, sha256 = _kept_copy(action, listener.products[name])
    debug = tuple(_kept_copy(action, path)[0] for path in listener.debug.get(name, ()))
    return replace(_artifact(action, name, kept, sha256), debug=debug)


def _kept_copy(action: Compile, built: Path) -> tuple[Path, str]:
    sha256 = sha256_of(built)
    kept = action.directory / built.name
    if not kept.is_file() or sha256_of(kept) != sha256:
        atomic_copy(built, kept)
    return kept, sha256


def _delete_others(action: Compile, artifacts: Mapping[str, Artifact]) -> None:
    """Delete what an earlier call has left: the files of tests and benches get another name with each change."""
    kept = {path for artifact in artifacts.values() for path in (artifact.path, *artifact.debug)}
    with writing(action.directory):
        action.directory.mkdir(parents=True, exist_ok=True)  # a library for Rust alone leaves nothing to keep
    for path in action.directory.iterdir():
        if path not in kept and path != cargo_build_path(action):
            with writing(path):
                path.unlink()


def _artifact(action: Compile, name: str, kept: Path, sha256: str) -> Artifact:
    return Artifact(bin=name, path=kept, sha256=sha256, size_bytes=kept.stat().st_size, produced_by=action.id)


def _nothing_to_run(action: Compile, log: Path) -> BuildError:
    call = action.recipe.call
    verb = "run" if call is None else call.verb
    return BuildError(
        f"{action.label}: cargo {verb} would run nothing",
        help=f"see what there is: cargo {verb} -- --list; and correct `cargo` in the workload's [[workloads]] table",
        location=str(log),
    )


def _build_error(action: Compile, exit_code: int, status: bytes, log: Path) -> BuildError:
    lines = status.splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if line.startswith(b"error")), max(0, len(lines) - 20))
    detail = last_lines(b"".join(lines[first : first + _SHOWN_ERROR_LINES]), _SHOWN_ERROR_LINES)
    if b"SIGKILL" in status:
        return BuildError(
            f"{action.label}: the system killed the compiler, most likely for want of memory",
            help='build with fewer jobs (`--jobs 1`), or use `lto = "thin"` in this variant',
            location=str(log),
            detail=detail,
        )
    how = f"exit code {exit_code}" if exit_code >= 0 else f"signal {-exit_code}"
    remedies = (remedy for said, remedy in _REMEDIES if said in status)
    return BuildError(
        f"{action.label}: cargo failed ({how})",
        help=next(remedies, "mend what the compiler says above; the whole log is in the file named here"),
        location=str(log),
        detail=detail,
    )
