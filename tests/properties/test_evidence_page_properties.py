from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from optbuild.record.model import RunRecord
from optbuild.report.evidence_page import assemble_evidence
from optbuild.report.formats import EVIDENCE_FORMATS
from optbuild.report.model import Screen
from tests.properties.test_report_properties import NAMES, PAGE, TABLES, TagCollector
from tests.unit.evidence_cases import make_evidence_run

RECORDS = st.builds(make_evidence_run, name=NAMES, crate=NAMES, path=NAMES, reason=NAMES)


def render(record: RunRecord, form: str, width: int = 100) -> str:
    """The page in a format."""
    return EVIDENCE_FORMATS[form](record, assemble_evidence(record), Screen(width=width))


@given(record=RECORDS)
def test_markdown_keeps_its_shape(record: RunRecord) -> None:
    """Names of crates, workloads and files, which anyone may choose, break no table and begin no line."""
    cells = None
    for line in render(record, "markdown").splitlines():
        if line.startswith("|"):
            here = len(re.findall(r"(?:\\.|[^|\\])*\|", line))
            assert cells in (None, here)
            cells = here
        else:
            cells = None
            assert re.match(r"$|### |- |\*\*", line)


@given(record=RECORDS)
def test_html_holds_only_our_elements(record: RunRecord) -> None:
    """No name becomes an element."""
    collector = TagCollector()
    collector.feed(render(record, "html"))
    collector.close()
    assert collector.open == []
    assert collector.tags <= PAGE | TABLES


@given(record=RECORDS, width=st.integers(1, 200))
def test_the_terminal_page_is_inert_and_fits(record: RunRecord, width: int) -> None:
    """No control characters but line breaks, no command to a CI system, no line too long."""
    text = render(record, "terminal", width)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text)
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert all(cell_len(line) <= max(width, 20) for line in text.splitlines())


@given(record=RECORDS)
def test_the_json_document_is_one(record: RunRecord) -> None:
    """Whatever the names, it can be read, and is text in any encoding."""
    text = render(record, "json")
    assert text.isascii()
    assert json.loads(text)["schema"] == "optbuild/evidence/1"
