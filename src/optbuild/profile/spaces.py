"""The factors of the spaces that come with optbuild, with those levels that can pay.

Sources: docs/how-to/search-for-the-fastest.md says why each is there; the flags of LLVM 22:
https://github.com/llvm/llvm-project/blob/main/llvm/lib/Analysis/InlineCost.cpp (`inline-threshold`),
https://github.com/llvm/llvm-project/blob/main/llvm/lib/CodeGen/TargetPassConfig.cpp (`enable-split-machine-functions`),
https://github.com/llvm/llvm-project/blob/main/llvm/lib/CodeGen/MachineBlockPlacement.cpp
(`enable-ext-tsp-block-placement`)
"""

from __future__ import annotations

from collections.abc import Mapping

from optbuild.profile.search_choices import Objective, Space
from optbuild.profile.tune import DEFAULT_LEVEL, Levels, TuneSettings

SPACES: Mapping[Space, Mapping[str, Levels]] = {
    Space.QUICK: {
        "lto": ("thin", "fat"),
        "codegen-units": (1,),
        "pgo": (False, True),
        "hot-count": (DEFAULT_LEVEL, "p95"),
    },
    Space.THOROUGH: {
        "lto": ("fat",),
        "codegen-units": (1,),
        "pgo": (True,),
        "target-cpu": (DEFAULT_LEVEL, "x86-64-v3"),
        "hot-count": (DEFAULT_LEVEL, "p95", "p99.99"),
        "count-scale": (DEFAULT_LEVEL, 0.1, 0.001),
        "rustflags": (
            (),
            ("-Cllvm-args=-inline-threshold=500",),
            ("-Cllvm-args=-enable-ext-tsp-block-placement",),
            ("-Cllvm-args=-enable-split-machine-functions",),
        ),
        "allocator": (DEFAULT_LEVEL, "mimalloc"),
        "bolt": (False, "auto"),
    },
    Space.SIZE: {
        "opt-level": (DEFAULT_LEVEL, "s", "z"),
        "lto": ("fat",),
        "codegen-units": (1,),
        "panic": (DEFAULT_LEVEL, "abort"),
        "strip": ("symbols",),
        "pgo": (False, True),
        "hot-count": (DEFAULT_LEVEL, "p95"),
    },
}


def factors_of(settings: TuneSettings) -> Mapping[str, Levels]:
    """The factors of a search: those of its space, replaced by the ones that are written."""
    space = settings.space
    if space is None and not settings.factors:
        space = Space.QUICK
    return {**(SPACES[space] if space is not None else {}), **settings.factors}


def objective_of(settings: TuneSettings) -> Objective:
    """What the winner has least of."""
    return settings.objective or (Objective.SIZE if settings.space is Space.SIZE else Objective.TIME)
