"""Merge profiles into one that proves something: a workload's raw profiles, and those of all workloads by weight.

Only `accept` and `merge_weighted` make a `PgoProfile`, and only from a merge that skipped nothing: files that cannot be
merged are found and named, and the rest is merged just as strictly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from optbuild.errors import AttemptFault, ProfileDataError
from optbuild.events import ActionProgressed, Emit, Level, Notice
from optbuild.files import atomic_copy, sha256_of
from optbuild.making.keys import merge_key
from optbuild.making.result_store import ResultStore
from optbuild.making.training.profdata import MergeEnding, Profdata
from optbuild.making.training.scaling import make_multipliers, write_scaled
from optbuild.making.training.translation import (
    describe_lost,
    find_unknown,
    list_functions,
    write_matched,
    write_translated,
)
from optbuild.plan.action import ActionId, Id
from optbuild.plan.counts import CheckedProfile, Counts, PgoProfile, RawProfiles, Unusable
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.results import Artifact
from optbuild.portable.matching import Matching
from optbuild.text import sanitize_line
from optbuild.tools.instrumentation import parse_functions
from optbuild.tools.llvm_profdata import OVERFLOW, ProfileSummary
from optbuild.units import format_bytes, format_share

T = TypeVar("T")

_TRAINED_ITSELF = "no action needed: the variant is trained itself"
# Many files are merged in portions to show progress. A portion takes a few seconds; reading and writing its result is
# negligible.
_PORTION_FILES = 10_000
_PORTION_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMerge:
    """What one workload counted, merged but not yet accepted.

    Attributes:
        unfinished: The merged profile; None where no file could be merged.
        unusable: The files that could not.
        overflowed: A sum was cut off at the largest counter.
        renamed_functions: How many functions have another name in the programs that ran than in the optimised one.
    """

    unfinished: Path | None
    summary: ProfileSummary | None
    unusable: tuple[Unusable, ...]
    raw_profiles: int
    overflowed: bool = False
    renamed_functions: int = 0


@dataclass(slots=True, kw_only=True)
class ProfileMerger:
    """Merges with the `llvm-profdata` that fits rustc.

    Attributes:
        directory: Where finished profiles are kept, named by the hash of their content.
    """

    profdata: Profdata
    results: ResultStore
    directory: Path
    emit: Emit

    def merge_raw(self, raw: RawProfiles, *, label: ActionId) -> RawMerge:
        """Merge one workload's files, each with weight one, and find those that cannot be merged.

        Raises:
            ProfileDataError: `llvm-profdata` itself failed.
            ToolchainError: It cannot be started.
        """
        total = len(raw.names)
        portions = tuple(_portions(raw))
        if len(portions) > 1:
            size = format_bytes(raw.size_bytes)
            message = f"merging {total:,} raw profiles ({size}) in {len(portions)} portions"
            self.emit(Notice(level=Level.INFO, code="merging", message=message))
        endings, unusable, done = [], list(raw.unusable), 0
        for number, names in enumerate(portions):
            ending, broken = self._merge_usable(raw.directory, names, f"{label}.{number}")
            endings += [] if ending is None else [ending]
            unusable += broken
            done += len(names)
            self.emit(ActionProgressed(action=label, done=done, total=total, unit="raw profiles"))
        ending = self._join(endings, label)
        return RawMerge(
            unfinished=None if ending is None else ending.output,
            summary=None if ending is None or ending.output is None else self.profdata.summarise(ending.output),
            unusable=tuple(unusable),
            raw_profiles=total + len(raw.unusable) - len(unusable),
            overflowed=any(OVERFLOW in item.complaints.values() for item in (*endings, ending) if item is not None),
        )

    def _merge_usable(
        self, directory: Path, names: tuple[str, ...], label: str
    ) -> tuple[MergeEnding | None, list[Unusable]]:
        """Merge those of some files that can be merged; the others, with what is wrong with each."""
        left = list(names)
        broken: list[Unusable] = []
        while left:
            ending = self.profdata.merge(((1, directory / name) for name in left), label=label)
            if ending.output is not None:
                return ending, broken
            broken_now = self._find_broken(directory, left, ending, label)
            broken += broken_now
            left = [name for name in left if name not in {item.name for item in broken_now}]
        return None, broken

    def _find_broken(self, directory: Path, names: list[str], ending: MergeEnding, label: str) -> list[Unusable]:
        """The files that made a merge fail, as it reported; if it named none, each is tried alone."""
        named = [
            Unusable(name=name, reason=reason)
            for name in names
            if (reason := ending.complaints.get(str(directory / name))) not in (None, OVERFLOW)
        ]
        if named:
            return named
        found, died = [], 0
        for name in names if len(names) > 1 else ():
            alone = self.profdata.merge([(1, directory / name)], label=f"{label}.alone")
            if alone.output is None:
                died += not alone.complaints
                reason = next(iter(alone.complaints.values()), "llvm-profdata fails on it without a message")
                found.append(Unusable(name=name, reason=reason))
        if not found or died == len(names):
            raise self.profdata.failed(ending.exit_code, ending.log)
        return found

    def _join(self, endings: list[MergeEnding], label: str) -> MergeEnding | None:
        """Merge the portions' profiles into one."""
        if len(endings) < 2:  # noqa: PLR2004 - one is joined already
            return next(iter(endings), None)
        parts = [ending.output for ending in endings if ending.output is not None]
        joined = self.merge_all(((1, part) for part in parts), label)
        for part in parts:
            part.unlink()
        return joined

    def merge_all(self, inputs: Iterable[tuple[int, Path]], label: str) -> MergeEnding:
        """Merge profiles, each with its weight; a failure is an error.

        Raises:
            ProfileDataError: `llvm-profdata` failed.
        """
        ending = self.profdata.merge(inputs, label=label)
        if ending.output is None:
            raise self.profdata.failed(ending.exit_code, ending.log)
        return ending

    def translate(self, merge: RawMerge, functions: Mapping[str, int], *, label: str) -> RawMerge:
        """Keep the part of other programs' counts that belongs to a program, under its own names.

        Args:
            merge: Their counts.
            functions: The program's functions, each with the hash of its control flow.
            label: Names what is written.

        Raises:
            ProfileDataError: No counts belong to the program, or `llvm-profdata` failed.
        """
        if merge.unfinished is None:
            return merge

        def rewrite(source: Path, target: Path) -> int:
            known, renamed = write_translated(source, target, functions)
            if not known:
                raise _nothing_of_the_program(label)
            return renamed

        translated, renamed = self._rewrite(merge, rewrite, label=f"{label}.translated")
        return replace(translated, renamed_functions=renamed)

    def scale(self, merge: RawMerge, scale: float | None, *, label: str) -> RawMerge:
        """Multiply each count, after all that is judged by counts.

        Args:
            merge: The counts.
            scale: What by; None leaves them as they are.
            label: Names what is written.

        Raises:
            ProfileDataError: `llvm-profdata` failed.
        """
        if merge.unfinished is None or scale is None:
            return merge
        scaled, _ = self._rewrite(merge, partial(write_scaled, scale=scale), label=f"{label}.scaled")
        return scaled

    def _rewrite(self, merge: RawMerge, rewrite: Callable[[Path, Path], T], *, label: str) -> tuple[RawMerge, T]:
        """Merge counts whose text is rewritten first; what was there before is gone afterwards.

        Args:
            merge: The counts of at least one file.
            rewrite: Reads the text of the first file and writes the second one; what it returns is passed on.
            label: Names what is written.
        """
        assert merge.unfinished is not None  # noqa: S101 - for mypy: there is a file
        text = self.profdata.write_text(merge.unfinished)
        rewritten = text.with_name(f"{label}.proftext")
        try:
            found = rewrite(text, rewritten)
            output = self.merge_all([(1, rewritten)], label).output
        finally:
            for path in (text, rewritten, merge.unfinished):
                path.unlink(missing_ok=True)
        assert output is not None  # noqa: S101 - `merge_all` has seen to it
        return replace(merge, unfinished=output, summary=self.profdata.summarise(output)), found

    def accept(self, merge: RawMerge, *, label: str) -> PgoProfile:
        """Keep the counts of one workload.

        Raises:
            ProfileDataError: It has no counts.
        """
        assert merge.unfinished is not None and merge.summary is not None  # noqa: S101, PT018 - a merge with files has both
        profile = self._keep(merge.unfinished, merge.summary, label)
        return replace(
            profile,
            raw_profiles=merge.raw_profiles,
            quarantined=tuple(item.name for item in merge.unusable),
            renamed_functions=merge.renamed_functions,
        )

    def functions_of(self, program: Mapping[str, Artifact]) -> dict[str, int]:
        """The functions of instrumented programs that can be listed, each with the hash of its control flow."""
        found = {name: parse_functions(artifact.path.read_bytes()) for name, artifact in program.items()}
        for name in (name for name, functions in found.items() if functions is None):
            message = f"the functions of {sanitize_line(name)} cannot be listed: counts are used by their names only"
            self.emit(Notice(level=Level.INFO, code="functions-unknown", message=message))
        return {name: value for functions in found.values() for name, value in (functions or {}).items()}

    def merge_weighted(
        self,
        action: MergeProfiles,
        trained: Mapping[Id[Counts], Counts],
        program: Mapping[str, Artifact] = MappingProxyType({}),
        counted: Mapping[str, Artifact] = MappingProxyType({}),
    ) -> CheckedProfile:
        """Merge the workloads' profiles, giving each its weight's share of the counts.

        Args:
            action: With the weights.
            trained: The profiles.
            program: The programs whose names functions get; empty if functions keep their names.
            counted: Those that were trained, if they are another variant's.

        Raises:
            ProfileDataError: The merge failed, or the result has no counts.
        """
        profiles = {training: trained[training].profile for training in action.weights}
        key = merge_key(action, profiles, program, counted, self.profdata.tool.version)
        stored = self.results.load(key, CheckedProfile)
        if stored is not None and is_intact(stored.profile):
            return stored
        multipliers = make_multipliers(
            {training: (action.weights[training], profile.total_count) for training, profile in profiles.items()}
        )
        ending = self.merge_all(
            ((multipliers[training], profile.path) for training, profile in profiles.items()), action.id
        )
        assert ending.output is not None  # noqa: S101 - `merge_all` has seen to it
        merge = RawMerge(
            unfinished=ending.output,
            summary=self.profdata.summarise(ending.output),
            unusable=(),
            raw_profiles=sum(item.raw_profiles for item in profiles.values()),
            renamed_functions=max(item.renamed_functions for item in profiles.values()),
        )
        matched_ratio = None
        if action.min_matched is not None:
            merge, matched_ratio = self._match(merge, program, counted, action)
        elif functions := self.functions_of(program):
            merge = self.translate(merge, functions, label=action.id)
        merge = self.scale(merge, action.count_scale, label=action.id)
        quarantined = tuple(name for item in profiles.values() for name in item.quarantined)
        profile = replace(self.accept(merge, label=action.id), quarantined=quarantined, matched_ratio=matched_ratio)
        crates = self.profdata.look_into(profile.path).crates
        merged = CheckedProfile(profile=profile, duration_s=0.0, reused=False, crates=crates)
        self.results.save(key, replace(merged, reused=True))
        return merged

    def _match(
        self,
        merge: RawMerge,
        program: Mapping[str, Artifact],
        counted: Mapping[str, Artifact],
        action: MergeProfiles,
    ) -> tuple[RawMerge, float]:
        """The counts of another variant, by the names of a build of this one, and the share that found its function."""
        assert action.min_matched is not None  # noqa: S101 - the caller's case
        functions, least = list_functions(program, remedy=_TRAINED_ITSELF), action.min_matched

        def rewrite(source: Path, target: Path) -> Matching:
            matching = write_matched(source, target, functions)
            if not matching.total_count or matching.matched_ratio < least:
                raise _too_little(matching, action, least)
            if unknown := find_unknown(functions, list_functions(counted, remedy=_TRAINED_ITSELF)):
                raise _unknown_functions(unknown, action)
            return matching

        found, matching = self._rewrite(merge, rewrite, label=f"{action.id}.translated")
        return replace(found, renamed_functions=len(matching.matches)), matching.matched_ratio

    def _keep(self, unfinished: Path, summary: ProfileSummary, label: str) -> PgoProfile:
        if summary.functions_with_counts == 0 or summary.total_count == 0:
            raise ProfileDataError(
                f"the profile of {label} has {summary.functions} functions, but none of them ever ran",
                help="check that the workload runs the relevant code, and runs {bin} itself",
                location=str(unfinished),
            )
        sha256 = sha256_of(unfinished)
        # Neither cargo nor rustc nor a compiler cache looks into the file: only a new name makes them rebuild.
        path = self.directory / f"{sha256[:32]}.profdata"
        if not path.is_file() or sha256_of(path) != sha256:
            atomic_copy(unfinished, path)
        unfinished.unlink()
        return PgoProfile(
            path=path,
            sha256=sha256,
            functions=summary.functions,
            functions_with_counts=summary.functions_with_counts,
            total_count=summary.total_count,
            raw_profiles=0,
            hot_counts=summary.hot_counts,
        )


def _unknown_functions(unknown: frozenset[str], action: MergeProfiles) -> ProfileDataError:
    return ProfileDataError(
        f"{action.label}: {len(unknown)} functions exist only in this one, {sanitize_line(min(unknown))} among them: "
        "they may be hot, and have no counts",
        help=_TRAINED_ITSELF,
        fault=AttemptFault.UNFIT,
    )


def _too_little(matching: Matching, action: MergeProfiles, least: float) -> ProfileDataError:
    return ProfileDataError(
        f"{action.label}: only {format_share(matching.matched_ratio)} of them find a function with the same control "
        f"flow ({format_share(least)} is needed)",
        help=_TRAINED_ITSELF,
        detail=describe_lost(matching) or None,
        fault=AttemptFault.UNFIT,
    )


def _nothing_of_the_program(label: str) -> ProfileDataError:
    return ProfileDataError(
        f"the profile of {label} has no counts of the optimised program: different code ran",
        help="train on benches, integration tests or examples of the package whose program it is, or on `command`",
    )


def _portions(raw: RawProfiles) -> Iterator[tuple[str, ...]]:
    mean_bytes = raw.size_bytes / max(1, len(raw.names))
    length = max(1, min(_PORTION_FILES, int(_PORTION_BYTES / max(1.0, mean_bytes))))
    for start in range(0, len(raw.names), length):
        yield raw.names[start : start + length]


def is_intact(profile: PgoProfile) -> bool:
    """Whether a kept profile is unchanged."""
    return profile.path.is_file() and sha256_of(profile.path) == profile.sha256
