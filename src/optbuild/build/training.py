"""Train: run an instrumented binary on a workload, and turn what it wrote into one checked profile per workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.build.merging import ProfileMerger, is_intact
from optbuild.build.model import Artifact, RawProfiles, Trained
from optbuild.build.results import ResultStore
from optbuild.build.workload_runs import WorkloadRunner
from optbuild.errors import ProfileDataError
from optbuild.events import Emit
from optbuild.files import remove_below, storage_error
from optbuild.plan.fingerprint import make_result_key
from optbuild.plan.model import Train
from optbuild.text import sanitize_line
from optbuild.tools.llvm_profdata import HEADER_BYTES, read_profile_header
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.running import PROFILE_FILE

# One file per process and per binary. %m also makes the runtime merge into a file that is there already, so that a
# process which got the pid of an earlier one adds to its counts instead of replacing them.
_FILE_PATTERN = "%m_%p.profraw"


@dataclass(slots=True, kw_only=True)
class Trainer:
    """Runs training actions of one run.

    Attributes:
        root: The directory with our marker.
        run_id: Names the fresh directory of raw profiles, so that older or foreign files are never read.
        stray: Where an instrumented program writes when our environment did not reach it.
    """

    workloads: WorkloadRunner
    merger: ProfileMerger
    results: ResultStore
    hashes: InputHashes
    root: Path
    run_id: str
    stray: Path
    emit: Emit

    def train(self, action: Train, binaries: Mapping[str, Artifact]) -> Trained:
        """Run a workload with instrumented binaries and collect its counts.

        Raises:
            WorkloadError: The workload failed; what it wrote is not accepted.
            ProfileDataError: It wrote no usable raw profile.
            NotComparableError: What the workload reads has changed meanwhile.
        """
        used = {f"bin {name}": binaries[name].sha256 for name in action.workload.bins}
        key = make_result_key(action.id, {**used, **self.hashes.resolve(action.workload), **self.merger.identity()})
        stored = self.results.load(key, Trained)
        if stored is not None and is_intact(stored.profile):
            return stored
        directory = self._fresh_directory(action)
        with self.workloads.set_up(
            action.workload,
            {name: artifact.path for name, artifact in binaries.items()},
            log_name=action.id,
            extra_env={PROFILE_FILE: str(directory / _FILE_PATTERN)},
        ) as run_once:
            duration_s = sum(run_once().usage.wall_s for _ in range(action.workload.repeat))
        self.workloads.output(action.id).unlink(missing_ok=True)
        self.hashes.check_after(action.workload)
        raw = self._collect(action, directory)
        profile = self.merger.merge_raw(raw, label=action.id)
        trained = Trained(profile=profile, duration_s=duration_s, reused=False)
        if self.hashes.is_steady(action.workload):
            self.results.save(key, replace(trained, reused=True))
        remove_below(self.root, action.directory)
        return trained

    def _fresh_directory(self, action: Train) -> Path:
        directory = action.directory / self.run_id
        remove_below(self.root, directory)
        try:
            directory.mkdir(parents=True)
        except OSError as error:
            raise storage_error(directory, error) from error
        return directory

    def _collect(self, action: Train, directory: Path) -> RawProfiles:
        files = tuple(sorted(directory.iterdir()))
        if not files:
            raise self._nothing_written(action)
        # A merge passes over an empty file in silence, and takes coverage counts for PGO's without a word.
        if unusable := [path for path in files if not _is_raw_profile(path)]:
            raise ProfileDataError(
                f"training on {sanitize_line(action.workload.name)!r} left {len(unusable)} of {len(files)} raw "
                f"profiles empty, cut short or of another kind, {unusable[0].name} among them: a process was "
                "killed before it had written its counts, or was not instrumented by this build",
                help="let every process of the workload end by itself, within its timeout",
                location=str(directory),
            )
        return RawProfiles(directory=directory, files=files)

    def _nothing_written(self, action: Train) -> ProfileDataError:
        name = sanitize_line(action.workload.name)
        strays = sorted(self.stray.glob("*.profraw")) if self.stray.is_dir() else []
        if strays:
            return ProfileDataError(
                f"training on {name!r} wrote no raw profile where it should, but {len(strays)} to {self.stray}: "
                "the program was started with an environment that lacks LLVM_PROFILE_FILE",
                help="let the workload pass its environment on to the program it starts",
                location=str(self.stray),
            )
        bins = ", ".join(action.workload.bins)
        ran = f"it runs {bins}" if bins else "its command does not run {bin} itself"
        return ProfileDataError(
            f"training on {name!r} wrote no raw profile ({ran}). Likely causes: the program ended by a signal, by "
            "_exit or abort, without the end of `main`; it never ran the instrumented binary; or it deleted the files",
            help="run the instrumented binary through {bin}, and let it end normally",
            location=str(action.directory),
        )


def _is_raw_profile(path: Path) -> bool:
    with path.open("rb") as stream:
        header = read_profile_header(stream.read(HEADER_BYTES))
    return header is not None and header.kind == "raw" and header.is_ir_level
