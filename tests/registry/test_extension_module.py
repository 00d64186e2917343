"""An extension module of Python by PyO3, driven by a script."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, variant_of
from tests.registry.crates_here import CRATES

pytestmark = [pytest.mark.pgo, pytest.mark.registry]


def test_an_extension_module_is_trained_and_measured_by_a_script(optbuild: Optbuild, tmp_path: Path) -> None:
    """It is loaded from the path of each variant; its counts are written when the interpreter ends."""
    project = shutil.copytree(CRATES / "pymod", tmp_path / "pymod")
    record = optbuild.run("pgo", "--json", cwd=project).expect(0).document
    pgo = variant_of(record, "pgo")["pgo"]
    assert pgo["applied"]
    assert pgo["mismatched_functions"] == 0
    assert "pymod" in {crate["name"] for crate in pgo["crates"]}
    assert {item["equal"] for item in record["outputs"]} == {True}
    (library,) = (project / "target/optbuild/artifacts/pgo").iterdir()
    argv = [sys.executable, str(project / "drive.py"), str(library), "10"]
    assert subprocess.check_output(argv, text=True) == "61\n"
