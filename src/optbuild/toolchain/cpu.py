"""The CPU features that code compiled with some flags needs, and whether this machine has them.

Not for choosing flags: `plan.steps` does. Rustc itself ignores a CPU that it does not know, with a warning that cargo
may hide.

Sources: The rustc book, `-C target-cpu`, https://doc.rust-lang.org/rustc/codegen-options/index.html#target-cpu
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from optbuild.errors import ToolchainError, UsageError
from optbuild.text import last_lines
from optbuild.toolchain.lookup import Inquiry, output_text
from optbuild.toolchain.model import Toolchain
from optbuild.tools.rustc import TARGET_CPU, parse_target, parse_target_cpus, target_argv, target_cpus_argv

_FEATURE = re.compile(r'target_feature="(.+)"')
_NATIVE = "native"
_OF_LINKING = frozenset({"crt-static", "crt-objects-fallback"})
"""How the C library is linked: rustc lists that among the features, and no CPU has it.

Sources: The Rust reference, https://doc.rust-lang.org/reference/linkage.html#static-and-dynamic-c-runtimes
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuNeeds:
    """The CPU features that a variant's binaries rely on.

    Attributes:
        features: The features beyond those of every CPU of the target, sorted.
        missing_here: Those that this machine's CPU lacks; empty if the target is another machine's.
    """

    features: tuple[str, ...] = ()
    missing_here: tuple[str, ...] = ()


def discover_cpu_needs(flags: tuple[str, ...], toolchain: Toolchain, inquiry: Inquiry) -> CpuNeeds:
    """Ask rustc which CPU features it relies on with some flags.

    Args:
        flags: `-Ctarget-cpu=…` and `-Ctarget-feature=…`, one word each.
        toolchain: The compiler and its target.
        inquiry: Asks it.

    Raises:
        UsageError: A flag names a CPU that rustc does not know, or `native` for another machine's target.
        ToolchainError: Rustc refuses the flags.
    """
    for flag in flags:
        if flag.startswith(TARGET_CPU):
            _require_known(flag.removeprefix(TARGET_CPU), toolchain, inquiry)
    features = _features(flags, toolchain, inquiry) - _parse_features(toolchain.target_cfg)
    missing: frozenset[str] = frozenset()
    if features and _is_of_this_machine(toolchain):
        missing = features - _features((f"{TARGET_CPU}{_NATIVE}",), toolchain, inquiry)
    return CpuNeeds(features=tuple(sorted(features)), missing_here=tuple(sorted(missing)))


def _require_known(cpu: str, toolchain: Toolchain, inquiry: Inquiry) -> None:
    if cpu == _NATIVE:
        if not _is_of_this_machine(toolchain):
            raise UsageError(
                f'target-cpu "native" is the CPU of this machine, and the target is {toolchain.target}',
                help=f"name a CPU of the target: rustc --print target-cpus --target {toolchain.target}",
            )
        return
    argv = target_cpus_argv(toolchain.rustc.path, toolchain.target)
    known = parse_target_cpus(output_text(inquiry.ask(argv)))
    if known and cpu not in known:
        nearest = difflib.get_close_matches(cpu, known, n=1)
        question = f'did you mean "{nearest[0]}"? ' if nearest else ""
        raise UsageError(
            f'rustc does not know the target-cpu "{cpu}" for {toolchain.target}, and would ignore it',
            help=f"{question}list them all: rustc --print target-cpus --target {toolchain.target}",
        )


def _is_of_this_machine(toolchain: Toolchain) -> bool:
    return toolchain.target.partition("-")[0] == toolchain.host.partition("-")[0]


def _features(flags: tuple[str, ...], toolchain: Toolchain, inquiry: Inquiry) -> frozenset[str]:
    answer = inquiry.ask((*target_argv(toolchain.rustc.path, toolchain.target), *flags))
    if answer.exit_code != 0:
        raise ToolchainError(
            f"rustc refuses the flags {' '.join(flags)}",
            help="correct `target-cpu` or `rustflags` of the variant",
            detail=last_lines(answer.stderr),
        )
    return _parse_features(parse_target(output_text(answer)).cfg)


def _parse_features(cfg: Iterable[str]) -> frozenset[str]:
    return frozenset(match[1] for line in cfg if (match := _FEATURE.fullmatch(line))) - _OF_LINKING
