"""Build variants to be observed, and place them where they run: the beginning of every command that looks inside.

Nothing is published and no run is stored: what is built here has frame pointers and debug information, and is not what
a project ships.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.files import claim_directory, remove_below, writing
from optbuild.making.carry_out import carry_out
from optbuild.measure.arms import ArmBinaries, Arms
from optbuild.observe.inlining import InlineResolver, find_symbolizer
from optbuild.plan.model import PlannedVariant
from optbuild.profile.model import BuildProfile
from optbuild.profile.variants import Allocator
from optbuild.record.lock import blaming_deletion, hold_lock
from optbuild.session.building import describe_site
from optbuild.session.ledger import Ledger
from optbuild.session.opening import load_for
from optbuild.session.prepare import load_history, prepare
from optbuild.session.request import Machine, RunRequest
from optbuild.session.run import announce_plan, find_arms, warn_of_unpassed
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.placing import even_name, place_together
from optbuild.workloads.programs import Place

OBSERVABLE_FLAGS = ("-Cforce-frame-pointers=yes", "-Cdebuginfo=limited", "-Cstrip=none")
"""Stacks by frame pointers, and the names of inlined functions. None of them changes a mangled name, so a PGO profile
fits as before; rustc itself takes the last of several values, so they win over those of Cargo's profile.

`line-tables-only` would be less, but it has inlined functions without their paths.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedBuild:
    """Variants that are built, and the workloads that they run.

    Attributes:
        workloads: The benchmarks.
        directory: Where observers may write, below the directory with optbuild's marker.
    """

    ledger: Ledger
    workloads: tuple[Invocation, ...]
    directory: Path
    _arms: Arms

    def place(self, workload: Invocation) -> dict[str, Place]:
        """Copies of every variant for a workload, by name; the one that others are compared with is first.

        Raises:
            StorageError: They cannot be written.
        """
        root = self.ledger.prepared.layout.root
        programs = {arm.name: each for arm, each in self._arms.programs.get(workload.name, {}).items()}
        variants = {arm.name: ArmBinaries(binaries=paths) for arm, paths in self._arms.variants.items()}
        chosen = programs or variants
        every = [each.binaries for each in chosen.values()]
        places = {}
        for index, (name, arm) in enumerate(chosen.items()):
            directory = self.directory / "arms" / even_name(f"{index:03d}", arm.binaries, every)
            places[name] = Place(
                root=root,
                binaries=place_together(arm.binaries, directory, root=root),
                stdout=self.directory / "stdout",
                stderr=self.directory / "stderr",
                extra_env={},
                arm=name,
                cargo_build=arm.cargo_build,
            )
        return places


@contextmanager
def built_to_observe(
    request: RunRequest,
    names: tuple[str, ...],
    machine: Machine,
    *,
    rustflags: tuple[str, ...] = OBSERVABLE_FLAGS,
    sees_allocations: bool = False,
) -> Iterator[ObservedBuild]:
    """Build variants, train and prove those with PGO as ever, and hold the project until they have been observed.

    Args:
        request: Which project, and how it is built.
        names: The variants; the one that others are compared with is first.
        machine: With what.
        rustflags: What makes them observable.
        sees_allocations: The variants are built without an allocator that would hide what they ask for.

    Raises:
        UsageError: The request cannot be met.
        OptbuildError: A build, a training or a workload failed.
    """
    asked = replace(request, variants=names, baseline=names[0], last_rustflags=rustflags)
    build_profile = _with_visible_allocations(load_for(asked, machine)) if sees_allocations else None
    prepared = prepare(asked, machine, trusted=True, build_profile=build_profile)
    layout = prepared.layout
    claim_directory(layout.root)
    with hold_lock(layout.lock, wait=asked.wait, emit=machine.emit), blaming_deletion(layout.root):
        ledger = Ledger(prepared=prepared, request=asked, machine=machine, history=load_history(layout))
        announce_plan(ledger)
        warn_of_unpassed(ledger)
        arms = _build(ledger)
        directory = layout.observing
        remove_below(layout.root, directory)
        with writing(directory):
            directory.mkdir()
        action = prepared.plan.measure
        workloads = () if action is None else action.workloads
        try:
            yield ObservedBuild(ledger=ledger, workloads=workloads, directory=directory, _arms=arms)
            for workload in workloads:
                prepared.hashes.check_after(workload)
        finally:
            remove_below(layout.root, directory)
            prepared.remember_files()


def _with_visible_allocations(build_profile: BuildProfile) -> BuildProfile:
    """The same with the C library's allocator, which is watched; what programs ask for does not depend on it."""
    return build_profile.with_each_variant(lambda variant: replace(variant, allocator=Allocator.DEFAULT))


def make_resolver(build: ObservedBuild, machine: Machine) -> InlineResolver:
    """What names inlined functions of the variants."""
    rustc = build.ledger.prepared.inputs.toolchain.rustc
    return InlineResolver(
        executor=machine.executor,
        environ=machine.environ,
        program=find_symbolizer(machine.environ, rustc.llvm_major),
        scratch=build.directory,
    )


def _build(ledger: Ledger) -> Arms:
    """Carry out the plan; every variant must come of it."""
    plan = ledger.plan
    if (skipped := next((each for each in plan.variants if each.skipped is not None), None)) is not None:
        raise _not_built(skipped, skipped.skipped or "")
    if plan.measure is None:
        reason = ledger.prepared.inputs.not_measurable or "no workload is a benchmark"
        raise UsageError(f"nothing can be observed: {reason}", help="observe it on a machine where it runs")
    with ledger.in_order_of_the_plan():
        ledger.built = built = carry_out(plan, describe_site(ledger))
    if (error := built.ended_by or next(iter(built.failures.values()), None)) is not None:
        raise error
    for variant in plan.variants:
        if not built.is_built(variant):
            raise _not_built(variant, built.skipped.get(variant.name, "it was not built"))
    return find_arms(ledger, plan.measure)


def _not_built(variant: PlannedVariant, reason: str) -> UsageError:
    return UsageError(f"variant {variant.name} cannot be observed: {reason}", help="name another variant")
