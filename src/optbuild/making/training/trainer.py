"""Train: run an instrumented binary on a workload, and turn its raw profiles into one checked profile per workload."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from optbuild.errors import AttemptFault, ImplausibleCountsError, ProfileDataError
from optbuild.events import Emit, Level, Notice
from optbuild.execution.command import WatchedExecutor
from optbuild.files import remove_below, storage_error
from optbuild.making.keys import training_key
from optbuild.making.result_store import ResultStore
from optbuild.making.training.accepted import Accepted, AcceptedTrainings
from optbuild.making.training.losses import LossWatch, describe_losses
from optbuild.making.training.merging import ProfileMerger, is_intact
from optbuild.making.training.plausibility import check_plausible
from optbuild.making.training.raw_profiles import MANY_PROCESSES, PER_PROCESS, POOLED, DiskBudget, collect, set_aside
from optbuild.making.training.salvage import Salvage
from optbuild.making.workload_runs import WorkloadRunner
from optbuild.plan.counts import Counts, Losses, PgoProfile
from optbuild.plan.kinds.train import Train
from optbuild.plan.results import Artifact, CargoTraining
from optbuild.profile.model import RawFiles, RawProfileSettings
from optbuild.text import sanitize_line
from optbuild.workloads.cargo_build import CargoBuild
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.programs import PROFILE_FILE

# Crates whose counts make no project code faster; None is `main`, and C.
_NOT_THE_PROJECTS = frozenset({"std", "core", "alloc", None})
_ARCHIVES = frozenset({".a", ".lib"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The error of a training with impossible counts; kept only if another training replaced it."""

    message: str
    help: str
    location: str | None
    detail: str | None


@dataclass(slots=True, kw_only=True)
class Trainer:
    """Runs training actions of one run.

    Attributes:
        root: The directory with optbuild's marker.
        run_id: Names the fresh directory of raw profiles; older or foreign files are never read.
        kept: Where raw profiles that cannot be merged are kept.
        stray: Where an instrumented program writes if optbuild's environment did not reach it.
    """

    workloads: WorkloadRunner
    merger: ProfileMerger
    results: ResultStore
    hashes: InputHashes
    root: Path
    run_id: str
    kept: Path
    stray: Path
    settings: RawProfileSettings
    emit: Emit
    _accepted: AcceptedTrainings = field(init=False)
    _salvage: Salvage = field(init=False)

    def __post_init__(self) -> None:
        self._accepted = AcceptedTrainings(results=self.results)
        self._salvage = Salvage(settings=self.settings, accepted=self._accepted, emit=self.emit)

    def train(self, action: Train, binaries: Mapping[str, Artifact], cargo: CargoTraining | None = None) -> Counts:
        """Run a workload with instrumented binaries and collect its counts.

        Args:
            action: What to run.
            binaries: All built binaries; they are placed in one directory.
            cargo: The additional needs of a workload that cargo would run.

        Raises:
            WorkloadError: The workload failed; what it wrote is not accepted.
            ProfileDataError: It wrote no usable raw profile.
            NotComparableError: What the workload reads has changed meanwhile.
        """
        key = self._key(action, binaries, cargo)
        refused = self.results.load(_refusal_of(key), Refused)
        if refused is not None:
            raise ImplausibleCountsError(
                f"{refused.message} (found by an earlier run)",
                help=f"{refused.help}; to count in this way anyway: --fresh",
                location=refused.location,
                detail=refused.detail,
                fault=AttemptFault.IMPLAUSIBLE,
            )
        stored = self.results.load(key, Counts)
        if stored is not None and is_intact(stored.profile) and self._salvage.allows(stored.profile):
            self._report_losses(action, stored.losses)
            return stored
        directory = self._fresh_directory(action)
        pooled = self._is_pooled(action)
        watch = LossWatch(profiles=directory, pooled=pooled, stray=self.stray)
        duration_s = self._run(action, binaries, None if cargo is None else cargo.build, watch)
        losses = watch.sum_up()
        self.hashes.check_after(action.workload)
        self.hashes.tell_rewritten(self.emit)
        program = {} if cargo is None else cargo.program
        profile, aside = self._make_profile(action, watch, losses, program, duration_s=duration_s)
        self._report_losses(action, losses)
        counts = Counts(profile=profile, duration_s=duration_s, reused=False, pooled=pooled, losses=losses)
        if self.hashes.is_steady(action.workload):
            self.results.save(key, replace(counts, reused=True))
        remove_below(self.root, action.directory)
        return replace(counts, set_aside=aside)

    def remember_refusal(
        self,
        action: Train,
        binaries: Mapping[str, Artifact],
        cargo: CargoTraining | None,
        error: ImplausibleCountsError,
    ) -> None:
        """Spare later runs with the same binaries and inputs a training that fails.

        Only if another way to train replaces it: without one, the user may want to try again.
        """
        if not self.hashes.is_steady(action.workload):
            return
        key = _refusal_of(self._key(action, binaries, cargo))
        if self.results.load(key, Refused) is None:  # otherwise the cause of this error
            refused = Refused(message=error.message, help=error.help, location=error.location, detail=error.detail)
            self.results.save(key, refused)

    def _key(self, action: Train, binaries: Mapping[str, Artifact], cargo: CargoTraining | None) -> str:
        return training_key(action, binaries, cargo, self.hashes, self.merger.profdata.tool.version)

    def _fresh_directory(self, action: Train) -> Path:
        directory = action.directory / self.run_id
        remove_below(self.root, action.directory)  # raw profiles are large: a failed run's are kept only until now
        try:
            directory.mkdir(parents=True)
        except OSError as error:
            raise storage_error(directory, error) from error
        return directory

    def _is_pooled(self, action: Train) -> bool:
        """Whether processes share their files: as set by the user, otherwise if there are or were very many."""
        files = self.settings.files
        if files is not RawFiles.AUTO:
            return files is RawFiles.POOL
        last = self._accepted.load(action.id)
        if last is not None and (last.pooled or last.profile.raw_profiles >= MANY_PROCESSES):
            return True
        return action.workload.repeat >= MANY_PROCESSES

    def _run(
        self,
        action: Train,
        binaries: Mapping[str, Artifact],
        cargo_build: CargoBuild | None,
        losses: LossWatch,
    ) -> float:
        """Run the workload as often as set, and stop it if it writes too much; return the seconds that it took."""
        budget = DiskBudget(
            directory=losses.profiles,
            most_bytes=self.settings.disk_budget_bytes,
            workload=action.workload.name,
            pooled=losses.pooled,
        )
        watched = WatchedExecutor(executor=self.workloads.executor, watch=budget.watch, ended=losses.read_errors)
        duration_s = 0.0
        try:
            with replace(self.workloads, executor=watched, stage=self._stage(action)).set_up(
                action.workload,
                {name: artifact.path for name, artifact in binaries.items()},
                log_name=action.id,
                extra_env={PROFILE_FILE: str(losses.profiles / (POOLED if losses.pooled else PER_PROCESS))},
                cargo_build=cargo_build,
            ) as run_once:
                for _ in range(action.workload.repeat):
                    duration_s += run_once(watched=partial(self.hashes.watch, action.workload)).usage.wall_s
                    budget.watch()  # a short run ends before the first check
            budget.check()
        except ProfileDataError:
            remove_below(self.root, action.directory)  # more than anyone would read
            raise
        self.workloads.output(action.id).unlink(missing_ok=True)
        if action.workload.parallel:
            remove_below(self.root, self._stage(action))
        return duration_s

    def _stage(self, action: Train) -> Path:
        """Where the binaries are placed: concurrent runs may use the common place for different binaries."""
        common = self.workloads.stage
        return common / action.id if action.workload.parallel else common

    def _make_profile(
        self, action: Train, watch: LossWatch, losses: Losses, program: Mapping[str, Artifact], *, duration_s: float
    ) -> tuple[PgoProfile, Mapping[Path, str]]:
        """Merge a training's raw profiles, and accept the merge if it is complete, or as complete as required.

        Returns:
            The profile, and the places of the raw profiles that are not in it, with what is wrong with each.
        """
        raw = collect(watch.profiles)
        if not raw.names and not raw.unusable:
            raise self._nothing_written(action, losses)
        merge = self.merger.merge_raw(raw, label=action.id)
        if functions := self.merger.functions_of(program):
            merge = self.merger.translate(merge, functions, label=action.id)
        aside: Mapping[Path, str] = {}
        try:
            if merge.unusable:
                kept = self.kept / action.id / self.run_id
                aside = set_aside(watch.profiles, merge.unusable, root=self.root, kept=kept)
                self._salvage.judge(action.id, action.workload.name, merge, aside)
            cores = os.cpu_count() or 1
            check_plausible(action.workload.name, merge, duration_s=duration_s, cores=cores)
            profile = self.merger.accept(merge, label=action.id)
        except ProfileDataError as error:
            error.set_aside = aside
            raise
        finally:
            if merge.unfinished is not None:
                merge.unfinished.unlink(missing_ok=True)
        if functions and not losses.stray and not losses.without_counts:  # otherwise there is another cause
            self._report_what_is_missing(action, profile)
        self._accepted.save(action.id, Accepted(profile=profile, pooled=watch.pooled))
        return profile, aside

    def _report_what_is_missing(self, action: Train, profile: PgoProfile) -> None:
        """Warn if tests or benches share only functions of the standard library with the program."""
        crates = self.merger.profdata.look_into(profile.path).crates
        if any(crate.total_count and crate.name not in _NOT_THE_PROJECTS for crate in crates):
            return
        self.emit(
            Notice(
                level=Level.WARNING,
                code="nothing-own-counted",
                message=f"training on {sanitize_line(action.workload.name)!r} counted nothing in the crates of the "
                "program: what ran contains different functions, or inlined them",
                help="train on integration tests or benches, which call the library as it is shipped, or on `command`",
            )
        )

    def _report_losses(self, action: Train, losses: Losses) -> None:
        workload = action.workload
        for notice in describe_losses(losses, workload.name, self.stray, has_flush_object=workload.needs_flush_object):
            self.emit(notice)

    def _nothing_written(self, action: Train, losses: Losses) -> ProfileDataError:
        name = sanitize_line(action.workload.name)
        if losses.stray:
            return ProfileDataError(
                f"training on {name!r} wrote no raw profile where it should, but {losses.stray} to {self.stray}: "
                "the program was started with an environment that lacks LLVM_PROFILE_FILE",
                help="make the workload pass its environment on to the program it starts",
                location=str(self.stray),
            )
        if any(Path(used).suffix in _ARCHIVES for used in action.workload.bins):
            return ProfileDataError(
                f"training on {name!r} wrote no raw profile: a linker takes from a static library only what is asked "
                "for, and nothing asks for the part that writes the profile",
                help="link the driver with -Wl,-u,__llvm_profile_runtime, which changes nothing in other variants",
                location=str(action.directory),
            )
        if losses.processes:
            count = f"{losses.processes:,} process{'es' * (losses.processes != 1)}"
            said = f"; LLVM's runtime says: {'; '.join(losses.errors)}" if losses.errors else ""
            return ProfileDataError(
                f"training on {name!r} wrote no raw profile: it ran {count} of the instrumented program, and each was "
                f"ended by a signal, _exit or abort, replaced itself by exec, or could not write a file{said}",
                help="let each return from `main` or call `exit`; if a signal ends it, set `flush-object = true` in "
                "its [[workloads]] table; if a sandbox forbids it to write files, train without the sandbox",
                location=str(action.directory),
            )
        bins = ", ".join(action.workload.bins)
        ran = f"it runs {bins}" if bins else "its command does not run {bin} itself"
        return ProfileDataError(
            f"training on {name!r} wrote no raw profile ({ran}). Likely causes: the program ended by a signal, by "
            "_exit or abort, without the end of `main`; it never ran the instrumented binary; or it deleted the files",
            help="run the instrumented binary through {bin}, and let it end normally",
            location=str(action.directory),
        )


def _refusal_of(key: str) -> str:
    return f"refused-{key}"
