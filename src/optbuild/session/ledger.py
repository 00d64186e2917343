"""The state of a run, from its first event to its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from optbuild.errors import OptbuildError
from optbuild.files import disk_bytes_of
from optbuild.making.built import Built
from optbuild.making.order.progress import Progress
from optbuild.making.tools import never
from optbuild.measure.contest import Contest
from optbuild.plan.model import Plan
from optbuild.profile.render import render_resolved
from optbuild.project.model import Project
from optbuild.record import assemble
from optbuild.record.cross_validation import describe_cross_validation
from optbuild.record.history import History
from optbuild.record.model import RunRecord
from optbuild.record.search import SearchRecord
from optbuild.record.store import RecordStore
from optbuild.session.journal import Journal
from optbuild.session.prepare import Prepared
from optbuild.session.request import RunRequest
from optbuild.workloads.overlap import is_any_in_sample


@dataclass(slots=True, kw_only=True)
class Ledger(Journal):
    """The state of a run. Whatever happens, `close` makes a record of it.

    Attributes:
        history: The durations of earlier runs.
        built: The outcome of the plan, once it was carried out.
        measured: The results of measuring, once it was done.
        search: What a search has found so far; None for other runs. A candidate of it may fail.
        is_late: Whether there is no time left to begin building another variant.
    """

    prepared: Prepared
    request: RunRequest
    history: History
    built: Built = field(init=False)
    measured: Contest | None = None
    search: SearchRecord | None = None
    is_late: Callable[[], bool] = never
    result_key: str | None = None

    def __post_init__(self) -> None:
        self.begin()
        self.built = Progress(self.plan).so_far  # nothing yet

    @property
    def plan(self) -> Plan:
        """The plan of the run."""
        return self.prepared.plan

    @property
    def directory(self) -> Path:
        """The directory of its record and logs."""
        return RecordStore(directory=self.prepared.layout.runs).run_directory(self.run_id)

    @property
    def places(self) -> Mapping[str, int]:
        """Where in the plan each action is."""
        return {str(action.id): place for place, action in enumerate(self.plan.actions)}

    def in_order_of_the_plan(self) -> AbstractContextManager[None]:
        """Sort the warnings of a block by the order of their actions, whatever ran first."""
        places = self.places
        return self.sorting_warnings(lambda action, _: places.get(action, -1))

    def close(self, error: OptbuildError | None = None) -> RunRecord:
        """Make the record and store it."""
        failures = self.built.failures.values() if self.search is None else ()
        record = self._record(error or next(iter(failures), None), stopped=error is not None)
        RecordStore(directory=self.prepared.layout.runs).save(record)
        self.prepared.remember_files()
        return record

    def _record(self, error: OptbuildError | None, *, stopped: bool) -> RunRecord:
        inputs, overlaps = self.prepared.inputs, self.prepared.overlaps
        record = replace(
            self.begin_record(self.request.command_line, error, stopped=stopped),
            made_for=self.request.made_for,
            result_key=self.result_key,
            project=assemble.describe_project(_with_new_lockfile(inputs.project), inputs.targets),
            toolchain=assemble.describe_toolchain(inputs.toolchain),
            build_profile=render_resolved(inputs.build_profile),
            variants=assemble.describe_variants(self.built, inputs.layout, in_sample=is_any_in_sample(overlaps)),
            workloads=assemble.describe_workloads(
                overlaps, None if self.measured is None else self.measured.workload_of
            ),
            inputs=assemble.describe_inputs(inputs.workloads, self.prepared.hashes, inputs.project.workspace_root),
            build_wall_s=self.built.wall_s,
            disk_bytes=disk_bytes_of(inputs.layout.root),
            checks=assemble.describe_checks(self.built, None if self.measured is None else self.measured.duration_s),
            outputs=assemble.describe_outputs(self.built),
            cross_validation=describe_cross_validation(
                self.built,
                None if self.measured is None else self.measured.cross_validation,
                in_sample=self.prepared.fold_in_sample,
            ),
        )
        record = replace(record, search=self.search)
        return record if self.measured is None else assemble.add_contest(record, self.measured)


def _with_new_lockfile(project: Project) -> Project:
    """The lock file; if there was none, the first build has written one."""
    written = project.workspace_root / "Cargo.lock"
    return project if project.lockfile is not None or not written.is_file() else replace(project, lockfile=written)
