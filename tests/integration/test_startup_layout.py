"""Functions in the order in which training first ran them, with real tools."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from optbuild.tools.elf_symbols import read_functions
from tests.integration.optbuild_program import Optbuild, copy_crate, edit, variant_of

pytestmark = pytest.mark.pgo

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "many-commands"
PROFILE = """\
schema = 1
[variants.release]
[variants.startup]
inherits = "release"
pgo = true
layout = "startup"
[[workloads]]
name = "training"
use = ["train"]
command = ["{bin}", "sum", "data/train.txt"]
[profile-data]
path = "modes.pgodata"
use = "never"
"""


def test_the_linker_puts_functions_in_the_order_of_training(optbuild: Optbuild, tmp_path: Path) -> None:
    """The evidence says so, and so do the addresses: what runs first stands before what it calls."""
    project = copy_crate("modes", tmp_path / "modes")
    (project / "data").mkdir(exist_ok=True)
    (project / "data/train.txt").write_text("3 5 7\n")
    (project / "optbuild.toml").write_text(PROFILE)
    record = optbuild.run("build", "--json", cwd=project).expect(0).document
    startup = variant_of(record, "startup")
    checks = {check["name"]: check for check in startup["pgo"]["checks"]}
    assert checks["the profile has the order in which functions first ran"]["passed"]
    order = checks["neighbours in the order in which they first ran"]
    assert order["passed"]
    assert order["value"] > 0.9
    functions = read_functions(Path(startup["artifacts"][0]["path"]))
    main, first = (
        next(at for name, (at, _) in functions.items() if part in name) for part in ("5modes4main", "5modes3sum")
    )
    assert main < first


def test_counts_with_the_order_are_explained_like_others(optbuild: Optbuild, tmp_path: Path) -> None:
    """And what is committed are those of a variant without an order, which a file does not hold."""
    project = copy_crate("modes", tmp_path / "modes")
    (project / "data").mkdir(exist_ok=True)
    (project / "data/train.txt").write_text("3 5 7\n")
    plain = '[variants.pgo]\ninherits = "release"\npgo = true\n'
    (project / "optbuild.toml").write_text(PROFILE.replace("[variants.startup]", f"{plain}[variants.startup]"))
    assert "modes::sum" in optbuild.run("explain", "startup", cwd=project).expect(0).stdout
    assert "does not say in which" in optbuild.run("train", "--variant", "startup", cwd=project).expect(2).stderr
    optbuild.run("train", cwd=project).expect(0)
    optbuild.run("train", "--check", cwd=project).expect(0)
    edit(project / "optbuild.toml", '"never"', '"auto"')
    assert "variant pgo" in optbuild.run("verify", cwd=project).expect(0).stdout
    assert "startup will be trained" in optbuild.run("build", cwd=project).expect(0).stderr


def test_a_long_start_touches_fewer_pages(optbuild: Optbuild, tmp_path: Path) -> None:
    """The example, with fewer commands: what registers them lies together, which PGO alone has no reason for."""
    project = shutil.copytree(EXAMPLE, tmp_path / "many", ignore=shutil.ignore_patterns("target"))
    commands = project / "src" / "commands.rs"
    commands.write_text(re.sub(r"c\d{3} = (?:\d{3}|[89]\d),", "", commands.read_text()))
    record = optbuild.run("run", "--json", "--max-time", "5s", cwd=project).expect(0).document
    change = {each["candidate"]: each["change"] for each in record["comparisons"] if each["metric"] == "faults"}
    assert change["startup"] < -0.025 < change["pgo"]
