"""Where optbuild writes in a project's target directory: paths only, nothing is created here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All directories and files of one project, below `<target-dir>/optbuild/`.

    Attributes:
        root: The directory with optbuild's marker; everything else is below it.
        artifacts: Where the finished binaries are published, `<variant>/<bin>`; `--out` changes it.
        shared: A directory with our marker for what instrumented builds name in their flags, where that is not the
            root: for versions with the same flags, cargo can use again what it has built of another one.
        own_runs: Where the runs of a further target lie; None for those of the project.
    """

    root: Path
    artifacts: Path
    shared: Path | None = None
    own_runs: Path | None = None

    @classmethod
    def of(cls, target_directory: Path, out: Path | None = None) -> Layout:
        """The layout below a Cargo target directory."""
        root = target_directory / "optbuild"
        return cls(root=root, artifacts=out or root / "artifacts")

    @classmethod
    def apart(cls, root: Path, shared: Path | None = None) -> Layout:
        """The layout of a directory that is not in a Cargo target directory."""
        return cls(root=root, artifacts=root / "artifacts", shared=shared)

    def for_target(self, target: str, *, is_first: bool) -> Layout:
        """The same for one of several targets: with its own artifacts; the first one's record is about all of them."""
        name = Path(target).stem if target.endswith(".json") else target
        runs = None if is_first else self.root / "targets" / name / "runs"
        return replace(self, artifacts=self.artifacts / name, own_runs=runs)

    @property
    def cargo_target(self) -> Path:
        """Cargo's target directory for optbuild's builds, separate from the user's: neither waits for the other."""
        return self.root / "cargo"

    @property
    def cargo_pgo_target(self) -> Path:
        """A second one, for instrumented builds and those with a profile, because cargo locks a target directory.

        The name is as long as the first one's: paths of generated files may be in binaries that are compared.
        """
        return self.root / "train"

    @property
    def cargo_rebuild_target(self) -> Path:
        """A third one, for a second build of the same; its name has the same length, for the same reason."""
        return self.root / "again"

    @property
    def binaries(self) -> Path:
        """Copies of what each compile action built, `<action>/<bin>`: the next build overwrites cargo's."""
        return self.root / "binaries"

    @property
    def raw_profiles(self) -> Path:
        """Raw profiles, in a fresh directory for each training run."""
        return self.root / "raw"

    @property
    def quarantine(self) -> Path:
        """Raw profiles that could not be merged, `<action>/<run-id>/`."""
        return self.root / "quarantine"

    @property
    def stray_profiles(self) -> Path:
        """Where an instrumented program writes if it was started without optbuild's environment."""
        return (self.shared or self.root) / "stray"

    @property
    def control_flow(self) -> Path:
        """What LLVM writes of instrumented builds for committed counts: what their blocks do."""
        return (self.shared or self.root) / "flow"

    @property
    def linked_objects(self) -> Path:
        """Objects and archives that are linked into programs."""
        return (self.shared or self.root) / "objects"

    @property
    def allocator(self) -> Path:
        """A package with another allocator, and cargo's target directory for it."""
        return (self.shared or self.root) / "allocator"

    @property
    def stamp(self) -> Path:
        """A file whose time is that of this file system, to compare sources with."""
        return self.root / "stamp"

    @property
    def merging(self) -> Path:
        """Where profiles are merged."""
        return self.root / "merging"

    @property
    def profile_data(self) -> Path:
        """Merged profiles, with their content's hash in the name."""
        return self.root / "profdata"

    @property
    def results(self) -> Path:
        """Results of finished actions, by result key."""
        return self.root / "results"

    @property
    def written(self) -> Path:
        """The files that workloads were seen to create."""
        return self.root / "written.json"

    @property
    def input_hashes(self) -> Path:
        """The hashes of large files that workloads read."""
        return self.root / "inputs.json"

    @property
    def scratch(self) -> Path:
        """Scratch directories of workloads, recreated before each run."""
        return self.root / "scratch"

    @property
    def stage(self) -> Path:
        """The binaries of one variant while a workload runs them, always at the same path."""
        return self.root / "stage"

    @property
    def turn(self) -> Path:
        """What the run of a workload holds: one at a time, of all versions of a project."""
        return (self.shared or self.root) / "stage"

    @property
    def outputs(self) -> Path:
        """What the baseline wrote, to compare others with."""
        return self.root / "outputs"

    @property
    def given(self) -> Path:
        """Copies of programs that were built elsewhere."""
        return self.root / "bench"

    @property
    def arms(self) -> Path:
        """Copies of the binaries that are measured, at paths of equal length."""
        return self.root / "arms"

    @property
    def counting(self) -> Path:
        """The binary that is counted, and what the tool writes."""
        return self.root / "counting"

    @property
    def observing(self) -> Path:
        """Programs that are observed, and the files of the tools."""
        return self.root / "observing"

    @property
    def flame_graphs(self) -> Path:
        """Pages that were drawn without `-o`."""
        return self.root / "flamegraphs"

    @property
    def rebuilds(self) -> Path:
        """Two builds from nothing, which must give the same bytes."""
        return self.root / "verify"

    @property
    def versions(self) -> Path:
        """Files and builds of the versions that were compared."""
        return self.root / "compare"

    @property
    def search(self) -> Path:
        """The rounds of a search that has not come to its end."""
        return self.root / "search"

    @property
    def runs(self) -> Path:
        """Records and logs, `<run-id>/`."""
        return self.own_runs or self.root / "runs"

    @property
    def lock(self) -> Path:
        """The lock file, held by one run at a time."""
        return self.root / "lock"
