"""Gates as a JUnit XML file, which CI systems show as tests."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from optbuild.profile.gates import GateSettings
from optbuild.record.gate import GateVerdict
from optbuild.record.judge import is_accepted
from optbuild.record.model import RunRecord
from optbuild.report.gates import describe_gate, name_gate
from optbuild.text import sanitize_line

# Characters that XML 1.0 cannot contain, not even escaped: https://www.w3.org/TR/xml/#charsets.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(record: RunRecord, gates: GateSettings) -> str:
    """A test suite with a test case for each gate; one that is not accepted is a failure.

    Sources:
        The elements that Jenkins and GitLab read, https://github.com/testmoapp/junitxml.
    """
    refused = [gate for gate in record.gates if not is_accepted(gate, gates)]
    undecided = [gate for gate in record.gates if gate.verdict is GateVerdict.INCONCLUSIVE and gate not in refused]
    counts = {"tests": len(record.gates), "failures": len(refused), "errors": 0, "skipped": len(undecided)}
    suite = ET.Element("testsuite", {"name": "optbuild gates", **{name: str(n) for name, n in counts.items()}})
    package = record.project.package if record.project else "optbuild"
    for gate in record.gates:
        classname = f"{sanitize_line(package)}.{gate.variant}"
        case = ET.SubElement(suite, "testcase", {"classname": _xml(classname), "name": _xml(name_gate(gate))})
        said = _xml(describe_gate(gate))
        if gate in refused:
            ET.SubElement(case, "failure", {"message": said, "type": str(gate.verdict)}).text = said
        elif gate in undecided:
            ET.SubElement(case, "skipped", {"message": said})
        else:
            ET.SubElement(case, "system-out").text = said
    suites = ET.Element("testsuites", {name: str(count) for name, count in counts.items()})
    suites.append(suite)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _xml(text: str) -> str:
    return _NOT_XML.sub("�", text)
