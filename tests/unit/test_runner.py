from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from optbuild.errors import (
    BuildError,
    InterruptedRunError,
    NotComparableError,
    OptbuildError,
    ProfileDataError,
    ToolchainError,
    WorkloadError,
)
from optbuild.events import ActionFailed, ActionFinished, ActionStarted, Level
from optbuild.execution.command import Command
from optbuild.making.built import Built
from optbuild.making.carry_out import make_scheduler, make_together
from optbuild.making.order.exclusivity import Budget
from optbuild.making.order.progress import Progress
from optbuild.making.order.together import Together
from optbuild.making.tools import make_tools
from optbuild.plan.action import Action, ActionId
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.kinds.make_object import MakeObject
from optbuild.plan.model import Plan
from optbuild.plan.planner import make_plan
from optbuild.profile.model import EvidenceSettings
from optbuild.profile.variants import Lto, PgoMode, TrainingLto, Variant
from optbuild.profile.workloads import Use
from optbuild.testing import (
    TARGET,
    Answer,
    Reply,
    make_build_profile,
    make_plan_inputs,
    make_project,
    make_toolchain,
    make_variants,
)
from optbuild.toolchain.cpu import CpuNeeds
from optbuild.workloads.folds import Fold
from optbuild.workloads.invocation import Invocation
from tests.unit.build_cases import Workshop, llvm_profdata, trained_program

RELEASE, LTO, PGO = make_variants().values()
AUTO = replace(PGO, pgo=PgoMode.AUTO)


def binary_for(command: Command) -> bytes:
    """A binary that differs with everything that decides it."""
    config = [word for word in command.argv if word.startswith("profile.")]
    return f"{config} {command.env.get('CARGO_ENCODED_RUSTFLAGS', '')}".encode()


def cargo(command: Command, *, fresh: bool = False) -> Reply:
    """A cargo that builds one crate with one binary."""
    place = Path(command.argv[command.argv.index("--target-dir") + 1]) / "demo"
    message = (
        '{"reason":"compiler-artifact","package_id":"path+file:///p#demo@0.1.0",'
        f'"target":{{"name":"demo","kind":["bin"]}},"fresh":{str(fresh).lower()},"executable":"{place}"}}\n'
    )
    flags = command.env.get("CARGO_ENCODED_RUSTFLAGS", "").replace("\x1f", " ")
    status = f"     Running `/t/rustc --crate-name demo --target {TARGET} {flags}`\n"
    return Reply(stdout=message.encode(), stderr=status.encode(), writes={place: binary_for(command)})


@dataclass
class Run:
    """A plan that is carried out on a made-up machine."""

    workshop: Workshop
    variants: tuple[Variant, ...] = (RELEASE, LTO, PGO)
    cargo: Callable[[Command], Answer] = cargo
    program: Callable[[Command], Answer] = trained_program
    keep_going: bool = False
    has_tools: bool = True
    demanded: EvidenceSettings = field(default_factory=EvidenceSettings)
    folds: tuple[Fold, ...] = ()
    budget: Budget = field(default_factory=Budget)
    parallel: bool = False

    def __post_init__(self) -> None:
        project = make_project(directory=self.workshop.directory)
        workloads = (
            self._workload("one"),
            self._workload("two", use=(Use.TRAIN,)),
            *(
                self.workshop.workload("{bin:demo}", name, name=name)
                for fold in self.folds
                for name in fold.workloads
                if name != "one"
            ),
        )
        self.inputs = make_plan_inputs(
            project=project,
            build_profile=make_build_profile(*self.variants, directory=self.workshop.directory),
            workloads=workloads,
            toolchain=make_toolchain(),
            cpu_needs={variant.name: CpuNeeds() for variant in self.variants},
        )
        names = tuple(v.name for v in self.variants)
        self.plan: Plan = make_plan(self.inputs, names, measure=True, folds=self.folds)

    def _workload(self, name: str, **changes: Any) -> Invocation:  # noqa: ANN401 - fields of Invocation
        scratch = self.workshop.layout.scratch / name
        shop = self.workshop
        return shop.workload("{bin:demo}", name, name=name, parallel=self.parallel, scratch=scratch, **changes)

    @property
    def outcome(self) -> Built:
        """What the run has come to so far."""
        return self.progress.so_far

    @cached_property
    def progress(self) -> Progress:
        return Progress(self.plan)

    def make_together(self) -> Together:
        """What carries the plan out, put together as in any run."""
        shop = self.workshop
        shop.program = lambda command: (self.cargo if "build" in command.argv[:2] else self.program)(command)
        shop.demanded = self.demanded
        site = replace(shop.site(self.inputs, has_tools=self.has_tools), keep_going=self.keep_going)
        scheduler = make_scheduler(self.progress, make_tools(site, None), site, None, began_s=0.0)
        scheduler.budget = self.budget
        return make_together((scheduler,), site, None)

    def carry_out(self) -> Built:
        self.make_together().run()
        return self.outcome

    def fail(self, kind: type[OptbuildError]) -> OptbuildError:
        with pytest.raises(kind) as caught:
            self.carry_out()
        return caught.value

    def done(self) -> list[str]:
        """What was done, in order, without the small objects that are linked into instrumented builds."""
        steps = self.outcome.steps.values()
        return [_kind(step.action) for step in steps if not isinstance(step.action, MakeObject)]

    def built(self) -> list[str]:
        return [variant.name for variant in self.plan.variants if self.outcome.is_built(variant)]


def _kind(action: Action[object]) -> str:
    return action.role if isinstance(action, Compile) else action.kind


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of release, lto and pgo in which everything goes well."""
    return Run(Workshop(tmp_path))


def fails_for(flag: str, reply: Answer) -> Callable[[Command], Answer]:
    """A cargo that fails for builds with a flag."""
    return lambda command: reply if flag in f"{command.argv} {command.env}" else cargo(command)


def test_everything_is_done_once_in_the_plans_order(run: Run) -> None:
    """All but measuring and attempts that are not needed is carried out, and each action's result is at hand."""
    outcome = run.carry_out()
    assert run.done() == [
        *("build", "probe", "build", "compare"),
        *("instrument", "train", "train", "merge", "optimise", "compare"),
    ]
    serving = (run.plan.serving(variant) for variant in run.plan.variants)
    assert outcome.results.ids() == frozenset[ActionId]().union(*serving)
    assert run.built() == ["release", "lto", "pgo"]
    assert outcome.failures == {}


def test_the_optimised_build_is_given_the_merged_profile(run: Run) -> None:
    """The profile's path, known by then, stands in the flags."""
    outcome = run.carry_out()
    profile = outcome.profile_of(run.plan.variants[2])
    assert profile is not None
    last = [c for c in run.workshop.executor.commands if "build" in c.argv[:2]][-1]
    assert last.env["CARGO_ENCODED_RUSTFLAGS"].split("\x1f")[0] == f"-Cprofile_use={profile.path}"
    assert outcome.profile_of(run.plan.variants[0]) is None


def test_a_pgo_variant_is_closed_with_evidence(run: Run) -> None:
    """Its proof is kept under its name, and variants without PGO need none."""
    outcome = run.carry_out()
    assert [variant.name for variant in run.plan.variants if outcome.evidence_of(variant)] == ["pgo"]


def test_each_action_is_told_from_start_to_finish(run: Run) -> None:
    """Starts and finishes come in pairs; builds count crates, with the total of the build before."""
    run.carry_out()
    started = [event for event in run.workshop.heard if isinstance(event, ActionStarted)]
    finished = [event for event in run.workshop.heard if isinstance(event, ActionFinished)]
    assert [event.action for event in started] == [event.action for event in finished]
    assert [(event.unit, event.total) for event in started[:3]] == [("crates", None), ("", None), ("crates", 1)]
    outcomes = [re.sub(r"\d+ B", "N B", re.sub(r"-[0-9a-f]{8}\.o", "-N.o", event.outcome)) for event in finished]
    assert outcomes == [
        *("1 crate, N B", "0.25 s a run", "1 crate, N B", "equal", "object-N.o", "1 crate, N B"),
        *["6 of 11 functions ran, 1 raw profile"] * 2,
        *("6 of 11 functions ran, 2 raw profiles", "1 crate, N B", "equal"),
    ]


def test_steps_know_what_was_reused(run: Run) -> None:
    """A second run finds cargo fresh and takes all other results from the store."""
    run.carry_out()
    again = Run(run.workshop, cargo=lambda command: cargo(command, fresh=True))
    again.carry_out()
    assert {step.reused for step in again.outcome.steps.values()} == {True}
    assert run.workshop.tool_runs("merge") == run.workshop.tool_runs("merge")[:3]


def test_the_steps_of_a_variant_are_those_it_needs(run: Run) -> None:
    """Its own build, and training where it has PGO; not the checks, and nothing of a variant that is not built."""
    outcome = run.carry_out()
    pgo = run.plan.variants[2]
    assert [_kind(step.action) for step in outcome.steps_of(pgo)] == [
        *("object", "instrument", "train", "train", "merge", "optimise"),
    ]
    assert outcome.steps_of(replace(pgo, compile=None)) == ()


def test_the_sources_of_each_build_are_watched_when_it_is_done(run: Run) -> None:
    """From before it began, and with what it says it has read; cargo is called once more where one was written."""
    sources = run.workshop.directory / "Cargo.toml"
    built: list[str] = []

    def writes_a_source(command: Command) -> Answer:
        reply = cargo(command)
        if not built:
            sources.write_text("[package]\n")
        built.append(command.env.get("CARGO_ENCODED_RUSTFLAGS", ""))
        return reply if len(built) == 1 else cargo(command, fresh=True)

    run.cargo = writes_a_source
    run.carry_out()
    release = run.plan.variants[0].compile
    assert release is not None
    assert run.outcome.steps[release].reused is False
    assert built[:2] == ["", ""], "the first build was asked for twice"
    assert len(built) == 5


def test_the_first_failure_ends_the_run_and_nothing_finished_is_lost(run: Run) -> None:
    """What was built before stays in the outcome, and the failed variant is not counted as built."""
    run.cargo = fails_for("fat", Reply(exit_code=101, stderr=b"error: bad\n"))
    error = run.fail(BuildError)
    assert run.built() == ["release"]
    assert run.done() == ["build", "probe"]
    assert list(run.outcome.failures.values()) == [error]
    assert run.outcome.skipped == {"lto": error.message}
    assert [event.label for event in run.workshop.heard if isinstance(event, ActionFailed)] == ["lto: build"]


def test_keep_going_builds_the_other_variants(run: Run) -> None:
    """A failure is told, its variant is left out, and all others are built."""
    thin = replace(LTO, name="thin", lto=Lto.THIN)
    run = Run(run.workshop, variants=(RELEASE, LTO, thin), keep_going=True)
    run.cargo = fails_for("fat", Reply(exit_code=101))
    outcome = run.carry_out()
    assert run.built() == ["release", "thin"]
    assert list(outcome.skipped) == ["lto"]
    assert [(n.level, n.code) for n in run.workshop.notices] == [(Level.ERROR, "build")]


def test_keep_going_does_nothing_more_for_a_variant_that_failed(run: Run) -> None:
    """After a failed training neither the other workload nor the optimised build is of use."""
    run.keep_going = True
    run.program = lambda c: Reply(exit_code=3) if "LLVM_PROFILE_FILE" in c.env else trained_program(c)
    run.carry_out()
    assert run.built() == ["release", "lto"]
    assert run.done() == ["build", "probe", "build", "compare", "instrument"]


@pytest.mark.parametrize(("flag", "kind"), [("", BuildError), ("probe", WorkloadError)])
def test_without_the_baseline_nothing_goes_on(run: Run, flag: str, kind: type[OptbuildError]) -> None:
    """`--keep-going` or not: what cannot be compared with anything is not built."""
    run.keep_going = True
    if flag:
        run.program = lambda _: Reply(exit_code=1)
    else:
        run.cargo = lambda _: Reply(exit_code=101)
    run.fail(kind)
    assert run.built() == []


def test_auto_falls_back_where_the_profile_proves_nothing(run: Run) -> None:
    """With `pgo = "auto"` missing evidence skips the variant, with the reason, and the run is no failure."""
    run = Run(run.workshop, variants=(RELEASE, AUTO))
    run.program = lambda c: Reply() if "LLVM_PROFILE_FILE" in c.env else trained_program(c)
    outcome = run.carry_out()
    assert run.built() == ["release"]
    assert "wrote no raw profile" in outcome.skipped["pgo"]
    assert outcome.failures == {}
    assert [notice.code for notice in run.workshop.notices] == ["variant-skipped"]
    assert run.done() == ["build", "probe", "instrument"]


def test_a_variant_that_fell_back_is_not_compared(run: Run) -> None:
    """A binary that the profile did not change is given up, so what it prints does not matter."""
    run = Run(run.workshop, variants=(RELEASE, LTO, AUTO))
    run.cargo = lambda c: _without_pgo(c) if "profile_use" in str(c.env) else cargo(c)
    outcome = run.carry_out()
    assert "the profile changed nothing" in outcome.skipped["pgo"]
    assert run.built() == ["release", "lto"]
    assert run.done()[-1] == "optimise"


def _without_pgo(command: Command) -> Reply:
    return replace(cargo(command), writes=cargo(replace(command, env={})).writes)


def test_auto_does_not_hide_a_failed_build(run: Run) -> None:
    """Only missing evidence lets a variant fall back; a compile error is one."""
    run = Run(run.workshop, variants=(RELEASE, AUTO))
    run.cargo = fails_for("profile_generate", Reply(exit_code=101))
    run.fail(BuildError)


def test_a_fallback_is_for_all_or_none(run: Run) -> None:
    """Where a variant that demands PGO shares the training, its failure is one."""
    run = Run(run.workshop, variants=(RELEASE, replace(AUTO, name="auto"), PGO))
    run.program = lambda c: Reply() if "LLVM_PROFILE_FILE" in c.env else trained_program(c)
    run.fail(ProfileDataError)
    assert set(run.outcome.skipped) == {"auto", "pgo"}


def test_required_pgo_without_evidence_is_an_error(run: Run) -> None:
    """A binary that the profile did not change is neither measured nor published."""
    run.cargo = lambda c: _without_pgo(c) if "profile_use" in str(c.env) else cargo(c)
    run.fail(ProfileDataError)
    assert run.built() == ["release", "lto"]
    evidence = run.outcome.evidence_of(run.plan.variants[-1])
    assert evidence is not None
    (failed,) = evidence.failed
    assert failed.name == "the binary differs from the one without it"


def test_another_output_is_not_published(run: Run) -> None:
    """A variant that prints something else is built, and does not count as such."""
    run.program = lambda c: trained_program(c) if "LLVM_PROFILE_FILE" in c.env else Reply(stdout=_flags_of(c))
    run.fail(NotComparableError)
    assert run.built() == ["release"]


def _flags_of(command: Command) -> bytes:
    return Path(command.argv[0]).read_bytes()


def test_where_the_same_recipe_failed_the_baseline_shows_the_difference(run: Run) -> None:
    """With --keep-going the recipe without PGO may be missing; a variant is still not built without evidence."""
    run.keep_going = True
    run.cargo = _only_with_pgo
    outcome = run.carry_out()
    assert list(outcome.skipped) == ["lto"]
    assert outcome.evidence_of(run.plan.variants[2]) is not None


def test_a_baseline_with_pgo_is_not_held_against_itself(run: Run) -> None:
    """Nothing was built before it, so what rustc said is the evidence."""
    run = Run(run.workshop, variants=(PGO, LTO))
    outcome = run.carry_out()
    assert run.built() == ["pgo", "lto"]
    assert outcome.evidence_of(run.plan.baseline) is not None


def _only_with_pgo(command: Command) -> Answer:
    is_plain_lto = "fat" in str(command.argv) and "CARGO_ENCODED_RUSTFLAGS" not in command.env
    return Reply(exit_code=101) if is_plain_lto else cargo(command)


def test_an_interruption_is_no_failure_of_a_variant(run: Run) -> None:
    """Ctrl-C ends the run at once, and what was finished is kept."""
    run.keep_going = True
    run.cargo = fails_for("fat", InterruptedRunError(2))
    run.fail(InterruptedRunError)
    assert run.outcome.failures == {}
    assert run.built() == ["release"]


def test_variants_that_the_plan_skips_are_told(run: Run) -> None:
    """Their reason is in the outcome before anything starts."""
    run = Run(run.workshop, variants=(RELEASE, AUTO))
    skipped = replace(run.plan.variants[1], compile=None, attempts=(), skipped="no tools")
    run.plan = replace(run.plan, variants=(run.plan.variants[0], skipped))
    outcome = run.carry_out()
    assert outcome.skipped == {"pgo": "no tools"}
    assert run.workshop.notices[0].message == "variant pgo is skipped: no tools"
    assert run.done() == ["build", "probe"]


def test_a_plan_with_training_needs_the_tools(run: Run) -> None:
    """The plan was made for a machine with llvm-profdata; without, the remedy is `doctor`."""
    run.has_tools = False
    assert run.fail(ToolchainError).help == "optbuild doctor --fix"


def test_roles_are_told_by_the_flags(run: Run) -> None:
    """Only optimising builds are asked what they made of a profile."""
    outcome = run.carry_out()
    compiled = [a for a in run.plan.actions if isinstance(a, Compile) and a.id in outcome.results]
    uses = {a.role: outcome.results[a.id].profile_use is not None for a in compiled}
    assert uses == {Role.BUILD: False, Role.INSTRUMENT: False, Role.OPTIMISE: True}


MISMATCH = "function control flow change detected (hash mismatch)"
ATTEMPT = ("instrument", "train", "train", "merge", "optimise")


def rejecting(*, times: int) -> Callable[[Command], Answer]:
    """A cargo that finds functions with another control flow in the first optimised builds."""
    optimised: list[Command] = []

    def answer(command: Command) -> Answer:
        reply = cargo(command)
        if "profile_use" not in str(command.env):
            return reply
        optimised.append(command)
        return reply if len(optimised) > times else replace(reply, stdout=_warning(MISMATCH) + reply.stdout)

    return answer


def _warning(text: str) -> bytes:
    return (
        '{"reason":"compiler-message","package_id":"path+file:///p#demo@0.1.0","target":{"name":"demo","kind":["bin"]},'
        f'"message":{{"level":"warning","message":"{text}","rendered":"{text}"}}}}\n'
    ).encode()


def test_an_attempt_that_lost_something_is_followed_by_the_next(run: Run) -> None:
    """The exact recipe takes the place of training without LTO, and the variant's binaries are those it made."""
    run.cargo = rejecting(times=1)
    outcome = run.carry_out()
    pgo = run.plan.variants[2]
    lto_free, exact = pgo.attempts
    assert run.done()[4:] == [*ATTEMPT, *ATTEMPT, "compare"]
    assert run.built() == ["release", "lto", "pgo"]
    assert pgo.compile is not None
    assert outcome.results[pgo.compile] == outcome.results[exact.compile]
    assert outcome.attempt_of(pgo) == exact
    assert [(rejection.attempt, rejection.reason) for rejection in outcome.rejected["pgo"]] == [
        (
            lto_free,
            "variant pgo: training as lto-free lost 0 functions with counts, and 1 have a different control flow",
        )
    ]
    assert [(notice.level, notice.code) for notice in run.workshop.notices] == [(Level.INFO, "next-attempt")]
    assert len(outcome.steps_of(pgo)) == 1 + 2 * len(ATTEMPT)


def test_where_counts_do_not_fit_a_cpu_one_variant_for_it_is_trained_for_all(tmp_path: Path) -> None:
    """What was refused once is not compiled again to be refused again."""
    v3 = replace(PGO, name="v3", target_cpu="x86-64-v3")
    flags = [replace(v3, name=name, rustflags=(f"-Cllvm-args=-{name}",)) for name in ("a", "b")]
    run = Run(Workshop(tmp_path), variants=(RELEASE, PGO, v3, *flags))

    refuse = rejecting(times=1)
    run.cargo = lambda command: (refuse if "x86-64-v3" in str(command.env) else cargo)(command)
    outcome = run.carry_out()
    assert run.built() == ["release", "pgo", "v3", "a", "b"]
    made = [(step.action.label, _kind(step.action)) for step in outcome.steps.values()]
    assert [label for label, kind in made if kind == "instrument"] == [
        "pgo: build instrumented without LTO",
        "v3: build instrumented without LTO",
    ]
    assert [label for label, kind in made if kind == "optimise"] == [
        *("pgo: build", "v3: build", "v3: build"),
        *("a: build", "b: build"),
    ]
    assert {name: [each.reason for each in all_] for name, all_ in outcome.rejected.items() if name != "v3"} == {
        name: ["the counts of pgo did not fit v3"] for name in ("a", "b")
    }
    taken = [outcome.attempt_of(run.plan.named(name)) for name in ("v3", "a", "b")]
    assert [attempt and attempt.shared_with for attempt in taken] == [None, "v3", "v3"]


def test_counts_that_no_run_can_have_made_are_counted_again_atomically(run: Run) -> None:
    """The exact recipe would count as before, and is not tried in vain."""
    run = Run(run.workshop, variants=(RELEASE, LTO, replace(PGO, counters=None)))
    tool = run.workshop.tool
    refusal = b"excessively large counter value suggests corrupted profile data: 1152921504606846976"
    instrumented: list[Command] = []

    def note(command: Command) -> Answer:
        if "profile_generate" in str(command.env):
            instrumented.append(command)
        return cargo(command)

    def refuse(command: Command) -> Answer:
        if command.argv[1] == "show" or "atomic" in str(instrumented[-1].env):
            return tool(command)
        (raw,) = (run.workshop.layout.raw_profiles).rglob("*.profraw")
        return Reply(exit_code=1, stderr=b"warning: %s: %s\n" % (str(raw).encode(), refusal))

    run.cargo, run.workshop.tool = note, refuse
    outcome = run.carry_out()
    attempt = outcome.attempt_of(run.plan.variants[2])
    assert attempt is not None
    assert attempt.name == "exact-atomic"
    ((rejection,),) = outcome.rejected.values()
    assert rejection.attempt.name == "lto-free"
    assert "more than any program can count to" in rejection.reason
    assert len(instrumented) == 2
    assert run.built() == ["release", "lto", "pgo"]


def test_it_is_told_how_long_an_action_took_the_last_time(run: Run) -> None:
    """Where that is known."""
    together = run.make_together()
    (scheduler,) = together.members
    first, second = run.plan.actions[:2]
    scheduler.dispatcher = replace(scheduler.dispatcher, last_s={first.id: 3.5})
    together.run()
    started = [event for event in run.workshop.heard if isinstance(event, ActionStarted)]
    assert [(event.action, event.expected_s) for event in started[:2]] == [(first.id, 3.5), (second.id, None)]


def test_a_training_in_vain_is_remembered(run: Run) -> None:
    """The next run with the same binaries goes to the attempt that was taken, and its record says why."""
    layout = run.workshop.layout

    def refuse(command: Command) -> Answer:
        """The tool refuses the first raw profile that it sees, and none after that."""
        found = [path for path in layout.raw_profiles.rglob("*.profraw") if command.argv[1] == "merge"]
        if not found or list(layout.quarantine.rglob("*.profraw")):
            return llvm_profdata(command)
        words = b"excessively large counter value suggests corrupted profile data: 1152921504606846976"
        return Reply(exit_code=1, stderr=b"warning: %s: %s\n" % (str(found[0]).encode(), words))

    def carry_out() -> tuple[str, str, int]:
        """The attempt that was taken, why not the first one, and how many trainings that took."""
        shop = Workshop(run.workshop.directory, tool=refuse)
        again = Run(shop, variants=(RELEASE, replace(PGO, counters=None)))
        outcome = again.carry_out()
        attempt = outcome.attempt_of(again.plan.variants[1])
        assert attempt is not None
        ((rejection,),) = outcome.rejected.values()
        return attempt.name, rejection.reason, sum("LLVM_PROFILE_FILE" in command.env for command in shop.runs())

    first = carry_out()
    assert first[0] == "exact-atomic"
    assert "earlier run" not in first[1]
    assert first[2] == 3, "the first training, and both of the attempt that took its place"
    for _ in range(2):
        attempt, reason, trainings = carry_out()
        assert (attempt, trainings) == ("exact-atomic", 0)
        assert reason == f"{first[1]} (found by an earlier run)"


def test_an_instrumented_build_that_fails_is_followed_by_the_next_attempt(run: Run) -> None:
    """A program may link with LTO only; its own recipe is tried before the variant is given up."""
    run.cargo = fails_for("-Clto=off", Reply(exit_code=101, stderr=b"error: undefined symbol\n"))
    outcome = run.carry_out()
    assert run.done()[4:] == [*ATTEMPT, "compare"]
    assert [rejection.attempt.name for rejection in outcome.rejected["pgo"]] == ["lto-free"]
    assert run.built() == ["release", "lto", "pgo"]


def test_the_last_attempt_has_no_other_in_its_place(run: Run) -> None:
    """A profile that does not fit the exact recipe either is an error."""
    run.cargo = lambda c: _without_pgo(c) if "profile_use" in str(c.env) else cargo(c)
    error = run.fail(ProfileDataError)
    assert "the profile changed nothing" in error.message
    assert run.done()[4:] == [*ATTEMPT, *ATTEMPT]
    assert run.built() == ["release", "lto"]


def test_what_another_attempt_cannot_mend_ends_the_variant_at_once(run: Run) -> None:
    """A workload that writes no raw profile writes none with the exact recipe either."""
    run.program = lambda c: Reply() if "LLVM_PROFILE_FILE" in c.env else trained_program(c)
    run.fail(ProfileDataError)
    assert run.done()[4:] == ["instrument"]
    assert run.outcome.rejected == {}


def test_a_forced_way_is_not_left(run: Run) -> None:
    """With training-lto = "off" lost functions are an error, and its help names the way out."""
    run = Run(run.workshop, variants=(RELEASE, LTO, replace(PGO, training_lto=TrainingLto.OFF)))
    run.cargo = rejecting(times=1)
    error = run.fail(ProfileDataError)
    assert 'training-lto = "same"' in error.help
    assert run.built() == ["release", "lto"]


def test_the_exact_recipe_may_have_been_tried_for_another_variant(run: Run) -> None:
    """What one variant demands is done once, and the other one falls back on it."""
    same = replace(PGO, name="same", training_lto=TrainingLto.SAME)
    run = Run(run.workshop, variants=(RELEASE, LTO, same, PGO))
    answer = rejecting(times=1)
    run.cargo = lambda command: answer(command) if "same" in run.built() else cargo(command)
    outcome = run.carry_out()
    assert run.done()[4:] == [*ATTEMPT, "compare", *ATTEMPT, "compare"]
    assert run.built() == ["release", "lto", "same", "pgo"]
    first, second = (run.plan.variants[index].compile for index in (2, 3))
    assert first is not None
    assert second is not None
    assert outcome.results[first] == outcome.results[second]
    assert outcome.evidence_of(run.plan.variants[2]) == outcome.evidence_of(run.plan.variants[3])


def test_no_variant_falls_back_on_what_failed_for_another_one(run: Run) -> None:
    """With --keep-going a failed exact training is not tried again, and both variants are given up."""
    same = replace(PGO, name="same", training_lto=TrainingLto.SAME)
    run = Run(run.workshop, variants=(RELEASE, LTO, same, PGO))
    run.keep_going = True
    run.cargo = lambda c: _without_pgo(c) if "profile_use" in str(c.env) else cargo(c)
    outcome = run.carry_out()
    assert set(outcome.skipped) == {"same", "pgo"}
    assert outcome.rejected == {}


def test_auto_falls_back_only_after_the_last_attempt(run: Run) -> None:
    """With `pgo = "auto"` the exact recipe is tried before the variant is skipped."""
    run = Run(run.workshop, variants=(RELEASE, LTO, AUTO))
    run.cargo = lambda c: _without_pgo(c) if "profile_use" in str(c.env) else cargo(c)
    outcome = run.carry_out()
    assert run.done()[4:] == [*ATTEMPT, *ATTEMPT]
    assert "the profile changed nothing" in outcome.skipped["pgo"]
    assert outcome.failures == {}
