"""`optbuild init` with the real cargo: what it proposes, that it runs nothing of a project, and how it asks."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, copy_crate, edit, program, tree, write_script

pytestmark = pytest.mark.cargo


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A package with one binary and no build profile."""
    return without_profile(copy_crate("tally", tmp_path / "tally"))


def without_profile(directory: Path) -> Path:
    """A project from which the build profile is gone."""
    (directory / "optbuild.toml").unlink()
    return directory


def test_without_agreement_nothing_is_written(optbuild: Optbuild, project: Path) -> None:
    """Without a terminal and `--yes` the diff is all there is, and the command that writes is named."""
    before = tree(project)
    ended = optbuild.run("init", cwd=project).expect(0)
    assert ended.stdout.startswith("--- /dev/null\n+++ optbuild.toml\n")
    assert "help: agree in advance: optbuild init --yes" in ended.stderr
    assert tree(project) == before


def test_what_is_proposed_is_what_is_written(optbuild: Optbuild, project: Path) -> None:
    """With `--yes` the file holds the lines that the diff adds, a second time there is nothing to do."""
    ended = optbuild.run("init", project, "--yes", cwd=project.parent).expect(0)
    added = [line[1:] for line in ended.stdout.splitlines()[3:]]
    text = (project / "optbuild.toml").read_text()
    assert text.splitlines() == added
    assert 'input: "data"' in text
    assert "{bin}" in text
    assert "help: fill in the [[workloads]]" in ended.stderr
    again = optbuild.run("init", cwd=project).expect(0)
    assert again.stdout == ""
    assert "nothing to change" in again.stderr
    assert (project / "optbuild.toml").read_text() == text


def test_pgo_right_after_init_says_what_is_missing(optbuild: Optbuild, project: Path) -> None:
    """A proposal without workloads is refused with the missing table's name; one of the command line is enough."""
    optbuild.run("init", "--yes", cwd=project).expect(0)
    refused = optbuild.run("pgo", cwd=project).expect(2)
    assert "optbuild.toml has no [[workloads]]" in refused.stderr
    plan = optbuild.run("plan", "-v", "--", "{bin}", "data/train.txt", cwd=project).expect(0)
    assert "tally" in plan.stdout


def test_the_proposal_with_its_gaps_filled_plans_a_run(optbuild: Optbuild, project: Path) -> None:
    """What stands behind the comment signs is a whole build profile but for the arguments."""
    optbuild.run("init", "--yes", cwd=project).expect(0)
    path = project / "optbuild.toml"
    head, mark, workloads = path.read_text().partition("# [[workloads]]")
    path.write_text(head + (mark + workloads).replace("# ", ""))
    refused = optbuild.run("plan", cwd=project).expect(2)
    assert "unknown placeholder {ARGUMENTS}" in refused.stderr
    edit(path, "{ARGUMENTS}", "data/train.txt")
    edit(path, "{OTHER-ARGUMENTS}", "data/bench.txt")
    plan = optbuild.run("plan", "-v", cwd=project).expect(0)
    assert "data/train.txt" in plan.stdout


def test_nothing_of_the_project_is_run(optbuild: Optbuild, tmp_path: Path) -> None:
    """Neither build scripts nor the wrappers that a repository configures are started; its own compiler is refused."""
    project = without_profile(copy_crate("workspace", tmp_path / "project"))
    trap = write_script(tmp_path / "trap", f'touch {tmp_path / "sprung"}\nexec "$@"')
    config = project / ".cargo" / "config.toml"
    config.parent.mkdir()
    wrappers = f'[build]\nrustc-wrapper = "{trap}"\nrustc-workspace-wrapper = "{trap}"\n'
    config.write_text(f'{wrappers}rustc = "{trap}"\n')
    refused = optbuild.run("init", "--yes", cwd=project).expect(3)
    assert "names the compiler" in refused.stderr
    assert not (project / "optbuild.toml").exists()
    config.write_text(wrappers)
    ended = optbuild.run("init", "--yes", cwd=project).expect(0)
    assert '+bins = ["north", "south"]' in ended.stdout
    assert not (tmp_path / "sprung").exists()
    assert not (project / "target").exists()


def test_a_workspace_with_several_programs_asks_which(optbuild: Optbuild, tmp_path: Path) -> None:
    """Packages and binaries are listed; the one that is named gets a build profile that says so."""
    (tmp_path / "Cargo.toml").write_text('[workspace]\nmembers = ["one", "two"]\nresolver = "2"\n')
    for name in ("one", "two"):
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "src" / "main.rs").write_text("fn main() {}\n")
        (tmp_path / name / "Cargo.toml").write_text(
            f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n'
        )
    refused = optbuild.run("init", "--yes", cwd=tmp_path).expect(2)
    assert "`one` (`one`); `two` (`two`)" in refused.stderr
    assert "optbuild init --package two" in refused.stderr
    assert not (tmp_path / "optbuild.toml").exists()
    assert '+package = "two"' in optbuild.run("init", "--package", "two", "--yes", cwd=tmp_path).expect(0).stdout
    member = optbuild.run("init", cwd=tmp_path / "one").expect(0)
    assert "package" not in member.stdout.partition("[[workloads]]")[0]
    assert f"note: {tmp_path / 'optbuild.toml'} was the build profile" in member.stderr


@pytest.mark.parametrize(("answer", "is_written"), [(b"y\n", True), (b"\n", False)])
def test_at_a_terminal_it_asks(optbuild: Optbuild, project: Path, answer: bytes, *, is_written: bool) -> None:
    """The question stands on standard error, and only a `y` writes."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer)
        completed = subprocess.run(
            [str(program("optbuild")), "init"],
            cwd=project,
            env=optbuild.environ,
            stdin=theirs,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=True,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert f"write {project / 'optbuild.toml'}? [y/N] " in completed.stderr
    assert (project / "optbuild.toml").exists() == is_written
