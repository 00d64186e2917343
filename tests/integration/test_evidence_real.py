"""Evidence that PGO took effect, or that it did not, with the real cargo, rustc and llvm-profdata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.optbuild_program import (
    VARIANTS,
    Optbuild,
    ask_rustc,
    copy_crate,
    edit,
    fail,
    variant_of,
    write_profile,
    write_script,
)

pytestmark = pytest.mark.pgo

OWN_SETTINGS = '[variants.release]\n[variants.pgo]\ninherits = "release"\npgo = true\ncodegen-units = 1\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own for one test."""
    return copy_crate("tally", tmp_path / "tally")


def checks_of(pgo: dict[str, Any]) -> dict[str, bool | None]:
    """What the checks came to, by name."""
    return {check["name"]: check["passed"] for check in pgo["checks"]}


def test_the_evidence_says_what_was_counted_where(optbuild: Optbuild, tmp_path: Path) -> None:
    """Format, shares over all crates, the crates with the most counts, each training, and every check."""
    project = copy_crate("workspace", tmp_path / "workspace")
    pgo = variant_of(optbuild.run("build", "--json", cwd=project).expect(0).document, "pgo")["pgo"]
    assert (pgo["format"]["kind"], pgo["format"]["is_ir_level"]) == ("indexed", True)
    assert pgo["format"]["version"] >= 12
    assert (pgo["mismatched_ratio"], pgo["unmatched_ratio"]) == (0.0, 0.0)
    assert 0.0 <= pgo["missing_ratio"] < 1.0
    assert pgo["differs"] is True
    assert set(checks_of(pgo).values()) == {True}
    assert pgo["crates"][0]["name"] == "steps", "the loop that takes all the time is in this dependency"
    assert {"app", "steps", "core"} <= {crate["name"] for crate in pgo["crates"]}
    assert sum(crate["functions"] for crate in pgo["crates"]) == pgo["functions"]
    assert sum(crate["total_count"] for crate in pgo["crates"]) == pgo["total_count"]
    (training,) = pgo["trainings"]
    assert training["raw_profiles"] == pgo["raw_profiles"]

    page = optbuild.run("report", "--evidence", cwd=project).expect(0).stdout
    assert "pgo: checks of the profile" in page
    assert "pgo: counts by crate" in page
    evidence = optbuild.run("report", "--evidence", "--format", "json", cwd=project).expect(0).document
    assert evidence["variants"][0]["pgo"] == pgo
    refused = optbuild.run("report", "--evidence", "--format", "csv", cwd=project).expect(2)
    assert "terminal, markdown, html, json" in refused.stderr


def test_without_a_plain_build_other_checks_carry_the_proof(optbuild: Optbuild, project: Path) -> None:
    """The variant's own settings differ from every other's: the record says so, and costs no further build."""
    write_profile(project, variants=OWN_SETTINGS)
    record = optbuild.run("build", "--json", cwd=project).expect(0).document
    pgo = variant_of(record, "pgo")["pgo"]
    assert pgo["differs"] is None
    passed = checks_of(pgo)
    assert passed.pop("the binary differs from the one without it") is None
    assert set(passed.values()) == {True}
    assert pgo["applied"] is True


def test_a_profile_that_is_damaged_before_its_use_is_refused(optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """Rustc builds without a word of error, and without the profile; here nothing else would tell."""
    damage = 'for p in target/optbuild/profdata/*; do echo junk > "$p"; done'
    wrapper = write_script(tmp_path / "wrapper", f'case "$*" in *profile_use*) {damage};; esac\nexec "$@"')
    write_profile(project, variants=OWN_SETTINGS)
    ended = fail(
        optbuild, project, 13, "profile-data", "rustc could not use the profile", env={"RUSTC_WRAPPER": str(wrapper)}
    )
    assert "bad magic" in ended.error["message"] or "not a merged PGO profile" in ended.stderr
    assert variant_of(ended.document, "pgo")["pgo"]["applied"] is False


def test_a_rustc_that_does_not_warn_is_refused(optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """A compiler that says nothing of missing functions: its silence is taken for what it is."""
    rustc = ask_rustc("--print", "sysroot") + "/bin/rustc"
    mute = write_script(
        tmp_path / "rustc",
        'for word; do case "$word" in *pgo-warn-missing*) ;; *) set -- "$@" "$word";; esac; shift; done\n'
        f"exec '{rustc}' \"$@\"",
    )
    write_profile(project, variants=OWN_SETTINGS)
    fail(optbuild, project, 13, "profile-data", "its silence proves nothing", env={"RUSTC": str(mute)})


def test_flags_that_get_lost_on_the_way_are_noticed(optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """A cargo that drops the profile from what it gives rustc builds a plain binary; nobody else would tell."""
    cargo = ask_rustc("--print", "sysroot") + "/bin/cargo"
    script = f"""
case "$CARGO_ENCODED_RUSTFLAGS" in *profile_use*) unset CARGO_ENCODED_RUSTFLAGS;; esac
exec '{cargo}' "$@"
"""
    write_script(tmp_path / "bin/cargo", script)
    write_profile(project, variants=OWN_SETTINGS)
    path = f"{tmp_path / 'bin'}:{optbuild.environ['PATH']}"
    fail(optbuild, project, 13, "profile-data", "rustc was called without the profile for tally", env={"PATH": path})


def test_a_description_of_several_lines_hides_no_call_of_rustc(optbuild: Optbuild, project: Path) -> None:
    """Cargo shows it within each call; also when a later run compiles nothing but that crate."""
    edit(project / "Cargo.toml", "publish = false", 'publish = false\ndescription = """\nTallies,\nline by line.\n"""')
    assert variant_of(optbuild.run("build", "--json", cwd=project).expect(0).document, "pgo")["pgo"]["applied"]
    (project / "build.rs").write_text("fn main() {}\n")
    assert variant_of(optbuild.run("build", "--json", cwd=project).expect(0).document, "pgo")["pgo"]["applied"]


def test_a_profile_that_covers_too_little_is_refused(optbuild: Optbuild, project: Path) -> None:
    """The number that was found, the limit, and the key that sets it; with "auto" the reason stands in the report."""
    limit = '[evidence]\nmin-covered = "99%"\n'
    write_profile(project, variants=VARIANTS + limit)
    ended = fail(optbuild, project, 13, "profile-data", "covers too little", "`min-covered` is 99.0%")
    assert "set `min-covered` under [evidence]" in ended.error["help"]
    failed = [check for check in variant_of(ended.document, "pgo")["pgo"]["checks"] if check["passed"] is False]
    assert [(check["key"], check["limit"]) for check in failed] == [("min-covered", 0.99)]
    assert not (project / "target/optbuild/artifacts/pgo").exists()

    edit(project / "optbuild.toml", "pgo = true", 'pgo = "auto"')
    ended = optbuild.run("pgo", "--json", cwd=project).expect(0)
    variant = variant_of(ended.document, "pgo")
    assert (variant["status"], "covers too little" in variant["reason"]) == ("skipped", True)
    shown = optbuild.run("report", "--format", "markdown", cwd=project).expect(0).stdout
    assert "Skipped pgo: variant pgo: the profile covers too little" in shown


def test_a_profile_of_another_source_is_refused_by_its_control_flow(optbuild: Optbuild, project: Path) -> None:
    """Training puts a branch into the function that takes all the time: rustc throws its counts away."""
    change = "sed -i 's/steps += 1;/steps += 1; if steps == 9_000_000 {{ println!(\"never\"); }}/' src/main.rs"
    write_profile(project, train=f'"$1" data/train.txt; {change}')
    ended = fail(optbuild, project, 13, "profile-data", "a different control flow", "`max-mismatched` is 5.0%")
    assert variant_of(ended.document, "pgo")["pgo"]["mismatched_functions"] >= 1
