"""Build variants so that what they do can be named: with line tables, and otherwise as they are.

PGO variants keep their training: only the last compilation differs. What is built here is not published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.errors import ToolchainError, UsageError, WorkloadError
from optbuild.files import claim_directory
from optbuild.making.carry_out import carry_out
from optbuild.plan.model import Plan
from optbuild.profile.faults import find_nearest
from optbuild.profile.model import Use
from optbuild.record.lock import hold_lock
from optbuild.session.building import describe_site
from optbuild.session.ledger import Ledger
from optbuild.session.prepare import Prepared, load_history, prepare
from optbuild.session.request import Machine, RunRequest
from optbuild.workloads.invocation import Invocation, Kind

LINE_TABLES = ("-Cdebuginfo=1", "-Csplit-debuginfo=off", "-Cstrip=none")
"""Flags for rustc that let tools name functions and lines; 1 is the least that names inlined functions by their path.

They change neither code nor mangled names, so that a PGO profile still fits.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Variants that can be observed.

    Attributes:
        binaries: By variant, its programs by name.
        workloads: The benchmark workloads that are run.
    """

    prepared: Prepared
    binaries: Mapping[str, Mapping[str, Path]]
    workloads: tuple[Invocation, ...]


@contextmanager
def observed(
    request: RunRequest, variants: tuple[str, ...], workload: str | None, machine: Machine
) -> Iterator[Observed]:
    """Build variants with line tables, and hold the project while they are looked at.

    Args:
        request: Which project, and how it is built.
        variants: Their names, each once.
        workload: The only one to run; None takes all benchmark workloads.
        machine: What to do it with.

    Raises:
        OptbuildError: The request cannot be met, or a variant is not built.
    """
    asked = replace(request, variants=variants, measure=False, last_rustflags=LINE_TABLES)
    prepared = prepare(asked, machine, trusted=True)
    workloads = choose_workloads(prepared, workload)
    plan = _only(prepared.plan, variants)
    prepared = replace(prepared, plan=plan)
    layout = prepared.layout
    claim_directory(layout.root)
    with hold_lock(layout.lock, wait=request.wait, emit=machine.emit):
        ledger = Ledger(prepared=prepared, request=asked, machine=machine, history=load_history(layout))
        built = carry_out(plan, describe_site(ledger))
        error = built.ended_by or next(iter(built.failures.values()), None)
        if error is not None:
            raise error
        binaries = {}
        for variant in plan.variants:
            if variant.compile is None or not built.is_built(variant):
                reason = built.skipped.get(variant.name, "it was not built")
                raise UsageError(f"variant {variant.name} is skipped: {reason}", help="optbuild doctor")
            binaries[variant.name] = built.results[variant.compile].paths
        yield Observed(prepared=prepared, binaries=binaries, workloads=workloads)


def choose_workloads(prepared: Prepared, wanted: str | None) -> tuple[Invocation, ...]:
    """The benchmark workloads, or the one that is named.

    Raises:
        UsageError: There is none, or none of that name.
        WorkloadError: It is of a kind that cannot be observed.
        ToolchainError: Programs for this target cannot run here by themselves.
    """
    found = tuple(workload for workload in prepared.inputs.workloads if Use.BENCH in workload.use)
    names = [workload.name for workload in found]
    if not found:
        raise UsageError(
            "there is no benchmark workload to run",
            help="name a command after `--`, {bin} for the program: optbuild heap VARIANT -- {bin} ARGS; or write a "
            "build profile: optbuild init",
        )
    if wanted is not None and wanted not in names:
        nearest = find_nearest(wanted, names)
        raise UsageError(
            f"there is no benchmark workload {wanted!r}",
            help=(f"did you mean {nearest}? " if nearest else "") + f"there are: {', '.join(names)}",
        )
    project = prepared.inputs.project
    if prepared.inputs.not_runnable is not None or project.runner is not None:
        reason = prepared.inputs.not_runnable or "programs for this target are started by a runner"
        raise ToolchainError(f"nothing can be observed: {reason}", help='build for this machine: target = "host"')
    chosen = tuple(workload for workload in found if wanted in {None, workload.name})
    usable = tuple(workload for workload in chosen if workload.kind is not Kind.CARGO)
    if not usable:
        raise WorkloadError(
            f"workload {chosen[0].name!r} is run by cargo, and only commands and servers can be observed",
            help="write a [[workloads]] table with `command` or `server`, or name a command after `--`",
        )
    return usable


def _only(plan: Plan, names: tuple[str, ...]) -> Plan:
    """The part of a plan that makes some variants, without what they would be compared with."""
    variants = tuple(variant for variant in plan.variants if variant.name in names)
    for variant in variants:
        if variant.compile is None:
            raise UsageError(f"variant {variant.name} is skipped: {variant.skipped}", help="optbuild plan")
    needed = {each for variant in variants if variant.compile is not None for each in plan.needed_by(variant.compile)}
    return replace(
        plan,
        entries=tuple(entry for entry in plan.entries if entry.id in needed),
        variants=tuple(replace(variant, plain=None, programs={}) for variant in variants),
        measure=None,
    )
