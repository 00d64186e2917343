"""What rustc tells about itself and about a target: arguments out, printed facts in.

Not for compiling: cargo calls rustc for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_FIELD = re.compile(r"(?P<key>[A-Za-z][A-Za-z -]*): (?P<value>.+)")
PROFILE_USE = "-Cprofile_use="
"""Optimise with a profile. With an underscore, which rustc takes as well: crates that compile C read the usual spelling
from the rustflags and hand it to clang, whose profiles have another format and whose version is another one.

Sources: the `cc` crate's flags.rs, https://github.com/rust-lang/cc-rs/blob/main/src/flags.rs
"""
PROFILE_GENERATE = "-Cprofile_generate="
ATOMIC_COUNTERS = "-Cllvm-args=-instrprof-atomic-counter-update-all"
"""Count with atomic instructions, so that threads which count in the same place lose nothing.

Sources: LLVM, `InstrProfiling.cpp`, `AtomicCounterUpdateAll`; what Clang's `-fprofile-update=atomic` switches on
"""
TARGET_CPU = "-Ctarget-cpu="
LTO_OFF = "-Clto=off"
"""No link-time optimisation, whatever stands before it."""
WARN_MISSING_FUNCTIONS = "-Cllvm-args=-pgo-warn-missing-function"
"""Without it LLVM tells of functions whose shape changed, but not of those that have no counts at all."""
WARN = "-Wwarnings"
"""Warnings are where rustc tells of functions without counts; a flag or a [lints] table may have switched them off."""

MISSING_FUNCTION = re.compile(r"(?:(?P<unit>\S+): )?no profile data available for function (?P<symbol>\S+)")
"""What rustc says of a function that it compiled without counts, the codegen unit in front."""
MISMATCHED_FUNCTION = re.compile(r"function control flow change detected \(hash mismatch\)")
"""What it says of one whose counts it discarded."""
OF_A_PROFILE = re.compile(r"\.profdata: (.+)")
"""What it says of a profile itself, such as that it cannot be read; that is no more than a warning."""

_RELEASE = re.compile(r"(\d+)\.(\d+)\.")


SWITCHED_OFF = frozenset({"n", "no", "off", "false"})
"""Values with which a codegen option is as if it were not there."""


def find_codegen_option(flags: Iterable[str], name: str) -> tuple[str, str] | None:
    """The last flag that sets a codegen option, which decides, and its value; None where none does.

    Args:
        flags: The arguments for rustc, in order; the option may stand in an argument of its own, behind `-C`.
        name: Such as `linker-plugin-lto`; rustc takes underscores as well.
    """
    pattern = re.compile(rf"(?:-C|--codegen=)?{name.replace('-', '[-_]')}(?:=(?P<value>.*))?", re.DOTALL)
    matches = [match for flag in flags if (match := pattern.fullmatch(flag)) is not None]
    return (matches[-1][0], matches[-1]["value"] or "") if matches else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RustcVersion:
    """What `rustc -vV` says.

    Attributes:
        release: Such as `1.95.0` or `1.97.0-nightly`.
        host: The triple it runs on.
        llvm_major: The LLVM it generates code with; None when it was built without LLVM.
    """

    release: str
    host: str
    llvm_major: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts:
    """What rustc says about a target.

    Attributes:
        sysroot: Where the toolchain lies.
        libdir: Where the target's standard library lies, or would lie if it were installed.
        cfg: The target's `cfg` values, one each, such as `unix` or `target_os="linux"`.
    """

    sysroot: Path
    libdir: Path
    cfg: tuple[str, ...]


def version_argv(program: Path) -> tuple[str, ...]:
    """The argv that makes rustc, or cargo, print its version in full."""
    return (str(program), "-vV")


def parse_verbose_version(text: str) -> dict[str, str]:
    """Read the `key: value` lines of `rustc -vV` or `cargo -vV`."""
    matches = (_FIELD.fullmatch(line.strip()) for line in text.splitlines())
    return {match["key"]: match["value"] for match in matches if match is not None}


def parse_version(text: str) -> RustcVersion:
    """Read what `rustc -vV` printed.

    Raises:
        ValueError: This is not what rustc prints.
    """
    fields = parse_verbose_version(text)
    if "release" not in fields or "host" not in fields:
        raise ValueError("no `release:` and `host:` lines")
    parse_release(fields["release"])
    llvm = re.match(r"\d+", fields.get("LLVM version", ""))
    return RustcVersion(
        release=fields["release"], host=fields["host"], llvm_major=None if llvm is None else int(llvm.group())
    )


def parse_release(release: str) -> tuple[int, int]:
    """The major and minor number of a release such as `1.95.0` or `1.97.0-nightly`.

    Raises:
        ValueError: This is not a release number.
    """
    match = _RELEASE.match(release)
    if match is None:
        raise ValueError(f"not a release number: {release}")
    return int(match[1]), int(match[2])


def is_new_enough(release: str, rust_version: str) -> bool:
    """Whether a release is one that a package's `rust-version` admits; a nightly counts as the release it will be.

    Sources: The Cargo Book, "Rust Version", https://doc.rust-lang.org/cargo/reference/rust-version.html
    """
    return _numbers(release) >= _numbers(rust_version)


def _numbers(release: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.split("[-+]", release)[0].split(".") if part.isdecimal()]
    return (*numbers, 0, 0, 0)[:3]


def target_argv(rustc: Path, target: str) -> tuple[str, ...]:
    """The argv that makes rustc print, in this order, its sysroot, the target's library directory and its cfg."""
    return (str(rustc), "--print", "sysroot", "--print", "target-libdir", "--print", "cfg", "--target", target)


def parse_target(text: str) -> TargetFacts:
    """Read what the argv of `target_argv` printed.

    Raises:
        ValueError: There are fewer lines than rustc prints.
    """
    lines = text.splitlines()
    if len(lines) < 3:  # noqa: PLR2004 - sysroot, library directory, at least one cfg
        raise ValueError("fewer than three lines")
    sysroot, libdir, *cfg = lines
    return TargetFacts(sysroot=Path(sysroot), libdir=Path(libdir), cfg=tuple(line for line in cfg if line))


def target_cpus_argv(rustc: Path, target: str) -> tuple[str, ...]:
    """The argv that makes rustc list the CPUs that it can compile for."""
    return (str(rustc), "--print", "target-cpus", "--target", target)


def parse_target_cpus(text: str) -> tuple[str, ...]:
    """The names in what the argv of `target_cpus_argv` printed: one to a line, indented, an explanation behind some."""
    return tuple(words[0] for line in text.splitlines() if line.startswith(" ") and (words := line.split()))
