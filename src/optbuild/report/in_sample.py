"""Label gains on training inputs; the label belongs to the number and is copied with it.

Only PGO variants were trained. Records of the first version have one answer for all workloads together.
"""

from __future__ import annotations

from optbuild.measure.model import held_out_arm
from optbuild.record.model import RunRecord
from optbuild.text import sanitize_line


def in_sample_label(record: RunRecord, candidate: str, workload: str | None) -> str:
    """The label of a variant's change on a workload, or on all of them; empty if none is needed.

    Args:
        record: The run.
        candidate: The variant's name.
        workload: None means all workloads together.
    """
    found = in_sample_by_workload(record, candidate)
    if workload is not None:
        return "in-sample" if found.get(workload, found.get(None)) else ""
    count = sum(answer is True for answer in found.values())
    return "" if not count else "in-sample" if count == len(found) else f"in-sample on {count} of {len(found)}"


def labelled(name: str, label: str) -> str:
    """A name with its label."""
    return f"{name} ({label})" if label else name


def in_sample_by_workload(record: RunRecord, candidate: str) -> dict[str | None, bool | None]:
    """Whether each measured workload was trained on; without names of workloads, the answer for all of them.

    Args:
        record: The run.
        candidate: A variant, empty if it was not trained; or the held-out arm that replaces it.
    """
    pgo = next((variant.pgo for variant in record.variants if variant.name == candidate), None)
    if pgo is not None:
        return {item.name: item.in_sample for item in record.workloads} or {None: pgo.in_sample}
    folds = record.cross_validation.folds if record.cross_validation else ()
    builds = {fold.workloads: fold.build.pgo for fold in folds if held_out_arm(fold.variant) == candidate}
    return {
        part: pgo.in_sample
        for names, pgo in builds.items()
        if pgo is not None
        for name in names
        for part in _parts_of(name, record)
    }


def _parts_of(workload: str, record: RunRecord) -> list[str]:
    """The measured cells of a workload."""
    return [item.name for item in record.workloads if item.part_of == workload] or [workload]


def describe_training(record: RunRecord) -> str:
    """One sentence about all PGO variants of a run, which share their training workloads; empty if there are none."""
    found = next((f for f in (in_sample_by_workload(record, v.name) for v in record.variants) if f), {})
    if not found:
        return ""
    shared, unknown = ([name for name, answer in found.items() if answer is wanted] for wanted in (True, None))
    if shared:
        return f"in-sample{_on(shared, len(found))}: trained and measured on the same input"
    if unknown:
        return f"inputs not compared{_on(unknown, len(found))}"
    return "trained and measured on different inputs"


def _on(names: list[str | None], of: int) -> str:
    """The workloads, if they are not all."""
    return "" if len(names) == of else f" on {', '.join(sanitize_line(name) for name in names if name is not None)}"
