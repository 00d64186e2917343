from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from optbuild.execution.command import Stream
from optbuild.testing import (
    RecordedExecutor,
    Recording,
    Reply,
    ScriptedExecutor,
    load_recording,
    make_command,
    make_completed,
    make_raw_profile,
    make_usage,
    raw_profile_path,
)
from optbuild.tools.llvm_profdata import ProfileHeader, read_profile_header


def recording(*stdout: str, argv: tuple[str, ...] = ("/p/tool", "x")) -> Recording:
    """A program that printed these lines and wrote one file."""
    return Recording(argv=argv, exit_code=3, stdout=stdout, stderr=("in /p",), writes={"/p/out/file": "made"})


def test_a_script_is_played_in_order() -> None:
    """Each command gets the next reply, and is kept; a script that is too short is a mistake in the test."""
    executor = ScriptedExecutor([Reply(stdout=b"one"), ValueError("two")])
    assert executor.run(make_command("a")).stdout == b"one"
    with pytest.raises(ValueError, match="two"):
        executor.run(make_command("b"))
    with pytest.raises(LookupError, match="no reply to"):
        executor.run(make_command("c"))
    assert [command.argv for command in executor.commands] == [("a",), ("b",), ("c",)]


def test_a_script_may_be_a_function() -> None:
    """The reply may depend on the command."""
    executor = ScriptedExecutor(lambda command: Reply(exit_code=len(command.argv)))
    assert executor.run(make_command("a", "b")).exit_code == 2


def test_output_goes_where_the_command_says(tmp_path: Path) -> None:
    """To a file, to nowhere, to a callback line by line, or into the result, as with a real program."""
    executor = ScriptedExecutor(lambda _: Reply(stdout=b"a\nb", stderr=b"c"))
    to_files = make_command(stdout=tmp_path / "out", stderr=Stream.NULL)
    completed = executor.run(to_files)
    assert (completed.stdout, completed.stderr) == (b"", b"")
    assert (tmp_path / "out").read_bytes() == b"a\nb"
    lines: list[bytes] = []
    completed = executor.run(make_command(), on_stdout=lines.append)
    assert (completed.stdout, completed.stderr, lines) == (b"", b"c", [b"a\n", b"b"])


def test_files_are_written_as_a_program_would(tmp_path: Path) -> None:
    """Relative paths start at the command's directory."""
    ScriptedExecutor([Reply(writes={Path("sub/file"): b"x"})]).run(make_command(cwd=tmp_path))
    assert (tmp_path / "sub/file").read_bytes() == b"x"


def test_a_recording_is_found_by_its_argv(tmp_path: Path) -> None:
    """Its places are those of the test, in arguments, output and files."""
    executor = RecordedExecutor([recording("see /p/x")], {"/p": tmp_path})
    completed = executor.run(make_command(f"{tmp_path}/tool", "x"))
    assert (completed.exit_code, completed.stdout) == (3, f"see {tmp_path}/x\n".encode())
    assert completed.stderr == f"in {tmp_path}\n".encode()
    assert (tmp_path / "out/file").read_text() == "made"


def test_recordings_of_one_argv_are_played_in_order(tmp_path: Path) -> None:
    """The last one is played again."""
    executor = RecordedExecutor([recording("one"), recording("two")], {"/p": tmp_path})
    command = make_command(f"{tmp_path}/tool", "x")
    assert [executor.run(command).stdout for _ in range(3)] == [b"one\n", b"two\n", b"two\n"]


def test_what_was_not_recorded_is_told() -> None:
    """The error lists what there is."""
    with pytest.raises(LookupError, match=r"no recording of: /p/other\nrecorded:\n/p/tool x"):
        RecordedExecutor([recording()]).run(make_command("/p/other"))


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    """Recordings are checked when they are read."""
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ValueError, match="argv"):
        load_recording(tmp_path / "x.json")


def test_raw_profiles_are_taken_for_real_ones() -> None:
    """They have the header of `-C profile-generate`, and stand where the program would write them."""
    header = read_profile_header(make_raw_profile(b"counts"))
    assert header == ProfileHeader(kind="raw", version=10, is_ir_level=True)
    command = make_command(env={"LLVM_PROFILE_FILE": "/raw/%m_%p.profraw"})
    assert raw_profile_path(command, process=7) == Path("/raw/5713_7.profraw")


def test_keywords_replace_what_a_test_is_about() -> None:
    """Everything else keeps its default."""
    usage = make_usage(wall_s=2.0, major_faults=3)
    assert (usage.wall_s, usage.major_faults, usage.peak_rss_bytes) == (2.0, 3, 8 << 20)
    assert make_completed(exit_code=1).exit_code == 1
    assert make_completed(make_command("x")).command.argv == ("x",)


@pytest.mark.parametrize(
    "start",
    [
        lambda: subprocess.run(["/bin/true"], check=False),
        lambda: os.posix_spawn("/bin/true", ["true"], {}),
        lambda: os.system("/bin/true"),  # noqa: S605 - it is refused
        lambda: os.fork(),  # noqa: PLW0108 - the bare name would be the function from before the test
    ],
)
def test_tests_of_pure_code_start_no_process(start: Callable[[], object]) -> None:
    """What reaches a real program by mistake fails here, whichever way it takes."""
    with pytest.raises(Exception, match="start no process"):
        start()
