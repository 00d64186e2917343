"""What a comparison of versions knows so far, from its first step to its record."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from optbuild.errors import OptbuildError
from optbuild.events import Emit, labelled
from optbuild.files import disk_bytes_of
from optbuild.measure.contest import Contest
from optbuild.profile.render import render_resolved
from optbuild.project.layout import Layout
from optbuild.record import assemble
from optbuild.record.compared import ArmRecord, SourceRecord
from optbuild.record.model import OutputRecord, RunRecord, WarningRecord
from optbuild.record.store import RecordStore
from optbuild.record.variants import ArtifactRecord, StepRecord, VariantRecord, VariantStatus
from optbuild.session.journal import Journal
from optbuild.session.ledger import Ledger
from optbuild.session.sides import Side
from optbuild.session.sources import BaselineProgram
from optbuild.workloads.overlap import is_any_in_sample

OLD, NEW = "old", "new"
"""The names of the arms."""


@dataclass(slots=True, kw_only=True)
class Versions(Journal):
    """What a comparison knows so far. Whatever happens, `close` makes a record of it.

    Attributes:
        layout: Of the project, where the record is kept.
        program: What stands for the old version, where that was built before.
        sides: The versions that are built, by the name of their arm.
        ledgers: What came of their builds, as far as they began.
        side_by_side: Both were built at the same time.
    """

    layout: Layout
    command_line: tuple[str, ...]
    program: BaselineProgram | None = None
    sides: dict[str, Side] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    side_by_side: bool = False
    outputs: tuple[OutputRecord, ...] = ()
    measured: Contest | None = None

    @property
    def logs(self) -> Path:
        """Where what programs say is kept, apart from that of builds."""
        return RecordStore(directory=self.layout.runs).run_directory(self.run_id) / "logs"

    def emit_for(self, arm: str) -> Emit:
        """The same for events about one version, which say so."""
        return labelled(self.emit, arm)

    def in_order_of_versions(self) -> AbstractContextManager[None]:
        """Sort the warnings of a block by version and plan, whatever ran first."""
        places = [(f"{name}: ", ledger.places) for name, ledger in self.ledgers.items()]

        def key(action: str, warning: WarningRecord) -> tuple[int, int]:
            owners = (n for n, (label, _) in enumerate(places) if warning.message.startswith(label))
            owner = next(owners, None)
            return (-1, -1) if owner is None else (owner, places[owner][1].get(action, -1))

        return self.sorting_warnings(key)

    def close(self, error: OptbuildError | None = None) -> RunRecord:
        """Make the record and store it."""
        record = self._record(error)
        RecordStore(directory=self.layout.runs).save(record)
        for side in self.sides.values():
            side.prepared.remember_files()
        return record

    def _record(self, error: OptbuildError | None) -> RunRecord:
        new = self.sides[NEW]
        inputs = new.prepared.inputs
        workload_of = None if self.measured is None else self.measured.workload_of
        record = replace(
            self.begin_record(self.command_line, error),
            project=replace(
                assemble.describe_project(inputs.project, inputs.targets),
                git_commit=new.source.commit,
                git_dirty=new.source.dirty,
            ),
            toolchain=assemble.describe_toolchain(inputs.toolchain),
            build_profile=render_resolved(inputs.build_profile),
            sources=tuple(self._sources()),
            arms=tuple(self._arms()),
            variants=tuple(self._variants()),
            workloads=assemble.describe_workloads(new.prepared.overlaps, workload_of),
            build_wall_s=self._build_wall_s(),
            disk_bytes=disk_bytes_of(self.layout.root),
            checks=self._checks(),
            outputs=self.outputs,
            warnings=tuple(merge_warnings(self.warnings)),
        )
        return record if self.measured is None else assemble.add_contest(record, self.measured)

    def _sources(self) -> list[SourceRecord]:
        program = (
            [] if self.program is None else [SourceRecord(name=str(self.program.path), git_commit=None, dirty=None)]
        )
        sources = (self.sides[name].source for name in (OLD, NEW) if name in self.sides)
        return [*program, *(SourceRecord(name=s.name, git_commit=s.commit, dirty=s.dirty) for s in sources)]

    def _arms(self) -> list[ArmRecord]:
        program = [] if self.program is None else [ArmRecord(name=OLD, source=str(self.program.path), variant=None)]
        sides = (self.sides[name] for name in (OLD, NEW) if name in self.sides)
        return [*program, *(ArmRecord(name=s.name, source=s.source.name, variant=s.variant) for s in sides)]

    def _variants(self) -> list[VariantRecord]:
        found = [] if self.program is None else [_describe_program(self.program)]
        for name in (OLD, NEW):
            if (ledger := self.ledgers.get(name)) is not None:
                in_sample = is_any_in_sample(self.sides[NEW].prepared.overlaps)
                described = assemble.describe_variants(ledger.built, ledger.prepared.layout, in_sample=in_sample)
                found.append(replace(described[0], name=name, baseline=name == OLD))
        return found

    def _build_wall_s(self) -> float | None:
        times = [ledger.built.wall_s for ledger in self.ledgers.values() if ledger.built.wall_s is not None]
        return None if not times else max(times) if self.side_by_side else sum(times)

    def _checks(self) -> tuple[StepRecord, ...]:
        checks: list[StepRecord] = []
        for name, ledger in self.ledgers.items():
            measured_s = self.measured.duration_s if self.measured is not None and name == NEW else None
            checks += assemble.describe_checks(ledger.built, measured_s)
        return tuple(checks)


def merge_warnings(warnings: list[WarningRecord]) -> list[WarningRecord]:
    """Say once what is so of both versions."""
    olds = {(w.code, w.message.removeprefix(f"{OLD}: "), w.help) for w in warnings if w.message.startswith(f"{OLD}: ")}
    news = {(w.code, w.message.removeprefix(f"{NEW}: "), w.help) for w in warnings if w.message.startswith(f"{NEW}: ")}
    merged = []
    for warning in warnings:
        arm, _, message = warning.message.partition(": ")
        if (warning.code, message, warning.help) not in olds & news or arm not in {OLD, NEW}:
            merged.append(warning)
        elif arm == OLD:
            merged.append(replace(warning, message=f"{OLD} and {NEW}: {message}"))
    return merged


def _describe_program(program: BaselineProgram) -> VariantRecord:
    artifact = ArtifactRecord(
        bin=program.path.name, path=str(program.path), sha256=program.sha256, size_bytes=program.size_bytes
    )
    return VariantRecord(name=OLD, baseline=True, status=VariantStatus.REUSED, artifacts=(artifact,))
