from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.profile.confine import find_escape, find_workspace


def check(text: str, directory: Path) -> str | None:
    """What is wrong with a path that a build profile in `directory` names."""
    fault = find_escape(text, directory=directory, workspace=find_workspace(directory), key=("project", "manifest"))
    return fault.message if fault else None


@pytest.fixture
def member(tmp_path: Path) -> Path:
    """A directory two levels below one that may become a workspace."""
    directory = tmp_path / "work" / "crates" / "app"
    directory.mkdir(parents=True)
    return directory


def test_the_outermost_cargo_workspace_counts(member: Path) -> None:
    """A Cargo workspace goes before a git repository, and the outermost before the nearest."""
    (member / ".git").mkdir()
    assert find_workspace(member) == member
    (member / "Cargo.toml").write_text("[workspace]\n")
    (member.parents[1] / "Cargo.toml").write_text("# top\n [ workspace.package ]\nname = 1\n")
    assert find_workspace(member) == member.parents[1]


def test_without_a_workspace_the_git_top_counts(member: Path) -> None:
    """A worktree's `.git` is a file."""
    (member.parent / ".git").write_text("gitdir: elsewhere\n")
    (member / "Cargo.toml").write_bytes(b"[package]\nworkspace = '..'\n\xff")
    assert find_workspace(member) == member.parent


def test_without_either_the_directory_counts(member: Path) -> None:
    """Nothing above the build profile is reached by default."""
    assert find_workspace(member) == member
    assert check("../x", member) == f'`project.manifest`: "../x" leaves the workspace: it is {member.parent / "x"}'


def test_a_directory_that_cannot_be_looked_into_is_no_git_top(member: Path) -> None:
    """What the operating system refuses to say is not an error while searching."""
    assert find_workspace(member / ("x" * 300)) == member / ("x" * 300)


def test_paths_inside_the_workspace_pass(member: Path) -> None:
    """`..` is allowed as long as it stays inside."""
    (member.parents[1] / ".git").mkdir()
    assert check("../other/Cargo.toml", member) is None
    assert check(".", member) is None


def test_absolute_paths_are_refused_even_inside(member: Path) -> None:
    """A committed build profile holds no path of one machine."""
    assert check(str(member), member) == f'`project.manifest`: "{member}" is an absolute path: {member}'


def test_symlinks_that_leave_the_workspace_are_refused_with_their_target(member: Path, tmp_path: Path) -> None:
    """The path that counts is the resolved one."""
    (tmp_path / "outside").mkdir()
    (member / "link").symlink_to(tmp_path / "outside")
    (member / "inner").symlink_to(member)
    assert check("link/Cargo.toml", member) == (
        f'`project.manifest`: "link/Cargo.toml" leaves the workspace: it is {tmp_path / "outside" / "Cargo.toml"}'
    )
    assert check("inner/Cargo.toml", member) is None


def test_a_directory_reached_through_a_symlink_is_its_own_workspace(member: Path, tmp_path: Path) -> None:
    """Both sides are resolved before they are compared."""
    (tmp_path / "short").symlink_to(member)
    assert check("Cargo.toml", tmp_path / "short") is None


def test_a_path_that_cannot_be_resolved_is_told(member: Path) -> None:
    """A NUL character is a fault, not a crash."""
    assert "cannot be resolved" in str(check("a\0b", member))
