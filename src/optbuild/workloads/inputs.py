"""What workloads read: known by its content, watched, and compared between training and measuring.

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
from optbuild.files import MARKER, VERSION_CONTROL, sha256_of
from optbuild.profile.cargo_words import CargoCall, CargoVerb
from optbuild.text import sanitize_line
from optbuild.workloads.invocation import Invocation, Moment, is_readable

REWRITTEN = "input-rewritten"
"""The code of the warning of a file that a workload has rewritten."""
_MAX_FILES = 10_000
_MAX_BYTES = 1 << 30
_EMPTY = hashlib.sha256(b"").hexdigest()
# The kernel's own files: never the same twice, and some of them wait for a reader for ever.
_KERNEL = (Path("/proc"), Path("/sys"))
# Cargo's and other programs' mark for what can be made again: https://bford.info/cachedir/
_CACHE_MARKER = "CACHEDIR.TAG"


class InputHashes:
    """The content of everything that the workloads of one run read, each looked at once and watched from then on."""

    def __init__(self) -> None:
        self._known: dict[Path, _Content] = {}
        self._rewritten: set[Path] = set()
        self._unsteady: set[Path] = set()
        self._absent: dict[str, dict[Path, object]] = {}
        self._created: dict[str, set[Path]] = {}
        self._starts: dict[tuple[str, Path], _Content] = {}
        self._changed_files: dict[Path, str] = {}
        self._own: set[Path] = set()
        self._told: set[Path] = set()

    def of(self, path: Path) -> str:
        """The hash of an input's content.

        Raises:
            UsageError: It cannot be read, or is neither a regular file nor a directory.
        """
        return self._look(path).digest

    def resolve(self, invocation: Invocation) -> dict[str, str]:
        """What decides the result of a run besides the recipe: contents of what it reads, and its environment.

        Raises:
            NotComparableError: Something has changed since it was first looked at.
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
        """Look at what a run begins with: `setup` or `prepare` may have brought back what the run before it rewrote.

        Raises:
            NotComparableError: A declared input is another one than the first run began with.
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
        """Look at everything again after a run: what only its command names may be what the run has written.

        What `prepare` may bring back is judged when the next run begins.

        Raises:
            NotComparableError: Something has changed that the run is known to read.
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
        """Whether its runs leave everything that it may read as it was, so that the next run can use their results."""
        return self._unsteady.isdisjoint(_read_by(invocation))

    def unsteady(self) -> tuple[Path, ...]:
        """Files and directories that commands name and that have changed while they ran."""
        return tuple(sorted(self._unsteady))

    def tell_rewritten(self, emit: Emit) -> None:
        """Warn, once of each, of files that were there when the run began and that a workload has rewritten."""
        for path, workload in self._changed_files.items():
            if path not in self._told:
                self._told.add(path)
                message = (
                    f"{sanitize_line(str(path))} was rewritten by workload {sanitize_line(workload)!r}, whose command "
                    "names it: if it reads that file, each later run works on what the first one left"
                )
                remedy = f"{_remedy(path)}; if the workload only writes it, list it in `compare-output`"
                emit(Notice(level=Level.WARNING, code=REWRITTEN, message=message, help=remedy))

    def is_told(self, path: Path) -> bool:
        """Whether it was warned of a file, or of one below a directory."""
        return any(told.is_relative_to(path) for told in self._told)

    def created(self) -> dict[str, set[Path]]:
        """What was not there when the run began and what a workload has written whose command names it, by its name."""
        return self._created

    def are_shared(self, training: Invocation, benchmark: Invocation) -> bool | None:
        """Whether a benchmark reads something that a training run reads as well; None where that cannot be told."""
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
        """What it reads, the programs that it starts and what it writes left out."""
        return [self._look(path) for path in invocation.inputs if path not in self._rewritten]

    def _look(self, path: Path) -> _Content:
        if path not in self._known:
            self._known[path] = _read(path)
        return self._known[path]

    def _note_rewritten(self, invocation: Invocation, path: Path, before: _Content) -> None:
        """Keep which files of an input are others now; those that a run has made itself are its outputs."""
        now = self._look(path).digests
        made = {*self._own, *invocation.creates, *invocation.output_files.values()}
        for name, digest in before.digests.items():
            file = path / name if name else path
            if now.get(name) != digest and file not in made:
                self._changed_files.setdefault(file, invocation.name)
        self._own.update(path / name for name in now.keys() - before.digests.keys())

    def _renew(self, path: Path) -> bool:
        """Look again; whether the content is another one."""
        before = self._look(path)
        try:
            if not before.is_known or _signature(path) == before.signature:
                return False
            self._known[path] = _read(path)
        except (OSError, UsageError):
            self._known[path] = _MISSING
        return self._known[path].digest != before.digest


def _tests_of(invocation: Invocation) -> CargoCall | None:
    """The tests or benches that a workload is; they hold inputs of their own, which no list of files tells."""
    return None if invocation.call is None or invocation.call.verb is CargoVerb.RUN else invocation.call


def _read_by(invocation: Invocation) -> tuple[Path, ...]:
    return (*invocation.programs, *invocation.inputs)


def _changed(invocation: Invocation, path: Path) -> NotComparableError:
    return NotComparableError(
        f"workload {sanitize_line(invocation.name)!r}: {sanitize_line(str(path))} has changed since the run began",
        help="leave what workloads read alone until the run is done, and run again;"
        " what a workload writes belongs in {scratch}",
        location=str(path),
    )


def _rewritten(invocation: Invocation, path: Path) -> NotComparableError:
    return NotComparableError(
        f"workload {sanitize_line(invocation.name)!r}: its input {sanitize_line(str(path))} has changed while it ran: "
        "each later run would work on what this one left",
        help=f"{_remedy(path)}; if somebody else has edited it, run again",
        location=str(path),
    )


def _remedy(path: Path) -> str:
    copy = f"{{scratch}}/{sanitize_line(path.name)}"
    return (
        f'give every run the file as it was: `prepare = ["cp", "{sanitize_line(str(path))}", "{copy}"]` in its '
        f"[[workloads]] table, and {copy} in its command"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What was found at a path.

    Attributes:
        digest: Of the content. Of something that is not to be read, a value that equals no other.
        signature: What differs when somebody has written to it.
        digests: Of each file, by its name below a directory; that of a file itself is empty.
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


def _read(path: Path) -> _Content:
    try:
        signature = _signature(path)
        if signature is None:
            return _Content(digest=f"unknown {secrets.token_hex(16)}", signature=None, is_known=False)
        if not path.is_dir():
            digest = sha256_of(path)
            return _Content(digest=digest, signature=signature, digests={"": digest})
        digests = {name: sha256_of(path / name) for name, _ in signature}
    except OSError as error:
        raise UsageError(
            f"cannot read the input {path}: {error.strerror}",
            help="make the file first, or correct `inputs` or `stdin` of the workload",
        ) from error
    whole = hashlib.sha256()
    for name, digest in sorted(digests.items()):
        whole.update(os.fsencode(name) + b"\0" + digest.encode() + b"\0")
    return _Content(digest=whole.hexdigest(), signature=signature, digests=digests)


_State = tuple[int, int, int]


def _state_of(path: Path) -> object:
    """What differs when somebody has written to a path; None where nothing is there that could be read."""
    try:
        return _signature(path) if is_readable(path) else None
    except (OSError, UsageError):
        return None


def _signature(path: Path) -> tuple[tuple[str, _State], ...] | None:
    """Every file with its state, the name empty for a path that is one itself; None for what is not to be read.

    Raises:
        UsageError: It is neither a regular file nor a directory: reading might never end.
        OSError: It is not there.
    """
    state = path.stat()
    is_file = stat.S_ISREG(state.st_mode)
    if not is_file and not stat.S_ISDIR(state.st_mode):
        raise UsageError(
            f"the input {path} is not a regular file",
            help="name a regular file in `inputs` or `stdin` of the workload; without `stdin` its input is empty",
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
    """The regular files below a directory, by relative name; what builds and version control keep is passed over."""
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
                continue  # a link to nowhere
            if stat.S_ISREG(state.st_mode):
                yield os.path.relpath(path, directory), state
