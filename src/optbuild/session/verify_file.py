"""`optbuild verify FILE --record REC`: is what people will get the program that a run has made and proved?

Nothing of the file is run, and nothing of it is written to disk.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from optbuild import __version__
from optbuild.errors import UsageError
from optbuild.files import sha256_of, storage_error
from optbuild.record.model import RunRecord
from optbuild.record.verification import Verification
from optbuild.record.verify_binary import ShippedProgram, find_origin, find_plain, judge_program
from optbuild.session.inspect import find_record
from optbuild.session.request import Machine, RunRequest
from optbuild.text import sanitize_line
from optbuild.tools.archives import (
    PROGRAM_BEGINNINGS,
    ArchivedProgram,
    BrokenArchiveError,
    Limits,
    is_archive,
    list_programs,
    read_program,
)
from optbuild.tools.elf import ElfFacts, find_instrumented_sections, read_elf

_ELF = PROGRAM_BEGINNINGS[0]
_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyFileRequest:
    """What to look at.

    Attributes:
        file: A program, or an archive that holds one.
        record: A run's id, or the path of a record.
        bin: Which program, where there are several; None takes the only one.
        run: Whose stored runs `record` is one of, where it is not a path.
    """

    file: Path
    record: str
    bin: str | None
    run: RunRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A program that was read: where it lies, and what it is."""

    name: str
    data: bytes


def verify_file(request: VerifyFileRequest, machine: Machine) -> Verification:
    """Compare a program with the record of the run that is said to have made it.

    Raises:
        UsageError: The file or the record cannot be read, or it is not known which program is meant.
        ToolchainError: What unpacks the archive is not installed.
        StorageError: The file cannot be opened.
    """
    record = find_record(request.record, request.run, machine)
    names = _names(record, request)
    path = machine.working_directory / request.file
    if not path.is_file():
        raise UsageError(
            f"there is no file {path}",
            help="name the program or the archive that people will get: optbuild verify FILE --record REC",
            location=str(path),
        )
    try:
        read = _read(path, names, request.bin, Limits())
    except OSError as error:
        raise storage_error(path, error) from error
    except BrokenArchiveError as error:
        raise UsageError(
            f"{path} cannot be read: {error}", help="pack or download it again", location=str(path)
        ) from error
    return _judge(read, request, record, names)


def _of_target(record: RunRecord, sha256: str) -> RunRecord:
    """With several targets, what the record says of the one that a program was built for; the first if none has it."""
    views = record.views()
    return next((view for view in views if find_origin(view, sha256, None) is not None), views[0])


def _judge(read: _Read, request: VerifyFileRequest, record: RunRecord, names: tuple[str, ...]) -> Verification:
    sha256 = hashlib.sha256(read.data).hexdigest()
    own = PurePosixPath(read.name).name.removesuffix(".exe")
    own_name = request.bin or (own if own in names else names[0] if len(names) == 1 else None)
    record = _of_target(record, sha256)
    origin = find_origin(record, sha256, None)
    elf, instrumentation = _look(read.data, read.name)
    program = ShippedProgram(
        bin=own_name if origin is None else origin.artifact.bin if request.bin is None else request.bin,
        sha256=sha256,
        elf=elf,
        instrumentation=instrumentation,
        plain=_look_at_plain(record, own_name),
    )
    return Verification(
        optbuild_version=__version__,
        subject=sanitize_line(read.name),
        bin=program.bin,
        variant=None if origin is None else origin.variant.name,
        sha256=sha256,
        run_id=record.run_id,
        checks=judge_program(program, record),
    )


def _names(record: RunRecord, request: VerifyFileRequest) -> tuple[str, ...]:
    """The names of the programs of a record."""
    names = tuple(dict.fromkeys(artifact.bin for variant in record.variants for artifact in variant.artifacts))
    if not names:
        raise UsageError(
            f"run {record.run_id} has built nothing that a file could be",
            help="name the record of a run that ended well: optbuild build --json > record.json",
            location=request.record,
        )
    if request.bin is not None and request.bin not in names:
        raise UsageError(
            f"run {record.run_id} has no program {request.bin!r}", help=f"choose --bin from: {', '.join(names)}"
        )
    return names


def _read(path: Path, names: tuple[str, ...], asked: str | None, limits: Limits) -> _Read:
    if not is_archive(path):
        if path.stat().st_size > limits.member_bytes:
            raise BrokenArchiveError(f"it is larger than {limits.member_bytes:,} bytes")
        data = path.read_bytes()
        if not data.startswith(PROGRAM_BEGINNINGS):
            raise UsageError(
                f"{path} is neither a program nor an archive that can be read here",
                help="name an ELF, Mach-O or PE program, or a .tar.gz, .tar.xz, .tar.zst, .zip or .whl with one",
                location=str(path),
            )
        return _Read(name=str(path), data=data)
    chosen = _choose(list_programs(path, limits), names, asked, path)
    return _Read(name=f"{path}:{chosen.name}", data=read_program(path, chosen, limits))


def _choose(
    programs: tuple[ArchivedProgram, ...], names: tuple[str, ...], asked: str | None, path: Path
) -> ArchivedProgram:
    """The one program of an archive that is meant."""
    wanted = names if asked is None else (asked,)
    found = [each for each in programs if PurePosixPath(each.name).name.removesuffix(".exe") in wanted]
    if not found and asked is None:
        found = list(programs)
    if len(found) == 1:
        return found[0]
    shown = ", ".join(sanitize_line(each.name) for each in (found or programs)[:_SHOWN])
    if found:
        named = len({PurePosixPath(each.name).name for each in found}) > 1
        raise UsageError(
            f"{path} holds {len(found)} programs: {shown}",
            help=f"choose one with --bin: {', '.join(names)}" if named else "unpack it, and name the program itself",
            location=str(path),
        )
    what = f"no program {asked}, but {shown}" if programs else "no program"
    raise UsageError(f"{path} holds {what}", help="name the archive that people will get", location=str(path))


def _look(data: bytes, name: str) -> tuple[ElfFacts | None, tuple[str, ...]]:
    """What an ELF program says of itself, and what of any program only an instrumented one has."""
    try:
        if not data.startswith(_ELF):
            return None, find_instrumented_sections(data)
        elf = read_elf(data)
    except ValueError as error:
        raise UsageError(f"{name} cannot be read: {error}", help="build or download it again") from error
    return elf, elf.instrumentation


def _look_at_plain(record: RunRecord, bin_name: str | None) -> ElfFacts | None:
    """The plain build, where it is still what the record says."""
    plain = find_plain(record, bin_name)
    path = None if plain is None else Path(plain.path)
    if plain is None or path is None or not path.is_file() or sha256_of(path) != plain.sha256:
        return None
    data = path.read_bytes()
    return read_elf(data) if data.startswith(_ELF) else None
