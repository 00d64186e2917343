from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.errors import ToolchainError
from optbuild.execution.command import ProgramNotFoundError
from optbuild.testing import Reply, make_pgo_profile
from tests.unit.build_cases import Workshop

PROFILE = make_pgo_profile()
HEARD = b"warning: optbuild_probe.2e-cgu.0: no profile data available for function optbuild_probe Hash = 38 up to 0\n"


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A place with a rustc."""
    return Workshop(tmp_path)


def test_rustc_is_given_a_function_that_no_profile_knows(workshop: Workshop) -> None:
    """With the very profile, and the flags of the real compilation."""
    assert workshop.probe.does_rustc_warn(PROFILE)
    (command,) = workshop.executor.commands
    work = workshop.layout.root / "merging"
    assert command.argv == (
        *("/t/rustc", "--crate-name=optbuild_probe", "--crate-type=lib", "--emit=obj", "-Copt-level=3"),
        *("-Cprofile_use=/d/ab.profdata", "-Cllvm-args=-pgo-warn-missing-function", "-Wwarnings"),
        *("-o", str(work / "optbuild_probe.o"), str(work / "optbuild_probe.rs")),
    )
    assert command.cwd == workshop.directory
    assert "fn optbuild_probe(" in (work / "optbuild_probe.rs").read_text()


@pytest.mark.parametrize(
    "stderr",
    [
        b"",
        b"warning: 1 warning emitted\n",
        HEARD.replace(b"optbuild_probe Hash", b"main Hash"),
        b"warning: ab.profdata: invalid instrumentation profile data (bad magic)\n",
        b"warning: ab.profdata: odd\n" + HEARD,
    ],
)
def test_what_is_not_heard_is_no_song(workshop: Workshop, stderr: bytes) -> None:
    """Silence, another function, or a complaint about the profile itself."""
    workshop.compiler = lambda _: Reply(stderr=stderr)
    assert not workshop.probe.does_rustc_warn(PROFILE)


def test_it_sings_once_for_each_rustc_and_profile(workshop: Workshop) -> None:
    """The same question has the same answer."""
    for version, runs in (("1.95.0", 1), ("1.95.0", 1), ("1.96.0", 2)):
        workshop.rustc_version = version
        assert workshop.probe.does_rustc_warn(PROFILE)
        assert len(workshop.executor.commands) == runs


def test_a_rustc_that_is_gone_is_the_toolchains_fault(workshop: Workshop) -> None:
    """The remedy is `doctor`."""
    workshop.compiler = lambda _: ProgramNotFoundError("/t/rustc", "not found")
    with pytest.raises(ToolchainError, match="cannot start rustc"):
        workshop.probe.does_rustc_warn(PROFILE)
