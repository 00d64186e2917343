"""The data that steps work on: a partly planned variant, and the inputs of planning."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from optbuild.errors import UsageError
from optbuild.execution import container
from optbuild.execution.jobserver import MAKEFLAGS
from optbuild.plan.action import JOBSERVER, Action, ActionId, Argument, Entry, Output, render_argument
from optbuild.plan.fingerprint import fingerprint, make_action_id
from optbuild.plan.kinds.compile import Compile, Recipe, Role
from optbuild.plan.lent_names import LentNames
from optbuild.plan.ways import Attempt, Follow
from optbuild.profile.cargo_words import CargoCall, CargoVerb
from optbuild.profile.model import BuildProfile
from optbuild.project.cargo_profile import WITH_LTO, resolve_cargo_profile
from optbuild.project.layout import Layout
from optbuild.project.model import Package, Project
from optbuild.project.selection import Targets
from optbuild.toolchain.cpu import CpuNeeds
from optbuild.toolchain.model import Toolchain
from optbuild.tools.builders import CONTAINER_ENGINE, RUSTUP, BuilderCall, Script, guard_of_rustup, noting_engine
from optbuild.tools.cargo import FLAG_SEPARATOR, RUSTFLAGS, BuildSettings, build_directory_setting
from optbuild.tools.cargo_programs import runner_setting
from optbuild.tools.rustc import LTO_OFF
from optbuild.tools.unstable import find_backend
from optbuild.tools.wheels import tag_of_interpreter
from optbuild.workloads.invocation import Invocation

A = TypeVar("A", bound=Action[Any])
_CONTAINER_OPTIONS = "CROSS_CONTAINER_OPTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInputs:
    """All inputs of a plan.

    Attributes:
        workloads: Ready to run, with a runner if the target's programs need one.
        cpu_needs: The CPU features that each variant needs.
        container_options: What the caller gives to containers that a builder starts.
        jobs: How many jobs the user allows.
        shares_jobs: Builds run at the same time, with one budget of jobs for all.
        not_runnable: Why nothing that is built can run here, not even by a runner.
        python: Tells what cargo would run, in cargo's place.
        shares_training: A variant may take the counts of another one.
        lockfile_sha256: Of `Cargo.lock`, if there is one.
        locked_packages: The names of all packages in it.
        lent_names: The names of the program that was trained, if they are committed as well.
        has_profile_data: The committed counts that the build profile names are there.
        last_rustflags: Added where a variant is compiled for good, not where it is instrumented for training.
        notes_outlines: LLVM writes what the blocks do that training counts: the counts are to be committed.
        workload_keys: By name a fingerprint of each workload's recipe, which would be made anew for every training.
    """

    build_profile: BuildProfile
    project: Project
    targets: Targets
    toolchain: Toolchain
    layout: Layout
    workloads: tuple[Invocation, ...]
    container_options: str = ""
    jobs: int | None = None
    shares_jobs: bool = False
    cpu_needs: Mapping[str, CpuNeeds] = field(default_factory=dict)
    not_runnable: str | None = None
    python: Path = Path(sys.executable)
    shares_training: bool = True
    lockfile_sha256: str | None = None
    locked_packages: frozenset[str] = frozenset()
    lent_names: LentNames | None = None
    has_profile_data: bool = False
    last_rustflags: tuple[str, ...] = ()
    notes_outlines: bool = False
    workload_keys: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Compute the fingerprints."""
        keys = {workload.name: fingerprint(workload.recipe()) for workload in self.workloads}
        object.__setattr__(self, "workload_keys", keys)

    @property
    def not_measurable(self) -> str | None:
        """Why no time is taken here."""
        runner = self.project.runner
        if self.not_runnable is None and runner is not None and runner.engine is not None:
            return f"programs for {self.toolchain.target} run in a container, whose start would be in every time"
        return self.not_runnable


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A variant while steps work on it, or one of its programs.

    Attributes:
        program: The only optimised program; None for all of them.
        recipe: What will be compiled, without feedback.
        actions: The actions of a feedback step's attempts.
        attempts: The ways to make the variant, if a feedback step makes it; otherwise the recipe is compiled.
        last_rustflags: Flags of the compilation that is shipped, which no counts depend on.
        follows: What follows each compilation: a further feedback step that makes binaries out of binaries.
        without_bolt: Why it is built without BOLT although that was asked for.
        skipped: Why the variant cannot be built.
    """

    variant: str
    recipe: Recipe
    program: str | None = None
    actions: tuple[Action[object], ...] = ()
    attempts: tuple[Attempt, ...] = ()
    last_rustflags: tuple[Argument, ...] = ()
    follows: tuple[Follow, ...] = ()
    without_bolt: str | None = None
    skipped: str | None = None

    @property
    def label(self) -> str:
        """Its name for users; no variant's name contains a blank."""
        return self.variant if self.program is None else f"{self.variant}: {self.program}"

    @property
    def last_recipe(self) -> Recipe:
        """What is compiled in the end, without a profile."""
        return replace(self.recipe, rustflags=(*self.recipe.rustflags, *self.last_rustflags))


def make_compile(
    recipe: Recipe, inputs: PlanInputs, *, role: Role, label: str, needs: tuple[ActionId, ...] = ()
) -> Compile:
    """The action that compiles a recipe; equal recipes give equal actions."""
    if role is not Role.INSTRUMENT:
        recipe = _for_good(recipe, inputs)
    made = (piece.action for flag in recipe.rustflags for piece in flag if isinstance(piece, Output))
    needs = tuple(dict.fromkeys((*needs, *made)))
    project, builder = inputs.project, inputs.toolchain.builder
    # What cargo builds by itself has the id that it always had.
    called: tuple[object, ...] = () if builder.auditor is None else (builder.auditor.name,)
    if builder.row.program is not None:
        called = (builder.name, builder.glibc, builder.interpreters)
    action_id = make_action_id("compile", recipe, needs, *called)
    cargo_target = _cargo_target(role, inputs)
    if not inputs.toolchain.flag_sets_coexist:
        cargo_target /= action_id
    # Dependencies' warnings about their profile are silent otherwise.
    settings = replace(_build_settings(recipe, inputs, cargo_target), explain=role is Role.OPTIMISE)
    env = {**_cargo_env(recipe), **_builder_env(inputs)}
    cargo = str(inputs.toolchain.cargo.path)
    call = BuilderCall(
        program=cargo if builder.tool is None else str(builder.tool.path),
        cargo=cargo,
        target=builder.target_of(recipe.target),
        settings=settings,
        interpreters=tuple(map(str, builder.interpreters)),
        auditor=None if builder.auditor is None else str(builder.auditor.path),
    )
    if inputs.shares_jobs:
        # The older name of the option, for an older make, whoever calls it.
        env[MAKEFLAGS] = ("-j --jobserver-fds=", JOBSERVER, " --jobserver-auth=", JOBSERVER)
    return Compile(
        id=action_id,
        needs=needs,
        label=label,
        role=role,
        recipe=recipe,
        argv=builder.row.make_argv(call),
        cwd=project.directory,
        env=env,
        cargo_target=cargo_target,
        directory=inputs.layout.binaries / action_id,
        links_whole_program=_links_whole_program(recipe, inputs),
        builder=builder.name,
        glibc=builder.glibc,
        python_tag=tag_of_interpreter(builder.interpreters[0]) if builder.interpreters else None,
        scripts={
            **_cargo_script(inputs),
            **_rustup_guard(inputs),
            **_noting_engine(inputs),
            **(_link_script(inputs) if role is Role.INSTRUMENT else {}),
        },
    )


def _for_good(recipe: Recipe, inputs: PlanInputs) -> Recipe:
    """The recipe by which a variant is compiled for good; what is made out of such a recipe has its flags already."""
    added = tuple((flag,) for flag in inputs.last_rustflags if (flag,) not in recipe.rustflags)
    return replace(recipe, rustflags=(*recipe.rustflags, *added))


def link_script_flags(inputs: PlanInputs) -> tuple[Argument, ...]:
    """The flags that put a script before the linker, if what calls cargo needs one for instrumented builds."""
    return tuple((f"-Clinker={path}",) for path in _link_script(inputs))


def _link_script(inputs: PlanInputs) -> Mapping[Path, str]:
    return _placed(inputs.toolchain.builder.row.link_script(inputs.toolchain.target), inputs)


def _cargo_script(inputs: PlanInputs) -> Mapping[Path, str]:
    return _placed(inputs.toolchain.builder.row.cargo_script(str(inputs.toolchain.cargo.path)), inputs)


def _rustup_guard(inputs: PlanInputs) -> Mapping[Path, str]:
    """The stand-in of rustup, in its own directory."""
    rustup = inputs.toolchain.builder.env.get(RUSTUP)
    if rustup is None:
        return {}
    script = guard_of_rustup(rustup)
    return {inputs.layout.linked_objects / f"guard-{fingerprint(script.text)[:8]}" / script.name: script.text}


def _noting_engine(inputs: PlanInputs) -> Mapping[Path, str]:
    """The stand-in of the container engine, in its own directory."""
    engine = inputs.toolchain.builder.engine
    if engine is None:
        return {}
    note = inputs.layout.root / container.note_name(inputs.toolchain.target)
    noting = (*container_program(inputs.python), container.NOTE, str(note))
    script = noting_engine(str(engine), engine.name, noting)
    return {inputs.layout.linked_objects / f"engine-{fingerprint(script.text)[:8]}" / script.name: script.text}


def container_program(python: Path) -> tuple[str, ...]:
    """The call of the program that stands between containers and who starts them."""
    return (str(python), "-I", "-S", container.__file__)


def _placed(script: Script | None, inputs: PlanInputs) -> Mapping[Path, str]:
    if script is None:
        return {}
    # Cargo does not see what a script says: another text is another file.
    stem, dot, suffix = script.name.rpartition(".")
    return {inputs.layout.linked_objects / f"{stem}-{fingerprint(script.text)[:8]}{dot}{suffix}": script.text}


def _builder_env(inputs: PlanInputs) -> dict[str, Argument]:
    """What makes a builder call the cargo of the toolchain, and find its own parts."""
    builder = inputs.toolchain.builder
    if builder.row.program is None and builder.auditor is None:
        return {}
    cargo = next(iter(_cargo_script(inputs)), inputs.toolchain.cargo.path)
    own: dict[str, Argument] = {name: (value,) for name, value in builder.env.items()}
    if builder.row.target_mount is not None:
        # Sources, PGO profiles and objects have the same paths in the container as here.
        places = dict.fromkeys((inputs.project.workspace_root, inputs.layout.root))
        options = (inputs.container_options, *(word for path in places for word in ("-v", f"{path}:{path}")))
        if (guard := next(iter(_rustup_guard(inputs)), None)) is not None:
            own["PATH"] = (f"{guard.parent}{os.pathsep}{builder.env['PATH']}",)
        if (engine := next(iter(_noting_engine(inputs)), None)) is not None:
            own[CONTAINER_ENGINE] = (str(engine),)
        return {_CONTAINER_OPTIONS: (" ".join(filter(None, options)),), **own}
    return {"CARGO": (str(cargo),), **own}


def entry_of(kind: type[A], action_id: ActionId, entries: Mapping[ActionId, Entry[object]]) -> A:
    """An action of a known kind.

    Raises:
        TypeError: It is of another kind.
    """
    entry = entries[action_id]
    if not isinstance(entry, kind):
        raise TypeError(f"{action_id} is not of kind {kind.__name__}")
    return entry


def _cargo_target(role: Role, inputs: PlanInputs) -> Path:
    """Cargo's target directory for a compilation; builds with and without a profile may run at the same time."""
    layout = inputs.layout
    return layout.cargo_target if role is Role.BUILD else layout.cargo_pgo_target


def _links_whole_program(recipe: Recipe, inputs: PlanInputs) -> bool:
    return (LTO_OFF,) not in recipe.rustflags and resolve_lto(recipe, inputs) in WITH_LTO


def resolve_lto(recipe: Recipe, inputs: PlanInputs) -> str:
    """The link-time optimisation of the resulting Cargo profile, without rustflags."""
    setting = dict(recipe.config).get(f"profile.{recipe.cargo_profile}.lto")
    if setting is None:
        return resolve_cargo_profile(inputs.project.cargo_profiles, recipe.cargo_profile).lto
    return str(json.loads(setting))


def resolve_backend(recipe: Recipe, inputs: PlanInputs) -> str:
    """What generates the code: a name such as `llvm`, or the path of a library."""
    flags = (*recipe.inherited_rustflags, *map(render_argument, recipe.rustflags))
    configured = resolve_cargo_profile(inputs.project.cargo_profiles, recipe.cargo_profile).codegen_backend
    return find_backend(flags, configured)


def for_call(recipe: Recipe, call: CargoCall) -> Recipe:
    """The same recipe for what cargo would run, instead of a variant's programs and libraries.

    A package that the call names is built together with those of the project. Otherwise its features would not unify
    with theirs, which would change the names of functions.
    """
    names = dict.fromkeys((*recipe.packages, *call.packages))
    if call.verb is CargoVerb.RUN:  # which takes one
        names = dict.fromkeys(call.packages or recipe.packages[:1])
    return replace(recipe, packages=tuple(names), bins=(), examples=(), libs=(), call=call)


def with_profile(recipe: Recipe, *, old: ActionId, new: ActionId) -> Recipe:
    """A recipe that uses another action's profile."""

    def renamed(flag: Argument) -> Argument:
        return tuple(
            replace(piece, action=new) if isinstance(piece, Output) and piece.action == old else piece for piece in flag
        )

    return replace(recipe, rustflags=tuple(map(renamed, recipe.rustflags)))


def _cargo_config(inputs: PlanInputs, cargo_target: Path) -> Iterator[tuple[str, str]]:
    """The settings for cargo in each build, as arguments: programs that cargo starts would inherit variables."""
    # Cargo's build-dir, if a configuration sets it, would put intermediate files outside optbuild's directory.
    if (setting := build_directory_setting(cargo_target)) is not None:
        yield setting
    elif (origin := inputs.project.build_directory_origin) is not None:
        raise UsageError(
            f"cargo cannot put its intermediate files below {inputs.layout.root}: it takes braces in `build-dir`"
            f" for a variable, and {origin} sets another place for them",
            help=f"name a target directory without braces (export CARGO_TARGET_DIR=DIR), or remove {origin}",
            location=str(inputs.layout.root),
        )
    if inputs.shares_jobs and inputs.jobs is not None:  # it would warn about `--jobs` with a jobserver
        yield "build.jobs", str(inputs.jobs)


def _build_settings(recipe: Recipe, inputs: PlanInputs, cargo_target: Path) -> BuildSettings:
    project = inputs.project
    by_name: Mapping[str, Package] = {package.name: package for package in project.packages}
    config = (*_cargo_config(inputs, cargo_target), *recipe.config)
    packages = [by_name[name] for name in recipe.packages]
    settings = BuildSettings(
        # A single package's manifest allows naming its features; several are known to the workspace only.
        manifest=packages[0].manifest if len(packages) == 1 else project.workspace_root / "Cargo.toml",
        packages=tuple(f"{package.name}@{package.version}" for package in packages),
        bins=recipe.bins,
        examples=recipe.examples,
        lib=bool(recipe.libs),
        target=recipe.target,
        target_directory=cargo_target,
        cargo_profile=recipe.cargo_profile,
        config=config,
        features=recipe.features,
        no_default_features=recipe.no_default_features,
        all_features=recipe.all_features,
        locked=inputs.build_profile.project.locked and project.lockfile is not None,
        jobs=None if inputs.shares_jobs else inputs.jobs,
        extra=recipe.cargo_args,
    )
    if (call := recipe.call) is None:
        return settings
    targets = tuple(word for option in call.targets for word in option.words)
    # Documentation tests run with a plain `cargo test` only.
    default = ("--tests",) if call.verb is CargoVerb.TEST else ()
    return replace(
        settings,
        verb=call.verb.value,
        targets=targets or default,
        arguments=call.arguments,
        config=(*config, runner_setting(recipe.target, inputs.python, as_text=inputs.project.runner_is_text)),
    )


def _cargo_env(recipe: Recipe) -> dict[str, Argument]:
    env: dict[str, Argument] = {"RUSTUP_AUTO_INSTALL": ("0",)}
    if recipe.rustflags:
        # Cargo takes the first source of flags that is set, so it must contain the user's own as well.
        words: list[Argument] = [(flag,) for flag in recipe.inherited_rustflags]
        words += recipe.rustflags
        joined = list(words[0])
        for word in words[1:]:
            joined += [FLAG_SEPARATOR, *word]
        env[RUSTFLAGS] = tuple(joined)
    return env


def work_directory(layout: Layout, action_id: ActionId) -> Path:
    """The directory for a training action's raw profiles."""
    return layout.raw_profiles / action_id
