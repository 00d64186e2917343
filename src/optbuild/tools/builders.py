"""The builders: the programs that may call cargo in optbuild's place, a row of one table each.

A row says how a builder is called, what it brings with it, and what it cannot do. Pure: `toolchain.builders` looks for
the programs, and `making.cargo` starts them.

Sources:
    cargo-zigbuild: https://github.com/rust-cross/cargo-zigbuild
    `zig cc` takes the word after `-u` for a file: https://github.com/rust-cross/cargo-zigbuild/issues/315
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from optbuild.tools.cargo import BuildSettings, make_build_argv

_GLIBC = re.compile(r"(?P<triple>.+-linux-gnu\w*)\.(?P<version>\d+\.\d+)")


class BuilderName(StrEnum):
    """What calls cargo."""

    CARGO = "cargo"
    CROSS = "cross"
    MATURIN = "maturin"
    ZIGBUILD = "zigbuild"


class Ability(StrEnum):
    """Something that not every builder can do."""

    CARGO_WORKLOADS = "run the project's tests or benches (`cargo = [..]`)"
    OLDER_GLIBC = "link with an older glibc (a target with `.2.17` after it)"
    PROGRAMS = "build programs (`bins`)"
    SEVERAL_PACKAGES = "build several packages at once"
    AUDITABLE = "embed the list of dependencies (`auditable`)"
    INTERPRETERS = "build for Python interpreters (`interpreters`)"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderCall:
    """What a builder is asked for.

    Attributes:
        program: The builder.
        cargo: The cargo that it shall call.
        target: The target as the builder knows it, with the version of glibc after it.
        interpreters: The Pythons to build for.
        auditor: cargo-auditable, if it shall embed the list of dependencies.
    """

    program: str
    cargo: str
    target: str
    settings: BuildSettings
    interpreters: tuple[str, ...] = ()
    auditor: str | None = None

    @property
    def wheels(self) -> Path:
        """Where wheels go."""
        return wheels_in(self.settings.target_directory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A program that the builder, cargo or rustc calls.

    Attributes:
        name: Its file name.
        text: What it is.
    """

    name: str
    text: str


def _no_script(_name: str) -> Script | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """One builder.

    Attributes:
        program: Its program; None for cargo, which is of the toolchain.
        packages: Packages of PyPI that bring it.
        make_argv: How it is called.
        version_argv: What it is asked for its version with; empty if asking would change the machine.
        guards_rustup: It lets rustup install things unasked, which a stand-in of rustup's has to prevent.
        works_argv: What shows that everything is there that it needs; empty if its version does.
        lacks: What is missing if that fails.
        cannot: What it cannot do, and what to do instead.
        link_script: The script that an instrumented build for a target is linked with, if it needs one.
        cargo_script: The script that stands for a cargo, if the builder keeps cargo's messages to itself.
        makes_wheels: What it makes are wheels, each with a library in it.
        target_mount: Where cargo's target directory is for a cargo that runs in a container; None without one.
        install: The command that installs it, where pip does not.
    """

    name: BuilderName
    program: str | None = None
    packages: tuple[str, ...] = ()
    make_argv: Callable[[BuilderCall], tuple[str, ...]]
    version_argv: tuple[str, ...] = ("--version",)
    guards_rustup: bool = False
    works_argv: tuple[str, ...] = ()
    lacks: str = ""
    cannot: Mapping[Ability, str] = field(default_factory=dict)
    link_script: Callable[[str], Script | None] = _no_script
    cargo_script: Callable[[str], Script | None] = _no_script
    makes_wheels: bool = False
    target_mount: str | None = None
    install: str = ""

    @property
    def remedy(self) -> str:
        """The command that installs it, for display."""
        return self.install or f"pip install {' '.join(self.packages)}"


def split_glibc(target: str) -> tuple[str, str | None]:
    """A target's triple, and the version of glibc behind it, as in `x86_64-unknown-linux-gnu.2.17`."""
    found = _GLIBC.fullmatch(target)
    return (target, None) if found is None else (found["triple"], found["version"])


def linker_variable(target: str) -> str:
    """The variable that names a target's linker for cargo."""
    return f"CARGO_TARGET_{re.sub('[-.]', '_', target).upper()}_LINKER"


def _by_cargo(call: BuilderCall) -> tuple[str, ...]:
    if call.auditor is None:
        return make_build_argv(call.cargo, call.settings)
    # It calls the cargo in CARGO, with itself as the wrapper of rustc for the project's own crates.
    _, *words = make_build_argv(call.cargo, call.settings)
    return (call.auditor, "auditable", *words)


def _by_cross(call: BuilderCall) -> tuple[str, ...]:
    return make_build_argv(call.program, call.settings)


def _by_zigbuild(call: BuilderCall) -> tuple[str, ...]:
    return make_build_argv(call.program, replace(call.settings, verb="zigbuild", target=call.target))


def wheels_in(target_directory: Path) -> Path:
    """Where a builder puts wheels, below cargo's target directory."""
    return target_directory / "wheels"


def _by_maturin(call: BuilderCall) -> tuple[str, ...]:
    """Maturin calls `cargo rustc`; without `--release` and `--strip`, which would change the Cargo profile."""
    # It has no options for packages and targets, and chooses the form of messages itself.
    plain = replace(call.settings, packages=(), lib=False, verb="build")
    _, *words = make_build_argv(call.program, replace(plain, extra=()))
    words = [word for word in words if not word.startswith("--message-format")]
    interpreters = [word for each in call.interpreters for word in ("--interpreter", each)]
    return (call.program, *words, "--out", str(call.wheels), *interpreters, *plain.extra)


_COPYING_CARGO = """\
import os, subprocess, sys
env = dict(os.environ)
copy = int(env.pop("OPTBUILD_MESSAGES", "2"))
env.pop("CARGO", None)
cargo, *words = sys.argv[1:]
plain = "json-render-diagnostics"
if not any(plain in word for word in words):
    os.execve(cargo, [cargo, *words], env)
words = [word.replace(plain, "json-diagnostic-rendered-ansi") for word in words]
running = subprocess.Popen([cargo, *words], env=env, stdout=subprocess.PIPE, close_fds=False)
for line in running.stdout:
    rest = line
    while rest:
        rest = rest[os.write(copy, rest):]
    if b"compiler-message" not in line[:32]:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
status = running.wait()
sys.exit(status if status >= 0 else 128 - status)
"""
# OPTBUILD_MESSAGES names the descriptor that a copy of cargo's messages goes to.
_PASSING_ON = """\
import os, sys
copy = os.dup(1)
os.set_inheritable(copy, True)
os.environ["OPTBUILD_MESSAGES"] = str(copy)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def _copying_cargo(cargo: str) -> Script:
    """Give a copy of cargo's messages to who started the builder, which reads them and passes none on.

    Rustc's warnings are left out of what the builder gets: it would print them to the same place.
    """
    python = shlex.quote(sys.executable)
    text = f"""#!/bin/sh
# Gives optbuild a copy of the messages that maturin reads from cargo.
exec {python} -I -S -c '
{_COPYING_CARGO}' {shlex.quote(cargo)} "$@"
"""
    return Script(name="cargo-for-maturin.sh", text=text)


def with_messages(argv: tuple[str, ...]) -> tuple[str, ...]:
    """An argv whose cargo script finds the standard output that it was started with."""
    return (sys.executable, "-I", "-S", "-c", _PASSING_ON, *argv)


def guard_of_rustup(rustup: str) -> Script:
    """A rustup that answers questions and installs nothing: what a build needs was required before it began."""
    return Script(
        name="rustup",
        text=f"""#!/bin/sh
# Lets a builder ask rustup, and add nothing: adding `stable` would replace the toolchain that is in use.
case " $* " in
*" toolchain add "* | *" toolchain install "* | *" target add "* | *" component add "*) exit 0 ;;
esac
exec {shlex.quote(rustup)} "$@"
""",
    )


def noting_engine(engine: str, name: str, noting: tuple[str, ...]) -> Script:
    """A container engine that keeps how the builder starts its container, and starts it.

    Args:
        engine: The real one.
        name: Its file name: a builder may look at it.
        noting: The program that does so, which the words of a call follow.
    """
    return Script(
        name=name,
        text=f"""#!/bin/sh
# Keeps how the builder starts its container, so that programs can be run in the same image.
exec {shlex.join([*noting, engine])} "$@"
""",
    )


def _zig_link_script(target: str) -> Script:
    """Join `-u` and its symbol: rustc asks for the profiler runtime by both, and zig takes the symbol for a file."""
    return Script(
        name=f"zig-link-{target}.sh",
        text=f"""#!/bin/sh
# rustc asks for the profiler runtime by `-u SYMBOL`; `zig cc` takes a separate symbol for a file.
joined=
for word do
    shift
    if [ -n "$joined" ]; then
        word="-Wl,-u,$word" joined=
    elif [ "$word" = -u ]; then
        joined=1
        continue
    fi
    case $word in
    @*linker-arguments)
        file=${{word#@}}
        sed -e '/^-u$/{{' -e N -e 's/^-u\\n/-Wl,-u,/' -e '}}' "$file" > "$file.joined" || exit
        mv "$file.joined" "$file" || exit
        ;;
    esac
    set -- "$@" "$word"
done
exec "${linker_variable(target)}" "$@"
""",
    )


_WITH_COMMAND = 'write the workload as `command = ["{bin}", ..]`'
_WITH_PYTHON = 'write the workload as `command = ["{python}", "drive.py"]`'
_BY_MATURIN = 'remove the key, or write builder = "maturin" under [project]'
_WITH_CARGO = 'remove the key, or build with builder = "cargo"'
_BY_ZIGBUILD = 'write builder = "zigbuild" under [project]'

AUDITOR = "cargo-auditable"
CONTAINER_ENGINE = "CROSS_CONTAINER_ENGINE"
"""Names the program that starts containers."""
RUSTUP = "OPTBUILD_RUSTUP"
"""Names the real rustup, where a stand-in is before it on PATH."""
INSTALL_AUDITOR = "cargo install cargo-auditable"

BUILDERS: Mapping[BuilderName, Builder] = {
    row.name: row
    for row in (
        Builder(
            name=BuilderName.CARGO,
            make_argv=_by_cargo,
            cannot={Ability.OLDER_GLIBC: _BY_ZIGBUILD, Ability.INTERPRETERS: _BY_MATURIN},
        ),
        Builder(
            name=BuilderName.CROSS,
            program="cross",
            make_argv=_by_cross,
            # Whatever it is asked, it lets rustup add toolchains, targets and components first: that can replace the
            # toolchain that is in use.
            version_argv=(),
            guards_rustup=True,
            cannot={
                Ability.CARGO_WORKLOADS: f'{_WITH_COMMAND}, or build with builder = "cargo"',
                Ability.AUDITABLE: _WITH_CARGO,
                Ability.OLDER_GLIBC: f"{_BY_ZIGBUILD}: in a container the image decides",
                Ability.INTERPRETERS: _BY_MATURIN,
            },
            target_mount="/target",
            install="cargo install cross",
        ),
        Builder(
            name=BuilderName.MATURIN,
            program="maturin",
            packages=("maturin",),
            make_argv=_by_maturin,
            cannot={
                Ability.AUDITABLE: "remove the key: maturin puts a list of dependencies into each wheel",
                Ability.CARGO_WORKLOADS: _WITH_PYTHON,
                Ability.OLDER_GLIBC: 'write cargo-args = ["--zig", "--compatibility", "manylinux2014"]',
                Ability.PROGRAMS: "remove `bins`: a wheel holds the package's library",
                Ability.SEVERAL_PACKAGES: "name one `package` under [project]",
            },
            cargo_script=_copying_cargo,
            makes_wheels=True,
        ),
        Builder(
            name=BuilderName.ZIGBUILD,
            program="cargo-zigbuild",
            packages=("cargo-zigbuild", "ziglang"),
            make_argv=_by_zigbuild,
            works_argv=("zig", "cc", "--", "--version"),
            lacks="zig",
            cannot={
                Ability.AUDITABLE: _WITH_CARGO,
                Ability.CARGO_WORKLOADS: f'{_WITH_COMMAND}, or build with builder = "cargo"',
                Ability.INTERPRETERS: _BY_MATURIN,
            },
            link_script=_zig_link_script,
        ),
    )
}
