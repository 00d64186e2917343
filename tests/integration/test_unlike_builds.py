"""Build scripts that are never fresh, and builds that are not reproducible: the cause is named, nothing else blamed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild

pytestmark = pytest.mark.pgo

STAMP = """
fn main() {
    println!("cargo:rerun-if-changed=gone");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    println!("cargo:rustc-env=STAMP={now}");
    let text = "pub const ADDED: u64 = 1;\\n";
    if std::fs::read_to_string("src/made.rs").ok().as_deref() != Some(text) {
        std::fs::write("src/made.rs", text).unwrap();
    }
}
"""
STAMPED = """
mod made;
fn main() {
    let mut x: u64 = 1;
    for i in 0..20_000 {
        x = if x % 3 == 0 { x / 2 + i } else { x.wrapping_mul(3) + made::ADDED };
    }
    println!("{x}");
    if std::env::args().nth(1).unwrap() == "stamp" { println!("{}", env!("STAMP")) } else { eprintln!(env!("STAMP")) }
}
"""

SHUFFLE = """
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let arms: std::collections::HashSet<u64> = (0..60).collect();
    let mut text = String::from("#[inline(never)]\\npub fn dispatch(state: u64, x: u64) -> u64 {\\n");
    for arm in arms {
        let (divisor, factor) = (arm + 61, 2 * arm + 1);
        text += &format!("if x % {divisor} == state {{ return x.wrapping_mul({factor}) ^ state; }}\\n");
    }
    std::fs::write(std::env::var("OUT_DIR").unwrap() + "/dispatch.rs", text + "x }\\n").unwrap();
}
"""
SHUFFLED = """
include!(concat!(env!("OUT_DIR"), "/dispatch.rs"));
fn main() {
    let mut x: u64 = 1;
    for i in 0..20_000 {
        x = x.wrapping_add(dispatch(x % 60, i));
    }
    eprintln!("{x}");
}
"""


def write_project(directory: Path, *, build: str, main: str, argument: str) -> Path:
    """A package with a build script, without a lock file."""
    (directory / "src").mkdir(parents=True)
    (directory / "Cargo.toml").write_text(
        '[package]\nname = "demo"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n'
    )
    (directory / "build.rs").write_text(build)
    (directory / "src/main.rs").write_text(main)
    (directory / "optbuild.toml").write_text(
        'schema = 1\n[variants.release]\n[variants.pgo]\ninherits = "release"\npgo = true\n'
        f'[[workloads]]\nname = "work"\ncommand = ["{{bin}}", "{argument}"]\n'
    )
    return directory


def test_a_build_script_that_runs_in_every_build_is_named(optbuild: Optbuild, tmp_path: Path) -> None:
    """Nobody edited the lock file and what the script generates: both came to be in the first build."""
    project = write_project(tmp_path / "demo", build=STAMP, main=STAMPED, argument="quiet")
    why = "its rerun-if-changed names gone, which does not exist"
    for jobs in ("1", "2"):
        ended = optbuild.run("build", "--jobs", jobs, cwd=project).expect(0)
        assert f"note: the build script of demo runs in every build: {why}" in ended.stderr


def test_a_printed_stamp_is_blamed_on_the_build_script(optbuild: Optbuild, tmp_path: Path) -> None:
    """A second build of the baseline has another stamp, too: that is no miscompilation."""
    project = write_project(tmp_path / "demo", build=STAMP, main=STAMPED, argument="stamp")
    error = optbuild.run("run", "--json", "--max-time", "1s", cwd=project).expect(15).error
    assert error["message"].endswith(
        "builds are not reproducible: the build script of demo printed different instructions for cargo"
    )
    assert "SOURCE_DATE_EPOCH" in error["help"]
    assert not (project / "target/optbuild/again").exists()


def test_counts_of_other_code_than_is_optimised_are_warned_of(optbuild: Optbuild, tmp_path: Path) -> None:
    """The control flow is the same in any order of the arms, so that rustc finds nothing amiss."""
    project = write_project(tmp_path / "demo", build=SHUFFLE, main=SHUFFLED, argument="quiet")
    with (project / "optbuild.toml").open("a") as profile:
        profile.write("[evidence]\nmax-mismatched = 1.0\nmax-unmatched = 1.0\n")
    (warning,) = optbuild.run("build", "--json", cwd=project).expect(0).document["warnings"]
    assert warning["code"] == "other-code-counted"
    assert warning["message"].endswith("the build script of demo generated a different dispatch.rs")
    assert "BTreeMap" in warning["help"]
