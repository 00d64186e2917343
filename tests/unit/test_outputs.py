from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from optbuild.errors import BuildError, NotComparableError, StorageError, WorkloadError
from optbuild.events import Level
from optbuild.execution.command import Command
from optbuild.making import workload_runs
from optbuild.making.cargo.rebuilding import Rebuild, Rebuilt
from optbuild.making.outputs import checker as outputs
from optbuild.plan.action import Id
from optbuild.plan.kinds.check_outputs import CompareOutputs, ProbeOutputs
from optbuild.plan.results import Binaries, Compared, Probed
from optbuild.profile.cargo_words import CargoCall, CargoVerb
from optbuild.testing import Reply, make_usage
from optbuild.workloads.cargo_build import CargoBuild, CargoProgram
from optbuild.workloads.harness import Harness
from optbuild.workloads.invocation import Moment
from tests.unit.build_cases import Workshop

BASELINE: Id[Binaries] = Id("compile-1")
CANDIDATE: Id[Binaries] = Id("compile-2")


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A place where programs print the content of their binary."""
    return Workshop(tmp_path, program=print_binary)


def print_binary(command: Command) -> Reply:
    """A program whose behaviour is its content."""
    return Reply(stdout=Path(command.argv[0]).read_bytes())


def write_binary(command: Command) -> Reply:
    """A program that writes its content to a file, and nothing when there is none."""
    content = Path(command.argv[0]).read_bytes()
    return Reply(stdout=os.urandom(8), writes={Path("out.txt"): content} if content else {})


def probe(workshop: Workshop, content: str = "same", **changes: Any) -> Probed:  # noqa: ANN401 - fields of Invocation
    """Run a baseline with this content."""
    action = ProbeOutputs(
        id=Id("probe-1"),
        needs=(BASELINE,),
        label="outputs of small",
        workload=workshop.workload(**changes),
        binaries=BASELINE,
    )
    return workshop.outputs.probe(action, workshop.artifact(content))


def compare(
    workshop: Workshop,
    probed: Probed,
    content: str = "same",
    *,
    rebuild: Rebuild | None = None,
    **changes: Any,  # noqa: ANN401 - fields of Invocation
) -> Compared:
    """Run a candidate with this content."""
    action = CompareOutputs(
        id=Id("compare-1"),
        needs=(Id("probe-1"), CANDIDATE),
        label="pgo: outputs of small",
        workload=workshop.workload(**changes),
        binaries=CANDIDATE,
        probe=Id("probe-1"),
    )
    binaries = workshop.artifact(content, action="compile-2")
    return workshop.outputs.compare(action, binaries, probed, rebuild=rebuild)


def test_a_program_that_stands_beside_another_is_compared_with_it(workshop: Workshop) -> None:
    """What a program prints may come from the one beside it: each variant has its own there, and it is in the key."""
    workshop.program = lambda command: Reply(stdout=Path(command.argv[0]).with_name("engine").read_bytes())
    baseline = {**workshop.artifact("front"), **workshop.artifact("old", name="engine")}
    workload = workshop.workload()
    asked = ProbeOutputs(id=Id("probe-1"), needs=(BASELINE,), label="x", workload=workload, binaries=BASELINE)
    probed = workshop.outputs.probe(asked, baseline)
    assert workshop.outputs.probe(asked, baseline).reused
    action = CompareOutputs(
        id=Id("compare-1"), needs=(), label="pgo", workload=workload, binaries=CANDIDATE, probe=asked.id
    )
    for engine in ("old", "new"):
        content = {"engine": workshop.artifact(engine, name="engine", action="compile-2")["engine"]}
        candidate = {**workshop.artifact("front", action="compile-2"), **content}
        if engine == "old":
            assert workshop.outputs.compare(action, candidate, probed).equal
            continue
        with pytest.raises(NotComparableError, match="not what the baseline prints"):
            workshop.outputs.compare(action, candidate, probed)


def test_a_baseline_that_repeats_itself_can_be_compared_with(workshop: Workshop) -> None:
    """It is run twice; the shorter run tells how long one takes, and its output is kept."""
    durations = iter([0.5, 0.3])
    workshop.program = lambda c: Reply(stdout=print_binary(c).stdout, usage=make_usage(wall_s=next(durations)))
    probed = probe(workshop)
    assert (probed.equal, probed.varying) == (True, ())
    assert probed.run_s == 0.3
    kept = probed.parts["standard output"].kept
    assert kept is not None
    assert kept.read_text() == "same"
    assert workshop.notices == []


def rebuilds(workshop: Workshop, content: str) -> Rebuild:
    """A second build of the baseline that comes to this content, by a build script that is to blame if it differs."""

    @contextmanager
    def rebuild() -> Iterator[Rebuilt]:
        yield Rebuilt(artifacts=workshop.artifact(content, action="compile-3"), differences=("a script did it",))

    return rebuild


def test_builds_that_are_not_reproducible_are_blamed_and_no_variant(workshop: Workshop) -> None:
    """Where a second build of the baseline prints something else as well, the build is what has to be mended."""
    probed = probe(workshop, "first")
    with pytest.raises(NotComparableError, match="builds are not reproducible: a script did it") as caught:
        compare(workshop, probed, "third", rebuild=rebuilds(workshop, "second"))
    assert "SOURCE_DATE_EPOCH" in caught.value.help
    assert caught.value.location is not None
    assert Path(caught.value.location).read_text() == "third"


@pytest.mark.parametrize(
    "printed",
    [
        ["a", "a", "b", "a"],  # the variant, run again, prints what the baseline printed
        ["a", "a", "b", "c"],
        ["a", "a", "b", "b", "b", "b", "c"],  # the second build of the baseline prints now this and now that
        ["a", "a", "b", "b", "b", "a", "b"],
    ],
)
def test_output_that_varies_now_and_then_is_not_blamed_on_builds(workshop: Workshop, printed: list[str]) -> None:
    """Two runs of the baseline may print the same by chance."""
    texts = iter(printed)
    workshop.program = lambda _: Reply(stdout=next(texts).encode())
    probed = probe(workshop)
    with pytest.raises(NotComparableError, match="its output varies from run to run") as caught:
        compare(workshop, probed, rebuild=rebuilds(workshop, "second"))
    assert "reproducible" not in caught.value.message
    assert '`compare-output = "none"`' in caught.value.help
    assert list(texts) == []


def test_a_variant_is_blamed_where_the_baseline_is_built_alike(workshop: Workshop) -> None:
    """A second build that prints the same, or cannot be done, takes nothing off the variant."""

    @contextmanager
    def fail() -> Iterator[Rebuilt]:
        raise BuildError("no", help="h")
        yield

    for rebuild in (rebuilds(workshop, "first"), fail, None):
        with pytest.raises(NotComparableError) as caught:
            compare(workshop, probe(workshop, "first"), "third", rebuild=rebuild)
        assert "reproducible" not in caught.value.message
        assert "which of the two is right" in caught.value.help


def test_nothing_is_built_again_where_outputs_are_equal(workshop: Workshop) -> None:
    """A second build costs as much as the first, and is for a difference alone."""

    def rebuild() -> AbstractContextManager[Rebuilt]:
        raise AssertionError("nothing is in doubt")

    assert compare(workshop, probe(workshop), rebuild=rebuild).equal is True


def test_equal_output_is_equal(workshop: Workshop) -> None:
    """A candidate that prints the same is accepted after one run."""
    result = compare(workshop, probe(workshop))
    assert result.equal is True
    assert len(workshop.runs()) == 3


def test_both_run_at_the_same_path(workshop: Workshop) -> None:
    """A program that prints its own name prints the same in every variant."""
    workshop.program = lambda c: Reply(stdout=c.argv[0].encode())
    assert compare(workshop, probe(workshop), "another binary").equal is True


@pytest.mark.parametrize(
    ("baseline", "candidate", "difference"),
    [
        ("a\nbc\n", "a\nbd\n", 'first difference at byte 3, line 2: baseline "a^Jbc^J", this variant "a^Jbd^J"'),
        ("abc", "ab", 'first difference at byte 2, line 1: baseline "abc", this variant "ab"'),
        ("", "x\x1b[31m", 'first difference at byte 0, line 1: baseline the end, this variant "x"'),
    ],
)
def test_another_output_is_refused_with_the_first_difference(
    workshop: Workshop, baseline: str, candidate: str, difference: str
) -> None:
    """Nothing is timed; the error shows where the outputs part, and where the candidate's lies."""
    probed = probe(workshop, baseline)
    with pytest.raises(NotComparableError) as caught:
        compare(workshop, probed, candidate)
    assert caught.value.message == f"pgo: outputs of small: not what the baseline prints: {difference}"
    assert Path(caught.value.location or "").read_text() == candidate


def test_a_difference_is_found_again_and_not_kept(workshop: Workshop) -> None:
    """A refusal is no result: the next run looks again."""
    probed = probe(workshop)
    for _ in range(2):
        with pytest.raises(NotComparableError):
            compare(workshop, probed, "other")
    assert len(workshop.runs()) == 8


@pytest.mark.parametrize("lost", ["deleted", "too large"])
def test_without_the_baselines_output_the_difference_is_only_told(
    workshop: Workshop, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large output is not kept, nor is the other one: hashes tell that they differ, not where."""
    for module in (outputs, workload_runs):
        monkeypatch.setattr(module, "KEPT_BYTES", 2 if lost == "too large" else 1 << 20)
    probed = probe(workshop)
    if (kept := probed.parts["standard output"].kept) is not None:
        kept.unlink()
    with pytest.raises(NotComparableError, match=r"not what the baseline prints$") as caught:
        compare(workshop, probed, "other")
    is_large = lost == "too large"
    assert workshop.workloads.output("compare-1").exists() is not is_large
    assert caught.value.location == str(workshop.directory if is_large else workshop.workloads.output("compare-1"))


def test_a_varying_output_is_warned_about(workshop: Workshop) -> None:
    """With `auto` a baseline that varies cannot be compared with: a warning, each time, and no verdict."""
    workshop.program = lambda _: Reply(stdout=os.urandom(8))
    probed = probe(workshop)
    assert probed.varying == ("standard output",)
    assert compare(workshop, probed).equal is None
    assert probe(workshop).reused
    assert [(notice.level, notice.code) for notice in workshop.notices] == [
        (Level.WARNING, "outputs-not-compared"),
        (Level.WARNING, "outputs-not-compared"),
    ]


@pytest.mark.parametrize("compare_output", ["stdout", ("out.txt",)])
def test_a_varying_output_is_refused_where_comparing_was_demanded(
    workshop: Workshop, compare_output: str | tuple[str, ...]
) -> None:
    """An explicit `compare-output` is a condition, and its remedy is named."""
    workshop.program = lambda _: Reply(stdout=os.urandom(8), writes={Path("out.txt"): os.urandom(8)})
    with pytest.raises(NotComparableError, match="two runs of the baseline print different things") as caught:
        probe(workshop, compare_output=compare_output)
    assert 'compare-output = "none"' in caught.value.help


def test_none_compares_nothing_and_says_nothing(workshop: Workshop) -> None:
    """Who says that outputs vary is not warned."""
    workshop.program = lambda _: Reply(stdout=os.urandom(8))
    probed = probe(workshop, compare_output="none")
    assert (probed.equal, probed.varying) == (None, ())
    assert compare(workshop, probed, compare_output="none").equal is None
    assert workshop.notices == []


def test_files_are_compared_in_the_place_of_standard_output(workshop: Workshop) -> None:
    """Declared files count, whatever is printed beside them."""
    workshop.program = write_binary
    probed = probe(workshop, compare_output=("out.txt",))
    assert compare(workshop, probed, compare_output=("out.txt",)).equal is True
    with pytest.raises(NotComparableError, match="byte 0, line 1"):
        compare(workshop, probed, "other", compare_output=("out.txt",))


def test_every_declared_file_counts(workshop: Workshop) -> None:
    """A difference in the second file alone is one, too."""

    def program(command: Command) -> Reply:
        content = Path(command.argv[0]).read_bytes()
        return Reply(writes={Path("a"): b"same", Path("b"): content})

    workshop.program = program
    probed = probe(workshop, compare_output=("a", "b"))
    assert compare(workshop, probed, compare_output=("a", "b")).equal is True
    with pytest.raises(NotComparableError, match=r"not what the baseline prints: b: first difference at byte 0"):
        compare(workshop, probed, "other", compare_output=("a", "b"))


def test_a_file_left_by_the_baseline_does_not_pass_for_the_candidates(workshop: Workshop) -> None:
    """A candidate that writes nothing differs, although a file with the right content lies there."""
    workshop.program = write_binary
    probed = probe(workshop, compare_output=("out.txt",))
    assert (workshop.directory / "out.txt").read_text() == "same"
    with pytest.raises(NotComparableError, match=f"it did not write {workshop.directory}/out.txt"):
        compare(workshop, probed, "", compare_output=("out.txt",))


def test_a_file_that_the_baseline_does_not_write_is_refused(workshop: Workshop) -> None:
    """Two missing files would be equal and prove nothing."""
    (workshop.directory / "out.txt").write_text("of yesterday")
    with pytest.raises(NotComparableError, match=r"the baseline did not write .*/out\.txt") as caught:
        probe(workshop, compare_output=("out.txt",))
    assert "compare-output" in caught.value.help
    assert (workshop.directory / "out.txt").read_text() == "of yesterday"


def test_a_declared_file_of_somebody_else_is_a_storage_error(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be dated back cannot show whether a run wrote it."""
    (workshop.directory / "out.txt").write_text("theirs")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)
    with pytest.raises(StorageError, match=r"out\.txt.*Operation not permitted"):
        probe(workshop, compare_output=("out.txt",))


def test_a_baseline_that_fails_is_the_workloads_fault(workshop: Workshop) -> None:
    """An output of a failed run is none."""
    workshop.program = lambda _: Reply(exit_code=-11)
    with pytest.raises(WorkloadError, match=r"ended with signal 11 \(SIGSEGV\)"):
        probe(workshop)


def test_unchanged_outputs_are_reused(workshop: Workshop) -> None:
    """The same binaries and inputs are not run again."""
    first = probe(workshop)
    result = compare(workshop, first)
    again = probe(workshop)
    assert again.reused
    assert replace(again, reused=False) == first
    assert compare(workshop, again) == Compared(sha256=result.sha256, equal=True, reused=True)
    assert len(workshop.runs()) == 3


@pytest.mark.parametrize("change", ["baseline", "candidate", "input"])
def test_each_input_makes_outputs_be_compared_again(workshop: Workshop, change: str) -> None:
    """Another binary on either side, or another content of an input, is another comparison."""
    corpus = workshop.directory / "corpus.txt"
    corpus.write_text("old")
    workshop.program = lambda _: Reply(stdout=b"always")
    compare(workshop, probe(workshop, "one", inputs=(corpus,)), "two", inputs=(corpus,))
    corpus.write_text("new" if change == "input" else "old")
    probed = probe(workshop, "changed" if change == "baseline" else "one", inputs=(corpus,))
    result = compare(workshop, probed, "changed" if change == "candidate" else "two", inputs=(corpus,))
    assert probed.reused == (change == "candidate")
    # The baseline's output is what a candidate is held against, whichever binary printed it.
    assert result.reused == (change == "baseline")


def test_what_cargo_would_run_is_known_by_all_of_its_programs_and_how_it_starts_them(workshop: Workshop) -> None:
    """None of them stands in its command: another program, or another argument, is another output."""
    workload = replace(workshop.workload("cargo", "test"), call=CargoCall(verb=CargoVerb.TEST), bins=())
    action = ProbeOutputs(
        id=Id("probe-1"), needs=(BASELINE,), label="outputs of tests", workload=workload, binaries=BASELINE
    )

    def probe_programs(content: str, *arguments: str) -> bool:
        program = CargoProgram(name="demo", arguments=arguments, cwd=workshop.directory, env={}, harness=Harness.OTHER)
        build = CargoBuild(programs=(program,), started={})
        return workshop.outputs.probe(action, workshop.artifact(content), build).reused

    assert not probe_programs("one")
    assert probe_programs("one")
    assert not probe_programs("two")
    assert not probe_programs("one", "--exact")


def write_to(name: str) -> Callable[[Command], Reply]:
    """A program that prints nothing, and writes its content to a file."""
    return lambda command: Reply(writes={Path(name): Path(command.argv[0]).read_bytes()})


@pytest.mark.parametrize("compare_output", ["auto", "stdout"])
def test_silence_is_not_equality(workshop: Workshop, compare_output: str) -> None:
    """Two programs that print nothing may have done different things; one that does print differs."""
    workshop.program = lambda _: Reply()
    probed = probe(workshop, compare_output=compare_output)
    assert compare(workshop, probed, "other", compare_output=compare_output).equal is None
    (notice,) = workshop.notices
    assert (notice.code, "prints nothing" in notice.message) == ("outputs-not-compared", True)
    workshop.program = print_binary
    with pytest.raises(NotComparableError, match="baseline the end"):
        compare(workshop, probed, "some words", compare_output=compare_output)


@pytest.mark.parametrize("place", ["scratch", "creates"])
def test_files_that_a_run_makes_are_compared_unasked(workshop: Workshop, place: str) -> None:
    """Those below the scratch directory, and those that its command names and that were not there."""
    path = workshop.workload().scratch / "deep/out" if place == "scratch" else workshop.directory / "out"
    changes: dict[str, Any] = {} if place == "scratch" else {"creates": (path, workshop.directory / "--never")}
    workshop.program = write_to(str(path))
    probed = probe(workshop, **changes)
    name = "{scratch}/deep/out" if place == "scratch" else "out"
    assert {*probed.parts} == {"standard output", name}
    assert compare(workshop, probed, **changes).equal is True
    with pytest.raises(NotComparableError, match=f"{re.escape(name)}: first difference at byte 0"):
        compare(workshop, probed, "other", **changes)
    workshop.program = lambda _: Reply()
    with pytest.raises(NotComparableError, match="it did not write"):
        compare(workshop, probed, "silent", **changes)


def test_a_file_more_than_the_baseline_writes_is_a_difference(workshop: Workshop) -> None:
    """It is named."""
    probed = probe(workshop)
    more = workshop.workload().scratch / "more"
    workshop.program = lambda _: Reply(stdout=b"same", writes={more: b"x"})
    with pytest.raises(NotComparableError, match=r"it wrote \{scratch\}/more as well"):
        compare(workshop, probed, "other")


def test_a_file_that_the_baseline_removes_has_to_go(workshop: Workshop) -> None:
    """What `prepare` put into the scratch directory and what the run takes away is a result as well."""
    changes: dict[str, Any] = {"beside": {Moment.PREPARE: (("copy",),)}}
    job = workshop.workload().scratch / "job"

    def program(command: Command) -> Reply:
        if command.argv[0] == "copy":
            return Reply(writes={job: b"input"})
        if print_binary(command).stdout != b"lazy":
            job.unlink()
        return Reply(stdout=b"done")

    workshop.program = program
    probed = probe(workshop, **changes)
    assert compare(workshop, probed, **changes).equal is True
    with pytest.raises(NotComparableError, match=r"it did not remove \{scratch\}/job"):
        compare(workshop, probed, "lazy", **changes)


def test_what_prepare_leaves_in_scratch_shows_nothing(workshop: Workshop) -> None:
    """A copy of the input is no output, unless the run changes it."""
    changes: dict[str, Any] = {"beside": {Moment.PREPARE: (("copy",),)}}
    copy = workshop.workload().scratch / "copy"

    def program(command: Command) -> Reply:
        if command.argv[0] == "copy":
            return Reply(writes={copy: b"input"})
        content = Path(command.argv[0]).read_bytes()
        return Reply(writes={copy: content} if content != b"lazy" else {})

    workshop.program = program
    assert probe(workshop, "lazy", **changes).equal is None
    probed = probe(workshop, "sorted", **changes)
    assert probed.equal is True
    assert compare(workshop, probed, "sorted", **changes).equal is True
    with pytest.raises(NotComparableError, match=r"copy"):
        compare(workshop, probed, "lazy", **changes)


def test_what_an_earlier_run_left_in_scratch_does_not_pass_for_output(workshop: Workshop) -> None:
    """With a `setup` the directory stays from run to run; each of them has to write its files itself."""
    changes: dict[str, Any] = {"beside": {Moment.SETUP: (("make",),)}}
    out = workshop.workload().scratch / "out"
    runs = iter([b"same", b"same", None])

    def program(command: Command) -> Reply:
        content = b"" if command.argv[0] == "make" else next(runs)
        return Reply(writes={out: content} if content else {})

    workshop.program = program
    assert {*probe(workshop, **changes).parts} == {"standard output", "{scratch}/out"}


def test_only_what_varies_is_left_out(workshop: Workshop) -> None:
    """The rest is compared, and what is left out is told and recorded; files with names of chance are no difference."""
    scratch = workshop.workload().scratch

    def program(command: Command) -> Reply:
        chance = os.urandom(8)
        writes = {scratch / "log": chance, scratch / chance.hex(): b"", scratch / "out": print_binary(command).stdout}
        return Reply(stdout=chance, writes=writes)

    workshop.program = program
    probed = probe(workshop)
    assert ({*probed.parts}, {*probed.varying} >= {"standard output", "{scratch}/log"}) == ({"{scratch}/out"}, True)
    (notice,) = workshop.notices
    assert 'compare-output = ["{scratch}/out"]' in (notice.help or "")
    assert compare(workshop, probed).equal is True
    with pytest.raises(NotComparableError, match="out: first difference"):
        compare(workshop, probed, "other")


def test_a_declared_file_may_lie_in_scratch(workshop: Workshop) -> None:
    """It is made anew with the directory, and compared in the place of standard output."""
    workshop.program = write_to(str(workshop.workload().scratch / "out"))
    changes: dict[str, Any] = {"compare_output": ("{scratch}/out",)}
    probed = probe(workshop, **changes)
    assert compare(workshop, probed, **changes).equal is True
    with pytest.raises(NotComparableError, match=r"\{scratch\}/out: first difference"):
        compare(workshop, probed, "other", **changes)


def print_with(*suffixes: str) -> Callable[[Command], Reply]:
    """A program that prints its content with another suffix each time, and with the last one from then on."""
    left = chain(suffixes, repeat(suffixes[-1]))
    return lambda command: Reply(stdout=print_binary(command).stdout + next(left).encode())


@pytest.mark.parametrize(
    ("changes", "suffixes"),
    [
        ({"compare_filter": (r"\d+ ms",)}, (" 1 ms", " 2 ms", " 33 ms", " 4 ms")),
        ({"compare_tolerance": 1e-6}, (" 1.00000001", " 1.00000002", " 1.00000003", " 1.0")),
    ],
)
def test_what_does_not_count_is_no_difference(
    workshop: Workshop, changes: dict[str, Any], suffixes: tuple[str, ...]
) -> None:
    """Between two runs of the baseline and for a candidate; what counts is still found."""
    workshop.program = print_with(*suffixes)
    probed = probe(workshop, **changes)
    assert (probed.equal, probed.varying) == (True, ())
    assert compare(workshop, probed, **changes).equal is True
    with pytest.raises(NotComparableError, match=r'baseline "same.*, this variant "other'):
        compare(workshop, probed, "other", **changes)


def test_numbers_are_held_against_the_baselines_own(workshop: Workshop) -> None:
    """Its output is kept however large it is; where that is lost, the baseline is run again."""
    probed = probe(workshop, compare_tolerance=1e-6)
    assert probe(workshop, compare_tolerance=1e-6).reused
    assert not probe(workshop, compare_tolerance=1e-7).reused
    assert not probe(workshop, compare_filter=("x",)).reused
    kept = probed.parts["standard output"].kept
    assert kept is not None
    kept.unlink()
    assert not probe(workshop, compare_tolerance=1e-6).reused


def test_a_key_that_would_let_the_difference_pass_is_proposed(workshop: Workshop) -> None:
    """Where a baseline varies, and where a candidate differs."""
    workshop.program = print_with(" 1 ms", " 2 ms", " 1.00001", " 1.00001", " 1.00002")
    probe(workshop)
    assert "compare-filter = ['" in (workshop.notices[0].help or "")
    probed = probe(workshop, "same number")
    with pytest.raises(NotComparableError) as caught:
        compare(workshop, probed, "same number")
    assert '`compare-tolerance = "1e-5"`' in caught.value.help


def prints_of_a_bench(workshop: Workshop, baseline: str, candidate: str, verb: CargoVerb) -> Compared:
    """What comes of two outputs of a workload that cargo starts."""
    workload = replace(workshop.workload("cargo", str(verb)), call=CargoCall(verb=verb), bins=())
    outputs = {"baseline": baseline, "candidate": candidate}
    workshop.program = lambda command: Reply(stdout=outputs[Path(command.argv[0]).read_text()].encode())
    probe = ProbeOutputs(id=Id("probe-1"), needs=(BASELINE,), label="outputs", workload=workload, binaries=BASELINE)
    compare = CompareOutputs(
        id=Id("compare-1"),
        needs=(BASELINE, Id("probe-1")),
        label="pgo: outputs",
        workload=workload,
        binaries=BASELINE,
        probe=probe.id,
    )
    program = CargoProgram(name="demo", arguments=(), cwd=workshop.directory, env={}, harness=Harness.VALGRIND)
    build = CargoBuild(programs=(program,), started={})
    probed = workshop.outputs.probe(probe, workshop.artifact("baseline"), build)
    return workshop.outputs.compare(compare, workshop.artifact("candidate"), probed, build)


def test_numbers_of_a_bench_are_taken_for_measurements(workshop: Workshop) -> None:
    """Instructions that it counts are others with another build, as they should be; that is told."""
    baseline, candidate = "count:  5,125,906 instructions\n", "count: 943,969 instructions\n"
    assert prints_of_a_bench(workshop, baseline, candidate, CargoVerb.BENCH).equal is None
    assert "prints numbers other than" in workshop.notices[-1].message


def test_words_of_a_bench_are_compared(workshop: Workshop) -> None:
    """What is no number is no measurement."""
    with pytest.raises(NotComparableError, match="not what the baseline prints"):
        prints_of_a_bench(workshop, "sum: 1 good\n", "sum: 1 bad\n", CargoVerb.BENCH)


def test_numbers_of_other_programs_are_results(workshop: Workshop) -> None:
    """A test or program that prints another number has computed something else."""
    with pytest.raises(NotComparableError, match="not what the baseline prints"):
        prints_of_a_bench(workshop, "sum: 1\n", "sum: 2\n", CargoVerb.RUN)


def test_a_bench_below_valgrind_is_told_to_be_no_measure(workshop: Workshop) -> None:
    """How long valgrind takes says nothing of the program."""
    prints_of_a_bench(workshop, "same\n", "same\n", CargoVerb.BENCH)
    assert [notice.code for notice in workshop.notices] == ["valgrind-is-timed"]


def test_what_looks_like_a_mark_of_the_build_is_proposed_under_a_condition(workshop: Workshop) -> None:
    """A hash may be a result: the help says when the key may be written, and so does that of builds to blame."""
    probed = probe(workshop, "id 0a1b2c3d")
    with pytest.raises(NotComparableError) as caught:
        compare(workshop, probed, "id 9f8e7d6c")
    help_text = caught.value.help
    assert (
        "find out which of the two is right before you ship either; if this is not a result, but changes" in help_text
    )
    assert "`compare-filter = ['" in help_text
    with pytest.raises(NotComparableError, match="builds are not reproducible") as caught:
        compare(workshop, probed, "id 9f8e7d6c", rebuild=rebuilds(workshop, "id 00000aaa"))
    assert "SOURCE_DATE_EPOCH" in caught.value.help
    assert "`compare-filter = ['" in caught.value.help
