"""`optbuild verify FILE`, with real programs: what was built, what was built over it, and what was done to it."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, copy_crate

pytestmark = pytest.mark.pgo

BUILD_PROFILE = """\
schema = 1

[variants.release]
[variants.pgo]
inherits = "release"
pgo = true

[[workloads]]
name = "training"
command = ["{bin}", "data/train.txt"]
use = ["train"]
"""


def verdicts(optbuild: Optbuild, project: Path, file: Path, status: int, *more: str) -> dict[str, str]:
    """The verdict of each check."""
    result = optbuild.run("verify", str(file), "--record", "record.json", "--json", *more, cwd=project)
    return {check["name"]: check["verdict"] for check in result.expect(status).document["checks"]}


def test_what_people_get_is_what_was_proved(optbuild: Optbuild, tmp_path: Path) -> None:
    """The program passes in an archive and a wheel; the plain, the instrumented and a changed one do not."""
    project = copy_crate("tally", tmp_path / "tally")
    (project / "optbuild.toml").write_text(BUILD_PROFILE)
    built = optbuild.run("build", "--json", cwd=project).expect(0)
    (project / "record.json").write_text(built.stdout)
    artifacts = project / "target" / "optbuild" / "artifacts"
    packed, wheel = project / "tally.tar.gz", project / "tally.whl"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(artifacts / "pgo" / "tally", "tally-0.1.0/tally")
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(artifacts / "pgo" / "tally", "tally-0.1.0.data/scripts/tally")
    for file in (packed, wheel, artifacts / "pgo" / "tally"):
        assert set(verdicts(optbuild, project, file, 0).values()) == {"pass"}

    plain = verdicts(optbuild, project, artifacts / "release" / "tally", 1)
    assert (plain["in the record"], plain["differs from the plain build"]) == ("pass", "fail")

    changed = project / "changed"
    shutil.copy(artifacts / "pgo" / "tally", changed)
    with changed.open("ab") as stream:
        stream.write(b"\0")
    assert verdicts(optbuild, project, changed, 1)["in the record"] == "fail"

    kept = (project / "target" / "optbuild" / "binaries").glob("*/tally")
    instrumented = next(path for path in kept if b"__llvm_prf_cnts" in path.read_bytes())
    assert verdicts(optbuild, project, instrumented, 1)["not instrumented"] == "fail"

    packed.write_bytes(packed.read_bytes()[:-100])
    error = optbuild.run("verify", str(packed), "--record", "record.json", "--json", cwd=project).expect(2).error
    assert "cut short" in error["message"]
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(project / "Cargo.toml", "Cargo.toml")
    error = optbuild.run("verify", str(packed), "--record", "record.json", "--json", cwd=project).expect(2).error
    assert "holds no program" in error["message"]
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(artifacts / "pgo" / "tally", "a/tally")
        archive.add(artifacts / "release" / "tally", "b/tally")
    error = optbuild.run("verify", str(packed), "--record", "record.json", "--json", cwd=project).expect(2).error
    assert "holds 2 programs: a/tally, b/tally" in error["message"]
    error = optbuild.run("verify", str(changed), "--record", "Cargo.toml", "--json", cwd=project).expect(2).error
    assert "is not a record" in error["message"]
