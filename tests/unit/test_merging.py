from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import ProfileDataError, ToolchainError
from optbuild.events import ActionProgressed
from optbuild.execution.command import Command, ProgramNotFoundError
from optbuild.files import sha256_of
from optbuild.making.training import merging
from optbuild.making.training.merging import RawMerge, is_intact
from optbuild.making.training.scaling import make_multipliers
from optbuild.plan.action import Id
from optbuild.plan.counts import Counts, CrateCounts, PgoProfile, RawProfiles, Unusable
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.profile.model import RawProfileSettings
from optbuild.testing import Answer, Reply
from tests.unit.build_cases import RECORDED, TOTAL, Workshop, content_of, llvm_profdata, shown

A: Id[Counts] = Id("train-a")
B: Id[Counts] = Id("train-b")
MERGE = MergeProfiles(
    id=Id("merge-1"),
    needs=(A, B),
    label="pgo: merge profiles",
    weights={A: 3.0, B: 1.0},
    tool=Path("/t/llvm-profdata"),
    directory=Path("/unused"),
)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A place to merge in."""
    return Workshop(tmp_path)


def raw_in(workshop: Workshop, *contents: str) -> RawProfiles:
    """Raw profiles with these contents."""
    names = tuple(f"{index:04}.profraw" for index in range(len(contents)))
    for name, content in zip(names, contents, strict=True):
        (workshop.directory / name).write_text(content)
    return RawProfiles(directory=workshop.directory, names=names, size_bytes=sum(map(len, contents)))


def merge(workshop: Workshop, *contents: str, label: str = "train-a") -> RawMerge:
    """Merge raw profiles with these contents."""
    return workshop.merger.merge_raw(raw_in(workshop, *contents), label=Id(label))


def accept(workshop: Workshop, *contents: str, label: str = "train-a") -> PgoProfile:
    """The profile that a training which wrote these contents gives."""
    return workshop.merger.accept(merge(workshop, *contents, label=label), label=label)


def refuse(*broken: str) -> Callable[[Command], Answer]:
    """A tool that complains about these files, and merges what is given without them."""

    def answer(command: Command) -> Answer:
        if command.argv[1] == "show":
            return llvm_profdata(command)
        words = b"".join(
            b"warning: %s: too much profile data\n" % path.encode()
            for path in merged_by(command)
            if Path(path).name in broken
        )
        failed = Reply(exit_code=1, stderr=words + b"error: no profile can be merged\n")
        return failed if words else llvm_profdata(command)

    return answer


def merged_by(command: Command) -> list[str]:
    """The paths that a merge was given."""
    text = Path(command.argv[2].removeprefix("--input-files=")).read_text()
    return [line.partition(",")[2] for line in text.splitlines()]


def trained(workshop: Workshop, *totals: int) -> dict[Id[Counts], Counts]:
    """Training results with these total counts, one file each."""
    results = {}
    for name, total in zip((A, B), totals, strict=True):
        path = workshop.directory / f"{name}.profdata"
        path.write_text(name)
        profile = PgoProfile(
            path=path,
            sha256=sha256_of(path),
            functions=11,
            functions_with_counts=6,
            total_count=total,
            raw_profiles=2,
            quarantined=(f"{name}.bad",),
        )
        results[name] = Counts(profile=profile, duration_s=1.0, reused=False)
    return results


def test_raw_profiles_are_merged_with_weight_one(workshop: Workshop) -> None:
    """Every file of one workload counts alike; the summary comes from the tool."""
    profile = accept(workshop, "x", "y")
    assert content_of(profile.path) == "1 x x\n1 x y"
    assert (profile.functions, profile.functions_with_counts, profile.total_count) == (11, 6, TOTAL)
    assert (profile.raw_profiles, profile.quarantined) == (2, ())
    assert is_intact(profile)


def test_inputs_go_through_a_list_file(workshop: Workshop) -> None:
    """However many raw profiles there are, the command line stays short."""
    merge(workshop, *("x" * 2000))
    (command,) = workshop.tool_runs("merge")
    assert command.argv[2:] == (
        f"--input-files={workshop.layout.root}/merging/train-a.0.inputs",
        f"--output={workshop.layout.root}/merging/train-a.0.profdata",
        "--failure-mode=any",
    )
    assert command.timeout_s == 1800
    assert command.env == {"HOME": "/h"}


def test_many_files_are_merged_in_portions(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the portions give is joined; each is told, with how many there are in all."""
    monkeypatch.setattr(merging, "_PORTION_FILES", 2000)
    merged = merge(workshop, *("x" * 4001))
    assert len(workshop.tool_runs("merge")) == 4
    assert merged.unfinished is not None
    assert content_of(merged.unfinished).count("1 x x") == 4001
    assert merged.raw_profiles == 4001
    told = [(event.done, event.total) for event in workshop.heard if isinstance(event, ActionProgressed)]
    assert told == [(2000, 4001), (4000, 4001), (4001, 4001)]
    assert [notice.message for notice in workshop.notices] == ["merging 4,001 raw profiles (3.9 KiB) in 3 portions"]
    assert sorted(path.name for path in (workshop.layout.root / "merging").iterdir()) == ["train-a.profdata"]


def test_large_files_make_small_portions(workshop: Workshop) -> None:
    """A portion is about a gibibyte, and at least one file."""
    raw = raw_in(workshop, *"abcd")
    workshop.merger.merge_raw(replace(raw, size_bytes=2 << 30), label=Id("train-a"))
    assert len(workshop.tool_runs("merge")) == 3
    workshop.merger.merge_raw(replace(raw, size_bytes=8 << 30), label=Id("train-a"))
    assert len(workshop.tool_runs("merge")) == 3 + 5


def test_the_profile_is_named_by_its_content(workshop: Workshop) -> None:
    """Cargo and compiler caches look at the name alone: another content needs another name, the same keeps it."""
    one = accept(workshop, "x")
    again = accept(workshop, "x", label="train-b")
    other = accept(workshop, "y")
    assert one.path.name == f"{one.sha256[:32]}.profdata"
    assert one.path == again.path
    assert one.path != other.path
    assert not list((workshop.layout.root / "merging").iterdir())


def test_a_damaged_profile_is_written_again(workshop: Workshop) -> None:
    """A file that no longer has the content of its name is not trusted."""
    profile = accept(workshop, "x")
    profile.path.write_text("damaged")
    assert not is_intact(profile)
    assert is_intact(accept(workshop, "x"))


def test_workloads_are_merged_by_weight(workshop: Workshop) -> None:
    """The counts of each training run are multiplied so that weights are shares, whatever the runs' lengths."""
    merged = workshop.merger.merge_weighted(MERGE, trained(workshop, 1000, 100))
    assert content_of(merged.profile.path) == f"3 x {A}\n10 x {B}"
    assert (merged.profile.raw_profiles, merged.profile.quarantined) == (4, (f"{A}.bad", f"{B}.bad"))
    assert not merged.reused


def test_an_unchanged_merge_is_reused(workshop: Workshop) -> None:
    """The same profiles merged by the same tool are not merged again."""
    first = workshop.merger.merge_weighted(MERGE, trained(workshop, 1000, 100))
    again = workshop.merger.merge_weighted(MERGE, trained(workshop, 1000, 100))
    assert again.reused
    assert again.profile == first.profile
    assert len(workshop.tool_runs("merge")) == 1


def test_counts_are_scaled_at_last(workshop: Workshop) -> None:
    """The summary is that of the scaled counts, and so are the shares of them; nothing but the profile is left."""

    def tool(command: Command) -> Answer:
        if command.argv[2] == "--text":
            text = Path(command.argv[3].removeprefix("--output="))
            return Reply(writes={text: b":ir\nmain\n7\n2\n800\n0\n\n"})
        is_scaled = command.argv[1] == "show" and command.argv[-1].endswith(".scaled.profdata")
        return Reply(stdout=shown(total=80)) if is_scaled else llvm_profdata(command)

    workshop.tool = tool
    action = replace(MERGE, id=Id("merge-2"), count_scale=0.1)
    merged = workshop.merger.merge_weighted(action, trained(workshop, 1000, 100))
    assert content_of(merged.profile.path) == "1 x :ir\nmain\n7\n2\n80\n0\n\n"
    assert merged.profile.total_count == 80
    assert list((workshop.layout.root / "merging").iterdir()) == []
    assert workshop.merger.merge_weighted(action, trained(workshop, 1000, 100)).reused


def test_a_merge_is_done_again_when_something_changed(workshop: Workshop) -> None:
    """Another input, another tool, or a lost result: each is a reason."""
    first = workshop.merger.merge_weighted(MERGE, trained(workshop, 1000, 100))
    inputs = trained(workshop, 1000, 100)
    other = replace(inputs[A].profile, sha256="other")
    assert not workshop.merger.merge_weighted(MERGE, {**inputs, A: replace(inputs[A], profile=other)}).reused
    workshop.tool_version = "22.1.3"
    assert not workshop.merger.merge_weighted(MERGE, inputs).reused
    workshop.tool_version = "22.1.2"
    first.profile.path.unlink()
    assert not workshop.merger.merge_weighted(MERGE, inputs).reused


@pytest.mark.parametrize("numbers", [{"ran": 0}, {"total": 0}])
def test_a_profile_without_counts_is_refused(workshop: Workshop, numbers: dict[str, int]) -> None:
    """Functions that never ran prove nothing; no profile is made of them."""
    workshop.tool = lambda c: Reply(stdout=shown(**numbers)) if c.argv[1] == "show" else llvm_profdata(c)
    with pytest.raises(ProfileDataError, match="has 11 functions, but none of them ever ran"):
        accept(workshop, "x")
    assert not workshop.layout.profile_data.exists()


def test_a_summary_that_cannot_be_read_is_refused(workshop: Workshop) -> None:
    """A tool that prints something else is not believed."""
    workshop.tool = lambda c: Reply(stdout=b"?", stderr=b"odd") if c.argv[1] == "show" else llvm_profdata(c)
    with pytest.raises(ProfileDataError, match="cannot read the profile that it merged") as caught:
        merge(workshop, "x")
    assert caught.value.detail == "odd"


# Files that cannot be merged


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("merge-truncated", "too much profile data"),
        ("merge-counter", "excessively large counter value suggests corrupted profile data: 1152921504606846976"),
        ("merge-text", "malformed instrumentation profile data: function hash is not a valid integer"),
    ],
)
def test_a_broken_file_is_left_out_and_named(workshop: Workshop, case: str, reason: str) -> None:
    """The rest is merged as strictly as ever, and the tool's own reason is kept; nothing is passed over in silence."""
    bad = f"{case.removeprefix('merge-')}.profraw"
    words = (RECORDED / f"{case}.llvm22.txt").read_text().replace(bad, f"{workshop.directory}/0001.profraw").encode()

    def tool(command: Command) -> Answer:
        complains = command.argv[1] == "merge" and f"{workshop.directory}/0001.profraw" in merged_by(command)
        return Reply(exit_code=1, stderr=words) if complains else llvm_profdata(command)

    workshop.tool = tool
    merged = merge(workshop, "x", "y", "z")
    assert merged.unusable == (Unusable(name="0001.profraw", reason=reason),)
    assert merged.unfinished is not None
    assert content_of(merged.unfinished) == "1 x x\n1 x z"
    assert merged.raw_profiles == 2


def test_broken_files_are_found_in_every_portion(workshop: Workshop) -> None:
    """All of them are known at the end, not only those that stopped the first merge."""
    workshop.tool = refuse("0007.profraw", "2001.profraw")
    merged = merge(workshop, *("x" * 2100))
    assert [item.name for item in merged.unusable] == ["0007.profraw", "2001.profraw"]
    assert merged.raw_profiles == 2098


def test_where_every_file_is_broken_there_is_no_profile(workshop: Workshop) -> None:
    """Nothing is merged of nothing."""
    workshop.tool = refuse("0000.profraw", "0001.profraw")
    merged = merge(workshop, "x", "y")
    assert (merged.unfinished, merged.summary, merged.raw_profiles) == (None, None, 0)
    assert len(merged.unusable) == 2


def test_a_file_that_a_merge_does_not_name_is_found_by_trying_each(workshop: Workshop) -> None:
    """A tool that dies of a file has no time to name it."""

    def tool(command: Command) -> Answer:
        dies = command.argv[1] == "merge" and any(path.endswith("0001.profraw") for path in merged_by(command))
        return Reply(exit_code=-11) if dies else llvm_profdata(command)

    workshop.tool = tool
    merged = merge(workshop, "x", "y", "z")
    assert [(item.name, item.reason) for item in merged.unusable] == [
        ("0001.profraw", "llvm-profdata fails on it without a message")
    ]
    assert merged.unfinished is not None
    assert content_of(merged.unfinished) == "1 x x\n1 x z"


def test_sums_that_are_cut_off_are_told(workshop: Workshop) -> None:
    """Such a merge succeeds, with a line for each function; that is no broken file."""
    words = b"/w/a.profraw: _ZN1t4main17hc89f1824c9b61e1dE: counter overflow\n" * 3

    def tool(command: Command) -> Answer:
        reply = llvm_profdata(command)
        return replace(reply, stderr=words) if command.argv[1] == "merge" else reply

    workshop.tool = tool
    merged = merge(workshop, "x")
    assert (merged.overflowed, merged.unusable) == (True, ())
    workshop.tool = llvm_profdata
    assert not merge(workshop, "x").overflowed


# A tool that fails


@pytest.mark.parametrize(
    ("reply", "ending"),
    [
        (Reply(exit_code=2, stderr=b"?"), r"exit code 2"),
        (Reply(), r"exit code 0"),
        (Reply(exit_code=-11), r"signal 11 \(SIGSEGV\)"),
        (Reply(exit_code=-35, stderr=b"?"), "signal 35"),
    ],
)
@pytest.mark.parametrize("contents", ["x", "xyz"])
def test_a_tool_that_fails_without_a_word_is_told(workshop: Workshop, reply: Reply, ending: str, contents: str) -> None:
    """A crash on every file, or a success that leaves none, is the tool's own failure; its words are kept."""
    workshop.tool = lambda _: reply
    with pytest.raises(ProfileDataError, match=rf"llvm-profdata failed \({ending}\)") as caught:
        merge(workshop, *contents)
    assert Path(caught.value.location or "").read_bytes() == reply.stderr
    assert caught.value.detail == reply.stderr.decode()


def test_portions_that_cannot_be_joined_are_told(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last merge may fail as well, as for want of memory."""
    monkeypatch.setattr(merging, "_PORTION_FILES", 2000)
    workshop.tool = lambda c: Reply(exit_code=-9) if c.argv[3].endswith("/train-a.profdata") else llvm_profdata(c)
    with pytest.raises(ProfileDataError, match=r"signal 9 \(SIGKILL\)"):
        merge(workshop, *("x" * 2001))


def test_a_tool_that_hangs_is_stopped(workshop: Workshop) -> None:
    """A merge that does not end has a timeout, which can be set, and its words are kept."""
    workshop.settings = RawProfileSettings(merge_timeout_s=90)
    workshop.tool = lambda _: Reply(exit_code=-9, timed_out=True, stderr=b"still merging")
    with pytest.raises(ProfileDataError, match=r"did not finish within 90 s") as caught:
        merge(workshop, "x")
    assert caught.value.detail == "still merging"
    assert "merge-timeout" in caught.value.help
    (command,) = workshop.tool_runs("merge")
    assert command.timeout_s == 90


def test_a_tool_that_is_gone_is_the_toolchains_fault(workshop: Workshop) -> None:
    """The remedy is `doctor`."""
    workshop.tool = lambda _: ProgramNotFoundError("/t/llvm-profdata", "not found")
    with pytest.raises(ToolchainError, match="cannot start llvm-profdata"):
        merge(workshop, "x")


def test_a_failed_merge_leaves_the_last_profile_alone(workshop: Workshop) -> None:
    """What was accepted once stays what it was."""
    profile = accept(workshop, "x")
    workshop.tool = lambda _: Reply(exit_code=1)
    with pytest.raises(ProfileDataError):
        merge(workshop, "y")
    assert is_intact(profile)


def test_a_failed_merge_of_workloads_is_told(workshop: Workshop) -> None:
    """Profiles that were accepted one by one are not looked for faults again."""
    workshop.tool = lambda _: Reply(exit_code=1, stderr=b"error: no space left\n")
    with pytest.raises(ProfileDataError, match="failed"):
        workshop.merger.merge_weighted(MERGE, trained(workshop, 1000, 100))
    assert len(workshop.tool_runs("merge")) == 1


def test_the_functions_of_a_profile_are_counted_by_crate(workshop: Workshop) -> None:
    """Names, and for each crate functions, those that ran, and counts; the crate with the most comes first."""
    listing = """Counters:
  demo.1f-cgu.0;_ZN4demo4main17hc89f1824c9b61e1dE:
    Hash: 0x0a4d0ad3efffffff
    Counters: 2
    Block counts: [3, 0]
  _ZN5other4work17hc89f1824c9b61e1dE:
    Hash: 0x0a4d0ad3efffffff
    Counters: 1
    Block counts: [100]
  _ZN4demo6unused17hc89f1824c9b61e1dE:
    Block counts: [0]
  _ZN4demo5empty17hc89f1824c9b61e1dE:
    Block counts: []
  main:
    Block counts: [1]
Instrumentation level: IR
"""
    workshop.tool = lambda _: Reply(stdout=listing.encode())
    (workshop.layout.root / "merging").mkdir()
    contents = workshop.merger.profdata.look_into(Path("/d/ab.profdata"))
    assert contents.names == {
        "demo.1f-cgu.0;_ZN4demo4main17hc89f1824c9b61e1dE",
        "_ZN5other4work17hc89f1824c9b61e1dE",
        "_ZN4demo6unused17hc89f1824c9b61e1dE",
        "_ZN4demo5empty17hc89f1824c9b61e1dE",
        "main",
    }
    assert contents.crates == (
        CrateCounts(name="other", functions=1, functions_with_counts=1, total_count=100),
        CrateCounts(name="demo", functions=3, functions_with_counts=1, total_count=3),
        CrateCounts(name=None, functions=1, functions_with_counts=1, total_count=1),
    )
    (command,) = workshop.tool_runs("show")
    assert command.argv[1:] == ("show", "--all-functions", "--counts", "/d/ab.profdata")


def test_functions_that_cannot_be_listed_are_told(workshop: Workshop) -> None:
    """A listing that broke off would look like a profile of little."""
    workshop.tool = lambda _: Reply(exit_code=1, stderr=b"error: bad magic\n")
    with pytest.raises(ProfileDataError, match="failed") as caught:
        workshop.merger.profdata.look_into(Path("/d/ab.profdata"))
    assert caught.value.detail == "error: bad magic"


def test_multipliers() -> None:
    """They are as small as they may be; of several workloads the longest has the least."""
    assert make_multipliers({A: (7.0, 123)}) == {A: 1}
    assert make_multipliers({A: (1.0, 1000), B: (1.0, 1000)}) == {A: 1, B: 1}
    assert make_multipliers({A: (1.0, 1040), B: (1.0, 1000)}) == {A: 1, B: 1}
    assert make_multipliers({A: (1.0, 3000), B: (1.0, 2000)}) == {A: 2, B: 3}
    assert make_multipliers({A: (1.0, 800), B: (1.0, 10)}) == {A: 1, B: 80}
    assert make_multipliers({A: (1.0, 2**60), B: (1.0, 2**60)}) == {A: 1, B: 1}
