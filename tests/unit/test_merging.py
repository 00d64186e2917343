from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.build.merging import is_intact, make_multipliers
from optbuild.build.model import PgoProfile, RawProfiles, Trained
from optbuild.errors import ProfileDataError, ToolchainError
from optbuild.execution.command import Command, ProgramNotFoundError
from optbuild.files import sha256_of
from optbuild.plan.model import ActionId, MergeProfiles
from optbuild.testing import Answer, Reply
from tests.unit.build_cases import RECORDED, TOTAL, Workshop, llvm_profdata, shown

A, B = ActionId("train-a"), ActionId("train-b")
MERGE = MergeProfiles(
    id=ActionId("merge-1"),
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
    files = tuple(workshop.directory / f"{index}.profraw" for index in range(len(contents)))
    for path, content in zip(files, contents, strict=True):
        path.write_text(content)
    return RawProfiles(directory=workshop.directory, files=files)


def trained(workshop: Workshop, *totals: int) -> dict[ActionId, Trained]:
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
        results[name] = Trained(profile=profile, duration_s=1.0, reused=False)
    return results


def test_raw_profiles_are_merged_with_weight_one(workshop: Workshop) -> None:
    """Every file of one workload counts alike; the summary comes from the tool."""
    profile = workshop.merger.merge_raw(raw_in(workshop, "x", "y"), label="train-a")
    assert profile.path.read_text() == "1 x x\n1 x y"
    assert (profile.functions, profile.functions_with_counts, profile.total_count) == (11, 6, TOTAL)
    assert profile.raw_profiles == 2
    assert is_intact(profile)


def test_inputs_go_through_a_list_file(workshop: Workshop) -> None:
    """However many raw profiles there are, the command line stays short."""
    workshop.merger.merge_raw(raw_in(workshop, *("x" * 2000)), label="train-a")
    (command,) = workshop.tool_runs("merge")
    assert command.argv[2:] == (
        f"--input-files={workshop.layout.root}/merging/train-a.inputs",
        f"--output={workshop.layout.root}/merging/train-a.profdata",
        "--failure-mode=any",
    )
    assert command.timeout_s == 1800
    assert command.env == {"HOME": "/h"}


def test_the_profile_is_named_by_its_content(workshop: Workshop) -> None:
    """Cargo and compiler caches look at the name alone: another content needs another name, the same keeps it."""
    one = workshop.merger.merge_raw(raw_in(workshop, "x"), label="train-a")
    again = workshop.merger.merge_raw(raw_in(workshop, "x"), label="train-b")
    other = workshop.merger.merge_raw(raw_in(workshop, "y"), label="train-a")
    assert one.path.name == f"{one.sha256[:32]}.profdata"
    assert one.path == again.path
    assert one.path != other.path
    assert not list((workshop.layout.root / "merging").iterdir())


def test_a_damaged_profile_is_written_again(workshop: Workshop) -> None:
    """A file that no longer has the content of its name is not trusted."""
    profile = workshop.merger.merge_raw(raw_in(workshop, "x"), label="train-a")
    profile.path.write_text("damaged")
    assert not is_intact(profile)
    assert is_intact(workshop.merger.merge_raw(raw_in(workshop, "x"), label="train-a"))


def test_workloads_are_merged_by_weight(workshop: Workshop) -> None:
    """The counts of each training run are multiplied so that weights are shares, whatever the runs' lengths."""
    merged = workshop.merger.merge_weighted(MERGE, trained(workshop, 1000, 100))
    assert merged.profile.path.read_text() == f"100 x {A}\n333 x {B}"
    assert (merged.profile.raw_profiles, merged.profile.quarantined) == (4, (f"{A}.bad", f"{B}.bad"))
    assert not merged.reused


def test_an_unchanged_merge_is_reused(workshop: Workshop) -> None:
    """The same profiles merged by the same tool are not merged again."""
    first = workshop.merger.merge_weighted(MERGE, trained(workshop, 1000, 100))
    again = workshop.merger.merge_weighted(MERGE, trained(workshop, 1000, 100))
    assert again.reused
    assert again.profile == first.profile
    assert len(workshop.tool_runs("merge")) == 1


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
    with pytest.raises(ProfileDataError, match="knows 11 functions, but none of them ever ran"):
        workshop.merger.merge_raw(raw_in(workshop, "x"), label="train-a")
    assert not workshop.layout.profile_data.exists()


def test_a_summary_that_cannot_be_read_is_refused(workshop: Workshop) -> None:
    """A tool that prints something else is not believed."""
    workshop.tool = lambda c: Reply(stdout=b"?", stderr=b"odd") if c.argv[1] == "show" else llvm_profdata(c)
    with pytest.raises(ProfileDataError, match="cannot read the profile that it merged") as caught:
        workshop.merger.merge_raw(raw_in(workshop, "x"), label="train-a")
    assert caught.value.detail == "odd"


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("merge-truncated", "too much profile data"),
        ("merge-counter", "excessively large counter value suggests corrupted profile data"),
        ("merge-text", "malformed instrumentation profile data"),
    ],
)
def test_broken_inputs_are_named(workshop: Workshop, case: str, reason: str) -> None:
    """The file and the tool's own reason stand in the error, and its words below."""
    stderr = (RECORDED / f"{case}.llvm22.txt").read_bytes()
    workshop.tool = lambda _: Reply(exit_code=1, stderr=stderr)
    with pytest.raises(ProfileDataError, match=f"{case.removeprefix('merge-')}.profraw cannot be used") as caught:
        workshop.merger.merge_raw(raw_in(workshop, "x"), label="train-a")
    assert reason in caught.value.message
    assert "no profile can be merged" in (caught.value.detail or "")


def test_several_broken_inputs_are_counted(workshop: Workshop) -> None:
    """The first is named, the others are counted."""
    stderr = b"".join(b"warning: %c.profraw: too much profile data\n" % name for name in b"abc")
    workshop.tool = lambda _: Reply(exit_code=1, stderr=stderr)
    with pytest.raises(ProfileDataError, match=r"a\.profraw cannot be used \(and 2 more\)"):
        workshop.merger.merge_raw(raw_in(workshop, "x"), label="train-a")


@pytest.mark.parametrize("reply", [Reply(exit_code=2, stderr=b"?"), Reply(), Reply(exit_code=-11)])
def test_a_tool_that_fails_without_a_word_is_told(workshop: Workshop, reply: Reply) -> None:
    """A crash, or a success that leaves no file, is a failure with its exit code."""
    workshop.tool = lambda _: reply
    with pytest.raises(ProfileDataError, match=rf"llvm-profdata failed \(exit code {reply.exit_code}\)"):
        workshop.merger.merge_raw(raw_in(workshop, "x"), label="train-a")


def test_a_tool_that_hangs_is_stopped(workshop: Workshop) -> None:
    """A merge that does not end has a timeout, and its words are kept."""
    workshop.tool = lambda _: Reply(exit_code=-9, timed_out=True, stderr=b"still merging")
    with pytest.raises(ProfileDataError, match="did not come to an end") as caught:
        workshop.merger.merge_raw(raw_in(workshop, "x"), label="train-a")
    assert caught.value.detail == "still merging"


def test_a_tool_that_is_gone_is_the_toolchains_fault(workshop: Workshop) -> None:
    """The remedy is `doctor`."""

    def gone(_: Command) -> Answer:
        return ProgramNotFoundError("/t/llvm-profdata", "not found")

    workshop.tool = gone
    with pytest.raises(ToolchainError, match="cannot start llvm-profdata"):
        workshop.merger.merge_raw(raw_in(workshop, "x"), label="train-a")


def test_a_failed_merge_leaves_the_last_profile_alone(workshop: Workshop) -> None:
    """What was accepted once stays what it was."""
    profile = workshop.merger.merge_raw(raw_in(workshop, "x"), label="train-a")
    workshop.tool = lambda _: Reply(exit_code=1)
    with pytest.raises(ProfileDataError):
        workshop.merger.merge_raw(raw_in(workshop, "y"), label="train-a")
    assert is_intact(profile)


def test_multipliers() -> None:
    """One workload needs none; of several the longest has the least, and huge counts are not multiplied further."""
    assert make_multipliers({A: (7.0, 123)}) == {A: 1}
    assert make_multipliers({A: (1.0, 1000), B: (1.0, 1000)}) == {A: 100, B: 100}
    assert make_multipliers({A: (1.0, 800), B: (1.0, 10)}) == {A: 100, B: 8000}
    assert make_multipliers({A: (1.0, 2**60), B: (1.0, 2**60)}) == {A: 1, B: 1}
