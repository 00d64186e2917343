from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.errors import ToolchainError
from optbuild.execution.command import Command, Completed, OnLine, ProgramNotFoundError
from optbuild.testing import make_usage
from optbuild.toolchain import search
from optbuild.toolchain.discover import Wanted, discover_git, discover_toolchain
from optbuild.toolchain.lookup import Inquiry
from optbuild.toolchain.model import SearchedPlace, Tool, Toolchain
from optbuild.toolchain.packages import bolt_package_argvs, describe_bolt_remedy
from optbuild.toolchain.requirements import require_bolt, require_pgo_tools

RECORDED = Path(__file__).parents[1] / "recorded"
RUSTC = (RECORDED / "rustc" / "rustc-vV.txt").read_text()
CARGO = (RECORDED / "rustc" / "cargo-vV.txt").read_text()
LLVM_14 = (RECORDED / "llvm_profdata" / "version.llvm14.txt").read_text()
BOLT = (RECORDED / "bolt" / "version.llvm22.txt").read_text()
LLVM_22 = (RECORDED / "llvm_profdata" / "version.llvm22.txt").read_text()
HOST = "x86_64-unknown-linux-gnu"

Answer = str | tuple[int, str] | ProgramNotFoundError


class Machine:
    """A made-up machine: programs below a directory, and what they answer; also an executor that runs nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        self.sysroot = root / "home" / ".rustup" / "toolchains" / f"1.95.0-{HOST}"
        self.libdir = self.sysroot / "lib" / "rustlib" / HOST / "lib"
        self.project = root / "project"
        for folder in (self.bin, self.libdir, self.project):
            folder.mkdir(parents=True)
        for library in ("libcore-1a2b.rlib", "libprofiler_builtins-3c4d.rlib"):
            (self.libdir / library).touch()
        self.answers: dict[Path, Callable[[Command], Answer]] = {}
        self.commands: list[Command] = []
        self.environ: dict[str, str] = {"PATH": str(self.bin), "HOME": str(root / "home")}
        self.rustc_version = RUSTC
        self.add("bin/rustc", self._rustc)
        self.add("bin/cargo", CARGO)

    @property
    def sysroot_tool(self) -> str:
        return str((self.libdir.parent / "bin" / "llvm-profdata").relative_to(self.root))

    def add(self, name: str, answer: Answer | Callable[[Command], Answer]) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
        self.answers[path] = answer if callable(answer) else lambda _: answer
        return path

    def discover(
        self, *, target: str = "host", configured: str | None = None, origin: str = "build.rustc", trusted: bool = True
    ) -> Toolchain:
        wanted = Wanted(target=target, rustc=configured, rustc_origin=origin)
        inquiry = Inquiry(executor=self, directory=self.project, environ=self.environ)
        return discover_toolchain(wanted, inquiry, trusted=trusted)

    def run(self, command: Command, *, on_stdout: OnLine | None = None, on_stderr: OnLine | None = None) -> Completed:
        self.commands.append(command)
        answer = self.answers[Path(command.argv[0])](command)
        if isinstance(answer, ProgramNotFoundError):
            raise answer
        code, text = (0, answer) if isinstance(answer, str) else answer
        out, err = (text.encode(), b"") if code == 0 else (b"", text.encode())
        return Completed(command=command, exit_code=code, stdout=out, stderr=err, usage=make_usage())

    def _rustc(self, command: Command) -> Answer:
        if command.argv[1] == "-vV":
            return self.rustc_version
        libdir = self.sysroot / "lib" / "rustlib" / command.argv[-1] / "lib"
        return f'{self.sysroot}\n{libdir}\nunix\ntarget_os="linux"\n'


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose system directories lie below it too, so that nothing of the real one is seen."""
    monkeypatch.setattr(search, "VERSIONED_DIRECTORIES", (f"{tmp_path}/usr/lib/llvm-{{major}}/bin",))
    return Machine(tmp_path)


def _short(text: str, machine: Machine) -> str:
    return text.replace(str(machine.libdir.parent), "RUSTLIB").replace(str(machine.root), "ROOT")


def test_a_toolchain_with_rustups_own_llvm_tools(machine: Machine) -> None:
    """Everything is told by the tools themselves, and the tool beside rustc is the first choice."""
    tool = machine.add(machine.sysroot_tool, LLVM_22)
    machine.add("bin/llvm-profdata-22", LLVM_22)
    found = machine.discover()
    assert found.rustc == Tool(name="rustc", path=machine.bin / "rustc", version="1.95.0", llvm_major=22)
    assert found.cargo == Tool(name="cargo", path=machine.bin / "cargo", version="1.95.0")
    assert (found.host, found.target, found.sysroot) == (HOST, HOST, machine.sysroot)
    assert found.target_cfg == ("unix", 'target_os="linux"')
    assert found.llvm_profdata == Tool(
        name="llvm-profdata", path=tool, version="22.1.2-rust-1.95.0-stable", llvm_major=22
    )
    assert found.searched == (SearchedPlace(path=tool, outcome="LLVM 22"),)
    assert found.profiler_runtime == machine.libdir / "libprofiler_builtins-3c4d.rlib"
    assert found.target_installed
    require_pgo_tools(found)


def test_every_program_is_asked_where_cargo_will_run(machine: Machine) -> None:
    """Rustup decides by directory, and must not install what a directory pins."""
    machine.add(machine.sysroot_tool, LLVM_22)
    machine.environ["KEPT"] = "yes"
    machine.discover()
    assert {command.cwd for command in machine.commands} == {machine.project}
    assert {command.env["RUSTUP_AUTO_INSTALL"] for command in machine.commands} == {"0"}
    assert {command.env["KEPT"] for command in machine.commands} == {"yes"}
    assert all(command.timeout_s for command in machine.commands)


def test_llvm_profdata_is_searched_in_order_until_one_fits(machine: Machine) -> None:
    """A tool of another major is told and passed over; every place up to the one that fits is recorded."""
    machine.environ["LLVM_PROFDATA"] = str(machine.add("mine/llvm-profdata", LLVM_14))
    machine.add("bin/llvm-profdata-22", LLVM_22)
    found = machine.discover()
    assert found.llvm_profdata is not None
    assert found.llvm_profdata.path == machine.bin / "llvm-profdata-22"
    assert {_short(str(place.path), machine): place.outcome for place in found.searched} == snapshot(
        {
            "ROOT/mine/llvm-profdata": "LLVM 14",
            "RUSTLIB/bin/llvm-profdata": "not there",
            "ROOT/bin/llvm-profdata-22": "LLVM 22",
        }
    )


def test_the_callers_own_llvm_profdata_goes_first(machine: Machine) -> None:
    """LLVM_PROFDATA names a tool that is taken before the one beside rustc."""
    machine.add(machine.sysroot_tool, LLVM_22)
    mine = machine.add("mine/llvm-profdata", LLVM_22)
    machine.environ["LLVM_PROFDATA"] = str(mine)
    tool = machine.discover().llvm_profdata
    assert tool is not None
    assert tool.path == mine


def test_a_missing_llvm_profdata_tells_every_place_and_the_command(machine: Machine) -> None:
    """Nothing was found: the error lists what was searched, and how this system would install it."""
    machine.add("bin/apt-get", "")
    machine.add("bin/rustup", "")
    found = machine.discover()
    with pytest.raises(ToolchainError) as caught:
        require_pgo_tools(found)
    assert caught.value.message == "rustc 1.95.0 needs an llvm-profdata of LLVM 22, and none was found"
    assert caught.value.help.split(": ") == snapshot(
        [
            "optbuild doctor --fix; or by hand",
            "rustup component add llvm-tools --toolchain 1.95.0-x86_64-unknown-linux-gnu, or",
            "sudo apt-get install -y --no-install-recommends llvm-22",
        ]
    )
    assert _short(caught.value.detail or "", machine) == snapshot("""\
searched:
  RUSTLIB/bin/llvm-profdata: not there
  llvm-profdata-22: not on PATH
  ROOT/usr/lib/llvm-22/bin/llvm-profdata: not there
  llvm-profdata: not on PATH\
""")


def test_an_llvm_profdata_of_another_major_is_refused_with_both_versions(machine: Machine) -> None:
    """A tool of LLVM 14 cannot read what a rustc of LLVM 22 writes: both are named before anything is built."""
    machine.add("bin/llvm-profdata", LLVM_14)
    with pytest.raises(ToolchainError) as caught:
        require_pgo_tools(machine.discover())
    assert _short(caught.value.message, machine) == snapshot(
        "rustc 1.95.0 needs an llvm-profdata of LLVM 22, and only ROOT/bin/llvm-profdata of LLVM 14 was found"
    )


def test_a_systems_versioned_directory_is_searched(machine: Machine) -> None:
    """Distributions that keep several LLVMs give each a directory of its own."""
    tool = machine.add("usr/lib/llvm-22/bin/llvm-profdata", LLVM_22)
    machine.add("bin/llvm-profdata", LLVM_22)
    found = machine.discover().llvm_profdata
    assert found is not None
    assert found.path == tool


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (
            ProgramNotFoundError("llvm-profdata", "Exec format error"),
            "cannot run: Exec format error",
        ),
        ((127, "llvm-profdata: libLLVM.so: cannot open\n"), "cannot run: llvm-profdata: libLLVM.so: cannot open"),
        ("Apple LLVM version 15.0.0 (clang-1500.3.9.4)\n", "Apple LLVM 15.0.0, which counts differently"),
        ("hello\n", "cannot run: no LLVM version in its output"),
    ],
)
def test_what_does_not_run_is_told_and_passed_over(machine: Machine, answer: Answer, outcome: str) -> None:
    """A broken tool does not end the search."""
    machine.add(machine.sysroot_tool, answer)
    machine.add("bin/llvm-profdata-22", LLVM_22)
    found = machine.discover()
    assert found.searched[0].outcome == outcome
    assert found.llvm_profdata is not None


def test_a_file_that_is_no_program_is_told(machine: Machine) -> None:
    """A directory or a file without the right to be executed is not tried."""
    machine.environ["LLVM_PROFDATA"] = str(machine.root)
    machine.add(machine.sysroot_tool, LLVM_22)
    assert machine.discover().searched[0].outcome == "not a program"


def test_a_target_that_is_not_installed_is_named(machine: Machine) -> None:
    """The command that installs a target's standard library names the target."""
    found = machine.discover(target="aarch64-unknown-linux-gnu")
    assert (found.target, found.target_installed) == ("aarch64-unknown-linux-gnu", False)
    with pytest.raises(ToolchainError) as caught:
        require_pgo_tools(found)
    assert caught.value.help == "rustup target add aarch64-unknown-linux-gnu"


def test_a_missing_profiler_runtime_is_named(machine: Machine) -> None:
    """Without libprofiler_builtins instrumented binaries cannot be linked."""
    (machine.libdir / "libprofiler_builtins-3c4d.rlib").unlink()
    with pytest.raises(ToolchainError, match=f"libprofiler_builtins.* for {HOST} is missing from rustc 1.95.0"):
        require_pgo_tools(machine.discover())


def test_a_compiler_without_llvm_cannot_do_pgo(machine: Machine) -> None:
    """A rustc with another backend is usable for plain builds only."""
    machine.rustc_version = "\n".join(line for line in RUSTC.splitlines() if "LLVM" not in line)
    found = machine.discover()
    assert (found.rustc.llvm_major, found.searched) == (None, ())
    with pytest.raises(ToolchainError, match="does not use LLVM"):
        require_pgo_tools(found)


@pytest.mark.parametrize(("release", "coexist"), [("1.63.0", False), ("1.84.1", False), ("1.85.0", True)])
def test_sharing_a_target_directory_depends_on_cargo(machine: Machine, release: str, coexist: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Flag sets coexist in one target directory since cargo 1.85."""
    machine.add("bin/cargo", CARGO.replace("release: 1.95.0", f"release: {release}"))
    assert machine.discover().flag_sets_coexist is coexist


def test_a_cargo_that_is_too_old_is_refused(machine: Machine) -> None:
    """The oldest supported cargo is named."""
    machine.add("bin/cargo", CARGO.replace("release: 1.95.0", "release: 1.62.1"))
    with pytest.raises(ToolchainError, match=r"cargo 1\.62\.1 is too old: optbuild needs 1\.63 or newer"):
        machine.discover()


NOT_INSTALLED = (
    "error: toolchain '1.70.0-x86_64-unknown-linux-gnu' is not installed\n"
    "help: run `rustup toolchain install` to install it\n"
)
NO_DEFAULT = (
    "error: rustup could not choose a version of rustc to run, because one wasn't specified explicitly, and no default"
    " is configured.\nhelp: run 'rustup default stable' to download the latest stable release of Rust and set it as"
    " your default toolchain.\n"
)


@pytest.mark.parametrize(
    ("answer", "remedy", "shown"),
    [
        ((1, NOT_INSTALLED), "rustup toolchain install 1.70.0-x86_64-unknown-linux-gnu", NOT_INSTALLED),
        ((1, NO_DEFAULT), "rustup default stable", NO_DEFAULT),
        ((1, "error: \x1b]0;title\x07 disk\n"), "see why: ROOT/bin/rustc -vV", "error: ^[]0;title^G disk"),
    ],
)
def test_a_missing_toolchain_is_told_in_rustups_words(
    machine: Machine, answer: Answer, remedy: str, shown: str
) -> None:
    """Nothing is installed unasked: rustup's text and the command that installs it are shown."""
    machine.add("bin/rustc", answer)
    with pytest.raises(ToolchainError) as caught:
        machine.discover()
    assert caught.value.help.replace(str(machine.root), "ROOT") == remedy
    assert caught.value.detail == shown.rstrip()
    assert caught.value.location == str(machine.project)
    assert caught.value.status == 3


def test_an_unknown_target_is_told(machine: Machine) -> None:
    """A misspelt triple gets rustc's own text and the way to the list."""
    text = 'error: error loading target specification: could not find specification for target "x86-linux"\n'
    machine.add("bin/rustc", lambda command: RUSTC if command.argv[1] == "-vV" else (1, text))
    with pytest.raises(ToolchainError) as caught:
        machine.discover(target="x86-linux")
    assert caught.value.message == "rustc does not know the target x86-linux"
    assert "rustc --print target-list" in caught.value.help


@pytest.mark.parametrize("program", ["rustc", "cargo"])
def test_a_program_that_is_not_installed_is_named(machine: Machine, program: str) -> None:
    """Without rustc or cargo the error says which, and how to install Rust."""
    (machine.bin / program).unlink()
    with pytest.raises(ToolchainError, match=f"{program} was not found on PATH") as caught:
        machine.discover()
    assert "rustup" in caught.value.help


@pytest.mark.parametrize("program", ["rustc", "cargo"])
def test_a_program_that_is_something_else_is_refused(machine: Machine, program: str) -> None:
    """An answer that is not rustc's or cargo's is not guessed at."""
    machine.add(f"bin/{program}", "hello\n")
    with pytest.raises(ToolchainError, match="does not answer like rustc or cargo"):
        machine.discover()


def test_a_target_answer_that_is_too_short_is_refused(machine: Machine) -> None:
    """The same for what it says of a target."""
    machine.add("bin/rustc", lambda command: RUSTC if command.argv[1] == "-vV" else "\n")
    with pytest.raises(ToolchainError, match="fewer than three lines"):
        machine.discover()


def test_a_program_that_cannot_be_started_is_told(machine: Machine) -> None:
    """The reason of the operating system is shown."""
    machine.add("bin/rustc", ProgramNotFoundError("rustc", "Exec format error"))
    with pytest.raises(ToolchainError, match="cannot be run: Exec format error"):
        machine.discover()


def test_programs_of_relative_path_entries_are_not_run(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository cannot bring its own rustc by way of `.` in PATH."""
    machine.add("project/rustc", RUSTC)
    monkeypatch.chdir(machine.project)
    machine.environ["PATH"] = f".:{machine.bin}"
    assert machine.discover().rustc.path == machine.bin / "rustc"


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        (None, "bin/rustc"),
        ("", "bin/rustc"),
        ("ROOT/configured/rustc", "configured/rustc"),
        ("rustc", "bin/rustc"),
        ("../mine/rustc", "project/../mine/rustc"),
    ],
)
def test_rustc_is_the_one_that_is_named_or_that_of_path(
    machine: Machine, configured: str | None, expected: str
) -> None:
    """A bare name is looked up in PATH, a path starts where cargo runs; an empty name is none."""
    for name in ("configured/rustc", "mine/rustc", "project/../mine/rustc"):
        machine.add(name, machine._rustc)
    found = machine.discover(configured=configured and configured.replace("ROOT", str(machine.root)))
    assert found.rustc.path == machine.root / expected


def test_cargo_is_the_one_that_called_us(machine: Machine) -> None:
    """Cargo sets CARGO for `cargo optbuild`."""
    machine.environ["CARGO"] = str(machine.add("real/cargo", CARGO))
    assert machine.discover().cargo.path == machine.root / "real" / "cargo"


@pytest.mark.parametrize("variable", ["RUSTC", "CARGO"])
def test_a_variable_that_names_no_program_is_named(machine: Machine, variable: str) -> None:
    """A stale variable is not silently replaced by what PATH has."""
    machine.environ |= {"CARGO": "/nowhere/at/all"} if variable == "CARGO" else {}
    configured = "/nowhere/at/all" if variable == "RUSTC" else None
    with pytest.raises(ToolchainError, match=f"{variable} names /nowhere/at/all") as caught:
        machine.discover(configured=configured, origin=variable)
    assert caught.value.help == f"unset {variable}"


def test_a_configured_compiler_is_not_run_untrusted(machine: Machine) -> None:
    """A compiler that cargo's configuration names may lie in the repository; the caller may name it instead."""
    with pytest.raises(ToolchainError, match=r"names the compiler \./my rustc") as caught:
        machine.discover(configured="./my rustc", trusted=False)
    assert caught.value.help == "name it yourself: export RUSTC='./my rustc'"
    assert machine.commands == []


def test_a_compiler_that_the_caller_names_is_run(machine: Machine) -> None:
    """A variable is the caller's own word, also where the repository is not trusted."""
    mine = machine.add("mine/rustc", machine._rustc)
    found = machine.discover(configured=str(mine), origin="RUSTC", trusted=False)
    assert found.rustc.path == mine


def test_a_toolchain_by_path_is_not_run_untrusted(machine: Machine) -> None:
    """Nothing is asked where rustup would run a program of the repository; trusted, rustup decides."""
    (machine.project / "rust-toolchain.toml").write_text('[toolchain]\npath = "tools"\n')
    with pytest.raises(ToolchainError, match="names a toolchain by path"):
        machine.discover(trusted=False)
    assert machine.commands == []
    assert machine.discover(trusted=True).rustc.version == "1.95.0"


def test_git_is_optional(machine: Machine) -> None:
    """Git is found with its version, or is None."""

    def discover() -> Tool | None:
        return discover_git(Inquiry(executor=machine, directory=machine.project, environ=machine.environ))

    assert discover() is None
    path = machine.add("bin/git", "git version 2.47.3\n")
    assert discover() == Tool(name="git", path=path, version="2.47.3")
    machine.add("bin/git", "nonsense\n")
    assert discover() is None
    machine.add("bin/git", ProgramNotFoundError("git", "Permission denied"))
    assert discover() is None


def test_bolt_of_the_same_llvm_is_found_with_its_tools(machine: Machine) -> None:
    """Debian has it beside the other tools of that LLVM; its runtime lies where it is, so links are resolved."""
    for name in ("merge-fdata", "llvm-objcopy", "llvm-strip"):
        machine.add(f"usr/lib/llvm-22/bin/{name}", "")
    bolt = machine.add("usr/lib/llvm-22/bin/llvm-bolt", BOLT)
    (bolt.parent.parent / "lib").mkdir()
    (bolt.parent.parent / "lib" / "libbolt_rt_instr.a").touch()
    found = machine.discover().bolt
    assert found is not None
    assert (found.bolt.path, found.bolt.llvm_major) == (bolt, 22)
    assert found.strip == bolt.parent / "llvm-strip"


@pytest.mark.parametrize("missing", ["merge-fdata", "libbolt_rt_instr.a"])
def test_a_bolt_that_lacks_a_part_is_passed_over(machine: Machine, missing: str) -> None:
    """It could not count, or nothing could be merged."""
    for name in {"merge-fdata", "llvm-objcopy", "llvm-strip"} - {missing}:
        machine.add(f"usr/lib/llvm-22/bin/{name}", "")
    bolt = machine.add("usr/lib/llvm-22/bin/llvm-bolt", BOLT)
    toolchain = machine.discover()
    assert toolchain.bolt is None
    assert toolchain.searched_for_bolt[-1] == SearchedPlace(path=bolt, outcome=f"LLVM 22, but no {missing}")
    with pytest.raises(ToolchainError, match=f"only .*llvm-bolt of LLVM 22, but no {missing}") as refused:
        require_bolt(toolchain)
    assert refused.value.exit_code == 3


def test_debians_package_is_the_one_with_a_number() -> None:
    """The one without is a program for Thunderbolt devices."""
    assert describe_bolt_remedy(22, has=lambda name: name == "apt-get") == snapshot(
        "sudo apt-get install -y --no-install-recommends bolt-22 llvm-22"
    )
    assert bolt_package_argvs(22, is_root=True, has=lambda name: name == "zypper") == ()
    assert "export LLVM_BOLT=" in describe_bolt_remedy(22, has=lambda _: False)


def test_a_target_file_needs_a_nightly(machine: Machine) -> None:
    """A stable rustc does not read it; a nightly is asked with the option that it demands."""
    machine.add(machine.sysroot_tool, LLVM_22)
    with pytest.raises(ToolchainError, match=r"custom\.json is described by a file") as caught:
        machine.discover(target="custom.json")
    assert "RUSTUP_TOOLCHAIN=nightly" in caught.value.help
    machine.rustc_version = RUSTC.replace("1.95.0", "1.97.0-nightly")
    found = machine.discover(target="custom.json")
    assert (found.target, found.accepts_unstable, found.target_installed) == ("custom.json", True, False)
    assert any("-Zunstable-options" in command.argv for command in machine.commands)
