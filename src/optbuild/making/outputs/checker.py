"""Compare every variant's output with the baseline's, before anything is timed.

A miscompiled binary that skips work is fast; publishing its gain is the worst this tool could do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.errors import BuildError, NotComparableError, StorageError, WorkloadError
from optbuild.events import Emit, Level, Notice
from optbuild.files import atomic_copy
from optbuild.making.cargo.build_scripts import REMEDY
from optbuild.making.cargo.rebuilding import Rebuild
from optbuild.making.keys import output_key
from optbuild.making.outputs.bench_output import are_measurements
from optbuild.making.outputs.differences import comparable, differing, find_steady, first_difference, propose
from optbuild.making.outputs.leniency import Leniency, condition_of
from optbuild.making.outputs.written_parts import STDOUT, OutputWatch, Part
from optbuild.making.result_store import ResultStore
from optbuild.making.workload_runs import KEPT_BYTES, WorkloadRunner
from optbuild.plan.kinds.check_outputs import CompareOutputs, ProbeOutputs
from optbuild.plan.results import Artifact, Compared, KeptPart, Probed, combined_sha256
from optbuild.profile.workloads import Use
from optbuild.text import sanitize_line
from optbuild.workloads.cargo_build import CargoBuild
from optbuild.workloads.harness import Harness
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation

_MORE_RUNS = 2
"""Of a program that differs from the baseline: enough to see output that often varies; a build costs more."""


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
            binaries: All that was built; all programs stand in one directory.
            cargo_build: How cargo would start them, where the workload is that.

        Raises:
            NotComparableError: `compare-output` demands a comparison, and the baseline's own output varies; or what
                the workload reads has changed meanwhile.
        """
        key = output_key(action, binaries, self.hashes, cargo_build)
        stored = self.results.load(key, Probed)
        if stored is not None and (_leniency(action.workload).tolerance is None or _is_kept(stored)):
            probed, proposal = stored, None
        else:
            probed, proposal = self._probe_anew(action, binaries, cargo_build, key)
        self._report_not_compared(action.workload, probed, proposal)
        if cargo_build is not None and any(each.harness is Harness.VALGRIND for each in cargo_build.programs):
            self._report_valgrind(action.workload)
        return probed

    def _probe_anew(
        self, action: ProbeOutputs, binaries: dict[str, Artifact], cargo_build: CargoBuild | None, key: str
    ) -> tuple[Probed, str | None]:
        """Run the baseline twice; also the key that would let the two pass, where their difference looks harmless."""
        invocation = action.workload
        leniency = _leniency(invocation)
        durations = []
        with self._set_up(invocation, binaries, action.id, cargo_build) as (run_once, watch):
            durations.append(run_once())
            _require_files(invocation, watch.parts)
            first = self._keep(watch.parts, key, most_bytes=None if leniency.tolerance else KEPT_BYTES)
            durations.append(run_once())
            _require_files(invocation, watch.parts)
            second = watch.parts
            probed = find_steady(first, second, leniency, run_s=min(durations))
            proposal = propose(first, second, probed.varying[0], leniency) if probed.varying else None
        self.workloads.output(action.id).unlink(missing_ok=True)
        if self.hashes.is_steady(invocation):
            self.results.save(key, replace(probed, reused=True))
        return probed, proposal

    def compare(
        self,
        action: CompareOutputs,
        binaries: dict[str, Artifact],
        probed: Probed,
        cargo_build: CargoBuild | None = None,
        *,
        rebuild: Rebuild | None = None,
    ) -> Compared:
        """Run a candidate and compare; without a verdict where the baseline itself varies, or shows nothing.

        Args:
            action: What to run.
            binaries: All that it uses of what was built.
            probed: What the baseline printed.
            cargo_build: How cargo would start them, where the workload is that.
            rebuild: Builds the baseline once more, to see whether that prints the same before a variant is blamed.

        Raises:
            NotComparableError: The outputs differ, or what the workload reads has changed meanwhile.
        """
        invocation, leniency = action.workload, _leniency(action.workload)
        key = output_key(action, binaries, self.hashes, cargo_build, baseline=probed)
        stored = self.results.load(key, Compared)
        if stored is not None:
            return stored
        with self._set_up(invocation, binaries, action.id, cargo_build) as (run_once, watch):
            run_once()
            found = comparable(watch.parts, probed)
            measured = _is_measured_otherwise(invocation, probed.parts, found)
            if measured:
                self._report_measurements(invocation)
            different = () if measured or not probed.parts else differing(probed.parts, found, leniency)
            lenient = _describe_leniency(different[0], action, probed, found) if different else ""
            fault = self._describe_fault(different[0], lenient, action, probed, found) if different else None
            varies = fault is not None and _varies(run_once, watch, probed, found, leniency)
        if fault is not None:
            self.workloads.keep_output(action.id)  # if it is not large
            raise self._explain(fault, lenient, action, probed, None if varies else rebuild, varies=varies)
        self.workloads.output(action.id).unlink(missing_ok=True)
        compared = Compared(
            sha256=combined_sha256({name: part.sha256 for name, part in found.items()}),
            equal=None if measured else probed.equal,
            reused=False,
        )
        if self.hashes.is_steady(invocation):
            self.results.save(key, replace(compared, reused=True))
        return compared

    def _explain(
        self,
        fault: NotComparableError,
        lenient: str,
        action: CompareOutputs,
        probed: Probed,
        rebuild: Rebuild | None,
        *,
        varies: bool,
    ) -> NotComparableError:
        """Say whose fault it is that outputs differ: the variant's, that of chance, or of builds that are not alike."""
        unlike = None
        if rebuild is not None:
            unlike, varies = self._find_unlike(action, probed, rebuild)
        if varies:
            return NotComparableError(
                f"{fault.message}; but its output varies from run to run: the same program has just printed two things",
                help="make its output the same each time (a fixed seed, sorted output, whole answers of a server)"
                f'{lenient}; or set `compare-output = "none"` in its [[workloads]] table',
                location=fault.location,
            )
        if unlike is None:
            return fault
        because = f": {'; '.join(unlike)}" if unlike else ""
        return NotComparableError(
            f"{fault.message}; nor does a second build of the baseline print that: "
            f"builds are not reproducible{because}",
            help=f'{REMEDY}{lenient}; or set `compare-output = "none"` in its [[workloads]] table',
            location=fault.location,
        )

    def _find_unlike(
        self, action: CompareOutputs, probed: Probed, rebuild: Rebuild
    ) -> tuple[tuple[str, ...] | None, bool]:
        """What build scripts do otherwise in a second build of the baseline, None where that prints the same.

        Also whether that build prints now this and now that.
        """
        name, leniency = f"{action.id}-again", _leniency(action.workload)
        try:
            with (
                rebuild() as rebuilt,
                self._set_up(action.workload, dict(rebuilt.artifacts), name, None) as (run_once, watch),
            ):
                run_once()
                found = comparable(watch.parts, probed)
                differs = differing(probed.parts, found, leniency)
                varies = _varies(run_once, watch, probed, found, leniency)
        except (BuildError, StorageError, WorkloadError):
            return None, False  # it shows nothing, and the difference that was found is the error to tell
        return rebuilt.differences if differs else None, varies

    @contextmanager
    def _set_up(
        self, invocation: Invocation, binaries: dict[str, Artifact], log_name: str, cargo_build: CargoBuild | None
    ) -> Iterator[tuple[Callable[[], float], OutputWatch]]:
        """Set a workload up and give what runs it once and returns the seconds that took, and what sees its outputs."""
        paths = {name: artifact.path for name, artifact in binaries.items()}
        stdout = self.workloads.output(log_name)
        leniency = _leniency(invocation)
        watch = OutputWatch(invocation=invocation, stdout=stdout, leniency=leniency, hashes=self.hashes)
        with self.workloads.set_up(
            invocation, paths, log_name=log_name, extra_env={}, cargo_build=cargo_build
        ) as run_once:

            def run() -> float:
                watch.age_files()
                wall_s = run_once(watched=watch.watch).usage.wall_s
                self.hashes.check_after(invocation)
                self.hashes.tell_rewritten(self.emit)
                return wall_s

            yield run, watch

    def _describe_fault(
        self, name: str, lenient: str, action: CompareOutputs, probed: Probed, found: Mapping[str, Part]
    ) -> NotComparableError:
        """What refuses a candidate that writes something else than the baseline does."""
        is_left = self.workloads.keep_output(action.id) or name != STDOUT
        difference = first_difference(probed.parts, found, name, _leniency(action.workload))
        return NotComparableError(
            f"{action.label}: not what the baseline prints{difference}",
            help="it was neither timed nor published; find out which of the two is right before you ship either"
            + lenient,
            location=str(found[name].path if name in found and is_left else action.workload.cwd),
        )

    def _keep(self, parts: Mapping[str, Part], key: str, *, most_bytes: int | None) -> dict[str, KeptPart]:
        """Copy what the baseline wrote, as much of it as there is room for."""
        kept: dict[str, KeptPart] = {}
        copied_bytes = 0
        for number, (name, part) in enumerate(parts.items()):
            target = None
            size_bytes = part.path.stat().st_size if part.sha256 is not None else 0
            if part.sha256 is not None and (most_bytes is None or copied_bytes + size_bytes <= most_bytes):
                copied_bytes += size_bytes
                target = self.kept / f"{key}-{number}.out"
                atomic_copy(part.path, target)
            kept[name] = KeptPart(sha256=part.sha256, size_bytes=part.size_bytes, kept=target)
        return kept

    def _report_measurements(self, invocation: Invocation) -> None:
        self.emit(
            Notice(
                level=Level.WARNING,
                code="outputs-not-compared",
                message=f"workload {sanitize_line(invocation.name)!r}: a bench prints numbers other than the "
                "baseline's, which are taken for what it measured; its words are the same",
                help="if they are results and no measurements, print them from a workload with a `command`, which are "
                "compared to the letter",
            )
        )

    def _report_valgrind(self, invocation: Invocation) -> None:
        """What is measured of such a bench is how long valgrind takes, whatever the program itself would."""
        if Use.BENCH not in invocation.use:
            return
        self.emit(
            Notice(
                level=Level.WARNING,
                code="valgrind-is-timed",
                message=f"workload {sanitize_line(invocation.name)!r}: a bench of it counts instructions below "
                "valgrind: its wall time is that of valgrind, and says nothing about the program",
                help="measure another workload: a bench that takes times, or a `command`; and remove this one",
            )
        )

    def _report_not_compared(self, invocation: Invocation, probed: Probed, proposal: str | None) -> None:
        """Say what is not compared, and refuse that where it was demanded."""
        name = sanitize_line(invocation.name)
        if invocation.compare_output == "none" or (probed.equal and not probed.varying):
            return
        if not probed.varying:
            self._warn(
                f"workload {name!r}: it prints nothing and writes no file that is known; outputs not compared",
                "let it write to {scratch}, or name what it writes in its [[workloads]] table: "
                '`compare-output = ["out/file"]`',
            )
            return
        lenient = "" if proposal is None else f"let it pass in its [[workloads]] table: `{proposal}`; or "
        if invocation.compare_output != "auto":
            raise NotComparableError(
                f"workload {name!r}: two runs of the baseline print different things, so outputs cannot be compared",
                help=f"{lenient}make its output the same each time (a fixed seed, sorted output),"
                ' or set `compare-output = "none"` in its [[workloads]] table',
                location=str(invocation.cwd),
            )
        if probed.equal:
            self._warn(
                f"workload {name!r}: two runs of the baseline differ in {_list(probed.varying)}; only the rest of its "
                "output is compared",
                f"{lenient}name what counts: `compare-output = [{', '.join(map(_quoted, _files(probed)))}]`"
                if _files(probed)
                else f'{lenient}say that only this counts: `compare-output = "stdout"`',
            )
            return
        self._warn(
            f"workload {name!r}: two runs of the baseline print different things; outputs not compared",
            f'{lenient}make its output the same each time, or set `compare-output = "none"` to say that it varies',
        )

    def _warn(self, message: str, help: str) -> None:  # noqa: A002 - the word users read
        self.emit(Notice(level=Level.WARNING, code="outputs-not-compared", message=message, help=help))


def _describe_leniency(name: str, action: CompareOutputs, probed: Probed, found: Mapping[str, Part]) -> str:
    """The end of a help that says which key lets a difference pass, where it looks harmless."""
    proposal = propose(probed.parts, found, name, _leniency(action.workload))
    if proposal is not None:
        return f"; {condition_of(proposal)}: `{proposal}` in its [[workloads]] table"
    if action.workload.compare_output == "auto" and name != STDOUT:
        return '; if only what it prints counts: `compare-output = "stdout"` in its [[workloads]] table'
    return ""


def _varies(
    run_once: Callable[[], float],
    watch: OutputWatch,
    probed: Probed,
    before: Mapping[str, Part],
    leniency: Leniency,
) -> bool:
    """Whether a program that is run again differs from the baseline otherwise than before.

    The baseline ran twice only, and may have printed the same by chance.
    """
    differs = bool(differing(probed.parts, before, leniency))
    for _ in range(_MORE_RUNS):
        try:
            run_once()
        except WorkloadError:
            return False  # that is another matter
        again = comparable(watch.parts, probed)
        if bool(differing(probed.parts, again, leniency)) != differs:
            return True
        other = (again[name].sha256 != part.sha256 for name, part in before.items() if name in again)
        if leniency.tolerance is None and any(other):
            return True
    return False


def _leniency(invocation: Invocation) -> Leniency:
    return Leniency(filters=invocation.compare_filter, tolerance=invocation.compare_tolerance)


def _is_kept(probed: Probed) -> bool:
    """Whether all is still there that numbers are to be held against."""
    return all(part.kept is not None and part.kept.is_file() for part in probed.parts.values())


def _is_measured_otherwise(invocation: Invocation, expected: Mapping[str, KeptPart], found: Mapping[str, Part]) -> bool:
    """Whether two outputs differ, and only in what a bench has measured."""
    one, other = expected.get(STDOUT), found.get(STDOUT)
    if one is None or other is None or one.sha256 == other.sha256:
        return False
    return are_measurements(invocation, one.kept, other.path)


def _require_files(invocation: Invocation, parts: Mapping[str, Part]) -> None:
    """What the baseline does not write cannot show that a variant does the same."""
    missing = [part.path for name, part in parts.items() if part.sha256 is None and name in invocation.output_files]
    if missing:
        raise NotComparableError(
            f"workload {sanitize_line(invocation.name)!r}: the baseline did not write {missing[0]}",
            help="correct `compare-output` in its [[workloads]] table: files that each run writes, relative to cwd or "
            "below {scratch}",
            location=str(invocation.cwd),
        )


def _files(probed: Probed) -> list[str]:
    return [name for name in probed.parts if name != STDOUT]


def _list(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{sanitize_line(names[0])}{more}"


def _quoted(name: str) -> str:
    return f'"{sanitize_line(name)}"'
