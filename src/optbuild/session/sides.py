"""Both versions of a comparison, ready to be built: by whose build profile, and refused if that cannot be alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.errors import BuildProfileError, InterruptedRunError, OptbuildError, UsageError
from optbuild.events import Emit, Level, Notice
from optbuild.profile.load import FILE_NAME, default_build_profile, find_build_profile, load_build_profile
from optbuild.profile.model import BuildProfile
from optbuild.profile.placeholders import literal_text
from optbuild.profile.workloads import Use, Workload
from optbuild.project.leaking_config import find_leaking_config
from optbuild.project.outside_paths import find_outside_paths
from optbuild.session.opening import load_for
from optbuild.session.placement import Placement
from optbuild.session.prepare import Prepared, prepare
from optbuild.session.request import Machine, RunRequest
from optbuild.session.sources import WORKING_TREE, Source
from optbuild.session.version_choices import ProfileOwner
from optbuild.text import sanitize_line
from optbuild.toolchain.packages import find_rustup_toolchain

_TOOLCHAIN_FILES = ("rust-toolchain", "rust-toolchain.toml")
_RUSTUP_TOOLCHAIN = "RUSTUP_TOOLCHAIN"
_PLACEHOLDER_FIRST = re.compile(r"\{(?!\{)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One version, ready to be built.

    Attributes:
        name: `old` or `new`.
        request: What is built of it.
        machine: In whose environment the toolchain is named.
    """

    name: str
    source: Source
    variant: str
    prepared: Prepared
    request: RunRequest
    machine: Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class SideMaker:
    """Prepares the sides of one comparison.

    Attributes:
        request: The options that a run has as well.
        top: The top directory of the user's files.
        variant: The variant to build; None stands for the last of the build profile.
        owner: Whose build profile is used.
        compares_outputs: Outputs are looked at.
        emit: Told of what people should know.
    """

    request: RunRequest
    machine: Machine
    top: Path
    variant: str | None
    owner: ProfileOwner
    compares_outputs: bool
    emit: Emit

    def prepare_both(self, old: Source, new: Source) -> tuple[Side, Side]:
        """Both versions; benchmarks are those of the new one where each has its own build profile.

        The compiler is one for both, that of the new version or of the build profile's owner: otherwise the change
        would be that of the compiler as well.

        Raises:
            OptbuildError: Something would stop the builds, or make them unlike.
        """
        if self.owner is ProfileOwner.OLD:
            profile, home = self._load(old)
            first = self._prepare("old", old, profile, home, self.machine)
            second = self._prepare("new", new, profile, home, _with_toolchain(self.machine, first))
            self._report_toolchains(first, second)
            return first, second
        profile, home = self._load(new)
        first = self._prepare("new", new, profile, home, self.machine)
        if self.owner is ProfileOwner.EACH:
            profile, home = self._load(old)
            if not self.request.has_command:
                profile = _with_benchmarks_of(first.prepared.build_profile, profile)
        second = self._prepare("old", old, profile, home, _with_toolchain(self.machine, first))
        self._report_toolchains(first, second)
        return second, first

    def prepare_new(self, new: Source) -> Side:
        """The new version by its own build profile.

        Raises:
            OptbuildError: Something would stop the build.
        """
        return self._prepare("new", new, *self._load(new), self.machine)

    def _load(self, owner: Source) -> tuple[BuildProfile, Path]:
        """A build profile, and the top of the files that its manifest is among."""
        if self.request.build_profile is not None or owner.name == WORKING_TREE:
            return load_for(self.request, self.machine), self.top
        start = owner.files / self.request.directory.resolve().relative_to(self.top)
        found = find_build_profile(start) if start.is_dir() else None
        if found is not None and found.is_relative_to(owner.files):
            return load_build_profile(found, directory=start), owner.files
        if self.request.has_command and start.is_dir():
            return default_build_profile(start), owner.files
        raise UsageError(
            f"{owner.name} has no {FILE_NAME}",
            help=f"take one file for both versions: -f {FILE_NAME}; or the build profile of the other version: "
            "--build-profile-of new, or old",
            location=str(owner.files),
        )

    def _prepare(self, name: str, source: Source, build_profile: BuildProfile, home: Path, machine: Machine) -> Side:
        with about(name, source.name):
            variant = self.variant or tuple(build_profile.variants)[-1]
            measure = replace(build_profile.measure, baseline=variant)  # the only one that is built
            # Outputs of the old version are compared where the new one lies: only what cargo would run is built here.
            measures = name == "new" or (not self.request.has_command and _has_cargo_benchmarks(build_profile))
            request = replace(self.request, variants=(variant,), measure=measures)
            manifest = _manifest_in(source, build_profile, home)
            build_profile = replace(build_profile, measure=measure)
            if not self.compares_outputs:
                blind = tuple(replace(w, compare_output="none") for w in build_profile.workloads)
                build_profile = replace(build_profile, workloads=blind)
            placement = Placement(build_profile=build_profile, manifest=manifest, layout=source.layout)
            prepared = prepare(request, machine, trusted=True, placement=placement)
            if prepared.inputs.not_measurable is not None:
                raise UsageError(
                    f"nothing can be measured: {prepared.inputs.not_measurable}",
                    help="name an emulator as the target's `runner` in Cargo's configuration",
                )
            self._check_cargo_config(source, prepared.inputs.toolchain.target)
            self._check_paths(source, prepared)
        if prepared.inputs.project.lockfile is None:
            self._warn(
                "no-lock-file",
                f"{source.name} has no Cargo.lock: it is built with the dependencies that cargo chooses today",
                "their changes are in the result; commit a Cargo.lock with each version",
            )
        return Side(name=name, source=source, variant=variant, prepared=prepared, request=request, machine=machine)

    def _check_cargo_config(self, source: Source, target: str) -> None:
        """Cargo reads the configuration of all directories above: the user's own would hold for another revision."""
        leaking = find_leaking_config(source.files, self.top, target)
        if leaking is not None:
            raise UsageError(
                f"it lies below {sanitize_line(str(leaking.relative_to(self.top)))} of the working tree, which cargo "
                "would obey, and has another one or none itself",
                help="build outside of the repository: CARGO_TARGET_DIR=DIR optbuild compare …",
                location=str(leaking),
            )

    def _check_paths(self, source: Source, prepared: Prepared) -> None:
        """What lies outside of the repository is not of this revision, and not where the manifest expects it."""
        if source.files == self.top:
            return
        project = prepared.inputs.project
        manifests = (project.workspace_root / "Cargo.toml", *(package.manifest for package in project.packages))
        outside = find_outside_paths(manifests, tree=source.files, repository=self.top)
        if outside:
            named = outside[0]
            raise UsageError(
                f"`{sanitize_line(named.key)}` is at {sanitize_line(named.text)}, outside of the repository, so "
                f"git does not know what it was in {source.name}",
                help="add it to the repository, as a directory or a submodule, or name a version or a git revision; "
                "or build both versions yourself: optbuild bench old=PATH new=PATH -- {bin} ARGS",
                location=str(named.manifest.relative_to(source.files)),
            )

    def _report_toolchains(self, first: Side, second: Side) -> None:
        """Say which compiler builds both, where their own files name different ones."""
        if _toolchain_file(first) != _toolchain_file(second):
            rustc = first.prepared.inputs.toolchain.rustc.version
            self._warn(
                "toolchains-differ",
                f"the toolchain files of the versions differ: both are built with rustc {rustc}, that of "
                f"{first.source.name}",
                f"choose another one for both: {_RUSTUP_TOOLCHAIN}=NAME optbuild compare …",
            )

    def _warn(self, code: str, message: str, help: str) -> None:  # noqa: A002 - the word users read
        self.emit(Notice(level=Level.WARNING, code=code, message=message, help=help))


@contextmanager
def about(name: str, source: str) -> Iterator[None]:
    """Say in errors which version they are about; those of a build profile name its lines."""
    try:
        yield
    except BuildProfileError:
        raise
    except InterruptedRunError:
        raise
    except OptbuildError as error:
        error.message = f"{name} ({source}): {error.message}"
        raise


def _manifest_in(source: Source, build_profile: BuildProfile, home: Path) -> Path:
    """The manifest of a version, where a build profile names it for another."""
    named = build_profile.directory / build_profile.project.manifest
    manifest = named.parent.resolve() / named.name
    if source.files == home:
        return manifest
    if not manifest.is_relative_to(home.resolve()):
        raise UsageError(
            f"the manifest {manifest} does not belong to the repository",
            help="correct `manifest` under [project], or run in the repository of the project",
            location=build_profile.where("project", "manifest"),
        )
    place = manifest.relative_to(home.resolve())
    if not (source.files / place).is_file():
        raise UsageError(
            f"there is no {place}",
            help="name a version in which the project lies where it lies today, or build that one yourself and name "
            "the program: --baseline-binary PATH",
            location=str(source.files / place),
        )
    return source.files / place


def _has_cargo_benchmarks(build_profile: BuildProfile) -> bool:
    return any(workload.cargo is not None and Use.BENCH in workload.use for workload in build_profile.workloads)


def _with_benchmarks_of(new: BuildProfile, old: BuildProfile) -> BuildProfile:
    """A build profile with its own trainings and the benchmarks of another one, whose files stay where they are."""
    benchmarks = tuple(_anchored(w, new.directory) for w in new.workloads if Use.BENCH in w.use)
    names = {workload.name for workload in benchmarks}
    trainings = (replace(w, use=(Use.TRAIN,)) for w in old.workloads if Use.TRAIN in w.use)
    own = tuple(replace(w, name=f"{w.name} (old)") if w.name in names else w for w in trainings)
    return replace(old, workloads=(*own, *benchmarks))


def _anchored(workload: Workload, directory: Path) -> Workload:
    """A benchmark whose relative paths start at a directory, whatever build profile it stands in."""

    def anchor(text: str) -> str:
        is_placeholder = _PLACEHOLDER_FIRST.match(text) is not None
        return text if is_placeholder else literal_text(str(directory)) + f"/{text}"

    return replace(
        workload,
        use=(Use.BENCH,),
        cwd=str(directory / workload.cwd),
        stdin=None if workload.stdin is None else anchor(workload.stdin),
        inputs=tuple(map(anchor, workload.inputs)),
    )


def _with_toolchain(machine: Machine, side: Side) -> Machine:
    """The environment in which rustup takes the toolchain of a side, wherever cargo runs."""
    name = find_rustup_toolchain(side.prepared.inputs.toolchain.sysroot, machine.environ)
    if name is None or machine.environ.get(_RUSTUP_TOOLCHAIN):
        return machine
    return replace(machine, environ={**machine.environ, _RUSTUP_TOOLCHAIN: name})


def _toolchain_file(side: Side) -> bytes:
    """What the nearest toolchain file of a version says; nothing where it has none."""
    directory = side.prepared.inputs.project.directory
    for each in (directory, *directory.parents):
        if not each.is_relative_to(side.source.files):
            break
        for name in _TOOLCHAIN_FILES:
            if (each / name).is_file():
                return (each / name).read_bytes()
    return b""
