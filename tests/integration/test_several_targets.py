"""Several targets in one build profile: each trained where it runs, one record and one table about all of them."""

from __future__ import annotations

from pathlib import Path

from tests.integration.optbuild_program import TOLERANT, Optbuild, ask_rustc, copy_crate, edit, variant_of, write_script
from tests.integration.test_targets import FAR, LONG_ENOUGH, TRIPLE, pytestmark, stand_in

__all__ = ["pytestmark"]

HOST = next(line for line in ask_rustc("-vV").splitlines() if line.startswith("host: ")).removeprefix("host: ")


def project_for(directory: Path, *targets: str, auto: bool = False) -> Path:
    """A test crate that is built for these targets."""
    copied = copy_crate("tally", directory / "tally")
    names = ", ".join(f'"{target}"' for target in targets)
    edit(copied / "optbuild.toml", "[variants.release]", f"[project]\ntargets = [{names}]\n[variants.release]")
    edit(copied / "optbuild.toml", "[measure]\n", f"[measure]\n{TOLERANT}")
    if auto:
        edit(copied / "optbuild.toml", "pgo = true", 'pgo = "auto"')
    return copied


def test_each_target_is_trained_where_it_runs(optbuild: Optbuild, tmp_path: Path) -> None:
    """By its runner where it has one; each has its own artifacts and comparisons, and a second run reuses all."""
    directory = project_for(tmp_path, HOST, FAR)
    emulator = write_script(tmp_path / "emulator", 'exec "$@"')
    env = {**stand_in(tmp_path, FAR, arch="aarch64"), f"{TRIPLE}_RUNNER": str(emulator)}
    ended = optbuild.run("pgo", "--json", *LONG_ENOUGH, cwd=directory, env=env).expect(0)
    record = ended.document
    assert record["toolchain"]["target"] == HOST
    assert [each["target"] for each in record["targets"]] == [HOST, FAR]
    for each in record["targets"]:
        assert variant_of(each, "pgo")["pgo"]["applied"] is True
        assert each["comparisons"]
        assert (directory / f"target/optbuild/artifacts/{each['target']}/pgo/tally").is_file()
    assert record["targets"][0]["comparisons"] == record["comparisons"]
    assert record["targets"][1]["runner"] == [str(emulator)]
    assert f"target {FAR}: it is trained and measured by {emulator}" in ended.stderr
    shown = optbuild.run("report", cwd=directory, env=env).expect(0).stdout
    assert "Each target" in shown
    assert "by emulator" in shown
    again = optbuild.run("pgo", "--json", *LONG_ENOUGH, cwd=directory, env=env).expect(0).document
    assert [each["run_id"] for each in again["targets"]] == [each["run_id"] for each in record["targets"]]


def test_what_does_not_run_here_is_built_and_labelled(optbuild: Optbuild, tmp_path: Path) -> None:
    """Its baseline is built, and no figure is made up for it."""
    directory = project_for(tmp_path, HOST, FAR, auto=True)
    env = stand_in(tmp_path, FAR, arch="aarch64")
    record = optbuild.run("run", "release", "--json", *LONG_ENOUGH, cwd=directory, env=env).expect(0).document
    far = record["targets"][1]
    assert f"a program for {FAR} does not run on" in far["not_measured"]
    assert (variant_of(far, "release")["status"], far["comparisons"]) == ("built", [])
    assert "not measured here" in optbuild.run("report", cwd=directory, env=env).expect(0).stdout


def test_doctor_looks_at_every_target(optbuild: Optbuild, tmp_path: Path) -> None:
    """One that is not installed is an error, whichever it is, with the command that adds it."""
    directory = project_for(tmp_path, HOST, "sparc64-unknown-linux-gnu")
    found = optbuild.run("doctor", "--json", cwd=directory).expect(3).document["findings"]
    first, second = [each for each in found if each["subject"] == "target"]
    assert (first["level"], first["message"]) == ("info", HOST)
    assert (second["level"], second["message"]) == ("error", "sparc64-unknown-linux-gnu is not installed")
    assert "rustup target add sparc64-unknown-linux-gnu" in second["remedy"]


def test_every_target_is_planned_before_any_is_built(optbuild: Optbuild, tmp_path: Path) -> None:
    """One that can neither be trained nor has committed counts ends the run at once; so does a second name for it."""
    directory = project_for(tmp_path, HOST, FAR)
    env = stand_in(tmp_path, FAR, arch="aarch64")
    error = optbuild.run("pgo", "--json", cwd=directory, env=env).expect(2).error
    assert f"target.{FAR}.runner" in error["help"]
    edit(directory / "optbuild.toml", f'"{FAR}"', f'"{HOST}"')
    assert "twice" in optbuild.run("pgo", cwd=directory, env=env).expect(2).stderr
    assert not (directory / "target").exists()
