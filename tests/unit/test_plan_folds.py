from __future__ import annotations

from dataclasses import replace

from inline_snapshot import snapshot

from optbuild.plan.action import Output
from optbuild.plan.kinds.check_outputs import CompareOutputs
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.kinds.train import Train
from optbuild.plan.measure import Measure
from optbuild.plan.model import Plan, PlannedFold, PlannedVariant
from optbuild.plan.planner import make_plan
from optbuild.plan.render import plan_to_dict, render_actions
from optbuild.profile.variants import Counters, PgoMode, Variant
from optbuild.profile.workloads import Use
from optbuild.testing import make_build_profile, make_invocation, make_plan_inputs, make_toolchain, make_variants
from optbuild.toolchain.cpu import CpuNeeds
from optbuild.workloads.folds import Fold

WORKLOADS = (
    make_invocation("{bin:demo}", "books.txt", name="books", weight=3.0),
    make_invocation("{bin:demo}", "logs.txt", name="logs"),
    make_invocation("{bin:demo}", "code.txt", name="code", use=(Use.TRAIN,)),
    make_invocation("{bin:demo}", "held-out.txt", name="held out", use=(Use.BENCH,)),
)
FOLDS = tuple(Fold(left_out=(name,), workloads=(name,)) for name in ("books", "logs"))
RELEASE, LTO, PGO = make_variants().values()
ONE_WAY = Variant(name="pgo", pgo=PgoMode.REQUIRED, counters=Counters.SINGLE)


def plan_of(*variants: Variant, folds: tuple[Fold, ...] = FOLDS, **changes: object) -> Plan:
    """The plan of a cross-validation of all of the given variants, or of release, lto and pgo."""
    inputs = make_plan_inputs(**{"build_profile": make_build_profile(*variants), "workloads": WORKLOADS, **changes})
    return make_plan(inputs, tuple(inputs.build_profile.variants), measure=True, folds=folds)


def trained_on(plan: Plan, build: PlannedVariant) -> list[dict[str, float]]:
    """The weight of each workload in the profile, for each attempt."""
    found = []
    for attempt in build.attempts:
        merge = plan.entry(attempt.merge)
        assert isinstance(merge, MergeProfiles)
        actions = [(plan.entry(key), weight) for key, weight in merge.weights.items()]
        found.append({action.workload.name: weight for action, weight in actions if isinstance(action, Train)})
    return found


def test_a_fold_is_the_variant_without_some_counts() -> None:
    """The other workloads keep their weights, in each way in which the variant may be trained."""
    plan = plan_of()
    pgo = plan.variants[2]
    assert trained_on(plan, pgo) == [{"books": 3.0, "logs": 1.0, "code": 1.0}] * 2
    assert [(fold.variant, fold.left_out, fold.workloads) for fold in plan.folds] == [
        ("pgo", ("books",), ("books",)),
        ("pgo", ("logs",), ("logs",)),
    ]
    assert [trained_on(plan, fold.build) for fold in plan.folds] == [
        [{"logs": 1.0, "code": 1.0}] * 2,
        [{"books": 3.0, "code": 1.0}] * 2,
    ]


def test_folds_need_no_training_of_their_own() -> None:
    """What they add are merges, optimising compilations, choices and checks."""
    plain, plan = plan_of(folds=()), plan_of()
    added = [action for action in plan.listing if action not in plain.listing and not isinstance(action, Measure)]
    kinds = [action.role if isinstance(action, Compile) else action.kind for action in added]
    assert kinds == [*("merge", "optimise") * 2, "choose", "compare"] * 2
    assert [action for action in plan.listing if isinstance(action, Train)] == [
        action for action in plain.listing if isinstance(action, Train)
    ]


def test_a_fold_is_compiled_by_the_variants_recipe() -> None:
    """Only the profile is another one, so that the difference is that of the training alone."""
    plan = plan_of()
    pgo = plan.variants[2]
    for fold in plan.folds:
        for attempt, other in zip(pgo.attempts, fold.build.attempts, strict=True):
            first, second = plan.entry(attempt.compile), plan.entry(other.compile)
            assert isinstance(first, Compile)
            assert isinstance(second, Compile)
            assert (second.argv, second.role, second.needs) == (first.argv, Role.OPTIMISE, (other.merge,))
            words = [
                tuple(replace(p, action=attempt.merge) if isinstance(p, Output) else p for p in word)
                for word in second.recipe.rustflags
            ]
            assert tuple(words) == first.recipe.rustflags
            assert other.merge != attempt.merge
            assert (other.name, other.instrument, other.lossless) == (
                attempt.name,
                attempt.instrument,
                attempt.lossless,
            )


def test_a_fold_tries_nothing_of_its_own() -> None:
    """By the time it is built, it is known which way the variant was trained, and it follows."""
    plan = plan_of()
    assert any(attempt.mends for attempt in plan.variants[2].attempts)
    assert not any(attempt.mends for fold in plan.folds for attempt in fold.build.attempts)


def test_folds_come_after_all_variants() -> None:
    """What the run is about is built, proved and checked first."""
    plan = plan_of()
    own = {action for variant in plan.variants for action in plan.serving(variant)}
    folds = {action for fold in plan.folds for action in plan.serving(fold.build)} - own
    ids = [action.id for action in plan.listing]
    assert max(map(ids.index, own)) < min(map(ids.index, folds))
    assert isinstance(plan.listing[-1], Measure)


def test_only_what_was_left_out_is_checked_and_measured() -> None:
    """The fold runs on its own workloads, beside all the others; the suite's arms are the variants alone."""
    plan = plan_of()
    last = plan.listing[-1]
    assert isinstance(last, Measure)
    assert [arm.variant for arm in last.arms] == ["release", "lto", "pgo"]
    assert [(arm.variant, arm.workloads) for arm in last.held_out] == [("pgo", ("books",)), ("pgo", ("logs",))]
    assert [arm.binaries for arm in last.held_out] == [fold.build.compile for fold in plan.folds]
    assert {arm.binaries for arm in last.held_out} <= set(last.needs)
    checked = {fold.build.name: _checked(plan, fold) for fold in plan.folds}
    assert checked == {"pgo without books": ["books"], "pgo without logs": ["logs"]}


def _checked(plan: Plan, fold: PlannedFold) -> list[str]:
    checks = (action for action in plan.listing if isinstance(action, CompareOutputs))
    return [action.workload.name for action in checks if action.binaries == fold.build.compile]


def test_what_shares_an_input_is_left_out_and_measured_together() -> None:
    """One build stands for several workloads."""
    fold = Fold(left_out=("books", "code"), workloads=("books", "logs"))
    plan = plan_of(RELEASE, ONE_WAY, folds=(fold,))
    (planned,) = plan.folds
    assert planned.build.name == "pgo without books, code"
    assert trained_on(plan, planned.build) == [{"logs": 1.0}]
    assert _checked(plan, planned) == ["books", "logs"]


def test_each_variant_with_pgo_has_folds_but_the_baseline() -> None:
    """What others are compared with has no gain of its own; what was not trained has nothing to leave out."""
    small = replace(PGO, name="small", opt_level="s")
    plan = plan_of(RELEASE, LTO, PGO, small)
    assert [fold.variant for fold in plan.folds] == ["pgo", "pgo", "small", "small"]
    assert plan_of(PGO, LTO).folds == ()


def test_a_variant_that_is_skipped_has_no_folds() -> None:
    """With `pgo = "auto"` neither is built where it cannot be."""
    auto = replace(PGO, pgo=PgoMode.AUTO)
    assert plan_of(RELEASE, auto, toolchain=make_toolchain(profiler_runtime=None)).folds == ()


def test_a_fold_that_proves_nothing_is_no_failure() -> None:
    """Its variant may demand evidence; without the workload, that there is none is an answer."""
    plan = plan_of()
    assert not plan.variants[2].fallback_allowed
    assert all(fold.build.fallback_allowed for fold in plan.folds)


def test_a_fold_is_held_against_the_same_recipe_without_pgo() -> None:
    """As its variant is, where the plan has that build."""
    plan = plan_of()
    assert [fold.build.plain for fold in plan.folds] == [plan.variants[1].compile] * 2


def test_without_cross_validation_nothing_changes() -> None:
    """Not even the measurement's id, so that earlier results are found again."""
    plain = plan_of(folds=())
    assert plan_of().listing[: len(plain.listing) - 1] == plain.listing[:-1]
    assert plan_of().measure != plain.measure
    assert plain.builds == plain.variants


def test_a_plan_shows_its_folds() -> None:
    """What is left out, what builds it and where it is measured; attempts that are not always taken say when."""
    plan = plan_of()
    lines = render_actions(plan).splitlines()
    one, two = (fold.build.compile for fold in plan.folds)
    assert [line for line in lines if line.startswith("fold")] == [
        f"fold pgo without books: built by {one}, measured on books",
        f"fold pgo without logs: built by {two}, measured on logs",
    ]
    conditions = {line for line in lines if line.startswith("  only if")}
    assert conditions == {"  only if the attempt lto-free of pgo is rejected"}
    arms = next(line for line in lines if line.startswith("  arms"))
    assert arms.endswith(f", pgo ({one}) on books only, pgo ({two}) on logs only")
    folds = plan_to_dict(plan)["folds"]
    assert isinstance(folds, list)
    assert {key: folds[0][key] for key in ("variant", "name", "left_out", "workloads")} == snapshot(
        {"variant": "pgo", "name": "pgo without books", "left_out": ["books"], "workloads": ["books"]}
    )


def test_a_fold_of_a_variant_with_translated_counts_leaves_them_out_before_they_are_translated() -> None:
    """Its names are lent by the same build; nothing is trained or instrumented for it."""
    other = replace(ONE_WAY, name="other", codegen_units=4)
    variants = (RELEASE, ONE_WAY, other)
    plan = plan_of(*variants, cpu_needs=dict.fromkeys(("release", "pgo", "other"), CpuNeeds()))
    translated = plan.variants[2].attempts[0]
    merge = plan.entry(translated.merge)
    assert isinstance(merge, MergeProfiles)
    folds = [fold.build.attempts[0] for fold in plan.folds if fold.variant == "other"]
    assert [attempt.is_translated for attempt in folds] == [True, True]
    for attempt in folds:
        own = plan.entry(attempt.merge)
        assert isinstance(own, MergeProfiles)
        assert own.id != merge.id
        assert (own.program, own.min_matched) == (merge.program, merge.min_matched)
        assert own.needs == (*own.weights, merge.program, merge.counted)
        assert own.weights.keys() < merge.weights.keys()


def test_a_fold_has_the_scale_of_its_variant() -> None:
    """Another scale is another profile."""
    plan = plan_of(RELEASE, ONE_WAY, replace(ONE_WAY, name="small", count_scale=0.1))
    merges = {fold.build.name: plan.entry(fold.build.attempts[0].merge) for fold in plan.folds}
    scales = {name: merge.count_scale for name, merge in merges.items() if isinstance(merge, MergeProfiles)}
    assert scales == {
        "pgo without books": None,
        "pgo without logs": None,
        "small without books": 0.1,
        "small without logs": 0.1,
    }
    assert len({merge.id for merge in merges.values()}) == 4
