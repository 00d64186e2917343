"""What `optbuild verify` found, as a report."""

from __future__ import annotations

from collections import Counter

from optbuild.record.verification import CheckVerdict, Verification
from optbuild.report.display import sentence
from optbuild.report.model import Cell, Column, Report, Table, Tone

_TONES = {CheckVerdict.PASS: Tone.FASTER, CheckVerdict.FAIL: Tone.SLOWER, CheckVerdict.NOT_CHECKED: Tone.PLAIN}
_WORDS = {CheckVerdict.PASS: "pass", CheckVerdict.FAIL: "FAIL", CheckVerdict.NOT_CHECKED: "not checked"}


def assemble_verification(found: Verification) -> Report:
    """Write the checks as a table, and below it what mends those that are not passed."""
    columns = (Column(heading="check"), Column(heading="verdict"), Column(heading="found"))
    rows = tuple(
        (
            Cell(text=check.name),
            Cell(text=_WORDS[check.verdict], tone=_TONES[check.verdict]),
            Cell(text=check.figure, foreign=True),
        )
        for check in found.checks
    )
    remedies = tuple(sentence(f"{check.name}: {check.help}") for check in found.checks if check.help)
    return Report(
        title=f"{found.subject}: {_summarise(found)}",
        tables=(Table(caption="", columns=columns, rows=rows),),
        footnotes=remedies,
    )


def _summarise(found: Verification) -> str:
    counted = Counter(check.verdict for check in found.checks)
    words = {CheckVerdict.PASS: "passed", CheckVerdict.FAIL: "failed", CheckVerdict.NOT_CHECKED: "not checked"}
    return ", ".join(f"{counted[verdict]} {word}" for verdict, word in words.items() if counted[verdict])
