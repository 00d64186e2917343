from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from optbuild.project.model import CargoConfig, Setting
from optbuild.session.budget import count_cores, find_free_memory, find_jobs, may_share_jobs


def config(jobs: object = None) -> CargoConfig:
    """Cargo's configuration with this number of jobs."""
    values = {} if jobs is None else {"build": {"jobs": Setting(value=jobs, file=Path("/p/.cargo/config.toml"))}}
    return CargoConfig(directory=Path("/p"), files=(), values=values)


@pytest.mark.parametrize(
    ("asked", "environ", "configured", "jobs"),
    [
        (3, {"CARGO_BUILD_JOBS": "5"}, 6, 3),
        (None, {"CARGO_BUILD_JOBS": "5"}, 6, 5),
        (None, {}, 6, 6),
        (None, {}, None, 8),
        (None, {}, "default", 8),
        (None, {}, -2, 6),
        (None, {"CARGO_BUILD_JOBS": "-20"}, None, 1),
    ],
)
def test_jobs_are_those_that_cargo_would_take(
    asked: int | None, environ: dict[str, str], configured: object, jobs: int
) -> None:
    """The command line goes before the environment, and that before a file; less than none is that many fewer."""
    assert find_jobs(asked, config(configured), environ, cores=8) == jobs


def test_a_budget_of_ours_needs_more_than_one_job_and_nobody_elses() -> None:
    """Make's jobserver is make's to divide, also where it stands among other flags."""
    assert may_share_jobs(2, {}, "linux")
    assert may_share_jobs(2, {"MAKEFLAGS": "-k -j4"}, "linux")
    assert not may_share_jobs(1, {}, "linux")
    assert not may_share_jobs(2, {}, "darwin")
    assert not may_share_jobs(2, {"MAKEFLAGS": "k -j4 --jobserver-auth=fifo:/tmp/GMfifo7"}, "linux")
    assert not may_share_jobs(2, {"CARGO_MAKEFLAGS": "-j --jobserver-fds=3,4"}, "linux")


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control group in another one, on a machine with 16 cores and 32 GB that are free."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=32_000_000_000))
    group = tmp_path / "fs/outer/inner"
    group.mkdir(parents=True)
    (tmp_path / "own").write_text("0::/outer/inner\n")
    return group


def limits(group: Path) -> tuple[int, int]:
    """Cores and memory as found from within the group."""
    places = (group.parents[1], group.parents[2] / "own")
    return count_cores(*places), find_free_memory(*places)


def test_a_control_group_limits_cores_and_memory(group: Path) -> None:
    """Its own limits, and those of the groups that it is in; a part of a core is not one, but there is one at least."""
    assert limits(group) == (16, 32_000_000_000)
    (group / "cpu.max").write_text("max 100000\n")
    (group / "memory.max").write_text("max\n")
    assert limits(group) == (16, 32_000_000_000)
    (group.parent / "cpu.max").write_text("350000 100000\n")
    (group.parent / "memory.max").write_text("8000000000\n")
    (group.parent / "memory.current").write_text("1000000000\n")
    assert limits(group) == (3, 7_000_000_000)
    (group.parent / "memory.stat").write_text("anon 1\ninactive_file 500000000\nactive_file 2\n")
    assert limits(group) == (3, 7_500_000_000)
    (group / "cpu.max").write_text("50000 100000\n")
    (group / "memory.max").write_text("1000\n")
    (group / "memory.current").write_text("2000\n")
    assert limits(group) == (1, 0)


def test_without_control_groups_the_machine_decides(group: Path, tmp_path: Path) -> None:
    """An older kind, or another system."""
    (tmp_path / "own").write_text("4:memory:/outer\n")
    (group.parent / "cpu.max").write_text("350000 100000\n")
    assert limits(group)[0] == 16
    (tmp_path / "own").unlink()
    assert limits(group)[0] == 16
