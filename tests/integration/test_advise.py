"""`optbuild advise`, with real cargo and a real sampler, on a program that is slow in known ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, copy_crate, edit

pytestmark = pytest.mark.valgrind


def test_each_way_of_being_slow_is_told_from_the_others(optbuild: Optbuild, tmp_path: Path) -> None:
    """Arithmetic is the compiler's, strings are the allocator's, and system calls are the kernel's: nothing can pay."""
    project = copy_crate("habits", tmp_path / "habits")
    edit(project / "optbuild.toml", '"words", "300"', '"compute", "100000"')
    edit(project / "optbuild.toml", '"grow", "300"', '"kernel", "100000"')
    document = optbuild.run("advise", "--json", "--max-time", "100ms", cwd=project).expect(0).document
    computing, calling = document["workloads"]
    assert computing["parts"]["own"] > 0.8
    assert {each["remedy"] for each in computing["prospects"] if each["can_pay"]} == {"lto", "pgo", "bolt"}
    assert "hot-function" in {each["kind"] for each in computing["findings"]}
    assert computing["allocated_blocks"] is not None
    assert not (project / "target" / "optbuild" / "artifacts" / "release").exists()
    if document["tool"] == "perf":  # callgrind does not see the kernel
        assert calling["parts"]["kernel"] > 0.3
        (found,) = [each for each in calling["findings"] if each["kind"] == "kernel"]
        assert "habits::kernel" in found["figure"]
    error = optbuild.run("advise", "--json", "--workload", "none", cwd=project).expect(2).error
    assert "'none'" in error["message"]
