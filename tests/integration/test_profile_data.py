"""Committed counts, with real cargo: written by one build, and taken by others that have other names."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.integration.optbuild_program import Optbuild, copy_crate, edit, variant_of

pytestmark = pytest.mark.pgo

BUILD_PROFILE = """\
schema = 1

[variants.release]
[variants.pgo]
inherits = "release"
pgo = true

[profile-data]
path = "pgo/tally.pgodata"
use = "{use}"

[[workloads]]
name = "training"
command = ["{bin}", "data/train.txt"]
use = ["train"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own."""
    return copy_crate("tally", tmp_path / "tally")


def say(project: Path, use: str) -> None:
    """Write the build profile."""
    (project / "optbuild.toml").write_text(BUILD_PROFILE.replace("{use}", use))


def build(optbuild: Optbuild, project: Path, status: int = 0) -> dict[str, Any]:
    """Build; the record."""
    return optbuild.run("build", "--json", cwd=project).expect(status).document


def test_counts_are_found_again_in_the_next_version(optbuild: Optbuild, project: Path) -> None:
    """A version changes every name: all counts find their function, nothing is trained, and the evidence holds."""
    say(project, "auto")
    trained = optbuild.run("train", cwd=project).expect(0)
    assert "functions with counts" in trained.stdout
    file = project / "pgo" / "tally.pgodata"
    first = file.read_bytes()
    for name in ("Cargo.toml", "Cargo.lock"):
        edit(project / name, 'name = "tally"\nversion = "0.1.0"', 'name = "tally"\nversion = "0.2.0"')
    shutil.rmtree(project / "target")
    say(project, "always")
    record = build(optbuild, project)
    pgo = variant_of(record, "pgo")["pgo"]
    assert (pgo["source"], pgo["attempt"], pgo["applied"]) == ("profile-data", "profile-data", True)
    assert pgo["matched_ratio"] == 1
    assert pgo["mismatched_functions"] == 0
    assert "train" not in {step["kind"] for step in variant_of(record, "pgo")["steps"]}
    assert file.read_bytes() == first


def test_a_file_cut_short_is_refused_before_anything_is_built(optbuild: Optbuild, project: Path) -> None:
    """A broken file is named, kept, and never taken for fewer counts; nor is it trained over in silence."""
    say(project, "auto")
    optbuild.run("train", cwd=project).expect(0)
    file = project / "pgo" / "tally.pgodata"
    cut = file.read_bytes()[:-1]
    file.write_bytes(cut)
    result = optbuild.run("build", cwd=project).expect(13)
    assert "is cut short" in result.stderr
    result = optbuild.run("train", cwd=project).expect(13)
    assert file.read_bytes() == cut


def test_without_the_file_variants_are_trained(optbuild: Optbuild, project: Path) -> None:
    """Nothing is committed yet: `auto` trains, and `always` says what is missing before anything is built."""
    say(project, "always")
    error = build(optbuild, project, status=13)["error"]
    assert "there is no pgo/tally.pgodata" in error["message"]
    say(project, "auto")
    assert variant_of(build(optbuild, project), "pgo")["pgo"]["source"] == "trained"


def test_a_lock_of_another_profile_is_refused(optbuild: Optbuild, project: Path) -> None:
    """A lock and a profile of two commits do not belong together."""
    say(project, "auto")
    optbuild.run("train", cwd=project).expect(0)
    lock = project / "pgo" / "tally.pgodata.lock"
    edit(lock, '"content_sha256": "', '"content_sha256": "0000')
    text = lock.read_text()
    start = text.index('"0000') + 1
    lock.write_text(text[: start + 64] + text[start + 68 :])
    error = build(optbuild, project, status=13)["error"]
    assert "does not belong to the profile beside it" in error["message"]
