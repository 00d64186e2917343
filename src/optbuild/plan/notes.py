"""What the user should know before a run starts, such as where rustflags come from. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from optbuild.plan.draft import PlanInputs
from optbuild.profile.placeholders import PlaceholderKind
from optbuild.profile.variants import Lto, PgoMode
from optbuild.project.model import ConfiguredRunner
from optbuild.text import name_some
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.words import named_in

# https://doc.rust-lang.org/rustc/codegen-options/index.html#prefer-dynamic
_PREFER_DYNAMIC = frozenset(f"prefer-dynamic{value}" for value in ("", "=y", "=yes", "=on", "=true"))


def describe_inputs(inputs: PlanInputs) -> tuple[str, ...]:
    """What the user should know of the inputs of a plan before it starts."""
    project = inputs.project
    notes = []
    if inputs.toolchain.target_origin is not None:
        notes.append(f"built for {inputs.toolchain.target} (from {inputs.toolchain.target_origin})")
    if project.rustflags.origin is not None:
        flags = " ".join(project.rustflags.flags)
        notes.append(f"rustflags kept in every build: {flags} (from {project.rustflags.origin})")
    notes += [f"compiler wrapper kept: {wrapper.value} (from {wrapper.origin})" for wrapper in project.rustc_wrappers]
    if project.runner is not None:
        notes += _notes_on_runner(project.runner, inputs.workloads)
    if project.lockfile is None:
        notes.append("Cargo.lock is missing: cargo will resolve the dependencies and write one")
    if len(inputs.targets.packages) > 1:
        names = " ".join(f"-p {package.name}" for package in inputs.targets.packages)
        notes.append(f"several packages are built in one call, which unifies their features: cargo build {names}")
    notes += _notes_on_shared_libraries(inputs)
    mixed = [lib.file_name for lib in inputs.targets.libs if lib.has_rlib]
    if mixed and any(variant.lto in {Lto.THIN, Lto.FAT} for variant in inputs.build_profile.variants.values()):
        which = f"link-time optimisation leaves out {', '.join(mixed)}"
        notes.append(f"{which}: cargo does not support it for a library that is also built for Rust (rlib)")
    by_features: dict[tuple[str, ...], list[str]] = {}
    for name, needs in inputs.cpu_needs.items():
        if needs.features:
            by_features.setdefault(needs.features, []).append(name)
    notes += [
        f"{name_some(names)} will not run on a CPU without {', '.join(features)}"
        for features, names in by_features.items()
    ]
    return tuple(notes)


def describe_counts(names: Iterable[str], inputs: PlanInputs) -> tuple[str, ...]:
    """Which of these variants are trained although counts are committed."""
    with_pgo = [each for name in names if (each := inputs.build_profile.variants[name]).pgo is not PgoMode.OFF]
    trained = [each.name for each in with_pgo if not each.takes_foreign_counts]
    if not trained or not inputs.has_profile_data:
        return ()
    return (f"{name_some(trained)} will be trained: committed counts do not say in which order functions first run",)


def _notes_on_runner(runner: ConfiguredRunner, workloads: tuple[Invocation, ...]) -> list[str]:
    """What it runs, and what starts a program in another way."""
    words = tuple((word,) for word in runner.argv)
    commands = [(each, command) for each in workloads for command in each.commands.values()]
    without = [
        repr(each.name)
        for each, command in commands
        if named_in(command, PlaceholderKind.BIN) and command[: len(words)] != words
    ]
    notes = []
    named = f"{' '.join(runner.words)} (from {runner.origin})"
    if any(each.runner for each in workloads) or any(command[: len(words)] == words for _, command in commands):
        then = (
            "they are trained there, and not measured" if runner.engine else "times include it, for every variant alike"
        )
        notes.append(f"programs are run by {named}: {then}")
    if without:
        which = ", ".join(dict.fromkeys(without))
        notes.append(f"the runner {named} is used only if a command begins with {{bin}}; not used for workload {which}")
    return notes


def _notes_on_shared_libraries(inputs: PlanInputs) -> list[str]:
    """What can be known of them before cargo has built any; those of build scripts cannot."""
    notes = [
        f"{package.name} loads {', '.join(package.dylibs)}, which only `cargo run` would find: kept with its programs"
        for package in inputs.targets.packages
        if package.dylibs
    ]
    if any(flag.removeprefix("-C") in _PREFER_DYNAMIC for flag in inputs.project.rustflags.flags):
        notes.append("programs load std as a shared library (prefer-dynamic): it is kept with each of them")
    return notes
