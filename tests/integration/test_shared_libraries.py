"""Shared libraries that only `cargo run` finds: each variant's stand beside its programs wherever these run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.optbuild_program import MEASURE, VARIANTS, Optbuild, variant_of

pytestmark = pytest.mark.pgo

LIBRARY = """
use std::{env, fs, process::Command};

fn main() {
    let out = env::var("OUT_DIR").unwrap();
    fs::write(format!("{out}/more.c"), "int more(int x) { return x + 1; }").unwrap();
    let argv = ["-shared", "-fPIC", "-o", &format!("{out}/libmore.so"), &format!("{out}/more.c")];
    assert!(Command::new("cc").args(argv).status().unwrap().success());
    println!("cargo:rustc-link-search=native={out}");
    println!("cargo:rustc-link-lib=dylib=more");
}
"""
USER = """
extern "C" { fn more(x: i32) -> i32; }
fn main() { println!("{}", unsafe { more(1) }); }
"""
RUST_LIBRARY = """
#[inline(never)]
pub fn total(upto: u64) -> u64 { (0..upto).filter(|number| number.count_ones() % 3 == 0).sum() }
"""
RUST_USER = 'fn main() { println!("{}", shared::total(200_000)); }'
MANIFEST = '[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n{more}'
WORKLOAD = f'schema = 1\n{VARIANTS}[[workloads]]\nname = "use"\n{{how}}\n{MEASURE}'


def write_crate(directory: Path, name: str, files: dict[str, str], more: str = "") -> None:
    """A package with these files."""
    for file, text in {**files, "Cargo.toml": MANIFEST.format(name=name, more=more)}.items():
        (directory / file).parent.mkdir(parents=True, exist_ok=True)
        (directory / file).write_text(text)


def loaded(artifact: Path) -> str:
    """What the loader finds for a program beside which its libraries lie."""
    environ = {"LD_LIBRARY_PATH": str(artifact.parent)}
    return subprocess.run(["ldd", artifact], env=environ, check=True, capture_output=True, text=True).stdout  # noqa: S607


@pytest.mark.parametrize("how", ['command = ["{bin}"]', 'cargo = ["run"]'])
def test_a_library_of_a_build_script_is_kept_with_the_program(optbuild: Optbuild, tmp_path: Path, how: str) -> None:
    """And found when it is trained and when its output is compared, whether cargo names its directory or not."""
    write_crate(tmp_path, "user", {"src/main.rs": USER, "build.rs": LIBRARY})
    (tmp_path / "optbuild.toml").write_text(WORKLOAD.format(how=how))
    ended = optbuild.run("build", "--json", cwd=tmp_path).expect(0)
    assert "user loads libmore.so, which only `cargo run` would find" in ended.stderr
    pgo = variant_of(ended.document, "pgo")
    assert pgo["pgo"]["applied"]
    names = {Path(artifact["path"]).name: Path(artifact["path"]) for artifact in pgo["artifacts"]}
    assert {*names} == {"user", "libmore.so"}
    assert f"libmore.so => {names['libmore.so']}" in loaded(names["user"])


def test_each_variant_runs_with_its_own_library_of_rust(optbuild: Optbuild, tmp_path: Path) -> None:
    """The library is optimised as the program is, and so is another one in each variant; both need std's own."""
    write_crate(tmp_path / "shared", "shared", {"src/lib.rs": RUST_LIBRARY}, '[lib]\ncrate-type = ["dylib"]\n')
    write_crate(
        tmp_path,
        "user",
        {"src/main.rs": RUST_USER},
        '[dependencies]\nshared = { path = "shared" }\n[workspace]\nmembers = ["shared"]\n',
    )
    (tmp_path / "optbuild.toml").write_text(WORKLOAD.format(how='command = ["{bin}"]'))
    ended = optbuild.run("pgo", "--json", cwd=tmp_path).expect(0)
    kept = {}
    for name in ("release", "pgo"):
        artifacts = {artifact["bin"]: artifact for artifact in variant_of(ended.document, name)["artifacts"]}
        (std,) = artifacts.keys() - {"user", "libshared.so"}
        assert std.startswith("libstd-")
        kept[name] = artifacts["libshared.so"]
        assert f"libshared.so => {kept[name]['path']}" in loaded(Path(artifacts["user"]["path"]))
    assert kept["release"]["sha256"] != kept["pgo"]["sha256"]
    assert variant_of(ended.document, "pgo")["pgo"]["applied"]
    assert "nothing has changed since run" in optbuild.run("pgo", "--json", cwd=tmp_path).expect(0).stderr
