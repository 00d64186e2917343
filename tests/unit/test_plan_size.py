"""A large plan is made, looked through and printed with work that grows with its size, not with its square."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from optbuild.plan.action import ActionId
from optbuild.plan.model import Plan
from optbuild.plan.planner import make_plan
from optbuild.plan.render import render_actions
from optbuild.profile.variants import Lto, PgoMode, Variant
from optbuild.testing import make_build_profile, make_invocation, make_plan_inputs


def large_plan(variants: int, workloads: int) -> Plan:
    """A plan of many PGO variants, each with three attempts, and many workloads."""
    trained = [
        Variant(name=f"v{index}", lto=Lto.FAT, codegen_units=1, pgo=PgoMode.REQUIRED, rustflags=(f"--cfg=v{index}",))
        for index in range(variants)
    ]
    inputs = make_plan_inputs(
        build_profile=make_build_profile(Variant(name="release"), *trained),
        workloads=tuple(make_invocation("{bin:demo}", str(index), name=f"w{index}") for index in range(workloads)),
    )
    return make_plan(inputs, tuple(inputs.build_profile.variants), measure=True)


@pytest.mark.parametrize("workloads", [1, 8])
def test_each_chain_of_a_plan_is_followed_once(workloads: int) -> None:
    """What serves a variant is found once for each attempt, however many actions ask for it."""
    plan = large_plan(5, workloads)
    followed: list[ActionId] = []
    needed_by = Plan.needed_by

    def follow(self: Plan, action_id: ActionId) -> tuple[ActionId, ...]:
        followed.append(action_id)
        return needed_by(self, action_id)

    with patch.object(Plan, "needed_by", follow):
        render_actions(plan)
    assert len(followed) == len(set(followed)) == 1 + 5 * 3
