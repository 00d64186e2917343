"""Outputs of real programs: files, silence, times and floats; and a program that rewrites what it reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild

pytestmark = pytest.mark.cargo

SOURCE = """
use std::fs;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let sum: u64 = fs::read_to_string("in.txt").unwrap().trim().parse::<u64>().map(|n| (0..n).sum()).unwrap();
    let made = if cfg!(feature = "wrong") { sum / 2 } else { sum };
    match words[1].as_str() {
        "write" => fs::write(&words[2], made.to_string()).unwrap(),
        "time" => println!("made {sum} in {}.5 ms", std::process::id()),
        "float" => println!("mean {}", 0.1 + if cfg!(feature = "wrong") { 1e-12 } else { 0.0 }),
        "self" => {
            let own = fs::read(std::env::current_exe().unwrap()).unwrap();
            let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
            let hash = own.iter().fold(0xcbf2_9ce4_8422_2325, add);
            println!("made 0.1.0 (a{hash:016x})");
        }
        "sort" => {
            let mut text: Vec<char> = fs::read_to_string(&words[2]).unwrap().chars().collect();
            text.sort_unstable();
            fs::write(&words[2], text.into_iter().collect::<String>()).unwrap();
            println!("sorted");
        }
        _ => {}
    }
}
"""


@pytest.fixture
def crate(tmp_path: Path) -> Path:
    """A program that does what its first argument says; with a feature it does it wrong."""
    directory = tmp_path / "crate"
    (directory / "src").mkdir(parents=True)
    (directory / "Cargo.toml").write_text(
        '[package]\nname = "made"\nversion = "0.1.0"\nedition = "2021"\n[features]\nwrong = []\n'
    )
    (directory / "src/main.rs").write_text(SOURCE)
    (directory / "in.txt").write_text("3000000")
    return directory


def write_profile(crate: Path, words: str, *keys: str) -> None:
    """A build profile with a right and a wrong variant, and a workload of these words."""
    (crate / "optbuild.toml").write_text(
        "schema = 1\n[variants.release]\n[variants.wrong]\nfeatures = ['wrong']\n"
        f"[[workloads]]\nname = 'w'\nuse = ['bench']\ncommand = ['{{bin}}', {words}]\n" + "\n".join(keys)
    )


@pytest.mark.parametrize(
    ("place", "keys"),
    [
        ("{scratch}/out", ()),
        ("out", ()),
        ("{scratch}/out", ("compare-output = ['{scratch}/out']",)),
        ("out", ("compare-output = ['out']",)),
    ],
)
def test_a_file_that_a_run_makes_is_compared(
    optbuild: Optbuild, crate: Path, place: str, keys: tuple[str, ...]
) -> None:
    """The program prints nothing; its file tells the wrong variant, each time again."""
    write_profile(crate, f"'write', '{place}'", *keys)
    for _ in range(2):
        ended = optbuild.run("run", "--json", "--max-time", "1s", cwd=crate).expect(15)
        assert f"{place}: first difference at byte 0" in ended.error["message"]


def test_silence_is_labelled_as_not_compared(optbuild: Optbuild, crate: Path) -> None:
    """In the table, in Markdown and in the record."""
    write_profile(crate, "'nothing'")
    ended = optbuild.run("run", "--json", "--max-time", "1s", cwd=crate).expect(0)
    assert {item["equal"] for item in ended.document["outputs"]} == {None}
    for form in ("terminal", "markdown", "html"):
        report = " ".join(optbuild.run("report", "--format", form, cwd=crate).expect(0).stdout.split())
        assert "outputs not compared" in report
        assert "outputs equal" not in report


@pytest.mark.parametrize(
    ("words", "label"), [("'time'", "filtered"), ("'float'", "within 1e-10"), ("'self'", "filtered")]
)
def test_a_proposed_key_lets_the_difference_pass(optbuild: Optbuild, crate: Path, words: str, label: str) -> None:
    """It is written as the message has it, and the report says what did not count."""
    write_profile(crate, words, "compare-output = 'stdout'")
    help_text = optbuild.run("run", "--json", "--max-time", "1s", cwd=crate).expect(15).error["help"]
    proposed = re.search(r"`(compare-(?:filter|tolerance) = [^`]+)`", help_text)
    assert proposed is not None
    write_profile(crate, words, "compare-output = 'stdout'", proposed[1])
    ended = optbuild.run("run", "--json", "--max-time", "1s", cwd=crate).expect(0)
    assert {item["equal"] for item in ended.document["outputs"]} == {True}
    assert f"outputs equal ({label})" in " ".join(optbuild.run("report", cwd=crate).expect(0).stdout.split())


def rewritten(optbuild: Optbuild, crate: Path) -> list[str]:
    """What a run says of inputs that change."""
    warnings = optbuild.run("run", "--json", "--max-time", "1s", cwd=crate).expect(0).document["warnings"]
    return [item["message"] for item in warnings if item["code"] == "input-rewritten"]


def test_a_rewritten_input_is_named_and_prepare_restores_it(optbuild: Optbuild, crate: Path) -> None:
    """Without `prepare` each later run works on what the first one left, and a warning says so."""
    text = crate / "text"
    text.write_text("not sorted")
    write_profile(crate, "'sort', 'text'")
    assert [name.split()[0] for name in rewritten(optbuild, crate)] == [str(text)]
    (crate / "original").write_text("not sorted")
    write_profile(crate, "'sort', 'text'", "prepare = ['cp', 'original', 'text']")
    assert rewritten(optbuild, crate) == []
    write_profile(crate, "'sort', '{scratch}/text'", "prepare = ['cp', 'original', '{scratch}/text']")
    assert rewritten(optbuild, crate) == []
    assert (crate / "original").read_text() == "not sorted"


def test_bench_compares_files_and_names_a_rewritten_input(optbuild: Optbuild, crate: Path) -> None:
    """Binaries that exist already are treated alike."""
    write_profile(crate, "'nothing'")
    optbuild.run("build", cwd=crate).expect(0)
    arms = [f"{name}=target/optbuild/artifacts/{name}/made" for name in ("release", "wrong")]
    bench = ("bench", "--json", "--max-time", "1s", *arms, "--", "{bin}")
    ended = optbuild.run(*bench, "write", "{scratch}/out", cwd=crate).expect(0)
    assert [item["equal"] for item in ended.document["outputs"]] == [True, False]
    ended = optbuild.run(*bench, "nothing", cwd=crate).expect(0)
    assert [item["equal"] for item in ended.document["outputs"]] == [None, None]
    assert "outputs-not-compared" in [item["code"] for item in ended.document["warnings"]]
    (crate / "text").write_text("not sorted")
    ended = optbuild.run(*bench, "sort", "text", cwd=crate).expect(0)
    assert "input-rewritten" in [item["code"] for item in ended.document["warnings"]]
