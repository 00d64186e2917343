"""The building part of a run: everything that carries out its plan is put together here, and what came of it published.

Not for the order of things within it (`making/order`), nor for what is measured afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from optbuild.execution.jobserver import Jobserver
from optbuild.files import atomic_copy, remove_below, sha256_of
from optbuild.making.cargo.driver import CargoDriver
from optbuild.making.cargo.rebuilding import Rebuilder
from optbuild.making.cargo.sources import SourceWatch, sources_changed
from optbuild.making.order.carrying import Runner
from optbuild.making.order.exclusivity import Budget
from optbuild.making.order.performing import Performed, Performer
from optbuild.making.order.workers import Workers
from optbuild.making.outputs.checker import OutputChecker
from optbuild.making.proof.prover import Prover
from optbuild.making.proof.warning_probe import Canary
from optbuild.making.result_store import ResultStore
from optbuild.making.training.merging import ProfileMerger
from optbuild.making.training.profdata import Profdata
from optbuild.making.training.trainer import Trainer
from optbuild.making.workload_runs import WorkloadRunner
from optbuild.plan.actions import Compile
from optbuild.record.history import History
from optbuild.session.budget import find_free_memory
from optbuild.session.journal import Journal


def build(journal: Journal) -> None:
    """Build and train everything, compare outputs, and publish the binaries that passed."""
    with _shared_jobs(journal) as jobserver:
        runner = _make_runner(journal, jobserver)
        sources = _watch_sources(journal)

        def watch(action: Compile) -> Callable[[], None]:
            began_ns = sources.now_ns()

            def look() -> None:
                executables = runner.outcome.compiled(action.id).executables
                sources.add(executables, lambda: runner.compile_again(action).fresh, since_ns=began_ns)

            return look

        began_s = time.monotonic()
        try:
            with journal.in_order_of_the_plan():
                runner.carry_out(watch_build=watch)
            journal.build_wall_s = time.monotonic() - began_s
        finally:  # what was finished is published, however the rest ended
            changed = sources.changed()
            _publish(journal, () if changed else _proved(journal))
    if changed:
        raise sources_changed(changed)


@contextmanager
def _shared_jobs(journal: Journal) -> Iterator[Jobserver | None]:
    """The jobserver of a plan whose builds run at the same time."""
    jobs = journal.prepared.shared_jobs
    if jobs is None:
        yield None
        return
    jobserver = Jobserver(jobs)
    try:
        yield jobserver
    finally:
        jobserver.close()


def _make_budget(history: History, jobserver: Jobserver | None) -> Budget:
    if jobserver is None:
        return Budget()
    return Budget(jobs=jobserver.jobs, memory_bytes=find_free_memory(), peaks=history.peaks_bytes)


def _watch_sources(journal: Journal) -> SourceWatch:
    project, layout = journal.prepared.inputs.project, journal.prepared.layout
    root = project.workspace_root
    manifests = [root / "Cargo.toml", root / "Cargo.lock", *(package.manifest for package in project.packages)]
    manifests += project.config_files
    return SourceWatch(ignored=layout.root, stamp=layout.root / "stamp", manifests=tuple(manifests))


def _make_runner(journal: Journal, jobserver: Jobserver | None) -> Runner:
    prepared, machine, layout = journal.prepared, journal.machine, journal.prepared.layout
    emit, outcome = journal.emit, journal.outcome
    logs = journal.directory / "logs"
    results = ResultStore(directory=layout.results, emit=emit, fresh=journal.request.fresh)
    workloads = WorkloadRunner(executor=machine.executor, root=layout.root, stage=layout.root / "stage", logs=logs)
    merger = _make_merger(journal, results)
    trainer = None
    if merger is not None:
        trainer = Trainer(
            workloads=workloads,
            merger=merger,
            results=results,
            hashes=prepared.hashes,
            root=layout.root,
            run_id=journal.run_id,
            kept=layout.quarantine,
            stray=layout.stray_profiles,
            settings=prepared.build_profile.raw_profiles,
            emit=emit,
        )
    outputs = OutputChecker(
        workloads=workloads, results=results, hashes=prepared.hashes, kept=layout.root / "outputs", emit=emit
    )
    canary = Canary(
        executor=machine.executor,
        rustc=prepared.inputs.toolchain.rustc,
        cwd=prepared.inputs.project.directory,
        environ=machine.environ,
        results=results,
        work=layout.root / "merging",
    )
    cargo = CargoDriver(executor=machine.executor, environ=machine.environ, emit=emit, jobserver=jobserver)
    return Runner(
        plan=journal.plan,
        outcome=outcome,
        performer=Performer(
            cargo=cargo,
            trainer=trainer,
            merger=merger,
            outputs=outputs,
            rebuilder=Rebuilder(cargo=cargo, root=layout.root, place=layout.cargo_rebuild_target, logs=logs, emit=emit),
            stage=workloads.stage,
            logs=logs,
            emit=emit,
            outcome=outcome,
            last_s=journal.history.durations_s,
        ),
        prover=Prover(
            plan=journal.plan,
            outcome=outcome,
            merger=merger,
            canary=canary,
            demanded=prepared.build_profile.evidence,
            emit=emit,
        ),
        emit=emit,
        keep_going=journal.request.keep_going,
        budget=_make_budget(journal.history, jobserver),
        hire=partial(Workers[Performed], machine.executor, jobserver),
    )


def _make_merger(journal: Journal, results: ResultStore) -> ProfileMerger | None:
    prepared, machine, layout = journal.prepared, journal.machine, journal.prepared.layout
    tool = prepared.inputs.toolchain.llvm_profdata
    if tool is None:
        return None
    profdata = Profdata(
        executor=machine.executor,
        tool=tool,
        environ=machine.environ,
        work=layout.root / "merging",
        logs=journal.directory / "logs",
        timeout_s=prepared.build_profile.raw_profiles.merge_timeout_s,
    )
    return ProfileMerger(profdata=profdata, results=results, directory=layout.profile_data, emit=journal.emit)


def _proved(journal: Journal) -> tuple[str, ...]:
    """The variants that are built and checked to the end."""
    plan, outcome = journal.plan, journal.outcome
    return tuple(
        variant.name
        for variant in plan.variants
        if outcome.is_built(variant) and outcome.serving(plan, variant) <= outcome.results.keys()
    )


def _publish(journal: Journal, names: tuple[str, ...]) -> None:
    """Put the binaries of these variants where people look for them, and take those of earlier runs away.

    A variant of this run that failed, was skipped or not reached has none: an old one would pass for this run's.
    """
    layout = journal.prepared.layout
    owned = layout.root if layout.artifacts.parent == layout.root else layout.artifacts
    for variant in journal.plan.variants:
        directory = layout.artifacts / variant.name
        if variant.compile is None or variant.name not in names:
            remove_below(owned, directory)
            continue
        artifacts = journal.outcome.artifacts(variant.compile)
        files = {artifact.path: artifact.sha256 for artifact in artifacts.values()}
        files |= {path: sha256_of(path) for artifact in artifacts.values() for path in artifact.debug}
        names_on_disk = {path.name for path in files}
        for path in directory.iterdir() if directory.is_dir() else ():
            if path.name not in names_on_disk:
                remove_below(owned, path)
        for path, sha256 in files.items():
            target = directory / path.name
            if not target.is_file() or sha256_of(target) != sha256:
                atomic_copy(path, target)
