"""`optbuild advise`, with real cargo and a real sampler, on a program that is slow in known ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, copy_crate, edit

# What a Criterion bench does as far as anyone can see; its work has been removed by the compiler.
FOLDED = """
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    assert!(!arguments.contains(&"--help".into()), "This executable is a Criterion.rs benchmark.");
    for name in ["sum/10", "sum/10000"] {
        println!("{name} time: [2 ns]");
        let home = std::env::var("CRITERION_HOME").unwrap();
        let directory = std::path::Path::new(&home).join(name).join("new");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("sample.json"), "{\\"iters\\": [1, 2, 3], \\"times\\": [2, 4, 6]}").unwrap();
        let benchmark = format!("{{\\"full_id\\": \\"{name}\\"}}");
        std::fs::write(directory.join("benchmark.json"), benchmark).unwrap();
    }
}
"""


@pytest.mark.valgrind
def test_each_way_of_being_slow_is_told_from_the_others(optbuild: Optbuild, tmp_path: Path) -> None:
    """Arithmetic is the compiler's, strings are the allocator's, and system calls are the kernel's: nothing can pay."""
    project = copy_crate("habits", tmp_path / "habits")
    edit(project / "optbuild.toml", '"words", "300"', '"compute", "100000"')
    edit(project / "optbuild.toml", '"grow", "300"', '"kernel", "100000"')
    document = optbuild.run("advise", "--json", "--max-time", "100ms", cwd=project).expect(0).document
    computing, calling = document["workloads"]
    assert computing["parts"]["own"] > 0.8
    assert {each["remedy"] for each in computing["prospects"] if each["can_pay"]} == {"lto", "pgo", "bolt"}
    assert "hot-function" in {each["kind"] for each in computing["findings"]}
    assert computing["allocated_blocks"] is not None
    assert not (project / "target" / "optbuild" / "artifacts" / "release").exists()
    if document["tool"] == "perf":  # callgrind does not see the kernel
        assert calling["parts"]["kernel"] > 0.3
        (found,) = [each for each in calling["findings"] if each["kind"] == "kernel"]
        assert "habits::kernel" in found["figure"]
    error = optbuild.run("advise", "--json", "--workload", "none", cwd=project).expect(2).error
    assert "'none'" in error["message"]


@pytest.mark.cargo
def test_benches_whose_time_does_not_grow_with_their_work_are_pointed_out(optbuild: Optbuild, tmp_path: Path) -> None:
    """They measure themselves, so that nothing is sampled; people read it in the report as well."""
    project = copy_crate("abacus", tmp_path / "abacus")
    (project / "benches" / "speed.rs").write_text(FOLDED)
    profile = (
        'schema = 1\n\n[variants.release]\n\n[[workloads]]\nname = "benches"\ncargo = ["bench", "--bench", "speed"]\n'
    )
    (project / "optbuild.toml").write_text(profile + 'use = ["bench"]\n')
    ended = optbuild.run("advise", "--json", cwd=project).expect(0)
    (found,) = ended.document["workloads"]
    assert [finding["kind"] for finding in found["findings"]] == ["folded-bench"]
    assert "2 ns for 10 and 2 ns for 10,000" in found["findings"][0]["figure"]
    assert "black_box" in optbuild.run("advise", cwd=project).expect(0).stdout


def test_what_cargo_runs_without_times_of_its_own_gets_no_advice(optbuild: Optbuild, tmp_path: Path) -> None:
    """It is not sampled, and says what would be."""
    project = copy_crate("tally", tmp_path / "tally")
    workload = '[[workloads]]\nname = "tests"\ncargo = ["test"]\n'
    (project / "optbuild.toml").write_text(f"schema = 1\n\n[variants.release]\n\n{workload}")
    assert "name a workload with `command`" in " ".join(optbuild.run("advise", cwd=project).expect(0).stdout.split())
