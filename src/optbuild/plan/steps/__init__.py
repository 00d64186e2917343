"""How a variant's settings become recipes and actions.

A step takes a draft of a variant and returns it changed. A *flag step* only changes the recipe; a *feedback step* (PGO)
also adds the actions that its recipe needs. To add one, write it in a module here and give it a line in `STEPS`.
"""

from __future__ import annotations

from collections.abc import Callable

from optbuild.plan.draft import Draft, PlanInputs
from optbuild.plan.steps import allocator, bolt, codegen, pgo, startup
from optbuild.profile.variants import Variant

Step = Callable[[Draft, Variant, PlanInputs], Draft]

STEPS: tuple[Step, ...] = (
    *codegen.FLAG_STEPS,
    startup.check_layout,
    allocator.add_allocator,  # before PGO, as the next one
    bolt.add_bolt,  # before PGO, whose last compilation it adds flags to; its own actions follow that
    pgo.add_feedback,  # last: it compiles the recipe of all steps before it twice
)
