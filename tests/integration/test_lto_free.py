"""Training without LTO, with real rustc: the same counts and binary, and the exact recipe where that is not so."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.optbuild_program import (
    Optbuild,
    copy_crate,
    edit,
    find_profdata,
    first_build,
    variant_of,
    write_script,
)

pytestmark = pytest.mark.pgo

LTO = """\
schema = 1

[variants.release]
lto = "{lto}"
codegen-units = 1
opt-level = 1
[variants.pgo]
inherits = "release"
pgo = true
"""
EXACT = """\
[variants.exact]
inherits = "pgo"
training-lto = "same"
"""
WORKSPACE = """\
[project]
package = "app"
bins = ["north"]
[[workloads]]
name = "training"
command = ["{bin}", "20000"]
use = ["train", "bench"]
"""
TALLY = """\
[[workloads]]
name = "training"
command = ["{bin}", "data/train.txt"]
use = ["train", "bench"]
"""


def build(optbuild: Optbuild, directory: Path, build_profile: str, *, status: int = 0) -> dict[str, Any]:
    """Build every variant of a build profile; the record."""
    (directory / "optbuild.toml").write_text(build_profile)
    return optbuild.run("build", "--json", cwd=directory).expect(status).document


def evidence_of(record: dict[str, Any], variant: str) -> dict[str, Any]:
    """What the record says of a variant's profile."""
    evidence: dict[str, Any] = variant_of(record, variant)["pgo"]
    return evidence


def counts(tool: str, profdata: str) -> set[str]:
    """Every function of a profile that ran, with its hash and its counts."""
    argv = [tool, "show", "--all-functions", "--counts", "--value-cutoff=1", profdata]
    shown = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    blocks = shown.replace("\n    ", " ").splitlines()
    return {block for block in blocks if " Hash: " in block}


@pytest.mark.parametrize("lto", ["fat", "thin"])
def test_without_lto_the_same_functions_are_counted_and_the_binary_is_the_same(
    optbuild: Optbuild, tmp_path: Path, lto: str
) -> None:
    """Names, hashes and counts of all that ran are those of the exact recipe, and so is the optimised program."""
    directory = copy_crate("workspace", tmp_path / "workspace")
    record = build(optbuild, directory, LTO.format(lto=lto) + EXACT + WORKSPACE)
    short, exact = evidence_of(record, "pgo"), evidence_of(record, "exact")
    assert (short["attempt"], short["rejected_attempts"], exact["attempt"]) == ("lto-free", [], "exact")
    assert (short["mismatched_functions"], short["applied"]) == (0, True)
    tool = find_profdata(optbuild, directory)
    counted = counts(str(tool), short["profdata"]["path"])
    assert len(counted) == short["functions_with_counts"] > 0
    assert counted == counts(str(tool), exact["profdata"]["path"])
    release, pgo, other = (variant_of(record, name)["artifacts"][0]["sha256"] for name in ("release", "pgo", "exact"))
    assert pgo == other != release
    instrumented = {first_build(record, name) for name in ("pgo", "exact")}
    assert len(instrumented) == 2, "two instrumented programs were built"


def wrapped(optbuild: Optbuild, script: str) -> Optbuild:
    """An optbuild whose rustc is called by a script of the user's, which changes what is compiled without LTO."""
    wrapper = optbuild.home / "wrapper"
    write_script(wrapper, f'rustc="$1"; shift\ncase "$*" in *-Clto=off*) {script};; esac\nexec "$rustc" "$@"')
    return replace(optbuild, environ={**optbuild.environ, "RUSTC_WRAPPER": str(wrapper)})


OTHER_NAMES = 'set -- "$@" -Cmetadata=other'
NO_PROGRAM = 'case "$*" in *--print*) ;; *) echo "error: no LTO, no program" >&2; exit 1;; esac'


@pytest.mark.parametrize(("script", "reason"), [(OTHER_NAMES, "lost"), (NO_PROGRAM, "cargo failed")])
def test_the_exact_recipe_is_taken_where_the_short_way_will_not_do(
    optbuild: Optbuild, tmp_path: Path, script: str, reason: str
) -> None:
    """What makes the difference is not seen beforehand; the evidence finds it, and the record says why."""
    directory = copy_crate("tally", tmp_path / "tally")
    record = build(wrapped(optbuild, script), directory, LTO.format(lto="fat") + TALLY)
    evidence = evidence_of(record, "pgo")
    assert (evidence["attempt"], evidence["applied"], evidence["mismatched_functions"]) == ("exact", True, 0)
    ((name, why),) = (tuple(item.values()) for item in evidence["rejected_attempts"])
    assert name == "lto-free"
    assert reason in why
    assert (directory / "target/optbuild/artifacts/pgo/tally").is_file()


def test_training_without_lto_can_be_demanded(optbuild: Optbuild, tmp_path: Path) -> None:
    """A forced way that loses functions fails the variant, and nothing of it is published."""
    directory = copy_crate("tally", tmp_path / "tally")
    forced = LTO.format(lto="fat") + 'training-lto = "off"\n' + TALLY
    record = build(wrapped(optbuild, OTHER_NAMES), directory, forced, status=13)
    assert "training as lto-free lost" in record["error"]["message"]
    assert not (directory / "target/optbuild/artifacts/pgo").exists()


SEED = """\
#[inline(never)]
pub fn step(x: u64) -> u64 {
    let mut sum = 0;
    for i in 0..x { sum = std::hint::black_box(sum ^ i * TIMES); }
    sum
}
const TIMES: u64 = NUMBER;
"""


def test_two_versions_of_a_crate_are_told_apart(optbuild: Optbuild, tmp_path: Path) -> None:
    """One runs, and of the other, whose functions have the same paths, nothing is linked: no count is lost."""
    directory = copy_crate("tally", tmp_path / "tally")
    for number, version in ((3, "0.1.0"), (5, "0.2.0")):
        crate = tmp_path / f"seed-{number}"
        (crate / "src").mkdir(parents=True)
        manifest = f'[package]\nname = "seed"\nversion = "{version}"\nedition = "2021"\n'
        (crate / "Cargo.toml").write_text(manifest)
        (crate / "src/lib.rs").write_text(SEED.replace("NUMBER", str(number)))
    with (directory / "Cargo.toml").open("a") as manifest_file:
        for number in (3, 5):
            dependency = f'[dependencies.seed-{number}]\npackage = "seed"\npath = "../seed-{number}"\n'
            manifest_file.write(dependency)
    edit(directory / "src/main.rs", "fn main() {", "fn main() {\n    std::hint::black_box(seed_3::step(1000));")
    (directory / "Cargo.lock").unlink()
    pgo = evidence_of(build(optbuild, directory, LTO.format(lto="fat") + TALLY), "pgo")
    assert pgo["missing_functions"] > 0, "the other version has no counts"
    assert (pgo["attempt"], pgo["rejected_attempts"]) == ("lto-free", [])
