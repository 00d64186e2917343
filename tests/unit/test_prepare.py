from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from optbuild.errors import ToolchainError, UsageError, WorkloadError
from optbuild.events import Event
from optbuild.execution.command import Command
from optbuild.files import claim_directory
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.profile.workloads import Use
from optbuild.session import prepare as prepare_module
from optbuild.session.opening import load_for
from optbuild.session.prepare import Prepared, prepare
from optbuild.session.request import Machine, RunRequest, Selection
from optbuild.testing import TARGET, Reply, ScriptedExecutor
from optbuild.toolchain import search

RECORDED = Path(__file__).parents[1] / "recorded"
TWO_WORKLOADS = """
schema = 1
[[workloads]]
name = "learn"
command = ["{bin}", "a.txt"]
use = ["train"]
[[workloads]]
name = "race"
command = ["{bin}", "b.txt"]
use = ["bench"]
"""


@dataclass
class Desk:
    """A project and a machine that are only made up: programs are empty files, and answer from here."""

    root: Path
    metadata: dict[str, Any] = field(default_factory=dict)
    platform: str = "linux"
    has_profdata: bool = True

    def __post_init__(self) -> None:
        self.project = self.root / "project"
        self.libdir = self.root / "toolchain/lib/rustlib" / TARGET / "lib"
        self.bin = self.root / "bin"
        for directory in (self.project, self.libdir, self.bin):
            directory.mkdir(parents=True)
        for name in ("libcore-1.rlib", "libprofiler_builtins-1.rlib"):
            (self.libdir / name).touch()
        for name in ("cargo", "rustc", "llvm-profdata-22", "git", "echo"):
            (self.bin / name).touch(mode=0o755)
        for name in ("Cargo.toml", "Cargo.lock", "a.txt", "b.txt"):
            (self.project / name).write_text(name)
        self.executor = ScriptedExecutor(self._answer)
        self.metadata = {"bins": ["demo"], "required": {}}
        self.features: dict[str, list[str]] = {"x": []}

    def _answer(self, command: Command) -> Reply:
        name, *arguments = (Path(command.argv[0]).name, *command.argv[1:])
        if name == "llvm-profdata-22":
            return Reply(stdout=(RECORDED / "llvm_profdata/version.llvm22.txt").read_bytes())
        if name == "git":
            return Reply(exit_code=128)
        if arguments == ["-vV"]:
            return Reply(stdout=(RECORDED / f"rustc/{name}-vV.txt").read_bytes())
        if name == "rustc":
            return Reply(stdout=f"{self.root}/toolchain\n{self.libdir}\nunix\n".encode())
        return Reply(stdout=json.dumps(self._metadata()).encode())

    def _metadata(self) -> dict[str, object]:
        bins, required = self.metadata["bins"], self.metadata["required"]
        package = {
            "name": "demo",
            "version": "0.1.0",
            "manifest_path": str(self.project / "Cargo.toml"),
            "targets": [
                *({"name": name, "kind": ["bin"], "required-features": required.get(name, [])} for name in bins),
                *({"name": "demo", "kind": kinds} for kinds in self.metadata.get("libraries", ())),
            ],
            "features": self.features,
            "default_run": self.metadata.get("default_run"),
        }
        target = str(self.project / "target")
        return {"packages": [package], "workspace_root": str(self.project), "target_directory": target}

    def machine(self) -> Machine:
        heard: list[Event] = []
        return Machine(
            executor=self.executor,
            emit=heard.append,
            environ={"PATH": str(self.bin), "HOME": str(self.root)},
            working_directory=self.project,
            now=lambda: datetime(2026, 1, 2, tzinfo=UTC),
            platform=self.platform,
        )

    def write(self, text: str) -> None:
        (self.project / "optbuild.toml").write_text(text)

    def prepare(self, **request: object) -> Prepared:
        settings: dict[str, object] = {"directory": self.project, "selection": Selection.PGO, **request}
        return prepare(RunRequest(**settings), self.machine(), trusted=True)  # type: ignore[arg-type]

    def uses(self, **request: object) -> dict[str, list[str]]:
        """The workloads' names by their use."""
        workloads = self.prepare(**request).inputs.workloads
        return {str(use): [w.name for w in workloads if use in w.use] for use in Use}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A project on a machine with all that PGO needs; no directory of the real one is searched."""
    monkeypatch.setattr(search, "VERSIONED_DIRECTORIES", ())
    monkeypatch.setattr(prepare_module, "free_disk_bytes", lambda _: 1 << 40)
    return Desk(tmp_path.resolve())


def test_no_workload_names_what_was_searched_and_what_to_write(desk: Desk) -> None:
    """Without build profile and command nothing can be trained: every path searched, and `optbuild init`."""
    with pytest.raises(UsageError) as caught:
        desk.prepare()
    error = caught.value
    assert error.status == 2
    assert "no workload to train and measure with:" in error.message
    assert error.help == ("name a command: optbuild pgo -- {bin} ARGS; or write a build profile: optbuild init")
    assert error.detail is not None
    searched = error.detail.splitlines()
    assert searched[:3] == [
        "searched:",
        f"  {desk.project}/optbuild.toml",
        f"  {desk.root}/optbuild.toml",
    ]
    assert searched[-1] == "  /optbuild.toml"
    assert desk.executor.commands == []


def test_a_build_profile_without_workloads_is_named(desk: Desk) -> None:
    """What was found is not searched for: the file itself lacks them."""
    desk.write("schema = 1\n")
    with pytest.raises(UsageError, match=f"{desk.project}/optbuild.toml has no") as caught:
        desk.prepare()
    assert caught.value.detail is None
    assert f"fill in a [[workloads]] table in {desk.project}/optbuild.toml" in caught.value.help


def test_workloads_for_training_alone_cannot_be_measured(desk: Desk) -> None:
    """The remedies: another `use`, --bench, or building only."""
    desk.write(TWO_WORKLOADS.replace('"bench"', '"train"'))
    with pytest.raises(UsageError, match="no workload is a benchmark") as caught:
        desk.prepare()
    assert "--bench" in caught.value.help
    assert caught.value.location == f"{desk.project}/optbuild.toml"
    assert desk.prepare(measure=False).plan.measure is None
    with pytest.raises(UsageError, match="no workload is a benchmark"):
        desk.uses(train=(("{bin}",),))


def test_building_without_pgo_needs_no_workload(desk: Desk) -> None:
    """`optbuild build lto` only compiles."""
    prepared = desk.prepare(selection=Selection.NAMED, variants=("lto",), measure=False)
    assert [variant.name for variant in prepared.plan.variants] == ["release", "lto"]
    with pytest.raises(UsageError, match="no workload to train"):
        desk.prepare(selection=Selection.NAMED, variants=("pgo",), measure=False)


def test_the_profiles_workloads_serve_where_the_command_line_names_none(desk: Desk) -> None:
    """Each for what its `use` says."""
    desk.write(TWO_WORKLOADS)
    assert desk.uses() == {"train": ["learn"], "bench": ["race"]}


def test_a_command_after_the_dashes_replaces_them_all(desk: Desk) -> None:
    """It is one workload, for training and benchmark, run where the caller stands."""
    desk.write(TWO_WORKLOADS)
    prepared = desk.prepare(workload=("{bin}", "a.txt"))
    (workload,) = prepared.inputs.workloads
    assert workload.name == "{bin} a.txt"
    assert set(workload.use) == set(Use)
    assert workload.shown_argv() == ("{bin:demo}", "a.txt")
    assert workload.cwd == desk.project
    assert [overlap.in_sample for overlap in prepared.overlaps] == [True]


def test_train_replaces_what_the_profile_trains_with(desk: Desk) -> None:
    """The profile's benchmark stays."""
    desk.write(TWO_WORKLOADS)
    assert desk.uses(train=(("{bin}", "1"), ("{bin}", "2"))) == {
        "train": ["{bin} 1", "{bin} 2"],
        "bench": ["race"],
    }


def test_bench_replaces_what_the_profile_measures_with(desk: Desk) -> None:
    """A workload for both uses keeps the other one."""
    desk.write(TWO_WORKLOADS.replace('use = ["train"]', ""))
    assert desk.uses(bench=(("{bin}", "1"),)) == {"train": ["learn"], "bench": ["{bin} 1"]}


def test_the_same_command_for_both_is_one_workload(desk: Desk) -> None:
    """Said twice, it is still run as one, and labelled in-sample."""
    command = (("{bin}", "1"),)
    prepared = desk.prepare(train=command, bench=command)
    assert len(prepared.inputs.workloads) == 1
    assert [overlap.in_sample for overlap in prepared.overlaps] == [True]


def test_a_command_cannot_stand_beside_train_or_bench(desk: Desk) -> None:
    """It is both already."""
    for other in ({"train": (("{bin}",),)}, {"bench": (("{bin}",),)}):
        with pytest.raises(UsageError, match="cannot be combined with"):
            desk.prepare(workload=("{bin}",), **other)


def test_in_sample_is_judged_by_content(desk: Desk) -> None:
    """A copy of the training input is the training input, under whatever name."""
    desk.write(TWO_WORKLOADS)
    assert [overlap.in_sample for overlap in desk.prepare().overlaps] == [False]
    (desk.project / "b.txt").write_text((desk.project / "a.txt").read_text())
    (overlap,) = desk.prepare().overlaps
    assert (overlap.workload, overlap.shared_with) == ("race", ("learn",))


def test_the_budget_of_the_command_line_wins(desk: Desk) -> None:
    """`--max-time` replaces the profile's, and jobs are passed on."""
    desk.write(TWO_WORKLOADS)
    prepared = desk.prepare(max_time_s=7.0, jobs=3)
    assert prepared.build_profile.measure.max_time_s == 7.0
    assert prepared.inputs.jobs == 3
    assert prepared.layout.root == desk.project / "target/optbuild"


def test_binaries_whose_features_are_off_are_left_out(desk: Desk) -> None:
    """Cargo leaves them out as well; all features bring them back."""
    desk.metadata = {"bins": ["demo", "extra"], "required": {"extra": ["x"]}}

    def bins(settings: str) -> list[str]:
        desk.write(f"{TWO_WORKLOADS}[project]\n{settings}".replace('"{bin}"', '"{bin:demo}"'))
        return [target.name for target in desk.prepare().inputs.targets.bins]

    assert bins("") == ["demo"]
    assert bins('features = ["x"]') == ["demo", "extra"]
    assert bins("all-features = true") == ["demo", "extra"]
    desk.metadata |= {"libraries": [["cdylib"]], "required": {"demo": ["x"], "extra": ["x"]}}
    desk.write('schema = 1\nextends = "preset:release"\n')
    targets = desk.prepare(selection=Selection.NAMED, measure=False).inputs.targets
    assert ([lib.file_name for lib in targets.libs], targets.bins) == (["libdemo.so"], ())


@pytest.mark.parametrize(
    ("settings", "word", "default_run", "required", "written"),
    [
        ("", "{bin:extra}", None, {"extra": ["x"]}, '["x"]'),
        ('bins = ["extra", "demo"]', "{bin:demo}", None, {"extra": ["x"]}, '["x"]'),
        ('features = ["y"]', "{bin}", "extra", {"extra": ["x", "y"]}, '["y", "x"]'),
        ("", "{bin}", None, {"demo": ["x"], "extra": ["z", "x"]}, '["x"]'),
    ],
)
def test_a_program_that_is_asked_for_names_the_feature_that_is_off(
    desk: Desk, *, settings: str, word: str, default_run: str | None, required: dict[str, list[str]], written: str
) -> None:
    """Asked for by a command, by `bins`, as `default-run`, or as all there is: another is never taken in its place."""
    desk.metadata = {"bins": ["demo", "extra"], "required": required, "default_run": default_run}
    desk.features = {"x": [], "y": [], "z": []}
    desk.write(f"{TWO_WORKLOADS}[project]\n{settings}".replace("{bin}", word))
    with pytest.raises(UsageError, match="needs the feature `x`, which is not enabled") as caught:
        desk.prepare()
    assert caught.value.help == f"set features = {written} under [project] in optbuild.toml"
    assert caught.value.location


@pytest.mark.parametrize(
    ("settings", "message", "remedy"),
    [
        ('[project]\nfeatures = ["fasst"]', "no feature `fasst` in `demo`", "did you mean 'fast'?"),
        ('[project]\nfeatures = ["fast,serde unlike"]', "no feature `unlike` in `demo`", "there are fast, serde"),
        ('[variants.lto]\nfeatures = ["demo/x"]', "no feature `x` in `demo`", "there are fast, serde"),
    ],
)
def test_a_feature_that_no_package_has_is_found_before_the_builds(
    desk: Desk, settings: str, message: str, remedy: str
) -> None:
    """Cargo takes several in one word, and those of dependencies, of which nothing is known here."""
    desk.features = {"fast": [], "serde": ["dep:serde"]}
    desk.write(f'{TWO_WORKLOADS}[variants.release]\nfeatures = ["fast serde", "other/x", "default"]\n{settings}')
    with pytest.raises(UsageError) as caught:
        desk.prepare(selection=Selection.NAMED)
    assert (caught.value.message, remedy in caught.value.help) == (message, True)
    assert "optbuild.toml:" in (caught.value.location or "")


def test_the_default_target_of_cargo_is_taken_unless_the_build_profile_has_one(desk: Desk) -> None:
    """The plan says where it comes from; `host` is a target as any other."""
    (desk.project / ".cargo").mkdir()
    config = desk.project / ".cargo/config.toml"
    config.write_text('build.target = "i686-unknown-linux-musl"\n')

    def planned(settings: str) -> tuple[str, bool]:
        desk.write(f"{TWO_WORKLOADS}[project]\n{settings}")
        prepared = desk.prepare(selection=Selection.NAMED, variants=("release",))
        note = f"built for i686-unknown-linux-musl (from {config}: build.target)"
        return prepared.inputs.toolchain.target, note in prepared.plan.notes

    assert planned("") == ("i686-unknown-linux-musl", True)
    assert planned('target = "host"') == (TARGET, False)
    assert planned('target = "s390x-unknown-linux-gnu"') == ("s390x-unknown-linux-gnu", False)
    config.write_text('build.target = "host-tuple"\n')
    assert planned("")[0] == TARGET


@pytest.mark.parametrize(("value", "written"), [('["a-b-c", "d-e-f"]', "a-b-c"), ("[]", "host")])
def test_several_default_targets_of_cargo_leave_the_choice_to_the_build_profile(
    desk: Desk, value: str, written: str
) -> None:
    """None of them is taken in silence, and the error has the key that chooses."""
    (desk.project / ".cargo").mkdir()
    (desk.project / ".cargo/config.toml").write_text(f"build.target = {value}\n")
    desk.write(TWO_WORKLOADS)
    with pytest.raises(UsageError, match="optbuild builds for one") as caught:
        desk.prepare()
    assert caught.value.help == f'choose in optbuild.toml: [project] target = "{written}"'
    desk.write(f'{TWO_WORKLOADS}[project]\ntarget = "host"\n')
    assert desk.prepare().inputs.toolchain.target == TARGET


def test_a_library_is_built_where_it_is_alone_or_a_workload_uses_it(desk: Desk) -> None:
    """Beside programs nobody needs it, unless a workload says so; both files of it are kept."""

    def products(word: str) -> list[str]:
        desk.write(TWO_WORKLOADS.replace('"{bin}"', word))
        (action, *_) = desk.prepare(measure=False).plan.actions
        assert isinstance(action, Compile)
        assert ("--lib" in action.argv) == bool(action.recipe.libs)
        return list(action.recipe.products)

    desk.metadata = {"bins": ["demo"], "required": {}, "libraries": [["cdylib", "rlib", "staticlib"]]}
    assert products('"{bin}"') == ["demo"]
    assert products('"echo", "{lib}"') == ["demo", "libdemo.so", "libdemo.a"]
    desk.metadata["bins"] = []
    assert products('"echo", "{lib}"') == ["libdemo.so", "libdemo.a"]
    assert products('"echo"') == ["libdemo.so", "libdemo.a"]
    desk.metadata["libraries"] = [["rlib"]]
    with pytest.raises(UsageError, match="is a library only"):
        products('"echo"')


def test_features_may_be_on_by_default_by_implication_or_in_every_variant(desk: Desk) -> None:
    """What counts is what cargo enables; every variant has the same binaries, so all of them must have it on."""
    desk.metadata = {"bins": ["demo", "extra"], "required": {"extra": ["x"]}}
    workloads = TWO_WORKLOADS.replace('"{bin}"', '"{bin:demo}"')

    def bins(settings: str) -> list[str]:
        desk.write(workloads + settings)
        return [target.name for target in desk.prepare(selection=Selection.NAMED).inputs.targets.bins]

    desk.features = {"x": [], "all": ["x"]}
    assert bins('[project]\nfeatures = ["all"]\n') == ["demo", "extra"]
    assert bins('[variants.release]\nfeatures = ["x"]\n[variants.lto]\ninherits = "release"\n') == ["demo", "extra"]
    assert bins('[variants.release]\n[variants.lto]\nfeatures = ["x"]\n') == ["demo"]
    desk.features["default"] = ["all"]
    assert bins("") == ["demo", "extra"]
    assert bins("[project]\nno-default-features = true\n") == ["demo"]


@pytest.mark.parametrize(
    ("command", "kind", "message"),
    [
        ('["nowhere", "{bin}"]', WorkloadError, "nowhere is missing or not executable"),
        ('["./run.sh", "{bin}"]', WorkloadError, "run.sh is missing or not executable"),
        ('["{bin}"]\ncwd = "gone"', WorkloadError, "the directory "),
        ('["{bin}"]\ninputs = ["gone.txt"]', UsageError, "cannot read the input"),
        ('["{bin}"]\nstdin = "/dev/zero"', UsageError, "is not a regular file"),
        ('["{bin:other}"]', UsageError, "no such binary is built"),
    ],
)
def test_what_would_stop_a_workload_is_found_before_the_builds(
    desk: Desk, command: str, kind: type[Exception], message: str
) -> None:
    """A missing program, directory or input is told now, not after minutes of compiling."""
    desk.write(f'schema = 1\n[[workloads]]\nname = "w"\ncommand = {command}\n')
    with pytest.raises(kind, match=message):
        desk.prepare()


def test_a_benchmark_without_the_program_that_is_built_is_refused(desk: Desk) -> None:
    """It would find all variants alike. Training with one ends for want of counts; what cargo runs is built."""
    with pytest.raises(UsageError, match=r"'echo 9': its command does not contain \{bin\}"):
        desk.prepare(bench=(("echo", "9"),), train=(("{bin}", "9"),))
    with pytest.raises(UsageError, match="every variant would run the same"):
        desk.prepare(workload=("echo", "9"), selection=Selection.NAMED, variants=("release", "lto"))
    assert desk.uses(workload=("echo", "9"))["bench"] == ["echo 9"]
    assert desk.uses(workload=("echo", "9"), measure=False)["train"] == ["echo 9"]


def test_a_program_from_path_is_fine(desk: Desk) -> None:
    """A workload may be a script or a tool that runs the binary."""
    assert desk.uses(workload=("echo", "{bin}"))["train"] == ["echo {bin}"]


def test_required_pgo_needs_its_tools_before_anything_is_built(desk: Desk) -> None:
    """A missing llvm-profdata is told with every place that was searched."""
    (desk.bin / "llvm-profdata-22").unlink()
    with pytest.raises(ToolchainError, match="needs an llvm-profdata of LLVM 22") as caught:
        desk.prepare(workload=("{bin}",))
    assert "searched:" in (caught.value.detail or "")
    assert desk.prepare(selection=Selection.NAMED, variants=("lto",), workload=("{bin}",)).plan.variants


def test_auto_pgo_goes_on_without_tools(desk: Desk) -> None:
    """`pgo = "auto"` is skipped, with the reason in the plan."""
    (desk.bin / "llvm-profdata-22").unlink()
    desk.write(TWO_WORKLOADS + '[variants.release]\n[variants.pgo]\npgo = "auto"\n')
    assert desk.prepare().plan.variants[1].skipped == "no llvm-profdata fits rustc"


def test_a_target_that_is_not_installed_is_told(desk: Desk) -> None:
    """The remedy is rustup's command."""
    (desk.libdir / "libcore-1.rlib").unlink()
    with pytest.raises(ToolchainError, match="is not installed") as caught:
        desk.prepare(workload=("{bin}",))
    assert caught.value.help == f"rustup target add {TARGET}"


def test_windows_is_refused(desk: Desk) -> None:
    """Before anything is looked at."""
    desk.platform = "win32"
    with pytest.raises(ToolchainError, match="does not run on Windows"):
        desk.prepare(workload=("{bin}",))


def test_a_full_disk_is_told_before_the_builds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that a run needs is held against what is free."""
    monkeypatch.setattr(prepare_module, "free_disk_bytes", lambda _: 1 << 20)
    with pytest.raises(ToolchainError, match=r"needs about 256 MiB of disk space, and 1\.0 MiB are free"):
        desk.prepare(workload=("{bin}",))


def test_an_output_directory_of_somebody_else_is_refused(desk: Desk) -> None:
    """Nothing is written or deleted where our marker is missing; an empty or a marked directory is fine."""
    out = desk.root / "out"
    out.mkdir()
    assert desk.prepare(workload=("{bin}",), out=out).layout.artifacts == out
    (out / "theirs.txt").touch()
    with pytest.raises(UsageError, match="was not made by optbuild") as caught:
        desk.prepare(workload=("{bin}",), out=out)
    assert "--out" in caught.value.help
    (out / "theirs.txt").unlink()
    claim_directory(out)
    (out / "ours.txt").touch()
    assert desk.prepare(workload=("{bin}",), out=out).layout.artifacts == out


def test_our_place_in_the_target_directory_may_not_be_taken(desk: Desk) -> None:
    """A directory of that name without our marker is somebody else's."""
    root = desk.project / "target/optbuild"
    root.mkdir(parents=True)
    (root / "theirs.txt").touch()
    with pytest.raises(UsageError, match="target/optbuild exists and was not made by optbuild") as caught:
        desk.prepare(workload=("{bin}",))
    assert caught.value.help == "move it away"


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
def test_nothing_else_may_stand_in_our_place(desk: Desk, kind: str) -> None:
    """Neither a file nor a link, even to a directory with our marker."""
    root = desk.project / "target/optbuild"
    root.parent.mkdir()
    if kind == "file":
        root.touch()
    else:
        root.symlink_to(desk.root / "elsewhere")
    if kind == "link":
        claim_directory(desk.root / "elsewhere")
    with pytest.raises(UsageError, match="was not made by optbuild"):
        desk.prepare(workload=("{bin}",))


def test_programs_are_only_asked_about_themselves(desk: Desk) -> None:
    """Preparing builds nothing and runs no workload."""
    desk.prepare(workload=("{bin}",))
    asked = {(Path(command.argv[0]).name, command.argv[1]) for command in desk.executor.commands}
    assert {argument for name, argument in asked if name != "git"} == {"-vV", "--print", "merge", "metadata"}


def loaded(desk: Desk, **request: object) -> Path | None:
    """The file that a request's build profile comes from."""
    settings: dict[str, object] = {"directory": desk.project, **request}
    return load_for(RunRequest(**settings), desk.machine()).path  # type: ignore[arg-type]


def test_the_build_profile_is_the_named_one_or_the_nearest(desk: Desk) -> None:
    """`-f FILE` is relative to the caller, `-f preset:NAME` is shipped, and without `-f` the way leads up."""
    desk.write("schema = 1\n")
    other = desk.project / "other.toml"
    other.write_text("schema = 1\n")
    inner = desk.project / "inner"
    inner.mkdir()
    assert loaded(desk) == desk.project / "optbuild.toml"
    assert loaded(desk, directory=inner) == desk.project / "optbuild.toml"
    assert loaded(desk, build_profile="other.toml") == other
    assert loaded(desk, build_profile="preset:lto") is None


def test_without_a_build_profile_the_default_one_holds(desk: Desk) -> None:
    """Variants release, lto and pgo, and no workloads."""
    build_profile = load_for(RunRequest(directory=desk.project), desk.machine())
    assert build_profile.path is None
    assert list(build_profile.variants) == ["release", "lto", "pgo"]


def test_a_directory_that_does_not_exist_is_told(desk: Desk) -> None:
    """The remedy names the command."""
    with pytest.raises(UsageError, match="the directory ") as caught:
        loaded(desk, directory=desk.root / "gone")
    assert caught.value.help == "name the directory of a Cargo project, or change to it and name none"


def test_a_manifest_that_does_not_exist_is_the_projects_fault(desk: Desk) -> None:
    """The toolchain is looked for where the build profile lies, and then the manifest is missed."""
    desk.write(TWO_WORKLOADS + '[project]\nmanifest = "gone/Cargo.toml"\n')
    with pytest.raises(UsageError, match=r"gone/Cargo\.toml does not exist"):
        desk.prepare()


BOTH_WORKLOADS = TWO_WORKLOADS.replace('use = ["train"]\n', "").replace('use = ["bench"]\n', "")


def test_cross_validation_leaves_out_what_is_trained_and_measured(desk: Desk) -> None:
    """A fold for each workload of both uses; what is left of the training has not seen it."""
    desk.write(BOTH_WORKLOADS)
    prepared = desk.prepare(cross_validate=True)
    assert [(fold.variant, fold.left_out) for fold in prepared.plan.folds] == [("pgo", ("learn",)), ("pgo", ("race",))]
    assert [prepared.fold_in_sample(fold) for fold in prepared.plan.folds] == [False, False]
    assert prepared.plan.notes == ("cross-validation: 2 more builds of pgo; left out in turn: learn; race",)
    assert desk.prepare().plan.folds == ()


def test_what_is_left_of_the_training_may_be_unknown(desk: Desk) -> None:
    """Where a workload names no file, nobody knows whether another one reads the same."""
    desk.write(BOTH_WORKLOADS.replace("b.txt", "--generated"))
    prepared = desk.prepare(cross_validate=True)
    assert [prepared.fold_in_sample(fold) for fold in prepared.plan.folds] == [None, None]


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        (TWO_WORKLOADS, "no benchmark is known to share an input with it"),
        (BOTH_WORKLOADS.replace("b.txt", "a.txt"), "all 2 training workloads share an input with it"),
        (BOTH_WORKLOADS + "[variants.release]\n[variants.lto]\nlto = 'fat'\n", "the build profile has no variant"),
    ],
)
def test_what_cannot_be_cross_validated_is_refused_before_anything_is_built(
    desk: Desk, profile: str, message: str
) -> None:
    """Each with exit code 2 and a way out."""
    desk.write(profile)
    with pytest.raises(UsageError, match=message) as caught:
        desk.prepare(cross_validate=True)
    assert caught.value.status == 2
    assert caught.value.help


def test_one_command_cannot_be_cross_validated(desk: Desk) -> None:
    """It is the only training workload there is."""
    with pytest.raises(UsageError, match="it is the only training workload"):
        desk.prepare(workload=("{bin}", "a.txt"), cross_validate=True)


def test_named_variants_without_pgo_are_refused_before_the_toolchain_is_looked_for(desk: Desk) -> None:
    """The build profile alone tells."""
    desk.write(BOTH_WORKLOADS)
    with pytest.raises(UsageError, match="no variant that is compared with release has PGO"):
        desk.prepare(selection=Selection.NAMED, variants=("lto",), cross_validate=True)
    assert desk.executor.commands == []


def test_counts_that_are_committed_are_as_they_were_counted(desk: Desk) -> None:
    """Each build scales them for itself; by a scaled file they would be scaled twice."""
    desk.write(
        "schema = 1\n[variants.release]\n[variants.pgo]\npgo = true\ncount-scale = 0.1\n"
        '[[workloads]]\nname = "a"\ncommand = ["{bin}"]\nuse = ["train", "bench"]\n'
    )
    plans = [desk.prepare(notes_outlines=is_committed).plan for is_committed in (False, True)]
    assert [{merge.count_scale for merge in plan.of_kind(MergeProfiles)} for plan in plans] == [{0.1}, {None}]
