"""Wheels of Python: whether the list of files in one is right, which libraries it holds, and how it is unpacked.

Sources:
    Binary distribution format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    The RECORD file: https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

WHEEL = "wheel"
"""The name that a wheel has among binaries; where it runs, it is a directory with what it holds."""
_TAGS = {"python": "cp", "pypy": "pp"}
_INTERPRETER = re.compile(r"(?P<kind>python|pypy)(?P<major>\d)\.(?P<minor>\d+)t?")
_RECORD = ".dist-info/RECORD"
_BILLS = ".dist-info/sboms/"
_UNLISTED = ("", ".jws", ".p7s")  # the list itself, and its signatures
_LIBRARY_SUFFIXES = frozenset({".so", ".pyd", ".dylib"})
_BUNDLED = ".libs"
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, csv.Error)
"""What a damaged wheel raises."""


def find_wheel_faults(path: Path) -> tuple[str, ...]:
    """What is wrong with the RECORD of a wheel: files that it lacks, lists in vain, or lists with another content.

    Raises:
        ValueError: It is not a wheel, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as wheel:
            return tuple(_faults(wheel))
    except BROKEN as error:
        raise ValueError(f"{path.name} is damaged: {error}") from error


def _faults(wheel: zipfile.ZipFile) -> Iterator[str]:
    names = [name for name in wheel.namelist() if not name.endswith("/")]
    record = next((name for name in names if name.endswith(_RECORD)), None)
    if record is None:
        yield "it has no RECORD"
        return
    rows = list(csv.reader(io.StringIO(wheel.read(record).decode("utf-8"))))
    listed = {row[0]: row[1:] for row in rows if row}
    unlisted = {f"{record}{suffix}" for suffix in _UNLISTED}
    for name in names:
        if name in unlisted:
            continue
        if name not in listed:
            yield f"{name} is not in its RECORD"
            continue
        content = wheel.read(name)
        if listed[name] != [_digest(content), str(len(content))]:
            yield f"{name} is not as its RECORD has it"
    yield from (f"{name} is in its RECORD only" for name in listed if name not in names)


def _digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def read_extension(path: Path, module: str) -> bytes:
    """The library of Rust in a wheel.

    Args:
        path: The wheel.
        module: The library's name in rustc, which distinguishes it from others.

    Raises:
        ValueError: It holds none, or several, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as wheel:
            names = [PurePosixPath(name) for name in wheel.namelist()]
            found = [name for name in names if name.suffix in _LIBRARY_SUFFIXES and not _is_bundled(name)]
            own = [name for name in found if name.name.split(".")[0] in {module, f"_{module}", f"lib{module}"}] or found
            if len(own) != 1:
                raise ValueError(f"{path.name} holds {len(own) or 'no'} libraries")
            return wheel.read(str(own[0]))
    except BROKEN as error:
        raise ValueError(f"{path.name} is damaged: {error}") from error


def _is_bundled(name: PurePosixPath) -> bool:
    """Whether a library is another project's, which auditing a wheel has copied into it."""
    return any(part.endswith(_BUNDLED) for part in name.parts[:-1])


def hold_the_same(one: Path, other: Path) -> bool:
    """Whether two wheels hold the same files, apart from a bill of materials, which has a new number in each build.

    Sources: CycloneDX, `serialNumber`, https://cyclonedx.org/docs/1.6/json/#serialNumber
    """
    try:
        return _contents(one) == _contents(other)
    except BROKEN:
        return False


def _contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as wheel:
        return {
            name: wheel.read(name) for name in wheel.namelist() if _BILLS not in name and not name.endswith(_RECORD)
        }


def unpack_wheel(path: Path, directory: Path) -> None:
    """Put what a wheel holds into a directory, from where Python imports it."""
    with zipfile.ZipFile(path) as wheel:
        wheel.extractall(directory)


def tag_of_interpreter(python: Path) -> str | None:
    """The tag of wheels for a Python, by the version in its name or in that of the file that it is a link to."""
    for path in (python, python.resolve()):
        if found := _INTERPRETER.fullmatch(path.name):
            return f"{_TAGS[found['kind']]}{found['major']}{found['minor']}"
    return None


def name_wheels(paths: list[Path], tag: str | None) -> dict[str, Path]:
    """Wheels by name: the first interpreter's is the wheel, the others have their tags.

    Args:
        paths: The files, of which one that is for several Pythons stands alone.
        tag: The tag of the first interpreter.
    """
    tags = {path: _python_tag(path) for path in sorted(paths)}
    ours = next((path for path, each in tags.items() if each == tag), next(iter(tags), None))
    return {WHEEL if path == ours else f"{WHEEL}:{each}": path for path, each in tags.items()}


def _python_tag(path: Path) -> str:
    """The Pythons that a wheel is for, such as `cp311`, by its file name."""
    return path.name.removesuffix(".whl").split("-")[-3]
