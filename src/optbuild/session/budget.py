"""The jobs and memory that builds of one run may use at the same time.

Sources: Linux, "Control Group v2", https://docs.kernel.org/admin-guide/cgroup-v2.html (`cpu.max`, `memory.max`); The
Cargo Book, "Configuration", https://doc.rust-lang.org/cargo/reference/config.html#buildjobs
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from optbuild.execution.jobserver import is_inherited, is_supported
from optbuild.project.cargo_config import environment_value
from optbuild.project.model import CargoConfig, Setting

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")
_CACHED = re.compile(r"^inactive_file (\d+)$", re.MULTILINE)


def find_jobs(asked: int | None, config: CargoConfig, environ: Mapping[str, str], cores: int) -> int:
    """How many jobs may run at once: by the command line, the environment, Cargo's configuration, or the cores.

    Args:
        asked: The number on the command line.
        config: Cargo's configuration.
        environ: The caller's environment.
        cores: How many programs can compute at once.
    """
    configured = config.find("build", "jobs")
    words = environment_value(environ, "CARGO_BUILD_JOBS")
    value = words if words is not None else configured.value if isinstance(configured, Setting) else None
    if asked is not None:
        return asked
    try:
        jobs = int(str(value))
    except ValueError:  # not set, or "default"
        return cores
    return jobs if jobs > 0 else max(1, cores + jobs)


def may_share_jobs(jobs: int, environ: Mapping[str, str], platform: str) -> bool:
    """Whether builds can run at the same time under optbuild's own budget; a caller's jobserver is left alone."""
    return jobs > 1 and is_supported(platform) and not is_inherited(environ)


def count_cores(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> int:
    """How many programs can compute at once, limited by this process's CPUs and its control group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for text in _limits("cpu.max", cgroups, own):
        quota, _, period = text.partition(" ")
        if quota.isdecimal() and period.isdecimal() and int(period):
            cores = min(cores, int(quota) // int(period))
    return max(1, cores)


def find_free_memory(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> int:
    """How many bytes programs may use now, limited by the machine and by this process's control group."""
    free_bytes = psutil.virtual_memory().available
    names = ("memory.max", "memory.current", "memory.stat")
    for most, used, details in zip(*(_limits(name, cgroups, own) for name in names), strict=True):
        if most.isdecimal() and used.isdecimal():
            cached = _CACHED.search(details)  # freed when needed
            free_bytes = min(free_bytes, max(0, int(most) - int(used) + int(cached[1] if cached else 0)))
    return free_bytes


def _limits(name: str, cgroups: Path, own: Path) -> Iterator[str]:
    """The contents of a file in this process's control group and in those above it; empty without control groups."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    path = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    if path is None:
        return
    group = cgroups / path
    while group.is_relative_to(cgroups):
        try:
            yield (group / name).read_text().strip()
        except OSError:  # the root has no limits
            yield ""
        group = group.parent
