"""A run whose measuring is done on another machine: build, prove and compare outputs here, then hand over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.plan.measure import Measure
from optbuild.project.selection import default_bin
from optbuild.record.model import RunRecord
from optbuild.session.ledger import Ledger
from optbuild.session.placement import Placement
from optbuild.session.prepare import prepare
from optbuild.session.request import Machine, RunRequest
from optbuild.session.run import build, find_arms, opened
from optbuild.tools.builders import BuilderName


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltApart:
    """What was built, for whoever measures it.

    Attributes:
        record: The run so far, without measurements.
        variants: The programs of each variant by name, the baseline first; empty if nothing is to be measured.
        default_bin: What `{bin}` stands for.
        stays: Why it can be measured only where it was built; empty if it can be measured anywhere.
    """

    record: RunRecord
    variants: Mapping[str, Mapping[str, Path]]
    default_bin: str | None
    stays: str = ""


def build_apart(request: RunRequest, machine: Machine, placement: Placement) -> BuiltApart:
    """Build, train and prove the variants of a project, and measure nothing.

    Raises:
        OptbuildError: The run could not begin.
        RunFailedError: It began and failed; what was finished is in the record.
    """
    prepared = prepare(request, machine, trusted=True, placement=placement)
    with opened(prepared, request, machine) as ledger:
        action = ledger.plan.measure
        stays = "" if action is None else _why_not_elsewhere(ledger, action)
        if not stays:
            build(ledger)
        found = {} if action is None or stays else find_arms(ledger, action).variants
        program = default_bin(ledger.prepared.inputs.targets)
        return BuiltApart(
            record=ledger.close(),
            variants={arm.name: programs for arm, programs in found.items()},
            default_bin=None if program is None else program.name,
            stays=stays,
        )


def _why_not_elsewhere(ledger: Ledger, action: Measure) -> str:
    """What the measuring of a project needs beyond its programs and files."""
    inputs = ledger.prepared.inputs
    if any(workload.call is not None for workload in action.workloads):
        return "a workload is run by cargo"
    if inputs.project.runner is not None:
        return f"its programs are run by {inputs.project.runner.words[0]} (from {inputs.project.runner.origin})"
    if inputs.targets.libs or inputs.build_profile.project.builder is not BuilderName.CARGO:
        return "it is measured through a library"
    if action.controls:
        return "a layout by BOLT is kept only where it is measured faster"
    return ""
