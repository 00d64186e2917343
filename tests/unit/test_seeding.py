"""The first build of a version begins with a copy of what cargo has built of another one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from optbuild.files import claim_directory
from optbuild.project.layout import Layout
from optbuild.session.seeding import seed_builds

_BUILT_S = 2_000_000_000


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


def _layout(root: Path, *built: str) -> Layout:
    claim_directory(root)
    for name in built:
        (root / name).mkdir()
        (root / name / "unit").write_text(root.name)
        os.utime(root / name / "unit", (_BUILT_S, _BUILT_S))
    return Layout(root=root, artifacts=root / "artifacts")


def _files(directory: Path, *changed_s: int) -> Path:
    for number, each in enumerate(changed_s):
        path = directory / "src" / f"{number}.rs"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        os.utime(path, (each, each))
    (directory / ".git").mkdir(parents=True)
    (directory / ".git" / "index").write_text("")
    os.utime(directory / ".git" / "index", (1, 1))
    return directory


def test_a_copy_is_older_than_every_file_of_the_version(tmp_path: Path) -> None:
    """Cargo would take packages of the workspace for unchanged; what git keeps does not count."""
    old, new = _layout(tmp_path / "old", "cargo", "train"), _layout(tmp_path / "new")
    seed_builds(new, [new, old], _files(tmp_path / "files", _BUILT_S - 100, _BUILT_S - 50))
    assert [(each / "unit").stat().st_mtime for each in (new.cargo_target, new.cargo_pgo_target)] == [
        _BUILT_S - 101
    ] * 2
    assert (old.cargo_target / "unit").stat().st_mtime == _BUILT_S, "the other version's own stays"


def test_older_builds_keep_their_order(tmp_path: Path) -> None:
    """A time stamp that is older already stays: cargo compares a unit's with those of its dependencies."""
    old, new = _layout(tmp_path / "old", "cargo"), _layout(tmp_path / "new")
    seed_builds(new, [old], _files(tmp_path / "files", _BUILT_S + 100))
    assert (new.cargo_target / "unit").stat().st_mtime == _BUILT_S


def test_the_first_that_was_built_is_copied_and_what_was_built_stays(tmp_path: Path) -> None:
    """Each of the two directories is copied from the first version that has it, unless there is one."""
    first, second = _layout(tmp_path / "first", "cargo"), _layout(tmp_path / "second", "cargo", "train")
    new = _layout(tmp_path / "new")
    files = _files(tmp_path / "files", _BUILT_S)
    seed_builds(new, [first, second], files)
    assert (new.cargo_target / "unit").read_text() == "first"
    assert (new.cargo_pgo_target / "unit").read_text() == "second"
    seed_builds(new, [second], files)
    assert (new.cargo_target / "unit").read_text() == "first"


def test_what_an_interrupted_copy_left_is_replaced(tmp_path: Path) -> None:
    """A directory appears under its name only when it is complete."""
    old, new = _layout(tmp_path / "old", "cargo"), _layout(tmp_path / "new")
    (new.root / "cargo.partial").mkdir()
    (new.root / "cargo.partial" / "half").write_text("")
    seed_builds(new, [old], _files(tmp_path / "files", _BUILT_S))
    assert [path.name for path in new.cargo_target.iterdir()] == ["unit"]


@pytest.mark.parametrize("changed_s", [(), (0,), (1, _BUILT_S)])
def test_files_without_a_time_stamp_are_built_from_nothing(tmp_path: Path, changed_s: tuple[int, ...]) -> None:
    """Nothing can be older than a file whose time stamp was set to zero."""
    old, new = _layout(tmp_path / "old", "cargo"), _layout(tmp_path / "new")
    seed_builds(new, [old], _files(tmp_path / "files", *changed_s))
    assert not new.cargo_target.exists()


def test_a_full_disk_is_not_filled_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room for the copy and for the builds after it, the builds begin from nothing."""
    old, new = _layout(tmp_path / "old", "cargo"), _layout(tmp_path / "new")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: _Usage(total=10, used=9, free=1))
    seed_builds(new, [old], _files(tmp_path / "files", _BUILT_S))
    assert not new.cargo_target.exists()
