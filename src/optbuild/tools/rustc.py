"""What rustc prints about itself and about a target: arguments out, printed facts in.

Not for compiling: cargo calls rustc for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_FIELD = re.compile(r"(?P<key>[A-Za-z][A-Za-z -]*): (?P<value>.+)")
PROFILE_USE = "-Cprofile_use="
"""Optimise with a profile.

With an underscore, which rustc accepts as well: crates that compile C read the usual spelling from the rustflags and
pass it to clang, which has another version and another format of profiles.

Sources: the `cc` crate's flags.rs, https://github.com/rust-lang/cc-rs/blob/main/src/flags.rs
"""
PROFILE_GENERATE = "-Cprofile_generate="
ATOMIC_COUNTERS = "-Cllvm-args=-instrprof-atomic-counter-update-all"
"""Count with atomic instructions: threads that share counters then lose nothing.

Sources: LLVM, `InstrProfiling.cpp`, `AtomicCounterUpdateAll`; what Clang's `-fprofile-update=atomic` turns on
"""
WRITES_IR_SINCE = 17
"""The LLVM major from which on `write_ir_flags` are understood."""
HOT_COUNT = "-Cllvm-args=--profile-summary-hot-count="
"""From which count on LLVM takes a block for hot; by default that of 99% of all counts. LLVM, `ProfileSummaryInfo.cpp`:
https://github.com/llvm/llvm-project/blob/main/llvm/lib/Analysis/ProfileSummaryInfo.cpp"""
ORDER_BY_PROFILE = "-Clink-arg=-Wl,--irpgo-profile="
ORDER_BY_START = "-Clink-arg=-Wl,--bp-startup-sort=function"
"""Let lld put functions in the order in which a profile saw them first run."""
TARGET_CPU = "-Ctarget-cpu="
STATIC_C_LIBRARY = 'target_feature="crt-static"'
"""The line of `--print=cfg` by which programs are linked with the C library statically."""
LTO_OFF = "-Clto=off"
"""No link-time optimisation, whatever precedes it."""
WARN_MISSING_FUNCTIONS = "-Cllvm-args=-pgo-warn-missing-function"
"""Without it LLVM warns about functions whose control flow changed, but not about those without counts."""
WARN = "-Wwarnings"
"""rustc reports functions without counts as warnings, which a flag or a [lints] table may have turned off."""

MISSING_FUNCTION = re.compile(r"(?:(?P<unit>\S+): )?no profile data available for function (?P<symbol>\S+)")
"""rustc's warning about a function compiled without counts, with the codegen unit in front."""
MISMATCHED_FUNCTION = re.compile(r"function control flow change detected \(hash mismatch\)")
"""Its warning about a function whose counts it discarded."""
OF_A_PROFILE = re.compile(r"\.profdata: (.+)")
"""What it says about a profile itself, such as that it cannot be read; even that is only a warning."""
_ABOUT_PROFILE = (MISSING_FUNCTION, MISMATCHED_FUNCTION, OF_A_PROFILE)

_RELEASE = re.compile(r"(\d+)\.(\d+)\.")


def write_ir_flags(directory: Path) -> tuple[str, str]:
    """The flags that make LLVM write its IR into a directory, as it is right before counters become code.

    Sources: LLVM, `StandardInstrumentations.cpp`, `-ir-dump-directory`; `PassRegistry.def`, `instrprof`
    """
    return ("-Cllvm-args=-print-before=instrprof", f"-Cllvm-args=-ir-dump-directory={directory}")


SWITCHED_OFF = frozenset({"n", "no", "off", "false"})
"""Values that mean the same as leaving a codegen option out."""


def find_codegen_option(flags: Iterable[str], name: str) -> tuple[str, str] | None:
    """The last flag that sets a codegen option, which decides, and its value; None if none does.

    Args:
        flags: The arguments for rustc, in order; the option may be a separate argument after `-C`.
        name: Such as `linker-plugin-lto`; rustc accepts underscores as well.
    """
    pattern = re.compile(rf"(?:-C|--codegen=)?{name.replace('-', '[-_]')}(?:=(?P<value>.*))?", re.DOTALL)
    matches = [match for flag in flags if (match := pattern.fullmatch(flag)) is not None]
    return (matches[-1][0], matches[-1]["value"] or "") if matches else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RustcVersion:
    """The output of `rustc -vV`.

    Attributes:
        release: Such as `1.95.0` or `1.97.0-nightly`.
        host: The triple it runs on.
        llvm_major: The LLVM it generates code with; None if it was built without LLVM.
    """

    release: str
    host: str
    llvm_major: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts:
    """rustc's information about a target.

    Attributes:
        sysroot: The directory of the toolchain.
        libdir: The directory of the target's standard library, even if it is not installed.
        cfg: The target's `cfg` values, one each, such as `unix` or `target_os="linux"`.
    """

    sysroot: Path
    libdir: Path
    cfg: tuple[str, ...]


def is_about_profile(message: str) -> bool:
    """Whether a diagnostic is about a PGO profile rather than the code."""
    return any(pattern.search(message) for pattern in _ABOUT_PROFILE)


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
    """Whether a package's `rust-version` permits a release; a nightly counts as the release it will become.

    Sources: The Cargo Book, "Rust Version", https://doc.rust-lang.org/cargo/reference/rust-version.html
    """
    return _numbers(release) >= _numbers(rust_version)


def _numbers(release: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.split("[-+]", release)[0].split(".") if part.isdecimal()]
    return (*numbers, 0, 0, 0)[:3]


def target_argv(rustc: Path, target: str) -> tuple[str, ...]:
    """The argv that makes rustc print, in this order, its sysroot, the target's library directory and its cfg."""
    asked = ("--print", "sysroot", "--print", "target-libdir", "--print", "cfg", "--target", target)
    return (str(rustc), *_for_specification(target), *asked)


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
    return (str(rustc), *_for_specification(target), "--print", "target-cpus", "--target", target)


def is_specification(target: str) -> bool:
    """Whether a target is described by a JSON file of the user's, which only a nightly rustc reads."""
    return target.endswith(".json")


def _for_specification(target: str) -> tuple[str, ...]:
    return ("-Zunstable-options",) if is_specification(target) else ()


def parse_target_cpus(text: str) -> tuple[str, ...]:
    """The names printed by the argv of `target_cpus_argv`: one per line, indented, some followed by an explanation."""
    return tuple(words[0] for line in text.splitlines() if line.startswith(" ") and (words := line.split()))
