"""Committed counts, with real cargo: written by one build, and taken by others that have other names."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from optbuild.portable.encoding import decode, encode
from optbuild.portable.lent_names import decode_names, encode_names
from tests.integration.optbuild_program import Optbuild, ask_rustc, copy_crate, edit, variant_of

pytestmark = pytest.mark.pgo

FAR = "aarch64-unknown-linux-gnu"
FAR_LINKER, FAR_EMULATOR, FAR_LIBRARIES = "aarch64-linux-gnu-gcc", "qemu-aarch64", "/usr/aarch64-linux-gnu"
HAS_FAR = (
    bool(list((Path(ask_rustc("--print", "sysroot")) / "lib/rustlib" / FAR / "lib").glob("libcore-*")))
    and shutil.which(FAR_LINKER) is not None
    and shutil.which(FAR_EMULATOR) is not None
)

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


def test_the_build_that_was_trained_needs_no_instrumented_one(optbuild: Optbuild, project: Path) -> None:
    """Its names are committed; should they be those of another build after all, an instrumented one lends them."""
    say(project, "always")
    optbuild.run("train", cwd=project).expect(0)
    shutil.rmtree(project / "target")
    pgo = variant_of(build(optbuild, project), "pgo")
    assert [step["kind"] for step in pgo["steps"]] == ["profile-data", "compile"]
    assert (pgo["pgo"]["attempt"], pgo["pgo"]["source"]) == ("profile-data by names", "profile-data")
    assert (pgo["pgo"]["applied"], pgo["pgo"]["missing_functions"], pgo["pgo"]["matched_ratio"]) == (True, 0, 1)
    names, lock = (project / "pgo" / f"tally.pgodata.{suffix}" for suffix in ("names", "lock"))
    functions = decode_names(names.read_bytes(), location="here")
    foreign = encode_names(replace(each, name=re.sub("17h[0-9a-f]{4}", "17h0000", each.name)) for each in functions)
    names.write_bytes(foreign)
    refused = optbuild.run("build", cwd=project).expect(13)
    assert "does not belong to the lock next to it" in refused.stderr
    told = json.loads(lock.read_text())
    lock.write_text(json.dumps({**told, "names_sha256": hashlib.sha256(foreign).hexdigest()}))
    pgo = variant_of(build(optbuild, project), "pgo")["pgo"]
    assert (pgo["attempt"], pgo["applied"], pgo["missing_functions"]) == ("profile-data", True, 0)
    ((name, reason),) = ((each["name"], each["reason"]) for each in pgo["rejected_attempts"])
    assert name == "profile-data by names"
    assert "functions with counts" in reason


def test_a_file_cut_short_is_refused_before_anything_is_built(optbuild: Optbuild, project: Path) -> None:
    """A broken file is named, kept, and never taken for fewer counts; nor is it trained over in silence."""
    say(project, "auto")
    said = optbuild.run("train", "--", "{bin}", "data/train.txt", cwd=project).expect(2).stderr
    assert "from the training workloads of the build profile" in said, "a command line is not what is committed"
    optbuild.run("train", cwd=project).expect(0)
    file = project / "pgo" / "tally.pgodata"
    cut = file.read_bytes()[:-1]
    file.write_bytes(cut)
    result = optbuild.run("build", cwd=project).expect(13)
    assert "is cut short" in result.stderr
    assert "is cut short" in optbuild.run("doctor", cwd=project).expect(3).stdout
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
    assert "does not belong to the profile next to it" in error["message"]


def add_branch(project: Path) -> None:
    """Give the hottest function another control flow."""
    edit(project / "src" / "main.rs", "        steps += 1;", "        steps += if number == 13 { 2 } else { 1 };")


def test_a_check_names_what_is_lost_and_trains_nothing(optbuild: Optbuild, project: Path) -> None:
    """One instrumented build tells how much still fits: exit 0, or 1 below the limit; the file stays as it is."""
    say(project, "auto")
    assert "there is nothing to check" in optbuild.run("train", "--check", cwd=project).expect(13).stderr
    optbuild.run("train", cwd=project).expect(0)
    file = project / "pgo" / "tally.pgodata"
    first = file.read_bytes()
    result = optbuild.run("train", "--check", cwd=project).expect(0)
    assert result.stdout == "100.0% of the counts still fit (was 100.0%)\n"
    add_branch(project)
    document = optbuild.run("train", "--check", "--json", cwd=project).expect(1).document
    assert (document["schema"], document["passed"], document["trained_ratio"]) == ("optbuild/train-check/1", False, 1)
    assert document["matched_ratio"] < document["min_matched"]
    hottest = document["hot_and_new"][0]
    assert hottest["path"].startswith("tally::"), "into which of them it is inlined, LLVM decides"
    assert 0.8 < hottest["approximate_share"] <= hottest["share"], "a build would keep most of it"
    assert hottest["approximate_share"] <= document["approximate_ratio"] <= 1 - document["matched_ratio"]
    shown = optbuild.run("train", "--check", cwd=project).expect(1).stdout
    assert "more are approximate: their function has changed" in shown
    assert "that is below `min-matched`" in shown
    assert file.read_bytes() == first


def test_counts_that_no_longer_fit_are_not_taken(optbuild: Optbuild, project: Path) -> None:
    """Below `min-matched`, `always` fails with what is lost, and `auto` trains and says so."""
    say(project, "auto")
    optbuild.run("train", cwd=project).expect(0)
    add_branch(project)
    say(project, "always")
    error = build(optbuild, project, status=13)["error"]
    assert "of the counts in tally.pgodata" in error["message"]
    assert "`min-matched` is 90.0%" in error["message"]
    assert "one that has changed" in error["message"]
    assert "optbuild train --check" in error["help"]
    say(project, "auto")
    result = optbuild.run("build", "--json", cwd=project).expect(0)
    assert variant_of(result.document, "pgo")["pgo"]["source"] == "trained"
    assert "of the counts in tally.pgodata" in result.stderr


def test_a_function_that_has_changed_takes_the_counts_of_what_is_still_there(optbuild: Optbuild, project: Path) -> None:
    """Its counts have a figure of their own, which is not that of matched ones; without places they are lost."""
    say(project, "always")
    edit(project / "optbuild.toml", 'use = "always"', 'use = "always"\nmin-matched = "0%"')
    trained = optbuild.run("train", "--json", cwd=project).expect(0).document["totals"]["total_count"]
    add_branch(project)
    result = optbuild.run("build", "--json", cwd=project).expect(0)
    pgo = variant_of(result.document, "pgo")["pgo"]
    assert pgo["matched_ratio"] < 0.1
    assert 0.8 < pgo["approximate_ratio"] <= 1 - pgo["matched_ratio"]
    assert (pgo["applied"], pgo["missing_functions"], pgo["mismatched_functions"]) == (True, 0, 0)
    assert trained * 0.8 < pgo["total_count"] < trained * 1.5, "the new selection is taken for even: half of its block"
    assert "one that has changed" in result.stderr
    file = project / "pgo" / "tally.pgodata"
    profile = decode(file.read_bytes(), location="here")
    bare = [replace(function, outline=()) for function in profile.functions]
    file.write_bytes(encode(profile.training, bare, written_by="test"))
    file.with_name("tally.pgodata.lock").unlink()
    pgo = variant_of(build(optbuild, project), "pgo")["pgo"]
    assert (pgo["approximate_ratio"], pgo["total_count"] < trained * 0.1) == (0, True)


def test_a_training_that_fails_leaves_both_files(optbuild: Optbuild, project: Path) -> None:
    """What was finished stays: a workload that fails changes neither the file nor its lock."""
    say(project, "auto")
    optbuild.run("train", cwd=project).expect(0)
    files = [project / "pgo" / name for name in ("tally.pgodata", "tally.pgodata.lock", "tally.pgodata.names")]
    first = [file.read_bytes() for file in files]
    edit(project / "optbuild.toml", "data/train.txt", "data/nowhere.txt")
    assert optbuild.run("train", cwd=project).status != 0
    assert [file.read_bytes() for file in files] == first
    assert sorted(project.joinpath("pgo").iterdir()) == sorted(files)


def test_what_changed_is_shown_before_it_is_written(optbuild: Optbuild, project: Path) -> None:
    """A new training says what became hot, and the document of `--json` holds the same."""
    say(project, "auto")
    first = optbuild.run("train", "--json", cwd=project).expect(0).document
    assert (first["schema"], first["difference"], first["matched_ratio"]) == ("optbuild/train/1", None, 1)
    shown = optbuild.run("train", cwd=project).expect(0).stdout.splitlines()
    assert shown[0] == "0.0% of the counts moved to other functions"
    assert "functions with counts" in shown[-1]


@pytest.mark.skipif(not HAS_FAR, reason=f"{FAR} cannot be built and emulated here")
def test_a_target_that_cannot_be_trained_takes_the_counts_of_the_host(optbuild: Optbuild, project: Path) -> None:
    """Counts of x86-64 find their functions in a program for aarch64, which then runs and prints the same."""
    say(project, "auto")
    optbuild.run("train", cwd=project).expect(0)
    say(project, "always")
    native = Path(variant_of(build(optbuild, project), "pgo")["artifacts"][0]["path"])
    edit(project / "optbuild.toml", "[variants.release]", f'[project]\ntarget = "{FAR}"\n[variants.release]')
    env = {f"CARGO_TARGET_{FAR.upper().replace('-', '_')}_LINKER": FAR_LINKER}
    printed = subprocess.run([native, "data/train.txt"], cwd=project, capture_output=True, check=True).stdout
    record = optbuild.run("build", "--json", cwd=project, env=env).expect(0).document
    found = variant_of(record, "pgo")
    assert (record["toolchain"]["target"], found["pgo"]["source"], found["pgo"]["applied"]) == (
        FAR,
        "profile-data",
        True,
    )
    far = [FAR_EMULATOR, "-L", FAR_LIBRARIES, found["artifacts"][0]["path"], "data/train.txt"]
    assert subprocess.run(far, cwd=project, capture_output=True, check=True).stdout == printed
