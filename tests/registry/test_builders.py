"""Builders that come from PyPI, for real."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.optbuild_program import CRATES, Optbuild, edit, variant_of
from tests.registry.crates_here import CRATES as REGISTRY_CRATES

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


def test_maturin_makes_a_wheel_that_is_trained_measured_and_installed(optbuild: Optbuild, tmp_path: Path) -> None:
    """A driver imports it from where it is unpacked; pip finds it whole, and it is the one that was proved."""
    project = shutil.copytree(REGISTRY_CRATES / "pymod", tmp_path / "pymod")
    profile = project / "optbuild.toml"
    table = f'[project]\nbuilder = "maturin"\ninterpreters = ["{sys.executable}"]\n[variants.lto]'
    edit(profile, "[variants.lto]", table)
    edit(profile, '["python3", "drive.py", "{lib}", "20000"]', '["{python}", "import.py", "20000"]')
    (project / "import.py").write_text("import sys, pymod\nprint(pymod.steps(int(sys.argv[1])))\n")
    record = optbuild.run("pgo", "--json", cwd=project).expect(0).document
    pgo = variant_of(record, "pgo")
    assert pgo["pgo"]["applied"]
    assert pgo["pgo"]["mismatched_functions"] == 0
    assert {item["equal"] for item in record["outputs"]} == {True}
    assert record["benchmarks"]
    assert [item["bin"] for item in pgo["artifacts"]] == ["libpymod.so", "wheel"]
    (wheel,) = (project / "target/optbuild/artifacts/pgo").glob("*.whl")
    stored = project / f"target/optbuild/runs/{record['run_id']}/record.json"
    shown = optbuild.run("verify", str(wheel), "--record", str(stored), cwd=project).expect(0).stdout
    assert "in the record" in shown

    subprocess.check_call([sys.executable, "-m", "venv", str(tmp_path / "venv")])
    python = tmp_path / "venv/bin/python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    subprocess.check_call([*pip, "install", "--no-index", str(wheel)])
    subprocess.check_call([*pip, "check"])
    listed = subprocess.check_output([*pip, "show", "--files", "pymod"], text=True)
    assert "pymod/pymod.abi3.so" in listed
    answer = subprocess.check_output([python, project / "import.py", "10"], text=True)
    assert answer == "61\n"
