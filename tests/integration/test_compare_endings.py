"""`optbuild compare` where it is killed, and of projects of other kinds: benches, a linked worktree, many versions."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.integration.git_history import FILES, PROFILE, History, warnings_of
from tests.integration.optbuild_program import Optbuild, tree, variant_of

pytestmark = pytest.mark.cargo

BENCH = """fn main() {
    let mut sum = 0u64;
    for turn in 0..100_000u64 {
        sum = sum.wrapping_mul(31).wrapping_add(turn ^ (sum >> 7));
    }
    println!("{sum}");
}
"""


@pytest.fixture
def history(optbuild: Optbuild, tmp_path: Path) -> History:
    """A repository with one version."""
    return History.begin(tmp_path / "turns", optbuild)


def test_a_comparison_that_is_killed_leaves_the_repository_alone_and_the_next_one_goes_on(history: History) -> None:
    """`.git` stays as it was, what was built is found, and files that are not known to be complete are made anew."""
    second = history.commit("v2", history.edited("turn ^ ", "(turn | 0) ^ "))
    before = tree(history.directory / ".git")
    with history.optbuild.start("compare", "v1", "v2", cwd=history.directory) as running:
        running.await_saying("✓ old: release: build")
        running.send(signal.SIGKILL)
        assert running.end().status == 128 + signal.SIGKILL
    history.optbuild.await_no_children()
    assert tree(history.directory / ".git") == before
    (new,) = [source for source in history.sources() if second.startswith(source.parent.name)]
    (new.parent / "commit").unlink()  # as where it was killed before git had written everything
    (new / "src/main.rs").unlink()

    record = history.record("v1", "v2")
    assert record["status"] == "complete"
    assert [variant_of(record, name)["status"] for name in ("old", "new")] == ["reused", "built"]
    assert len(history.sources()) == 2
    assert tree(history.directory / ".git") == before


def test_a_bench_of_the_project_compares_versions(optbuild: Optbuild, tmp_path: Path) -> None:
    """Each version runs its own bench, built from its own files: what they print tells them apart."""
    profile = PROFILE.replace('command = ["{bin}", "data/turns.txt"]', 'cargo = ["bench", "--bench", "speed"]')
    manifest = FILES["Cargo.toml"] + '[[bench]]\nname = "speed"\nharness = false\n'
    files = {**FILES, "Cargo.toml": manifest, "optbuild.toml": profile, "benches/speed.rs": BENCH}
    history = History.begin(tmp_path / "turns", optbuild, files)
    history.commit("v2", history.edited("100_000", "200_000", "benches/speed.rs"))
    record = history.record("v1", "v2")
    assert record["status"] == "complete"
    assert {(each["workload"], each["metric"]) for each in record["benchmarks"]} == {
        ("count", "wall"),
        ("count", "cpu"),
    }
    assert [(each["variant"], each["equal"]) for each in record["outputs"]] == [("old", True), ("new", False)]
    assert "standard output differs" in warnings_of(record)["outputs-differ"]


def test_a_linked_worktree_is_a_project_as_any_other(history: History, tmp_path: Path) -> None:
    """Its own files are the working tree; neither they nor what git keeps for both are written."""
    linked = tmp_path / "linked"
    history.git("worktree", "add", "--quiet", "-b", "other", str(linked))
    there = History(directory=linked, optbuild=history.optbuild)
    there.write(there.edited("turn ^ ", "(turn | 0) ^ "))
    before = tree(history.directory), tree(linked)
    record = there.record("v1")
    assert [source["name"] for source in record["sources"]] == ["v1", "working tree"]
    assert record["sources"][1]["dirty"] is True
    assert [each["equal"] for each in record["outputs"]] == [True, True]
    assert (tree(history.directory), tree(linked, without=linked / "target")) == before
    assert history.git("worktree", "list").count("\n") == 1
