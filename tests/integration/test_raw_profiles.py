"""Raw profiles that are broken, too many or too large, and an `llvm-profdata` that fails: with real files and tools."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from optbuild.files import sha256_of
from tests.integration.optbuild_program import (
    VARIANTS,
    Ended,
    Optbuild,
    copy_crate,
    edit,
    fail,
    find_profdata,
    variant_of,
    write_profile,
    write_script,
)

pytestmark = pytest.mark.pgo

FOUR_RUNS = 'for n in 1 2 3 4; do "$1" data/train.txt; done; cd "$(dirname "$LLVM_PROFILE_FILE")"; set -- *.profraw'
PROGRESS_OF_50_000 = "merging 50,000 raw profiles"

OVERSIZE = """
import os, pathlib, struct, subprocess, sys
subprocess.run([sys.argv[1], "data/train.txt"], check=True)
(path,) = pathlib.Path(os.environ["LLVM_PROFILE_FILE"]).parent.iterdir()
data = bytearray(path.read_bytes())
words = struct.unpack_from("<16Q", data)
first_counter = 128 + words[2] + words[3] * 64 + words[4]  # header, build ids, a record for each function, padding
struct.pack_into("<Q", data, first_counter, 2**60)
path.write_bytes(data)
"""
MANY = """
import os, subprocess, sys
subprocess.run([sys.argv[1], "data/train.txt"], check=True)
raw = os.path.dirname(os.environ["LLVM_PROFILE_FILE"])
(one,) = os.listdir(raw)
for number in range(49_999):
    os.link(raw + "/" + one, raw + "/%05d.profraw" % number)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own for one test."""
    return copy_crate("tally", tmp_path / "tally")


def train_in_python(project: Path, script: str, settings: str = "") -> None:
    """Write a build profile whose training is a Python script, the binary its first argument."""
    command = json.dumps([sys.executable, "-c", script, "{bin}"])
    (project / "optbuild.toml").write_text(
        f'schema = 1\n{VARIANTS}{settings}\n[[workloads]]\nname = "training"\nuse = ["train"]\ncommand = {command}\n'
    )


def settings(*lines: str) -> str:
    """The variants, and what becomes of raw profiles."""
    return VARIANTS + "[raw-profiles]\n" + "".join(f"{line}\n" for line in lines)


def build(optbuild: Optbuild, project: Path) -> dict[str, Any]:
    """Build and train; what became of the variant with PGO."""
    return variant_of(optbuild.run("build", "--json", cwd=project).expect(0).document, "pgo")


def quarantined(ended: Ended) -> dict[str, str]:
    """Where raw profiles were set aside, by their names, as the record says; each is there."""
    found = variant_of(ended.document, "pgo")["quarantined"]
    assert all(Path(item["path"]).is_file() for item in found)
    return {Path(item["path"]).name: item["reason"] for item in found}


def test_one_raw_profile_of_four_that_is_cut_short_is_named_and_kept(optbuild: Optbuild, project: Path) -> None:
    """By itself it fails the training, and the three others are not merged without being asked for."""
    write_profile(project, train=f"{FOUR_RUNS}; truncate -s 400 $2")
    ended = fail(optbuild, project, 13, "profile-data", "1 of 4 raw profiles that cannot be merged", "salvage = true")
    ((name, reason),) = quarantined(ended).items()
    assert f"{name} ({reason})" in ended.stderr
    assert Path(ended.error["location"]) == next(project.glob("target/optbuild/quarantine/*/*"))
    assert not list(project.glob("target/optbuild/profdata/*"))


def test_a_raw_profile_without_its_tail_is_found_by_the_merge(optbuild: Optbuild, project: Path) -> None:
    """Its beginning is as it should be: only `llvm-profdata` can tell; every broken file is named, not the first."""
    write_profile(project, train=f"{FOUR_RUNS}; truncate -s -8 $2; truncate -s -8 $4; : > $1")
    ended = fail(optbuild, project, 13, "profile-data", "3 of 4 raw profiles")
    assert sorted(quarantined(ended).values()) == ["empty", "too much profile data", "too much profile data"]


def test_what_is_left_is_salvaged_against_the_last_accepted_profile(optbuild: Optbuild, project: Path) -> None:
    """Three runs of four have three quarters of the counts: enough for one floor, too little for the default one."""
    damage = f'{FOUR_RUNS}; if [ -e "$OLDPWD/damage" ]; then truncate -s -8 $2; fi'
    inputs = 'inputs = ["data/train.txt"]'
    write_profile(project, train=damage, keys=inputs, variants=settings("salvage = true"))
    accepted = build(optbuild, project)["pgo"]
    assert (accepted["raw_profiles"], accepted["quarantined"]) == (4, [])

    (project / "damage").touch()
    edit(project / "data/train.txt", "9000", "9001")  # another input, so that there is something to train on
    ended = fail(optbuild, project, 13, "profile-data", "`salvage-floor` is 90.0%")
    assert ": 75.0%, and" in ended.stderr
    assert len(quarantined(ended)) == 1
    assert sha256_of(Path(accepted["profdata"]["path"])) == accepted["profdata"]["sha256"]

    edit(project / "optbuild.toml", "salvage = true", 'salvage = true\nsalvage-floor = "70%"')
    ended = optbuild.run("build", "--json", cwd=project).expect(0)
    salvaged = variant_of(ended.document, "pgo")["pgo"]
    assert (salvaged["raw_profiles"], salvaged["quarantined"]) == (3, list(quarantined(ended)))
    assert [item["code"] for item in ended.document["warnings"]] == ["salvaged"]
    assert salvaged["total_count"] < accepted["total_count"]

    edit(project / "optbuild.toml", 'salvage = true\nsalvage-floor = "70%"\n', "")
    fail(optbuild, project, 13, "profile-data", "1 of 4 raw profiles")


def test_salvage_without_an_accepted_profile_is_refused(optbuild: Optbuild, project: Path) -> None:
    """Nobody knows how much is lost."""
    write_profile(project, train=f"{FOUR_RUNS}; truncate -s -8 $2", variants=settings("salvage = true"))
    fail(optbuild, project, 13, "profile-data", "there is no complete training to compare with")


def test_where_all_raw_profiles_are_bad_the_accepted_one_stays(optbuild: Optbuild, project: Path) -> None:
    """The bad file is named and kept; the profile and the binary of the run before stay as they were."""
    accepted = build(optbuild, project)["pgo"]["profdata"]
    write_profile(
        project,
        train='"$1" data/train.txt; truncate -s 300 "$(dirname "$LLVM_PROFILE_FILE")"/*',
        variants=settings("salvage = true"),
    )
    ended = fail(optbuild, project, 13, "profile-data", "no counts are left to optimise with")
    assert len(quarantined(ended)) == 1
    assert sha256_of(Path(accepted["path"])) == accepted["sha256"]


def test_a_counter_that_is_too_large_is_explained(optbuild: Optbuild, project: Path) -> None:
    """One counter of 2**60 in every raw profile: what it is, what may have made it, and what to do."""
    train_in_python(project, OVERSIZE)
    ended = optbuild.run("build", "--json", cwd=project).expect(13)
    assert ended.error["code"] == "implausible-counts"
    assert "more than any program can count to" in ended.error["message"]
    assert "excessively large counter value" in ended.error["message"]
    assert "1152921504606846976" in ended.stderr
    assert 'counters = "atomic"' in ended.error["help"]
    assert len(quarantined(ended)) == 2  # counting atomically was tried as well


def test_counting_goes_on_atomically_where_counts_are_damaged(optbuild: Optbuild, project: Path) -> None:
    """By itself, once, and the record says so; a variant that says how it counts is not overruled."""
    once = f"""
import pathlib
mark = pathlib.Path({str(project / "damaged")!r})
if not mark.exists():
    mark.touch()
    {OVERSIZE.strip().replace(chr(10), chr(10) + "    ")}
else:
    import subprocess, sys
    subprocess.run([sys.argv[1], "data/train.txt"], check=True)
"""
    train_in_python(project, once)
    ended = optbuild.run("build", "--json", cwd=project).expect(0)
    evidence = variant_of(ended.document, "pgo")["pgo"]
    assert (evidence["attempt"], evidence["counters"], evidence["applied"]) == ("exact-atomic", "atomic", True)
    assert [item["name"] for item in evidence["rejected_attempts"]] == ["exact"]
    assert "more than any program can count to" in evidence["rejected_attempts"][0]["reason"]
    shown = optbuild.run("report", "--evidence", cwd=project).expect(0).stdout
    assert "Trained as exact-atomic, atomic counters" in shown

    (project / "damaged").unlink()
    edit(project / "optbuild.toml", "pgo = true", 'pgo = true\ncounters = "single"')
    ended = optbuild.run("build", "--json", cwd=project).expect(13)
    assert ended.error["code"] == "implausible-counts"


def test_a_counter_that_no_run_can_have_made_is_refused(optbuild: Optbuild, project: Path) -> None:
    """LLVM takes a counter of 2**55 without a word; a core would count for months."""
    train_in_python(project, OVERSIZE.replace("2**60", "2**55"))
    ended = optbuild.run("build", "--json", cwd=project).expect(13)
    assert ended.error["code"] == "implausible-counts"
    assert "36,028,797,018,963,968" in ended.error["message"]


def test_fifty_thousand_raw_profiles_are_merged(optbuild: Optbuild, project: Path) -> None:
    """No argument list is too long for them, and one sees how far it is."""
    train_in_python(project, MANY)
    ended = optbuild.run("build", "--json", cwd=project).expect(0)
    evidence = variant_of(ended.document, "pgo")["pgo"]
    assert (evidence["raw_profiles"], evidence["applied"]) == (50_000, True)
    assert PROGRESS_OF_50_000 in ended.stderr
    assert not list((project / "target/optbuild/raw").rglob("*.profraw")), "they are not kept once they are merged"


def test_one_bad_file_among_fifty_thousand_is_found(optbuild: Optbuild, project: Path) -> None:
    """It is looked for in its portion only."""
    train_in_python(
        project, MANY + 'open(raw + "/25000.bad.profraw", "wb").write(open(raw + "/" + one, "rb").read()[:-8])'
    )
    ended = optbuild.run("build", "--json", cwd=project).expect(13)
    assert quarantined(ended) == {"25000.bad.profraw": "too much profile data"}


def test_raw_profiles_beyond_the_disk_budget_stop_the_training(optbuild: Optbuild, project: Path) -> None:
    """While it runs: this workload would never end. The merge pool is suggested, and the files are gone."""
    write_profile(
        project, train='while :; do "$1" data/train.txt; done', variants=settings('disk-budget = "100kB"'), keys=""
    )
    ended = fail(optbuild, project, 13, "profile-data", 'files = "pool"', "disk budget is 97.7 KiB")
    assert not list((project / "target/optbuild/raw").rglob("*.profraw"))
    assert optbuild.children() == []
    assert "disk-budget" in ended.error["help"]


def test_a_pool_holds_the_counts_of_many_processes(optbuild: Optbuild, project: Path) -> None:
    """A few files have the very counts that a file for each process has."""
    script = 'for n in $(seq 12); do "$1" data/train.txt; done'
    write_profile(project, train=script)
    apart = build(optbuild, project)["pgo"]
    write_profile(project, train=f"{script}; true", variants=settings('files = "pool"'))
    pooled = build(optbuild, project)["pgo"]
    assert apart["raw_profiles"] == 12
    assert 1 <= pooled["raw_profiles"] <= 4
    assert pooled["total_count"] == apart["total_count"]
    assert pooled["functions_with_counts"] == apart["functions_with_counts"]


def test_a_profdata_that_dies_is_told_with_its_words(optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """The tool's last lines, its signal and its log; nothing that it left half done is taken."""
    merge = f"'{find_profdata(optbuild, project)}' \"$@\""
    script = f"case $1$2 in merge--version) {merge};; merge*) {merge}; echo 'no more memory' >&2; kill -KILL $$;; esac"
    dying = write_script(tmp_path / "llvm-profdata", script)
    ended = fail(
        optbuild,
        project,
        13,
        "profile-data",
        *("llvm-profdata failed", "signal 9 (SIGKILL)", "no more memory"),
        env={"LLVM_PROFDATA": str(dying)},
    )
    assert Path(ended.error["location"]).read_text() == "no more memory\n"
    assert not list((project / "target/optbuild").glob("profdata/*"))


def test_a_profdata_that_hangs_is_stopped(optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """After a time that can be set; its words are kept, and nothing of it is left."""
    merge = f"'{find_profdata(optbuild, project)}' \"$@\""
    script = f"case $1$2 in merge--version) {merge};; merge*) echo 'one moment' >&2; exec sleep 1000;; esac"
    hanging = write_script(tmp_path / "llvm-profdata", script)
    write_profile(project, variants=settings('merge-timeout = "5s"'))
    ended = fail(
        optbuild,
        project,
        13,
        "profile-data",
        *("did not finish within 5 s", "one moment", "merge-timeout"),
        env={"LLVM_PROFDATA": str(hanging)},
    )
    assert Path(ended.error["location"]).read_text() == "one moment\n"
    assert optbuild.children() == []
