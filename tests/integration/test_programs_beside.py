"""Programs that start the one beside them, with real tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, variant_of, write_script

pytestmark = pytest.mark.pgo

FRONT = """
fn main() {
    let engine = std::env::current_exe().unwrap().with_file_name("engine");
    let status = std::process::Command::new(engine).args(std::env::args().skip(1)).status();
    std::process::exit(status.unwrap().code().unwrap());
}
"""
ENGINE = """
fn main() {
    let rounds: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let mixed = (0..rounds).fold(1u64, |x, i| if x % 3 == 0 { x.rotate_left(7) ^ i } else { x.wrapping_mul(5) + 1 });
    println!("{mixed} {}", if rounds > 1000 && cfg!(feature = "other") { "other" } else { "plain" });
}
"""
PROFILE = """
schema = 1
[variants.release]
[variants.pgo]
inherits = "release"
pgo = true
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A package of two programs, of which one starts the other."""
    (tmp_path / "src" / "bin").mkdir(parents=True)
    (tmp_path / "src" / "bin" / "front.rs").write_text(FRONT)
    (tmp_path / "src" / "bin" / "engine.rs").write_text(ENGINE)
    (tmp_path / "Cargo.toml").write_text(
        '[package]\nname = "duo"\nversion = "0.1.0"\nedition = "2021"\n[features]\nother = []\n[workspace]\n'
    )
    return tmp_path


def test_a_program_that_another_one_starts_is_trained_with_it(optbuild: Optbuild, project: Path) -> None:
    """It stands beside the other as after `cargo build`, and what it counts is in the profile."""
    (project / "optbuild.toml").write_text(PROFILE)
    record = optbuild.run("build", "--json", "--", "{bin:front}", "300000", cwd=project).expect(0).document
    pgo = variant_of(record, "pgo")["pgo"]
    assert pgo["applied"]
    assert pgo["total_count"] > 100_000


def test_each_variant_has_its_own_program_beside_the_other(optbuild: Optbuild, project: Path) -> None:
    """An engine that another workload has run for another variant is not the one that a program finds."""
    workloads = [
        f'[[workloads]]\nname = "{name}"\ncommand = ["{{bin:{name}}}", "{rounds}"]\nuse = ["{use}"]\n'
        for name, rounds, use in (("engine", 100, "train"), ("front", 2000, "bench"))
    ]
    (project / "optbuild.toml").write_text(PROFILE + 'features = ["other"]\n' + "".join(workloads))
    error = optbuild.run("run", "--json", "--max-time", "1s", cwd=project).expect(15).error
    assert 'baseline "' in error["message"]
    assert "not what the baseline prints" in error["message"]


def test_a_binary_that_is_measured_keeps_its_name(optbuild: Optbuild, tmp_path: Path) -> None:
    """A program that does what its name says does that in `optbuild bench` as well; one may be a script."""
    for directory in ("old", "new"):
        (tmp_path / directory).mkdir()
        write_script(tmp_path / directory / "sorter", 'test "${0##*/}" = sorter || exit 7\necho sorted')
    words = ("old=old/sorter", "new=new/sorter", "--max-time", "2s", "--json", "--", "{bin}")
    record = optbuild.run("bench", *words, cwd=tmp_path).expect(0).document
    assert [item["equal"] for item in record["outputs"]] == [True, True]


def test_debug_information_of_its_own_file_is_published_with_the_program(optbuild: Optbuild, project: Path) -> None:
    """A variant that has none gets none, though cargo leaves that of the other variant where it builds."""
    (project / "optbuild.toml").write_text(
        'schema = 1\n[project]\nbins = ["engine"]\n'
        '[variants.release]\n[variants.bare]\ninherits = "release"\ndebug = "none"\nopt-level = 2\n'
    )
    with (project / "Cargo.toml").open("a") as manifest:
        manifest.write('[profile.release]\ndebug = 1\nsplit-debuginfo = "packed"\n')
    optbuild.run("build", cwd=project).expect(0)
    artifacts = project / "target" / "optbuild" / "artifacts"
    assert {path.name for path in (artifacts / "release").iterdir()} == {"engine", "engine.dwp"}
    assert {path.name for path in (artifacts / "bare").iterdir()} == {"engine"}


def test_a_program_that_is_not_built_is_named_where_another_one_misses_it(optbuild: Optbuild, project: Path) -> None:
    """Whoever writes `bins` has to name what the program starts; an engine that lies elsewhere does not help out."""
    (project / "optbuild.toml").write_text(PROFILE)
    command = ("build", "--json", "--", "{bin:front}", "300000")
    optbuild.run(*command, cwd=project).expect(0)
    (project / "optbuild.toml").write_text(PROFILE + '[project]\nbins = ["front"]\n')
    assert "not in its directory: engine" in optbuild.run(*command, cwd=project).expect(11).error["help"]


def test_files_that_a_program_reads_beside_itself_are_put_there_before_each_run(
    optbuild: Optbuild, project: Path
) -> None:
    """`prepare` knows where the program of that run lies: in training, comparing and measuring."""
    (project / "src" / "bin" / "engine.rs").unlink()
    (project / "src" / "bin" / "front.rs").write_text(
        'fn main() { print!("{}", std::fs::read_to_string(std::env::current_exe().unwrap()'
        '.with_file_name("assets").join("words.txt")).unwrap()); }'
    )
    (project / "assets").mkdir()
    (project / "assets" / "words.txt").write_text("some words")
    workload = """
[[workloads]]
name = "words"
command = ["{bin}"]
prepare = ["sh", "-c", 'cp -R assets "$(dirname "$0")"', "{bin}"]
inputs = ["assets"]
"""
    (project / "optbuild.toml").write_text(PROFILE + workload)
    record = optbuild.run("run", "--json", "--max-time", "2s", cwd=project).expect(0).document
    assert [item["equal"] for item in record["outputs"]] == [True, True]
