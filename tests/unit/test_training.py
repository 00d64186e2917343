from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import ImplausibleCountsError, NotComparableError, ProfileDataError, StorageError, WorkloadError
from optbuild.events import Level
from optbuild.execution.command import Command
from optbuild.making.training.merging import is_intact
from optbuild.making.training.raw_profiles import DiskBudget
from optbuild.plan.action import Id
from optbuild.plan.counts import Counts
from optbuild.plan.kinds.train import Train
from optbuild.profile.model import RawFiles, RawProfileSettings
from optbuild.testing import Reply, make_raw_profile, raw_profile_path
from optbuild.workloads.invocation import Invocation
from tests.unit.build_cases import TOTAL, Workshop, llvm_profdata, shown, trained_program


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A place to train in."""
    return Workshop(tmp_path)


def training(workshop: Workshop, workload: Invocation | None = None) -> Train:
    """A training, planned as the planner would."""
    return Train(
        id=Id("train-1"),
        needs=(Id("compile-1"),),
        label="pgo: train on small",
        workload=workload or workshop.workload(),
        binaries=Id("compile-1"),
        directory=workshop.layout.raw_profiles / "train-1",
    )


def train(workshop: Workshop, workload: Invocation | None = None, *, binary: str = "instrumented") -> Counts:
    """Train on a workload."""
    return workshop.trainer.train(training(workshop, workload), workshop.artifact(binary))


def test_training_yields_one_checked_profile(workshop: Workshop) -> None:
    """What the program wrote is merged, and the raw files, which are large, are gone."""
    trained = train(workshop)
    assert trained.profile.raw_profiles == 1
    assert not trained.reused
    assert trained.duration_s == 0.25
    assert not (workshop.layout.raw_profiles / "train-1").exists()


def test_raw_profiles_go_to_a_fresh_directory(workshop: Workshop) -> None:
    """One file per process and binary, in a directory of this run; what lay there before is never read."""
    foreign = workshop.layout.raw_profiles / "train-1" / "run-1" / "foreign.profraw"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(make_raw_profile(b"foreign"))
    stale = workshop.layout.raw_profiles / "train-1" / "run-0" / "stale.profraw"
    stale.parent.mkdir()
    stale.write_bytes(make_raw_profile(b"stale"))
    trained = train(workshop)
    (command,) = workshop.runs()
    assert command.env["LLVM_PROFILE_FILE"] == str(foreign.parent / "%m_%p.profraw")
    assert trained.profile.raw_profiles == 1
    assert b"small" in trained.profile.path.read_bytes()
    assert b"foreign" not in trained.profile.path.read_bytes()


def test_every_process_counts(workshop: Workshop) -> None:
    """A workload may start the program several times."""

    def twice(command: Command) -> Reply:
        paths = [raw_profile_path(command, process=number) for number in (1, 2)]
        return Reply(writes={path: make_raw_profile(path.name.encode()) for path in paths})

    workshop.program = twice
    assert train(workshop).profile.raw_profiles == 2


def test_nothing_written_names_the_likely_causes(workshop: Workshop) -> None:
    """A program that is ended by a signal, or never ran, leaves no counts."""
    workshop.program = lambda _: Reply()
    with pytest.raises(ProfileDataError, match=r"wrote no raw profile \(it runs demo\)") as caught:
        train(workshop)
    assert "ended by a signal, by _exit or abort" in caught.value.message
    assert "through {bin}" in caught.value.help


def test_a_command_without_the_binary_is_named_as_the_cause(workshop: Workshop) -> None:
    """A script that runs another build of the program trains nothing."""
    workshop.program = lambda _: Reply()
    with pytest.raises(ProfileDataError, match=r"its command does not run \{bin\} itself"):
        train(workshop, workshop.workload("make", "run"))


def test_stray_files_are_named(workshop: Workshop) -> None:
    """A program started without our environment writes to the place that is compiled in."""
    workshop.program = lambda _: Reply(writes={workshop.layout.stray_profiles / "default_1.profraw": b"x"})
    with pytest.raises(ProfileDataError, match=f"but 1 to {workshop.layout.stray_profiles}") as caught:
        train(workshop)
    assert "LLVM_PROFILE_FILE" in caught.value.message


def leave_behind(name: str, content: bytes) -> Callable[[Command], Reply]:
    """A program that leaves another file beside its raw profile."""

    def program(command: Command) -> Reply:
        good = raw_profile_path(command)
        return Reply(writes={good: make_raw_profile(), good.with_name(name): content})

    return program


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("2.profraw", b"", "empty"),
        ("2.profraw", make_raw_profile()[:10], "cut short"),
        ("2.profraw", b"this is not a profile, but it is long enough", "not a raw profile"),
        ("2.profraw", b"\xfflprofi\x81" + bytes(8), "a merged profile, not a raw one"),
        ("2.profraw", b"\x81rforpl\xff" + (10).to_bytes(8, "little"), "counts of coverage instrumentation, not of PGO"),
        ("core", b"dumped", "cut short"),
    ],
)
def test_a_file_that_is_no_raw_profile_of_pgo_is_refused(
    workshop: Workshop, name: str, content: bytes, reason: str
) -> None:
    """Empty, cut short, foreign, merged or coverage: named and kept; a merge would pass over some in silence."""
    workshop.program = leave_behind(name, content)
    with pytest.raises(ProfileDataError) as caught:
        train(workshop)
    assert f"left 1 of 2 raw profiles that cannot be merged: {name} ({reason})" in caught.value.message
    assert "`salvage = true` under [raw-profiles]" in caught.value.help
    kept = workshop.layout.quarantine / "train-1" / "run-1"
    assert (caught.value.location, caught.value.detail) == (str(kept), f"{name}: {reason}")
    assert (kept / name).read_bytes() == content
    assert not workshop.layout.profile_data.exists()
    assert not list(workshop.layout.results.glob("*"))


def test_a_file_that_is_none_is_refused(workshop: Workshop) -> None:
    """A directory, a pipe or a link among raw profiles is looked at without waiting for it."""

    def program(command: Command) -> Reply:
        directory = raw_profile_path(command).parent
        (directory / "directory").mkdir()
        (directory / "link").symlink_to("/dev/zero")
        os.mkfifo(directory / "pipe")
        return trained_program(command)

    workshop.program = program
    with pytest.raises(ProfileDataError) as caught:
        train(workshop)
    assert caught.value.detail == (
        "directory: not a file\nlink: cannot be read (Too many levels of symbolic links)\npipe: not a file"
    )


def test_many_broken_files_are_counted_and_listed(workshop: Workshop) -> None:
    """The error names the first, the detail lists twenty, the record has them all."""

    def program(command: Command) -> Reply:
        directory = raw_profile_path(command).parent
        return Reply(writes={directory / f"{number:02}.profraw": b"" for number in range(30)})

    workshop.program = program
    with pytest.raises(ProfileDataError, match=r"02\.profraw \(empty\) and 27 more; no counts are left") as caught:
        train(workshop)
    assert (caught.value.detail or "").splitlines()[-2:] == ["19.profraw: empty", "and 10 more"]


def test_what_was_set_aside_is_known(workshop: Workshop) -> None:
    """Also when the training fails; those of the run before give way."""
    workshop.program = leave_behind("bad.profraw", b"")
    for run_id in ("run-1", "run-2"):
        workshop.run_id = run_id
        trainer = workshop.trainer
        with pytest.raises(ProfileDataError) as caught:
            trainer.train(training(workshop), workshop.artifact("instrumented"))
        path = workshop.layout.quarantine / "train-1" / run_id / "bad.profraw"
        assert caught.value.set_aside == {path: "empty"}
        assert path.is_file()
    assert [path.name for path in (workshop.layout.quarantine / "train-1").iterdir()] == ["run-2"]


def test_a_counter_that_is_too_large_is_explained(workshop: Workshop) -> None:
    """A counter beyond what any program can count to is an error of its own: counting atomically may mend it."""
    words = b"excessively large counter value suggests corrupted profile data: 1152921504606846976"

    def tool(command: Command) -> Reply:
        if command.argv[1] == "show" or b"bad.profraw" not in Path(command.argv[2][14:]).read_bytes():
            return llvm_profdata(command)
        path = workshop.layout.raw_profiles / "train-1/run-1/bad.profraw"
        return Reply(exit_code=1, stderr=b"warning: %s: %s\n" % (str(path).encode(), words))

    workshop.tool = tool
    workshop.program = leave_behind("bad.profraw", make_raw_profile())
    with pytest.raises(ImplausibleCountsError, match="more than any program can count to") as caught:
        train(workshop)
    assert 'counters = "atomic"' in caught.value.help
    assert caught.value.exit_code == 13


# Salvage


SALVAGE = RawProfileSettings(salvage=True)


def lose_counts(workshop: Workshop, total: int, ran: int = 6) -> None:
    """Let the next training have a broken file, and these counts in what is left."""
    workshop.run_id = "run-2"
    workshop.fresh = True
    workshop.program = leave_behind("bad.profraw", b"")
    workshop.tool = lambda c: Reply(stdout=shown(total=total, ran=ran)) if c.argv[1] == "show" else llvm_profdata(c)


def test_what_is_left_is_used_where_that_was_asked_for(workshop: Workshop) -> None:
    """Nine tenths of the counts and functions of the last training that was accepted are enough; a warning says so."""
    train(workshop)
    workshop.settings = SALVAGE
    lose_counts(workshop, total=TOTAL * 9 // 10 + 1)
    trained = train(workshop)
    assert (trained.profile.raw_profiles, trained.profile.quarantined) == (1, ("bad.profraw",))
    (notice,) = workshop.notices
    assert (notice.level, notice.code) == (Level.WARNING, "salvaged")
    assert "bad.profraw (empty)" in notice.message
    assert "2,436 of 2,706 counts and 6 of 6 functions" in notice.message


@pytest.mark.parametrize(("total", "ran", "share"), [(TOTAL * 16 // 100, 6, "16.0%"), (TOTAL, 5, "83.3%")])
def test_too_little_is_left(workshop: Workshop, total: int, ran: int, share: str) -> None:
    """A profile with a sixth of the counts, or with too few functions, cannot be shipped by leaving files out."""
    accepted = train(workshop).profile
    workshop.settings = SALVAGE
    lose_counts(workshop, total=total, ran=ran)
    with pytest.raises(ProfileDataError, match=f"{share}, and `salvage-floor` is 90.0%"):
        train(workshop)
    assert is_intact(accepted)
    workshop.settings = RawProfileSettings(salvage=True, salvage_floor=0.1)
    assert train(workshop).profile.quarantined


def test_nothing_is_salvaged_where_nobody_knows_what_is_lost(workshop: Workshop) -> None:
    """Without an accepted training of the same recipe there is nothing to hold it against."""
    workshop.settings = SALVAGE
    workshop.program = leave_behind("bad.profraw", b"")
    with pytest.raises(ProfileDataError, match="there is no complete training to compare with"):
        train(workshop)


def test_salvage_does_not_lower_its_own_floor(workshop: Workshop) -> None:
    """What is salvaged is held against the last whole training, however often."""
    train(workshop)
    workshop.settings = SALVAGE
    lose_counts(workshop, total=TOTAL * 95 // 100)
    train(workshop)
    lose_counts(workshop, total=TOTAL * 88 // 100)
    with pytest.raises(ProfileDataError, match=r"88\.0%"):
        train(workshop)


def test_what_was_salvaged_is_used_again_only_where_that_is_allowed(workshop: Workshop) -> None:
    """A later run without `salvage` trains again."""
    train(workshop)
    workshop.settings = SALVAGE
    lose_counts(workshop, total=TOTAL)
    train(workshop)
    workshop.fresh = False
    assert train(workshop).reused
    workshop.settings = RawProfileSettings()
    workshop.program = trained_program
    again = train(workshop)
    assert (again.reused, again.profile.quarantined) == (False, ())


# Many processes


def many_processes(command: Command) -> Reply:
    """A program that starts itself a thousand times."""
    paths = (raw_profile_path(command, process=number) for number in range(1000))
    return Reply(writes={path: make_raw_profile() for path in paths})


def pattern_of(workshop: Workshop) -> str:
    """What the last run was told to write."""
    return Path(workshop.runs()[-1].env["LLVM_PROFILE_FILE"]).name


def test_a_pool_of_files_is_shared_where_that_was_asked_for(workshop: Workshop) -> None:
    """The runtime adds each process's counts to one of four files for each binary."""
    workshop.settings = RawProfileSettings(files=RawFiles.POOL)
    train(workshop)
    assert pattern_of(workshop) == "%4m.profraw"


def test_a_workload_of_many_processes_shares_a_pool_the_next_time(workshop: Workshop) -> None:
    """How many there are is known once it has run; a pool does not tell, so that it stays with the pool."""
    workshop.program = many_processes
    patterns = []
    for run_id in ("run-1", "run-2", "run-3"):
        workshop.run_id, workshop.fresh = run_id, True
        train(workshop)
        patterns.append(pattern_of(workshop))
        workshop.program = trained_program
    assert patterns == ["%m_%p.profraw", "%4m.profraw", "%4m.profraw"]
    workshop.settings = RawProfileSettings(files=RawFiles.PROCESS)
    train(workshop)
    assert pattern_of(workshop) == "%m_%p.profraw"


def test_a_workload_that_is_repeated_very_often_shares_a_pool_at_once(workshop: Workshop) -> None:
    """That many processes are known before."""
    train(workshop, workshop.workload(repeat=1000))
    assert pattern_of(workshop) == "%4m.profraw"


def test_raw_profiles_stay_within_their_disk_budget(workshop: Workshop) -> None:
    """The workload is stopped while it runs; the merge pool is suggested, and what it wrote is gone."""
    workshop.settings = RawProfileSettings(disk_budget_bytes=15_999)
    workshop.program = many_processes
    with pytest.raises(ProfileDataError, match=r"15\.6 KiB of raw profiles \(1,000 of them\)") as caught:
        train(workshop)
    assert '`files = "pool"` under [raw-profiles]' in caught.value.help
    assert not (workshop.layout.raw_profiles / "train-1").exists()
    workshop.settings = RawProfileSettings(disk_budget_bytes=10, files=RawFiles.POOL)
    with pytest.raises(ProfileDataError) as caught:
        train(workshop)
    assert caught.value.help == "raise `disk-budget` under [raw-profiles], or train on less"
    workshop.settings = RawProfileSettings(disk_budget_bytes=16_000)
    assert train(workshop).profile.raw_profiles == 1000


def test_looking_at_the_disk_takes_little_time(tmp_path: Path) -> None:
    """With very many files it takes a second; it is then done every twenty, and each time a file may have vanished."""
    (tmp_path / "a").write_bytes(bytes(100))
    clock = iter([0.0, 1.0, 20.9, 21.0])
    budget = DiskBudget(directory=tmp_path, most_bytes=100, workload="w", pooled=False, clock=lambda: next(clock))
    budget.watch()
    (tmp_path / "b").write_bytes(b"x")
    budget.watch()
    with pytest.raises(ProfileDataError, match=r"101 B of raw profiles \(2 of them\)"):
        budget.watch()


def test_a_file_that_vanishes_has_no_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program may write to a file of another name first, and rename it."""

    class Vanishing:
        def stat(self, *, follow_symlinks: bool) -> None:
            raise FileNotFoundError

    monkeypatch.setattr(os, "scandir", lambda _: nullcontext([Vanishing()]))
    DiskBudget(directory=tmp_path, most_bytes=0, workload="w", pooled=False).check()


def test_a_workload_that_fails_is_not_learnt_from(workshop: Workshop) -> None:
    """Counts of a failed run are not accepted, however many there are."""
    workshop.program = lambda c: replace(trained_program(c), exit_code=1, stderr=b"no such book")
    with pytest.raises(WorkloadError, match="ended with exit code 1, expected exit code 0") as caught:
        train(workshop)
    assert caught.value.detail == "no such book"
    assert workshop.tool_runs("merge") == []


def test_a_directory_that_cannot_be_made_is_a_storage_error(workshop: Workshop) -> None:
    """A file in the place of the directory is told with its path."""
    workshop.layout.raw_profiles.write_text("in the way")
    with pytest.raises(StorageError, match="raw/train-1: Not a directory"):
        train(workshop)


def test_a_full_disk_is_a_storage_error(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that cannot be made is told with the system's reason."""
    make = Path.mkdir

    def refuse(path: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:  # noqa: FBT001, FBT002 - as Path has it
        if path.name == "run-1":
            raise OSError(28, "No space left on device")
        make(path, mode, parents, exist_ok)

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StorageError, match=r"raw/train-1/run-1: No space left on device"):
        train(workshop)


def test_unchanged_training_is_reused(workshop: Workshop) -> None:
    """The same binary, command, inputs and tool give the counts of before, without a run."""
    first = train(workshop)
    workshop.run_id = "run-2"
    again = train(workshop)
    assert again == replace(first, reused=True)
    assert len(workshop.runs()) == 1


def test_a_workload_by_another_name_is_reused(workshop: Workshop) -> None:
    """Names, weights and comparisons do not change what a program counts."""
    train(workshop)
    renamed = workshop.workload(name="renamed", weight=7.0, compare_output="none")
    assert train(workshop, renamed).reused


def test_a_program_that_stands_beside_the_trained_one_is_in_the_key(workshop: Workshop) -> None:
    """The trained program may start it, so that another one may count something else."""
    counted = []
    for engine in ("old", "old", "new"):
        binaries = {**workshop.artifact("front"), **workshop.artifact(engine, name="engine")}
        counted.append(workshop.trainer.train(training(workshop), binaries).reused)
    assert counted == [False, True, False]


@pytest.mark.parametrize(
    "change",
    ["binary", "input", "passed variable", "llvm-profdata", "fresh", "lost profile", "damaged profile"],
)
def test_each_input_makes_training_run_again(workshop: Workshop, change: str) -> None:
    """Whatever decides the counts is in the key: each alone, changed, makes the workload run."""
    corpus = workshop.directory / "corpus.txt"
    corpus.write_text("old")

    def workload(variable: str) -> Invocation:
        environ = {"CORPUS_LANG": variable}
        return workshop.workload(inputs=(corpus,), passed_env=("CORPUS_LANG",), environ=environ)

    first = train(workshop, workload("en"))
    changes: dict[str, Callable[[], object]] = {
        "input": lambda: corpus.write_text("new"),
        "llvm-profdata": lambda: setattr(workshop, "tool_version", "22.1.3"),
        "fresh": lambda: setattr(workshop, "fresh", True),
        "lost profile": first.profile.path.unlink,
        "damaged profile": lambda: first.profile.path.write_text("damaged"),
    }
    changes.get(change, lambda: None)()
    again = train(
        workshop,
        workload("de" if change == "passed variable" else "en"),
        binary="other" if change == "binary" else "instrumented",
    )
    assert not again.reused
    assert len(workshop.runs()) == 2


def test_a_damaged_result_is_told_and_made_again(workshop: Workshop) -> None:
    """A result file cut short is a warning and a run, nothing worse."""
    train(workshop)
    (stored,) = workshop.layout.results.glob("train-*")
    stored.write_bytes(stored.read_bytes()[:40])
    assert not train(workshop).reused
    assert [notice.code for notice in workshop.notices] == ["damaged-result"]
    assert train(workshop).reused


def test_a_failed_training_is_not_kept(workshop: Workshop) -> None:
    """What went wrong once is tried again the next time."""
    workshop.program = lambda _: Reply()
    with pytest.raises(ProfileDataError):
        train(workshop)
    workshop.program = trained_program
    assert not train(workshop).reused


def test_an_input_that_changes_during_training_is_refused(workshop: Workshop) -> None:
    """What was trained on is not what the result would be kept under."""
    corpus = workshop.directory / "corpus"
    corpus.write_text("old")
    workload = workshop.workload(inputs=(corpus,))

    def edit_meanwhile(command: Command) -> Reply:
        corpus.write_text("new")
        return trained_program(command)

    workshop.program = edit_meanwhile
    with pytest.raises(NotComparableError, match="corpus has changed"):
        train(workshop, workload)
    assert not list(workshop.layout.results.glob("*.json"))


def test_training_that_writes_to_a_file_it_names_is_done_again(workshop: Workshop) -> None:
    """Until a run leaves that file as it was."""
    out = workshop.directory / "out.txt"
    out.write_text("of another program")
    workload = workshop.workload(inputs=(out,), named=(out,))

    def write_out(command: Command) -> Reply:
        out.write_text("always the same")
        return trained_program(command)

    workshop.program = write_out
    assert [train(workshop, workload).reused for _ in range(3)] == [False, False, True]


def test_another_environment_trains_again(workshop: Workshop) -> None:
    """A time zone or a library path of the caller decides what a program does."""
    for zone, reused in (("UTC", False), ("UTC", True), ("Europe/Rome", False)):
        assert train(workshop, workshop.workload(environ={"TZ": zone})).reused is reused


def test_a_static_library_that_wrote_nothing_names_the_linker(workshop: Workshop) -> None:
    """Nothing asks for the part of an archive that writes the profile, unless the linker is told to."""
    workshop.program = lambda _: Reply()
    binaries = {**workshop.artifact("x"), **workshop.artifact("y", "libdemo.a")}
    action = Train(
        id=Id("train-1"),
        needs=(Id("compile-1"),),
        label="pgo: train on small",
        workload=workshop.workload(bins=("libdemo.a",)),
        binaries=Id("compile-1"),
        directory=workshop.layout.raw_profiles / "train-1",
    )
    with pytest.raises(ProfileDataError, match="a linker takes from a static library only what is asked for") as caught:
        workshop.trainer.train(action, binaries)
    assert "-Wl,-u,__llvm_profile_runtime" in caught.value.help
