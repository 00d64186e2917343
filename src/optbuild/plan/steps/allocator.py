"""Another allocator, linked into the programs that are shipped.

Instrumented builds have none: what Rust code asks of an allocator is the same, and so its counts are. So a variant
shares the training of one without it.
"""

from __future__ import annotations

from dataclasses import replace

from optbuild.errors import UsageError
from optbuild.plan.action import Argument, Id, Output
from optbuild.plan.draft import Draft, PlanInputs
from optbuild.plan.fingerprint import make_action_id
from optbuild.plan.kinds.make_allocator import MakeAllocator
from optbuild.plan.results import MadeObject
from optbuild.profile.variants import Allocator, Variant
from optbuild.project.selection import Targets
from optbuild.toolchain.model import Toolchain
from optbuild.tools.builders import BuilderName
from optbuild.tools.mimalloc import ARCHIVE, CRATE, END_OF_WHOLE, LINK_WHOLE, render_package
from optbuild.tools.rustc import STATIC_C_LIBRARY


def add_allocator(draft: Draft, variant: Variant, inputs: PlanInputs) -> Draft:
    """Let the last compilation link an allocator; a draft of another variant stays as it is.

    Raises:
        UsageError: It cannot be linked.
    """
    if variant.allocator is Allocator.DEFAULT:
        return draft
    obstacle = find_allocator_obstacle(inputs.toolchain, inputs.targets, inputs.locked_packages)
    if obstacle is not None:
        reason, remedy = obstacle
        raise UsageError(
            f'variant {variant.name} has allocator = "{variant.allocator}", but {reason}',
            help=f"{remedy}, or remove `allocator`",
            location=inputs.build_profile.where("variants", variant.name, "allocator"),
        )
    made = _make_allocator(inputs)
    archive: Argument = ("-Clink-arg=", Output(action=made.id, name=ARCHIVE))
    return replace(
        draft,
        actions=(*draft.actions, made),
        last_rustflags=(*draft.last_rustflags, (LINK_WHOLE,), archive, (END_OF_WHOLE,)),
    )


def find_allocator_obstacle(
    toolchain: Toolchain, targets: Targets, locked_packages: frozenset[str]
) -> tuple[str, str] | None:
    """Why no allocator can be linked into these programs, and what mends it."""
    if "linux-gnu" not in toolchain.target or STATIC_C_LIBRARY in toolchain.target_cfg:
        reason = f"programs for {toolchain.target} cannot take the place of their C library's"
        return reason, "build for Linux with the GNU C library, linked dynamically"
    if toolchain.builder.name is not BuilderName.CARGO:
        return f"{toolchain.builder.name} is not known to link one", 'write builder = "cargo" under [project]'
    if targets.libs:
        library = targets.libs[0].file_name
        return f"{library} is a library, and the program that loads it has an allocator", "leave it out of all commands"
    if CRATE in locked_packages:
        return f"the project's Cargo.lock has {CRATE}, which can be linked once", "choose its version of mimalloc there"
    return None


def _make_allocator(inputs: PlanInputs) -> MakeAllocator:
    toolchain, layout = inputs.toolchain, inputs.layout
    action_id: Id[MadeObject] = make_action_id("allocator", render_package(), toolchain.rustc, toolchain.target)
    return MakeAllocator(
        id=action_id,
        needs=(),
        label="compile mimalloc",
        cargo=toolchain.cargo.path,
        target=toolchain.target,
        cwd=inputs.project.directory,
        package=layout.allocator / "package",
        cargo_target=layout.allocator / "target",
        file=layout.linked_objects / f"{action_id}.a",
    )
