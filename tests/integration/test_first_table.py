"""From nothing to a table: `optbuild init --yes`, then a run with PGO, no edit between, on kinds of projects."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.integration.optbuild_program import Optbuild

pytestmark = [pytest.mark.cargo, pytest.mark.pgo]

WORK = """
pub fn work(text: &str) -> u64 {
    let mut sum = 0u64;
    for _ in 0..200 {
        for word in text.split_whitespace() {
            sum = word.bytes().fold(sum, |a, b| a.rotate_left(5) ^ u64::from(b));
        }
    }
    sum
}
"""
PRINT_FILE = 'println!("{}", work(&std::fs::read_to_string(path).unwrap()));'
TEXT = "so many words that a program has something to do with them " * 400


def write_package(directory: Path, name: str, files: dict[str, str], manifest: str = "") -> Path:
    """Write a package without dependencies, and its lock file."""
    package = f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n'
    for path, text in {"Cargo.toml": package + manifest, **files}.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    return directory


def first_table(
    optbuild: Optbuild,
    project: Path,
    command: tuple[str, ...] = ("run", "pgo"),
    variants: tuple[str, ...] = ("release", "pgo"),
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The build profile that is proposed, and the record of the first run with it.

    Args:
        optbuild: The program.
        project: Where it runs.
        command: What runs; of the three variants that are proposed, these leave out the one that takes longest.
        variants: What that command builds.
    """
    optbuild.compile_quickly()
    said = optbuild.run("init", "--yes", cwd=project).expect(0)
    assert "then run: optbuild pgo" in said.stderr
    ended = optbuild.run(*command, "--json", "--max-time", "1s", cwd=project).expect(0)
    record = ended.document
    assert [variant["name"] for variant in record["variants"]] == [*variants]
    assert next(variant for variant in record["variants"] if variant["name"] == "pgo")["pgo"]["applied"] is True
    table = optbuild.run("report", cwd=project).expect(0).stdout
    assert [line.split()[0] for line in table.splitlines() if line.startswith(("release ", "lto ", "pgo "))] == [
        *variants
    ]
    return tomllib.loads((project / "optbuild.toml").read_text()), record


def test_a_program_is_given_the_files_that_its_readme_names(optbuild: Optbuild, tmp_path: Path) -> None:
    """The README's command is the workload; of two files one is trained on, and the other measured: held-out."""
    main = f"fn main() {{ let path = std::env::args().nth(2).unwrap(); {PRINT_FILE} }}"
    project = write_package(
        tmp_path,
        "wordy",
        {
            "src/main.rs": WORK + main,
            "README.md": "# wordy\n\n```sh\n$ wordy --all tests/data/small.txt\n$ wordy -i tests/data/small.txt\n```\n",
            "tests/data/small.txt": TEXT,
            "tests/data/large.txt": TEXT + TEXT,
            "tests/data/expected.txt": TEXT * 9,
        },
    )
    build_profile, record = first_table(optbuild, project, ("pgo",), ("release", "lto", "pgo"))
    assert [(item["command"], item["use"]) for item in build_profile["workloads"]] == [
        (["{bin}", "--all", "tests/data/small.txt"], ["train"]),
        (["{bin}", "--all", "tests/data/large.txt"], ["bench"]),
    ]
    assert [workload["in_sample"] for workload in record["workloads"]] == [False]
    assert "`-i` may change files" in (project / "optbuild.toml").read_text()


def test_a_program_that_reads_standard_input_gets_a_file_there(optbuild: Optbuild, tmp_path: Path) -> None:
    """Its sources say that it reads nothing else."""
    main = 'fn main() { let text = std::io::read_to_string(std::io::stdin()).unwrap(); println!("{}", work(&text)); }'
    files = {"src/main.rs": WORK + main, "fixtures/one.txt": TEXT, "fixtures/two.txt": TEXT + "more"}
    build_profile, _ = first_table(optbuild, write_package(tmp_path, "reader", files))
    assert [(item["command"], item["stdin"]) for item in build_profile["workloads"]] == [
        (["{bin}"], "fixtures/one.txt"),
        (["{bin}"], "fixtures/two.txt"),
    ]


def test_a_program_that_writes_is_given_copies(optbuild: Optbuild, tmp_path: Path) -> None:
    """What may change its input never sees the file of the project; each run starts from the same one."""
    main = (
        "fn main() { let path = std::env::args().nth(1).unwrap(); let text = std::fs::read_to_string(&path).unwrap();"
        ' std::fs::write(&path, format!("{}", work(&text))).unwrap(); }'
    )
    project = write_package(tmp_path, "rewriter", {"src/main.rs": WORK + main, "testdata/a.txt": TEXT})
    build_profile, _ = first_table(optbuild, project)
    (workload,) = build_profile["workloads"]
    assert workload["command"] == ["{bin}", "{scratch}/a.txt"]
    assert workload["prepare"] == ["cp", "testdata/a.txt", "{scratch}/a.txt"]
    assert (project / "testdata" / "a.txt").read_text() == TEXT


def test_benches_go_before_all_else(optbuild: Optbuild, tmp_path: Path) -> None:
    """A bench that stable Rust can build is the workload; one that needs a nightly is named with the reason."""
    files = {
        "src/lib.rs": WORK,
        "src/main.rs": 'fn main() { println!("{}", busy::work(&std::env::args().nth(1).unwrap())); }',
        "benches/speed.rs": f'fn main() {{ println!("{{}}", busy::work({json.dumps(TEXT)})); }}',
        "benches/old.rs": "#![feature(test)]\nextern crate test;\n",
    }
    project = write_package(tmp_path, "busy", files, '[[bench]]\nname = "speed"\nharness = false\n')
    build_profile, record = first_table(optbuild, project, ("pgo",), ("release", "lto", "pgo"))
    assert [item["cargo"] for item in build_profile["workloads"]] == [["bench", "--bench", "speed"]]
    assert [workload["in_sample"] for workload in record["workloads"]] == [True]
    assert "Not proposed: it needs a nightly rustc" in (project / "optbuild.toml").read_text()


def test_a_library_is_measured_by_its_examples(optbuild: Optbuild, tmp_path: Path) -> None:
    """A workspace of libraries builds examples that need nothing; one that wants arguments is named with the reason."""
    write_package(tmp_path / "core", "core-words", {"src/lib.rs": WORK})
    write_package(
        tmp_path / "api",
        "api-words",
        {
            "src/lib.rs": "pub use core_words::work;",
            "examples/demo.rs": f'fn main() {{ println!("{{}}", api_words::work({json.dumps(TEXT)})); }}',
            "examples/tool.rs": 'fn main() { println!("{}", api_words::work(&std::env::args().nth(1).unwrap())); }',
        },
        '[dependencies]\ncore-words = { path = "../core" }\n',
    )
    (tmp_path / "Cargo.toml").write_text('[workspace]\nmembers = ["core", "api"]\nresolver = "2"\n')
    build_profile, _ = first_table(optbuild, tmp_path)
    assert build_profile["project"] == {"package": "api-words", "bins": ["demo"]}
    assert [item["command"] for item in build_profile["workloads"]] == [["{bin:demo}"]]
    assert "Not proposed: it reads its command line." in (tmp_path / "optbuild.toml").read_text()


def test_a_library_is_measured_by_its_tests(optbuild: Optbuild, tmp_path: Path) -> None:
    """Where no example runs by itself, tests train and measure, and an example is what is built."""
    files = {
        "src/lib.rs": WORK,
        "examples/tool.rs": 'fn main() { println!("{}", tested::work(&std::env::args().nth(1).unwrap())); }',
        "tests/works.rs": f"#[test]\nfn works() {{ assert_ne!(tested::work({json.dumps(TEXT)}), 1); }}",
    }
    build_profile, _ = first_table(optbuild, write_package(tmp_path, "tested", files))
    assert build_profile["project"] == {"bins": ["tool"]}
    assert [item["cargo"] for item in build_profile["workloads"]] == [["test", "--test", "works"]]


@pytest.mark.parametrize("kind", ["benches", "tests", "unit"])
def test_a_library_alone_is_measured_by_its_benches_or_tests(optbuild: Optbuild, tmp_path: Path, kind: str) -> None:
    """Nothing but a library is built for a variant, which has no size then; a rerun finds all of it."""
    call = f"alone::work({json.dumps(TEXT)})"
    test = f"#[test]\nfn works() {{ assert_ne!({call.replace('alone', 'crate' if kind == 'unit' else 'alone')}, 1); }}"
    files = {
        "benches": {"src/lib.rs": WORK, "benches/speed.rs": f"fn main() {{ assert_ne!({call}, 1); }}"},
        "tests": {"src/lib.rs": WORK, "tests/works.rs": test},
        "unit": {"src/lib.rs": WORK + test},
    }[kind]
    manifest = '[[bench]]\nname = "speed"\nharness = false\n' if kind == "benches" else ""
    project = write_package(tmp_path, "alone", files, manifest)
    build_profile, record = first_table(optbuild, project)
    calls = {"benches": ["bench", "--bench", "speed"], "tests": ["test", "--test", "works"], "unit": ["test", "--lib"]}
    assert "project" not in build_profile
    assert [item["cargo"] for item in build_profile["workloads"]] == [calls[kind]]
    assert [variant["artifacts"] for variant in record["variants"]] == [[], []]
    again = optbuild.run("run", "pgo", "--json", "--max-time", "1s", cwd=project).expect(0).document
    is_kept = record["result_key"] is not None  # not where a copy of the baseline differed, on a noisy machine
    assert (again["run_id"] == record["run_id"]) == is_kept


def test_a_workspace_is_about_the_program_that_most_is_known_of(optbuild: Optbuild, tmp_path: Path) -> None:
    """Of several programs the one with the surest workload is taken, and the commands for the others are named."""
    server = "fn main() { let _ = std::net::TcpListener::bind(std::env::args().nth(1).unwrap()); }"
    main = f'fn main() {{ let path = std::env::args().nth(1).expect("usage: words FILE"); {PRINT_FILE} }}'
    write_package(tmp_path / "server", "server", {"src/main.rs": server})
    write_package(tmp_path / "words", "words", {"src/main.rs": WORK + main, "tests/fixtures/a.txt": TEXT})
    (tmp_path / "Cargo.toml").write_text('[workspace]\nmembers = ["server", "words"]\nresolver = "2"\n')
    said = optbuild.run("init", cwd=tmp_path).expect(0)
    assert "for another: optbuild init --package server" in said.stderr
    build_profile, _ = first_table(optbuild, tmp_path)
    assert build_profile["project"] == {"package": "words"}
    assert [item["command"] for item in build_profile["workloads"]] == [["{bin}", "words/tests/fixtures/a.txt"]]
