"""Builders that come from PyPI, for real."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.optbuild_program import CRATES, Optbuild, edit, variant_of

pytestmark = [pytest.mark.pgo, pytest.mark.registry, pytest.mark.builders]


def test_zigbuild_links_with_an_older_glibc_and_trains(optbuild: Optbuild, tmp_path: Path) -> None:
    """The profiler runtime is linked although zig does not take rustc's words for it; symbols are of glibc 2.17."""
    project = shutil.copytree(CRATES / "tally", tmp_path / "tally")
    target = '[project]\nbuilder = "zigbuild"\ntarget = "x86_64-unknown-linux-gnu.2.17"\n[variants.release]'
    edit(project / "optbuild.toml", "[variants.release]", target)
    record = optbuild.run("build", "--json", cwd=project).expect(0).document
    assert variant_of(record, "pgo")["pgo"]["applied"]
    assert record["toolchain"]["builder"]["name"] == "cargo-zigbuild"
    for name in ("release", "pgo"):
        program = project / f"target/optbuild/artifacts/{name}/tally"
        symbols = subprocess.check_output(["objdump", "-T", program], text=True)  # noqa: S607 - of the system
        versions = {tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([\d.]+)", symbols)}
        assert versions
        assert max(versions) <= (2, 17)
