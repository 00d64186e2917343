"""The examples that need crates of the registry: a service on tokio, and a program whose threads are rayon's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, variant_of

pytestmark = [pytest.mark.pgo, pytest.mark.registry]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def copy_example(name: str, directory: Path) -> Path:
    """An example without what was built of it, whose dependencies are compiled as quickly as can be."""
    project = shutil.copytree(EXAMPLES / name, directory / name, ignore=shutil.ignore_patterns("target", "data"))
    (project / ".cargo").mkdir()
    (project / ".cargo" / "config.toml").write_text('[profile.release.package."*"]\nopt-level = 0\n')
    return project


def test_a_service_on_tokio_is_trained_under_load(optbuild: Optbuild, tmp_path: Path) -> None:
    """SIGTERM ends each server, and its counts are saved by the object that the instrumented build alone has."""
    project = copy_example("order-server", tmp_path)
    record = optbuild.run("run", "pgo", "--json", "--max-time", "2s", cwd=project).expect(0).document
    pgo = variant_of(record, "pgo")["pgo"]
    assert (pgo["applied"], pgo["flush_object"], pgo["raw_profiles"]) == (True, True, 2)
    assert (pgo["mismatched_functions"], pgo["quarantined"]) == (0, [])
    assert any(crate["name"] == "order_server" for crate in pgo["crates"])
    assert {(item["workload"], item["equal"]) for item in record["outputs"]} == {("mixed", True)}
    assert optbuild.children() == []


def test_a_program_of_rayon_is_trained_with_all_its_threads(optbuild: Optbuild, tmp_path: Path) -> None:
    """Counters that race are plausible all the same, and the result does not depend on who came first."""
    project = copy_example("near-lines", tmp_path)
    subprocess.run([sys.executable, "make_data.py"], cwd=project, check=True)
    record = optbuild.run("run", "pgo", "--json", "--max-time", "2s", cwd=project).expect(0).document
    pgo = variant_of(record, "pgo")["pgo"]
    assert (pgo["applied"], pgo["counters"], pgo["in_sample"]) == (True, "single", False)
    assert (pgo["mismatched_functions"], pgo["raw_profiles"]) == (0, 2)
    assert {(item["workload"], item["equal"]) for item in record["outputs"]} == {("reports", True)}
