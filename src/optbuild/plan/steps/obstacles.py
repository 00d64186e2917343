"""What stands in the way of a variant's PGO, known before anything starts, and what mends it."""

from __future__ import annotations

from optbuild.plan.action import render_argument
from optbuild.plan.draft import Draft, PlanInputs, resolve_backend, resolve_lto
from optbuild.plan.parts import trains
from optbuild.profile.workloads import Use
from optbuild.text import sanitize_line
from optbuild.toolchain.cpu import CpuNeeds
from optbuild.tools.cargo import FLAG_SEPARATOR
from optbuild.tools.rustc import SWITCHED_OFF, find_codegen_option
from optbuild.tools.unstable import LLVM, LLVM_FLAG
from optbuild.workloads.invocation import Invocation

_CLASHING = ("profile-generate", "profile-use", "profile-sample-use", "instrument-coverage")
_UNBEARABLE = {"\n": "a line break", FLAG_SEPARATOR: "the byte 0x1f"}
"""What llvm-profdata's lists of files, and cargo's of flags, cannot express."""
_ELSEWHERE = "name another target directory: export CARGO_TARGET_DIR=DIR"
_FAT = ("fat", "", "y", "yes", "on", "true")  # how rustc may be asked for it


def find_obstacle(draft: Draft, inputs: PlanInputs) -> tuple[str, str] | None:
    """Why this variant cannot be instrumented, llvm-profdata apart, and what mends it."""
    if (clash := _flag_obstacle(draft, inputs)) is not None:
        return clash
    root = str(inputs.layout.root)
    if unbearable := next((name for byte, name in _UNBEARABLE.items() if byte in root), None):
        return f"no counts can be kept below {sanitize_line(root)}: its path contains {unbearable}", _ELSEWHERE
    if inputs.toolchain.profiler_runtime is None:
        return f"rustc has no profiler runtime for {inputs.toolchain.target}", "use a toolchain of rustup"
    return None


def find_training_obstacle(draft: Draft, inputs: PlanInputs) -> tuple[str, str] | None:
    """Why this variant cannot be trained here, and what mends it."""
    if not any(Use.TRAIN in workload.use for workload in inputs.workloads):
        remedy = 'name one (`optbuild pgo -- {bin} ARGS`, or [[workloads]] with use = ["train"])'
        return "the project has no training workload", remedy
    if draft.program is not None and not any(trains_draft(workload, draft, inputs) for workload in inputs.workloads):
        workload = f'add a [[workloads]] table with {{bin:{draft.program}}} and use = ["train"]'
        remedy = f'{workload}, or set profiles = "merged", as for a program that only another one starts'
        return f"no training workload runs {draft.program}, which needs a separate profile", remedy
    return _running_obstacle(draft, inputs)


def _running_obstacle(draft: Draft, inputs: PlanInputs) -> tuple[str, str] | None:
    """Why an instrumented program would not run here, or not write its counts."""
    root = inputs.layout.root
    if inputs.not_runnable is not None:
        key = f"target.{inputs.toolchain.target}.runner"
        remedy = f"name an emulator in Cargo's configuration ({key}), commit the counts of a training elsewhere"
        return inputs.not_runnable, f"{remedy} ([profile-data], optbuild train), or build for the host"
    needs = inputs.cpu_needs.get(draft.variant, CpuNeeds())
    if needs.missing_here:
        return f"this machine's CPU lacks {', '.join(needs.missing_here)}", "train on a machine whose CPU has them"
    if "%" in str(root):  # a pattern for the program that writes the profile, without an escape
        return f"no raw profile can be written below {root}: its path contains a percent sign", _ELSEWHERE
    return None


def _flag_obstacle(draft: Draft, inputs: PlanInputs) -> tuple[str, str] | None:
    flags = (*draft.recipe.inherited_rustflags, *map(render_argument, draft.recipe.rustflags))
    backend = resolve_backend(draft.recipe, inputs)
    if backend != LLVM:
        remedy = f'write rustflags = ["{LLVM_FLAG}"] in the variant'
        return f"the codegen backend is {backend}, and only LLVM instruments a program and uses its counts", remedy
    if clash := [flag for flag in flags if any(name in flag.replace("_", "-") for name in _CLASHING)]:
        return f"the rustflags already hold {clash[0]}", "remove that flag: optbuild sets its own"
    if any(flag.startswith("--cap-lints") for flag in flags):
        remedy = "remove --cap-lints from the rustflags"
        return "--cap-lints in the rustflags silences rustc about functions without counts", remedy
    plugin = find_codegen_option(flags, "linker-plugin-lto")
    if plugin is not None and plugin[1] not in SWITCHED_OFF and _is_fat(flags, draft, inputs):
        # rustc links all crates into one, and the linker links that again: a mark of the profile then exists twice.
        remedy = 'write lto = "thin" in the variant, or remove that flag'
        return f'{plugin[0]} in the rustflags and lto = "fat" cannot be combined with a profile', remedy
    return None


def _is_fat(flags: tuple[str, ...], draft: Draft, inputs: PlanInputs) -> bool:
    """Whether rustc itself combines all crates into one; a flag overrides Cargo's profile."""
    own = find_codegen_option(flags, "lto")
    return resolve_lto(draft.recipe, inputs) == "fat" if own is None else own[1] in _FAT


def trains_draft(workload: Invocation, draft: Draft, inputs: PlanInputs) -> bool:
    """Whether a workload counts for a variant, or for its one program."""
    if Use.TRAIN not in workload.use:
        return False
    return draft.program is None or trains(workload, draft.program, inputs.targets.packages)
