"""`optbuild flamegraph`, with real cargo and whatever samples on this machine: where a program's time goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import jsonschema
import pytest

from optbuild.report.flame.document import make_document_schema
from tests.integration.optbuild_program import Optbuild, copy_crate

pytestmark = pytest.mark.valgrind  # what is used where perf may not sample

COMPUTE = ("--", "{bin}", "compute", "300000")
BRIEFLY = ("--max-time", "3s")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project for all tests here, so that it is built once."""
    return copy_crate("habits", tmp_path_factory.mktemp("flamegraph") / "habits")


def test_the_function_that_computes_is_at_the_top(shared_optbuild: Optbuild, project: Path) -> None:
    """Its name has no hash; nothing is published, and no run is stored."""
    ended = shared_optbuild.run("flamegraph", "release", "--json", *BRIEFLY, *COMPUTE, cwd=project).expect(0)
    document = ended.document
    jsonschema.validate(document, make_document_schema())
    assert document["tool"] in {"perf", "callgrind"}
    top = document["functions"][0]
    assert top["function"] == "habits::compute"
    assert top["itself"]["variant"] > document["total"]["variant"] / 2
    page = Path(document["output"])
    assert page == project / "target/optbuild/flamegraphs/release.html"
    assert "habits::compute" in page.read_text("utf-8")
    assert not (project / "target/optbuild/artifacts/release").exists()
    assert not (project / "target/optbuild/observing").exists()
    assert "no stored run" in shared_optbuild.run("report", cwd=project).stderr


def test_a_difference_has_both_variants(shared_optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """The same function is the same frame, however it was optimised."""
    words = ("flamegraph", "smaller", "--diff", "release", *BRIEFLY, "-o", tmp_path / "out.folded", *COMPUTE)
    ended = shared_optbuild.run(*words, cwd=project).expect(0)
    assert f"wrote {tmp_path}/out.folded" in ended.stderr
    assert ended.stdout == ""
    lines = (tmp_path / "out.folded").read_text("utf-8").splitlines()
    both = [line.split(" ")[-2:] for line in lines if line.split(" ")[0].endswith(";habits::main;habits::compute")]
    assert both
    assert all(int(base) > 0 and int(variant) > 0 for base, variant in both)


def test_where_perf_may_not_sample_callgrind_counts(shared_optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """It says so, and why; another program of that name must not hide what the machine forbids."""
    forbidding = tmp_path / "bin" / "perf"
    forbidding.parent.mkdir()
    forbidding.write_text("#!/bin/sh\necho 'Error:\nNo permission to enable cycles event.' >&2\nexit 255\n")
    forbidding.chmod(0o755)
    env = {"PATH": f"{forbidding.parent}{os.pathsep}{shared_optbuild.environ['PATH']}"}
    words = ("flamegraph", "release", "--json", "--", "{bin}", "compute", "300")
    ended = shared_optbuild.run(*words, cwd=project, env=env).expect(0)
    assert "No permission to enable cycles event" in ended.stderr
    document = ended.document
    assert (document["tool"], document["unit"]) == ("callgrind", "instructions")
    assert document["notes"]
    found = {each["function"]: each["itself"]["variant"] for each in document["functions"]}
    assert found["habits::compute"] > 10_000


def path_without(name: str, path: str, directory: Path) -> str:
    """The same PATH on a machine that lacks a program: all others stand in directories of their own."""
    kept = []
    for number, entry in enumerate(map(Path, path.split(os.pathsep))):
        others = directory / str(number)
        if (entry / name).exists():
            others.mkdir(parents=True)
            for program in entry.iterdir():
                if program.name != name:
                    (others / program.name).symlink_to(program)
        kept.append(str(others if others.exists() else entry))
    return os.pathsep.join(kept)


def test_a_request_that_cannot_be_met_is_refused_before_anything_runs(
    shared_optbuild: Optbuild, project: Path, tmp_path: Path
) -> None:
    """With what mends it."""
    path = path_without("inferno-flamegraph", shared_optbuild.environ["PATH"], tmp_path / "programs")
    env = {"PATH": path, "CARGO_HOME": str(tmp_path)}
    for words, status, said in (
        (("nosuch",), 2, "unknown variant"),
        (("release", "--diff", "release"), 2, "cannot be compared with itself"),
        (("release", "--workload", "wrods"), 2, "did you mean"),
        (("release", "--format", "png"), 2, "there is no format 'png'"),
        (("release", "--unwind", "magic"), 2, "choose one of: fp, dwarf"),
        (("release", "-o", "x.svg"), 3, "doctor --fix --flamegraph"),
    ):
        ended = shared_optbuild.run("flamegraph", *words, cwd=project, env=env)
        assert said in ended.expect(status).stderr


def test_a_program_that_crashes_or_does_nothing_is_an_error(shared_optbuild: Optbuild, project: Path) -> None:
    """A profile of a crash would be none of the work."""
    ended = shared_optbuild.run(
        "flamegraph", "release", "--", "sh", "-c", "{bin} compute 9; kill -SEGV $$", cwd=project
    )
    assert "SIGSEGV" in ended.expect(11).stderr


def test_debug_builds_are_no_benchmark(shared_optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """By Cargo's profile, or by the file; the caller may insist."""
    source = tmp_path / "demo.rs"
    source.write_text(
        "fn main() { let n: usize = std::env::args().nth(1).unwrap().parse().unwrap(); let v: Vec<usize> = (0..n)"
        '.map(|i| i * i % 7).collect(); println!("{}", v.iter().filter(|i| **i > 2).sum::<usize>()); }'
    )
    for name, flags in (("debug", ()), ("optimised", ("-O",))):
        argv = ["rustc", *flags, str(source), "-o", str(tmp_path / name)]
        subprocess.run(argv, check=True, env=dict(shared_optbuild.environ), cwd=tmp_path)
    words = ("bench", "a=optimised", "b=debug", "--max-time", "1s", "--json", "--", "{bin}", "100000")
    refused = shared_optbuild.run(*words[:3], *words[6:], cwd=tmp_path).expect(2)
    assert "b looks like a debug build" in refused.stderr
    assert "--allow-debug" in refused.stderr
    allowed = shared_optbuild.run(*words[:6], "--allow-debug", *words[6:], cwd=tmp_path).expect(0)
    assert {each["name"] for each in json.loads(allowed.stdout)["variants"]} == {"a", "b"}
    development = 'schema = 1\n[project]\ncargo-profile = "dev"\n[variants.release]\n'
    (project / "dev.toml").write_text(development + '[[workloads]]\nname = "a"\ncommand = ["{bin}", "compute", "9"]\n')
    for command in (("run",), ("flamegraph", "release")):
        refused = shared_optbuild.run(*command, "-f", project / "dev.toml", cwd=project).expect(2)
        assert "opt-level = 0, debug assertions, overflow checks" in refused.stderr


def test_an_interrupt_leaves_no_process(shared_optbuild: Optbuild, project: Path) -> None:
    """Neither the program nor what samples it."""
    with shared_optbuild.start("flamegraph", "release", "--", "{bin}", "wait", "4000", cwd=project) as running:
        running.await_saying("outputs of")
        running.send(signal.SIGINT)
        assert running.end().status == 128 + signal.SIGINT
    shared_optbuild.await_no_children()
