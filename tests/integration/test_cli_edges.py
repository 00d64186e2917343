"""What the commands say where names, streams or options are unusual."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import jsonschema
import pytest

from tests.integration.optbuild_program import Ended, Optbuild, copy_crate, edit, program, write_profile

pytestmark = pytest.mark.pgo

HOSTILE = "x\x1b[2J\ny"
STRICT = {"PYTHONIOENCODING": "utf-8:strict"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own for one test."""
    return copy_crate("tally", tmp_path / "tally")


def schema_of(optbuild: Optbuild, directory: Path) -> dict[str, object]:
    """The schema that users check records with."""
    return dict(optbuild.run("schema", "record", cwd=directory).expect(0).document)


def assert_inert(ended: Ended) -> None:
    """Nothing of a hostile name has reached the terminal as it is."""
    for text in (ended.stdout, ended.stderr):
        assert "\x1b" not in text
        assert "\ny" not in text
    assert "x^[[2J^Jy" in ended.stdout + ended.stderr


def test_a_failed_run_prints_one_document_with_debug_too(optbuild: Optbuild, project: Path) -> None:
    """The traceback goes to standard error."""
    write_profile(project, bench="exit 3")
    ended = optbuild.run("pgo", "--json", "--debug", cwd=project)
    jsonschema.validate(ended.document, schema_of(optbuild, project))
    assert ended.error["code"] == "workload"
    assert "Traceback (most recent call last):" in ended.stderr


def test_a_command_that_fails_early_prints_a_record(optbuild: Optbuild, tmp_path: Path) -> None:
    """Nothing was run, and the document has the same form; a path that is no text does not break it."""
    schema = schema_of(optbuild, tmp_path)
    for arguments in (("pgo", "--json", "no\udcff such"), ("pgo", "--json", "--no-such-option")):
        ended = optbuild.run(*arguments, cwd=tmp_path, env=STRICT).expect(2)
        jsonschema.validate(ended.document, schema)
        assert ended.document["status"] == "failed"
        assert ended.error["code"] == "usage"


def test_names_in_what_is_extended_and_cleaned_are_inert(optbuild: Optbuild, project: Path) -> None:
    """A repository chooses them, and looking at it is safe."""
    (project / HOSTILE).write_text("schema = 9\n")
    (project / "other.toml").write_text(f"schema = 1\nextends = {json.dumps(HOSTILE)}\n")
    assert_inert(optbuild.run("plan", "-f", "other.toml", cwd=project).expect(2))
    (project / ".cargo").mkdir()
    (project / ".cargo/config.toml").write_text(f"[build]\ntarget-dir = {json.dumps(HOSTILE)}\n")
    assert_inert(optbuild.run("clean", cwd=project).expect(0))
    assert_inert(optbuild.run("plan", cwd=project).expect(2))


def test_verbose_shows_every_command_with_its_log(optbuild: Optbuild, project: Path) -> None:
    """What is run can be copied from the terminal."""
    said = optbuild.run("build", "-v", cwd=project).expect(0).stderr
    assert said.count("    runs ") == 6
    assert "cargo build --manifest-path" in said
    logs = [Path(line.partition("log ")[2]) for line in said.splitlines() if line.startswith("    log ")]
    assert len(logs) == 4
    assert all(path.is_file() for path in logs)
    assert "    runs " not in optbuild.run("build", cwd=project).expect(0).stderr


def test_an_argument_for_cargo_that_would_part_the_variants_is_refused(optbuild: Optbuild, project: Path) -> None:
    """Nothing is built with flags that only some variants would have."""
    edit(project / "optbuild.toml", "schema = 1\n", "schema = 1\nproject.cargo-args = ['-q']\n")
    ended = optbuild.run("pgo", "--json", cwd=project).expect(2)
    assert "optbuild.toml:2" in ended.error["location"]
    assert not (project / "target").exists()


def test_a_build_time_is_that_of_a_whole_program(optbuild: Optbuild, tmp_path: Path) -> None:
    """A dependency that cargo had kept makes it no time from clean; macros that an earlier variant built do not."""
    directory = tmp_path / "app"
    write_crate(directory / "dep", "dep", "pub fn one() -> u32 { 1 }", lib=True)
    write_crate(directory, "app", 'fn main() { println!("{}", dep::one()) }', more='dep = { path = "dep" }')
    (directory / "build.rs").write_text("fn main() {}\n")
    (directory / "optbuild.toml").write_text(
        'schema = 1\n[variants.release]\n[variants.small]\ninherits = "release"\nopt-level = "s"\n'
    )
    record = optbuild.run("build", "--json", cwd=directory).expect(0).document
    assert all(variant["build_s"] > 0 for variant in record["variants"])
    edit(directory / "src/main.rs", "dep::one()", "dep::one() + 1")
    record = optbuild.run("build", "--json", cwd=directory).expect(0).document
    assert [(item["status"], item["build_s"]) for item in record["variants"]] == [("built", None)] * 2


def write_crate(directory: Path, name: str, source: str, *, lib: bool = False, more: str = "") -> None:
    """Write a crate of one file."""
    (directory / "src").mkdir(parents=True)
    manifest = f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n{more}\n'
    (directory / "Cargo.toml").write_text(manifest)
    (directory / "src" / ("lib.rs" if lib else "main.rs")).write_text(source)


def test_a_working_directory_that_is_gone_is_told(optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """A shell stays in a directory that was deleted, also when another one has taken its place."""
    script = 'cd "$1" && rm -r "$1" && mkdir "$1" && shift && exec "$@"'
    for words in (("plan",), ("pgo", "--train", "{bin} x")):
        argv = ["sh", "-c", script, "sh", project, program("optbuild"), *words]
        ended = subprocess.run(argv, cwd=tmp_path, env=optbuild.environ, capture_output=True, text=True, check=False)
        assert ended.returncode == 2
        assert "cd to the project again" in ended.stderr
