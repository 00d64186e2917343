"""Variants for CPUs that others do not have, with what rustc itself says of them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, ask_rustc, copy_crate, edit, variant_of

pytestmark = [
    pytest.mark.pgo,
    pytest.mark.skipif("x86_64" not in ask_rustc("-vV"), reason="CPUs of x86-64")
    if shutil.which("rustc")
    else pytest.mark.skip(reason="needs rustc"),
]

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/lanesum"


def features(*flags: str) -> set[str]:
    """The CPU features that rustc relies on."""
    return set(re.findall(r'target_feature="(.+)"', ask_rustc("--print", "cfg", *flags)))


def with_cpu(directory: Path, cpu: str, *, name: str = "cpu", inherits: str = "release") -> None:
    """Give a test crate a variant for a CPU, beside its others."""
    variant = f'[variants.{name}]\ninherits = "{inherits}"\ntarget-cpu = "{cpu}"\n\n'
    edit(directory / "optbuild.toml", '[[workloads]]\nname = "training"', f'{variant}[[workloads]]\nname = "training"')


def test_what_a_cpu_must_have_is_named_everywhere(optbuild: Optbuild, tmp_path: Path) -> None:
    """The plan, the table and the record name the same features, and only for the variant that needs them."""
    directory = copy_crate("tally", tmp_path / "tally")
    with_cpu(directory, "native")
    needed = tuple(sorted(features("-Ctarget-cpu=native") - features()))
    said = f"cpu will not run on a CPU without {', '.join(needed)}"
    assert said in optbuild.run("plan", "--all", cwd=directory).expect(0).stdout
    ended = optbuild.run("run", "cpu", "--json", cwd=directory).expect(0)
    assert said in ended.stderr
    assert variant_of(ended.document, "cpu")["cpu_features"] == list(needed)
    assert variant_of(ended.document, "release")["cpu_features"] == []
    shown = optbuild.run("report", "--format", "markdown", cwd=directory).expect(0).stdout
    assert "cpu (target-cpu native) will not run on a CPU without" in shown


def test_a_cpu_that_this_machine_is_not_is_refused_early(optbuild: Optbuild, tmp_path: Path) -> None:
    """Nothing is built that could not be measured here; `optbuild build` runs nothing, and builds it."""
    lacking = sorted(features("-Ctarget-cpu=sapphirerapids") - features("-Ctarget-cpu=native"))
    if not lacking:
        pytest.skip("this machine has everything")
    directory = copy_crate("tally", tmp_path / "tally")
    with_cpu(directory, "sapphirerapids")
    error = optbuild.run("run", "cpu", "--json", cwd=directory).expect(3).error
    assert f"needs {', '.join(lacking)}" in error["message"]
    assert not (directory / "target").exists()
    record = optbuild.run("build", "cpu", "--json", cwd=directory).expect(0).document
    assert set(lacking) <= set(variant_of(record, "cpu")["cpu_features"])


def test_the_example_with_dispatch_gives_one_result_everywhere(optbuild: Optbuild, tmp_path: Path) -> None:
    """All variants print the same on both ways through the program, whichever this CPU takes."""
    directory = shutil.copytree(EXAMPLE, tmp_path / "lanesum", ignore=shutil.ignore_patterns("target"))
    edit(directory / "optbuild.toml", 'max-time = "1m"', 'max-time = "500ms"')
    if not features("-Ctarget-cpu=x86-64-v3") <= features("-Ctarget-cpu=native"):
        optbuild.run("run", cwd=directory).expect(3)
        return
    record = optbuild.run("run", "--json", cwd=directory).expect(0).document
    assert [item["equal"] for item in record["outputs"]] == [True] * 6
    assert variant_of(record, "pgo")["pgo"]["applied"] is True
    assert "avx2" in variant_of(record, "v3")["cpu_features"]


def test_variants_for_several_cpus_are_trained_once(optbuild: Optbuild, tmp_path: Path) -> None:
    """One instrumented build and one training, whose counts fit both; each is compiled for its own CPU."""
    directory = copy_crate("tally", tmp_path / "tally")
    with_cpu(directory, "x86-64-v2", name="pgo-v2", inherits="pgo")
    record = optbuild.run("build", "--json", cwd=directory).expect(0).document
    pgo, v2 = (variant_of(record, name) for name in ("pgo", "pgo-v2"))
    assert (v2["pgo"]["attempt"], v2["pgo"]["rejected_attempts"]) == ("shared", [])
    assert v2["pgo"]["profdata"] == pgo["pgo"]["profdata"]
    assert (v2["pgo"]["mismatched_functions"], v2["pgo"]["applied"]) == (0, True)
    kinds = {step["action"]: step["kind"] for variant in (pgo, v2) for step in variant["steps"]}
    assert [*kinds.values()].count("train") == 1
    assert [*kinds.values()].count("compile") == 3
    assert v2["cpu_features"]
    assert not pgo["cpu_features"]


ONE_BODY = """\
#[inline(never)]
fn by_cpu(n: u64) -> u64 {
    if cfg!(target_feature = "sse4.2") { (0..n).filter(|i| i % 3 == 0).sum() } else { n }
}
"""
TWO_NAMES = """\
#[cfg(target_feature = "sse4.2")]
#[inline(never)]
fn fast(n: u64) -> u64 { (0..n).filter(|i| i % 3 == 0).sum() }
#[cfg(not(target_feature = "sse4.2"))]
#[inline(never)]
fn slow(n: u64) -> u64 { (0..n).filter(|i| i % 3 == 0).sum() }
#[inline(never)]
fn by_cpu(n: u64) -> u64 {
    #[cfg(target_feature = "sse4.2")]
    return fast(n);
    #[cfg(not(target_feature = "sse4.2"))]
    return slow(n);
}
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [(ONE_BODY, "a different control flow"), (TWO_NAMES, "only with its own settings")],
    ids=["body", "name"],
)
def test_code_for_a_cpu_alone_is_trained_for_that_cpu(
    optbuild: Optbuild, tmp_path: Path, code: str, reason: str
) -> None:
    """What is compiled in only there has no counts: the shared ones are refused, and the record says so."""
    directory = copy_crate("tally", tmp_path / "tally")
    call = 'fn main() {\n    eprintln!("{}", by_cpu(std::env::args().count() as u64 * 100));'
    edit(directory / "src/main.rs", "fn main() {", code + call)
    with_cpu(directory, "x86-64-v2", name="pgo-v2", inherits="pgo")
    record = optbuild.run("build", "--json", cwd=directory).expect(0).document
    pgo = variant_of(record, "pgo-v2")["pgo"]
    assert pgo["attempt"] == "exact"
    assert [item["name"] for item in pgo["rejected_attempts"]] == ["shared"]
    assert reason in pgo["rejected_attempts"][0]["reason"]
    assert pgo["applied"]
