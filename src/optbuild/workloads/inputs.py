"""What workloads read: identified by content, watched, and compared between training and measuring.

Not for finding it in a command: `invocation` does.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from optbuild.errors import NotComparableError, UsageError
from optbuild.events import Emit, Level, Notice
from optbuild.files import MARKER, VERSION_CONTROL
from optbuild.profile.cargo_words import CargoCall, CargoVerb
from optbuild.text import sanitize_line
from optbuild.workloads.invocation import Invocation, Moment
from optbuild.workloads.known_hashes import KnownHashes
from optbuild.workloads.named_files import is_readable

REWRITTEN = "input-rewritten"
"""The code of the warning about a file that a workload rewrote."""
_MAX_FILES = 10_000
_MAX_BYTES = 1 << 30
_EMPTY = hashlib.sha256(b"").hexdigest()
# The kernel's files: never the same twice, and reading some of them blocks for ever.
_KERNEL = (Path("/proc"), Path("/sys"))
# The mark that cargo and other programs put on what can be recreated: https://bford.info/cachedir/
_CACHE_MARKER = "CACHEDIR.TAG"


class InputHashes:
    """The content of everything that the workloads of one run read, each looked at once and watched from then on.

    Args:
        large: The hashes of large files, as far as earlier runs have kept them.
    """

    def __init__(self, large: KnownHashes | None = None) -> None:
        self._large = large or KnownHashes()
        self._known: dict[Path, _Content] = {}
        self._rewritten: set[Path] = set()
        self._unsteady: set[Path] = set()
        self._absent: dict[str, dict[Path, object]] = {}
        self._created: dict[str, set[Path]] = {}
        self._starts: dict[tuple[str, Path], _Content] = {}
        self._changed_files: dict[Path, str] = {}
        self._own: set[Path] = set()
        self._warned: set[Path] = set()

    def of(self, path: Path) -> str:
        """The hash of an input's content.

        Raises:
            UsageError: It cannot be read, or is neither a regular file nor a directory.
        """
        return self._look(path).digest

    def remember(self) -> None:
        """Keep the hashes of large files for the next run.

        Raises:
            StorageError: They cannot be written.
        """
        self._large.remember()

    def resolve(self, invocation: Invocation) -> dict[str, str]:
        """What decides the result of a run in addition to the recipe: contents of what it reads, and its environment.

        Raises:
            NotComparableError: Something has changed since it was first read.
        """
        self._absent[invocation.name] = {path: _state_of(path) for path in invocation.absent}
        for path in _read_by(invocation):
            # A build may write into a directory of the project that a command happens to name.
            if self._renew(path) and not (path in invocation.named and path.is_dir()):
                raise _changed(invocation, path)
        return {
            **{f"input {path}": self.of(path) for path in _read_by(invocation)},
            **{f"env {name}": invocation.env.get(name, "") for name in {*invocation.env, *invocation.passed_env}},
        }

    def seen(self, invocation: Invocation) -> Iterator[tuple[Path, str, bool]]:
        """What a workload reads as far as it was looked at: path, digest, and whether it is a directory."""
        for path in _read_by(invocation):
            content = self._known.get(path)
            if content is not None and content.is_known and content.signature is not None:
                yield path, content.digest, "" not in content.digests

    @contextmanager
    def watch(self, invocation: Invocation) -> Iterator[None]:
        """Check what a run begins with: `setup` or `prepare` may have restored what the previous run rewrote.

        Raises:
            NotComparableError: A declared input differs from what the first run began with.
        """
        for path in invocation.inputs if {Moment.SETUP, Moment.PREPARE} & invocation.beside.keys() else ():
            self._renew(path)
            first = self._starts.setdefault((invocation.name, path), self._look(path))
            if self._look(path).digest != first.digest:
                if path not in invocation.named:
                    raise _rewritten(invocation, path)
                self._unsteady.add(path)
                self._note_rewritten(invocation, path, first)
        yield

    def check_after(self, invocation: Invocation) -> None:
        """Check everything again after a run: files that only its command names may be its output.

        What `prepare` may restore is judged when the next run begins.

        Raises:
            NotComparableError: Something that the run is known to read has changed.
        """
        written = {path for path, state in self._absent.get(invocation.name, {}).items() if _state_of(path) != state}
        self._created.setdefault(invocation.name, set()).update(written)
        for path in _read_by(invocation):
            before = self._look(path)
            has_changed = self._renew(path)
            if Moment.PREPARE in invocation.beside and path in invocation.inputs:
                continue
            if path not in invocation.named:
                if has_changed:
                    raise _rewritten(invocation, path)
            elif self._known[path].signature != before.signature:
                self._rewritten.add(path)
                if has_changed:
                    self._unsteady.add(path)
                    self._note_rewritten(invocation, path, before)

    def is_steady(self, invocation: Invocation) -> bool:
        """Whether its runs leave everything that it may read unchanged, which lets the next run use their results."""
        return self._unsteady.isdisjoint(_read_by(invocation))

    def unsteady(self) -> tuple[Path, ...]:
        """Files and directories that commands name and that changed while they ran."""
        return tuple(sorted(self._unsteady))

    def tell_rewritten(self, emit: Emit) -> None:
        """Warn, once about each, of files that existed when the run began and that a workload rewrote."""
        for path, workload in self._changed_files.items():
            if path not in self._warned:
                self._warned.add(path)
                message = (
                    f"{sanitize_line(str(path))} was rewritten by workload {sanitize_line(workload)!r}, whose command "
                    "names it: if it reads that file, each later run works on what the first one left"
                )
                remedy = f"{_remedy(path)}; if the workload only writes it, list it in `compare-output`"
                emit(Notice(level=Level.WARNING, code=REWRITTEN, message=message, help=remedy))

    def has_warned(self, path: Path) -> bool:
        """Whether there was a warning about a file, or about one below a directory."""
        return any(warned.is_relative_to(path) for warned in self._warned)

    def created(self) -> dict[str, set[Path]]:
        """New files since the start of the run that a workload whose command names them wrote, by its name."""
        return self._created

    def are_shared(self, training: Invocation, benchmark: Invocation) -> bool | None:
        """Whether a benchmark reads something that a training run reads as well; None if unknown."""
        if training.name == benchmark.name or self._work(training) == self._work(benchmark):
            return True
        learnt, raced = _tests_of(training), _tests_of(benchmark)
        if learnt and raced and learnt.shares_programs(raced):
            return True
        ours, theirs = self._contents(training), self._contents(benchmark)
        if any(left.files & right.files for left, right in product(ours, theirs)):
            return True
        if (learnt and raced) or not all(content.is_known for content in (*ours, *theirs)):
            return None
        return False if ours and theirs else None

    def _work(self, invocation: Invocation) -> object:
        scratch = str(invocation.scratch)
        argv = [tuple(p.replace(scratch, "") if isinstance(p, str) else p for p in word) for word in invocation.argv]
        stdin = None if invocation.stdin is None else self.of(invocation.stdin)
        return argv, invocation.server, invocation.cwd, dict(invocation.declared_env), stdin

    def _contents(self, invocation: Invocation) -> list[_Content]:
        """What it reads, without the programs that it starts and without what it writes."""
        return [self._look(path) for path in invocation.inputs if path not in self._rewritten]

    def _look(self, path: Path) -> _Content:
        if path not in self._known:
            self._known[path] = _read(path, self._large)
        return self._known[path]

    def _note_rewritten(self, invocation: Invocation, path: Path, before: _Content) -> None:
        """Note which files of an input differ now; those that a run created itself are its outputs."""
        now = self._look(path).digests
        made = {*self._own, *invocation.creates, *invocation.output_files.values()}
        for name, digest in before.digests.items():
            file = path / name if name else path
            if now.get(name) != digest and file not in made:
                self._changed_files.setdefault(file, invocation.name)
        self._own.update(path / name for name in now.keys() - before.digests.keys())

    def _renew(self, path: Path) -> bool:
        """Read again; return whether the content differs."""
        before = self._look(path)
        try:
            if not before.is_known or _signature(path) == before.signature:
                return False
            self._known[path] = _read(path, self._large)
        except (OSError, UsageError):
            self._known[path] = _MISSING
        return self._known[path].digest != before.digest


def _tests_of(invocation: Invocation) -> CargoCall | None:
    """The tests or benches of a workload; they have inputs that no list of files shows."""
    return None if invocation.call is None or invocation.call.verb is CargoVerb.RUN else invocation.call


def _read_by(invocation: Invocation) -> tuple[Path, ...]:
    return (*invocation.programs, *invocation.inputs)


def _changed(invocation: Invocation, path: Path) -> NotComparableError:
    return NotComparableError(
        f"workload {sanitize_line(invocation.name)!r}: {sanitize_line(str(path))} has changed since the run began",
        help="do not change what workloads read during a run, and run again; a workload should write to {scratch}",
        location=str(path),
    )


def _rewritten(invocation: Invocation, path: Path) -> NotComparableError:
    return NotComparableError(
        f"workload {sanitize_line(invocation.name)!r}: its input {sanitize_line(str(path))} has changed while it ran: "
        "each later run would work on what this one left",
        help=f"{_remedy(path)}; if someone else edited it, run again",
        location=str(path),
    )


def _remedy(path: Path) -> str:
    copy = f"{{scratch}}/{sanitize_line(path.name)}"
    return (
        f'give every run a fresh copy: `prepare = ["cp", "{sanitize_line(str(path))}", "{copy}"]` in its '
        f"[[workloads]] table, and {copy} in its command"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """The state of a path.

    Attributes:
        digest: Of the content; for something that must not be read, a value that equals no other.
        signature: What differs after a write to it.
        digests: Of each file, by its name below a directory; the name is empty for a file itself.
    """

    digest: str
    signature: object
    digests: Mapping[str, str] = field(default_factory=dict)
    is_known: bool = True

    @property
    def files(self) -> frozenset[str]:
        """The digest of each file that is not empty."""
        return frozenset({*self.digests.values()} - {_EMPTY})


_MISSING = _Content(digest="missing", signature=None)


def _read(path: Path, large: KnownHashes) -> _Content:
    try:
        signature = _signature(path)
        if signature is None:
            return _Content(digest=f"unknown {secrets.token_hex(16)}", signature=None, is_known=False)
        if not path.is_dir():
            digest = large.of(path)
            return _Content(digest=digest, signature=signature, digests={"": digest})
        digests = {name: large.of(path / name) for name, _ in signature}
    except OSError as error:
        raise UsageError(
            f"cannot read the input {path}: {error.strerror}",
            help="create the file first, or correct `inputs` or `stdin` of the workload",
        ) from error
    whole = hashlib.sha256()
    for name, digest in sorted(digests.items()):
        whole.update(os.fsencode(name) + b"\0" + digest.encode() + b"\0")
    return _Content(digest=whole.hexdigest(), signature=signature, digests=digests)


_State = tuple[int, int, int]


def _state_of(path: Path) -> object:
    """What differs after a write to a path; None if there is nothing to read."""
    try:
        return _signature(path) if is_readable(path) else None
    except (OSError, UsageError):
        return None


def _signature(path: Path) -> tuple[tuple[str, _State], ...] | None:
    """Every file with its state, by an empty name if the path is a file itself; None for what must not be read."""
    state = path.stat()
    is_file = stat.S_ISREG(state.st_mode)
    if not is_file and not stat.S_ISDIR(state.st_mode):
        raise UsageError(
            f"the input {path} is not a regular file",
            help="name a regular file in `inputs` or `stdin` of the workload; without `stdin` its standard input is "
            "empty",
        )
    if any(path.resolve().is_relative_to(place) for place in _KERNEL):
        return None
    if is_file:
        return (("", _state(state)),)
    found: list[tuple[str, _State]] = []
    size_bytes = 0
    for name, state in _files_below(path):
        found.append((name, _state(state)))
        size_bytes += state.st_size
        if len(found) > _MAX_FILES or size_bytes > _MAX_BYTES:
            return None
    return tuple(sorted(found))


def _state(state: os.stat_result) -> _State:
    return state.st_ino, state.st_size, state.st_mtime_ns


def _files_below(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The regular files below a directory, by relative name, without those of builds and version control."""
    for place, directories, names in os.walk(directory):
        if place != str(directory) and {MARKER, _CACHE_MARKER} & {*names}:
            directories.clear()
            continue
        directories[:] = [name for name in directories if name not in VERSION_CONTROL]
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118 - pathlib is slow for thousands of files
            try:
                state = os.stat(path)  # noqa: PTH116 - see above
            except OSError:
                continue  # a dangling link
            if stat.S_ISREG(state.st_mode):
                yield os.path.relpath(path, directory), state
