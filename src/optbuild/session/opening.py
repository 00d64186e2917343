"""Open a project: its build profile, its toolchain, and what cargo says of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.profile.load import default_build_profile, find_build_profile, load_build_profile
from optbuild.profile.model import BuildProfile, PresetName
from optbuild.project.cargo_config import find_build_std, load_cargo_config
from optbuild.project.discover import load_project
from optbuild.project.model import Project
from optbuild.project.rustc_programs import configured_rustc
from optbuild.session.request import Machine, RunRequest
from optbuild.session.targets import choose_target
from optbuild.toolchain.discover import Wanted, discover_toolchain
from optbuild.toolchain.lookup import Inquiry
from optbuild.toolchain.model import Toolchain
from optbuild.tools.builders import split_glibc
from optbuild.tools.unstable import BOOTSTRAP, find_unstable

_PRESET = "preset:"
_BUILD_STD = re.compile(r"build[-_]std(=.*)?$")


def load_for(request: RunRequest, machine: Machine) -> BuildProfile:
    """The build profile of a request, for the target that the request is about: the first one unless it names one.

    Raises:
        BuildProfileError: It cannot be used.
        UsageError: The project's directory does not exist.
    """
    build_profile = _load_for_all(request, machine)
    if not build_profile.project.targets:
        return build_profile
    target = request.target or build_profile.project.targets[0]
    return replace(build_profile, project=replace(build_profile.project, target=target))


def _load_for_all(request: RunRequest, machine: Machine) -> BuildProfile:
    """The build profile of a request: named, found in a parent directory, or the default."""
    if not request.directory.is_dir():
        is_other = request.directory.exists()
        raise UsageError(
            f"{request.directory} is not a directory"
            if is_other
            else f"the directory {request.directory} does not exist",
            help="name the directory of a Cargo project, or change to it and name none",
            location=str(request.directory),
        )
    directory = request.directory.resolve()
    named = request.build_profile
    if named is not None and named.startswith(_PRESET):
        return load_build_profile(PresetName(named.removeprefix(_PRESET)), directory=directory)
    if named is not None:
        return load_build_profile(machine.working_directory / named, directory=directory)
    found = find_build_profile(directory)
    return default_build_profile(directory) if found is None else load_build_profile(found, directory=directory)


def discover_for(build_profile: BuildProfile, machine: Machine, *, trusted: bool) -> Toolchain:
    """The toolchain that builds the project of a build profile.

    Raises:
        UsageError: Cargo's configuration names several targets.
        ToolchainError: It cannot be used.
    """
    directory = (build_profile.directory / build_profile.project.manifest).resolve().parent
    if not directory.is_dir():
        directory = build_profile.directory
    config = load_cargo_config(directory, machine.environ)
    rustc = configured_rustc(config, machine.environ)
    in_words = any(_BUILD_STD.match(option) for option in find_unstable(build_profile.project.cargo_args))
    target, target_origin = choose_target(build_profile, config, machine.environ)
    wanted = Wanted(
        target=target,
        target_origin=target_origin,
        rustc=None if rustc is None else rustc.value,
        rustc_origin="" if rustc is None else rustc.origin,
        builder=build_profile.project.builder,
        interpreters=build_profile.project.interpreters,
        auditable=build_profile.project.auditable,
        glibc=split_glibc(build_profile.project.target or "")[1],
        build_std="cargo-args" if in_words else find_build_std(config, machine.environ),
    )
    inquiry = Inquiry(executor=machine.executor, directory=directory, environ=machine.environ)
    toolchain = discover_toolchain(wanted, inquiry, trusted=trusted)
    # rustc reads that variable from there as well.
    is_told = config.find("env", BOOTSTRAP) is not None
    return replace(toolchain, accepts_unstable=True) if is_told else toolchain


def open_project(manifest: Path, toolchain: Toolchain, machine: Machine) -> Project:
    """Read a Cargo project; no program that it names is run.

    Args:
        manifest: Its `Cargo.toml`, absolute.
        toolchain: The toolchain whose cargo and rustc are called.
        machine: The means to look with.

    Raises:
        UsageError: The manifest does not exist, or cargo refuses it.
        ToolchainError: Cargo's configuration is malformed, or cargo cannot be run.
    """
    return load_project(
        directory=manifest.parent,
        manifest=manifest,
        executor=machine.executor,
        environ=machine.environ,
        cargo=toolchain.cargo.path,
        rustc=toolchain.rustc.path,
        target=toolchain.target,
        target_cfg=toolchain.target_cfg,
    )


def for_host(build_profile: BuildProfile) -> BuildProfile:
    """The same build profile, for commands that only read a project."""
    return replace(build_profile, project=replace(build_profile.project, target="host"))
