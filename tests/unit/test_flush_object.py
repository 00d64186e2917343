from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.errors import BuildError
from optbuild.making.cargo.linked_object import make_object
from optbuild.plan.action import Id
from optbuild.plan.forecast import Expectation
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.kinds.make_object import MakeObject
from optbuild.plan.planner import make_plan
from optbuild.profile.workloads import Use
from optbuild.project.layout import Layout
from optbuild.record.history import History
from optbuild.record.model import HostRecord
from optbuild.session.forecast import forecast
from optbuild.session.prepare import Prepared
from optbuild.testing import Reply, ScriptedExecutor, make_invocation, make_plan_inputs, make_project
from optbuild.workloads.inputs import InputHashes


def plan_with(*, needs: bool, use: tuple[Use, ...] = (Use.TRAIN, Use.BENCH)) -> list[MakeObject | Compile]:
    """The objects and compilations of a plan of which one workload needs a flush object, or none does."""
    workload = make_invocation("{bin:demo}", needs_flush_object=needs, use=use)
    other = make_invocation("{bin:demo}", "x", name="other")
    plan = make_plan(make_plan_inputs(workloads=(workload, other)), ("release", "lto", "pgo"), measure=True)
    return [action for action in plan.actions if isinstance(action, (MakeObject, Compile))]


def test_only_the_instrumented_build_links_it() -> None:
    """What is shipped has none of it, and is compared with the same recipe without PGO all the same."""
    marks, flush, *_ = [action for action in plan_with(needs=True) if isinstance(action, MakeObject)]
    assert (marks.saves_counts, flush.saves_counts) == (False, True)
    linking = [a for a in plan_with(needs=True) if isinstance(a, Compile) and str(flush.file) in str(a.env)]
    assert {action.role for action in linking} == {Role.INSTRUMENT}
    assert {action.needs for action in linking} == {(marks.id, flush.id)}
    workload = make_invocation("{bin:demo}", needs_flush_object=True)
    plan = make_plan(make_plan_inputs(workloads=(workload,)), ("release", "lto", "pgo"), measure=True)
    lto, pgo = plan.variants[1:]
    assert pgo.plain == lto.compile
    assert all(plan.has_flush_object(attempt.instrument) for attempt in pgo.attempts)


@pytest.mark.parametrize("changes", [{"needs": False}, {"needs": True, "use": (Use.BENCH,)}])
def test_without_a_program_that_a_signal_ends_there_is_none(changes: dict[str, object]) -> None:
    """A program that ends by itself writes its counts by itself."""
    made = [item for item in plan_with(**changes) if isinstance(item, MakeObject)]  # type: ignore[arg-type]
    assert made
    assert not any(item.saves_counts for item in made)


@pytest.fixture
def action(tmp_path: Path) -> MakeObject:
    """The action of a plan, with its object in a directory of the test."""
    return MakeObject(
        id=Id("object-1"),
        needs=(),
        label="pgo: object",
        rustc=Path("/t/rustc"),
        crate="optbuild_flush",
        source="#![no_std]",
        saves_counts=True,
        target="x86_64-unknown-linux-gnu",
        cwd=tmp_path,
        file=tmp_path / "flush" / "flush-object-1.o",
    )


def test_it_is_compiled_once(action: MakeObject) -> None:
    """A finished one is used again; what rustc was writing when it was stopped is not."""
    executor = ScriptedExecutor(lambda command: Reply(writes={Path(command.argv[-2]): b"object"}))
    assert not make_object(action, executor, {}).reused
    assert action.file.read_bytes() == b"object"
    assert make_object(action, executor, {}).reused
    assert len(executor.commands) == 1
    assert "unfinished" in executor.commands[0].argv[-2]


def test_a_compiler_that_refuses_it_is_quoted(action: MakeObject) -> None:
    """And the way without it is named."""
    executor = ScriptedExecutor([Reply(exit_code=1, stderr=b"error: no such target")])
    with pytest.raises(BuildError) as caught:
        make_object(action, executor, {})
    assert caught.value.detail == "error: no such target"
    assert "`flush-object = false`" in caught.value.help
    assert not action.file.exists()


def test_a_plan_knows_whether_the_object_is_there(tmp_path: Path) -> None:
    """It is made where it is missing, and a build that links it comes after it."""
    project = make_project(directory=tmp_path)
    inputs = make_plan_inputs(
        project=project,
        workloads=(make_invocation("{bin:demo}", needs_flush_object=True, directory=tmp_path),),
        layout=Layout.of(project.target_directory),
    )
    plan = make_plan(inputs, ("release", "pgo"), measure=False)
    prepared = Prepared(inputs=inputs, plan=plan, hashes=InputHashes())
    flush = next(action for action in plan.actions if isinstance(action, MakeObject) and action.saves_counts)
    host = HostRecord(cpu=None, cores=1, memory_bytes=1, kernel="Linux", governor=None)
    assert forecast(prepared, host, History())[flush.id].expectation is Expectation.RUNS
    flush.file.parent.mkdir(parents=True)
    flush.file.touch()
    assert forecast(prepared, host, History())[flush.id].expectation is Expectation.REUSED
