from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.errors import WorkloadError
from optbuild.execution.command import Command, Completed
from optbuild.testing import make_invocation, make_usage
from optbuild.workloads.programs import check_ending


@pytest.mark.parametrize(
    ("exit_code", "how"),
    [(-9, "signal 9 (SIGKILL)"), (-34, "signal 34 (SIGRTMIN)"), (-40, "signal 40"), (3, "exit code 3")],
)
def test_every_way_to_end_has_words(tmp_path: Path, exit_code: int, how: str) -> None:
    """Real-time signals have numbers, but for the first and the last no names."""
    ended = Completed(command=Command(argv=("x",), cwd=tmp_path), exit_code=exit_code, usage=make_usage())
    with pytest.raises(WorkloadError) as caught:
        check_ending(ended, make_invocation(), stdout=tmp_path / "out", stderr=tmp_path / "err")
    assert caught.value.message == f"workload 'small' ended with {how}, expected exit code 0"
