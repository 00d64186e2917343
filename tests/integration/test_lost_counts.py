"""Processes that leave no counts: they are counted, and what can save their counts does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.optbuild_program import VARIANTS, Optbuild, edit, variant_of

pytestmark = pytest.mark.pgo

MAIN = """\
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

extern "C" {
    fn _exit(code: i32) -> !;
    fn fork() -> i32;
    fn kill(pid: i32, signal: i32) -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn setrlimit(resource: i32, limit: *const [u64; 2]) -> i32;
}

#[inline(never)]
fn work(n: u64) -> u64 {
    (0..n).fold(7, |x: u64, i| if x % 3 == 0 { x.rotate_left(7) ^ i } else { x.wrapping_mul(6364136223846793005) })
}

fn worker(end: &str) {
    println!("{}", work(std::hint::black_box(1000)));
    match end {
        "exit" => unsafe { _exit(0) },
        "sandboxed" => drop(unsafe { setrlimit(7, &[0, 0]) }), // no file can be opened
        "killed" | "terminated" => loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
        },
        _ => {}
    }
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let end = words[1].as_str();
    if words.len() > 2 {
        return worker(end);
    }
    if end == "replaced" {
        println!("{}", work(std::hint::black_box(1000)));
        panic!("{}", Command::new(std::env::current_exe().unwrap()).args(["normal", "worker"]).exec());
    }
    if end == "forked" {
        // A child without a program of its own, and one that becomes another program.
        let child = unsafe { fork() };
        if child == 0 {
            return worker("");
        }
        unsafe { waitpid(child, std::ptr::null_mut(), 0) };
        unsafe { Command::new("true").pre_exec(|| Ok(())) }.status().unwrap();
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child = command.args([end, "worker"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut answer = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut answer).unwrap();
    match end {
        "killed" => child.kill().unwrap(),
        "terminated" => assert_eq!(unsafe { kill(child.id() as i32, 15) }, 0),
        _ => {}
    }
    child.wait().unwrap();
    print!("{answer}");
}
"""
WARNING = "processes-without-counts"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A program whose front process lets a worker do everything."""
    project = tmp_path / "pool"
    (project / "src").mkdir(parents=True)
    (project / "Cargo.toml").write_text('[package]\nname = "pool"\nversion = "0.1.0"\nedition = "2021"\n')
    (project / "Cargo.lock").write_text('version = 3\n\n[[package]]\nname = "pool"\nversion = "0.1.0"\n')
    (project / "src" / "main.rs").write_text(MAIN)
    workload = '[[workloads]]\nname = "pool"\ncommand = ["{bin}", "END"]\n'
    (project / "optbuild.toml").write_text(f"schema = 1\n{VARIANTS}{workload}")
    return project


def build(optbuild: Optbuild, project: Path, end: str) -> dict[str, Any]:
    """Train with workers that end in this way; the record."""
    edit(project / "optbuild.toml", '"END"', f'"{end}"')
    record = optbuild.run("build", "--json", cwd=project).expect(0).document
    edit(project / "optbuild.toml", f'"{end}"', '"END"')
    return record


def warning_of(record: dict[str, Any]) -> str | None:
    """What is said of processes without counts."""
    return next((item["message"] for item in record["warnings"] if item["code"] == WARNING), None)


def test_processes_that_leave_no_counts_are_counted(optbuild: Optbuild, project: Path) -> None:
    """However that came about; and nothing is said where each process wrote its own."""
    for end in ("exit", "killed", "sandboxed"):
        record = build(optbuild, project, end)
        assert "1 of 2 processes" in (warning_of(record) or ""), end
        assert variant_of(record, "pgo")["pgo"]["processes_without_counts"] == 1
        if end == "sandboxed":
            assert "LLVM's runtime says" in (warning_of(record) or "")
    record = build(optbuild, project, "replaced")
    assert "1 of 1 processes" in (warning_of(record) or "")
    for end in ("normal", "forked"):
        record = build(optbuild, project, end)
        assert warning_of(record) is None, end
        assert variant_of(record, "pgo")["pgo"]["processes_without_counts"] == 0


def test_processes_that_add_nothing_to_a_pool_are_counted(optbuild: Optbuild, project: Path) -> None:
    """By the marks of their starts and ends; one that a signal ends counts as ended where its counts are saved."""
    with (project / "optbuild.toml").open("a") as stream:
        stream.write('[raw-profiles]\nfiles = "pool"\n')
    for end in ("exit", "killed", "terminated"):
        assert "1 of 2 processes" in (warning_of(build(optbuild, project, end)) or ""), end
    assert "1 of 1 processes" in (warning_of(build(optbuild, project, "replaced")) or "")
    for end in ("normal", "forked"):
        assert warning_of(build(optbuild, project, end)) is None, end
    edit(project / "optbuild.toml", 'name = "pool"', 'name = "pool"\nflush-object = true')
    assert warning_of(build(optbuild, project, "terminated")) is None


def test_a_command_whose_workers_a_signal_ends_can_keep_their_counts(optbuild: Optbuild, project: Path) -> None:
    """With the object that servers have by default, if the workload asks for it; what is shipped has neither object."""
    assert "1 of 2 processes" in (warning_of(build(optbuild, project, "terminated")) or "")
    edit(project / "optbuild.toml", 'name = "pool"', 'name = "pool"\nflush-object = true')
    record = build(optbuild, project, "terminated")
    assert warning_of(record) is None
    pgo = variant_of(record, "pgo")
    assert (pgo["pgo"]["raw_profiles"], pgo["pgo"]["flush_object"]) == (2, True)
    for artifact in pgo["artifacts"]:
        content = Path(artifact["path"]).read_bytes()
        assert b"optbuild_marks" not in content
        assert b"LLVM_PROFILE_FILE" not in content
