"""Faults while building, training and comparing: what each says, where, and what stays intact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from optbuild.files import sha256_of
from tests.integration.optbuild_program import (
    MEASURE,
    VARIANTS,
    Optbuild,
    copy_crate,
    edit,
    fail,
    variant_of,
    write_profile,
    write_script,
)

pytestmark = pytest.mark.pgo

ONE_BY_ONE = ("--jobs", "1")  # what is finished when something fails is then a matter of the plan


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own for one test."""
    return copy_crate("tally", tmp_path / "tally")


def test_a_compile_error_is_shown_as_rustc_wrote_it(optbuild: Optbuild, project: Path) -> None:
    """Rustc's text, the variant and the log; with `--keep-going` the other variants are built and measured."""
    source = project / "src/main.rs"
    source.write_text(source.read_text() + '#[cfg(panic = "abort")]\nfn wrong() -> u64 { "text" }\n')
    variants = '[variants.release]\n[variants.aborting]\ninherits = "release"\npanic = "abort"\n' + VARIANTS[19:]
    write_profile(project, variants=variants)
    ended = optbuild.run("run", "--json", *ONE_BY_ONE, cwd=project).expect(10)
    assert (ended.error["code"], "aborting" in ended.error["message"]) == ("build", True)
    log = Path(ended.error["location"])
    for place in (ended.stderr, log.read_text()):
        assert 'fn wrong() -> u64 { "text" }' in place
        assert "E0308" in place
    assert variant_of(ended.document, "aborting")["status"] == "failed"

    kept_going = optbuild.run("run", "--json", "--keep-going", "--max-time", "5s", cwd=project).expect(10)
    record = kept_going.document
    assert record["status"] == "incomplete"
    assert {item["name"]: item["status"] for item in record["variants"]} == {
        "release": "reused",
        "aborting": "failed",
        "pgo": "built",
    }
    assert {item["candidate"] for item in record["comparisons"]} == {"pgo"}
    assert (project / "target/optbuild/artifacts/pgo/tally").is_file()
    assert not (project / "target/optbuild/artifacts/aborting").exists()


def test_an_outdated_lock_file_is_not_changed_unasked(optbuild: Optbuild, project: Path) -> None:
    """`--locked` is the default: cargo's refusal comes with the two ways to go on."""
    edit(project / "Cargo.toml", 'version = "0.1.0"', 'version = "0.2.0"')
    before = (project / "Cargo.lock").read_bytes()
    ended = fail(optbuild, project, 10, "build", "Cargo.lock", "cargo check")
    assert "locked = false" in ended.error["help"]
    assert (project / "Cargo.lock").read_bytes() == before


def test_keep_going_measures_what_is_left(optbuild: Optbuild, project: Path) -> None:
    """A workload that fails in training costs the variant that needs it, and the run ends with its exit code."""
    write_profile(
        project, train="exit 1", variants=VARIANTS + '[variants.small]\ninherits = "release"\nopt-level = "s"\n'
    )
    record = optbuild.run("run", "--json", "--keep-going", "--max-time", "5s", cwd=project).expect(11).document
    assert (record["status"], record["error"]["code"]) == ("incomplete", "workload")
    assert [(item["name"], item["status"]) for item in record["variants"]] == [
        ("release", "built"),
        ("pgo", "failed"),
        ("small", "built"),
    ]
    assert {item["candidate"] for item in record["comparisons"]} == {"small"}


def test_a_compiler_that_was_killed_gets_a_remedy_for_memory(optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """SIGKILL is what the kernel sends when memory runs out: fewer jobs, or thin LTO."""
    wrapper = write_script(tmp_path / "wrapper", 'case "$*" in *"--crate-name tally"*) kill -KILL $$;; esac; exec "$@"')
    ended = fail(optbuild, project, 10, "build", "memory", "--jobs", env={"RUSTC_WRAPPER": str(wrapper)})
    assert 'lto = "thin"' in ended.error["help"]


# Workloads


def test_a_missing_workload_program_is_told_before_the_build(optbuild: Optbuild, project: Path) -> None:
    """Its name and the directory it would run in; a file without the permission to run is as good as missing."""
    (project / "script").write_text("#!/bin/sh\n")
    for name in ("no-such-program", "./script", "./missing"):
        fail(optbuild, project, 11, "workload", name, str(project), options=("--bench", f"{name} {{bin}}"))
    assert not (project / "target").exists()
    write_profile(project, keys='cwd = "nowhere"')
    fail(optbuild, project, 11, "workload", f"{project}/nowhere")


def test_an_input_that_is_missing_is_told_before_the_build(optbuild: Optbuild, project: Path) -> None:
    """A declared input has to be there."""
    write_profile(project, keys='inputs = ["data/nothing.txt"]')
    fail(optbuild, project, 2, "usage", f"{project}/data/nothing.txt")
    assert not (project / "target").exists()


def test_a_workload_that_fails_is_shown_by_its_last_lines(optbuild: Optbuild, project: Path) -> None:
    """Exit code, last 20 lines, log; what it wrote is not accepted, and its escape sequences stay inert."""
    script = (
        'for n in $(seq 30); do printf "line %d\\033]0;owned\\007\\033[2J\\n" $n >&2; done; "$1" data/train.txt; exit 3'
    )
    write_profile(project, train=script)
    ended = fail(
        optbuild, project, 11, "workload", "'training'", "exit code 3", "line 11^[", "line 30^[", options=ONE_BY_ONE
    )
    assert "line 10^[" not in ended.stderr
    assert "\x1b" not in ended.stderr
    assert "line 1\x1b" in Path(ended.error["location"]).read_text()
    assert not list((project / "target/optbuild").glob("profdata/*"))
    assert variant_of(ended.document, "release")["status"] == "built"


def test_a_workload_that_a_signal_ends_is_told_so(optbuild: Optbuild, project: Path) -> None:
    """The signal's number and name."""
    write_profile(project, train='"$1" data/train.txt; kill -SEGV $$')
    fail(optbuild, project, 11, "workload", "signal 11 (SIGSEGV)")


def test_a_workload_that_hangs_is_stopped_by_steps(optbuild: Optbuild, project: Path) -> None:
    """A notice that it is slow, the stop signal, the grace, then SIGKILL of its whole group; and what to change."""
    keys = 'timeout = "1s"\ngrace = "500ms"\npass-env = ["OPTBUILD_TEST_MARKER"]'
    write_profile(project, train="trap '' TERM; sleep 1000 & while :; do sleep 0.1; done", keys=keys)
    ended = fail(optbuild, project, 12, "timeout", "still running after", "SIGTERM", "timeout of 1 s")
    assert "timeout = " in ended.error["help"]
    assert optbuild.children() == []


def test_a_workload_that_leaves_a_daemon_is_swept(optbuild: Optbuild, project: Path) -> None:
    """A grandchild in a session of its own is named and ended."""
    script = '"$1" data/train.txt; (setsid sleep 1000 >/dev/null 2>&1 </dev/null &)'
    write_profile(project, train=script, keys='pass-env = ["OPTBUILD_TEST_MARKER"]')
    fail(optbuild, project, 11, "workload", "left processes running", "sleep (pid ")
    assert optbuild.children() == []


# Profiles


def test_training_that_writes_nothing_names_likely_causes(optbuild: Optbuild, project: Path) -> None:
    """Zero raw profiles never count as a profile."""
    never = 'pipe=$(mktemp -u); mkfifo "$pipe"; "$1" "$pipe" & pid=$!'  # waits for ever for someone who writes
    write_profile(project, train=f'{never}; kill -KILL $pid; wait $pid; rm "$pipe"')
    fail(optbuild, project, 13, "profile-data", "no raw profile", "signal")
    (project / "optbuild.toml").write_text(
        f'schema = 1\n{VARIANTS}[[workloads]]\nname = "w"\ncommand = ["true"]\n{MEASURE}'
    )
    fail(optbuild, project, 13, "profile-data", "does not run {bin} itself")


def test_a_program_that_lost_its_environment_is_recognised(optbuild: Optbuild, project: Path) -> None:
    """Raw profiles that land in the fallback directory are told as such; none lands in the project."""
    write_profile(project, train='env -i "$1" data/train.txt')
    fail(optbuild, project, 13, "profile-data", "LLVM_PROFILE_FILE", f"{project}/target/optbuild/stray")
    assert not list(project.glob("*.profraw"))


def test_pgo_auto_falls_back_with_a_named_reason(optbuild: Optbuild, project: Path) -> None:
    """`pgo = "auto"` skips the variant where its evidence fails, and everything else goes on."""
    write_profile(project, train="true", variants=VARIANTS.replace("pgo = true", 'pgo = "auto"'))
    ended = optbuild.run("pgo", "--json", cwd=project).expect(0)
    assert (ended.document["status"], ended.document["error"]) == ("complete", None)
    variant = variant_of(ended.document, "pgo")
    assert (variant["status"], "no raw profile" in variant["reason"]) == ("skipped", True)
    assert "variant pgo is skipped" in ended.stderr


# Comparability


def test_another_output_is_neither_timed_nor_published(optbuild: Optbuild, project: Path) -> None:
    """The first differing bytes are shown; what passed is published, and no older binary left beside it."""
    write_profile(
        project, variants='[variants.release]\n[variants.pgo]\ninherits = "release"\npgo = true\npanic = "abort"\n'
    )
    optbuild.run("build", cwd=project).expect(0)
    published = project / "target/optbuild/artifacts"
    assert (published / "pgo/tally").is_file()
    edit(project / "src/main.rs", '"{below}: {}"', '"{below}{} {}", if cfg!(panic = "abort") { "!" } else { ":" }')
    ended = fail(optbuild, project, 15, "not-comparable", "12000:", "12000!", "line 1")
    assert (ended.document["benchmarks"], ended.document["comparisons"]) == ([], [])
    (artifact,) = variant_of(ended.document, "release")["artifacts"]
    assert {path: sha256_of(path) for path in published.glob("*/*")} == {Path(artifact["path"]): artifact["sha256"]}


def test_output_that_varies_is_labelled_or_refused(optbuild: Optbuild, project: Path) -> None:
    """`auto` measures with a warning, and the record says that outputs were not compared; `stdout` refuses."""
    write_profile(project, bench='"$1" data/bench.txt; echo $$')
    ended = optbuild.run("pgo", "--json", cwd=project).expect(0)
    assert "outputs not compared" in ended.stderr
    assert [item["code"] for item in ended.document["warnings"]].count("outputs-not-compared") == 1
    assert {item["equal"] for item in ended.document["outputs"]} == {None}
    edit(project / "optbuild.toml", 'use = ["bench"]', 'use = ["bench"]\ncompare-output = "stdout"')
    fail(optbuild, project, 15, "not-comparable", "print different things", "compare-output")


# State


def _cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


@pytest.fixture(scope="module")
def finished(shared_optbuild: Optbuild, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project on which a run has been finished."""
    project = copy_crate("tally", tmp_path_factory.mktemp("finished") / "tally")
    shared_optbuild.run("pgo", cwd=project).expect(0)
    return project


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999, None], ids=str)
def test_state_that_is_cut_short_or_garbage_is_made_anew(
    shared_optbuild: Optbuild, finished: Path, share: float | None
) -> None:
    """Results, records, profiles and kept binaries: damage is told and mended, and never taken for a result."""
    root = finished / "target/optbuild"
    places = ("results/*", "runs/*/record.json", "profdata/*", "binaries/*/*", "outputs/*", "arms/*/*", "lock.pid")
    for path in [path for place in places for path in root.glob(place)]:
        if share is None:
            path.write_bytes(os.urandom(200))
        else:
            _cut(path, share)
    ended = shared_optbuild.run("pgo", "--json", cwd=finished).expect(0)
    assert "damaged" in ended.stderr
    record = ended.document
    evidence = variant_of(record, "pgo")["pgo"]
    assert sha256_of(Path(evidence["profdata"]["path"])) == evidence["profdata"]["sha256"]
    for variant in record["variants"]:
        for artifact in variant["artifacts"]:
            assert sha256_of(Path(artifact["path"])) == artifact["sha256"]
    listed = json.loads(shared_optbuild.run("runs", "--json", cwd=finished).expect(0).stdout)
    assert [item["run_id"] for item in listed] == [record["run_id"]]


def test_a_damaged_published_binary_is_published_again(shared_optbuild: Optbuild, finished: Path) -> None:
    """What people take away is checked in every run."""
    binary = finished / "target/optbuild/artifacts/pgo/tally"
    binary.write_bytes(b"")
    record = shared_optbuild.run("pgo", "--json", cwd=finished).expect(0).document
    assert sha256_of(binary) == variant_of(record, "pgo")["artifacts"][0]["sha256"]


SECRETS = {
    "GITHUB_TOKEN": "s3cr3t-of-github",
    "DATABASE_PASSWORD": "s3cr3t-of-base",
    "CARGO_REGISTRY_TOKEN": "s3cr3t-of-cargo",
}


@pytest.mark.parametrize("train", ['env; env >&2; "$1" data/train.txt', "env; env >&2; exit 1"], ids=["works", "fails"])
def test_a_secret_in_the_environment_reaches_no_file(optbuild: Optbuild, project: Path, train: str) -> None:
    """Neither logs nor records, results or messages hold it, even when a workload prints all it has."""
    write_profile(project, train=train, keys='pass-env = ["HOME"]')
    ended = optbuild.run("pgo", "--json", "--debug", "-v", cwd=project, env=SECRETS)
    assert ended.status in {0, 11}
    texts = [ended.stdout.encode(), ended.stderr.encode()]
    texts += [path.read_bytes() for path in project.rglob("*") if path.is_file()]
    assert not [text for text in texts if b"s3cr3t" in text]


def test_an_internal_bug_is_one_line_and_a_log(optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """No traceback unless asked for, exit code 70, and a log without any value of the environment or of variables."""
    script = (
        "import sys, optbuild.session.run as session, optbuild.cli.main as cli\n"
        "def broken(request, machine, **_options):\n"
        "    secret = machine.environ['GITHUB_TOKEN']\n"
        "    raise KeyError('no such thing')\n"
        "session.prepare = broken\n"
        "cli.main()\n"
    )
    defect = tmp_path / "defect.py"
    defect.write_text(script)
    for options in ((), ("--json",), ("--debug",)):
        completed = subprocess.run(
            [sys.executable, defect, "pgo", *options],
            cwd=project,
            env={**optbuild.environ, **SECRETS},
            capture_output=True,
            text=True,
            check=False,
        )
        assert completed.returncode == 70, completed.stderr
        lines = completed.stderr.splitlines()
        assert ("Traceback (most recent call last):" in lines) == (options == ("--debug",))
        assert len(lines) == 1 or options == ("--debug",)
        assert "KeyError" in lines[-1]
        log = Path(lines[-1].rpartition(": ")[2])
        assert log.parent == optbuild.home / "tmp"
        text = log.read_text()
        assert "Traceback" in text
        assert "optbuild 0" in text
        assert "s3cr3t" not in text + completed.stdout + completed.stderr
        if options == ("--json",):
            document = json.loads(completed.stdout)
            assert (document["exit_code"], document["error"]["code"]) == (70, "internal")
