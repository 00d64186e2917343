from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.measure.model import AaCheck, AaVerdict, Analysis
from optbuild.session.run import is_reusable
from optbuild.testing import make_invocation
from optbuild.workloads.inputs import InputHashes


def analysis(verdict: AaVerdict) -> Analysis:
    """A session whose check of the harness had this verdict."""
    aa = AaCheck(change=0.0, ci_low=None, ci_high=None, verdict=verdict, margin=0.01)
    return Analysis(comparisons=(), aa=aa, warnings=(), half_width=None, rounds=6)


@pytest.mark.parametrize("verdict", AaVerdict)
def test_an_invalid_session_is_never_used_again(verdict: AaVerdict) -> None:
    """Two identical copies differed: another session may do better, and this one proves nothing."""
    assert is_reusable(analysis(verdict), (make_invocation(),), InputHashes()) is (verdict is not AaVerdict.INVALID)


def test_a_session_that_changed_what_it_reads_is_never_used_again(tmp_path: Path) -> None:
    """The next one would start from something else."""
    out = tmp_path / "out.txt"
    out.write_text("before")
    workload = make_invocation(inputs=(out,), named=(out,))
    hashes = InputHashes()
    hashes.resolve(workload)
    out.write_text("after")
    hashes.check_after(workload)
    assert not is_reusable(analysis(AaVerdict.OK), (workload,), hashes)
    assert is_reusable(analysis(AaVerdict.OK), (make_invocation(name="other"),), hashes)
