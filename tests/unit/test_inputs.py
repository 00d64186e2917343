from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optbuild.errors import NotComparableError, UsageError
from optbuild.events import Event, Level, Notice
from optbuild.files import MARKER
from optbuild.profile.cargo_words import CargoCall, CargoVerb, TargetOption
from optbuild.profile.workloads import Use
from optbuild.record.assemble import describe_inputs
from optbuild.record.inputs import InputRecord
from optbuild.testing import make_invocation
from optbuild.workloads import inputs as inputs_module
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation, Moment
from optbuild.workloads.overlap import find_overlaps, is_any_in_sample

LEARN, RACE = (Use.TRAIN,), (Use.BENCH,)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file below the test's directory."""

    def write(name: str, text: str = "text") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_a_file_is_known_by_its_content(write: Callable[..., Path]) -> None:
    """It is read once; whoever looks anew sees what it has become."""
    corpus = write("corpus", "one")
    hashes = InputHashes()
    before = hashes.of(corpus)
    corpus.write_text("two")
    assert hashes.of(corpus) == before
    assert InputHashes().of(corpus) != before


def test_what_was_looked_at_can_be_told(write: Callable[..., Path]) -> None:
    """Files and directories by their digests; what was not looked at, or cannot be known, is left out."""
    file, directory, other = write("a", "one"), write("data/b").parent, write("c")
    workload = make_invocation(name="w", inputs=(file, directory, other, Path("/proc/self")))
    hashes = InputHashes()
    for path in (file, directory, Path("/proc/self")):
        hashes.of(path)

    assert [*hashes.seen(workload)] == [
        (file, hashlib.sha256(b"one").hexdigest(), False),
        (directory, hashes.of(directory), True),
    ]
    assert describe_inputs([workload], hashes, file.parent)[1] == InputRecord(
        workload="w", path="data", sha256=hashes.of(directory), is_directory=True
    )


def test_a_directory_is_known_by_names_and_contents(write: Callable[..., Path]) -> None:
    """A file that is renamed, edited or added makes another directory; what builds make in it does not."""
    first = write("data/a", "one")
    write("data/sub/b")
    seen = [InputHashes().of(first.parent)]
    write("data/target/CACHEDIR.TAG")
    write(f"data/ours/{MARKER}")
    (first.parent / "nowhere").symlink_to("gone")
    assert InputHashes().of(first.parent) == seen[0]
    first.write_text("two")
    seen.append(InputHashes().of(first.parent))
    first.rename(first.with_name("c"))
    seen.append(InputHashes().of(first.parent))
    write("data/d", "")
    seen.append(InputHashes().of(first.parent))
    assert len(set(seen)) == 4


@pytest.mark.parametrize("name", [".git", ".hg", ".jj", ".svn"])
def test_what_version_control_keeps_in_a_directory_is_no_input(write: Callable[..., Path], name: str) -> None:
    """A tag or a fetch makes no other directory, unless that is itself what is named."""
    directory = write("data/a").parent
    kept = write(f"data/sub/{name}/refs/tags/one", "one").parents[2]
    before, before_kept = InputHashes().of(directory), InputHashes().of(kept)
    write(f"data/sub/{name}/refs/tags/two", "two")
    assert InputHashes().of(directory) == before
    assert InputHashes().of(kept) != before_kept


def test_a_directory_that_is_too_large_equals_none(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What was not read may be anything: no later run may take it for the same, and nothing is claimed of it."""
    write("data/a"), write("data/b")
    for name, value in (("_MAX_FILES", 1), ("_MAX_BYTES", 7)):
        with monkeypatch.context() as limits:
            limits.setattr(inputs_module, name, value)
            hashes = InputHashes()
            assert hashes.of(tmp_path / "data") == hashes.of(tmp_path / "data")
            assert hashes.of(tmp_path / "data") != InputHashes().of(tmp_path / "data")
            assert compare({"inputs": (tmp_path / "data",)}, {"inputs": (write("c", "c"),)}) is None


@pytest.mark.skipif(not Path("/proc/version").is_file(), reason="the kernel shows no such files here")
def test_files_of_the_kernel_are_not_read() -> None:
    """Some of them never end, and what the others say is gone a moment later."""
    for path in (Path("/proc/version"), Path("/proc/self")):
        hashes = InputHashes()
        assert hashes.of(path) != InputHashes().of(path)
        hashes.check_after(make_invocation(inputs=(path,)))


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    """A pipe or a device has no content that could be hashed, and perhaps no end."""
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), tmp_path / "pipe"):
        with pytest.raises(UsageError, match=f"the input {path} is not a regular file"):
            InputHashes().of(path)
    with pytest.raises(UsageError, match="cannot read the input"):
        InputHashes().of(tmp_path / "gone")


def test_the_whole_environment_decides(write: Callable[..., Path]) -> None:
    """Names that every workload gets count as those that it asks for: each decides what a program does."""
    workload = make_invocation(environ={"TZ": "UTC", "LEVEL": "3"}, passed_env=("LEVEL", "UNSET"))
    script, corpus = write("run.sh"), write("corpus")
    resolved = InputHashes().resolve(make_invocation(programs=(script,), inputs=(corpus,)))
    assert InputHashes().resolve(workload) == {"env PATH": "/bin", "env TZ": "UTC", "env LEVEL": "3", "env UNSET": ""}
    assert {f"input {script}", f"input {corpus}"} < resolved.keys()


def test_an_edit_before_the_use_is_refused(write: Callable[..., Path]) -> None:
    """What was looked at before the builds is what must be used after them; being touched is no edit."""
    corpus, script = write("corpus"), write("run.sh")
    for path, workload in ((corpus, make_invocation(inputs=(corpus,))), (script, make_invocation(programs=(script,)))):
        hashes = InputHashes()
        before = hashes.resolve(workload)
        path.touch()
        assert hashes.resolve(workload) == before
        path.write_text("other")
        with pytest.raises(NotComparableError, match="has changed since the run began") as caught:
            hashes.resolve(workload)
        assert caught.value.location == str(path)


def test_a_directory_that_a_command_names_may_be_built_in(write: Callable[..., Path]) -> None:
    """The project's own directory gets a Cargo.lock with the first build: what counts is what the run finds."""
    source = write("data/a")
    workload = make_invocation(inputs=(source.parent,), named=(source.parent,))
    hashes = InputHashes()
    before = hashes.resolve(workload)
    write("data/Cargo.lock")
    assert hashes.resolve(workload) != before
    declared = make_invocation(inputs=(source.parent,))
    write("data/Cargo.lock", "other")
    with pytest.raises(NotComparableError):
        hashes.resolve(declared)


@pytest.mark.parametrize("act", [lambda path: path.write_text("other"), Path.unlink])
def test_a_declared_input_may_not_change_while_it_is_used(
    write: Callable[..., Path], act: Callable[[Path], object]
) -> None:
    """Nobody knows which of the two was read."""
    corpus = write("corpus")
    workload = make_invocation(inputs=(corpus,))
    hashes = InputHashes()
    hashes.resolve(workload)
    hashes.check_after(workload)
    act(corpus)
    with pytest.raises(NotComparableError):
        hashes.check_after(workload)


def rewrite_warnings(hashes: InputHashes) -> list[str]:
    """What is told of rewritten files now, each by the path that it begins with."""
    heard: list[Event] = []
    hashes.tell_rewritten(heard.append)
    assert all(isinstance(event, Notice) and event.level is Level.WARNING for event in heard)
    return [event.message.split(" was rewritten by workload ")[0] for event in heard if isinstance(event, Notice)]


def run_on(hashes: InputHashes, workload: Invocation, act: Callable[[], object]) -> None:
    """A run of a workload that does this between `prepare` and `conclude`."""
    with hashes.watch(workload):
        act()
    hashes.check_after(workload)


def test_a_file_that_a_workload_rewrites_is_named_once_with_a_remedy(write: Callable[..., Path]) -> None:
    """Each later run works on what the first one left, whatever the file's name and whoever looks next."""
    text = write("data/x.txt", "b a")
    for named in (text, text.parent):
        text.write_text("b a")
        workload = make_invocation(name="tidy", inputs=(named,), named=(named,))
        hashes = InputHashes()
        hashes.resolve(workload)
        run_on(hashes, workload, lambda: text.write_text("a b"))
        heard: list[Event] = []
        hashes.tell_rewritten(heard.append)
        (notice,) = heard
        assert isinstance(notice, Notice)
        assert notice.message.startswith(f"{text} was rewritten by workload 'tidy'")
        assert f'`prepare = ["cp", "{text}", "{{scratch}}/x.txt"]`' in (notice.help or "")
        assert rewrite_warnings(hashes) == []
        assert hashes.has_warned(named)


def test_what_a_workload_makes_itself_is_no_input_that_it_rewrites(write: Callable[..., Path], tmp_path: Path) -> None:
    """In a directory that its command names, a file that one run makes may be another one after the next."""
    source, out, log = write("data/x.txt"), tmp_path / "data/out", tmp_path / "data/log"
    workload = make_invocation(inputs=(source.parent,), named=(source.parent,), creates=(out,))
    hashes = InputHashes()
    hashes.resolve(workload)
    for content in ("first", "second"):
        with hashes.watch(workload):
            out.write_text(content)
            log.write_text(content)
        hashes.check_after(workload)
    assert rewrite_warnings(hashes) == []
    assert not hashes.is_steady(workload)


@pytest.mark.parametrize("declared", [True, False])
def test_what_prepare_brings_back_may_be_rewritten(write: Callable[..., Path], *, declared: bool) -> None:
    """Every run finds the same; a `prepare` that does something else changes nothing about that."""
    text = write("x.txt", "b a")
    named = () if declared else (text,)
    workload = make_invocation(inputs=(text,), named=named, beside={Moment.PREPARE: (("cp",),)})
    restored = InputHashes()
    restored.resolve(workload)
    for _ in range(2):
        text.write_text("b a")
        run_on(restored, workload, lambda: text.write_text("a b"))
    assert rewrite_warnings(restored) == []
    assert restored.is_steady(workload)

    text.write_text("b a")
    left = InputHashes()
    left.resolve(workload)
    run_on(left, workload, lambda: text.write_text("a b"))
    if declared:
        with pytest.raises(NotComparableError, match="each later run would work on what this one left"):
            run_on(left, workload, lambda: None)
    else:
        run_on(left, workload, lambda: None)
        assert rewrite_warnings(left) == [str(text)]


def test_what_a_run_writes_to_a_file_that_its_command_names_cannot_be_used_again(write: Callable[..., Path]) -> None:
    """It may be its output, or an input that somebody has edited: the run goes on, and its results are not kept."""
    out = write("out.txt", "of an earlier run")
    workload, other = make_invocation(inputs=(out,), named=(out,)), make_invocation(name="other")
    hashes = InputHashes()
    hashes.resolve(workload)
    assert hashes.is_steady(workload)
    out.write_text("of this run")
    hashes.check_after(workload)
    assert (hashes.is_steady(workload), hashes.is_steady(other), hashes.unsteady()) == (False, True, (out,))
    assert hashes.resolve(workload)[f"input {out}"] == InputHashes().of(out)


def test_a_run_that_writes_the_same_again_is_steady(write: Callable[..., Path]) -> None:
    """Its output is always the same, and so is the key of its results."""
    out = write("out.txt", "same")
    workload = make_invocation(inputs=(out,), named=(out,))
    hashes = InputHashes()
    before = hashes.resolve(workload)
    out.unlink()
    out.write_text("same")
    hashes.check_after(workload)
    assert hashes.is_steady(workload)
    assert hashes.resolve(workload) == before


def test_what_comes_to_be_while_a_workload_runs_is_its_own(write: Callable[..., Path], tmp_path: Path) -> None:
    """A file that its command names and that was not there at first; another one may write to it, or only read it."""
    out, never = tmp_path / "out.txt", tmp_path / "never"
    names = ("maker", "reader", "writer")
    maker, reader, writer = (make_invocation(name=name, absent=(out, never)) for name in names)
    hashes = InputHashes()
    hashes.resolve(maker)
    write("out.txt", "made")
    hashes.check_after(maker)
    hashes.resolve(reader)
    hashes.check_after(reader)
    hashes.resolve(writer)
    write("out.txt", "written over")
    hashes.check_after(writer)
    assert hashes.created() == {"maker": {out}, "reader": set(), "writer": {out}}


def in_sample_of(workloads: tuple[Invocation, ...], hashes: InputHashes) -> bool | None:
    """Whether anything is measured that was trained on."""
    return is_any_in_sample(find_overlaps(workloads, hashes))


def compare(training: dict[str, Any], benchmark: dict[str, Any]) -> bool | None:
    """Whether a benchmark is in-sample that has these fields beside a training workload with those."""
    first = make_invocation("{bin:demo}", "one", name="learn", **{"use": LEARN, **training})
    second = make_invocation("{bin:demo}", "two", name="race", **{"use": RACE, **benchmark})
    return in_sample_of((first, second), InputHashes())


def test_the_same_content_is_in_sample(write: Callable[..., Path]) -> None:
    """A copy of the training input is the training input, under whatever name, alone or in a directory."""
    one, copy, other = write("one", "a"), write("data/copy", "a"), write("other", "b")
    assert compare({"inputs": (one,)}, {"inputs": (other,)}) is False
    assert compare({"inputs": (one,)}, {"inputs": (other, copy)}) is True
    assert compare({"inputs": (one,)}, {"inputs": (copy.parent,)}) is True


def test_tests_and_benches_hold_inputs_of_their_own(write: Callable[..., Path]) -> None:
    """What files they name cannot tell that they are different, and the same bench is the same work."""
    one, other = write("one", "a"), write("other", "b")
    speed, size = (
        CargoCall(verb=CargoVerb.BENCH, targets=(TargetOption(option="--bench", name=name),))
        for name in ("speed", "size")
    )
    assert compare({"inputs": (one,), "call": speed}, {"inputs": (other,), "call": speed}) is True
    assert compare({"inputs": (one,), "call": speed}, {"inputs": (other,), "call": size}) is None
    assert compare({"inputs": (one,)}, {"inputs": (other,), "call": size}) is False
    run = CargoCall(verb=CargoVerb.RUN, arguments=("9",))
    assert compare({"inputs": (one,), "call": run}, {"inputs": (other,), "call": run}) is False


def test_an_empty_file_is_no_content_to_share(write: Callable[..., Path]) -> None:
    """Two directories may each hold one."""
    for name in ("left/a", "right/b"):
        write(name, name)
        write(f"{name}.empty", "")
    left, right = write("left/a", "x").parent, write("right/b", "y").parent
    assert compare({"inputs": (left,)}, {"inputs": (right,)}) is False


def test_a_shared_program_is_no_input(write: Callable[..., Path]) -> None:
    """One script may start the binary on different files."""
    script, one, two = write("run.sh"), write("one", "a"), write("two", "b")
    assert compare({"programs": (script,), "inputs": (one,)}, {"programs": (script,), "inputs": (two,)}) is False


def same_work(name: str, use: tuple[Use, ...], **changes: Any) -> Invocation:  # noqa: ANN401 - fields of Invocation
    """A workload of the one command that all of them have, its scratch directory in it."""
    scratch = Path("/p/scratch") / name
    return make_invocation("{bin:demo}", f"--tmp={scratch}", name=name, use=use, scratch=scratch, **changes)


def test_the_same_command_is_in_sample_under_two_names(write: Callable[..., Path]) -> None:
    """What differs by the name of the scratch directory, or of the file that is read, is the same."""
    one, copy, other = write("one", "a"), write("copy", "a"), write("other", "b")

    def in_sample(learn: dict[str, Any], race: dict[str, Any]) -> bool | None:
        return in_sample_of((same_work("learn", LEARN, **learn), same_work("race", RACE, **race)), InputHashes())

    def reading(path: Path) -> dict[str, Any]:
        return {"stdin": path, "inputs": (path,)}

    assert in_sample({}, {}) is True
    assert in_sample(reading(one), reading(copy)) is True
    assert in_sample(reading(one), reading(other)) is False
    assert in_sample({}, {"declared_env": {"SEED": "2"}}) is None


def test_nothing_is_claimed_of_commands_without_known_inputs(write: Callable[..., Path]) -> None:
    """Arguments that differ may still mean the same input."""
    assert compare({}, {}) is None
    assert compare({}, {"inputs": (write("one"),)}) is None
    assert compare({"inputs": (write("one"),)}, {"use": ()}) is False


def test_what_a_workload_writes_is_no_shared_input(write: Callable[..., Path]) -> None:
    """Two workloads that write to the same file do not read it."""
    one, two, out = write("one", "a"), write("two", "b"), write("out", "c")
    workloads = tuple(
        make_invocation("{bin:demo}", name, name=name, use=use, inputs=(path, out), named=(out,))
        for name, use, path in (("learn", LEARN, one), ("race", RACE, two))
    )
    hashes = InputHashes()
    assert in_sample_of(workloads, hashes) is True
    out.write_text("d")
    hashes.check_after(workloads[0])
    assert in_sample_of(workloads, hashes) is False


def test_each_benchmark_names_what_it_shares(write: Callable[..., Path]) -> None:
    """One workload that was trained on does not make the others in-sample; it is in-sample with itself as well."""
    one, copy, other = write("one", "a"), write("copy", "a"), write("other", "b")
    workloads = (
        make_invocation("{bin:demo}", "1", name="learn", use=LEARN, inputs=(one,)),
        make_invocation("{bin:demo}", "2", name="both", inputs=(copy,)),
        make_invocation("{bin:demo}", "3", name="race", use=RACE, inputs=(other,)),
        make_invocation("{bin:demo}", "4", name="unknown", use=RACE),
    )
    found = {overlap.workload: overlap for overlap in find_overlaps(workloads, InputHashes())}
    assert {name: overlap.shared_with for name, overlap in found.items()} == {
        "both": ("learn", "both"),
        "race": (),
        "unknown": (),
    }
    assert {name: overlap.unknown_with for name, overlap in found.items()} == {
        "both": (),
        "race": (),
        "unknown": ("learn", "both"),
    }
    assert [overlap.in_sample for overlap in found.values()] == [True, False, None]
    assert is_any_in_sample([found["race"]]) is False
    assert is_any_in_sample([found["race"], found["unknown"]]) is None
