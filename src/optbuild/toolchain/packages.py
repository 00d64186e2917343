"""The commands that install a matching llvm-profdata on this system; nothing is run from here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.tools.rustc import parse_release

Has = Callable[[str], bool]
"""Whether a program with this name is on `PATH`."""

USE_STABLE = "rustup toolchain install stable, then: export RUSTUP_TOOLCHAIN=stable"
"""The remedy if the toolchain itself is unsuitable."""
USE_NIGHTLY = "rustup toolchain install nightly, then: export RUSTUP_TOOLCHAIN=nightly"
"""The remedy if something is asked for that only nightly toolchains do."""

# `[renames.llvm-tools]` is in the channel manifest of 1.68, but not in that of 1.63.
_LLVM_TOOLS_SINCE = (1, 68)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageManager:
    """A system's package manager.

    Attributes:
        program: The program that shows that it is installed.
        commands: What to run, in order; `{major}` stands for the LLVM major.
        bolt: What to run for LLVM's BOLT; empty if it has no package.
        as_root: Whether it needs root.
    """

    program: str
    commands: tuple[tuple[str, ...], ...]
    bolt: tuple[tuple[str, ...], ...] = ()
    as_root: bool = True


# If a distribution packages its current LLVM without a number, that package comes last: it may be another major, which
# only the installed tool shows.
PACKAGE_MANAGERS = (
    PackageManager(
        program="apt-get",
        commands=(
            ("apt-get", "update"),
            ("apt-get", "install", "-y", "--no-install-recommends", "llvm-{major}"),
        ),
        # `bolt` alone is a program that manages Thunderbolt devices.
        bolt=(
            ("apt-get", "update"),
            ("apt-get", "install", "-y", "--no-install-recommends", "bolt-{major}", "llvm-{major}"),
        ),
    ),
    PackageManager(
        program="dnf",
        commands=(("dnf", "install", "-y", "llvm{major}"), ("dnf", "install", "-y", "llvm")),
        bolt=(("dnf", "install", "-y", "llvm-bolt", "llvm"),),
    ),
    PackageManager(program="zypper", commands=(("zypper", "--non-interactive", "install", "llvm{major}"),)),
    PackageManager(program="apk", commands=(("apk", "add", "llvm{major}"),)),
    PackageManager(program="pacman", commands=(("pacman", "-S", "--noconfirm", "--needed", "llvm"),)),
    PackageManager(program="brew", commands=(("brew", "install", "llvm@{major}"),), as_root=False),
)


def find_rustup_toolchain(sysroot: Path, environ: Mapping[str, str]) -> str | None:
    """The name of a toolchain in rustup; None if rustup does not manage it."""
    home = environ.get("RUSTUP_HOME") or (f"{environ['HOME']}/.rustup" if environ.get("HOME") else "")
    if not home:
        return None
    below = Path(home) / "toolchains"
    return sysroot.name if sysroot.parent.resolve() == below.resolve() else None


def rustup_component_argv(rustup_toolchain: str, rustc_release: str) -> tuple[str, ...]:
    """The argv that adds rustup's own LLVM tools, which always match, to a toolchain."""
    component = "llvm-tools" if parse_release(rustc_release) >= _LLVM_TOOLS_SINCE else "llvm-tools-preview"
    return ("rustup", "component", "add", component, "--toolchain", rustup_toolchain)


def package_argvs(llvm_major: int, *, is_root: bool, has: Has) -> tuple[tuple[str, ...], ...]:
    """The argvs that install the system's package of an LLVM major; empty if that is not possible from here."""
    manager = _package_manager(has)
    return () if manager is None else _as_run(manager, manager.commands, llvm_major, is_root=is_root, has=has)


def _as_run(
    manager: PackageManager, commands: tuple[tuple[str, ...], ...], llvm_major: int, *, is_root: bool, has: Has
) -> tuple[tuple[str, ...], ...]:
    """Commands of a package manager as they are run; none if it needs root and there is no way to it."""
    prefix: tuple[str, ...] = ()
    if manager.as_root and not is_root:
        if not has("sudo"):
            return ()
        prefix = ("sudo", "--non-interactive")  # nobody would see a password prompt, and it would wait for ever
    return tuple((*prefix, *(word.format(major=llvm_major) for word in command)) for command in commands)


def bolt_package_argvs(llvm_major: int, *, is_root: bool, has: Has) -> tuple[tuple[str, ...], ...]:
    """The argvs that install the system's BOLT of an LLVM major; empty if that is not possible from here."""
    manager = _package_manager(has)
    return () if manager is None else _as_run(manager, manager.bolt, llvm_major, is_root=is_root, has=has)


def describe_bolt_remedy(llvm_major: int | None, *, has: Has) -> str:
    """The command, for display, that installs BOLT on this system."""
    if llvm_major is None:
        return USE_STABLE
    manager = _package_manager(has)
    if manager is None or not manager.bolt:
        return f"install BOLT of LLVM {llvm_major}, then: export LLVM_BOLT=/path/to/llvm-bolt"
    install = next(command for command in manager.bolt if "update" not in command)
    return " ".join(("sudo", *install) if manager.as_root else install).format(major=llvm_major)


def describe_remedy(*, rustc_release: str, llvm_major: int | None, rustup_toolchain: str | None, has: Has) -> str:
    """The command, for display, that installs a matching llvm-profdata on this system."""
    if llvm_major is None:
        return USE_STABLE
    commands = []
    if rustup_toolchain is not None and has("rustup"):
        commands.append(" ".join(rustup_component_argv(rustup_toolchain, rustc_release)))
    manager = _package_manager(has)
    if manager is not None:
        install = next(command for command in manager.commands if "update" not in command)
        words = ("sudo", *install) if manager.as_root else install
        commands.append(" ".join(words).format(major=llvm_major))
    if not commands:
        return f"install LLVM {llvm_major}, then: export LLVM_PROFDATA=/path/to/llvm-profdata"
    return ", or: ".join(commands)


def _package_manager(has: Has) -> PackageManager | None:
    return next((manager for manager in PACKAGE_MANAGERS if has(manager.program)), None)
