from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import WorkloadError
from optbuild.execution.command import Command, Completed
from optbuild.profile.cargo_words import CargoCall, CargoVerb
from optbuild.testing import make_invocation, make_usage
from optbuild.workloads.programs import check_ending


def test_a_library_that_only_cargo_finds_is_found_by_cargo_run(tmp_path: Path) -> None:
    """Cargo names the directories of what it builds to what it runs, and a command is not run by cargo."""
    stderr = tmp_path / "err"
    stderr.write_text("demo: error while loading shared libraries: libf.so: cannot open shared object file")

    def remedy(exit_code: int, call: CargoCall | None) -> str:
        ended = Completed(command=Command(argv=("x",), cwd=tmp_path), exit_code=exit_code, usage=make_usage())
        with pytest.raises(WorkloadError) as caught:
            check_ending(ended, replace(make_invocation(), call=call), stdout=tmp_path / "out", stderr=stderr)
        return caught.value.help

    assert 'cargo = ["run", …]' in remedy(127, None)
    assert "LD_LIBRARY_PATH" in remedy(127, None)
    assert "LD_LIBRARY_PATH" not in remedy(1, None)
    assert "LD_LIBRARY_PATH" not in remedy(127, CargoCall(verb=CargoVerb.RUN))


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


@pytest.mark.parametrize(("exit_code", "limit"), [(-25, "RLIMIT_FSIZE"), (-31, "seccomp")])
def test_a_limit_that_forbids_to_write_counts_is_named(tmp_path: Path, exit_code: int, limit: str) -> None:
    """Only the instrumented program writes a file, so a run by hand shows nothing."""
    ended = Completed(command=Command(argv=("x",), cwd=tmp_path), exit_code=exit_code, usage=make_usage())
    with pytest.raises(WorkloadError) as caught:
        check_ending(ended, make_invocation(), stdout=tmp_path / "out", stderr=tmp_path / "err")
    assert limit in caught.value.help
    assert "writes a file with its counts" in caught.value.help
