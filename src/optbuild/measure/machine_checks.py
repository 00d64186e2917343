"""Check how fit this machine is for measuring: governor, turbo, SMT, load, pressure, battery and so on.

Each check yields a finding or "unknown"; none stops anything. In containers and virtual machines most are unknown.

Sources: the kernel's Documentation/accounting/psi.rst, admin-guide/pm/cpufreq.rst and hwmon/sysfs-interface.rst.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from optbuild.events import Level

_BUSY_LOAD_PER_CORE = 0.3
_PRESSURE_PERCENT = 5.0
_PRESSURES = {
    "cpu": ("CPU pressure", "a CPU"),
    "memory": ("memory pressure", "memory"),
    "io": ("I/O pressure", "the disk"),
}
_NEAR_LIMIT_C = 10.0
_PROCESSOR_SENSORS = frozenset({"coretemp", "k10temp", "zenpower", "cpu_thermal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineCheck:
    """One finding.

    Attributes:
        name: The subject.
        level: `WARNING` if it disturbs measurements.
        message: What was found.
        remedy: What would improve it; empty if nothing is wrong.
    """

    name: str
    level: Level
    message: str
    remedy: str = ""


def check_machine(root: Path = Path("/")) -> tuple[MachineCheck, ...]:
    """Run all checks.

    Args:
        root: The directory with `proc` and `sys`; a different one in tests.
    """
    return tuple(check for look in _LOOKS for check in look(root))


def _cores(_root: Path) -> Iterator[MachineCheck]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores == 1:
        yield _warning("cores", "only one core: all other programs run on it as well", "use a machine with more cores")
    else:
        yield _fine("cores", f"{cores} cores")


def _governor(root: Path) -> Iterator[MachineCheck]:
    governor = _read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if governor is None:
        yield _unknown("governor")
    elif governor != "performance":
        yield _warning(
            "governor", f"the CPU frequency governor is {governor}", "sudo cpupower frequency-set -g performance"
        )
    else:
        yield _fine("governor", governor)


def _turbo(root: Path) -> Iterator[MachineCheck]:
    no_turbo = _read(root / "sys/devices/system/cpu/intel_pstate/no_turbo")
    boost = _read(root / "sys/devices/system/cpu/cpufreq/boost")
    if no_turbo is None and boost is None:
        yield _unknown("turbo")
    elif no_turbo == "0" or boost == "1":
        yield _warning(
            "turbo", "turbo is on: speed depends on temperature and on other cores", "disable turbo in the firmware"
        )
    else:
        yield _fine("turbo", "off")


def _smt(root: Path) -> Iterator[MachineCheck]:
    active = _read(root / "sys/devices/system/cpu/smt/active")
    if active is None:
        yield _unknown("SMT")
    elif active == "1":
        yield _warning(
            "SMT",
            "hyper-threading is on: cores share their execution units",
            "measure on an idle machine, or disable hyper-threading",
        )
    else:
        yield _fine("SMT", "off")


def _load(_root: Path) -> Iterator[MachineCheck]:
    try:
        load = os.getloadavg()[0]
    except OSError:
        yield _unknown("load")
        return
    if load > _BUSY_LOAD_PER_CORE * (os.cpu_count() or 1):
        yield _warning("load", f"load average {load:.1f} before measuring", "close other programs")
    else:
        yield _fine("load", f"load average {load:.1f}")


def _pressure(root: Path) -> Iterator[MachineCheck]:
    for resource, (name, waited_for) in _PRESSURES.items():
        text = _read(root / "proc/pressure" / resource)
        match = None if text is None else re.search(r"some avg10=(\d+\.\d+)", text)
        if match is None:
            yield _unknown(name)
        elif float(match[1]) > _PRESSURE_PERCENT:
            yield _warning(name, f"tasks waited for {waited_for} {match[1]}% of the last 10 s", "close other programs")
        else:
            yield _fine(name, f"{match[1]}%")


def _aslr(root: Path) -> Iterator[MachineCheck]:
    value = _read(root / "proc/sys/kernel/randomize_va_space")
    if value is None:
        yield _unknown("ASLR")
    elif value == "0":
        yield _warning(
            "ASLR",
            "addresses are not randomised: a lucky layout would look like a gain",
            "sudo sysctl kernel.randomize_va_space=2",
        )
    else:
        yield _fine("ASLR", "on, as required: layout bias becomes variance, which the interval shows")


def _virtual(root: Path) -> Iterator[MachineCheck]:
    info = _read(root / "proc/cpuinfo")
    if info is None:
        yield _unknown("virtual machine")
    elif re.search(r"^flags\s*:.*\bhypervisor\b", info, re.MULTILINE):
        yield _warning("virtual machine", "a hypervisor shares this machine with others", "measure on bare metal")
    else:
        yield _fine("virtual machine", "no")


def _battery(_root: Path) -> Iterator[MachineCheck]:
    try:
        battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    except (OSError, ValueError):  # psutil assumes that the kernel shows power supplies
        battery = None
    if battery is None:
        yield _unknown("battery")
    elif battery.power_plugged is False:
        yield _warning("battery", "running on battery", "plug the machine in")
    else:
        yield _fine("battery", "plugged in")


def _temperature(root: Path) -> Iterator[MachineCheck]:
    """How near the CPU's hottest sensor is to its limit, beyond which the CPU slows down."""
    sensors = list(_sensors(root))
    if not sensors:
        yield _unknown("temperature")
        return
    now, limit = min(sensors, key=lambda sensor: sensor[1] - sensor[0])
    if limit - now < _NEAR_LIMIT_C:
        yield _warning(
            "temperature",
            f"the CPU is at {now:.0f} °C (limit {limit:.0f} °C)",
            "wait until it has cooled down, or improve its cooling",
        )
    else:
        yield _fine("temperature", f"{now:.0f} °C" + f", of {limit:.0f}" * (limit < math.inf))


def _sensors(root: Path) -> Iterator[tuple[float, float]]:
    for chip in sorted(root.glob("sys/class/hwmon/hwmon*")):
        if _read(chip / "name") not in _PROCESSOR_SENSORS:
            continue
        for path in chip.glob("temp*_input"):
            now = _read_degrees(path)
            limit = _read_degrees(path.with_name(path.name.replace("_input", "_crit")))
            if now is not None:
                yield now, math.inf if limit is None else limit


def _read_degrees(path: Path) -> float | None:
    """A temperature that the kernel gives in thousandths of a degree."""
    text = _read(path)
    return int(text) / 1000 if text is not None and re.fullmatch(r"-?\d+", text) else None


_LOOKS: tuple[Callable[[Path], Iterator[MachineCheck]], ...] = (
    _cores,
    _governor,
    _turbo,
    _smt,
    _load,
    _pressure,
    _aslr,
    _virtual,
    _battery,
    _temperature,
)


def _fine(name: str, message: str) -> MachineCheck:
    return MachineCheck(name=name, level=Level.INFO, message=message)


def _unknown(name: str) -> MachineCheck:
    return MachineCheck(name=name, level=Level.INFO, message="unknown")


def _warning(name: str, message: str, remedy: str) -> MachineCheck:
    return MachineCheck(name=name, level=Level.WARNING, message=message, remedy=remedy)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None
