"""The building part of a run: carry out the plan, and publish the binaries that passed.

Not for carrying out a plan (`making/carry_out`), nor for measuring afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optbuild.files import atomic_copy, remove_below, sha256_of
from optbuild.making.built import Built
from optbuild.making.tools import Site
from optbuild.plan.results import Binaries
from optbuild.project.layout import Layout
from optbuild.session.budget import find_free_memory
from optbuild.session.ledger import Ledger


def describe_site(ledger: Ledger) -> Site:
    """The facts of a run that carrying out a plan needs."""
    prepared, machine, request = ledger.prepared, ledger.machine, ledger.request
    return Site(
        inputs=prepared.inputs,
        hashes=prepared.hashes,
        executor=machine.executor,
        environ=machine.environ,
        emit=ledger.emit,
        logs=ledger.directory / "logs",
        run_id=ledger.run_id,
        fresh=request.fresh,
        keep_going=request.keep_going,
        jobs=prepared.shared_jobs,
        free_memory_bytes=0 if prepared.shared_jobs is None else find_free_memory(),
        peaks_bytes=ledger.history.peaks_bytes,
        durations_s=ledger.history.durations_s,
        is_late=ledger.is_late,
    )


def publish(built: Built, layout: Layout) -> None:
    """Publish the proved binaries, and remove those of earlier runs.

    A variant of this run that failed, was skipped or not reached has none: an old binary could be mistaken for this
    run's.
    """
    owned = layout.root if layout.artifacts.parent == layout.root else layout.artifacts
    proved = built.proved
    for variant in built.plan.variants:
        directory = layout.artifacts / variant.name
        shipped = built.shipped(variant).compile
        if shipped is None or variant not in proved:
            remove_below(owned, directory)
            continue
        files = _files_of(built.results[shipped])
        names = {path.name for path in files}
        for path in directory.iterdir() if directory.is_dir() else ():
            if path.name not in names:
                remove_below(owned, path)
        for path, sha256 in files.items():
            target = directory / path.name
            if not target.is_file() or sha256_of(target) != sha256:
                atomic_copy(path, target)


def _files_of(binaries: Binaries) -> Mapping[Path, str]:
    """All files of binaries, including their debug information, each with its hash."""
    files = {artifact.path: artifact.sha256 for artifact in binaries.artifacts.values()}
    return files | {path: sha256_of(path) for artifact in binaries.artifacts.values() for path in artifact.debug}
