from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from optbuild.errors import BuildError, StorageError, ToolchainError
from optbuild.events import ActionProgressed, Event, ForeignText, Level, Notice
from optbuild.execution.command import ProgramNotFoundError
from optbuild.files import sha256_of
from optbuild.making.cargo.driver import CargoDriver
from optbuild.plan.draft import make_compile
from optbuild.plan.kinds.compile import Compile, Recipe, Role
from optbuild.plan.results import Compiled, ProfileUse
from optbuild.profile.cargo_words import CargoCall, CargoVerb
from optbuild.testing import (
    TARGET,
    RecordedExecutor,
    Reply,
    ScriptedExecutor,
    load_recording,
    make_plan_inputs,
    make_project,
)

RECORDED = Path(__file__).parents[1] / "recorded" / "cargo"


@dataclass
class Bench:
    """A project in a test's directory, and what was heard while it was built."""

    directory: Path
    heard: list[Event]

    def action(self, role: Role = Role.BUILD, bins: tuple[str, ...] = ("demo",), **more: tuple[str, ...]) -> Compile:
        recipe = Recipe(packages=("demo",), bins=bins, target=TARGET, cargo_profile="release", **more)  # type: ignore[arg-type]
        inputs = make_plan_inputs(project=make_project(directory=self.directory))
        return make_compile(recipe, inputs, role=role, label="release: build")

    def driver(self, *cases: str) -> CargoDriver:
        recordings = [load_recording(RECORDED / f"{case}.json") for case in cases]
        executor = RecordedExecutor(recordings, {"/p": self.directory})
        return CargoDriver(executor=executor, environ={"HOME": "/h"}, emit=self.heard.append)

    def build(self, driver: CargoDriver, role: Role = Role.BUILD) -> Compiled:
        return driver.compile(self.action(role), {}, self.log)

    @property
    def log(self) -> Path:
        return self.directory / "logs" / "build.log"

    @property
    def said(self) -> list[str]:
        return [event.text for event in self.heard if isinstance(event, ForeignText)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A project whose paths are those of the recordings, moved here."""
    return Bench(directory=tmp_path, heard=[])


def scripted(bench: Bench, *replies: Reply | Exception) -> CargoDriver:
    """A driver whose cargo answers from a script."""
    return CargoDriver(executor=ScriptedExecutor(replies), environ={}, emit=bench.heard.append)


def test_artifacts_are_those_that_cargo_names(bench: Bench) -> None:
    """The binary is copied from the path in cargo's message to where the next build does not overwrite it."""
    compiled = bench.build(bench.driver("success"))
    artifact = compiled.artifacts["demo"]
    assert artifact.path == bench.action().directory / "demo"
    assert artifact.path.read_text() == "binary of success\n"
    assert artifact.sha256 == sha256_of(artifact.path)
    assert (artifact.size_bytes, artifact.produced_by) == (18, bench.action().id)
    assert compiled.executables == (bench.directory / f"target/optbuild/cargo/{TARGET}/release/demo",)
    assert (compiled.units, compiled.reused, compiled.profile_use) == (4, False, None)
    assert bench.said == []


def test_artifacts_are_never_guessed(bench: Bench) -> None:
    """A file where cargo would put the binary is not taken when no message names it."""
    guess = bench.directory / f"target/optbuild/cargo/{TARGET}/release/demo"
    guess.parent.mkdir(parents=True)
    guess.write_text("of another build")
    with pytest.raises(BuildError, match="no file for 'demo'") as caught:
        scripted(bench, Reply()).compile(bench.action(), {}, bench.log)
    assert caught.value.location == str(bench.log)


def test_debug_information_beside_a_program_is_kept_with_it(bench: Bench) -> None:
    """What cargo names, and not what an earlier build with other settings has left beside it."""
    release = bench.action().cargo_target / TARGET / "release"
    release.mkdir(parents=True)
    for name in ("demo", "demo.dwp"):
        (release / name).write_text(name)

    def build(*names: str) -> Compiled:
        unit = {"reason": "compiler-artifact", "package_id": "path+file:///p#demo@1.0.0", "fresh": False}
        unit |= {"target": {"name": "demo", "kind": ["bin"]}, "executable": str(release / "demo")}
        unit["filenames"] = [str(release / name) for name in names]
        return scripted(bench, Reply(stdout=json.dumps(unit).encode())).compile(bench.action(), {}, bench.log)

    kept = bench.action().directory
    assert build("demo", "demo.dwp").artifacts["demo"].debug == (kept / "demo.dwp",)
    assert (kept / "demo.dwp").read_text() == "demo.dwp"
    assert build("demo").artifacts["demo"].debug == ()
    assert [path.name for path in kept.iterdir()] == ["demo"]


def test_a_fresh_build_is_told(bench: Bench) -> None:
    """When cargo had nothing to do, the result says so; the next build of the same programs knows its units."""
    driver = bench.driver("success", "fresh")
    assert driver.units_of(bench.action()) is None
    bench.build(driver)
    assert driver.units_of(bench.action()) == 4
    tests = replace(bench.action().recipe, call=CargoCall(verb=CargoVerb.TEST))
    assert driver.units_of(replace(bench.action(), recipe=tests)) is None
    assert bench.build(driver).reused


def test_a_build_script_that_runs_in_every_build_is_told_once(bench: Bench) -> None:
    """It names a file that is not there, whatever variant it is built for."""
    release = bench.action().cargo_target / TARGET / "release"
    (release / "build/demo-1").mkdir(parents=True)
    (release / "build/demo-1/output").write_text("cargo:rerun-if-changed=gone\n")
    ran = {"reason": "build-script-executed", "package_id": "p#demo@0.1.0", "out_dir": f"{release}/build/demo-1/out"}
    (release / "demo").write_text("binary")
    stdout = json.dumps(ran).encode() + b"\n" + _unit(release / "demo", fresh=False, kind="bin")
    driver = scripted(bench, Reply(stdout=stdout), Reply(stdout=stdout))
    for _ in range(2):
        assert bench.build(driver).scripts["p#demo@0.1.0"].always is not None
    (notice,) = [event for event in bench.heard if isinstance(event, Notice)]
    assert "demo runs in every build: its rerun-if-changed names gone, which does not exist" in notice.message


def test_fresh_units_are_those_of_the_program(bench: Bench) -> None:
    """Build scripts and macros lie beside the target's own directory: every variant finds those of the one before."""
    built, shared = bench.action().cargo_target / TARGET / "release/deps/a.rlib", "release/deps/b.so"
    lines = [_unit(built, fresh=True), _unit(bench.action().cargo_target / shared, fresh=True)]
    demo = _unit(built.parents[1] / "demo", fresh=False, kind="bin")
    built.parents[1].mkdir(parents=True)
    (built.parents[1] / "demo").write_text("binary")
    reply = Reply(stdout=b"".join([*lines, demo]))
    compiled = scripted(bench, reply).compile(bench.action(), {}, bench.log)
    assert (compiled.units, compiled.reused, compiled.fresh_target_units) == (3, False, 1)
    assert bench.build(bench.driver("success")).fresh_target_units == 0
    assert bench.build(bench.driver("fresh")).fresh_target_units == 2


def test_versions_of_a_crate_are_counted(bench: Bench) -> None:
    """Libraries of the program that bear one name; a program may bear its library's, and macros are not linked."""
    action = bench.action(Role.OPTIMISE)
    below = action.cargo_target
    target = below / TARGET / "release"
    units = [
        _unit(target / "deps/seed-bed.rlib", fresh=True, package="seed-bed@0.1.0"),
        _unit(target / "deps/seed-bed.rlib", fresh=False, package="seed-bed@0.2.0"),
        _unit(below / "release/deps/seed-bed.rlib", fresh=False, package="seed-bed@0.3.0"),
        _unit(target / "deps/demo.rlib", fresh=False, package="demo@1.0.0"),
        _unit(target / "demo", fresh=False, kind="bin", package="demo@1.0.0"),
    ]
    target.mkdir(parents=True)
    (target / "demo").write_text("binary")
    use = scripted(bench, Reply(stdout=b"".join(units))).compile(action, {}, bench.log).profile_use
    assert use is not None
    assert use.versions == {"seed_bed": 2}


def _unit(path: Path, *, fresh: bool, kind: str = "lib", package: str = "p") -> bytes:
    """What cargo says of a unit."""
    message = {
        "reason": "compiler-artifact",
        "package_id": package,
        "target": {"name": path.stem, "kind": [kind]},
        "fresh": fresh,
        "filenames": [str(path)],
        "executable": str(path) if kind == "bin" else None,
    }
    return json.dumps(message).encode() + b"\n"


def test_a_log_that_cannot_be_written_is_told_as_such(bench: Bench) -> None:
    """A file where a directory is needed, and a disk that has no room for cargo's words, are no defects."""
    bench.log.parent.write_text("")
    with pytest.raises(StorageError) as caught:
        scripted(bench).compile(bench.action(), {}, bench.log)
    assert caught.value.location == str(bench.log)
    full = Path("/dev/full")
    if full.is_char_device():
        with pytest.raises(StorageError, match="No space left"):
            scripted(bench, Reply(stderr=b"Compiling\n")).compile(bench.action(), {}, full)


def test_a_kept_binary_is_replaced_only_when_it_differs(bench: Bench) -> None:
    """The same content keeps its file, and a damaged copy is made again."""
    driver = bench.driver("fresh")
    kept = bench.build(driver).artifacts["demo"].path
    before = kept.stat().st_ino
    assert bench.build(driver).artifacts["demo"].path.stat().st_ino == before
    kept.write_text("damaged")
    assert bench.build(driver).artifacts["demo"].path.read_text() == "binary of fresh\n"


def test_progress_counts_units_by_name(bench: Bench) -> None:
    """Each unit that cargo finishes is a step, named by its crate."""
    bench.build(bench.driver("success"))
    progress = [event for event in bench.heard if isinstance(event, ActionProgressed)]
    assert [(event.done, event.detail) for event in progress] == [
        (1, "helper"),
        (2, "demo"),
        (3, "demo"),
        (4, "demo"),
    ]


def test_warnings_of_the_users_crates_pass_through_once(bench: Bench) -> None:
    """They are shown as rustc renders them, and not again with each variant."""
    driver = bench.driver("warning")
    bench.build(driver)
    bench.build(driver)
    assert len(bench.said) == 1
    assert "unused variable: `unused`" in bench.said[0]
    assert "\x1b[" in bench.said[0]


def test_warnings_of_other_peoples_crates_stay_in_the_log(bench: Bench) -> None:
    """`-vv` brings the warnings of all dependencies, which plain cargo does not show."""
    recording = load_recording(RECORDED / "warning.json")
    foreign = tuple(
        line.replace('"path+file:///p/helper#0.2.0"', '"registry+r#helper@0.2.0"') for line in recording.stdout
    )
    executor = RecordedExecutor([replace(recording, stdout=foreign)], {"/p": bench.directory})
    bench.build(CargoDriver(executor=executor, environ={}, emit=bench.heard.append))
    assert bench.said == []
    assert "unused variable" in bench.log.read_text()


def test_a_diagnostic_without_a_rendering_shows_its_message(bench: Bench) -> None:
    """Rustc may leave the rendered form out."""
    line = (
        b'{"reason":"compiler-message","package_id":"path+file:///p#demo@0.1.0",'
        b'"target":{"name":"demo","kind":["bin"]},"message":{"message":"odd","level":"warning"}}\n'
    )
    with pytest.raises(BuildError):
        scripted(bench, Reply(stdout=line)).compile(bench.action(), {}, bench.log)
    assert bench.said == ["odd"]


def test_functions_without_counts_are_counted_and_not_shown(bench: Bench) -> None:
    """What LLVM says of a profile is evidence: a number in the result, a line in the log."""
    compiled = bench.build(bench.driver("mismatched"), Role.OPTIMISE)
    use = compiled.profile_use
    assert use is not None
    assert (use.missing_functions, use.mismatched_functions) == (1, 1)
    ((owner, (name,)),) = use.missing_names.items()
    assert owner in {"", "demo"}
    unit, _, symbol = name.partition(";")
    assert unit.startswith(("demo.", "helper."))
    assert symbol.startswith("_")
    assert bench.said == []
    assert "no profile data available for function" in bench.log.read_text()


def test_of_the_calls_for_several_wheels_the_one_that_fits_worst_counts(bench: Bench) -> None:
    """Each wheel is compiled with the whole profile: what two of them lack is not lacking twice."""
    recording = load_recording(RECORDED / "mismatched.json")
    good = [line for line in recording.stdout if "compiler-message" not in line]
    calls = replace(recording, stdout=(*good, *recording.stdout, *recording.stdout, *good))
    driver = CargoDriver(
        executor=RecordedExecutor([calls], {"/p": bench.directory}), environ={}, emit=bench.heard.append
    )
    use = bench.build(driver, Role.OPTIMISE).profile_use
    assert use is not None
    assert (use.missing_functions, use.mismatched_functions) == (1, 1)


def test_a_profile_that_fits_leaves_nothing_to_count(bench: Bench) -> None:
    """With the sources that were trained, every function finds its counts."""
    compiled = bench.build(bench.driver("optimised"), Role.OPTIMISE)
    assert compiled.profile_use == ProfileUse(missing_functions=0, mismatched_functions=0)


def test_the_log_keeps_all_that_was_said(bench: Bench) -> None:
    """Cargo's status, rustc's words, and what a build script printed stand in it, in order."""
    bench.build(bench.driver("optimised"), Role.OPTIMISE)
    log = bench.log.read_text()
    assert "[demo 0.1.0] cargo::rerun-if-changed=build.rs\n" in log
    assert "Compiling helper v0.2.0" in log
    assert '"reason"' not in log


def test_a_compile_error_shows_rustcs_own_text(bench: Bench) -> None:
    """Rustc's rendering goes through untouched, and the error carries cargo's words and the log's path."""
    with pytest.raises(BuildError) as caught:
        bench.build(bench.driver("error"))
    assert caught.value.message == "release: build: cargo failed (exit code 101)"
    assert caught.value.location == str(bench.log)
    assert caught.value.detail == 'error: could not compile `demo` (bin "demo") due to 1 previous error'
    assert any("cannot find function `nowhere` in this scope" in text for text in bench.said)


def test_a_failed_build_script_says_what_it_said(bench: Bench) -> None:
    """The script's own words stand in the error, from cargo's first word of it on."""
    with pytest.raises(BuildError) as caught:
        bench.build(bench.driver("build-script"))
    detail = caught.value.detail or ""
    assert detail.startswith("error: failed to run custom build command for `demo v0.1.0")
    assert "no protoc here" in detail


def test_a_killed_compiler_is_explained(bench: Bench) -> None:
    """Rustc killed by the system lacked memory: fewer jobs and thin LTO help."""
    with pytest.raises(BuildError, match="the system killed the compiler") as caught:
        bench.build(bench.driver("killed"))
    assert "--jobs 1" in caught.value.help
    assert '"thin"' in caught.value.help


def test_an_outdated_lock_file_has_a_remedy_of_its_own(bench: Bench) -> None:
    """No source needs mending: cargo may update the file, or `locked` may be turned off."""
    with pytest.raises(BuildError) as caught:
        bench.build(bench.driver("outdated-lock"))
    assert "cargo check" in caught.value.help
    assert "locked = false" in caught.value.help


def test_a_dependency_that_wants_a_newer_rustc_has_a_remedy_of_its_own(bench: Bench) -> None:
    """Cargo finds that out before it compiles; another toolchain mends it, or another version of the dependency."""
    status = (
        b"error: rustc 1.95.0 is not supported by the following package:\n  counting@0.1.0 requires rustc 1.198\n\n"
    )
    with pytest.raises(BuildError) as caught:
        scripted(bench, Reply(exit_code=101, stderr=status)).compile(bench.action(), {}, bench.log)
    assert "counting@0.1.0 requires rustc 1.198" in (caught.value.detail or "")
    assert ("RUSTUP_TOOLCHAIN" in caught.value.help, "cargo update NAME" in caught.value.help) == (True, True)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (b"  lock file version `5` was found, but this version of Cargo does not understand this lock file", "newer"),
        (b"error: failed to parse lock file at: /p/Cargo.lock\n\nCaused by:\n  TOML parse error", "conflict"),
        (b"  failed to load source for dependency `sub`\n\nCaused by:\n  unable to update /p/vendor/sub", "submodule"),
        (b"  failed to load source for dependency `sub`\n  network failure seems to have happened", "cargo fetch"),
        (b"As a reminder, you're using offline mode (--offline) which can sometimes cause", "cargo fetch"),
        (b"error: the listed checksum of `/p/vendor/sub/src/lib.rs` has changed:", "cargo vendor"),
        (b"error: could not execute process `no-such-sccache rustc -vV` (never executed)", "rustc-wrapper"),
        (b"error: something else", "mend what cargo says"),
        (b'error: could not compile `app` (bin "app") due to 1 previous error', "mend what the compiler says"),
    ],
)
def test_what_cargo_refuses_before_it_compiles_has_remedies_of_its_own(bench: Bench, said: bytes, remedy: str) -> None:
    """No compiler has said anything yet."""
    with pytest.raises(BuildError) as caught:
        scripted(bench, Reply(exit_code=101, stderr=b"error: cargo\n" + said)).compile(bench.action(), {}, bench.log)
    assert remedy in caught.value.help


def test_a_program_that_the_profiling_runtime_cannot_be_linked_into_is_told(bench: Bench) -> None:
    """A program without the C library builds, and is fine: there is nothing to mend in what the compiler says."""
    said = (
        b"rust-lld: error: undefined symbol: memset\n>>> referenced by InstrProfilingWriter.c:143\n"
        b'error: could not compile `demo` (bin "demo") due to 1 previous error\n'
    )
    with pytest.raises(BuildError, match="LLVM's profiling runtime cannot be linked") as caught:
        scripted(bench, Reply(exit_code=101, stderr=said)).compile(bench.action(), {}, bench.log)
    assert "needs the C library" in caught.value.help


def test_cargo_ended_by_a_signal_is_told(bench: Bench) -> None:
    """A negative exit code is the signal, and without an `error` line the last ones are shown."""
    status = b"".join(b"line %d\n" % number for number in range(30))
    with pytest.raises(BuildError, match=r"cargo failed \(signal 15\)") as caught:
        scripted(bench, Reply(exit_code=-15, stderr=status)).compile(bench.action(), {}, bench.log)
    assert (caught.value.detail or "").splitlines() == [f"line {number}" for number in range(10, 30)]


def test_waiting_for_another_cargo_is_told(bench: Bench) -> None:
    """A build that stands still because of a lock says in which directory."""
    status = b"    Blocking waiting for file lock on build directory\n"
    with pytest.raises(BuildError):
        scripted(bench, Reply(stderr=status)).compile(bench.action(), {}, bench.log)
    (notice,) = [event for event in bench.heard if isinstance(event, Notice)]
    assert (notice.level, notice.code) == (Level.INFO, "cargo-blocked")
    assert str(bench.directory / "target/optbuild") in notice.message


def test_waiting_for_the_package_cache_is_not_told(bench: Bench) -> None:
    """Builds that run at the same time take turns at it."""
    status = b"    Blocking waiting for file lock on package cache\n"
    with pytest.raises(BuildError):
        scripted(bench, Reply(stderr=status)).compile(bench.action(), {}, bench.log)
    assert not [event for event in bench.heard if isinstance(event, Notice)]


def test_cargo_gets_the_callers_environment_and_the_actions(bench: Bench) -> None:
    """Cargo runs as the user would run it, with the action's additions; what it starts may outlive it (sccache)."""
    driver = bench.driver("success")
    driver.compile(bench.action(), {"CARGO_ENCODED_RUSTFLAGS": "-g"}, bench.log)
    assert isinstance(driver.executor, RecordedExecutor)
    (command,) = driver.executor.commands
    assert command.env == {"HOME": "/h", "CARGO_ENCODED_RUSTFLAGS": "-g"}
    assert command.cwd == bench.directory
    assert not command.sweep


def test_a_cargo_that_cannot_be_started_is_the_toolchains_fault(bench: Bench) -> None:
    """The remedy is `doctor`."""
    driver = scripted(bench, ProgramNotFoundError("/t/cargo", "not found"))
    with pytest.raises(ToolchainError, match="cannot start cargo") as caught:
        driver.compile(bench.action(), {}, bench.log)
    assert caught.value.help == "optbuild doctor"


def test_only_binaries_that_were_asked_for_are_kept(bench: Bench) -> None:
    """Of several binaries each needs its own message."""
    driver = scripted(bench, Reply(stdout=_artifact(bench, "demo"), writes={Path("built/demo"): b"x"}))
    with pytest.raises(BuildError, match="no file for 'more'"):
        driver.compile(bench.action(bins=("demo", "more")), {}, bench.log)


def test_examples_are_kept_under_their_own_name(bench: Bench) -> None:
    """An example is no binary of its name, nor the other way round; a file's suffix stays."""
    stdout = _artifact(bench, "demo", "example") + _artifact(bench, "demo", suffix=".exe")
    writes = {Path("built/demo"): b"example", Path("built/demo.exe"): b"bin"}
    compiled = scripted(bench, Reply(stdout=stdout, writes=writes)).compile(bench.action(), {}, bench.log)
    assert compiled.artifacts["demo"].path == bench.action().directory / "demo.exe"
    action = bench.action(bins=(), examples=("demo",))
    compiled = scripted(bench, Reply(stdout=stdout, writes=writes)).compile(action, {}, bench.log)
    assert compiled.artifacts["demo"].path.read_bytes() == b"example"


def test_libraries_are_found_by_the_names_of_their_files(bench: Bench) -> None:
    """Only what was asked for, and only what was built for the target: a procedural macro may have the same name."""
    action = bench.action(bins=(), libs=("libdemo.so", "libdemo.a"))
    target = action.cargo_target / TARGET / "release"
    host = action.cargo_target / "release/deps/libdemo.so"
    files = [str(target / name) for name in ("libdemo.so", "libdemo.a", "libdemo.rlib")]
    message = {"reason": "compiler-artifact", "package_id": "p", "fresh": False, "executable": None}
    lines = [
        {**message, "target": {"name": "demo", "kind": ["cdylib", "staticlib", "rlib"]}, "filenames": files},
        {**message, "target": {"name": "demo", "kind": ["proc-macro"]}, "filenames": [str(host)]},
    ]
    writes = {target / "libdemo.so": b"shared", target / "libdemo.a": b"static", host: b"macro"}
    stdout = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    compiled = scripted(bench, Reply(stdout=stdout, writes=writes)).compile(action, {}, bench.log)
    kept = {name: artifact.path.read_bytes() for name, artifact in compiled.artifacts.items()}
    assert kept == {"libdemo.so": b"shared", "libdemo.a": b"static"}
    assert compiled.executables == (target / "libdemo.so", target / "libdemo.a")


def _artifact(bench: Bench, name: str, kind: str = "bin", *, suffix: str = "") -> bytes:
    path = bench.directory / "built" / f"{name}{suffix}"
    target = {"name": name, "kind": [kind]}
    message = {"reason": "compiler-artifact", "package_id": "p", "target": target, "fresh": False}
    return json.dumps({**message, "executable": str(path)}).encode() + b"\n"


def test_crates_without_the_profile_flag_are_noticed(bench: Bench) -> None:
    """Cargo shows each call of rustc; build scripts and macros have no target, and the profile is not for them."""
    status = b"""\
     Running `CARGO=/c rustc --crate-name build_script_build --edition=2024 build.rs`
     Running `CARGO=/c rustc --crate-name helper --edition=2024 lib.rs --target t -Cprofile_use=/d/ab.profdata`
     Running `CARGO=/c /wrapper rustc --crate-name demo main.rs --target t -Copt-level=3`
       Fresh other v0.1.0
     Running `/p/target/build/demo/build-script-build`
"""
    reply = Reply(stderr=status, stdout=_artifact(bench, "demo"), writes={Path("built/demo"): b"x"})
    use = scripted(bench, reply).compile(bench.action(Role.OPTIMISE), {}, bench.log).profile_use
    assert use is not None
    assert (use.profiled, use.unprofiled) == (("helper",), ("demo",))


def test_a_call_of_rustc_may_be_shown_on_several_lines(bench: Bench) -> None:
    """A package's description is in the environment of each call, with its line breaks; what it says is no call."""
    status = b"""     Running `CARGO=/c CARGO_PKG_DESCRIPTION='
demo speaks of `--crate-name it`
' CARGO_PKG_NAME=demo rustc --crate-name demo main.rs --target t -Cprofile_use=/d/ab.profdata`
     Running `/p/target/build/demo/build-script-build`
[demo 0.1.0] Running `rustc --crate-name printed --target t`
"""
    reply = Reply(stderr=status, stdout=_artifact(bench, "demo"), writes={Path("built/demo"): b"x"})
    use = scripted(bench, reply).compile(bench.action(Role.OPTIMISE), {}, bench.log).profile_use
    assert use is not None
    assert (use.profiled, use.unprofiled) == (("demo",), ())


def test_complaints_about_the_profile_itself_are_kept(bench: Bench) -> None:
    """Rustc compiles without a profile that it cannot read, and only warns."""
    text = "/d/ab.profdata: invalid instrumentation profile data (bad magic)"
    message = {
        "reason": "compiler-message",
        "package_id": "path+file:///p#demo@0.1.0",
        "target": {"name": "demo", "kind": ["bin"]},
        "message": {"level": "warning", "message": text, "rendered": f"warning: {text}\n"},
    }
    reply = Reply(
        stdout=json.dumps(message).encode() + b"\n" + _artifact(bench, "demo"), writes={Path("built/demo"): b"x"}
    )
    use = scripted(bench, reply).compile(bench.action(Role.OPTIMISE), {}, bench.log).profile_use
    assert use is not None
    assert use.complaints == ("invalid instrumentation profile data (bad magic)",)
    assert bench.said == []


@pytest.mark.parametrize(
    "said",
    [b"No space left on device (os error 28)", b"collect2: fatal error: ld terminated with signal 7 [Bus error]"],
)
def test_a_disk_that_is_full_is_no_error_of_the_project(bench: Bench, said: bytes) -> None:
    """Whoever meets it: cargo, rustc, or the linker, whose words are only in rustc's messages."""
    with pytest.raises(StorageError, match="the disk is full below") as caught:
        scripted(bench, Reply(exit_code=101, stderr=b"error: " + said + b"\n")).compile(bench.action(), {}, bench.log)
    assert caught.value.location == str(bench.log)
