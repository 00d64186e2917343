from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from optbuild.errors import StorageError
from optbuild.files import (
    MARKER,
    atomic_copy,
    atomic_write,
    claim_again,
    claim_directory,
    disk_bytes_of,
    link_or_copy,
    refused_by_system,
    remove_below,
    require_writable,
    sha256_of,
    writing,
)

MS_RDONLY, MS_REMOUNT, MNT_DETACH = 1, 32, 2

NOBODY = 65534
Attempt = Callable[[], None]
Mount = Callable[[str, int], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Mount]]:
    """A tiny file system of 64 KiB, and a function to mount it in another way."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a file system of one's own needs root on Linux")
    path = tmp_path / "disk"
    path.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(data: str, flags: int) -> None:
        if libc.mount(b"tmpfs", bytes(path), b"tmpfs", ctypes.c_ulong(flags), data.encode()) != 0:
            pytest.skip(f"mounting is not permitted here: {os.strerror(ctypes.get_errno())}")

    mount("size=64k", 0)
    yield path, mount
    libc.umount2(bytes(path), MNT_DETACH)


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[None]:
    """Be somebody who may not enter the directory `closed`: root gives up its rights for a while."""
    closed, user = tmp_path / "closed", os.geteuid()
    closed.mkdir(mode=0)
    if user == 0:
        os.seteuid(NOBODY)
    yield
    os.seteuid(user)
    closed.chmod(0o700)


def entries(directory: Path) -> list[str]:
    """The names in a directory."""
    return sorted(path.name for path in directory.iterdir())


def owned_directory(path: Path) -> Path:
    """A directory that is ours, with something in it."""
    claim_directory(path)
    (path / "sub" / "deep").mkdir(parents=True)
    (path / "sub" / "deep" / "file").write_text("x")
    return path


def test_a_write_replaces_the_whole_content(tmp_path: Path) -> None:
    """Directories are made, the file can be read by everyone, and nothing else is left beside it."""
    path = tmp_path / "a" / "b" / "state.json"

    atomic_write(path, b"first and longer")
    atomic_write(path, b"second")

    assert path.read_bytes() == b"second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert entries(path.parent) == ["state.json"]


def test_a_reader_keeps_what_it_has_opened(tmp_path: Path) -> None:
    """A write makes a new file: whoever reads the old one reads it to its end."""
    path = tmp_path / "state"
    atomic_write(path, b"old")

    with path.open("rb") as reader:
        atomic_write(path, b"new")
        assert reader.read() == b"old"


def test_a_write_replaces_a_symlink_and_not_what_it_points_to(tmp_path: Path) -> None:
    """A link that somebody left in the way leads no write elsewhere."""
    (tmp_path / "target").write_text("theirs")
    (tmp_path / "link").symlink_to("target")

    atomic_write(tmp_path / "link", b"ours")

    assert (tmp_path / "target").read_text() == "theirs"
    assert (tmp_path / "link").read_text() == "ours"
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("way", ["write", "copy"])
def test_a_full_disk_leaves_the_old_file(disk: tuple[Path, Mount], tmp_path: Path, way: str) -> None:
    """The error names the file, the bytes and the reason, and no half-written file takes up space."""
    path = disk[0] / "state"
    atomic_write(path, b"old")
    (tmp_path / "big").write_bytes(b"x" * 200_000)

    attempts: dict[str, Attempt] = {
        "write": lambda: atomic_write(path, b"x" * 200_000),
        "copy": lambda: atomic_copy(tmp_path / "big", path),
    }

    with pytest.raises(StorageError) as caught:
        attempts[way]()

    size = " (200000 bytes)" if way == "write" else ""
    assert caught.value.message == f"cannot write {path}{size}: No space left on device"
    assert caught.value.location == str(path)
    assert path.read_bytes() == b"old"
    assert entries(disk[0]) == ["state"]


def test_a_disk_that_cannot_be_written_leaves_the_old_file(disk: tuple[Path, Mount]) -> None:
    """Writing, claiming and deleting are all refused in the same words."""
    path, mount = disk
    atomic_write(path / "state", b"old")
    owned = owned_directory(path / "owned")
    mount("size=64k", MS_REMOUNT | MS_RDONLY)

    attempts: list[Attempt] = [
        lambda: atomic_write(path / "state", b"new"),
        lambda: atomic_copy(path / "state", path / "copy"),
        lambda: claim_directory(path / "new"),
        lambda: remove_below(owned, owned),
    ]
    for attempt in attempts:
        with pytest.raises(StorageError, match="Read-only file system"):
            attempt()

    assert (path / "state").read_bytes() == b"old"
    assert (owned / "sub" / "deep" / "file").read_text() == "x"


def test_a_directory_without_permission_is_told_as_such(tmp_path: Path, unprivileged: None) -> None:
    """A directory that may not be read is an error with a remedy, not a crash."""
    closed = tmp_path / "closed"
    with pytest.raises(StorageError, match="Permission denied"):
        atomic_write(closed / "x", b"")
    with pytest.raises(StorageError, match="Permission denied"):
        claim_directory(closed)
    with pytest.raises(StorageError, match="does not have optbuild's marker"):
        remove_below(closed, closed)


def test_a_file_in_the_place_of_a_directory_is_an_error(tmp_path: Path) -> None:
    """What cannot be a directory is told with the path that was to be written."""
    (tmp_path / "file").write_text("x")

    (tmp_path / "link").symlink_to("nothing")

    for name in ("file", "link"):
        with pytest.raises(StorageError, match=rf"cannot write .*/{name}/state") as caught:
            atomic_write(tmp_path / name / "state", b"")
        assert "move it away" in caught.value.help
    with pytest.raises(StorageError, match="was not made by optbuild"):
        claim_directory(tmp_path / "file")


@pytest.mark.parametrize(
    ("error", "message", "remedy"),
    [
        (
            OSError(errno.EACCES, "Permission denied", "/closed/x"),
            "cannot use /closed/x: Permission denied",
            "accessible",
        ),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", b"aaa"),
            "cannot use aaa: File name too long",
            "another file",
        ),
        (OSError(errno.EMFILE, "Too many open files"), "refuses: Too many open files", "ulimit -n 1024"),
        (OSError(errno.EAGAIN, "no processes", "cargo"), "cannot use cargo: no processes", "ulimit -u"),
    ],
)
def test_what_the_system_refuses_is_no_bug(error: OSError, message: str, remedy: str) -> None:
    """The user can mend it, and a log for a bug report would not."""
    refused = refused_by_system(error)

    assert refused is not None
    assert message in str(refused)
    assert remedy in refused.help


def test_an_error_without_file_and_limit_is_a_bug() -> None:
    """A closed descriptor is nothing that a user can mend."""
    assert refused_by_system(OSError(errno.EBADF, "Bad file descriptor")) is None


def test_a_copy_keeps_permissions_and_is_a_new_file(tmp_path: Path) -> None:
    """A binary stays executable, and overwriting the copy's name does not change what runs."""
    source, target = tmp_path / "source", tmp_path / "new" / "target"
    source.write_bytes(b"\x7fELF")
    source.chmod(0o755)

    atomic_copy(source, target)
    first = target.stat().st_ino
    with target.open("rb"):
        atomic_copy(source, target)
        assert target.stat().st_ino != first

    assert target.read_bytes() == b"\x7fELF"
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    assert source.stat().st_ino != target.stat().st_ino
    assert entries(target.parent) == ["target"]


def test_a_copy_of_nothing_leaves_the_old_file(tmp_path: Path) -> None:
    """A source that is gone is an error, and the target stays."""
    (tmp_path / "target").write_text("old")

    with pytest.raises(StorageError, match="No such file"):
        atomic_copy(tmp_path / "gone", tmp_path / "target")

    assert (tmp_path / "target").read_text() == "old"
    assert entries(tmp_path) == ["target"]


def test_the_hash_is_that_of_the_content(tmp_path: Path) -> None:
    """It is what `sha256sum` prints."""
    (tmp_path / "abc").write_bytes(b"abc")

    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("exists", [False, True])
def test_a_new_or_empty_directory_can_be_claimed(tmp_path: Path, *, exists: bool) -> None:
    """It carries a marker from then on, and is claimed again whatever lies in it."""
    directory = tmp_path / "a" / "b"
    if exists:
        directory.mkdir(parents=True)

    claim_directory(directory)
    (directory / "ours").touch()
    claim_directory(directory)

    assert entries(directory) == [MARKER, "ours"]
    assert "optbuild clean" in (directory / MARKER).read_text()


def test_a_claimed_directory_that_was_made_anew_is_marked_again(tmp_path: Path) -> None:
    """Somebody has deleted it, and a later write has made it again without a marker."""
    claim_directory(tmp_path / "own")
    assert not claim_again(tmp_path / "own")

    shutil.rmtree(tmp_path / "own")
    assert claim_again(tmp_path / "own")
    assert not (tmp_path / "own").exists()
    atomic_write(tmp_path / "own" / "state", b"")
    assert claim_again(tmp_path / "own")
    claim_directory(tmp_path / "own")


def test_a_foreign_directory_cannot_be_claimed(tmp_path: Path) -> None:
    """A directory that others filled is left as it is."""
    (tmp_path / "theirs").touch()

    with pytest.raises(StorageError) as caught:
        claim_directory(tmp_path)

    assert caught.value.message == f"{tmp_path} exists and was not made by optbuild; nothing in it was touched"
    assert caught.value.help == "name another directory, or move that one away"
    assert entries(tmp_path) == ["theirs"]


@pytest.mark.parametrize("target", ["empty", "owned", "missing"])
def test_a_symlink_cannot_be_claimed(tmp_path: Path, target: str) -> None:
    """Wherever it points, a marked directory included: what lies behind a link is somebody's choice, not ours."""
    (tmp_path / "empty").mkdir()
    claim_directory(tmp_path / "owned")
    (tmp_path / "link").symlink_to(target)

    with pytest.raises(StorageError, match="was not made by optbuild"):
        claim_directory(tmp_path / "link")

    assert entries(tmp_path / "empty") == []
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("name", ["sub", "sub/deep", "sub/deep/file"])
def test_what_lies_below_an_owned_directory_can_be_removed(tmp_path: Path, name: str) -> None:
    """A directory with all that is in it, or a file; nothing beside it."""
    owned = owned_directory(tmp_path / "owned")
    (owned / "other").touch()

    remove_below(owned, owned / name)
    remove_below(owned, owned / name)

    assert not (owned / name).exists()
    assert (owned / "other").exists()
    assert (owned / MARKER).exists()


def test_an_owned_directory_can_be_removed_itself(tmp_path: Path) -> None:
    """Its marker goes with it."""
    owned = owned_directory(tmp_path / "owned")

    remove_below(owned, owned)

    assert entries(tmp_path) == []


def test_an_interrupted_removal_can_be_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The marker goes last: what is left is still known as ours."""
    owned = owned_directory(tmp_path / "owned")

    def interrupted(path: Path) -> NoReturn:
        raise KeyboardInterrupt(path)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            remove_below(owned, owned)

    assert (owned / MARKER).is_file()
    remove_below(owned, owned)
    assert entries(tmp_path) == []


def test_links_are_removed_and_never_followed(tmp_path: Path) -> None:
    """Whether the link is the target or lies somewhere in it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    owned = owned_directory(tmp_path / "owned")
    (owned / "link").symlink_to(outside)
    (owned / "sub" / "inner").symlink_to(outside)
    (owned / "sub" / "file").symlink_to(outside / "precious")
    (owned / "dangling").symlink_to("nowhere")

    for name in ("link", "sub", "dangling"):
        remove_below(owned, owned / name)

    assert entries(owned) == [MARKER]
    assert entries(outside) == ["precious"]


def test_a_pipe_is_removed_like_a_file(tmp_path: Path) -> None:
    """What a workload left need not be a regular file."""
    owned = owned_directory(tmp_path / "owned")
    os.mkfifo(owned / "pipe")

    remove_below(owned, owned / "pipe")

    assert entries(owned) == [MARKER, "sub"]


@pytest.mark.parametrize(
    "target", ["{tmp}", "{tmp}/outside", "{owned}/..", "{owned}/sub/../..", "{owned}/link/precious", "/"]
)
def test_nothing_outside_is_removed(tmp_path: Path, target: str) -> None:
    """Neither beside it, nor above it, nor behind a link within it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").touch()
    owned = owned_directory(tmp_path / "owned")
    (owned / "link").symlink_to(tmp_path / "outside")

    with pytest.raises(StorageError, match="is not below"):
        remove_below(owned, Path(target.format(tmp=tmp_path, owned=owned)))

    assert (tmp_path / "outside" / "precious").exists()
    assert (owned / "sub" / "deep" / "file").exists()


@pytest.mark.parametrize("case", ["no marker", "missing", "link", "marker is a directory"])
def test_without_a_marker_nothing_is_removed(tmp_path: Path, case: str) -> None:
    """A directory that is not known as ours is left alone; a link to one that is ours as well."""
    root = tmp_path / "root"
    real = owned_directory(tmp_path / "real")
    if case == "link":
        root.symlink_to(real)
    elif case != "missing":
        root.mkdir()
        (root / "theirs").touch()
    if case == "marker is a directory":
        (root / MARKER).mkdir()
    before = entries(tmp_path)

    for target in (root, root / "theirs", root / "sub"):
        with pytest.raises(StorageError) as caught:
            remove_below(root, target)
        assert caught.value.message == f"{root} does not have optbuild's marker; nothing was deleted"
        assert caught.value.help.endswith(f"rm -r {root}")

    assert entries(tmp_path) == before
    assert (real / "sub" / "deep" / "file").exists()
    assert case in {"missing", "link"} or (root / "theirs").exists()


def test_what_lies_on_disk_is_added_up(tmp_path: Path) -> None:
    """Blocks, not lengths; a file with two names once, nothing that a link points to, and nothing that is hidden."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below/long").write_bytes(b"x" * 10_000)
    (tmp_path / "short").write_bytes(b"x")
    expected = sum(path.stat().st_blocks * 512 for path in (tmp_path / "below/long", tmp_path / "short"))
    (tmp_path / "again").hardlink_to(tmp_path / "below/long")
    (tmp_path / "link").symlink_to("/")
    assert disk_bytes_of(tmp_path) == expected + (tmp_path / "link").lstat().st_blocks * 512
    assert disk_bytes_of(tmp_path / "nothing") == 0


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP])
def test_what_cannot_have_a_second_name_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Another file system, one without hard links, or too many of them: the copy may be run as well."""
    source, target = tmp_path / "source", tmp_path / "new" / "target"
    source.write_text("program")
    source.chmod(0o755)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    link_or_copy(source, target)
    assert (target.read_text(), target.stat().st_mode & 0o777, target.samefile(source)) == ("program", 0o755, False)


def test_a_second_name_costs_no_space(tmp_path: Path) -> None:
    """Where the file system has hard links, nothing is copied; a name that is taken is an error."""
    source, target = tmp_path / "source", tmp_path / "new" / "target"
    source.write_text("program")
    link_or_copy(source, target)
    assert target.samefile(source)
    with pytest.raises(StorageError, match="/new/target"):
        link_or_copy(source, target)


def test_a_place_where_no_file_can_be_is_no_matter_of_space(tmp_path: Path) -> None:
    """The remedy is another name."""
    with pytest.raises(StorageError) as caught:
        atomic_write(tmp_path, b"x")
    assert "name a file in it" in caught.value.help
    gone = tmp_path / "gone" / "report.html"
    with pytest.raises(StorageError) as caught, writing(gone):
        gone.write_bytes(b"x")
    assert "make the directory" in caught.value.help


def test_a_device_or_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """`-o /dev/null` by root made a file of it; for others it was refused, since nothing can be made beside it."""
    link, pipe = tmp_path / "null", tmp_path / "pipe"
    link.symlink_to("/dev/null")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for path in (link, pipe):
            require_writable(path)
            atomic_write(path, b"a report")
        assert os.read(reader, 100) == b"a report"
    finally:
        os.close(reader)
    assert (link.is_symlink(), pipe.is_fifo()) == (True, True)
    assert sorted(tmp_path.iterdir()) == [link, pipe]
    require_writable(Path("/dev/null"))
