from __future__ import annotations

from dataclasses import replace

from optbuild.measure.model import CrossValidation, held_out_arm
from optbuild.plan.planner import make_plan
from optbuild.record import assemble
from optbuild.record.cross_validation import describe_cross_validation
from optbuild.record.model import CrossValidationRecord
from optbuild.record.variants import VariantStatus
from optbuild.testing import make_comparison, make_invocation, make_plan_inputs
from optbuild.workloads.folds import Fold
from tests.unit.test_record_assemble import Made, outcome_of

WORKLOADS = tuple(make_invocation("{bin:demo}", name, name=name) for name in ("books", "logs"))
INPUTS = make_plan_inputs(workloads=WORKLOADS)
FOLDS = tuple(Fold(left_out=(workload.name,), workloads=(workload.name,)) for workload in WORKLOADS)
PLAN = make_plan(INPUTS, ("release", "lto", "pgo"), measure=True, folds=FOLDS)
ARM = held_out_arm("pgo")
SHOWN = CrossValidation(
    workloads=("books", "logs"),
    trained=(make_comparison(),),
    held_out=(make_comparison(candidate=ARM),),
    optimism=(make_comparison(baseline="pgo", candidate=ARM),),
    warnings=(),
)


def described(made: Made, shown: CrossValidation | None = SHOWN) -> CrossValidationRecord:
    """What the record says; of the inputs of `logs` nothing is known."""
    record = describe_cross_validation(
        made.built, shown, in_sample=lambda fold: None if fold.workloads == ("logs",) else False
    )
    assert record is not None
    return record


def test_folds_stand_beside_the_variants_with_all_that_made_them() -> None:
    """What they share with their variant stands there: a fold's time is that of its own merge and build."""
    found = described(outcome_of(PLAN))
    assert [(fold.variant, fold.left_out, fold.workloads) for fold in found.folds] == [
        ("pgo", ("books",), ("books",)),
        ("pgo", ("logs",), ("logs",)),
    ]
    build = found.folds[0].build
    assert (build.name, build.status, build.baseline) == ("pgo without books", VariantStatus.BUILT, False)
    assert [step.kind for step in build.steps] == ["merge", "compile"]
    assert build.build_s == 4.0
    assert build.pgo is not None
    assert (build.pgo.functions_with_counts, build.pgo.in_sample) == (60, False)
    assert found.folds[1].build.pgo is not None
    assert found.folds[1].build.pgo.in_sample is None


def test_binaries_of_folds_are_kept_and_not_published() -> None:
    """The record says where they lie."""
    (artifact,) = described(outcome_of(PLAN)).folds[0].build.artifacts
    assert artifact.path.startswith("/p/target/optbuild/binaries/compile-")
    variants = assemble.describe_variants(outcome_of(PLAN).built, INPUTS.layout, in_sample=True)
    assert [variant.name for variant in variants] == ["release", "lto", "pgo"]


def test_what_measuring_showed_is_kept_as_it_is() -> None:
    """Three families; the warnings are with all others."""
    found = described(outcome_of(PLAN))
    assert (found.workloads, found.trained, found.held_out) == (SHOWN.workloads, SHOWN.trained, SHOWN.held_out)
    assert found.optimism == SHOWN.optimism


def test_a_run_that_did_not_come_to_measuring_has_its_folds() -> None:
    """As far as they were built; one that was skipped has its reason."""
    outcome = outcome_of(PLAN)
    outcome.skipped["pgo without books"] = "it changed nothing"
    found = described(outcome, None)
    assert [fold.build.status for fold in found.folds] == [VariantStatus.SKIPPED, VariantStatus.BUILT]
    assert found.folds[0].build.reason == "it changed nothing"
    assert (found.workloads, found.held_out) == ((), ())


def test_folds_that_were_there_already_are_reused() -> None:
    """Nothing was merged or built for them."""
    found = described(outcome_of(PLAN, fresh=True))
    assert {fold.build.status for fold in found.folds} == {VariantStatus.REUSED}


def test_outputs_of_folds_are_with_all_others() -> None:
    """Each on its own workload."""
    found = assemble.describe_outputs(outcome_of(PLAN).built)
    folds = [(item.variant, item.workload, item.equal) for item in found if "without" in item.variant]
    assert folds == [("pgo without books", "books", True), ("pgo without logs", "logs", True)]


def test_without_folds_there_is_no_part_for_them() -> None:
    """A run that did not ask for it says nothing of it."""
    plain = replace(PLAN, folds=())
    assert describe_cross_validation(Made(plain).built, None, in_sample=lambda _: None) is None
