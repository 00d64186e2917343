"""`examples/csv-totals`: the counts that are committed there build the program, and nothing is trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, variant_of

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/csv-totals"


@pytest.mark.pgo
def test_the_example_is_built_from_its_committed_counts(optbuild: Optbuild, tmp_path: Path) -> None:
    """The counts find their functions, no instrumented program is run, and the files stay as they are."""
    project = tmp_path / "csv-totals"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("target"))
    record = optbuild.run("build", "--json", "pgo", cwd=project).expect(0).document
    built = variant_of(record, "pgo")
    assert built["pgo"]["source"] == "profile-data"
    assert built["pgo"]["applied"]
    assert built["pgo"]["matched_ratio"] >= 0.9
    assert built["pgo"]["raw_profiles"] == 0
    assert "train" not in {step["kind"] for step in built["steps"]}
    for name in ("csv-totals.pgodata", "csv-totals.pgodata.lock"):
        assert (project / "pgo" / name).read_bytes() == (EXAMPLE / "pgo" / name).read_bytes()
