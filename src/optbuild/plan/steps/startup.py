"""The order of functions at the start: counted with PGO, and given to the linker with the same profile.

Training also notes when each function first ran. The linker then puts those that a start runs next to each other: it
touches fewer pages. The order is in no mangled name, so the profile serves both; but a profile that is to have it is a
training of its own.

Sources:
    LLVM, RFC "Temporal Profiling Extension for IRPGO", https://discourse.llvm.org/t/68068
    lld, `--irpgo-profile` and `--bp-startup-sort`: https://github.com/llvm/llvm-project/blob/main/lld/ELF/Options.td
    The linker of rustc: https://blog.rust-lang.org/2025/09/01/rust-lld-on-1.90.0-stable/
"""

from __future__ import annotations

from optbuild.errors import UsageError
from optbuild.plan.action import Argument, Id, Output, render_argument
from optbuild.plan.counts import CheckedProfile
from optbuild.plan.draft import Draft, PlanInputs
from optbuild.profile.variants import CodeLayout, PgoMode, Variant
from optbuild.profile.workloads import Use
from optbuild.tools.rustc import ORDER_BY_PROFILE, ORDER_BY_START, is_new_enough

_NOTE_FIRST_RUN = "-Cllvm-args=--pgo-temporal-instrumentation"
_LLD_BY_DEFAULT = ("x86_64-unknown-linux-gnu", "1.90.0")
"""Where rustc links with its own lld unasked, and since when."""


def check_layout(draft: Draft, variant: Variant, inputs: PlanInputs) -> Draft:
    """Refuse an order of functions that cannot be had; a draft of another variant stays as it is.

    Raises:
        UsageError: It cannot.
    """
    if variant.layout is CodeLayout.DEFAULT:
        return draft
    if (obstacle := _find_obstacle(draft, variant, inputs)) is not None:
        reason, remedy = obstacle
        raise UsageError(
            f'variant {variant.name} has layout = "startup", but {reason}',
            help=f"{remedy}, or remove `layout`",
            location=inputs.build_profile.where("variants", variant.name, "layout"),
        )
    return draft


def counting_flags(draft: Draft, inputs: PlanInputs) -> tuple[Argument, ...]:
    """What the instrumented build gets, so that it notes when functions first run."""
    return ((_NOTE_FIRST_RUN,),) if _wants_order(draft, inputs) else ()


def linking_flags(draft: Draft, profile: Id[CheckedProfile], inputs: PlanInputs) -> tuple[Argument, ...]:
    """What the optimised build gets, so that the linker puts functions in that order."""
    if not _wants_order(draft, inputs):
        return ()
    toolchain = inputs.toolchain
    target, since = _LLD_BY_DEFAULT
    own: tuple[Argument, ...] = ()
    if toolchain.target != target or not is_new_enough(toolchain.rustc.version, since):
        directory = toolchain.sysroot / "lib" / "rustlib" / toolchain.host / "bin" / "gcc-ld"
        own = ((f"-Clink-arg=-B{directory}",), ("-Clink-arg=-fuse-ld=lld",))
    order: Argument = (ORDER_BY_PROFILE, Output(action=profile, name="profdata"))
    return (*own, order, (ORDER_BY_START,))


def _wants_order(draft: Draft, inputs: PlanInputs) -> bool:
    return inputs.build_profile.variants[draft.variant].layout is CodeLayout.STARTUP


def _find_obstacle(draft: Draft, variant: Variant, inputs: PlanInputs) -> tuple[str, str] | None:
    """Why functions cannot be put in order, and what mends it."""
    if variant.pgo is PgoMode.OFF:
        return "the order is that of PGO's training, and the variant has no PGO", "write `pgo = true`"
    if "linux" not in inputs.toolchain.target:
        return f"the linker for {inputs.toolchain.target} cannot do that", "build for Linux"
    training = [workload for workload in inputs.workloads if Use.TRAIN in workload.use]
    if training and all(workload.call is not None for workload in training):
        return (
            "all that trains it is run by cargo, whose counts are taken by name: their order is lost",
            "train it on a workload with `command` as well",
        )
    flags = (*draft.recipe.inherited_rustflags, *map(render_argument, draft.recipe.rustflags))
    named = [flag for flag in flags if "linker=" in flag or ("fuse-ld=" in flag and not flag.endswith("lld"))]
    if named:
        return f"the rustflags name another linker ({named[0]})", "remove that flag: rustc's own linker can do it"
    return None
