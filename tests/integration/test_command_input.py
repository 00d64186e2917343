"""What reaches the program of a command on the command line: real cargo, and real standard input."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Ended, Optbuild, program, write_script

pytestmark = pytest.mark.pgo

MAIN = """
use std::io::Read;

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let words: usize = (0..2000).map(|_| text.split_whitespace().filter(|word| word.len() > 1).count()).sum();
    println!("{words} {}", std::env::var("WORDS_MODE").unwrap_or_default());
}
"""


def make_crate(directory: Path) -> Path:
    """A program that reads standard input and a variable."""
    (directory / "src").mkdir(parents=True)
    (directory / "Cargo.toml").write_text('[package]\nname = "words"\nversion = "0.1.0"\nedition = "2021"\n')
    (directory / "src/main.rs").write_text(MAIN)
    (directory / "text.txt").write_text("one two three a b\n" * 50)
    return directory


def pipe_into(optbuild: Optbuild, data: bytes, *arguments: str, cwd: Path) -> Ended:
    """Run one command with data waiting on its standard input."""
    with (cwd / "piped").open("wb+") as file:
        file.write(data)
        file.seek(0)
        completed = subprocess.run(
            [str(program("optbuild")), *arguments],
            cwd=cwd,
            env=dict(optbuild.environ),
            stdin=file,
            capture_output=True,
            encoding="utf-8",
            timeout=optbuild.deadline_s,
            check=False,
        )
    return Ended(status=completed.returncode, stdout=completed.stdout, stderr=completed.stderr)


def test_a_command_gets_a_file_and_variables(optbuild: Optbuild, tmp_path: Path) -> None:
    """The options give what a shell would: the program reads the file, and knows the variable."""
    crate = make_crate(tmp_path / "words")
    keep = write_script(crate / "keep.sh", '"$1" | tee seen')
    optbuild.compile_quickly()
    ended = optbuild.run(
        *("run", "pgo", "--json", "--max-time", "500ms", "--stdin", "text.txt", "--env", "WORDS_MODE=fast"),
        *("--", str(keep), "{bin}"),
        cwd=crate,
    ).expect(0)
    assert (crate / "seen").read_text() == "300000 fast\n"
    workload = ended.document["build_profile"]["workloads"][0]
    assert workload["env"] == {"WORDS_MODE": "fast"}
    assert workload["stdin"].endswith("text.txt")
    assert not ended.document["warnings"] or "input-not-passed" not in {w["code"] for w in ended.document["warnings"]}


def test_what_is_piped_into_optbuild_is_warned_about(optbuild: Optbuild, tmp_path: Path) -> None:
    """It reaches no program; a command that is given a file needs no word."""
    first = write_script(tmp_path / "first", "wc -c; sleep 0.02")
    arguments = ("bench", "--json", "--max-time", "100ms", f"a={first}", f"b={first}")
    ended = pipe_into(optbuild, b"data", *arguments, "--", "{bin}", cwd=tmp_path).expect(0)
    assert [item["help"] for item in ended.document["warnings"] if item["code"] == "input-not-passed"] == [
        "write it to a file and pass that: --stdin FILE"
    ]
    for data, options in ((b"", ()), (b"data", ("--stdin", "first"))):
        ended = pipe_into(optbuild, data, *arguments, *options, "--", "{bin}", cwd=tmp_path).expect(0)
        assert "input-not-passed" not in {item["code"] for item in ended.document["warnings"]}


def test_variables_that_are_not_passed_are_named_once(optbuild: Optbuild, tmp_path: Path) -> None:
    """A note says how to pass them, and is not given for what is passed."""
    first = write_script(tmp_path / "first", "sleep 0.02")
    arguments = ("bench", "--max-time", "100ms", f"a={first}", f"b={first}")
    env = {"RAYON_NUM_THREADS": "1", "FIRST_MODE": "x", "EDITOR": "ed"}
    said = optbuild.run(*arguments, "--", "{bin}", cwd=tmp_path, env=env).expect(0).stderr
    assert said.count("RAYON_NUM_THREADS") == 2, said
    assert "--env FIRST_MODE --env RAYON_NUM_THREADS" in said
    assert "EDITOR" not in said
    passed = ("--env", "RAYON_NUM_THREADS", "--env", "FIRST_MODE=y")
    said = optbuild.run(*arguments, *passed, "--", "{bin}", cwd=tmp_path, env=env).expect(0).stderr
    assert "RAYON_NUM_THREADS" not in said


def test_a_variable_that_the_program_reads_is_named_whatever_it_is_called(optbuild: Optbuild, tmp_path: Path) -> None:
    """Its sources say so; other variables of the caller are nobody's business."""
    crate = make_crate(tmp_path / "words")
    main = crate / "src" / "main.rs"
    main.write_text(main.read_text().replace('"WORDS_MODE"', '"SPEED"'))
    env = {"SPEED": "2", "EDITOR": "ed"}
    arguments = ("build", "release", "--stdin", "text.txt")
    said = optbuild.run(*arguments, "--", "{bin}", cwd=crate, env=env).expect(0).stderr
    assert "separate environment: SPEED\n" in said
    assert "SPEED" not in optbuild.run(*arguments, "--env", "SPEED", "--", "{bin}", cwd=crate, env=env).expect(0).stderr


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("--train", "{bin} < text.txt", "--bench", "{bin} < text.txt"), "--stdin FILE"),
        (("--", "cat", "text.txt", "|", "{bin}"), "--stdin FILE"),
        (("--", "WORDS_MODE=fast", "{bin}"), "--env WORDS_MODE=fast"),
        (("--env", "UNSET_HERE", "--", "{bin}"), "--env UNSET_HERE=VALUE"),
        (("--stdin", "missing.txt", "--", "{bin}"), "missing.txt"),
    ],
)
def test_what_would_not_arrive_is_refused_before_anything_is_built(
    optbuild: Optbuild, tmp_path: Path, arguments: tuple[str, ...], remedy: str
) -> None:
    """The help has the option that does it."""
    crate = make_crate(tmp_path / "words")
    ended = optbuild.run("pgo", "--json", *arguments, cwd=crate).expect(2)
    assert remedy in f"{ended.error['message']} {ended.error['help']}"
    assert not (crate / "target").exists()
