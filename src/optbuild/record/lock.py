"""One run at a time in one project: the second waits and names the holder, or fails at once if it may not wait."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from optbuild.errors import InterruptedRunError, LockHeldError, OptbuildError, StorageError
from optbuild.events import Emit, Level, Notice
from optbuild.files import atomic_write, claim_again, writing


@contextmanager
def hold_lock(path: Path, *, wait: bool, emit: Emit) -> Iterator[None]:
    """Hold a project's lock; the kernel releases it however the process ends.

    Args:
        path: A file in a directory that the caller has claimed, and that may be deleted while this waits or holds.
        wait: Wait for another run to end.
        emit: Takes a notice that this waits.

    Raises:
        LockHeldError: Another run holds it, and `wait` is False.
        StorageError: The lock file cannot be opened, or the file that names its holder cannot be written.
    """
    owner = path.with_name(f"{path.name}.pid")
    lock = FileLock(path)
    with writing(path):
        is_free = _try_lock(lock)
    if not is_free:
        holder = _holder(owner)
        if not wait:
            raise LockHeldError(
                f"another optbuild run ({holder}) is using this project",
                help="wait for it, or leave out --no-wait",
                location=str(path),
            )
        emit(Notice(level=Level.INFO, code="waiting", message=f"waiting for another optbuild run ({holder})"))
        with writing(path):
            lock.acquire()
    claim_again(path.parent)
    try:
        atomic_write(owner, f"{os.getpid()}\n".encode())
        yield
    finally:
        with suppress(StorageError):  # what ended the run is worth more
            claim_again(path.parent)
        lock.release()


@contextmanager
def blaming_deletion(claimed: Path) -> Iterator[None]:
    """Let an error mention a deletion, if somebody has deleted what a command works on.

    Args:
        claimed: The directory that belongs to optbuild, whose lock is held.

    Raises:
        StorageError: It was deleted.
    """
    try:
        yield
    except (OptbuildError, OSError) as error:
        cause = blame_deletion(error, claimed)
        if cause is error:
            raise
        raise cause from error


def blame_deletion(error: OptbuildError | OSError, claimed: Path) -> OptbuildError | OSError:
    """The error of a run; if somebody has deleted what it works on, such as `cargo clean`, nothing else is to blame."""
    if isinstance(error, InterruptedRunError) or not claim_again(claimed):
        return error
    return StorageError(
        f"{claimed} was deleted while optbuild worked in it",
        help="run again, and let nothing delete the target directory meanwhile (`cargo clean`)",
        location=str(claimed),
    )


def _try_lock(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _holder(owner: Path) -> str:
    try:
        return f"pid {int(owner.read_text())}"
    except (OSError, ValueError):
        return "pid unknown"
