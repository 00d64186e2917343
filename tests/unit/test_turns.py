from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from optbuild.making.order.exclusivity import LTO_BYTES, Budget, Company, Demand, choose_next, demand_of
from optbuild.plan.actions import Action, CompareOutputs, Compile, MergeProfiles, ProbeOutputs, Train
from optbuild.plan.model import Plan
from optbuild.plan.planner import make_plan
from optbuild.profile.cargo_words import CargoCall, CargoVerb
from optbuild.testing import make_invocation, make_plan_inputs
from optbuild.workloads.invocation import Ready, Server
from optbuild.workloads.readiness import ReadyKind

STAGE = Path("/p/target/optbuild/stage")
BUDGET = Budget(jobs=4, memory_bytes=8 << 30)
GIB = 1 << 30
READY = Ready(kind=ReadyKind.TCP, value=("7",), within_s=1.0)


def plan() -> Plan:
    """Release, lto and pgo, with a workload for training and benchmark."""
    return make_plan(make_plan_inputs(), ("release", "lto", "pgo"), measure=True)


def labelled(label: str) -> Action:
    """An action of that plan."""
    return next(action for action in plan().actions if action.label == label)


def demand(label: str, budget: Budget = BUDGET) -> Demand:
    """What it needs."""
    return demand_of(labelled(label), stage=STAGE, budget=budget)


def chosen(ready: list[str], running: list[str], budget: Budget = BUDGET) -> str | None:
    """The label of what begins next."""
    found = choose_next(
        [(labelled(label), demand(label, budget)) for label in ready],
        [demand(label, budget) for label in running],
        budget,
    )
    return None if found is None else found[0].label


RELEASE, LTO, PGO = "release: build", "lto: build", "pgo: build"
INSTRUMENT, TRAIN, MERGE = "pgo: build instrumented without LTO", "pgo: train on small", "pgo: merge profiles"
PROBE, COMPARE = "outputs of small", "lto: outputs of small"


def test_plain_builds_and_those_with_profiles_run_side_by_side() -> None:
    """Two calls of cargo in one directory would wait for each other, and hold a token for nothing."""
    assert chosen([RELEASE, LTO, INSTRUMENT], []) == RELEASE
    assert chosen([LTO, INSTRUMENT], [RELEASE]) == INSTRUMENT
    assert chosen([LTO], [RELEASE, INSTRUMENT]) is None
    assert chosen([LTO, PGO], [RELEASE]) == PGO


def test_training_and_merging_run_beside_builds() -> None:
    """Not beside another training: all programs run from one place, so that they print the same name."""
    assert chosen([LTO, TRAIN], [RELEASE]) == TRAIN
    assert chosen([LTO, TRAIN], [RELEASE, TRAIN]) is None
    assert chosen([MERGE], [RELEASE, TRAIN]) == MERGE


def test_no_more_runs_than_there_are_jobs() -> None:
    """Each holds a token; one more would only wait for it."""
    two = Budget(jobs=2)
    assert chosen([TRAIN], [RELEASE], two) == TRAIN
    assert chosen([MERGE], [RELEASE, TRAIN], two) is None


def test_one_job_follows_the_plan() -> None:
    """Nothing is left for later, and nothing is preferred."""
    one = Budget(jobs=1)
    assert chosen([COMPARE, INSTRUMENT], [], one) == COMPARE
    assert chosen([RELEASE, PROBE], [], one) == RELEASE
    assert chosen([INSTRUMENT], [RELEASE], one) is None
    assert chosen([], [], one) is None


def test_outputs_are_looked_at_beside_builds() -> None:
    """Not beside another workload."""
    assert chosen([PROBE, LTO], [INSTRUMENT]) == PROBE
    assert chosen([PROBE], [TRAIN]) is None
    assert chosen([COMPARE], [TRAIN]) is None
    assert chosen([COMPARE], [PGO]) == COMPARE


@pytest.mark.parametrize(
    ("label", "alone"),
    [(TRAIN, Company.ALONE_SOON), (PROBE, Company.ALONE_SOON), (COMPARE, Company.ALONE_LAST)],
)
@pytest.mark.parametrize(
    "changes",
    [
        {"server": Server(argv=(("{bin:demo}",),), ready=READY)},
        {"call": CargoCall(verb=CargoVerb.BENCH)},
    ],
)
def test_a_workload_that_depends_on_time_runs_alone(changes: dict[str, Any], label: str, alone: Company) -> None:
    """A server has to be ready in time and its clients give up; benches repeat until they have measured enough."""
    action = labelled(label)
    assert isinstance(action, (Train, ProbeOutputs, CompareOutputs))
    assert demand_of(action, stage=STAGE, budget=BUDGET).company is Company.WELCOME
    assert demand_of(action, stage=STAGE, budget=BUDGET, alone={action.id}).company is alone
    timed = replace(action, workload=make_invocation(**changes))
    assert demand_of(timed, stage=STAGE, budget=BUDGET).company is alone


def test_what_has_to_run_alone_waits_and_is_waited_for() -> None:
    """Nothing is begun before a probe or a training, so that it need not wait for long; a comparison has time."""
    train, compare = labelled(TRAIN), labelled(COMPARE)
    soon, last = Demand(company=Company.ALONE_SOON), Demand(company=Company.ALONE_LAST)
    build = (labelled(LTO), demand(LTO))
    assert choose_next([build, (train, soon)], [demand(INSTRUMENT)], BUDGET) is None
    assert choose_next([build, (train, soon)], [], BUDGET) == (train, soon)
    assert choose_next([build], [soon], BUDGET) is None
    assert choose_next([(compare, last)], [demand(PGO)], BUDGET) is None
    assert choose_next([(compare, last), build], [], BUDGET) == build
    assert choose_next([(compare, last)], [], BUDGET) == (compare, last)
    assert choose_next([build], [last], BUDGET) is None


def test_workloads_that_say_so_are_trained_at_the_same_time() -> None:
    """Both have to; the same workload for two variants has one scratch directory."""
    train = labelled(TRAIN)
    assert isinstance(train, Train)

    def training(name: str, *, parallel: bool) -> tuple[Action, Demand]:
        scratch = Path("/p/target/optbuild/scratch") / name
        workload = make_invocation(name=name, parallel=parallel, scratch=scratch)
        action = replace(train, workload=workload)
        return action, demand_of(action, stage=STAGE, budget=BUDGET)

    (one, first), (_, second), (other, alone) = (
        training("one", parallel=True),
        training("two", parallel=True),
        training("other", parallel=False),
    )
    assert choose_next([(one, first)], [second], BUDGET) == (one, first)
    assert choose_next([(one, first)], [first], BUDGET) is None
    assert choose_next([(one, first)], [alone], BUDGET) is None
    assert choose_next([(other, alone)], [first], BUDGET) is None
    assert choose_next([(one, first)], [first, second], Budget(jobs=2)) is None


def test_links_of_whole_programs_share_the_memory() -> None:
    """What an earlier run needed decides, or else a stated default; one alone always begins."""
    tight = Budget(jobs=4, memory_bytes=LTO_BYTES + GIB)
    assert chosen([PGO], [LTO], tight) is None
    assert chosen([INSTRUMENT], [LTO], tight) == INSTRUMENT
    assert chosen([PGO], [], Budget(jobs=4, memory_bytes=0)) == PGO
    assert chosen([PGO], [RELEASE], Budget(jobs=4, memory_bytes=0)) is None
    peaks: dict[str, int] = {labelled(LTO).id: GIB // 2, labelled(PGO).id: GIB}
    assert chosen([PGO], [LTO], Budget(jobs=4, memory_bytes=2 * GIB, peaks=peaks)) == PGO
    peaks[labelled(PGO).id] = 2 * GIB
    assert chosen([PGO], [LTO], Budget(jobs=4, memory_bytes=2 * GIB, peaks=peaks)) is None


def test_what_is_known_of_a_build_counts_whatever_it_links() -> None:
    """A code generator may need more than a link."""
    release = labelled(RELEASE)
    known = Budget(jobs=2, peaks={release.id: 5 * GIB})
    assert demand_of(release, stage=STAGE, budget=known).memory_bytes == 5 * GIB
    assert demand_of(release, stage=STAGE, budget=BUDGET).memory_bytes == 0
    assert isinstance(release, Compile)
    assert demand_of(labelled(MERGE), stage=STAGE, budget=BUDGET) == Demand()
    assert isinstance(labelled(MERGE), MergeProfiles)
