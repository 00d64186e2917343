"""Discovering, merging and installing with the programs that are really there, and with scripts in their place."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from optbuild.errors import ToolchainError
from optbuild.events import Event, Notice
from optbuild.execution.command import Command
from optbuild.execution.local import LocalExecutor
from optbuild.toolchain.discover import Wanted, discover_toolchain
from optbuild.toolchain.install import make_install_steps, run_install
from optbuild.toolchain.lookup import Inquiry, find_program
from optbuild.toolchain.model import Toolchain
from optbuild.toolchain.requirements import require_pgo_tools
from optbuild.tools import llvm_profdata
from optbuild.tools.llvm_profdata import ProfileHeader

PROGRAM = """
fn work(n: u64) -> u64 { (0..n).filter(|i| i % 3 == 0).sum() }
fn main() { println!("{}", work(std::env::args().count() as u64 * 1000)); }
"""
MAJOR = 99
"""An LLVM that no machine has."""


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    """Runs programs for real."""
    with LocalExecutor(lambda _: None) as running:
        yield running


def _discover(directory: Path, executor: LocalExecutor, environ: dict[str, str], *, trusted: bool = True) -> Toolchain:
    inquiry = Inquiry(executor=executor, directory=directory, environ=environ)
    return discover_toolchain(Wanted(), inquiry, trusted=trusted)


def test_the_real_toolchain_is_found_and_fits(tmp_path: Path, executor: LocalExecutor) -> None:
    """The tools here are of one LLVM, and have all that PGO needs."""
    found = _discover(tmp_path, executor, dict(os.environ), trusted=False)
    require_pgo_tools(found)
    assert found.llvm_profdata is not None
    assert found.llvm_profdata.llvm_major == found.rustc.llvm_major
    assert found.target == found.host
    assert found.sysroot.is_dir()
    assert "unix" in found.target_cfg


def test_a_pinned_toolchain_that_is_missing_is_told_and_not_installed(tmp_path: Path, executor: LocalExecutor) -> None:
    """Rustup's own text arrives, with the command; nothing is downloaded."""
    if shutil.which("rustup") is None:
        pytest.skip("rustup is not installed")
    (tmp_path / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.0.0"\n')
    environ = {name: value for name, value in os.environ.items() if name not in {"RUSTUP_TOOLCHAIN", "RUSTC", "CARGO"}}
    environ.pop("RUSTUP_AUTO_INSTALL", None)
    with pytest.raises(ToolchainError) as caught:
        _discover(tmp_path, executor, environ, trusted=False)
    assert caught.value.help.startswith("rustup toolchain install 1.0.0")
    assert "is not installed" in (caught.value.detail or "")


def test_a_toolchain_in_the_repository_is_run_only_when_trusted(tmp_path: Path, executor: LocalExecutor) -> None:
    """A `path` in rust-toolchain.toml makes rustup run a program of the repository: not for a plan or a doctor."""
    if shutil.which("rustup") is None:
        pytest.skip("rustup is not installed")
    proof = tmp_path / "it-ran"
    _script(tmp_path / "tools" / "bin" / "rustc", f"touch '{proof}'")
    (tmp_path / "rust-toolchain.toml").write_text(f'[toolchain]\npath = "{tmp_path}/tools"\n')
    environ = {name: value for name, value in os.environ.items() if name not in {"RUSTUP_TOOLCHAIN", "RUSTC", "CARGO"}}
    with pytest.raises(ToolchainError, match="by path"):
        _discover(tmp_path, executor, environ, trusted=False)
    assert not proof.exists()
    with pytest.raises(ToolchainError):
        _discover(tmp_path, executor, environ, trusted=True)
    assert proof.exists()


@pytest.fixture
def raw_profile(tmp_path: Path) -> Path:
    """What an instrumented program wrote, under a name with a space, a comma and an umlaut."""
    source = tmp_path / "t.rs"
    source.write_text(PROGRAM)
    program = tmp_path / "t"
    argv = [_which("rustc"), "-O", "-Cprofile-generate", str(source), "-o", str(program)]
    subprocess.run(argv, cwd=tmp_path, check=True)
    profile = tmp_path / "a 1, ä.profraw"
    subprocess.run([str(program)], env={"LLVM_PROFILE_FILE": str(profile)}, check=True, stdout=subprocess.DEVNULL)
    return profile


def test_profiles_are_weighed_merged_shown_and_recognised(
    tmp_path: Path, raw_profile: Path, executor: LocalExecutor
) -> None:
    """The list file takes weights and any name, and a weight multiplies every count."""
    totals = {}
    for weight in (1, 3):
        merged = tmp_path / f"{weight}.profdata"
        stderr, code = _merge(executor, tmp_path, [(weight, raw_profile)], merged)
        assert (stderr, code) == ("", 0)
        header = llvm_profdata.read_profile_header(merged.read_bytes()[: llvm_profdata.HEADER_BYTES])
        assert header == ProfileHeader(kind="indexed", version=header.version if header else 0, is_ir_level=True)
        shown = executor.run(
            Command(argv=llvm_profdata.show_argv(_tool(executor, tmp_path), merged), cwd=tmp_path, env=os.environ)
        )
        summary = llvm_profdata.parse_show(shown.stdout.decode())
        assert summary.is_ir_level
        assert 0 < summary.functions_with_counts <= summary.functions
        totals[weight] = summary.total_count
    assert totals[3] == 3 * totals[1]
    raw = llvm_profdata.read_profile_header(raw_profile.read_bytes()[: llvm_profdata.HEADER_BYTES])
    assert raw is not None
    assert (raw.kind, raw.is_ir_level) == ("raw", True)


def test_a_truncated_profile_is_named_by_the_merge(tmp_path: Path, raw_profile: Path, executor: LocalExecutor) -> None:
    """One broken file of several fails a strict merge, and is told by its name."""
    broken = tmp_path / "broken: b.profraw"
    broken.write_bytes(raw_profile.read_bytes()[:-8])
    stderr, code = _merge(executor, tmp_path, [(1, raw_profile), (1, broken)], tmp_path / "o")
    assert code != 0
    assert [name for name, _ in llvm_profdata.failed_inputs(stderr.splitlines())] == [str(broken)]


def _tool(executor: LocalExecutor, directory: Path) -> Path:
    tool = _discover(directory, executor, dict(os.environ)).llvm_profdata
    assert tool is not None
    return tool.path


def _merge(executor: LocalExecutor, directory: Path, inputs: list[tuple[int, Path]], output: Path) -> tuple[str, int]:
    list_file = directory / "inputs"
    list_file.write_bytes(llvm_profdata.make_input_list(inputs))
    argv = llvm_profdata.merge_argv(_tool(executor, directory), inputs_file=list_file, output=output)
    completed = executor.run(Command(argv=argv, cwd=directory, env=os.environ))
    return completed.stderr.decode(), completed.exit_code


@pytest.fixture
def lacking(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine whose rustc claims an LLVM that nothing here belongs to.

    Its rustup has the toolchain and fails; its apt-get brings an llvm-profdata.
    """
    machine = tmp_path / "machine"
    sysroot = machine / "rustup" / "toolchains" / "pinned"
    asked = subprocess.run([_which("rustc"), "--print", "sysroot"], check=True, capture_output=True, text=True)
    place = asked.stdout.strip()
    sysroot.parent.mkdir(parents=True)
    sysroot.symlink_to(place)
    programs = machine / "bin"
    rename = f"s|^{place}|{sysroot}|; s|^LLVM version: .*|LLVM version: {MAJOR}.1.0|"
    _script(programs / "rustc", f"'{_own(place, 'rustc')}' \"$@\" | sed '{rename}'")
    _script(programs / "rustup", "echo 'error: could not download file' >&2; exit 1")
    tool = programs / f"llvm-profdata-{MAJOR}"
    _script(
        programs / "apt-get",
        f"test \"$1\" = update && exit 100; printf '#!/bin/sh\\necho LLVM version {MAJOR}.1.0\\n' > '{tool}'"
        f" && chmod +x '{tool}'",
    )
    return {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": os.environ["HOME"],
        "RUSTUP_HOME": str(machine / "rustup"),
        "CARGO": _own(place, "cargo"),
    }


def test_installing_falls_back_until_a_tool_fits(
    tmp_path: Path, lacking: dict[str, str], executor: LocalExecutor
) -> None:
    """Rustup fails, the package list cannot be refreshed, and the package still brings the tool."""

    def rediscover() -> Toolchain:
        return _discover(tmp_path, executor, lacking)

    before = rediscover()
    with pytest.raises(ToolchainError, match=f"LLVM {MAJOR}"):
        require_pgo_tools(before)
    events: list[Event] = []
    after = run_install(
        make_install_steps(before, lacking, is_root=True, has=lambda name: find_program(name, lacking) is not None),
        toolchain=before,
        environ=lacking,
        executor=executor,
        emit=events.append,
        rediscover=rediscover,
    )
    assert after.llvm_profdata is not None
    assert after.llvm_profdata.path.name == f"llvm-profdata-{MAJOR}"
    messages = [event.message for event in events if isinstance(event, Notice)]
    why = f"there is no llvm-profdata of LLVM {MAJOR}; running: "
    assert messages == [
        f"{why}rustup component add llvm-tools --toolchain pinned",
        "rustup component add llvm-tools --toolchain pinned: ended with exit code 1\nerror: could not download file",
        f"{why}apt-get update",
        "apt-get update: ended with exit code 100",
        f"{why}apt-get install -y --no-install-recommends llvm-{MAJOR}",
    ]


def _which(program: str) -> str:
    found = shutil.which(program)
    assert found is not None
    return found


def _own(sysroot: str, program: str) -> str:
    """The toolchain's own program, not rustup's proxy, which would look into the made-up rustup home."""
    own = Path(sysroot) / "bin" / program
    return str(own) if own.is_file() else _which(program)


def _script(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
