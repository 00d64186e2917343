"""JUnit XML, which CI systems show as tests: the gates of a run, or its comparisons."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

from optbuild.measure.model import Comparison, Verdict
from optbuild.profile.gates import GateSettings
from optbuild.record.gate import GateVerdict
from optbuild.record.judge import is_accepted
from optbuild.record.model import RunRecord
from optbuild.record.variants import VariantRecord, VariantStatus
from optbuild.report.display import change_cell, interval_cell, sentence, verdict_word
from optbuild.report.gates import describe_gate, name_gate
from optbuild.text import sanitize_line

# Characters that XML 1.0 cannot contain, not even escaped: https://www.w3.org/TR/xml/#charsets.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A test case: what it is about, what was found, and how CI systems count it; None is a pass."""

    subject: str
    name: str
    said: str
    result: Literal["failure", "error", "skipped"] | None = None
    kind: str = ""


def render_junit(record: RunRecord, gates: GateSettings) -> str:
    """A test case for each gate; one that is not accepted is a failure, an undecided one that may pass is skipped."""
    cases = []
    for gate in record.gates:
        undecided = gate.verdict is GateVerdict.INCONCLUSIVE
        result: Literal["failure", "skipped"] | None = "skipped" if undecided else None
        if not is_accepted(gate, gates):
            result = "failure"
        said = describe_gate(gate)
        cases.append(
            _Case(subject=gate.variant, name=name_gate(gate), said=said, result=result, kind=str(gate.verdict))
        )
    return _render_suite("optbuild gates", _package_of(record), cases)


def render_run_junit(record: RunRecord) -> str:
    """A test case for each variant's build and each comparison.

    What is slower is a failure, and what did not fail but proves nothing is skipped. Thresholds are for gates.
    """
    targets = [f" for {each.target}" for each in record.targets] or [""]
    cases = [
        case
        for view, target in zip(record.views(), targets, strict=True)
        for variant in view.variants
        for case in _cases_of_variant(view, variant, target)
    ]
    if record.error is not None:
        said = sentence(f"{record.error.message}; {record.error.help}")
        cases.append(_Case(subject="run", name="run", said=said, result="error", kind=record.error.code))
    return _render_suite("optbuild", _package_of(record), cases)


def _cases_of_variant(record: RunRecord, variant: VariantRecord, target: str) -> Iterator[_Case]:
    results: dict[VariantStatus, Literal["error", "skipped"]] = {
        VariantStatus.FAILED: "error",
        VariantStatus.SKIPPED: "skipped",
    }
    said = sentence(variant.reason or str(variant.status))
    yield _Case(
        subject=variant.name + target,
        name="build",
        said=said,
        result=results.get(variant.status),
        kind=str(variant.status),
    )
    for item in record.comparisons:
        if item.candidate == variant.name:
            yield _case_of_comparison(item, target)


def _case_of_comparison(item: Comparison, target: str) -> _Case:
    results: dict[Verdict, Literal["failure", "skipped"]] = {
        Verdict.SLOWER: "failure",
        Verdict.INCONCLUSIVE: "skipped",
        Verdict.INVALID: "skipped",
    }
    word = verdict_word(item)
    said = f"{change_cell(item).text} {interval_cell(item).text} {item.metric} against {item.baseline}: {word}"
    name = "all workloads" if item.workload is None else item.workload
    subject = item.candidate + target
    return _Case(subject=subject, name=name, said=sentence(said), result=results.get(item.verdict), kind=word)


def _package_of(record: RunRecord) -> str:
    return record.project.package if record.project else "optbuild"


def _render_suite(name: str, package: str, cases: Sequence[_Case]) -> str:
    """Write a test suite.

    Sources:
        The elements that Jenkins and GitLab read, https://github.com/testmoapp/junitxml.
    """
    results = [case.result for case in cases]
    counts = {
        "tests": str(len(cases)),
        "failures": str(results.count("failure")),
        "errors": str(results.count("error")),
        "skipped": str(results.count("skipped")),
    }
    suites = ET.Element("testsuites", counts)
    suite = ET.SubElement(suites, "testsuite", {"name": name, **counts})
    for case in cases:
        words = {"classname": f"{package}.{case.subject}", "name": case.name}
        element = ET.SubElement(suite, "testcase", {key: _xml(sanitize_line(word)) for key, word in words.items()})
        said = _xml(case.said)
        if case.result is None:
            ET.SubElement(element, "system-out").text = said
        elif case.result == "skipped":
            ET.SubElement(element, "skipped", {"message": said})
        else:
            ET.SubElement(element, case.result, {"message": said, "type": _xml(case.kind)}).text = said
    ET.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _xml(text: str) -> str:
    return _NOT_XML.sub("�", text)
