from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from optbuild.events import Level
from optbuild.measure.machine_checks import MachineCheck, check_machine

CPU = "sys/devices/system/cpu"


class Battery:
    """What psutil gives."""

    def __init__(self, *, power_plugged: bool | None) -> None:
        self.power_plugged = power_plugged


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not read from files: two idle cores, and no battery."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.1, 0.1, 0.1))
    monkeypatch.setattr(psutil, "sensors_battery", lambda: None, raising=False)


def check(root: Path, name: str, **files: str) -> MachineCheck:
    """What is found about one thing where these files are; `__` in their names stands for `/`."""
    for path, text in files.items():
        target = root / path.replace("__", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return {found.name: found for found in check_machine(root)}[name]


def test_a_machine_that_tells_nothing_is_unknown(tmp_path: Path) -> None:
    """In a container every file may be missing: no warning, no error, and no claim that all is well."""
    checks = check_machine(tmp_path)
    assert {found.name for found in checks if found.message == "unknown"} == {
        "governor",
        "turbo",
        "SMT",
        "CPU pressure",
        "memory pressure",
        "I/O pressure",
        "ASLR",
        "virtual machine",
        "battery",
        "temperature",
    }
    assert {found.level for found in checks} == {Level.INFO}
    assert {found.remedy for found in checks} == {""}


def test_files_that_cannot_be_read_are_missing_ones(tmp_path: Path) -> None:
    """A directory where a file should be, and bytes that are no text."""
    (tmp_path / "proc/sys/kernel/randomize_va_space").mkdir(parents=True)
    (tmp_path / "proc/cpuinfo").write_bytes(b"flags\t\t: fpu \xff\xfe\n")
    assert check(tmp_path, "ASLR").message == "unknown"
    assert check(tmp_path, "virtual machine").message == "no"


def test_the_real_machine_has_an_answer_to_everything() -> None:
    """Each thing is looked at once, whatever machine this is."""
    names = [found.name for found in check_machine()]
    assert len(names) == len(set(names)) == 12


@pytest.mark.parametrize(
    ("name", "path", "text", "message", "remedy"),
    [
        ("governor", "cpu0/cpufreq/scaling_governor", "powersave\n", "governor is powersave", "cpupower"),
        ("turbo", "intel_pstate/no_turbo", "0\n", "turbo is on", "firmware"),
        ("turbo", "cpufreq/boost", "1\n", "turbo is on", "firmware"),
        ("SMT", "smt/active", "1\n", "hyper-threading", "disable hyper-threading"),
    ],
)
def test_what_disturbs_is_warned_about_with_its_remedy(
    tmp_path: Path, name: str, path: str, text: str, message: str, remedy: str
) -> None:
    """A frequency that follows the load, turbo and SMT make a run depend on what else happens."""
    found = check(tmp_path, name, **{f"{CPU}/{path}": text})
    assert found.level is Level.WARNING
    assert message in found.message
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("name", "path", "text"),
    [
        ("governor", "cpu0/cpufreq/scaling_governor", "performance\n"),
        ("turbo", "intel_pstate/no_turbo", "1\n"),
        ("turbo", "cpufreq/boost", "0\n"),
        ("SMT", "smt/active", "0\n"),
    ],
)
def test_what_is_as_it_should_be_is_no_warning(tmp_path: Path, name: str, path: str, text: str) -> None:
    """It is told all the same, so that the record says what the machine was like."""
    found = check(tmp_path, name, **{f"{CPU}/{path}": text})
    assert (found.level, found.remedy) == (Level.INFO, "")
    assert found.message != "unknown"


@pytest.mark.parametrize(
    ("share", "level"), [("0.00", Level.INFO), ("5.00", Level.INFO), ("5.01", Level.WARNING), ("87.13", Level.WARNING)]
)
@pytest.mark.parametrize(("file", "name"), [("cpu", "CPU"), ("memory", "memory"), ("io", "I/O")])
def test_tasks_that_waited_are_pressure(tmp_path: Path, share: str, level: Level, file: str, name: str) -> None:
    """For a CPU, for memory or for the disk, more than a twentieth of the last ten seconds."""
    text = f"some avg10={share} avg60=87.00 avg300=99.00 total=1281651543\nfull avg10=99.00 avg60=0.00 total=0\n"
    found = check(tmp_path, f"{name} pressure", **{f"proc/pressure/{file}": text})
    assert found.level is level
    assert f"{share}%" in found.message


def test_pressure_in_a_form_that_is_not_known_is_unknown(tmp_path: Path) -> None:
    """The kernel may say it in another way one day."""
    assert check(tmp_path, "CPU pressure", proc__pressure__cpu="none\n").message == "unknown"


@pytest.mark.parametrize(("value", "level"), [("2", Level.INFO), ("1", Level.INFO), ("0", Level.WARNING)])
def test_addresses_should_be_random(tmp_path: Path, value: str, level: Level) -> None:
    """Without ASLR a lucky layout looks like a gain."""
    found = check(tmp_path, "ASLR", proc__sys__kernel__randomize_va_space=f"{value}\n")
    assert found.level is level
    assert ("sysctl" in found.remedy) == (level is Level.WARNING)


def test_a_hypervisor_shows_in_the_flags(tmp_path: Path) -> None:
    """The processor's flags say so; a model's name does not."""
    metal = "model name\t: hypervisor 3000\nflags\t\t: fpu vme de\nbugs\t\t: spectre_v1\n"
    guest = metal.replace("de\n", "de hypervisor lahf_lm\n")
    assert check(tmp_path, "virtual machine", proc__cpuinfo=metal).message == "no"
    assert check(tmp_path, "virtual machine", proc__cpuinfo=guest).level is Level.WARNING


@pytest.mark.parametrize(("load", "level"), [(0.6, Level.INFO), (0.7, Level.WARNING)])
def test_load_is_judged_by_the_number_of_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: float, level: Level
) -> None:
    """Three tenths of each core."""
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 9.0, 9.0))
    assert check(tmp_path, "load").level is level


def test_a_load_that_is_not_told_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may refuse to say."""

    def refuse() -> None:
        raise OSError

    monkeypatch.setattr(os, "getloadavg", refuse)
    assert check(tmp_path, "load").message == "unknown"


def test_a_single_core_is_warned_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cores that this process may use count, not those that there are."""
    assert check(tmp_path, "cores").message == "2 cores"
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1})
    assert check(tmp_path, "cores").level is Level.WARNING
    monkeypatch.delattr(os, "sched_getaffinity")
    assert check(tmp_path, "cores").message == "2 cores"


@pytest.mark.parametrize(
    ("battery", "message"),
    [
        (Battery(power_plugged=True), "plugged in"),
        (Battery(power_plugged=None), "plugged in"),
        (Battery(power_plugged=False), "running on battery"),
    ],
)
def test_a_battery_slows_a_machine_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, battery: Battery, message: str
) -> None:
    """Only where it is known that the mains are missing."""
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery)
    assert check(tmp_path, "battery").message == message


@pytest.mark.parametrize("error", [FileNotFoundError("/sys/class/power_supply"), ValueError("no number")])
def test_power_supplies_that_the_kernel_hides_are_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Where there is no such directory, as in some containers, psutil raises; elsewhere it has no such function."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(psutil, "sensors_battery", fail)
    assert check(tmp_path, "battery").message == "unknown"
    monkeypatch.delattr(psutil, "sensors_battery")
    assert check(tmp_path, "battery").message == "unknown"


HWMON = "sys/class/hwmon/hwmon"


@pytest.mark.parametrize(
    ("files", "level", "message"),
    [
        ({"temp1_input": "45000\n", "temp1_crit": "100000\n"}, Level.INFO, "45 °C, of 100"),
        ({"temp1_input": "90000", "temp1_crit": "100000"}, Level.INFO, "90 °C, of 100"),
        ({"temp1_input": "90500", "temp1_crit": "100000"}, Level.WARNING, "the CPU is at 90 °C (limit 100 °C)"),
        (
            {"temp1_input": "45000", "temp1_crit": "100000", "temp2_input": "97000", "temp2_crit": "99000"},
            Level.WARNING,
            "97 °C (limit 99 °C)",
        ),
        ({"temp1_input": "45000"}, Level.INFO, "45 °C"),
        ({"temp1_input": "hot"}, Level.INFO, "unknown"),
        ({}, Level.INFO, "unknown"),
    ],
)
def test_a_processor_near_its_limit_slows_down(
    tmp_path: Path, files: dict[str, str], level: Level, message: str
) -> None:
    """The sensor that is nearest to its own limit counts; other chips than the processor's do not."""
    elsewhere = {f"{HWMON}0/name": "nvme\n", f"{HWMON}0/temp1_input": "84000", f"{HWMON}0/temp1_crit": "85000"}
    processor = {f"{HWMON}1/{name}": text for name, text in {"name": "coretemp\n", **files}.items()}
    found = check(tmp_path, "temperature", **elsewhere, **processor)
    assert message in found.message
    assert found.level is level
