"""Place existing binaries and compare their outputs: which of them is right is unknown, so differences are reported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optbuild.events import Emit, Level, Notice
from optbuild.files import remove_below
from optbuild.making.outputs.differences import comparable, differing, find_steady
from optbuild.making.outputs.leniency import Leniency
from optbuild.making.outputs.written_parts import OutputWatch, Part
from optbuild.making.workload_runs import WorkloadRunner
from optbuild.plan.results import KeptPart, Probed, combined_sha256
from optbuild.project.layout import Layout
from optbuild.record.model import OutputRecord
from optbuild.text import sanitize_line
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.placing import place_together

_EXACT = Leniency()


def place_given(variants: Mapping[str, Mapping[str, Path]], layout: Layout) -> dict[str, dict[str, Path]]:
    """Copies on one file system, where a link can put each in place; programs may read their own names."""
    remove_below(layout.root, layout.given)
    return {
        name: place_together(programs, layout.given / f"{index:03d}", root=layout.root)
        for index, (name, programs) in enumerate(variants.items())
    }


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
        watch = OutputWatch(invocation=invocation, stdout=runner.output(log_name), leniency=_EXACT, hashes=hashes)
        watch.age_files()
        run, stdout = runner.run(invocation, copies[name], log_name=log_name, extra_env={}, watched=watch.watch)
        stdout.unlink()
        durations.append(run.usage.wall_s)
        hashes.check_after(invocation)
        hashes.tell_rewritten(emit)
        found.setdefault(name, []).append(watch.parts)
    probed, records = _compare(invocation, found, baseline, run_s=min(durations))
    names = {path.name for binaries in copies.values() for path in binaries.values()}
    _warn_of_outputs(records, baseline, emit, one_name=len(names) == 1)
    return records, probed.run_s


def _compare(
    invocation: Invocation, found: Mapping[str, list[dict[str, Part]]], baseline: str, *, run_s: float
) -> tuple[Probed, tuple[OutputRecord, ...]]:
    """How the others' outputs compare with what two runs of the baseline wrote alike."""
    first, second = found[baseline]
    kept = {name: KeptPart(sha256=part.sha256, size_bytes=part.size_bytes, kept=None) for name, part in first.items()}
    probed = find_steady(kept, second, _EXACT, run_s=run_s)
    records = []
    for variant, (written, *_) in found.items():
        parts = comparable(written, probed)
        records.append(
            OutputRecord(
                workload=invocation.name,
                variant=variant,
                equal=False if differing(probed.parts, parts, _EXACT) else probed.equal,
                sha256=combined_sha256({name: part.sha256 for name, part in parts.items()}),
                left_out=probed.varying,
            )
        )
    return probed, tuple(records)


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
