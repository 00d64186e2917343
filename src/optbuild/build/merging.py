"""Merge profiles with `llvm-profdata`, and check that what comes out proves something.

Only `merge_raw` and `merge_weighted` make a `PgoProfile`, and only after its checks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.build.model import Merged, PgoProfile, RawProfiles, Trained
from optbuild.build.results import ResultStore
from optbuild.errors import ProfileDataError, ToolchainError
from optbuild.execution.command import Command, Completed, Executor, ProgramNotFoundError
from optbuild.files import atomic_copy, atomic_write, sha256_of
from optbuild.plan.fingerprint import make_result_key
from optbuild.plan.model import ActionId, MergeProfiles
from optbuild.text import last_lines, sanitize_line
from optbuild.toolchain.model import Tool
from optbuild.tools.llvm_profdata import (
    ProfileSummary,
    failed_inputs,
    functions_argv,
    make_input_list,
    merge_argv,
    parse_functions,
    parse_show,
    show_argv,
)

_TIMEOUT_S = 1800.0
_MULTIPLIER_STEPS = 100  # the least multiplier: rounding it to a whole number then moves a share by half a percent
_COUNT_LIMIT = 2**60  # counters have 64 bits; the sum must stay well below


@dataclass(slots=True, kw_only=True)
class ProfileMerger:
    """Merges with the `llvm-profdata` that fits rustc.

    Attributes:
        work: Where list files and unfinished profiles are written.
        directory: Where finished profiles are kept, their content's hash in the name.
    """

    executor: Executor
    tool: Tool
    environ: Mapping[str, str]
    results: ResultStore
    work: Path
    directory: Path

    def identity(self) -> dict[str, str]:
        """What of the tool decides a merge's result."""
        return {"llvm-profdata": self.tool.version}

    def merge_raw(self, raw: RawProfiles, *, label: str) -> PgoProfile:
        """Merge what one workload wrote, each file with weight one.

        Raises:
            ProfileDataError: A file is broken, or the result has no counts.
        """
        profile = self._merge(((1, path) for path in raw.files), label=label)
        return replace(profile, raw_profiles=len(raw.files), quarantined=raw.quarantined)

    def merge_weighted(self, action: MergeProfiles, trained: Mapping[ActionId, Trained]) -> Merged:
        """Merge the workloads' profiles so that each has its weight's share of the counts.

        Raises:
            ProfileDataError: The merge failed, or the result has no counts.
        """
        profiles = {training: trained[training].profile for training in action.weights}
        key = make_result_key(action.id, {**{str(t): p.sha256 for t, p in profiles.items()}, **self.identity()})
        stored = self.results.load(key, Merged)
        if stored is not None and is_intact(stored.profile):
            return stored
        multipliers = make_multipliers(
            {training: (action.weights[training], profile.total_count) for training, profile in profiles.items()}
        )
        profile = self._merge(
            ((multipliers[training], profile.path) for training, profile in profiles.items()), label=action.id
        )
        profile = replace(
            profile,
            raw_profiles=sum(item.raw_profiles for item in profiles.values()),
            quarantined=tuple(name for item in profiles.values() for name in item.quarantined),
        )
        merged = Merged(profile=profile, duration_s=0.0, reused=False)
        self.results.save(key, replace(merged, reused=True))
        return merged

    def _merge(self, inputs: Iterable[tuple[int, Path]], *, label: str) -> PgoProfile:
        list_file = self.work / f"{label}.inputs"
        atomic_write(list_file, make_input_list(inputs))
        unfinished = self.work / f"{label}.profdata"
        completed = self._run(merge_argv(self.tool.path, inputs_file=list_file, output=unfinished))
        if completed.exit_code != 0 or not unfinished.is_file():
            raise _merge_error(completed, list_file)
        summary = self._summarise(unfinished)
        if summary.functions_with_counts == 0 or summary.total_count == 0:
            raise ProfileDataError(
                f"the profile of {label} knows {summary.functions} functions, but none of them ever ran",
                help="check that the workload runs the code that matters, and runs {bin} itself",
                location=str(unfinished),
            )
        sha256 = sha256_of(unfinished)
        # Neither cargo nor rustc nor a compiler cache looks into the file: only another name makes them rebuild.
        path = self.directory / f"{sha256[:32]}.profdata"
        if not path.is_file() or sha256_of(path) != sha256:
            atomic_copy(unfinished, path)
        unfinished.unlink()
        list_file.unlink()
        return PgoProfile(
            path=path,
            sha256=sha256,
            functions=summary.functions,
            functions_with_counts=summary.functions_with_counts,
            total_count=summary.total_count,
            raw_profiles=0,
        )

    def _summarise(self, path: Path) -> ProfileSummary:
        completed = self._run(show_argv(self.tool.path, path))
        try:
            return parse_show(completed.stdout.decode("utf-8", "replace"))
        except ValueError as error:
            raise ProfileDataError(
                f"llvm-profdata cannot read the profile that it merged: {error}",
                help="optbuild doctor",
                location=str(path),
                detail=last_lines(completed.stderr),
            ) from error

    def function_names(self, profile: PgoProfile) -> frozenset[str]:
        """The mangled names of all functions that a profile knows."""
        completed = self._run(functions_argv(self.tool.path, profile.path))
        return parse_functions(completed.stdout.decode("utf-8", "replace"))

    def _run(self, argv: tuple[str, ...]) -> Completed:
        command = Command(argv=argv, cwd=self.work, env=self.environ, timeout_s=_TIMEOUT_S)
        try:
            completed = self.executor.run(command)
        except ProgramNotFoundError as error:
            raise ToolchainError(f"cannot start llvm-profdata: {error}", help="optbuild doctor") from error
        if completed.timed_out:
            raise ProfileDataError(
                "llvm-profdata did not come to an end and was stopped",
                help="train on less, so that there are fewer or smaller raw profiles",
                detail=last_lines(completed.stderr),
            )
        return completed


def make_multipliers(shares: Mapping[ActionId, tuple[float, int]]) -> dict[ActionId, int]:
    """Whole factors that give each workload its weight's share of all counts, whatever its length.

    `llvm-profdata` multiplies counts, so that without this the longest workload would dominate the profile.

    Args:
        shares: For each training run its weight and its own total count, both above zero.
    """
    if len(shares) == 1:
        return dict.fromkeys(shares, 1)
    per_weight = {training: total / weight for training, (weight, total) in shares.items()}
    longest = max(per_weight.values())
    merged = longest * sum(weight for weight, _ in shares.values())
    steps = max(1.0, min(_MULTIPLIER_STEPS, _COUNT_LIMIT / merged))
    return {training: math.floor(longest / value * steps + 0.5) for training, value in per_weight.items()}


def is_intact(profile: PgoProfile) -> bool:
    """Whether a kept profile still is what it was."""
    return profile.path.is_file() and sha256_of(profile.path) == profile.sha256


def _merge_error(completed: Completed, list_file: Path) -> ProfileDataError:
    stderr = completed.stderr.decode("utf-8", "replace")
    broken = failed_inputs(stderr)
    if broken:
        path, reason = broken[0]
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        return ProfileDataError(
            f"the raw profile {sanitize_line(str(path))} cannot be used{more}: {sanitize_line(reason)}",
            help="let every process of the workload end by itself, so that it can write its counts, and run again",
            location=str(path),
            detail=last_lines(completed.stderr),
        )
    return ProfileDataError(
        f"llvm-profdata failed (exit code {completed.exit_code})",
        help="optbuild doctor",
        location=str(list_file),
        detail=last_lines(completed.stderr),
    )
