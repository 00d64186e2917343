"""Programs in archives: tar, compressed or not, and zip, which wheels are. Nothing is extracted to disk.

An archive comes from elsewhere, so its words are not believed: members are read as streams, no name becomes a
path, links are never followed, and no more is read than `Limits` allows, whatever the archive says of its sizes.
"""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from optbuild.errors import ToolchainError

PROGRAM_BEGINNINGS: Final = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ")
"""How programs begin: ELF, Mach-O of one machine and of several, PE."""

_GZIP, _XZ, _ZSTD, _ZIP = b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"PK"
_TAR_MAGIC_AT, _TAR_MAGIC = 257, b"ustar"
_BLOCK_BYTES = 1 << 16
_PACKED_BYTES = 1 << 12  # little, for a bomb unpacks to thousands of times as much
_ENCRYPTED = 1


class BrokenArchiveError(Exception):
    """An archive that cannot be read; the text says why, without its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is read at most.

    Attributes:
        member_bytes: Of one member.
        total_bytes: Of everything that an archive holds, unpacked.
    """

    member_bytes: int = 2 << 30
    total_bytes: int = 16 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedProgram:
    """A program in an archive.

    Attributes:
        number: Its place among the members, because two may have the same name.
        name: As the archive has it.
    """

    number: int
    name: str


def is_archive(path: Path) -> bool:
    """Whether a file is an archive of a kind that is known here, by its first bytes.

    Raises:
        OSError: It cannot be read.
    """
    return _unpacker_of(_beginning(path)) is not None or _is_zip(path)


def list_programs(path: Path, limits: Limits) -> tuple[ArchivedProgram, ...]:
    """The programs in an archive, by their first bytes.

    Raises:
        BrokenArchiveError: It is cut short, damaged, encrypted, or larger than allowed.
        ToolchainError: What unpacks it is not installed.
        OSError: It cannot be read.
    """
    programs = []
    with _told():
        for number, (name, stream) in enumerate(_members(path, limits)):
            if stream.read(4).startswith(PROGRAM_BEGINNINGS):
                programs.append(ArchivedProgram(number=number, name=name))
    return tuple(programs)


def read_program(path: Path, program: ArchivedProgram, limits: Limits) -> bytes:
    """The bytes of a program in an archive.

    Raises:
        BrokenArchiveError: As for `list_programs`.
        ToolchainError: Likewise.
        OSError: Likewise.
    """
    found = None
    with _told():
        for number, (_, stream) in enumerate(_members(path, limits)):
            if number == program.number:
                found = stream.read(limits.member_bytes + 1)
                if len(found) > limits.member_bytes:
                    raise BrokenArchiveError(f"{program.name} is larger than {limits.member_bytes:,} bytes")
    if found is None:
        raise BrokenArchiveError("it has changed meanwhile")
    return found


@contextmanager
def _told() -> Iterator[None]:
    """Tell in one way what readers of archives say in theirs, while members are read as well."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise BrokenArchiveError(f"it is cut short or damaged: {error}") from error
    except NotImplementedError as error:
        raise BrokenArchiveError(f"it is packed in an unknown way: {error}") from error


def _members(path: Path, limits: Limits) -> Iterator[tuple[str, IO[bytes]]]:
    """Each regular file of an archive, to be read before the next one."""
    return _members_of_zip(path, limits) if _is_zip(path) else _members_of_tar(path, limits)


def _members_of_zip(path: Path, limits: Limits) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        if sum(info.file_size for info in members) > limits.total_bytes:
            raise BrokenArchiveError(f"it unpacks to more than {limits.total_bytes:,} bytes")
        for info in members:
            if info.flag_bits & _ENCRYPTED:
                raise BrokenArchiveError(f"{info.filename} is encrypted")
            with archive.open(info) as stream:  # which never gives more than the size that was counted above
                yield info.filename, stream


def _members_of_tar(path: Path, limits: Limits) -> Iterator[tuple[str, IO[bytes]]]:
    unpack = _unpacker_of(_beginning(path))
    assert unpack is not None  # noqa: S101 - `is_archive` was asked before
    with path.open("rb") as file:
        unpacked = _Limited(unpack(file), limits.total_bytes)
        with tarfile.open(fileobj=unpacked, mode="r|") as archive:
            for member in archive:
                if member.isreg() and not member.issparse():
                    stream = archive.extractfile(member)
                    assert stream is not None  # noqa: S101 - for mypy: a regular file has one
                    yield member.name, stream
        while unpacked.read(_BLOCK_BYTES):  # what follows the last member shows whether the file is whole
            pass


def _is_zip(path: Path) -> bool:
    return _beginning(path).startswith(_ZIP)


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_TAR_MAGIC_AT + len(_TAR_MAGIC))


def _unpacker_of(beginning: bytes) -> Callable[[IO[bytes]], IO[bytes]] | None:
    if beginning.startswith(_GZIP):
        return lambda file: gzip.GzipFile(fileobj=file)  # type: ignore[return-value]  # it reads as one
    if beginning.startswith(_XZ):
        return lzma.LZMAFile
    if beginning.startswith(_ZSTD):
        return _open_zstd
    return (lambda file: file) if beginning[_TAR_MAGIC_AT:] == _TAR_MAGIC else None


def _open_zstd(file: IO[bytes]) -> IO[bytes]:
    try:
        import zstandard  # noqa: PLC0415 - an extra, which few need
    except ImportError as error:
        raise ToolchainError(
            "what unpacks zstd is not installed",
            help="pip install 'cargo-optbuild[zstd]', or unpack the archive and name the program in it",
        ) from error

    def unpack() -> Iterator[bytes]:
        """Frame by frame: zstandard's own reader takes a file that is cut short for a whole one."""
        frame, is_within = zstandard.ZstdDecompressor().decompressobj(), False
        while packed := file.read(_PACKED_BYTES):
            while packed:
                yield frame.decompress(packed)
                packed, is_within = frame.unused_data, not frame.eof
                if frame.eof:
                    frame = zstandard.ZstdDecompressor().decompressobj()
        if is_within:
            raise EOFError("a frame has no end")

    return io.BufferedReader(_Pieces(unpack(), zstandard.ZstdError))


class _Pieces(io.RawIOBase):
    """A stream of the pieces that something gives."""

    def __init__(self, pieces: Iterator[bytes], broken: type[Exception]) -> None:
        self._pieces, self._broken, self._ready = pieces, broken, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - as io has it
        try:
            while not self._ready and (piece := next(self._pieces, None)) is not None:
                self._ready = piece
        except self._broken as error:
            raise EOFError(str(error)) from error
        part, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


class _Limited(io.RawIOBase):
    """A stream that may give so many bytes and no more."""

    def __init__(self, stream: IO[bytes], limit_bytes: int) -> None:
        self._stream, self._left, self._limit = stream, limit_bytes, limit_bytes

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(_BLOCK_BYTES if size < 0 else size)
        self._left -= len(data)
        if self._left < 0:
            raise BrokenArchiveError(f"it unpacks to more than {self._limit:,} bytes")
        return data
