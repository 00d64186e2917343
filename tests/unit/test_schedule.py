from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from optbuild.measure.model import A_PRIME
from optbuild.measure.schedule import CONTROL_SHARE, PILOT_ROUNDS, Round, Shape, has_control, make_round, make_warm_up

ARMS = ("release", "lto", "pgo", A_PRIME)
WORKLOADS = ("books", "logs", "requests")
PASSES = {"books": 1, "logs": 2, "requests": 3}
SHAPES = {name: Shape(turns=2 * passes, primed=True) for name, passes in PASSES.items()}
ONE_PASS = Shape(turns=2, primed=True)
LONG = Shape(turns=1, primed=False)


def make_rounds(count: int, *, seed: int) -> list[Round]:
    """The first rounds of a seed."""
    return [make_round(everywhere(*ARMS), SHAPES, seed=seed, index=index) for index in range(count)]


def everywhere(*arms: str) -> dict[str, tuple[str, ...]]:
    """The same arms on every workload."""
    return dict.fromkeys(WORKLOADS, arms)


def test_a_superblock_is_made_of_mirrored_passes_over_all_arms() -> None:
    """Every pass is a permutation of all arms followed by its reverse, so that linear drift cancels."""
    for round_ in make_rounds(20, seed=7):
        for superblock in round_.superblocks:
            length = 2 * len(ARMS)
            assert len(superblock.order) == PASSES[superblock.workload] * length
            for start in range(0, len(superblock.order), length):
                one_pass = superblock.order[start : start + length]
                assert one_pass == one_pass[::-1]
                assert sorted(one_pass[: len(ARMS)]) == sorted(ARMS)


def test_a_round_has_every_workload_once_in_shuffled_order() -> None:
    """No workload is always measured first."""
    rounds = make_rounds(60, seed=1)

    orders = {tuple(superblock.workload for superblock in round_.superblocks) for round_ in rounds}

    assert all(sorted(order) == sorted(WORKLOADS) for order in orders)
    assert len(orders) == 6


def test_the_same_seed_gives_the_same_schedule() -> None:
    """A stored seed reproduces the order of every run; another seed gives another order."""
    first = make_rounds(5, seed=3)

    assert make_rounds(5, seed=3) == first
    assert make_rounds(5, seed=4) != first


def test_rounds_differ_by_their_index() -> None:
    """Each is drawn by itself, whichever were drawn before."""
    rounds = make_rounds(9, seed=11)

    assert [round_.index for round_ in rounds] == list(range(9))
    assert len({round_.superblocks for round_ in rounds}) == 9


def test_the_order_of_a_seed_never_changes() -> None:
    """A schedule stored by an earlier version can be followed again: only random() decides, which Python keeps."""
    superblock = make_round({"w": ("a", "b", "c")}, {"w": ONE_PASS}, seed=42, index=0).superblocks[0]

    assert superblock.order == ("a", "c", "b", "b", "c", "a")


def test_every_order_of_arms_is_equally_likely() -> None:
    """A fair coin decides which arm goes first: the sign-flip test rests on it (χ² with 5 degrees of freedom)."""
    rounds = (make_round({"w": ("a", "b", "c")}, {"w": ONE_PASS}, seed=5, index=index) for index in range(6000))
    counts = Counter(round_.superblocks[0].order[:3] for round_ in rounds)

    assert len(counts) == 6
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 20.5


def test_the_primer_is_the_first_arm() -> None:
    """With it, every arm follows each neighbour of its pass once, and the arms at the ends themselves."""
    superblock = make_round({"w": ARMS}, {"w": ONE_PASS}, seed=0, index=0).superblocks[0]

    assert superblock.primer is not None
    follows = Counter(pairwise((superblock.primer, *superblock.order)))

    first, second, third, last = superblock.order[:4]
    neighbours = [(first, second), (second, third), (third, last)]
    both_ways = [*neighbours, *((later, earlier) for earlier, later in neighbours)]
    assert follows == Counter([*both_ways, (first, first), (last, last)])


def test_warm_up_runs_every_arm_on_every_workload_once() -> None:
    """Nothing is measured cold, and the warm-up's order is the seed's too."""
    arms = everywhere(*ARMS)
    turns = make_warm_up(arms, seed=9)

    assert {(turn.arm, turn.workload) for turn in turns} == {(arm, w) for arm in ARMS for w in WORKLOADS}
    assert len(turns) == len(ARMS) * len(WORKLOADS)
    assert turns == make_warm_up(arms, seed=9)
    assert turns != make_warm_up(arms, seed=10)


def test_a_workload_may_have_arms_of_its_own() -> None:
    """They take turns with the others there, and the orders on other workloads are made as ever."""
    arms = {**everywhere(*ARMS), "logs": (*ARMS, "pgo held-out")}
    for superblock in make_round(arms, SHAPES, seed=3, index=0).superblocks:
        assert Counter(superblock.order) == dict.fromkeys(arms[superblock.workload], 2 * PASSES[superblock.workload])
    turns = make_warm_up(arms, seed=3)
    assert [turn.workload for turn in turns if turn.arm == "pgo held-out"] == ["logs"]


def test_a_superblock_of_one_turn_is_one_random_order() -> None:
    """The smallest there is: every arm once, each order as likely as any other, no primer where runs are long."""
    for index in range(20):
        (superblock,) = make_round({"w": ARMS}, {"w": LONG}, seed=2, index=index).superblocks
        assert superblock.primer is None
        assert sorted(superblock.order) == sorted(ARMS)
    orders = {make_round({"w": ARMS}, {"w": LONG}, seed=2, index=index).superblocks[0].order for index in range(400)}
    assert len(orders) == 24


def test_an_arm_that_has_left_is_in_no_later_order() -> None:
    """A round is made of the arms that it is given; the others stay in fair turns."""
    few = tuple(arm for arm in ARMS if arm != "lto")
    (superblock,) = make_round({"w": few}, {"w": ONE_PASS}, seed=2, index=40).superblocks
    assert Counter(superblock.order) == dict.fromkeys(few, 2)


def test_the_control_is_in_each_round_of_the_pilot_and_in_a_quarter_of_the_others() -> None:
    """Its ten rounds are the check of the harness; which of the later ones it is in is chance, and the seed's."""
    there = [has_control(seed=5713, index=index) for index in range(4010)]
    assert all(there[:PILOT_ROUNDS])
    assert sum(there[PILOT_ROUNDS:]) == pytest.approx(4000 * CONTROL_SHARE, abs=100)
    assert there == [has_control(seed=5713, index=index) for index in range(4010)]
    assert there != [has_control(seed=5714, index=index) for index in range(4010)]
