"""Gates as annotations of GitHub Actions: commands to the runner, which the text of others must never become."""

from __future__ import annotations

from optbuild.profile.gates import GateSettings
from optbuild.record.gate import GateRecord, GateVerdict
from optbuild.record.judge import is_accepted
from optbuild.record.model import RunRecord
from optbuild.report.display import inert_on_ci
from optbuild.report.gates import describe_gate, name_gate, summarise_gates


def render_github(record: RunRecord, gates: GateSettings) -> str:
    """One annotation for each gate and a line that sums up; there are fewer gates than annotations that GitHub shows.

    Sources:
        GitHub Docs, "Workflow commands", https://docs.github.com/actions/reference/workflow-commands-for-github-actions;
        the escapes are those of actions/toolkit, packages/core/src/command.ts.
    """
    lines = [_annotation(gate, accepted=is_accepted(gate, gates)) for gate in record.gates]
    return "".join(f"{line}\n" for line in (*lines, inert_on_ci(summarise_gates(record, gates))))


def _annotation(gate: GateRecord, *, accepted: bool) -> str:
    undecided = gate.verdict is GateVerdict.INCONCLUSIVE
    level = "error" if not accepted else "warning" if undecided else "notice"
    return f"::{level} title={_property(f'optbuild {name_gate(gate)}')}::{_data(describe_gate(gate))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
