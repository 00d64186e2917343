from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from optbuild.cli.console import Console
from optbuild.cli.context import CliContext, ReadStream, error_to_json, write_out
from optbuild.cli.doctor import render_findings
from optbuild.cli.inspect_commands import find_schemas
from optbuild.errors import (
    BuildError,
    BuildProfileError,
    InterruptedRunError,
    OptbuildError,
    Problem,
    StorageError,
    UsageError,
)
from optbuild.events import ActionFailed, ActionFinished, ActionProgressed, ActionStarted, Level, Notice, RunExpected
from optbuild.record.store import make_record_schema
from optbuild.toolchain.model import Finding

HOSTILE = "base\x1b[2J\nerror: all is well.toml"


def context_of(**changes: object) -> CliContext:
    """A call that asked for nothing special."""
    context = CliContext(argv=("optbuild", "pgo"), workload=(), environ={}, progress="plain")
    for name, value in changes.items():
        setattr(context, name, value)
    return context


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("no", help="do \udcff", location="/p/\udcff"), "failed"),
        (BuildError("broken", help="mend it"), "failed"),
        (InterruptedRunError(2), "interrupted"),
    ],
)
def test_an_error_before_a_run_is_a_record_too(error: OptbuildError, status: str) -> None:
    """A script reads one kind of document, whatever came of the call; it is text in any encoding."""
    text = error_to_json(error, context_of())
    document = json.loads(text)
    jsonschema.validate(document, make_record_schema())
    assert text.isascii()
    assert (document["schema"], document["status"]) == ("optbuild/record/1", status)
    assert (document["exit_code"], document["error"]["code"]) == (error.status, error.code)
    assert document["command_line"] == ["optbuild", "pgo"]


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "−1 \\udcff\n"), ("ascii", "\\u22121 \\udcff\n")])
def test_what_a_stream_cannot_hold_is_escaped(monkeypatch: pytest.MonkeyPatch, encoding: str, shown: str) -> None:
    """Bytes of a path that are no text, and signs that a terminal does not know, end nothing."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors="strict"))
    write_out("−1 \udcff\n")
    assert raw.getvalue().decode(encoding) == shown


@pytest.mark.parametrize("writes", [lambda stream: stream.write("x" * 100_000), lambda stream: stream.flush()])
def test_results_that_cannot_be_written_are_a_storage_error(writes: Callable[[ReadStream], object]) -> None:
    """Whoever redirects a report to a full disk must not take what is there for the report."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        stream = ReadStream(full, holds_results=True)
        stream.write("a result")
        with pytest.raises(StorageError, match="cannot write standard output: No space left on device"):
            writes(stream)
        stream.write("the error")
        stream.flush()


def test_messages_that_cannot_be_written_end_no_run() -> None:
    """The file that takes the progress of a long build may run full, and its terminal may be gone."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        stream = ReadStream(full, holds_results=False)
        assert stream.write("some progress\n") == 14
        stream.flush()


def test_places_in_errors_are_inert(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that a build profile extends may have any name, and so may a directory."""
    problem = Problem(location=f"{HOSTILE}:1", message="wrong", help="mend it")
    Console(context_of()).show_error(BuildProfileError((problem,)))
    Console(context_of()).show_error(UsageError("wrong", help="mend it", location=HOSTILE))
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert said.splitlines() == [
        "error: base^[[2J^Jerror: all is well.toml:1: wrong",
        "  help: mend it",
        "error: wrong",
        "  where: base^[[2J^Jerror: all is well.toml",
        "  help: mend it",
    ]


def test_no_foreign_line_stands_at_the_left(capsys: pytest.CaptureFixture[str]) -> None:
    """What a program said after a line break is neither an error nor a note of ours."""
    notice = Notice(level=Level.WARNING, code="x", message="it failed\nerror: not mine", help="mend\nit")
    Console(context_of()).show(notice)
    assert capsys.readouterr().err.splitlines() == ["warning: it failed", "  | error: not mine", "  help: mend^Jit"]
    finding = Finding(level=Level.ERROR, subject="cargo", message="no\nok      rustc", remedy="a\nb")
    assert render_findings((finding,), as_json=False).splitlines() == [
        "error   cargo  no",
        "               ok      rustc",
        "               help: a^Jb",
    ]


def test_plain_progress_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal a long action says every ten seconds how far it is; a new total is no new action."""
    now_s = 0.0
    console = Console(context_of(), clock=lambda: now_s)
    console.show(ActionStarted(action="a", label="measure", unit="rounds", total=10))
    for now_s in (4.0, 9.0, 11.0, 15.0):
        console.show(ActionProgressed(action="a", done=round(now_s), detail="pgo [−3.9%, −2.3%], 20 s left"))
    console.show(ActionStarted(action="a", label="measure", unit="rounds", total=30))
    console.show(ActionProgressed(action="unknown", done=1))
    now_s = 30.0
    console.show(ActionProgressed(action="a", done=24))
    console.show(ActionFinished(action="a", label="measure", duration_s=31.0))
    assert capsys.readouterr().err.splitlines() == [
        "  measure …",
        "  measure: 11 of 10 rounds, pgo [−3.9%, −2.3%], 20 s left",
        "  measure: 24 of 30 rounds",
        "✓ measure  31 s",
    ]


def test_verbose_shows_what_is_run_and_where_its_log_is(capsys: pytest.CaptureFixture[str]) -> None:
    """`-v` gives the command as one would type it; without it there is the label alone."""
    event = ActionStarted(action="a", label="lto: build", argv=("cargo", "a b"), log=Path("/l/x\n.log"))
    Console(context_of()).show(event)
    assert len(capsys.readouterr().err.splitlines()) == 1
    Console(context_of(verbosity=1)).show(event)
    assert capsys.readouterr().err.splitlines()[1:] == ["    runs cargo 'a b'", "    log /l/x^J.log"]


def test_debug_shows_where_an_error_came_from(capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback goes before the error, both to people."""
    Console(context_of(debug=True)).show_error(UsageError("wrong", help="mend it"))
    said = capsys.readouterr()
    assert said.out == ""
    assert "UsageError: wrong" in said.err
    assert said.err.endswith("error: wrong\n  help: mend it\n")


def test_a_step_may_learn_on_the_way_how_long_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """How many raw profiles there are is known when the program has ended."""
    now_s = 0.0
    with Console(context_of(), clock=lambda: now_s) as console:
        console.show(ActionStarted(action="train-1", label="pgo: train"))
        now_s = 11.0
        console.show(ActionProgressed(action="train-1", done=2000, total=50_000, unit="raw profiles"))
    assert capsys.readouterr().err.endswith("  pgo: train: 2000 of 50000 raw profiles\n")


def test_one_step_is_told_in_the_singular(capsys: pytest.CaptureFixture[str]) -> None:
    """One crate of unknown many is one crate; one of nine is one of nine crates."""
    now_s = 0.0
    with Console(context_of(), clock=lambda: now_s) as console:
        console.show(ActionStarted(action="a", label="build", unit="crates"))
        console.show(ActionStarted(action="b", label="build again", unit="crates", total=9))
        now_s = 11.0
        console.show(ActionProgressed(action="a", done=1, detail="syn"))
        console.show(ActionProgressed(action="b", done=1, detail="syn"))
    assert capsys.readouterr().err.splitlines()[2:] == [
        "  build: 1 crate, syn",
        "  build again: 1 of 9 crates, syn",
    ]


def test_a_bar_learns_its_length_on_the_way() -> None:
    """The same with a bar."""
    with Console(context_of(progress="bar")) as console:
        console.show(ActionStarted(action="train-1", label="pgo: train"))
        console.show(ActionProgressed(action="train-1", done=2000, total=50_000, unit="raw profiles"))
        assert console._progress is not None
        (task,) = console._progress.tasks
        assert (task.completed, task.total, task.fields["unit"]) == (2000, 50_000, "raw profiles")


def test_actions_side_by_side_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line names its action, and has a pace of its own; the time left is by the last time, or is not told."""
    now_s = 0.0
    console = Console(context_of(), clock=lambda: now_s)
    console.show(ActionStarted(action="a", label="release: build", unit="crates", total=9, expected_s=90.0))
    now_s = 5.0
    console.show(ActionStarted(action="b", label="pgo: build instrumented", unit="crates"))
    for at_s in (11.0, 16.0, 95.0):
        now_s = at_s
        console.show(ActionProgressed(action="a", done=3, detail="syn"))
        console.show(ActionProgressed(action="b", done=4, detail="libc"))
    assert capsys.readouterr().err.splitlines() == [
        "  release: build …",
        "  pgo: build instrumented …",
        "  release: build: 3 of 9 crates, syn, about 79 s left",
        "  pgo: build instrumented: 4 crates, libc",
        "  release: build: 3 of 9 crates, syn, longer than last time",
        "  pgo: build instrumented: 4 crates, libc",
    ]


def test_a_bar_tells_the_time_left() -> None:
    """One line for each action that runs."""
    with Console(context_of(progress="bar")) as console:
        console.show(ActionStarted(action="a", label="lto: build", expected_s=3600.0))
        console.show(ActionStarted(action="b", label="pgo: train"))
        assert console._progress is not None
        shown = [console._progress.columns[-1].render(task) for task in console._progress.tasks]  # type: ignore[union-attr]
    assert [str(text) for text in shown] == ["about 1 h 00 min left", ""]


def test_what_is_left_of_the_whole_run_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """By what each action added to the last run; what has ended is no more in it, nor the part of what goes on."""
    now_s = 0.0
    console = Console(context_of(), clock=lambda: now_s)
    console.show(RunExpected(each_s={"a": 45.0, "b": 30.0, "measure": 60.0}))
    console.show(ActionStarted(action="a", label="release: build", unit="crates", expected_s=90.0))
    for at_s in (30.0, 60.0):
        now_s = at_s
        console.show(ActionProgressed(action="a", done=3))
    console.show(ActionFinished(action="a", label="release: build", duration_s=60.0))
    console.show(ActionStarted(action="measure", label="measure", unit="rounds"))
    now_s = 80.0
    console.show(ActionProgressed(action="measure", done=4))
    assert capsys.readouterr().err.splitlines() == [
        "  release: build …",
        "  release: build: 3 crates, about 60 s left, about 2 min 00 s left of the whole run",
        "  release: build: 3 crates, about 30 s left, about 1 min 45 s left of the whole run",
        "✓ release: build  60 s",
        "  measure …",
        "  measure: 4 rounds, about 70 s left of the whole run",
    ]


def test_what_is_not_known_of_the_whole_run_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    """With actions of unknown length among the others it is a bound; with nothing known there is no word of it."""
    now_s = 0.0
    console = Console(context_of(), clock=lambda: now_s)
    for each_s in ({"a": None, "b": 30.0}, {"a": None, "b": None}):
        console.show(RunExpected(each_s=each_s))
        console.show(ActionStarted(action="a", label="build"))
        now_s += 11.0
        console.show(ActionProgressed(action="a", done=1))
    lines = [line for line in capsys.readouterr().err.splitlines() if "1" in line]
    assert lines == ["  build: 1, at least 30 s left of the whole run", "  build: 1"]


def test_a_bar_for_the_whole_run_stands_only_where_its_length_is_known() -> None:
    """It stays while those of the actions come and go."""
    with Console(context_of(progress="bar")) as console:
        console.show(RunExpected(each_s={"a": None}))
        assert console._progress is not None
        assert not console._progress.tasks
        console.show(RunExpected(each_s={"a": 30.0}))
        console.show(ActionStarted(action="a", label="build", expected_s=30.0))
        assert len(console._progress.tasks) == 2
        console.show(ActionFailed(action="a", label="build", duration_s=1.0))
        assert len(console._progress.tasks) == 1


def test_every_committed_schema_is_printed_by_the_command() -> None:
    """Whoever has optbuild installed has no `schemas/`."""
    committed = {path.read_text("utf-8") for path in (Path(__file__).parents[2] / "schemas").glob("*.json")}
    assert {render() for render in find_schemas().values()} == committed
