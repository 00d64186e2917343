"""The builders: the programs that may call cargo in optbuild's place, a row of one table each.

A row says how a builder is called, what it brings with it, and what it cannot do. Pure: `toolchain.builders` looks for
the programs, and `making.cargo` starts them.

Sources:
    cargo-zigbuild: https://github.com/rust-cross/cargo-zigbuild
    `zig cc` takes the word after `-u` for a file: https://github.com/rust-cross/cargo-zigbuild/issues/315
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from optbuild.tools.cargo import BuildSettings, make_build_argv

_GLIBC = re.compile(r"(?P<triple>.+-linux-gnu\w*)\.(?P<version>\d+\.\d+)")


class BuilderName(StrEnum):
    """What calls cargo."""

    CARGO = "cargo"
    ZIGBUILD = "zigbuild"


class Ability(StrEnum):
    """Something that not every builder can do."""

    CARGO_WORKLOADS = "run the project's tests or benches (`cargo = [..]`)"
    OLDER_GLIBC = "link with an older glibc (a target with `.2.17` after it)"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderCall:
    """What a builder is asked for.

    Attributes:
        program: The builder.
        cargo: The cargo that it shall call.
        target: The target as the builder knows it, with the version of glibc after it.
    """

    program: str
    cargo: str
    target: str
    settings: BuildSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkScript:
    """A script that stands before the linker of an instrumented build.

    Attributes:
        name: Its file name.
        text: What it is.
    """

    name: str
    text: str


def _no_script(_target: str) -> LinkScript | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """One builder.

    Attributes:
        program: Its program; None for cargo, which is of the toolchain.
        packages: Packages of PyPI that bring it.
        make_argv: How it is called.
        version_argv: What it is asked for its version with.
        works_argv: What shows that everything is there that it needs; empty if its version does.
        lacks: What is missing if that fails.
        cannot: What it cannot do, and what to do instead.
        link_script: The script that an instrumented build for a target is linked with, if it needs one.
    """

    name: BuilderName
    program: str | None = None
    packages: tuple[str, ...] = ()
    make_argv: Callable[[BuilderCall], tuple[str, ...]]
    version_argv: tuple[str, ...] = ("--version",)
    works_argv: tuple[str, ...] = ()
    lacks: str = ""
    cannot: Mapping[Ability, str] = field(default_factory=dict)
    link_script: Callable[[str], LinkScript | None] = _no_script

    @property
    def remedy(self) -> str:
        """The command that installs it, for display."""
        return f"pip install {' '.join(self.packages)}"


def split_glibc(target: str) -> tuple[str, str | None]:
    """A target's triple, and the version of glibc behind it, as in `x86_64-unknown-linux-gnu.2.17`."""
    found = _GLIBC.fullmatch(target)
    return (target, None) if found is None else (found["triple"], found["version"])


def linker_variable(target: str) -> str:
    """The variable that names a target's linker for cargo."""
    return f"CARGO_TARGET_{re.sub('[-.]', '_', target).upper()}_LINKER"


def _by_cargo(call: BuilderCall) -> tuple[str, ...]:
    return make_build_argv(call.cargo, call.settings)


def _by_zigbuild(call: BuilderCall) -> tuple[str, ...]:
    return make_build_argv(call.program, replace(call.settings, verb="zigbuild", target=call.target))


def _zig_link_script(target: str) -> LinkScript:
    """Join `-u` and its symbol: rustc asks for the profiler runtime by both, and zig takes the symbol for a file."""
    return LinkScript(
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

BUILDERS: Mapping[BuilderName, Builder] = {
    row.name: row
    for row in (
        Builder(
            name=BuilderName.CARGO,
            make_argv=_by_cargo,
            cannot={Ability.OLDER_GLIBC: 'write builder = "zigbuild" under [project]'},
        ),
        Builder(
            name=BuilderName.ZIGBUILD,
            program="cargo-zigbuild",
            packages=("cargo-zigbuild", "ziglang"),
            make_argv=_by_zigbuild,
            works_argv=("zig", "cc", "--", "--version"),
            lacks="zig",
            cannot={Ability.CARGO_WORKLOADS: f'{_WITH_COMMAND}, or build with builder = "cargo"'},
            link_script=_zig_link_script,
        ),
    )
}
