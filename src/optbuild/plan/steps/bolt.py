"""BOLT, from top to bottom: instrument the linked programs, count their branches, merge, lay out, strip, check.

It follows the last compilation, with or without PGO: `_follow_with_bolt` shows the whole chain. That compilation keeps
relocations and symbols for it. The flags for this are in no mangled name, so the counts of PGO are those of a variant
without BOLT, and one training serves both.

What BOLT alone brings is not what the two binaries differ in: relocations forbid the linker some shortcuts. So two
*controls* are measured alongside a variant: without BOLT, and with relocations only.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial

from optbuild.errors import UsageError
from optbuild.plan.action import Argument, Id, render_argument
from optbuild.plan.counts import BranchCounts
from optbuild.plan.draft import Draft, PlanInputs
from optbuild.plan.fingerprint import make_action_id
from optbuild.plan.kinds.bolt import BoltInstrument, BoltMerge, BoltOptimise, BoltTrain, Strip
from optbuild.plan.kinds.make_object import MakeObject
from optbuild.plan.results import Binaries
from optbuild.plan.ways import Following
from optbuild.profile.variants import BoltMode, Variant
from optbuild.profile.workloads import Use
from optbuild.project.cargo_profile import resolve_cargo_profile
from optbuild.project.model import CargoProfile
from optbuild.toolchain.model import BoltTools
from optbuild.tools import preload_object
from optbuild.tools.linked_object import ObjectForm
from optbuild.tools.llvm_bolt import EMIT_RELOCATIONS, KEEP_SYMBOLS
from optbuild.tools.llvm_objcopy import Keep
from optbuild.tools.rustc import STATIC_C_LIBRARY, find_codegen_option, parse_release
from optbuild.workloads.invocation import Invocation

_ARCHITECTURES = ("x86_64", "aarch64")
_KEEPS = {"none": Keep.ALL, "false": Keep.ALL, "debuginfo": Keep.NO_DEBUG, "symbols": Keep.NONE, "true": Keep.NONE}
_NO_DEBUG = frozenset({"0", "false", "none"})
_STRIPS_BY_ITSELF_SINCE = (1, 77)
"""The first cargo that strips debug information where none is asked for: that of the standard library."""
_STRIPPING = frozenset({"-s", "--strip-all", "-S", "--strip-debug", "-x", "--discard-all"})

_LLVM_ARGS = re.compile(r"(?:-C|--codegen=)?llvm[-_]args=(?P<words>.*)", re.DOTALL)
_SPLIT_FUNCTIONS = "enable-split-machine-functions"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    """What all actions of a variant's BOLT have in common."""

    tools: BoltTools
    programs: tuple[str, ...]
    workloads: tuple[Invocation, ...]
    keep: Keep


def add_bolt(draft: Draft, variant: Variant, inputs: PlanInputs) -> Draft:
    """Let the last compilation keep what BOLT needs, and BOLT follow it.

    Raises:
        UsageError: The variant requires BOLT, and it cannot be used.
    """
    if variant.bolt is BoltMode.OFF:
        return draft
    if (obstacle := _find_obstacle(draft, variant, inputs)) is not None:
        reason, remedy = obstacle
        if variant.bolt is BoltMode.AUTO:
            return replace(draft, without_bolt=reason)
        raise UsageError(
            f"variant {variant.name} wants BOLT, but {reason}",
            help=f'{remedy}, or say bolt = "auto" to build it without',
            location=inputs.build_profile.where("variants", variant.name, "bolt"),
        )
    chain = _chain_of(draft, variant, inputs)
    return replace(
        draft,
        last_rustflags=(
            *draft.last_rustflags,
            *((EMIT_RELOCATIONS,), (KEEP_SYMBOLS,)),
            *_keep_debug_whole(draft, inputs),
        ),
        follows=(*draft.follows, partial(_follow_with_bolt, chain, inputs)),
    )


def with_relocations_only(draft: Draft, variant: Variant, inputs: PlanInputs) -> Draft:
    """The same draft with the flags that BOLT needs, and without BOLT itself."""
    strip = partial(_follow_with_strip, _chain_of(draft, variant, inputs), inputs)
    return replace(draft, follows=(*draft.follows[:-1], strip))


def _follow_with_bolt(
    chain: _Chain, inputs: PlanInputs, binaries: Id[Binaries], label: str, *, left_out: Collection[str] = ()
) -> Following:
    """Each step's output is the input of the next, by its id. All of them are performed by making/kinds/bolt."""
    tools, version = chain.tools, chain.tools.bolt.version
    # 1. Instrument: copies of the linked programs that count where they go. making/bolt/driver
    instrument_id: Id[Binaries] = make_action_id("bolt-instrument", binaries, chain.programs, version)
    counts = inputs.layout.raw_profiles / instrument_id
    instrumented = BoltInstrument(
        id=instrument_id,
        needs=(binaries,),
        label=f"{label}: instrument for BOLT",
        binaries=binaries,
        programs=chain.programs,
        tools=tools,
        counts=counts,
        directory=inputs.layout.binaries / instrument_id,
    )
    # 2. Train: run them on the training workloads of PGO, which yields each one's counts. making/bolt/trainer
    workloads = tuple(each for each in chain.workloads if each.name not in left_out)
    preload = _make_preload(inputs) if any(each.needs_flush_object for each in workloads) else None
    runs = tuple(_train(each, instrumented, preload, label, inputs) for each in workloads)
    # 3. Merge: add up the counts of all workloads by weight. making/bolt/trainer
    weights = {run.id: run.workload.weight for run in runs}
    merge_id: Id[BranchCounts] = make_action_id("bolt-merge", weights, version)
    merge = BoltMerge(
        id=merge_id,
        needs=tuple(weights),
        label=f"{label}: merge counts for BOLT",
        weights=weights,
        tools=tools,
        directory=inputs.layout.profile_data / merge_id,
    )
    # 4. Lay out the programs by the counts, strip them, and check what came of it. making/bolt/driver, and proof
    optimise_id = make_action_id("bolt-optimise", binaries, merge.id, chain.programs, chain.keep, version)
    optimised = BoltOptimise(
        id=optimise_id,
        needs=(binaries, merge.id),
        label=f"{label}: lay out with BOLT",
        binaries=binaries,
        counts=merge.id,
        programs=chain.programs,
        tools=tools,
        keep=chain.keep,
        is_aarch64=inputs.toolchain.target.startswith("aarch64"),
        smoke=workloads[0],
        directory=inputs.layout.binaries / optimise_id,
    )
    objects = () if preload is None else (preload,)
    return Following(actions=(*objects, instrumented, *runs, merge, optimised), binaries=optimised.id)


def _train(
    workload: Invocation, instrumented: BoltInstrument, preload: MakeObject | None, label: str, inputs: PlanInputs
) -> BoltTrain:
    saves_counts = preload.id if preload is not None and workload.needs_flush_object else None
    needs = (instrumented.id, *(() if saves_counts is None else (saves_counts,)))
    action_id: Id[BranchCounts] = make_action_id("bolt-train", inputs.workload_keys[workload.name], *needs)
    return BoltTrain(
        id=action_id,
        needs=needs,
        label=f"{label}: count branches on {workload.name}",
        workload=workload,
        binaries=instrumented.id,
        programs=instrumented.programs,
        counts=instrumented.counts,
        tools=instrumented.tools,
        saves_counts=saves_counts,
        directory=inputs.layout.profile_data / action_id,
    )


def _make_preload(inputs: PlanInputs) -> MakeObject:
    toolchain = inputs.toolchain
    action_id = make_action_id("object", preload_object.SOURCE, toolchain.rustc, toolchain.target)
    return MakeObject(
        id=action_id,
        needs=(),
        label="library that lets a program exit on a signal",
        rustc=toolchain.rustc.path,
        crate=preload_object.CRATE,
        source=preload_object.SOURCE,
        target=toolchain.target,
        cwd=inputs.project.directory,
        file=inputs.layout.linked_objects / f"{action_id}.so",
        saves_counts=True,
        form=ObjectForm.SHARED,
    )


def _follow_with_strip(
    chain: _Chain, inputs: PlanInputs, binaries: Id[Binaries], label: str, *, left_out: Collection[str] = ()
) -> Following:
    del left_out  # nothing is trained
    action_id: Id[Binaries] = make_action_id("strip", binaries, chain.keep)
    strip = Strip(
        id=action_id,
        needs=(binaries,),
        label=f"{label}: strip",
        binaries=binaries,
        tools=chain.tools,
        keep=chain.keep,
        directory=inputs.layout.binaries / action_id,
    )
    return Following(actions=(strip,), binaries=strip.id)


def _chain_of(draft: Draft, variant: Variant, inputs: PlanInputs) -> _Chain:
    tools = inputs.toolchain.bolt
    assert tools is not None  # noqa: S101 - for mypy: its absence is an obstacle
    workloads = _training_workloads(draft, inputs)
    names = (*draft.recipe.bins, *draft.recipe.examples)
    wanted = names if draft.program is None else (draft.program,)
    trained = tuple(name for name in wanted if any(name in workload.bins for workload in workloads))
    return _Chain(tools=tools, programs=trained, workloads=workloads, keep=_find_keep(draft, variant, inputs))


def _training_workloads(draft: Draft, inputs: PlanInputs) -> tuple[Invocation, ...]:
    """Those that run the programs themselves: what cargo would run for others holds the same code elsewhere.

    A program with its own profile is laid out alone, so a workload that runs others as well does not count for it.
    """
    names = (*draft.recipe.bins, *draft.recipe.examples)
    return tuple(
        workload
        for workload in inputs.workloads
        if Use.TRAIN in workload.use
        and workload.call is None
        and any(name in workload.bins for name in names)
        and (draft.program is None or set(workload.bins) == {draft.program})
    )


def _find_keep(draft: Draft, variant: Variant, inputs: PlanInputs) -> Keep:
    """What the program would keep of its symbols without BOLT."""
    flags = _flags_of(draft)
    if (own := find_codegen_option(flags, "strip")) is not None:
        return _KEEPS.get(own[1], Keep.ALL)
    profile = _cargo_profile(draft, inputs)
    written = profile.strip if variant.strip is None else str(variant.strip).lower()
    if written is not None:
        return _KEEPS.get(written, Keep.ALL)
    strips = parse_release(inputs.toolchain.cargo.version) >= _STRIPS_BY_ITSELF_SINCE
    return Keep.NO_DEBUG if strips and not _has_debug(variant, profile) else Keep.ALL


def _has_debug(variant: Variant, profile: CargoProfile) -> bool:
    written = profile.debug if variant.debug is None else str(variant.debug).lower()
    return written is not None and written not in _NO_DEBUG


def _splits_debug(draft: Draft, inputs: PlanInputs) -> bool:
    own = find_codegen_option(_flags_of(draft), "split-debuginfo")
    split = _cargo_profile(draft, inputs).split_debuginfo if own is None else own[1]
    return split not in {None, "off"}


def _keep_debug_whole(draft: Draft, inputs: PlanInputs) -> tuple[Argument, ...]:
    """The flag without which rustc would pack debug information: it cannot where the linker keeps relocations."""
    return (("-Csplit-debuginfo=off",),) if _splits_debug(draft, inputs) else ()


def _cargo_profile(draft: Draft, inputs: PlanInputs) -> CargoProfile:
    return resolve_cargo_profile(inputs.project.cargo_profiles, draft.recipe.cargo_profile)


def _flags_of(draft: Draft) -> tuple[str, ...]:
    return (*draft.recipe.inherited_rustflags, *map(render_argument, draft.recipe.rustflags))


def _find_obstacle(draft: Draft, variant: Variant, inputs: PlanInputs) -> tuple[str, str] | None:
    """Why BOLT cannot be used for a variant, and what mends it."""
    return _find_platform_obstacle(inputs) or _find_project_obstacle(draft, variant, inputs)


def _find_project_obstacle(draft: Draft, variant: Variant, inputs: PlanInputs) -> tuple[str, str] | None:
    """Why these programs, as they are built and run, cannot be laid out."""
    if inputs.targets.libs:
        library = inputs.targets.libs[0].file_name
        return f"{library} is a library, and BOLT is for programs", "leave the library out of all commands"
    if clash := [flag for flag in _flags_of(draft) if _strips(flag)]:
        return f"the rustflags strip the program ({clash[0]})", 'remove that flag, and write `strip = "symbols"`'
    if clash := [flag for flag in _flags_of(draft) if _splits_functions(flag)]:
        return f"llvm-bolt crashes on functions that LLVM has split ({clash[0]})", "remove that flag: BOLT splits them"
    keep = _find_keep(draft, variant, inputs)
    if keep is Keep.ALL and _has_debug(variant, _cargo_profile(draft, inputs)) and _splits_debug(draft, inputs):
        return (
            "its debug information is in separate files, which BOLT would not change",
            'set split-debuginfo = "off"',
        )
    measured = [each.name for each in inputs.workloads if Use.BENCH in each.use and each.call is not None]
    if measured:
        return f"{measured[0]!r} measures tests or benches, which BOLT has no counts for", "measure it with `command`"
    return _find_training_obstacle(draft, inputs)


def _find_training_obstacle(draft: Draft, inputs: PlanInputs) -> tuple[str, str] | None:
    """Why no branches could be counted."""
    if not _training_workloads(draft, inputs):
        remedy = 'add a [[workloads]] table with {bin} in its command and use = ["train"]'
        if draft.program is not None:
            reason = f"no training workload runs {draft.program} and no other program"
            return f"{reason}, and each has its own profile", 'set profiles = "merged"'
        return "no training workload runs the program itself", remedy
    return None


def _find_platform_obstacle(inputs: PlanInputs) -> tuple[str, str] | None:
    """Why BOLT does not work here for any variant."""
    toolchain = inputs.toolchain
    target, host = toolchain.target, toolchain.host
    architecture = target.partition("-")[0]
    if "linux" not in target or architecture not in _ARCHITECTURES:
        return f"BOLT does not support {target}", "build for Linux on x86_64 or aarch64"
    if architecture != host.partition("-")[0] or inputs.not_runnable is not None:
        return f"programs for {target} cannot be instrumented on {host}", "build on such a machine"
    if STATIC_C_LIBRARY in toolchain.target_cfg:
        reason = "a statically linked program does not call BOLT's runtime, so it would write no counts"
        return reason, "build for a target that links dynamically, such as x86_64-unknown-linux-gnu"
    if toolchain.bolt is None:
        return f"no llvm-bolt fits rustc (LLVM {toolchain.rustc.llvm_major})", "run `optbuild doctor --fix`"
    return None


def _strips(flag: str) -> bool:
    name, _, value = flag.removeprefix("-C").partition("=")
    if name.replace("_", "-") not in {"link-arg", "link-args", "pre-link-arg", "pre-link-args"}:
        return False
    return any(word in _STRIPPING for argument in value.split() for word in argument.removeprefix("-Wl,").split(","))


def _splits_functions(flag: str) -> bool:
    found = _LLVM_ARGS.fullmatch(flag)
    words = found["words"].split() if found is not None else ()
    return any(word.lstrip("-") in {_SPLIT_FUNCTIONS, f"{_SPLIT_FUNCTIONS}=true"} for word in words)
