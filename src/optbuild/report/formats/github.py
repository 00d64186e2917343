"""Gates as annotations of GitHub Actions: commands to the runner, into which no foreign text may turn."""

from __future__ import annotations

from optbuild.profile.gates import GateSettings
from optbuild.record.gate import GateRecord, GateVerdict
from optbuild.record.judge import is_accepted
from optbuild.record.model import RunRecord
from optbuild.report.display import inert_on_ci
from optbuild.report.gates import describe_gate, name_gate, summarise_gates


def render_github(record: RunRecord, gates: GateSettings) -> str:
    """One annotation for each gate and a summary line; there are fewer gates than the annotations that GitHub shows.

    Sources:
        GitHub Docs, "Workflow commands",
        https://docs.github.com/actions/reference/workflow-commands-for-github-actions; the escapes are those of
        actions/toolkit, packages/core/src/command.ts.
    """
    lines = make_gate_annotations(record, gates)
    return "".join(f"{line}\n" for line in (*lines, inert_on_ci(summarise_gates(record, gates))))


def make_gate_annotations(record: RunRecord, gates: GateSettings) -> tuple[str, ...]:
    """One annotation for each gate: an error, a warning if it is undecided and accepted, or a notice."""
    return tuple(_annotation(gate, accepted=is_accepted(gate, gates)) for gate in record.gates)


def make_annotation(level: str, title: str, message: str) -> str:
    """One annotation: a command to the runner in which foreign text can neither end the line nor begin a new one.

    Args:
        level: `notice`, `warning` or `error`.
        title: May contain foreign text, like `message`.
        message: The text for readers.
    """
    return f"::{level} title={_property(title)}::{_data(message)}"


def _annotation(gate: GateRecord, *, accepted: bool) -> str:
    undecided = gate.verdict is GateVerdict.INCONCLUSIVE
    level = "error" if not accepted else "warning" if undecided else "notice"
    return make_annotation(level, f"optbuild {name_gate(gate)}", describe_gate(gate))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
