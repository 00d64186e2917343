from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from optbuild.making.kinds.compile import LTO_BYTES
from optbuild.making.kinds.table import kind_of
from optbuild.making.order.exclusivity import Budget, Demand, Exclusivity, choose_next
from optbuild.making.tools import Tools
from optbuild.plan.action import Action
from optbuild.plan.kinds.check_outputs import CompareOutputs, ProbeOutputs
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.kinds.train import Train
from optbuild.plan.model import Plan
from optbuild.plan.planner import make_plan
from optbuild.profile.cargo_words import CargoCall, CargoVerb
from optbuild.testing import make_invocation, make_plan_inputs
from optbuild.workloads.invocation import Ready, Server
from optbuild.workloads.readiness import ReadyKind
from tests.unit.build_cases import Workshop

BUDGET = Budget(jobs=4, memory_bytes=8 << 30)
GIB = 1 << 30
READY = Ready(kind=ReadyKind.TCP, value=("7",), within_s=1.0)


def plan() -> Plan:
    """Release, lto and pgo, with a workload for training and benchmark."""
    return make_plan(make_plan_inputs(), ("release", "lto", "pgo"), measure=True)


def labelled(label: str) -> Action[object]:
    """An action of that plan."""
    return next(action for action in plan().actions if action.label == label)


@pytest.fixture(scope="module", autouse=True)
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """What performs actions; here only where it does matters."""
    TOOLS.append(Workshop(tmp_path_factory.mktemp("shop")).tools)
    return TOOLS[-1]


TOOLS: list[Tools] = []


def demand(wanted: str | Action[object], budget: Budget = BUDGET, alone: Exclusivity = Exclusivity.SHARED) -> Demand:
    """What an action needs."""
    action = labelled(wanted) if isinstance(wanted, str) else wanted
    return kind_of(action).demand(action, TOOLS[-1], budget, alone=alone)


def chosen(ready: list[str], running: list[str], budget: Budget = BUDGET) -> str | None:
    """The label of what begins next."""
    running_demands = [demand(label, budget) for label in running]
    place = choose_next([demand(label, budget) for label in ready], running_demands, budget)
    return None if place is None else ready[place]


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
    [(TRAIN, Exclusivity.ALONE_SOON), (PROBE, Exclusivity.ALONE_SOON), (COMPARE, Exclusivity.ALONE_LAST)],
)
@pytest.mark.parametrize(
    "changes",
    [
        {"server": Server(argv=(("{bin:demo}",),), ready=READY)},
        {"call": CargoCall(verb=CargoVerb.BENCH)},
    ],
)
def test_a_workload_that_depends_on_time_runs_alone(changes: dict[str, Any], label: str, alone: Exclusivity) -> None:
    """A server has to be ready in time and its clients give up; benches repeat until they have measured enough."""
    action = labelled(label)
    assert isinstance(action, (Train, ProbeOutputs, CompareOutputs))
    assert demand(action).exclusivity is Exclusivity.SHARED
    assert demand(action, alone=Exclusivity.ALONE_SOON).exclusivity is alone
    timed = replace(action, workload=make_invocation(**changes))
    assert demand(timed).exclusivity is alone


def test_what_has_to_run_alone_waits_and_is_waited_for() -> None:
    """Nothing is begun before a probe or a training, so that it need not wait for long; a comparison has time."""
    soon, last = Demand(exclusivity=Exclusivity.ALONE_SOON), Demand(exclusivity=Exclusivity.ALONE_LAST)
    build = demand(LTO)
    assert choose_next([build, soon], [demand(INSTRUMENT)], BUDGET) is None
    assert choose_next([build, soon], [], BUDGET) == 1
    assert choose_next([build], [soon], BUDGET) is None
    assert choose_next([last], [demand(PGO)], BUDGET) is None
    assert choose_next([last, build], [], BUDGET) == 1
    assert choose_next([last], [], BUDGET) == 0
    assert choose_next([build], [last], BUDGET) is None


def test_workloads_that_say_so_are_trained_at_the_same_time() -> None:
    """Both have to; the same workload for two variants has one scratch directory."""
    train = labelled(TRAIN)
    assert isinstance(train, Train)

    def training(name: str, *, parallel: bool) -> Demand:
        scratch = Path("/p/target/optbuild/scratch") / name
        workload = make_invocation(name=name, parallel=parallel, scratch=scratch)
        return demand(replace(train, workload=workload))

    first, second, alone = (
        training("one", parallel=True),
        training("two", parallel=True),
        training("other", parallel=False),
    )
    assert choose_next([first], [second], BUDGET) == 0
    assert choose_next([first], [first], BUDGET) is None
    assert choose_next([first], [alone], BUDGET) is None
    assert choose_next([alone], [first], BUDGET) is None
    assert choose_next([first], [first, second], Budget(jobs=2)) is None


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
    assert demand(release, known).memory_bytes == 5 * GIB
    assert demand(release, BUDGET).memory_bytes == 0
    assert isinstance(release, Compile)
    assert demand(labelled(MERGE), BUDGET) == Demand()
    assert isinstance(labelled(MERGE), MergeProfiles)
