"""What a build of a real project is: all programs, nothing instrumented that should not be, the same by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from optbuild.files import MARKER, sha256_of
from tests.integration.optbuild_program import Optbuild, copy_crate, edit, tree, variant_of, write_profile

pytestmark = pytest.mark.pgo

INSTRUMENTED = b"__llvm_prf_cnts"
"""The section that holds the counters of an instrumented program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """The workspace, on which the main job has been run once."""

    optbuild: Optbuild
    directory: Path
    record: dict[str, Any]

    @property
    def root(self) -> Path:
        """Where optbuild writes."""
        return self.directory / "target/optbuild"


@pytest.fixture(scope="module")
def workspace(shared_optbuild: Optbuild, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A workspace with two programs, a build script, a procedural macro and a dependency by path."""
    directory = copy_crate("workspace", tmp_path_factory.mktemp("workspace") / "workspace")
    record = shared_optbuild.run("pgo", "--json", cwd=directory).expect(0).document
    return Built(optbuild=shared_optbuild, directory=directory, record=record)


def test_all_programs_of_a_package_are_built_trained_and_compared(workspace: Built) -> None:
    """Both programs are published in each variant, and each wrote a raw profile of its own."""
    for name in ("release", "pgo"):
        assert [item["bin"] for item in variant_of(workspace.record, name)["artifacts"]] == ["north", "south"]
    evidence = variant_of(workspace.record, "pgo")["pgo"]
    assert (evidence["raw_profiles"], evidence["in_sample"], evidence["applied"]) == (2, True, True)


def test_build_scripts_and_procedural_macros_are_not_instrumented(workspace: Built) -> None:
    """What runs while building has no counters, writes no raw profile anywhere, and is built once."""
    cargo = workspace.root / "cargo"
    on_host = [*cargo.glob("release/build/*/build-script-build"), *cargo.glob("release/deps/libsteps_macros*.so")]
    assert len(on_host) == 2
    assert not [path for path in on_host if INSTRUMENTED in path.read_bytes()]
    programs = [*cargo.glob("*/release/deps/north-*"), *workspace.root.glob("binaries/*/north")]
    assert [path for path in programs if INSTRUMENTED in path.read_bytes()], "the section tells them apart"
    assert not list(workspace.directory.rglob("*.profraw"))
    assert not list((workspace.optbuild.home / "tmp").iterdir())


def test_published_binaries_are_not_instrumented(workspace: Built) -> None:
    """Nothing that carries counters is ever put where people take binaries from."""
    published = list((workspace.root / "artifacts").glob("*/*"))
    assert len(published) == 4
    assert not [path for path in published if INSTRUMENTED in path.read_bytes()]


def test_the_same_commands_by_hand_give_the_same_binary(workspace: Built) -> None:
    """The plan is the truth: its argv and environment, with the recorded profile, make the published bytes."""
    planned = workspace.optbuild.run("plan", "--json", cwd=workspace.directory).expect(0).document
    attempt = next(item["attempts"][0] for item in planned["variants"] if item["name"] == "pgo")
    action = next(item for item in planned["actions"] if item["id"] == attempt["compile"])
    variant = variant_of(workspace.record, "pgo")
    assert action["argv"] == variant["steps"][-1]["argv"]
    profdata = variant["pgo"]["profdata"]["path"]
    flags = action["env"]["CARGO_ENCODED_RUSTFLAGS"].replace(f"{{profdata:{attempt['merge']}}}", profdata)
    env = {**workspace.optbuild.environ, **action["env"], "CARGO_ENCODED_RUSTFLAGS": flags.replace(" ", "\x1f")}
    cargo = Path(action["argv"][action["argv"].index("--target-dir") + 1])
    kept = cargo.rename(workspace.root / "kept")
    try:
        subprocess.run(action["argv"], cwd=action["cwd"], env=env, check=True, capture_output=True)
        for artifact in variant["artifacts"]:
            (built,) = cargo.glob(f"*/release/{artifact['bin']}")
            assert sha256_of(built) == artifact["sha256"]
    finally:
        shutil.rmtree(cargo)
        kept.rename(cargo)


def test_a_dependency_that_is_not_the_one_that_was_trained_shows_up(optbuild: Optbuild, tmp_path: Path) -> None:
    """The training rewrites a dependency's control flow: counts do not match, and nothing of it is published."""
    directory = copy_crate("workspace", tmp_path / "workspace")
    source = directory / "steps/src/lib.rs"
    other = tmp_path / "other.rs"
    shutil.copy(source, other)
    edit(other, "number - 1 };", 'number - 1 };\n        if steps == 9_000_000 { println!("never"); }')
    edit(directory / "optbuild.toml", 'use = ["train", "bench"]', 'use = ["bench"]')
    with (directory / "optbuild.toml").open("a") as stream:
        stream.write(
            '[[workloads]]\nname = "rewriting"\nuse = ["train"]\n'
            'command = ["sh", "-c", "\\"$1\\" 9; \\"$2\\" 9; cp \\"$3\\" steps/src/lib.rs", "sh", '
            f'"{{bin:north}}", "{{bin:south}}", "{other}"]\n'
        )
    ended = optbuild.run("pgo", "--json", cwd=directory).expect(15)
    assert ended.error["code"] == "not-comparable"
    assert ended.error["location"] == str(source)
    evidence = variant_of(ended.document, "pgo")["pgo"]
    assert evidence["mismatched_functions"] >= 1
    assert not (directory / "target/optbuild/artifacts").exists()


def test_a_profile_of_another_program_is_refused_as_evidence(optbuild: Optbuild, tmp_path: Path) -> None:
    """The training replaces the whole program: hardly any function finds its counts, and that is no PGO."""
    directory = copy_crate("tally", tmp_path / "tally")
    other = tmp_path / "other.rs"
    names = range(40)
    functions = [f"fn f{n}(x: u64) -> u64 {{ if x > {n} {{ x * {n} }} else {{ x + {n} }} }}" for n in names]
    calls = [f"if sum > {n} {{ sum += f{n}(std::hint::black_box(sum)); }}" for n in names]
    other.write_text(
        "\n#[inline(never)]\n".join(["", *functions])
        + "\nfn main() {\n    let mut sum = std::env::args().count() as u64;\n    "
        + "\n    ".join([*calls, 'println!("{sum}");\n}\n'])
    )
    write_profile(directory, train=f'"$1" data/train.txt; cp "{other}" src/main.rs')
    ended = optbuild.run("build", "--json", cwd=directory).expect(13)
    assert "does not fit what was compiled" in ended.error["message"]
    assert variant_of(ended.document, "pgo")["status"] == "failed"
    assert not (directory / "target/optbuild/artifacts").exists()


def test_build_stops_before_measuring(optbuild: Optbuild, tmp_path: Path) -> None:
    """`optbuild build` builds and trains, publishes under `--out`, and runs no benchmark."""
    directory = copy_crate("tally", tmp_path / "tally")
    out = tmp_path / "out"
    record = optbuild.run("build", "--json", "--out", out, cwd=directory).expect(0).document
    assert (record["benchmarks"], record["comparisons"], record["outputs"]) == ([], [], [])
    assert sorted(tree(out)) == [MARKER, "pgo", "pgo/tally", "release", "release/tally"]
    assert variant_of(record, "pgo")["artifacts"][0]["path"] == str(out / "pgo/tally")
    assert not (directory / "target/optbuild/artifacts").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "tally"]


def test_run_takes_the_named_variants_and_the_baseline(optbuild: Optbuild, tmp_path: Path) -> None:
    """`optbuild run NAME` leaves the other variants alone, and needs no training when none of them has PGO."""
    directory = copy_crate("tally", tmp_path / "tally")
    with (directory / "optbuild.toml").open("a") as stream:
        stream.write('[variants.small]\ninherits = "release"\nopt-level = "s"\n')
    record = optbuild.run("run", "small", "--json", cwd=directory).expect(0).document
    assert [item["name"] for item in record["variants"]] == ["release", "small"]
    assert not list((directory / "target/optbuild").glob("profdata/*"))


def test_any_path_works(optbuild: Optbuild, tmp_path: Path) -> None:
    """Blanks, quotes and letters beyond ASCII in directories, file names and arguments are just text."""
    directory = copy_crate("tally", tmp_path / "wo\"r'k üñ $HOME" / "täl ly")
    data = directory / "data/ein 'Wort' \"mehr\".txt"
    (directory / "data/bench.txt").rename(data)
    record = optbuild.run("pgo", "--json", directory, "--", "{bin}", data, cwd=tmp_path).expect(0).document
    evidence = variant_of(record, "pgo")["pgo"]
    assert (evidence["applied"], evidence["raw_profiles"]) == (True, 1)
    assert record["outputs"][1]["equal"] is True


def test_a_project_without_a_lock_file_gets_one_from_cargo(optbuild: Optbuild, tmp_path: Path) -> None:
    """Cargo writes Cargo.lock as it always does, the run says so, and the record names what was built with."""
    directory = copy_crate("tally", tmp_path / "tally")
    lockfile = directory / "Cargo.lock"
    lockfile.unlink()
    ended = optbuild.run("build", "release", "--json", cwd=directory).expect(0)
    assert "Cargo.lock is missing" in ended.stderr
    assert ended.document["project"]["lockfile_sha256"] == sha256_of(lockfile)


def test_the_users_own_target_directory_is_used(optbuild: Optbuild, tmp_path: Path) -> None:
    """Everything lies below cargo's target directory, wherever that is, and the project has none of it."""
    directory = copy_crate("tally", tmp_path / "tally")
    before = tree(directory)
    environ = {"CARGO_TARGET_DIR": str(tmp_path / "elsewhere"), "CARGO_BUILD_BUILD_DIR": str(tmp_path / "builds")}
    optbuild.run("build", cwd=directory, env=environ).expect(0)
    assert tree(directory) == before
    assert (tmp_path / "elsewhere/optbuild/artifacts/pgo/tally").is_file()
    assert not (tmp_path / "builds").exists()


def test_foreign_raw_profiles_are_never_read(optbuild: Optbuild, tmp_path: Path) -> None:
    """Old or foreign files in the directory of raw profiles do not reach the merge."""
    directory = copy_crate("tally", tmp_path / "tally")
    planned = optbuild.run("plan", "--json", cwd=directory).expect(0).document
    training = next(item for item in planned["actions"] if item["kind"] == "train")
    optbuild.run("build", "release", cwd=directory).expect(0)
    for place in (Path(training["writes"]), Path(training["writes"]) / "20200101-000000-0000"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "foreign.profraw").write_bytes(os.urandom(512))
    record = optbuild.run("build", "--json", cwd=directory).expect(0).document
    assert variant_of(record, "pgo")["pgo"]["raw_profiles"] == 1
