from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.events import Event, Notice
from optbuild.execution.command import Command, Completed, OnLine, ProgramNotFoundError
from optbuild.testing import make_usage
from optbuild.testing.values import make_bolt_tools
from optbuild.toolchain.install import InstallStep, Need, make_install_steps, run_install
from optbuild.toolchain.model import Tool, Toolchain
from optbuild.toolchain.packages import describe_remedy, find_rustup_toolchain, package_argvs, rustup_component_argv

HOST = "x86_64-unknown-linux-gnu"
ENVIRON = {"HOME": "/home/me"}
LACKING = Toolchain(
    rustc=Tool(name="rustc", path=Path("/bin/rustc"), version="1.95.0", llvm_major=22),
    cargo=Tool(name="cargo", path=Path("/bin/cargo"), version="1.95.0"),
    host=HOST,
    target=HOST,
    sysroot=Path(f"/home/me/.rustup/toolchains/stable-{HOST}"),
    target_cfg=("unix",),
    llvm_profdata=None,
    searched=(),
    profiler_runtime=Path("/lib/libprofiler_builtins-1.rlib"),
    target_installed=True,
    bolt=make_bolt_tools(),
)
COMPLETE = replace(LACKING, llvm_profdata=Tool(name="llvm-profdata", path=Path("/p"), version="22.1.2", llvm_major=22))


def _has(*programs: str) -> Callable[[str], bool]:
    return lambda name: name in programs


def _argvs(steps: tuple[InstallStep, ...]) -> list[str]:
    return [" ".join(step.argv) for step in steps]


def test_rustups_own_tools_come_first_and_the_systems_package_after() -> None:
    """Rustup's tools always fit; the distribution's package of the same major is the fallback."""
    steps = make_install_steps(LACKING, ENVIRON, is_root=True, has=_has("rustup", "apt-get", "sudo"))
    assert _argvs(steps) == snapshot(
        [
            "rustup component add llvm-tools --toolchain stable-x86_64-unknown-linux-gnu",
            "apt-get update",
            "apt-get install -y --no-install-recommends llvm-22",
        ]
    )
    assert {step.why for step in steps} == {"there is no llvm-profdata of LLVM 22"}


def test_without_root_the_system_is_asked_through_sudo_that_never_prompts() -> None:
    """A prompt for a password would be read by nobody."""
    steps = make_install_steps(LACKING, ENVIRON, is_root=False, has=_has("apt-get", "sudo"))
    assert _argvs(steps) == snapshot(
        [
            "sudo --non-interactive apt-get update",
            "sudo --non-interactive apt-get install -y --no-install-recommends llvm-22",
        ]
    )


@pytest.mark.parametrize(("is_root", "programs"), [(False, ("apt-get",)), (True, ()), (False, ("sudo",))])
def test_nothing_is_tried_where_nothing_is_known_to_help(is_root: bool, programs: tuple[str, ...]) -> None:  # noqa: FBT001 - a parameter of the test
    """Without root and sudo, or without a known package manager, there are no steps."""
    assert make_install_steps(LACKING, ENVIRON, is_root=is_root, has=_has(*programs)) == ()


def test_a_toolchain_that_rustup_does_not_manage_gets_the_systems_package_only() -> None:
    """`rustup component add` cannot add to a distribution's rustc."""
    found = replace(LACKING, sysroot=Path("/usr"))
    assert _argvs(make_install_steps(found, ENVIRON, is_root=True, has=_has("rustup", "brew"))) == [
        "brew install llvm@22"
    ]


def test_a_missing_target_is_added() -> None:
    """Only rustup can add a target."""
    found = replace(COMPLETE, target="aarch64-unknown-linux-gnu", target_installed=False)
    steps = make_install_steps(found, ENVIRON, is_root=True, has=_has("rustup", "apt-get"))
    assert [(step.need, " ".join(step.argv)) for step in steps] == [
        (Need.TARGET, f"rustup target add aarch64-unknown-linux-gnu --toolchain stable-{HOST}")
    ]


def test_bolt_is_installed_only_for_who_uses_it() -> None:
    """It is large, and most projects never name it."""
    found = replace(COMPLETE, bolt=None)
    assert make_install_steps(found, ENVIRON, is_root=True, has=_has("apt-get")) == ()
    steps = make_install_steps(found, ENVIRON, is_root=True, has=_has("apt-get"), lays_out=True)
    assert _argvs(steps) == ["apt-get update", "apt-get install -y --no-install-recommends bolt-22 llvm-22"]
    assert {step.need for step in steps} == {Need.BOLT}


def test_nothing_is_to_be_done_where_nothing_is_missing() -> None:
    """A complete toolchain has no steps, and a compiler without LLVM has none that would help."""
    assert make_install_steps(COMPLETE, ENVIRON, is_root=True, has=_has("rustup", "apt-get")) == ()
    without_llvm = replace(LACKING, rustc=replace(LACKING.rustc, llvm_major=None))
    assert make_install_steps(without_llvm, ENVIRON, is_root=True, has=_has("rustup", "apt-get")) == ()


@pytest.mark.parametrize(
    ("manager", "argvs"),
    [
        ("dnf", ["dnf install -y llvm22", "dnf install -y llvm"]),
        ("zypper", ["zypper --non-interactive install llvm22"]),
        ("apk", ["apk add llvm22"]),
        ("pacman", ["pacman -S --noconfirm --needed llvm"]),
        ("brew", ["brew install llvm@22"]),
    ],
)
def test_each_package_manager_has_its_form(manager: str, argvs: list[str]) -> None:
    """No command asks a question, and none is run with sudo as root."""
    assert [" ".join(argv) for argv in package_argvs(22, is_root=True, has=_has(manager))] == argvs


@pytest.mark.parametrize(
    ("release", "component"), [("1.63.0", "llvm-tools-preview"), ("1.68.2", "llvm-tools"), ("1.95.0", "llvm-tools")]
)
def test_old_toolchains_know_the_component_by_its_old_name(release: str, component: str) -> None:
    """The component was renamed between 1.63 and 1.68."""
    assert rustup_component_argv("x", release)[3] == component


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"HOME": "/home/me"}, f"stable-{HOST}"),
        ({"HOME": "/home/you"}, None),
        ({"HOME": "/home/you", "RUSTUP_HOME": "/home/me/.rustup"}, f"stable-{HOST}"),
        ({}, None),
    ],
)
def test_rustup_manages_what_lies_in_its_home(environ: dict[str, str], name: str | None) -> None:
    """The name of a toolchain is that of its directory below rustup's home."""
    assert find_rustup_toolchain(LACKING.sysroot, environ) == name


@pytest.mark.parametrize(
    ("rustup_toolchain", "programs", "remedy"),
    [
        ("stable", ("rustup",), "rustup component add llvm-tools --toolchain stable"),
        (None, ("rustup", "dnf"), "sudo dnf install -y llvm22"),
        (None, ("brew",), "brew install llvm@22"),
        (None, (), "install LLVM 22, then: export LLVM_PROFDATA=/path/to/llvm-profdata"),
    ],
)
def test_the_remedy_is_this_systems_own(rustup_toolchain: str | None, programs: tuple[str, ...], remedy: str) -> None:
    """People are told the command that works where they are."""
    assert (
        describe_remedy(rustc_release="1.95.0", llvm_major=22, rustup_toolchain=rustup_toolchain, has=_has(*programs))
        == remedy
    )


def test_no_llvm_needs_another_toolchain() -> None:
    """No tool helps a compiler without LLVM."""
    remedy = describe_remedy(rustc_release="1.95.0", llvm_major=None, rustup_toolchain="x", has=_has("rustup"))
    assert remedy.startswith("rustup toolchain install stable")


class Scripted:
    """Runs nothing; each program ends as it is told to."""

    def __init__(self, **endings: int | ProgramNotFoundError) -> None:
        self.endings = endings
        self.ran: list[str] = []

    def run(self, command: Command, *, on_stdout: OnLine | None = None, on_stderr: OnLine | None = None) -> Completed:
        self.ran.append(command.argv[0])
        ending = self.endings[command.argv[0]]
        if isinstance(ending, ProgramNotFoundError):
            raise ending
        stderr = b"error: no network\x1b[1m\n" if ending else b""
        return Completed(command=command, exit_code=ending, stderr=stderr, usage=make_usage(), timed_out=ending < 0)


STEPS = tuple(InstallStep(argv=(name, "install"), need=Need.LLVM_PROFDATA, why="none") for name in ("a", "b", "c"))


def _run(executor: Scripted, *answers: Toolchain) -> tuple[Toolchain, list[Event]]:
    events: list[Event] = []
    remaining = iter(answers)
    after = run_install(
        STEPS,
        toolchain=LACKING,
        environ=ENVIRON,
        executor=executor,
        emit=events.append,
        rediscover=lambda: next(remaining),
    )
    return after, events


def test_a_step_that_helped_is_the_last() -> None:
    """A fallback is not run once the tool is there."""
    executor = Scripted(a=0, b=0)
    after, events = _run(executor, COMPLETE)
    assert (after, executor.ran) == (COMPLETE, ["a"])
    assert [event.message for event in events if isinstance(event, Notice)] == ["none; running: a install"]


def test_a_step_that_failed_or_did_not_help_is_followed_by_the_next() -> None:
    """Each failure is told in the program's own words, made safe; success is what discovering finds, not a status."""
    executor = Scripted(a=7, b=0, c=0)
    after, events = _run(executor, LACKING, LACKING, COMPLETE)
    assert (after, executor.ran) == (COMPLETE, ["a", "b", "c"])
    assert [(str(event.level), event.message) for event in events if isinstance(event, Notice)] == [
        ("info", "none; running: a install"),
        ("warning", "a install: ended with exit code 7\nerror: no network"),
        ("info", "none; running: b install"),
        ("info", "none; running: c install"),
    ]


def test_when_nothing_helps_the_toolchain_still_lacks_it() -> None:
    """Programs that cannot be started or take too long are passed over like others."""
    executor = Scripted(a=ProgramNotFoundError("a", "No such file or directory"), b=-15, c=0)
    after, events = _run(executor, LACKING, LACKING, LACKING)
    assert after == LACKING
    failures = [event.message for event in events if isinstance(event, Notice) and event.code == "install-failed"]
    assert failures == ["a install: No such file or directory", "b install: took too long and was stopped"]
