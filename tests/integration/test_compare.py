"""`optbuild compare` with real git and real cargo: what is built, from which files, and what comes of it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.integration.git_history import FILES, MAIN, MANIFEST, PROFILE, History, rewrite_gates, warnings_of
from tests.integration.optbuild_program import Optbuild, tree, variant_of

pytestmark = pytest.mark.pgo


@pytest.fixture
def history(optbuild: Optbuild, tmp_path: Path) -> History:
    """A repository with one version."""
    return History.begin(tmp_path / "turns", optbuild)


def test_two_revisions_are_compared_and_the_repository_is_only_read(history: History) -> None:
    """Arms, sources and outputs are in a record of the store; a rerun builds nothing; `.git` stays as it was."""
    first = history.git("rev-parse", "HEAD")
    second = history.commit("v2", history.edited("turn ^ ", "(turn | 0) ^ "))
    (history.directory / "left-alone.txt").write_text("an untracked file\n")
    before = tree(history.directory, without=history.directory / "target")

    record = history.record("v1", "v2")
    assert record["sources"] == [
        {"name": "v1", "git_commit": first, "dirty": False},
        {"name": "v2", "git_commit": second, "dirty": False},
    ]
    assert record["arms"] == [
        {"name": "old", "source": "v1", "variant": "release"},
        {"name": "new", "source": "v2", "variant": "release"},
    ]
    assert [(each["name"], each["baseline"], each["status"]) for each in record["variants"]] == [
        ("old", True, "built"),
        ("new", False, "built"),
    ]
    assert record["measure"] is not None, "it always measures"
    assert [each["equal"] for each in record["outputs"]] == [True, True], "paths have equal lengths"

    again = history.record("v1", "v2")
    assert [each["status"] for each in again["variants"]] == ["reused", "reused"]
    assert again["run_id"] != record["run_id"]
    assert tree(history.directory, without=history.directory / "target") == before
    assert history.git("worktree", "list").count("\n") == 0

    report = history.optbuild.run("report", cwd=history.directory).expect(0).stdout
    assert report.startswith("turns: v1 → v2 (release)\n")
    assert f"old is v1, commit {first[:12]}; new is v2, commit {second[:12]}." in " ".join(report.split())
    assert "v1 → v2 (release)" in history.optbuild.run("runs", cwd=history.directory).expect(0).stdout


def test_a_version_begins_with_the_dependencies_of_another_one(tmp_path: Path, optbuild: Optbuild) -> None:
    """What both versions depend on is compiled once, in plain and in instrumented builds; the user's build counts."""
    _vendor(tmp_path, "piece", "pub fn piece(sum: u64) -> u64 { sum ^ 5 }")
    manifest = f'{MANIFEST}[dependencies]\npiece = "1"\n'
    files = {
        **FILES,
        "Cargo.toml": manifest,
        "Cargo.lock": None,
        "src/main.rs": MAIN.replace("turn ^ ", "piece::piece(turn) ^ "),
        "optbuild.toml": PROFILE.replace(
            "[[workloads]]", '[variants.pgo]\ninherits = "release"\npgo = true\n[[workloads]]'
        ),
    }
    history = History.begin(tmp_path / "turns", optbuild, {name: text for name, text in files.items() if text})
    optbuild.run("build", "release", cwd=history.directory).expect(0)
    history.git("add", "Cargo.lock")
    history.git("commit", "--quiet", "--message", "lock")
    history.commit("v2", history.edited("sum >> 7", "sum >> 9"))

    history.record("HEAD~1", "v2", "--variant", "release")
    assert _compiled(history, "piece") == 0, "it was there since `build`"
    history.record("HEAD~1", "v2", "--variant", "pgo")
    assert _compiled(history, "piece") == 3, "instrumented once, and with the profile of each version"
    assert _compiled(history, "turns") == 6, "never copied from another version"


def _vendor(directory: Path, name: str, code: str) -> None:
    """Put a package of the registry beside a project, and let cargo find it there."""
    package = directory / "vendor" / name
    (package / "src").mkdir(parents=True)
    (package / "src" / "lib.rs").write_text(code)
    (package / "Cargo.toml").write_text(f'[package]\nname = "{name}"\nversion = "1.0.0"\nedition = "2021"\n')
    (package / ".cargo-checksum.json").write_text(f'{{"files": {{}}, "package": "{"0" * 64}"}}')
    config = directory / ".cargo" / "config.toml"
    config.parent.mkdir()
    config.write_text(
        f'[source.crates-io]\nreplace-with = "here"\n[source.here]\ndirectory = "{directory / "vendor"}"\n'
    )


def _compiled(history: History, package: str) -> int:
    """How often comparisons have compiled a package."""
    logs = (history.directory / "target" / "optbuild" / "compare").rglob("compile-*.log")
    return sum(log.read_text().count(f"Compiling {package} ") for log in logs)


def test_gates_judge_the_new_version_against_the_old_one(history: History) -> None:
    """What the new version may not lose is judged against the old one; `min-gain` is left out, and that is said."""
    table = "static TABLE: [u8; 4 << 20] = [7; 4 << 20];\n"
    history.commit(
        "v2", {"src/main.rs": table + MAIN.replace("turn ^ ", "TABLE[turn as usize % TABLE.len()] as u64 ^ ")}
    )
    history.compare("v1", "v2").expect(0)
    rewrite_gates(history, 'min-gain = "3%"\nmax-regression = "2%"\nmax-size-growth = "100%"')
    judged = history.optbuild.run("check", "--json", cwd=history.directory).expect(1)
    gates = {gate["gate"]: gate["verdict"] for gate in judged.document["gates"]}
    assert gates.keys() == {"max-regression", "max-size-growth"}
    assert gates["max-size-growth"] == "fail"
    assert "not judged between versions" in judged.stderr

    rewrite_gates(history, 'min-gain = "3%"')
    assert "max-regression" in history.optbuild.run("check", cwd=history.directory).expect(2).stderr


def test_a_working_tree_is_compared_as_it_is(history: History) -> None:
    """Changes, new files and ignored ones count, and it is called dirty; the index stays; edits are built next time."""
    history.write({".gitignore": "target/\n/secret/\n"})
    history.commit("v2", {})
    history.write(
        {
            "src/main.rs": 'mod extra;\nconst KEPT: &str = include_str!("../secret/kept.txt");\n'
            + MAIN.replace('println!("{sum}");', 'println!("{sum} {} {}", extra::WORD, KEPT.trim());'),
            "src/extra.rs": 'pub const WORD: &str = "new";\n',
            "secret/kept.txt": "ignored\n",
        }
    )
    state = history.git("status", "--porcelain")
    record = history.record("v2")
    assert record["sources"][1] == {
        "name": "working tree",
        "git_commit": history.git("rev-parse", "HEAD"),
        "dirty": True,
    }
    assert "new ignored" in warnings_of(record)["outputs-differ"]
    assert [each["equal"] for each in record["outputs"]] == [True, False]
    assert history.git("status", "--porcelain") == state

    history.write({"src/extra.rs": None, **history.edited("mod extra;\n", ""), "Cargo.lock": FILES["Cargo.lock"]})
    history.write(history.edited("extra::WORD", '"other"'))
    again = history.record("v2")
    assert "other ignored" in warnings_of(again)["outputs-differ"]
    assert [each["status"] for each in again["variants"]] == ["reused", "built"]


@pytest.mark.parametrize(("choice", "status", "equal"), [("fail", 15, [True, False]), ("none", 0, [None, None])])
def test_outputs_that_differ_can_stop_it_or_be_passed_over(
    history: History, choice: str, status: int, equal: list[bool | None]
) -> None:
    """With `fail` the comparison ends with exit code 15, and says where outputs part; with `none` nobody looks."""
    history.commit("v2", history.edited("31", "33"))
    record = history.record("v1", "v2", "--compare-output", choice, status=status)
    assert [each["equal"] for each in record["outputs"]] == equal
    assert bool(record["benchmarks"]) == (status == 0)
    if status:
        assert "standard output differs in line 1" in record["error"]["message"]


def test_build_scripts_are_told_of_the_revision_that_is_built(history: History) -> None:
    """`git describe` in a build script names each version, and calls only a working tree with changes dirty."""
    script = """fn main() {
    let told = std::process::Command::new("git").args(["describe", "--tags", "--dirty"]).output().expect("git");
    println!("cargo:rustc-env=VERSION={}", String::from_utf8_lossy(&told.stdout).trim());
}
"""
    printing = MAIN.replace('println!("{sum}");', 'println!("{sum} {}", env!("VERSION"));')
    history.commit("v2", {"build.rs": script, "src/main.rs": printing})
    history.commit("v3", {"note.txt": "a change"})

    def printed(*revisions: str) -> list[str]:
        record = history.record(*revisions)
        paths = [variant_of(record, name)["artifacts"][0]["path"] for name in ("old", "new")]
        data = str(history.directory / "data/turns.txt")
        return [subprocess.check_output([path, data], text=True).split()[1] for path in paths]

    assert printed("v2", "v3") == ["v2", "v3"]
    history.write(history.edited("let mut sum", "let mut  sum"))
    assert printed("v2") == ["v2", "v3-dirty"]


def test_each_version_is_trained_by_itself(history: History) -> None:
    """With PGO both get profiles of their own from the same workload; a rerun after Ctrl-C reuses what is there."""
    profile = PROFILE.replace(
        "[variants.release]\n", '[variants.release]\n[variants.pgo]\ninherits = "release"\npgo = true\n'
    )
    history.commit("v2", {**history.edited("turn ^ ", "turn | 1 ^ "), "optbuild.toml": profile})
    before = tree(history.directory / ".git")
    with history.optbuild.start("compare", "v1", "v2", cwd=history.directory) as running:
        running.await_saying("✓ old: pgo: train on count")
        running.send(signal.SIGINT)
        assert running.end().status == 128 + signal.SIGINT
    history.optbuild.await_no_children()
    assert tree(history.directory / ".git") == before

    record = history.record("v1", "v2")
    old, new = (variant_of(record, name) for name in ("old", "new"))
    assert {step["kind"]: step["reused"] for step in old["steps"]}["train"] is True
    assert old["pgo"]["profdata"]["sha256"] != new["pgo"]["profdata"]["sha256"]
    assert old["pgo"]["applied"]
    assert new["pgo"]["applied"]
    assert {arm["variant"] for arm in record["arms"]} == {"pgo"}


def test_each_may_have_its_own_build_profile(history: History) -> None:
    """Each is built as it says itself, and measured on what the new one measures; one file can stand for both."""
    new = PROFILE.replace("[variants.release]", '[variants.release]\nopt-level = "s"').replace("turns.txt", "fewer.txt")
    history.commit("v2", {"optbuild.toml": new, "data/fewer.txt": "1000\n"})
    record = history.record("v1", "v2", "--build-profile-of", "each")
    levels = [
        any("opt-level" in word for step in each["steps"] for word in step["argv"]) for each in record["variants"]
    ]
    assert levels == [False, True]
    assert record["outputs"][0]["sha256"] == record["outputs"][1]["sha256"]

    record = history.record("v1", "v2", "--build-profile-of", "old")
    assert not any(
        "opt-level" in word for each in record["variants"] for step in each["steps"] for word in step["argv"]
    )
    history.write({"other.toml": PROFILE.replace("count", "named")})
    record = history.record("v1", "v2", "-f", "other.toml")
    assert {each["workload"] for each in record["outputs"]} == {"named"}


def test_a_version_without_a_build_profile_takes_that_of_the_other(optbuild: Optbuild, tmp_path: Path) -> None:
    """The workloads' files are those of the build profile's owner as well, which the old version does not have."""
    files = {name: text for name, text in FILES.items() if name not in {"optbuild.toml", "data/turns.txt"}}
    history = History.begin(tmp_path / "turns", optbuild, files)
    history.commit("v2", {name: FILES[name] for name in ("optbuild.toml", "data/turns.txt")})
    record = history.record("v1", "v2")
    assert [each["equal"] for each in record["outputs"]] == [True, True]
    for owner in ("old", "each"):
        said = history.refused("v1", "v2", "--build-profile-of", owner)
        assert "v1 has no optbuild.toml" in said
    options = ("--build-profile-of", "old", "--variant", "release", "--max-time", "1s")
    command = history.compare("v1", "v2", *options, "--", "{bin}", "data/turns.txt")
    assert "by the build profile of v1" in command.expect(0).stderr


def test_a_program_that_was_shipped_stands_for_the_old_version(optbuild: Optbuild, tmp_path: Path) -> None:
    """Without git the working tree is measured against it where it is; it need not have the name of the new one."""
    directory = tmp_path / "turns"
    for name, text in FILES.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    history = History(directory=directory, optbuild=optbuild)
    optbuild.run("build", "release", cwd=directory).expect(0)
    shipped = tmp_path / "turns-1.0.0"
    (directory / "target/optbuild/artifacts/release/turns").rename(shipped)

    record = history.record("--baseline-binary", shipped)
    assert record["sources"] == [
        {"name": str(shipped), "git_commit": None, "dirty": None},
        {"name": "working tree", "git_commit": None, "dirty": None},
    ]
    assert record["arms"][0] == {"name": "old", "source": str(shipped), "variant": None}
    assert [each["equal"] for each in record["outputs"]] == [True, True]
    assert variant_of(record, "old")["artifacts"][0]["path"] == str(shipped)
    report = optbuild.run("report", cwd=directory).expect(0).stdout
    assert report.startswith("turns: turns-1.0.0 → working tree (release)\n")

    assert "missing or not executable" in history.refused("--baseline-binary", tmp_path / "nothing")
    assert "not in a git repository" in history.refused("v1")
    assert "not in a git repository" in history.refused("--baseline-binary", shipped, "v2")
