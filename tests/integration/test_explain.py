"""`optbuild explain`, with real cargo: what PGO did to a program, stripped or not, and to a library."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.integration.optbuild_program import Optbuild, copy_crate, edit

MANIFEST = """\
[package]
name = "tools"
version = "0.1.0"
edition = "2021"

[lib]
name = "engine"
crate-type = ["cdylib"]

[profile.release]
strip = true

[workspace]
"""
LIBRARY = """\
#[no_mangle]
pub extern "C" fn engine_triple(values: &mut [u32; 64]) {
    for value in values {
        *value = value.wrapping_mul(3);
    }
}
"""
LIBRARY_PROFILE = 'schema = 1\n\n[variants.release]\n[variants.size]\ninherits = "release"\nopt-level = "z"\n'


@pytest.mark.pgo
def test_a_variant_is_explained_by_its_counts(optbuild: Optbuild, tmp_path: Path) -> None:
    """The function that training ran most comes first; a stripped program is built again with its symbols."""
    project = copy_crate("tally", tmp_path / "tally")
    built = optbuild.run("build", "release", "--json", cwd=project).expect(0).document
    document = optbuild.run("explain", "pgo", "--json", cwd=project).expect(0).document
    schema = json.loads(optbuild.run("schema", "explain", cwd=project).expect(0).stdout)
    jsonschema.validate(document, schema)
    (program,) = document["programs"]
    hottest = program["functions"][0]
    assert (document["against"], document["built_with"]) == ("release", [])
    assert (hottest["name"], hottest["crate"]) == ("tally::main", "tally")
    assert hottest["share"] > 0.5
    assert program["profile"]["functions_with_counts"] > 0
    assert next(crate for crate in program["crates"] if crate["crate"] == "tally")["ran_bytes"] > 0
    assert optbuild.run("report", "--format", "json", cwd=project).expect(0).document["run_id"] == built["run_id"]
    assert "made by explain" in optbuild.run("runs", cwd=project).expect(0).stdout
    edit(project / "Cargo.toml", "[workspace]", "[profile.release]\nstrip = true\n\n[workspace]")
    stripped = optbuild.run("explain", "pgo", cwd=project).expect(0)
    assert "Both were built with -Cstrip=none" in " ".join(stripped.stdout.split())
    assert "tally::main" in stripped.stdout
    assert "a program is stripped" in stripped.stderr


def test_a_library_is_explained_by_its_symbols(optbuild: Optbuild, tmp_path: Path) -> None:
    """Without PGO there are sizes alone; what cannot be compared is refused before anything is built."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "lib.rs").write_text(LIBRARY)
    (tmp_path / "Cargo.toml").write_text(MANIFEST)
    (tmp_path / "optbuild.toml").write_text(LIBRARY_PROFILE)
    same = optbuild.run("explain", "release", "--against", "release", cwd=tmp_path).expect(2)
    assert "optbuild explain release --against size" in same.stderr
    unknown = optbuild.run("explain", "sise", cwd=tmp_path).expect(2)
    assert "did you mean size?" in unknown.stderr
    assert not (tmp_path / "target").exists()
    document = optbuild.run("explain", "size", "--json", cwd=tmp_path).expect(0).document
    (program,) = document["programs"]
    assert (program["bin"], program["profile"], document["built_with"]) == ("libengine.so", None, ["-Cstrip=none"])
    assert ("engine_triple", "shrunk") in [(each["name"], each["change"]) for each in program["functions"]]
    wrong = optbuild.run("explain", "size", "--bin", "other", cwd=tmp_path).expect(2)
    assert "--bin takes one of: libengine.so" in wrong.stderr
