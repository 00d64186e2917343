"""Compare the outputs of existing binaries: it is unknown which of them is right, so differences are only reported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optbuild.events import Emit, Level, Notice
from optbuild.making.outputs.leniency import Leniency
from optbuild.making.outputs.written_parts import OutputWatch, Part
from optbuild.making.workload_runs import WorkloadRunner
from optbuild.plan.results import combined_sha256
from optbuild.record.model import OutputRecord
from optbuild.text import sanitize_line
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation


def compare_outputs(
    invocation: Invocation,
    copies: Mapping[str, dict[str, Path]],
    runner: WorkloadRunner,
    hashes: InputHashes,
    emit: Emit,
) -> tuple[tuple[OutputRecord, ...], float]:
    """Run the baseline twice and the others once, and report differing outputs."""
    baseline = next(iter(copies))
    found: dict[str, list[dict[str, Part]]] = {}
    durations = []
    for number, name in enumerate((baseline, *copies)):
        log_name = f"output-{number}"
        watch = OutputWatch(invocation=invocation, stdout=runner.output(log_name), leniency=Leniency(), hashes=hashes)
        watch.age_files()
        run, stdout = runner.run(invocation, copies[name], log_name=log_name, extra_env={}, watched=watch.watch)
        stdout.unlink()
        durations.append(run.usage.wall_s)
        hashes.check_after(invocation)
        hashes.tell_rewritten(emit)
        found.setdefault(name, []).append(watch.parts)
    records = _hold_against(invocation, found, baseline)
    names = {path.name for binaries in copies.values() for path in binaries.values()}
    _warn_of_outputs(records, baseline, emit, one_name=len(names) == 1)
    return records, min(durations)


def _hold_against(
    invocation: Invocation, found: Mapping[str, list[dict[str, Part]]], baseline: str
) -> tuple[OutputRecord, ...]:
    """Compare the others' outputs with those parts that two runs of the baseline wrote alike."""
    first, second = ({part: item.sha256 for part, item in parts.items()} for parts in found[baseline])
    varying = tuple(part for part in {**first, **second} if first.get(part) != second.get(part))
    stable = {part: digest for part, digest in first.items() if part not in varying}
    shows_something = any(found[baseline][0][part].size_bytes for part in stable)
    records = []
    for name, (parts, *_) in found.items():
        digests = {part: item.sha256 for part, item in parts.items() if part in stable or not varying}
        equal = digests == stable
        records.append(
            OutputRecord(
                workload=invocation.name,
                variant=name,
                equal=None if equal and not shows_something else equal,
                sha256=combined_sha256(digests),
                left_out=varying,
            )
        )
    return tuple(records)


def _warn_of_outputs(records: tuple[OutputRecord, ...], baseline: str, emit: Emit, *, one_name: bool) -> None:
    varying = records[0].left_out
    different = [record.variant for record in records if record.equal is False]
    if different:
        message = f"{', '.join(different)} prints something different from {baseline}: they may not do the same work"
        remedy = "" if one_name else "if they print their names, give them the same name in separate directories"
        emit(Notice(level=Level.WARNING, code="outputs-differ", message=message, help=remedy))
    if records[0].equal and varying:
        names = ", ".join(map(sanitize_line, varying))
        message = f"two runs of the first binary differ in {names}; only the rest of its output is compared"
        emit(Notice(level=Level.WARNING, code="outputs-not-compared", message=message))
    elif varying:
        message = "two runs of the first binary print different things; outputs not compared"
        emit(Notice(level=Level.WARNING, code="outputs-not-compared", message=message))
    elif not different and records[0].equal is None:
        message = "the first binary prints nothing and writes no known file; outputs not compared"
        help_text = "make it write a new file that the command names, or one below {scratch}"
        emit(Notice(level=Level.WARNING, code="outputs-not-compared", message=message, help=help_text))
