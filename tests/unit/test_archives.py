"""Programs in archives: found by their first bytes, and read within limits."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from optbuild.tools.archives import BrokenArchiveError, Limits, is_archive, list_programs, read_program

PROGRAM = b"\x7fELF" + bytes(range(256)) * 700
LIMITS = Limits()


def make_tar(members: dict[str, bytes]) -> bytes:
    """A tar archive with a link to a place outside of it before its members."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../../etc/passwd"
        archive.addfile(link)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def make_zip(members: dict[str, bytes]) -> bytes:
    """A zip archive, as wheels are."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


MAKERS: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "tar": make_tar,
    "tar.gz": lambda members: gzip.compress(make_tar(members)),
    "tar.xz": lambda members: lzma.compress(make_tar(members)),
    "tar.zst": lambda members: zstandard.compress(make_tar(members)),
    "zip": make_zip,
}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_program_is_read_as_it_is(tmp_path: Path, kind: str) -> None:
    """Each kind of archive gives the program and nothing else, and leaves no file behind."""
    path = tmp_path / "dist"
    path.write_bytes(MAKERS[kind]({"README": b"text", "../../app/bin/app": PROGRAM}))
    assert is_archive(path)
    (program,) = list_programs(path, LIMITS)
    assert program.name == "../../app/bin/app"
    assert read_program(path, program, LIMITS) == PROGRAM
    assert [each.name for each in tmp_path.iterdir()] == ["dist"]


@pytest.mark.parametrize("kind", [kind for kind in MAKERS if kind != "tar"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_an_archive_cut_short_is_no_smaller_archive(tmp_path: Path, kind: str, share: float) -> None:
    """Wherever it is cut, it is refused."""
    whole = MAKERS[kind]({"app": PROGRAM, "more": bytes(range(256)) * 40})
    path = tmp_path / "dist"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BrokenArchiveError):
        list_programs(path, LIMITS)


@pytest.mark.parametrize("kind", MAKERS)
def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, kind: str) -> None:
    """A few kilobytes that unpack to very much are not unpacked to the end."""
    path = tmp_path / "dist"
    path.write_bytes(MAKERS[kind]({"bomb": b"\0" * 50_000_000, "app": PROGRAM}))
    with pytest.raises(BrokenArchiveError, match=r"unpacks to more than 1,000,000 bytes"):
        list_programs(path, Limits(total_bytes=1_000_000))


@pytest.mark.parametrize("kind", MAKERS)
def test_a_member_that_is_too_large_is_refused(tmp_path: Path, kind: str) -> None:
    """A program has a limit of its own."""
    path = tmp_path / "dist"
    path.write_bytes(MAKERS[kind]({"app": PROGRAM}))
    (program,) = list_programs(path, LIMITS)
    with pytest.raises(BrokenArchiveError, match="app is larger than 1,000 bytes"):
        read_program(path, program, Limits(member_bytes=1000))


def test_two_frames_of_zstd_are_one_archive(tmp_path: Path) -> None:
    """Compressors that work in parallel write several frames."""
    data = make_tar({"app": PROGRAM})
    path = tmp_path / "dist"
    path.write_bytes(zstandard.compress(data[:20_000]) + zstandard.compress(data[20_000:]))
    assert [program.name for program in list_programs(path, LIMITS)] == ["app"]
