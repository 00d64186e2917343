"""A report of a build profile's gates on a run; formats for CI systems are in `formats/`."""

from __future__ import annotations

from collections import Counter

from optbuild.profile.gates import GateSettings
from optbuild.record.gate import GateRecord, GateVerdict
from optbuild.record.judge import is_accepted
from optbuild.record.model import RunRecord, RunStatus
from optbuild.report.display import digits_for, sentence
from optbuild.report.footnotes import describe_commit
from optbuild.report.model import NOTHING, Align, Cell, Column, Report, Table, Tone
from optbuild.text import sanitize_line
from optbuild.units import format_percent

_TONES = {GateVerdict.PASS: Tone.FASTER, GateVerdict.FAIL: Tone.SLOWER}
_PLAIN_DIGITS = 1


def assemble_gates(record: RunRecord, gates: GateSettings) -> Report:
    """Write the gates of a record as a table, with undecided ones explained below.

    Args:
        record: A run with its gates judged.
        gates: The gates of the build profile.
    """
    columns = (
        Column(heading="gate"),
        Column(heading="threshold", align=Align.RIGHT),
        Column(heading="found", align=Align.RIGHT),
        Column(heading="interval"),
        Column(heading="margin", align=Align.RIGHT, optional=True),
        Column(heading="verdict"),
    )
    return Report(
        title=summarise_gates(record, gates),
        status=_status(record),
        tables=(Table(caption="", columns=columns, rows=tuple(map(_row, record.gates))),),
        footnotes=(*(f"{name_gate(gate)}: {said}" for gate in record.gates if (said := _explain(gate))), _run(record)),
    )


def summarise_gates(record: RunRecord, gates: GateSettings) -> str:
    """How many passed and failed, in one line."""
    counted = Counter(gate.verdict for gate in record.gates)
    found = ", ".join(f"{counted[verdict]} {word}" for verdict, word in _WORDS.items() if counted[verdict])
    accepted = all(is_accepted(gate, gates) for gate in record.gates)
    return f"gates of {sanitize_line(record.gates[0].variant)}: {found}: {'accepted' if accepted else 'not accepted'}"


def name_gate(gate: GateRecord) -> str:
    """A gate and the workload that decided it."""
    return gate.gate + (f" on {sanitize_line(gate.workload)}" if gate.workload is not None else "")


def describe_gate(gate: GateRecord) -> str:
    """The threshold, the result and the verdict, in one sentence."""
    found = "unknown" if gate.found is None else f"{_percent(gate, gate.found)}{_interval_after(gate)}"
    said = _explain(gate)
    head = f"{name_gate(gate)}: {gate.verdict}: {found}, threshold {_threshold(gate)}"
    return head + (f" ({said})" if said else "")


_WORDS = {GateVerdict.FAIL: "failed", GateVerdict.INCONCLUSIVE: "inconclusive", GateVerdict.PASS: "passed"}


def _row(gate: GateRecord) -> tuple[Cell, ...]:
    known = gate.found is not None
    return (
        Cell(text=name_gate(gate), foreign=gate.workload is not None),
        Cell(text=_threshold(gate)),
        Cell(text=_percent(gate, gate.found)) if gate.found is not None else NOTHING,
        Cell(text=_interval(gate)) if _interval(gate) else NOTHING,
        Cell(text=_margin(gate)) if known else NOTHING,
        Cell(text=str(gate.verdict), tone=_TONES.get(gate.verdict, Tone.PLAIN)),
    )


def _threshold(gate: GateRecord) -> str:
    return f"{'≥' if gate.gate.startswith('min') else '≤'} {format_percent(gate.threshold).lstrip('+')}"


def _percent(gate: GateRecord, ratio: float) -> str:
    return format_percent(ratio, _digits(gate))


def _digits(gate: GateRecord) -> int:
    if gate.low is None or gate.high is None or gate.low == gate.high:
        return _PLAIN_DIGITS
    return digits_for((gate.high - gate.low) / 2)


def _interval(gate: GateRecord) -> str:
    """The interval in percent, open if one end is unknown; empty for exact or unknown values."""
    if gate.low == gate.high:
        return ""
    low, high = ("…" if end is None else _percent(gate, end).rstrip("%") for end in (gate.low, gate.high))
    return f"[{low}, {high}]"


def _interval_after(gate: GateRecord) -> str:
    return f" {interval}" if (interval := _interval(gate)) else ""


def _margin(gate: GateRecord) -> str:
    """By how much it was passed, in percentage points; negative if it failed."""
    assert gate.found is not None  # noqa: S101 - asked before
    sign = 1 if gate.gate.startswith("min") else -1
    return f"{_percent(gate, sign * (gate.found - gate.threshold)).rstrip('%')} points"


def _explain(gate: GateRecord) -> str:
    return "; ".join(filter(None, (sentence(gate.reason), sentence(gate.help))))


def _status(record: RunRecord) -> tuple[str, ...]:
    if record.status is RunStatus.COMPLETE:
        return ()
    return (f"The run is {record.status}: gates without measurements are undecided.",)


def _run(record: RunRecord) -> str:
    commit = describe_commit(record)
    return f"run {sanitize_line(record.run_id)}" + (f", {commit}" if commit else "")
