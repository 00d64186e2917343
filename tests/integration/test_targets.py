"""Targets other than the host, with a rustc that takes the host's standard library for theirs.

What cargo does for a target is real; only the code is this machine's, since no other standard library is needed then.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.optbuild_program import Optbuild, ask_rustc, copy_crate, edit, variant_of, write_script

pytestmark = pytest.mark.pgo

FAR = "aarch64-unknown-linux-gnu"
MUSL = "x86_64-unknown-linux-musl"
LONG_ENOUGH = ("--max-time", "5s")
TRIPLE = f"CARGO_TARGET_{FAR.upper().replace('-', '_')}"


def stand_in(directory: Path, target: str, *, arch: str | None = None) -> dict[str, str]:
    """The environment of a rustc that knows a target: it builds for the host, and names the architecture."""
    host = next(line for line in ask_rustc("-vV").splitlines() if line.startswith("host: ")).removeprefix("host: ")
    shown = "cat" if arch is None else f'sed \'s/target_arch=".*"/target_arch="{arch}"/\''
    real = Path(ask_rustc("--print", "sysroot")) / "bin/rustc"
    script = write_script(
        directory / "rustc",
        f"""for word; do
    shift
    [ "$word" = {target} ] && word={host}
    set -- "$@" "$word"
done
case "$*" in
    *"--print cfg"*|*--print=cfg*) "{real}" "$@" | {shown};;
    *) exec "{real}" "$@";;
esac""",
    )
    return {"RUSTC": str(script)}


def crate(directory: Path, target: str, *, auto: bool = False) -> Path:
    """A test crate that is built for a target."""
    copied = copy_crate("tally", directory / "tally")
    edit(copied / "optbuild.toml", "[variants.release]", f'[project]\ntarget = "{target}"\n[variants.release]')
    if auto:
        edit(copied / "optbuild.toml", "pgo = true", 'pgo = "auto"')
    return copied


def is_trained_and_measured(record: dict[str, Any], directory: Path, target: str) -> bool:
    """Whether a run came to its end, with binaries that cargo built for the target."""
    assert record["toolchain"]["target"] == target
    assert list(directory.glob(f"target/optbuild/cargo/{target}/release/tally"))
    return variant_of(record, "pgo")["pgo"]["applied"] is True and bool(record["comparisons"])


def test_another_c_library_on_the_same_machine_is_trained_and_measured(optbuild: Optbuild, tmp_path: Path) -> None:
    """musl, and whatever else runs on this kernel and CPU, is like the host."""
    directory = crate(tmp_path, MUSL)
    env = stand_in(tmp_path, MUSL)
    record = optbuild.run("pgo", "--json", *LONG_ENOUGH, cwd=directory, env=env).expect(0).document
    assert is_trained_and_measured(record, directory, MUSL)


@pytest.mark.skipif(
    not list((Path(ask_rustc("--print", "sysroot")) / "lib/rustlib" / MUSL / "lib").glob("libcore-*")),
    reason=f"{MUSL} is not installed",
)
def test_musl_is_trained_and_measured_where_it_is_installed(optbuild: Optbuild, tmp_path: Path) -> None:
    """The same with the real standard library."""
    directory = crate(tmp_path, MUSL)
    record = optbuild.run("pgo", "--json", *LONG_ENOUGH, cwd=directory).expect(0).document
    assert is_trained_and_measured(record, directory, MUSL)


def test_the_default_target_of_cargo_is_built_and_its_origin_shown(optbuild: Optbuild, tmp_path: Path) -> None:
    """From a file or the variable, with the flags of that target; of several none is taken, and looking goes on."""
    directory = copy_crate("tally", tmp_path / "tally")
    config = directory / ".cargo/config.toml"
    config.parent.mkdir()
    env = stand_in(tmp_path, MUSL)
    flags = f'[target.{MUSL}]\nrustflags = ["--cfg", "shipped"]\n'
    build = ("build", "-f", "preset:release", "--json")
    for text, more in (
        (f'build.target = "{MUSL}"\n{flags}', {}),
        (f'build.target = "host-tuple"\n{flags}', {"CARGO_BUILD_TARGET": MUSL}),
    ):
        config.write_text(text)
        origin = "CARGO_BUILD_TARGET" if more else f"{config}: build.target"
        ended = optbuild.run(*build, cwd=directory, env=env | more).expect(0)
        assert ended.document["toolchain"]["target"] == MUSL
        assert f"built for {MUSL} (from {origin})" in ended.stderr
        assert "rustflags kept in every build: --cfg shipped" in ended.stderr
        assert f"{MUSL} (from {origin})" in optbuild.run("doctor", cwd=directory, env=env | more).stdout
    config.write_text(f'build.target = ["{MUSL}", "{FAR}"]\n')
    error = optbuild.run(*build, cwd=directory, env=env).expect(2).error
    assert f'[project] target = "{MUSL}"' in error["help"]
    assert f'[project] target = "{MUSL}"' in optbuild.run("doctor", cwd=directory, env=env).stdout
    assert "release" in optbuild.run("runs", cwd=directory, env=env).expect(0).stdout


def test_a_target_that_is_not_installed_is_told_before_the_build(optbuild: Optbuild, tmp_path: Path) -> None:
    """With the command that installs it."""
    directory = crate(tmp_path, "riscv64gc-unknown-linux-musl")
    error = optbuild.run("pgo", "--json", cwd=directory).expect(3).error
    assert "rustup target add riscv64gc-unknown-linux-musl" in error["help"]
    assert not (directory / "target").exists()


def test_pgo_for_another_machine_fails_before_the_build(optbuild: Optbuild, tmp_path: Path) -> None:
    """It cannot be trained here, and nobody should wait for a build to hear that."""
    directory = crate(tmp_path, FAR)
    env = stand_in(tmp_path, FAR, arch="aarch64")
    error = optbuild.run("pgo", "--json", cwd=directory, env=env).expect(2).error
    assert f"a program for {FAR} does not run on" in error["message"]
    assert f"target.{FAR}.runner" in error["help"]
    assert not (directory / "target").exists()


def test_what_can_be_built_for_another_machine_is_built(optbuild: Optbuild, tmp_path: Path) -> None:
    """PGO is left out with its reason, nothing is run, and the report says why there are no times."""
    directory = crate(tmp_path, FAR, auto=True)
    env = stand_in(tmp_path, FAR, arch="aarch64")
    ended = optbuild.run("pgo", "--json", cwd=directory, env=env).expect(0)
    record = ended.document
    reason = f"a program for {FAR} does not run on"
    assert variant_of(record, "release")["status"] == "built"
    assert (directory / "target/optbuild/artifacts/release/tally").is_file()
    skipped = variant_of(record, "pgo")
    assert (skipped["status"], reason in skipped["reason"]) == ("skipped", True)
    assert (record["outputs"], record["comparisons"]) == ([], [])
    assert [warning["code"] for warning in record["warnings"]] == ["not-measured", "variant-skipped"]
    shown = optbuild.run("report", cwd=directory, env=env).expect(0).stdout
    assert f"nothing is measured: {reason}" in " ".join(shown.split())


def test_a_runner_for_the_host_is_used_as_cargo_uses_it(optbuild: Optbuild, tmp_path: Path) -> None:
    """Named for all of its kind or for its triple, as a text or a list; a script around the program is left alone."""
    directory = copy_crate("tally", tmp_path / "tally")
    main = directory / "src/main.rs"
    main.write_text(main.read_text().replace("fn main() {", 'fn main() {\n    std::env::var("NEEDED").unwrap();', 1))
    (directory / ".cargo").mkdir()
    config = directory / ".cargo/config.toml"
    config.write_text('[target."cfg(unix)"]\nrunner = ["env", "NEEDED=1"]\n')
    ended = optbuild.run("build", "--json", cwd=directory).expect(0)
    assert variant_of(ended.document, "pgo")["pgo"]["applied"] is True
    assert f"programs are run by env NEEDED=1 (from {config}: target.'cfg(unix)'.runner)" in ended.stderr
    edit(directory / "optbuild.toml", 'command = ["{bin}", "data/train.txt"]', 'cargo = ["run", "data/train.txt"]')
    host = ended.document["toolchain"]["host"]
    for value in ('"env NEEDED=1"', '["env", "NEEDED=1"]'):
        config.write_text(f"target.{host}.runner = {value}\n")
        record = optbuild.run("build", "--json", cwd=directory).expect(0).document
        assert variant_of(record, "pgo")["pgo"]["applied"] is True
    around = optbuild.run("plan", "--", "env", "NEEDED=2", "{bin}", "20000", cwd=directory).expect(0).stdout
    assert "is used only if a command begins with {bin}" in around


def test_a_runner_trains_and_measures_what_does_not_run_by_itself(optbuild: Optbuild, tmp_path: Path) -> None:
    """Each run goes through it, its variables arrive, and the plan says that times are those of both."""
    directory = crate(tmp_path, FAR)
    calls = tmp_path / "calls"
    emulator = write_script(tmp_path / "emulator", f'echo "$2" >> \'{calls}\'; shift; exec "$@"')
    env = {**stand_in(tmp_path, FAR, arch="aarch64"), f"{TRIPLE}_RUNNER": f"{emulator} -L"}
    ended = optbuild.run("pgo", "--json", *LONG_ENOUGH, cwd=directory, env=env).expect(0)
    assert is_trained_and_measured(ended.document, directory, FAR)
    assert f"programs are run by {emulator} -L (from {TRIPLE}_RUNNER)" in ended.stderr
    assert all(line.endswith("/tally") for line in calls.read_text().splitlines())
