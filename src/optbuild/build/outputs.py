"""Hold every variant's output against the baseline's, before anything is timed.

A miscompiled binary that skips work is fast; publishing its gain is the worst this tool could do.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.build.build_scripts import REMEDY
from optbuild.build.keys import output_key
from optbuild.build.model import Artifact, Compared, Probed
from optbuild.build.rebuilding import Rebuild
from optbuild.build.results import ResultStore
from optbuild.build.workload_runs import WorkloadRunner
from optbuild.errors import BuildError, NotComparableError, StorageError, WorkloadError
from optbuild.events import Emit, Level, Notice
from optbuild.files import atomic_copy, sha256_of, storage_error
from optbuild.plan.actions import CompareOutputs, ProbeOutputs
from optbuild.text import sanitize_line
from optbuild.workloads.cargo_build import CargoBuild
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation

_KEPT_BYTES = 64 << 20  # a larger output is compared by its hash alone
_CONTEXT_BYTES = 24
_AGED_NS = 10**9  # a second after the epoch: no run of today leaves it on a file


@dataclass(slots=True, kw_only=True)
class OutputChecker:
    """Runs the baseline and the candidates for what they print.

    Attributes:
        kept: Where outputs of the baseline are kept, to show where a candidate's differs.
    """

    workloads: WorkloadRunner
    results: ResultStore
    hashes: InputHashes
    kept: Path
    emit: Emit

    def probe(
        self, action: ProbeOutputs, binaries: dict[str, Artifact], cargo_build: CargoBuild | None = None
    ) -> Probed:
        """Run the baseline twice.

        Args:
            action: What to run.
            binaries: All that it uses of what was built.
            cargo_build: How cargo would start them, where the workload is that.

        Raises:
            NotComparableError: `compare-output` demands a comparison, and the baseline's own output varies; or what
                the workload reads has changed meanwhile.
        """
        key = output_key(action, binaries, self.hashes, cargo_build)
        probed = self.results.load(key, Probed) or self._probe_anew(action, binaries, cargo_build, key)
        if not probed.deterministic:
            self._tell_varying(action.workload)
        return probed

    def _probe_anew(
        self, action: ProbeOutputs, binaries: dict[str, Artifact], cargo_build: CargoBuild | None, key: str
    ) -> Probed:
        invocation = action.workload
        stdout = self.workloads.output(action.id)
        digests = []
        durations = []
        with self._set_up(invocation, binaries, action.id, cargo_build) as run_once:
            for _ in range(2):
                durations.append(run_once())
                self._require_files(invocation)
                digests.append(_digest(invocation, stdout))
            kept = self._keep(invocation, stdout, key)
        stdout.unlink(missing_ok=True)
        deterministic = invocation.compare_output == "none" or digests[0] == digests[1]
        probed = Probed(
            sha256=digests[0],
            deterministic=deterministic,
            run_s=min(durations),
            output=kept,
            reused=False,
        )
        if self.hashes.is_steady(invocation):
            self.results.save(key, replace(probed, reused=True))
        return probed

    def compare(
        self,
        action: CompareOutputs,
        binaries: dict[str, Artifact],
        probed: Probed,
        cargo_build: CargoBuild | None = None,
        *,
        rebuild: Rebuild | None = None,
    ) -> Compared:
        """Run a candidate and compare; without a verdict where the baseline itself varies.

        Args:
            action: What to run.
            binaries: All that it uses of what was built.
            probed: What the baseline printed.
            cargo_build: How cargo would start them, where the workload is that.
            rebuild: Builds the baseline once more, to see whether that prints the same before a variant is blamed.

        Raises:
            NotComparableError: The outputs differ, or what the workload reads has changed meanwhile.
        """
        invocation = action.workload
        key = output_key(action, binaries, self.hashes, cargo_build, baseline=probed)
        stored = self.results.load(key, Compared)
        if stored is not None:
            return stored
        stdout = self.workloads.output(action.id)
        with self._set_up(invocation, binaries, action.id, cargo_build) as run_once:
            run_once()
            digest = _digest(invocation, stdout)
        comparable = probed.deterministic and invocation.compare_output != "none"
        equal = digest == probed.sha256 if comparable else None
        if equal is False:
            difference = _first_difference(invocation, probed.output, stdout)
            raise self._blame(action, probed, difference, stdout, rebuild)
        stdout.unlink(missing_ok=True)
        if self.hashes.is_steady(invocation):
            self.results.save(key, Compared(sha256=digest, equal=equal, reused=True))
        return Compared(sha256=digest, equal=equal, reused=False)

    def _blame(
        self, action: CompareOutputs, probed: Probed, difference: str, stdout: Path, rebuild: Rebuild | None
    ) -> NotComparableError:
        """Say whose fault it is that outputs differ: the variant's, or that of builds that are not reproducible."""
        message = f"{action.label}: not what the baseline prints{difference}"
        unlike = None if rebuild is None else self._find_unlike(action, probed, rebuild)
        if unlike is None:
            remedy = "it was neither timed nor published; find out which of the two is right before you ship either"
            return NotComparableError(message, help=remedy, location=str(stdout))
        because = f": {'; '.join(unlike)}" if unlike else ""
        return NotComparableError(
            f"{message}; nor does a second build of the baseline print that: builds are not reproducible{because}",
            help=f'{REMEDY}; or set `compare-output = "none"` in its [[workloads]] table',
            location=str(stdout),
        )

    def _find_unlike(self, action: CompareOutputs, probed: Probed, rebuild: Rebuild) -> tuple[str, ...] | None:
        """What build scripts do otherwise in a second build of the baseline; None where that prints the same."""
        name = f"{action.id}-again"
        try:
            with (
                rebuild() as rebuilt,
                self._set_up(action.workload, dict(rebuilt.artifacts), name, None) as run_once,
            ):
                run_once()
                digest = _digest(action.workload, self.workloads.output(name))
        except (BuildError, StorageError, WorkloadError):
            return None  # it shows nothing, and the difference that was found is the error to tell
        return None if digest == probed.sha256 else rebuilt.differences

    @contextmanager
    def _set_up(
        self, invocation: Invocation, binaries: dict[str, Artifact], log_name: str, cargo_build: CargoBuild | None
    ) -> Iterator[Callable[[], float]]:
        """Set a workload up and give what runs it once and tells the seconds that took."""
        paths = {name: artifact.path for name, artifact in binaries.items()}
        with self.workloads.set_up(
            invocation, paths, log_name=log_name, extra_env={}, cargo_build=cargo_build
        ) as run_once:

            def run() -> float:
                _age_files(invocation)
                wall_s = run_once().usage.wall_s
                self.hashes.check_after(invocation)
                return wall_s

            yield run

    def _keep(self, invocation: Invocation, stdout: Path, key: str) -> Path | None:
        source = _compared_files(invocation, stdout)[0]
        if not source.is_file() or source.stat().st_size > _KEPT_BYTES:
            return None
        target = self.kept / f"{key}.out"
        atomic_copy(source, target)
        return target

    def _require_files(self, invocation: Invocation) -> None:
        """What the baseline does not write cannot show that a variant does the same."""
        if missing := _unwritten_files(invocation):
            raise NotComparableError(
                f"workload {sanitize_line(invocation.name)!r}: the baseline did not write {missing[0]}",
                help="correct `compare-output` in its [[workloads]] table: files that each run writes, relative to cwd",
                location=str(invocation.cwd),
            )

    def _tell_varying(self, invocation: Invocation) -> None:
        name = sanitize_line(invocation.name)
        if invocation.compare_output != "auto":
            raise NotComparableError(
                f"workload {name!r}: two runs of the baseline print different things, so outputs cannot be compared",
                help="make its output the same each time (a fixed seed, sorted output),"
                ' or set `compare-output = "none"` in its [[workloads]] table',
                location=str(invocation.cwd),
            )
        self.emit(
            Notice(
                level=Level.WARNING,
                code="outputs-not-compared",
                message=f"workload {name!r}: two runs of the baseline print different things; outputs not compared",
                help='make its output the same each time, or set `compare-output = "none"` to say that it varies',
            )
        )


def _declared_files(invocation: Invocation) -> tuple[Path, ...]:
    names = invocation.compare_output if isinstance(invocation.compare_output, tuple) else ()
    return tuple(invocation.cwd / name for name in names)


def _compared_files(invocation: Invocation, stdout: Path) -> tuple[Path, ...]:
    return _declared_files(invocation) or (stdout,)


def _age_files(invocation: Invocation) -> None:
    """Date the files of earlier runs back: one that a run leaves as it is must not pass for its output."""
    for path in _declared_files(invocation):
        if path.is_file():
            try:
                os.utime(path, ns=(_AGED_NS, _AGED_NS))
            except OSError as error:
                raise storage_error(path, error) from error


def _is_written(path: Path) -> bool:
    return path.is_file() and path.stat().st_mtime_ns != _AGED_NS


def _unwritten_files(invocation: Invocation) -> list[Path]:
    return [path for path in _declared_files(invocation) if not _is_written(path)]


def _digest(invocation: Invocation, stdout: Path) -> str:
    """One hash over all that is compared; a declared file that was not written counts as missing."""
    files = _compared_files(invocation, stdout)
    digests = [sha256_of(path) if _is_written(path) else "missing" for path in files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _first_difference(invocation: Invocation, baseline: Path | None, stdout: Path) -> str:
    """Where two outputs part, with the bytes around it."""
    if missing := _unwritten_files(invocation):
        return f": it did not write {missing[0]}"
    candidate = _compared_files(invocation, stdout)[0]
    if baseline is None or not baseline.is_file():
        return ""
    expected, found = baseline.read_bytes(), candidate.read_bytes()
    position = next(
        (i for i, (left, right) in enumerate(zip(expected, found, strict=False)) if left != right),
        min(len(expected), len(found)),
    )
    if position == len(expected) == len(found):
        return ""  # another of several files differs
    line = expected.count(b"\n", 0, position) + 1
    return (
        f": first difference at byte {position}, line {line}: "
        f"baseline {_excerpt(expected, position)}, this variant {_excerpt(found, position)}"
    )


def _excerpt(data: bytes, position: int) -> str:
    piece = data[max(0, position - _CONTEXT_BYTES // 2) : position + _CONTEXT_BYTES]
    return f'"{sanitize_line(piece.decode("utf-8", "replace"))}"' if piece else "the end"
