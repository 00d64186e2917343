"""Atomic writing, and deleting that reaches only optbuild's own files.

Not for *where* files are: `optbuild.project.layout` knows.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from optbuild.errors import StorageError

MARKER = ".optbuild-directory"
# Another file system, one without hard links (FAT, some network ones), too many links already, or no permission.
_NO_LINK = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
)
_LIMITS = {
    errno.EMFILE: "allow more open files, and run again: ulimit -n 1024",
    errno.ENFILE: "end programs that hold many files, and run again",
    errno.EAGAIN: "end programs, or allow more processes (`ulimit -u`), and run again",
    errno.ENOMEM: "end programs that hold much memory, or use fewer jobs (`--jobs 1`), and run again",
    errno.ENOSPC: "free some disk space, and run again",
    errno.EDQUOT: "free some disk space, and run again",
}
VERSION_CONTROL = frozenset({".git", ".hg", ".jj", ".svn"})
"""Directories of version control: they change with every fetch and every status, and are not part of a project."""
_MARKER_TEXT = "optbuild made this directory; `optbuild clean` may delete it and everything below it.\n"

_OPEN_FILES = tuple(map(Path, ("/dev", "/dev/fd", "/proc/self/fd")))
"""What lies here are names of files that are open, `/dev/stdout` for instance."""


def atomic_write(path: Path, data: bytes) -> None:
    """Replace a file's content atomically: a reader sees the old or the new bytes, never a mixture.

    A device or a pipe is written to: a file in its place would take it from the whole system.

    Raises:
        StorageError: The disk is full or the directory cannot be written; the old file is intact.
    """
    if _is_stream(path):
        with writing(path):
            path.write_bytes(data)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise storage_error(path, error, size_bytes=len(data)) from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            os.fchmod(stream.fileno(), 0o644)
        Path(temporary).replace(path)
    except OSError as error:
        raise storage_error(path, error, size_bytes=len(data)) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def require_writable(path: Path) -> None:
    """Refuse a file that cannot be written later, before the work that would be lost.

    Raises:
        StorageError: Its directory cannot be written or made, or it is a directory.
    """
    parent = next(folder for folder in path.parents if folder.exists())
    if _is_stream(path):
        if not os.access(path, os.W_OK):
            raise storage_error(path, OSError(errno.EACCES, os.strerror(errno.EACCES)))
        return
    if path.is_dir():
        raise storage_error(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        number = errno.EACCES if parent.is_dir() else errno.ENOTDIR
        raise storage_error(path, OSError(number, os.strerror(number)))


def _is_stream(path: Path) -> bool:
    """Whether a path names a device, a pipe or a socket, by itself or through a link, or an open file of `/dev`."""
    try:
        mode = path.stat().st_mode
    except OSError:  # it is not there, or nothing may be known of it: writing says so
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or path.parent in _OPEN_FILES


def atomic_copy(source: Path, target: Path) -> None:
    """Copy a file with its permissions; `target` appears complete, as a new inode, or not at all.

    Raises:
        StorageError: The disk is full or the directory cannot be written; the old file is intact.
    """
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        os.close(descriptor)
        temporary = Path(name)
        shutil.copyfile(source, temporary)
        shutil.copymode(source, temporary)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(target)
    except OSError as error:
        raise storage_error(target, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file another name that does not exist yet; copy it if the file system has no hard links.

    Raises:
        StorageError: The disk is full, or the directory cannot be written.
    """
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(source)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            atomic_copy(source, target)


_IN_ITS_PLACE = "a file, or a symbolic link to nothing, is where a directory has to be: move it away, and run again"
_WRITING = {
    errno.EEXIST: _IN_ITS_PLACE,
    errno.ENOTDIR: _IN_ITS_PLACE,
    errno.EISDIR: "a directory is where a file has to be: name a file in it, or another one",
    errno.ENOENT: "make the directory for it, or name a file in another one",
}
"""What helps where something cannot be written for another reason than space or permission."""


def storage_error(path: Path, error: OSError, *, size_bytes: int | None = None) -> StorageError:
    """Turn the operating system's refusal to write into an error with a remedy."""
    size = "" if size_bytes is None else f" ({size_bytes} bytes)"
    remedy = _WRITING.get(error.errno or 0, "free some disk space, or make the directory writable, and run again")
    return StorageError(
        f"cannot write {path}{size}: {error.strerror or error}",
        help=remedy,
        location=str(path),
    )


def refused_by_system(error: OSError) -> StorageError | None:
    """Turn what nothing foresaw, but the operating system refused, into an error with a remedy.

    Returns:
        None if the error names neither a file nor a limit of the system: that is a bug.
    """
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
    remedy = _LIMITS.get(error.errno or 0)
    if path is None and remedy is None:
        return None
    return StorageError(
        f"cannot use {path}: {error.strerror}" if path else f"the operating system refuses: {error.strerror}",
        help=remedy or "make it accessible, or name another file or directory",
        location=path,
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's errors about a path into errors with a remedy.

    Raises:
        StorageError: The disk is full, the path cannot be written, or something else is in its place.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(path, error) from error


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def tail_of(path: Path, *, most_bytes: int = 1 << 16) -> bytes:
    """The end of a file, such as a log; empty if there is no file."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - most_bytes))
            return stream.read()
    except FileNotFoundError:
        return b""


def disk_bytes_of(directory: Path) -> int:
    """The disk space of the readable files below a directory; a file with several names counts once."""
    sizes: dict[tuple[int, int], int] = {}
    waiting = [os.fspath(directory)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                        continue
                    state = entry.stat(follow_symlinks=False)
                    sizes[state.st_dev, state.st_ino] = getattr(state, "st_blocks", -(-state.st_size // 512)) * 512
    return sum(sizes.values())


def claim_directory(directory: Path) -> None:
    """Mark a directory as optbuild's with a marker file, which allows cleaning it later.

    Raises:
        StorageError: It exists, is not empty and has no marker, is a symlink, or cannot be read or written.
    """
    try:
        if _is_ours(directory):
            return
        if directory.is_symlink() or (directory.exists() and (not directory.is_dir() or any(directory.iterdir()))):
            raise StorageError(
                f"{directory} exists and was not made by optbuild; nothing in it was touched",
                help="name another directory, or move that one away",
                location=str(directory),
            )
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(directory, error) from error
    atomic_write(directory / MARKER, _MARKER_TEXT.encode())


def claim_again(claimed: Path) -> bool:
    """Mark a directory that this process has claimed, and that was deleted and made anew meanwhile.

    Returns:
        Whether its marker was gone; without it, the next run would take the directory for somebody else's.
    """
    if _is_ours(claimed):
        return False
    if claimed.is_dir() and not claimed.is_symlink():
        atomic_write(claimed / MARKER, _MARKER_TEXT.encode())
    return True


def remove_below(owned: Path, target: Path) -> None:
    """Delete `target`, which must be `owned` itself or lie below it; symlinks are removed, never followed.

    Args:
        owned: A directory that carries our marker.
        target: What to delete; nothing happens when it does not exist.

    Raises:
        StorageError: `owned` has no marker, `target` is elsewhere, or deleting failed.
    """
    if not _is_ours(owned):
        raise StorageError(
            f"{owned} does not have optbuild's marker; nothing was deleted",
            help=f"delete it by hand if you are sure it is not needed: rm -r {owned}",
            location=str(owned),
        )
    root, place = owned.resolve(), target.parent.resolve()
    if target != owned and (target.name == ".." or not place.is_relative_to(root)):
        raise StorageError(
            f"{target} is not below {owned}; nothing was deleted",
            help="this is a bug in optbuild: please report it",
            location=str(target),
        )
    try:
        if target == owned:
            for child in owned.iterdir():
                # the marker goes last: an interruption must leave a directory that is still known as optbuild's
                if child.name != MARKER:
                    _remove(child)
        _remove(target)
    except OSError as error:
        raise storage_error(target, error) from error


def _is_ours(directory: Path) -> bool:
    # os.path returns False for a path that may not be inspected; pathlib raises.
    return not os.path.islink(directory) and os.path.isfile(directory / MARKER)  # noqa: PTH113, PTH114 - see above


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
