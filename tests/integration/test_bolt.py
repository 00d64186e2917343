"""BOLT with real tools: programs that are laid out run, show their evidence, and are dropped where they must be."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from optbuild.tools.elf import Relro, read_elf
from tests.integration.optbuild_program import Optbuild, copy_crate, edit, variant_of

pytestmark = pytest.mark.bolt

LONG = "name_" * 1500
"""Two of these in one line of counts are more than BOLT's runtime has room for."""

TALLY = """\
schema = 1
[variants.release]
[variants.pgo]
inherits = "release"
pgo = true
[variants.bolt]
inherits = "pgo"
bolt = %s
[[workloads]]
name = "training"
use = ["train"]
command = ["{bin}", "data/train.txt"]
[[workloads]]
name = "benchmark"
use = ["bench"]
command = ["{bin}", "data/bench.txt"]
[measure]
max-time = "500ms"
[gates]
max-size-growth = "0%%"
"""

ANSWERS = """\
schema = 1
[project]
bins = ["answers", "ask"]
[variants.release]
[variants.bolt]
bolt = true
[[workloads]]
name = "requests"
use = ["train"]
server = ["{bin:answers}", "{port}"]
ready = { stdout = "listening", within = "60s" }
load = ["{bin:ask}", "{port}", "200"]
grace = "60s"
"""


@pytest.fixture(scope="module")
def tally(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program one of whose functions has a name that BOLT's runtime cannot write."""
    project = copy_crate("tally", tmp_path_factory.mktemp("bolt") / "tally")
    edit(project / "src/main.rs", "fn length(", f"#[inline(never)]\nfn {LONG}(")
    edit(project / "src/main.rs", "map(length)", f"map({LONG})")
    (project / "optbuild.toml").write_text(TALLY % "true")
    return project


def _runs(program: Path, *arguments: str) -> str:
    ended = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    return ended.stdout


def test_a_program_is_laid_out_by_what_it_did_in_training(shared_optbuild: Optbuild, tally: Path) -> None:
    """After PGO, whose evidence holds as well; long names and all."""
    record = shared_optbuild.run("build", "--json", cwd=tally).expect(0).document
    bolt = variant_of(record, "bolt")
    assert bolt["pgo"]["applied"]
    found = bolt["bolt"]
    assert found["kept"]
    assert found["functions_with_counts"] > 0
    assert found["taken_branches_change"] is not None
    (artifact,) = bolt["artifacts"]
    plain = Path(variant_of(record, "release")["artifacts"][0]["path"])
    program = Path(artifact["path"])
    data = str(tally / "data/bench.txt")
    assert _runs(program, data) == _runs(plain, data)
    facts = read_elf(program.read_bytes())
    assert (facts.relro, facts.executable_stack, facts.position_independent) == (Relro.FULL, False, True)
    assert not facts.instrumentation
    assert b"optbuild_long_" not in program.read_bytes()


def test_the_next_build_makes_nothing_again(shared_optbuild: Optbuild, tally: Path) -> None:
    """Counts, and what BOLT made of them, are kept by the content that they depend on."""
    shared_optbuild.run("build", cwd=tally).expect(0)
    record = shared_optbuild.run("build", "--json", cwd=tally).expect(0).document
    assert variant_of(record, "bolt")["status"] == "reused"


def test_a_layout_that_is_too_large_is_dropped(shared_optbuild: Optbuild, tally: Path) -> None:
    """The variant is then the binary without BOLT, and says so everywhere."""
    (tally / "optbuild.toml").write_text(TALLY % '"auto"')
    shared_optbuild.run("pgo", cwd=tally).expect(0)
    record = shared_optbuild.run("report", "--format", "json", cwd=tally).expect(0).document
    bolt, pgo = variant_of(record, "bolt"), variant_of(record, "pgo")
    assert not bolt["bolt"]["kept"]
    assert "larger than without BOLT" in bolt["bolt"]["reason"]
    assert bolt["artifacts"][0]["sha256"] == pgo["artifacts"][0]["sha256"]
    assert Path(bolt["artifacts"][0]["path"]).read_bytes() == Path(pgo["artifacts"][0]["path"]).read_bytes()
    for format_ in ("terminal", "markdown"):
        text = shared_optbuild.run("report", "--format", format_, cwd=tally).expect(0).stdout
        assert "bolt is shipped without BOLT" in " ".join(text.split())


def test_packed_debug_information_is_no_obstacle_where_it_is_stripped(optbuild: Optbuild, tmp_path: Path) -> None:
    """Rustc cannot pack it while the linker keeps relocations, and nobody gets it."""
    project = copy_crate("tally", tmp_path / "tally")
    (project / "optbuild.toml").write_text(TALLY % "true")
    with (project / "Cargo.toml").open("a") as manifest:
        manifest.write('[profile.release]\ndebug = 2\nsplit-debuginfo = "packed"\nstrip = "symbols"\n')
    record = optbuild.run("build", "bolt", "--json", cwd=project).expect(0).document
    assert variant_of(record, "bolt")["bolt"]["kept"]


def test_a_server_that_a_signal_ends_is_counted(optbuild: Optbuild, tmp_path: Path) -> None:
    """It never returns from `main`, and its branches are there all the same; without PGO, too."""
    project = copy_crate("answers", tmp_path / "answers")
    (project / "optbuild.toml").write_text(ANSWERS)
    record = optbuild.run("build", "bolt", "--json", cwd=project).expect(0).document
    bolt = variant_of(record, "bolt")
    assert bolt["bolt"]["functions_with_counts"] > 0
    trained = [step for step in bolt["steps"] if step["kind"] == "bolt-train"]
    assert len(trained) == 1
    counted = project / "target/optbuild/profdata"
    assert {path.name for path in counted.glob("bolt-merge-*/*.fdata")} == {"answers.fdata", "ask.fdata"}


def test_a_bolt_of_another_llvm_is_passed_over(optbuild: Optbuild, tmp_path: Path) -> None:
    """Even if it is named, and with the reason."""
    project = copy_crate("tally", tmp_path / "tally")
    other = tmp_path / "llvm-bolt"
    other.write_text("#!/bin/sh\necho 'LLVM version 14.0.6'; echo BOLT\n")
    other.chmod(0o755)
    doctor = optbuild.run("doctor", cwd=project, env={"LLVM_BOLT": str(other)})
    assert "rejected: LLVM 14" in " ".join((doctor.stdout + doctor.stderr).split())
