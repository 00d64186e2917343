"""`optbuild train --check`: how well the committed counts still fit, by one instrumented build that is never run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.errors import ProfileDataError, UsageError
from optbuild.files import claim_directory
from optbuild.making.carry_out import carry_out
from optbuild.making.training.outlines import move_by_outlines
from optbuild.making.training.profile_data import load_lock, load_portable_profile
from optbuild.making.training.translation import list_functions
from optbuild.plan.model import Plan, PlannedVariant
from optbuild.plan.results import Artifact
from optbuild.portable.fit import Fit, judge_fit
from optbuild.portable.matching import match
from optbuild.record.lock import blaming_deletion, hold_lock
from optbuild.session.building import describe_site
from optbuild.session.ledger import Ledger
from optbuild.session.opening import load_for
from optbuild.session.prepare import Prepared, load_history, prepare
from optbuild.session.request import Machine
from optbuild.session.train import TrainRequest, find_path, find_variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """How well a portable profile still fits.

    Attributes:
        path: The file.
        variant: Whose program it was compared with.
        fit: What of it the program still has.
        trained_ratio: The share that found its function when it was trained, where the lock has it.
        min_matched: The share that the build profile asks for.
    """

    path: Path
    variant: str
    fit: Fit
    trained_ratio: float | None
    min_matched: float

    @property
    def passed(self) -> bool:
        """Whether builds would take it."""
        return self.fit.matched_ratio >= self.min_matched


def check_training(request: TrainRequest, machine: Machine) -> Checked:
    """Build the instrumented program and compare its functions with the committed counts; nothing is trained or kept.

    Raises:
        OptbuildError: There is no portable profile, the request cannot be met, or the program cannot be built.
    """
    build_profile = load_for(request.run, machine)
    variant, path = find_variant(request.variant, build_profile), find_path(build_profile)
    if not path.is_file():
        raise ProfileDataError("there is nothing to check", help="write it: optbuild train", location=str(path))
    profile = load_portable_profile(path)
    lock = load_lock(path, profile)
    asked = replace(request.run, variants=(variant,), measure=False, notes_outlines=True)
    prepared = prepare(asked, machine, trusted=True)
    program = list_functions(
        _build(replace(prepared, plan=_only_instrumented(prepared.plan, variant)), request, machine)
    )
    matching = move_by_outlines(match(profile.functions, program), program, prepared.layout.control_flow)
    return Checked(
        path=path,
        variant=variant,
        fit=judge_fit(matching, profile.functions, program),
        trained_ratio=None if lock is None else lock.matched_ratio,
        min_matched=build_profile.profile_data.min_matched,
    )


def _only_instrumented(plan: Plan, name: str) -> Plan:
    """The instrumented build of a variant, in the first way that would be tried, with what it needs."""
    planned = next(variant for variant in plan.variants if variant.name == name)
    attempts = planned.attempts or next((part.attempts for part in planned.parts.values()), ())
    if not attempts:
        reason = planned.skipped or "it has no PGO here"
        raise UsageError(f"variant {name} is not built with committed counts: {reason}", help="optbuild plan")
    wanted = next(attempt.instrument for attempt in attempts if attempt.instrument is not None)
    needed = set(plan.needed_by(wanted))
    return Plan(
        entries=tuple(entry for entry in plan.entries if entry.id in needed),
        variants=(PlannedVariant(name=name, compile=wanted),),
        measure=None,
        directories=plan.directories,
    )


def _build(prepared: Prepared, request: TrainRequest, machine: Machine) -> dict[str, Artifact]:
    layout = prepared.layout
    claim_directory(layout.root)
    with hold_lock(layout.lock, wait=request.run.wait, emit=machine.emit), blaming_deletion(layout.root):
        ledger = Ledger(prepared=prepared, request=request.run, machine=machine, history=load_history(layout))
        built = carry_out(prepared.plan, describe_site(ledger))
    error = built.ended_by or next(iter(built.failures.values()), None)
    if error is not None:
        raise error
    binaries = prepared.plan.variants[0].compile
    assert binaries is not None  # noqa: S101 - for mypy: it is the one that was asked for
    return dict(built.results[binaries].artifacts)
