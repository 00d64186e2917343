"""Determine which CPUs each variant's binaries need, before anything is built."""

from __future__ import annotations

from collections.abc import Mapping

from optbuild.errors import ToolchainError, located
from optbuild.profile.model import BuildProfile
from optbuild.project.model import Project
from optbuild.project.rustflags import cfg_flags
from optbuild.toolchain.cpu import CpuNeeds, discover_cpu_needs
from optbuild.toolchain.lookup import Inquiry
from optbuild.toolchain.model import Toolchain


def find_cpu_needs(
    build_profile: BuildProfile, names: tuple[str, ...], project: Project, toolchain: Toolchain, inquiry: Inquiry
) -> Mapping[str, CpuNeeds]:
    """The CPU features that the binaries of each variant need.

    Raises:
        UsageError: A variant names a CPU unknown to rustc.
        ToolchainError: Rustc refuses a variant's flags.
    """
    known: dict[tuple[str, ...], CpuNeeds] = {(): CpuNeeds()}
    needs = {}
    for name in names:
        variant = build_profile.variants[name]
        own = () if variant.target_cpu is None else (f"-Ctarget-cpu={variant.target_cpu}",)
        flags = _about_cpus((*project.rustflags.flags, *own, *variant.rustflags))
        if flags not in known:
            with located(build_profile.where("variants", name, "target-cpu")):
                known[flags] = discover_cpu_needs(flags, toolchain, inquiry)
        needs[name] = known[flags]
    return needs


def require_cpu(build_profile: BuildProfile, needs: Mapping[str, CpuNeeds]) -> None:
    """Refuse to build variants that cannot run here but are to be measured here.

    Raises:
        ToolchainError: This machine's CPU lacks something.
    """
    for name, need in needs.items():
        if need.missing_here:
            raise ToolchainError(
                f"variant {name} needs {', '.join(need.missing_here)}, which this machine's CPU lacks",
                help="measure on a machine whose CPU has them, or build it without measuring: optbuild build",
                location=build_profile.where("variants", name, "target-cpu"),
            )


def _about_cpus(flags: tuple[str, ...]) -> tuple[str, ...]:
    """Harmless flags that choose CPU features, each as one word in its usual spelling."""
    text = "\n".join(cfg_flags(flags)).replace("-C\n", "-C").replace("--codegen\n", "-C").replace("--codegen=", "-C")
    found = (word.partition("=") for word in text.split("\n"))
    named = ((name.replace("_", "-"), value) for name, _, value in found)
    return tuple(f"{name}={value}" for name, value in named if name in {"-Ctarget-cpu", "-Ctarget-feature"})
