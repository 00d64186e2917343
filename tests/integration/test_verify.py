"""`optbuild verify`, with real cargo: committed counts against the project, and a clean build against the first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, copy_crate, edit

PGO_PROFILE = """\
schema = 1

[variants.release]
[variants.pgo]
inherits = "release"
pgo = true

[profile-data]
path = "pgo/tally.pgodata"

[[workloads]]
name = "training"
command = ["{bin}", "data/train.txt"]
use = ["train"]
"""
PLAIN_PROFILE = "schema = 1\n\n[variants.release]\n"
MANIFEST = '[package]\nname = "stamped"\nversion = "0.1.0"\nedition = "2021"\n\n[workspace]\n'
MAIN = """\
include!(concat!(env!("OUT_DIR"), "/table.rs"));

fn main() {
    println!("{}", nth(std::env::args().count()));
}
"""
GENERATE = """\
fn main() {
    let file = std::path::Path::new(&std::env::var("OUT_DIR").unwrap()).join("table.rs");
    let table = format!("fn nth(place: usize) -> u128 {{ [1, 2, STAMP][place] }}");
    std::fs::write(file, table.replace("STAMP", &stamp())).unwrap();
}
"""
STEADY = 'fn stamp() -> String { "3".to_owned() }\n'
STAMPING = "fn stamp() -> String { std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos().to_string() }\n"


def verify(optbuild: Optbuild, project: Path, status: int, *words: str) -> dict[str, tuple[str, str]]:
    """Each check's verdict and figure."""
    document = optbuild.run("verify", "--json", *words, cwd=project).expect(status).document
    return {check["name"]: (check["verdict"], check["figure"]) for check in document["checks"]}


@pytest.mark.pgo
def test_committed_counts_belong_to_what_trained_them(optbuild: Optbuild, tmp_path: Path) -> None:
    """They pass as they are and in the next version; another input fails by its name, and nothing is trained."""
    project = copy_crate("tally", tmp_path / "tally")
    (project / "optbuild.toml").write_text(PGO_PROFILE)
    optbuild.run("train", cwd=project).expect(0)
    for name in ("Cargo.toml", "Cargo.lock"):
        edit(project / name, 'name = "tally"\nversion = "0.1.0"', 'name = "tally"\nversion = "0.2.0"')
    found = verify(optbuild, project, 0, "--rebuild")
    assert {verdict for verdict, _ in found.values()} == {"pass"}
    assert found["matched"][1].startswith("100.0% of the counts")

    with (project / "data" / "train.txt").open("a") as stream:
        stream.write("more\n")
    edit(project / "optbuild.toml", 'use = ["train"]', 'use = ["train"]\nweight = 2.0')
    found = verify(optbuild, project, 1)
    assert found["inputs"] == ("fail", "data/train.txt has changed")
    assert found["workloads"] == ("fail", "training has weight 2 (was 1)")
    assert found["matched"][0] == "pass"

    (project / "pgo" / "tally.pgodata.lock").unlink()
    assert verify(optbuild, project, 1)["lock"][0] == "fail"
    (project / "pgo" / "tally.pgodata").unlink()
    error = optbuild.run("verify", "--json", cwd=project).expect(13).error
    assert "optbuild train" in error["help"]


@pytest.fixture
def stamped(tmp_path: Path) -> Path:
    """A program with generated code that names its file when it panics."""
    project = tmp_path / "stamped"
    (project / "src").mkdir(parents=True)
    (project / "Cargo.toml").write_text(MANIFEST)
    (project / "optbuild.toml").write_text(PLAIN_PROFILE)
    (project / "src" / "main.rs").write_text(MAIN)
    (project / "build.rs").write_text(GENERATE + STEADY)
    return project


def test_the_directory_of_a_clean_build_does_not_matter(optbuild: Optbuild, stamped: Path) -> None:
    """Paths that rustc writes are remapped, so that the same sources give the same bytes anywhere."""
    figure = verify(optbuild, stamped, 0, "--rebuild")["rebuild"][1]
    assert figure.startswith("two clean builds in other directories are the same with --remap-path-prefix")
    assert not (stamped / "target" / "optbuild" / "verify").exists()


def test_what_is_not_reproducible_is_named(optbuild: Optbuild, stamped: Path) -> None:
    """A build script that writes the time is named, and so is a program that holds its directory."""
    (stamped / "build.rs").write_text(GENERATE + STAMPING)
    verdict, figure = verify(optbuild, stamped, 1, "--rebuild")["rebuild"]
    assert verdict == "fail"
    assert "the build script of stamped generated a different table.rs" in figure

    (stamped / "build.rs").write_text(GENERATE + STEADY)
    (stamped / "src" / "main.rs").write_text(MAIN.replace("println!(", 'println!("{}", env!("OUT_DIR")); println!('))
    verdict, figure = verify(optbuild, stamped, 1, "--rebuild")["rebuild"]
    assert verdict == "fail"
    assert "holds the directory it was built in" in figure


def test_what_would_verify_nothing_is_refused(optbuild: Optbuild, stamped: Path) -> None:
    """Without counts and without a second build there is nothing to look at, and the error says what there is."""
    error = optbuild.run("verify", "--json", cwd=stamped).expect(2).error
    assert "optbuild verify --rebuild release" in error["help"]
    assert not (stamped / "target" / "optbuild").exists()
    error = optbuild.run("verify", "--json", "Cargo.toml", cwd=stamped).expect(2).error
    assert "--record record.json" in error["help"]
