from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from optbuild.errors import UsageError
from optbuild.plan.action import ActionId
from optbuild.plan.model import Plan
from optbuild.plan.planner import make_plan
from optbuild.profile.variants import PgoMode
from optbuild.profile.workloads import Use
from optbuild.record.history import History
from optbuild.record.model import CrossValidationRecord, FoldRecord
from optbuild.record.variants import StepRecord
from optbuild.session.cross_validation import describe_folds, find_folds, require_candidate
from optbuild.testing import (
    make_build_profile,
    make_invocation,
    make_plan_inputs,
    make_run_record,
    make_variant_record,
    make_variants,
)
from optbuild.workloads.folds import Fold
from optbuild.workloads.overlap import Overlap

WORKLOADS = tuple(make_invocation("{bin:demo}", name, name=name) for name in ("books", "logs", "code"))
INPUTS = make_plan_inputs(workloads=WORKLOADS)
OVERLAPS = tuple(Overlap(workload=w.name, shared_with=(w.name,), unknown_with=()) for w in WORKLOADS)
FOLDS = find_folds(INPUTS, OVERLAPS)
PLAN = make_plan(INPUTS, ("release", "lto", "pgo"), measure=True, folds=FOLDS)


def told(
    durations_s: Mapping[Any, float] | None = None, *, plan: Plan = PLAN, overlaps: tuple[Overlap, ...] = OVERLAPS
) -> list[str]:
    """What is said before a cross-validation, given how long actions took before."""
    return list(
        describe_folds(
            plan, FOLDS, overlaps, History(durations_s={str(key): value for key, value in (durations_s or {}).items()})
        )
    )


def test_the_first_time_the_number_of_builds_is_told() -> None:
    """Nobody knows how long they take."""
    assert told() == ["cross-validation: 3 more builds of pgo; left out in turn: books; logs; code"]
    assert told({ActionId("compile-other"): 90.0}) == told()


def test_the_variants_last_build_tells_how_long_it_takes() -> None:
    """In whichever way it was trained then."""
    for attempt in PLAN.variants[2].attempts:
        (line,) = told({attempt.compile: 60.0})
        assert "3 more builds of pgo, about 3 min 00 s based on earlier builds; left" in line


def test_what_was_built_before_costs_nothing() -> None:
    """As far as nothing has changed: cargo decides."""
    first, *rest = ({fold.build.attempts[0].compile: 5.0} for fold in PLAN.folds)
    (line,) = told(first | rest[0] | rest[1])
    assert "of pgo, which an earlier run has built; unchanged ones are reused; left out" in line
    (line,) = told(first | {PLAN.variants[2].attempts[0].compile: 20.0})
    assert "3 more builds of pgo, about 40 s based on" in line
    assert "about" not in told(first)[0]


def test_earlier_folds_are_remembered() -> None:
    """With the steps of variants: by their actions."""
    step = StepRecord(action="compile-fold", kind="compile", argv=(), duration_s=5.0, reused=False, log=None)
    build = make_variant_record("pgo without x", steps=(step,))
    fold = FoldRecord(variant="pgo", left_out=("x",), workloads=("x",), build=build)
    record = make_run_record(cross_validation=CrossValidationRecord(folds=(fold,)))
    assert History.of([record]).duration_s("compile-fold") == 5.0


def test_workloads_without_a_fold_are_named() -> None:
    """Leaving them out would leave nothing."""
    names = tuple(w.name for w in WORKLOADS)
    overlaps = (*OVERLAPS, Overlap(workload="all", shared_with=names, unknown_with=()))
    assert told(overlaps=overlaps)[1:] == [
        "no fold for all: all training workloads share an input with it, so none would be left"
    ]


def test_a_variant_that_is_skipped_leaves_nothing_to_try() -> None:
    """With `pgo = "auto"` the run goes on, and says so."""
    assert told(plan=replace(PLAN, folds=())) == ["nothing is cross-validated: no PGO variant is built"]


def test_without_a_candidate_there_is_no_profile_to_try() -> None:
    """The baseline is no candidate: a change is against it."""
    release, lto, pgo = make_variants().values()
    require_candidate(make_build_profile(release, pgo), ("release", "pgo"))
    with pytest.raises(UsageError, match="no variant that is compared with release has PGO") as caught:
        require_candidate(make_build_profile(release, lto, pgo), ("release", "lto"))
    assert caught.value.status == 2
    assert "`pgo = true`" in caught.value.help
    with pytest.raises(UsageError, match="no variant that is compared with pgo has PGO"):
        require_candidate(make_build_profile(pgo, lto), ("pgo", "lto"))
    require_candidate(make_build_profile(release, replace(pgo, pgo=PgoMode.AUTO)), ("release", "pgo"))


def test_a_refusal_names_the_build_profile() -> None:
    """Where the workloads are that cannot be left out."""
    alone = make_plan_inputs(workloads=WORKLOADS[:1])
    with pytest.raises(UsageError, match="'books' out would leave nothing to train on") as caught:
        find_folds(alone, OVERLAPS[:1])
    assert caught.value.location == "/p/optbuild.toml"
    unnamed = replace(alone, build_profile=replace(alone.build_profile, path=None))
    with pytest.raises(UsageError, match="nothing to train on") as caught:
        find_folds(unnamed, OVERLAPS[:1])
    assert caught.value.location is None


def test_what_cannot_run_here_is_not_cross_validated() -> None:
    """Nothing would be measured: builds for nothing."""
    foreign = replace(INPUTS, not_runnable="a program for riscv64 does not run on x86-64")
    with pytest.raises(UsageError, match="without measuring: a program for riscv64"):
        find_folds(foreign, OVERLAPS)


def test_folds_are_those_of_the_workloads() -> None:
    """Each one that was trained and is measured."""
    assert tuple(Fold(left_out=(w.name,), workloads=(w.name,)) for w in WORKLOADS) == FOLDS
    assert all(Use.TRAIN in workload.use for workload in WORKLOADS)
    assert INPUTS.build_profile.path == Path("/p/optbuild.toml")
