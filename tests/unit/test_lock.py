"""The lock of a project, and the directory that it is in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from optbuild.errors import BuildError, InterruptedRunError, LockHeldError, StorageError
from optbuild.events import Event
from optbuild.files import claim_directory
from optbuild.record.lock import blame_deletion, blaming_deletion, hold_lock


def ignore(_: Event) -> None:
    """Nobody listens."""


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """A second one that may not wait names the first."""
    path = tmp_path / "own/lock"
    claim_directory(path.parent)
    again = hold_lock(path, wait=False, emit=ignore)
    named = pytest.raises(LockHeldError, match=r"another optbuild run \(pid \d+\)")
    with hold_lock(path, wait=False, emit=ignore), named:
        again.__enter__()
    with hold_lock(path, wait=False, emit=ignore):
        pass


def test_what_is_deleted_meanwhile_is_ours_again_afterwards(tmp_path: Path) -> None:
    """Else the next run would refuse the directory that this one has made anew."""
    path = tmp_path / "own/lock"
    claim_directory(path.parent)

    def work() -> None:
        with hold_lock(path, wait=False, emit=ignore):
            shutil.rmtree(path.parent)
            (path.parent / "logs").mkdir(parents=True)
            raise BuildError("the first error", help="h")

    with pytest.raises(BuildError, match="the first error"):
        work()
    claim_directory(path.parent)


def test_a_clean_while_a_run_waits_leaves_it_a_directory_of_ours(tmp_path: Path) -> None:
    """Opening the lock's file makes the directory anew."""
    path = tmp_path / "own/lock"
    with hold_lock(path, wait=True, emit=ignore):
        claim_directory(path.parent)


@pytest.mark.parametrize("error", [BuildError("no such file", help="h"), FileNotFoundError(2, "gone", "Cargo.lock")])
def test_every_command_that_holds_the_lock_blames_a_deletion(tmp_path: Path, error: Exception) -> None:
    """Also for what nothing foresaw; without a deletion the error stays what it is."""
    claim_directory(tmp_path / "own")
    with pytest.raises(type(error)), blaming_deletion(tmp_path / "own"):
        raise error
    shutil.rmtree(tmp_path / "own")
    with (
        pytest.raises(StorageError, match="was deleted while optbuild worked in it"),
        blaming_deletion(tmp_path / "own"),
    ):
        raise error


def test_a_deletion_is_blamed_for_the_error_that_follows_from_it(tmp_path: Path) -> None:
    """An interrupt is the user's own, and stays what it is."""
    claim_directory(tmp_path / "own")
    error = BuildError("no such file", help="h")
    assert blame_deletion(error, tmp_path / "own") is error
    shutil.rmtree(tmp_path / "own")
    assert isinstance(blame_deletion(InterruptedRunError(2), tmp_path / "own"), InterruptedRunError)
    blamed = blame_deletion(error, tmp_path / "own")
    assert isinstance(blamed, StorageError)
    assert "was deleted while optbuild worked in it" in blamed.message
