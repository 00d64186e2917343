from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from optbuild.errors import ProfileDataError, StorageError
from optbuild.execution import conversation, launcher
from optbuild.execution.command import Command, ProgramNotFoundError, Stream, WatchedExecutor
from optbuild.execution.local import LocalExecutor
from tests.integration.execution_programs import launcher_pid, python, shell, write_launcher_without_pidfd

MIB = 1 << 20


@pytest.fixture(params=["pidfd", "sigchld"])
def executor(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalExecutor]:
    """An executor, with either way to wait for a program."""
    if request.param == "sigchld":
        monkeypatch.setattr(launcher, "__file__", str(write_launcher_without_pidfd(tmp_path)))
    with LocalExecutor(emit=lambda _: None) as made:
        yield made


def write_program(path: Path, text: str = "#!/bin/sh\necho $0\n", mode: int = 0o755) -> Path:
    """Write a program into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("executor", ["sigchld"], indirect=True)
def test_the_launcher_without_pidfd_listens_to_sigchld(executor: LocalExecutor, tmp_path: Path) -> None:
    """What the other tests run as `sigchld` is the fallback indeed."""
    executor.run(shell("true", tmp_path))

    status = Path(f"/proc/{launcher_pid(executor)}/status").read_text()
    caught = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), 16)

    assert caught & 1 << (signal.SIGCHLD - 1)


@pytest.mark.parametrize(
    ("script", "exit_code"),
    [
        ("exit 0", 0),
        ("exit 3", 3),
        ("exit 255", 255),
        ("kill -TERM $$", -signal.SIGTERM),
        ("kill -KILL $$", -signal.SIGKILL),
        ("kill -ABRT $$", -signal.SIGABRT),
    ],
)
def test_exit_codes_are_told_and_signals_as_negative_numbers(
    executor: LocalExecutor, tmp_path: Path, script: str, exit_code: int
) -> None:
    """How a program ended is what its parent would see."""
    completed = executor.run(shell(script, tmp_path))

    assert completed.exit_code == exit_code
    assert not completed.timed_out
    assert completed.survivors == ()


def test_standard_output_and_error_are_captured_apart(executor: LocalExecutor, tmp_path: Path) -> None:
    """Captured output is bytes, as the program wrote them, and each command's own."""
    first = executor.run(shell(r"printf 'a\377\0b'; echo wrong >&2; exit 1", tmp_path))
    second = executor.run(shell("echo next", tmp_path))

    assert (first.stdout, first.stderr) == (b"a\xff\0b", b"wrong\n")
    assert (second.stdout, second.stderr) == (b"next\n", b"")


def test_lines_go_to_callbacks_and_are_not_kept(executor: LocalExecutor, tmp_path: Path) -> None:
    """A callback gets whole lines with their newlines, and last a line without one."""
    out: list[bytes] = []
    err: list[bytes] = []
    script = r"printf 'one\n\ntwo\n'; head -c 200000 /dev/zero; printf 'x\nlast'; printf 'e1\ne2' >&2"

    completed = executor.run(shell(script, tmp_path), on_stdout=out.append, on_stderr=err.append)

    assert out == [b"one\n", b"\n", b"two\n", b"\0" * 200_000 + b"x\n", b"last"]
    assert err == [b"e1\n", b"e2"]
    assert (completed.stdout, completed.stderr) == (b"", b"")


def test_one_stream_may_have_a_callback_while_the_other_is_captured(executor: LocalExecutor, tmp_path: Path) -> None:
    """The two streams are independent of each other."""
    out: list[bytes] = []

    completed = executor.run(shell("echo seen; echo kept >&2", tmp_path), on_stdout=out.append)

    assert out == [b"seen\n"]
    assert completed.stderr == b"kept\n"


def test_big_output_on_both_streams_is_neither_lost_nor_stuck(executor: LocalExecutor, tmp_path: Path) -> None:
    """A program that fills both pipes at once is drained of both."""
    completed = executor.run(shell("head -c 10000000 /dev/zero & head -c 10000001 /dev/zero >&2; wait", tmp_path))

    assert len(completed.stdout) == 10_000_000
    assert len(completed.stderr) == 10_000_001


def test_output_goes_to_files_or_nowhere(executor: LocalExecutor, tmp_path: Path) -> None:
    """A file is made anew, a stream to null is dropped, and neither is captured."""
    (tmp_path / "out.txt").write_text("much older and longer text")
    script = "echo out; echo err >&2"

    to_file = executor.run(shell(script, tmp_path, stdout=tmp_path / "out.txt", stderr=Stream.NULL))
    to_null = executor.run(shell(script, tmp_path, stdout=Stream.NULL, stderr=tmp_path / "err.txt"))

    assert (tmp_path / "out.txt").read_text() == "out\n"
    assert (tmp_path / "err.txt").read_text() == "err\n"
    assert {to_file.stdout, to_file.stderr, to_null.stdout, to_null.stderr} == {b""}


def test_standard_input_is_a_file_or_empty(executor: LocalExecutor, tmp_path: Path) -> None:
    """A program reads what it was given, or the end at once; never the terminal or the launcher's own pipe."""
    (tmp_path / "query").write_text("what\n")

    assert executor.run(shell("cat", tmp_path, stdin=tmp_path / "query")).stdout == b"what\n"
    assert executor.run(shell("cat", tmp_path)).stdout == b""


def test_the_environment_is_exactly_what_was_given(executor: LocalExecutor, tmp_path: Path) -> None:
    """Nothing of optbuild's own environment comes through."""
    env = {"ONE": "1", "LEER": "", "ÜBER": "zwei = drei"}

    completed = executor.run(Command(argv=("/usr/bin/env", "-0"), cwd=tmp_path, env=env))

    assert dict(entry.split("=", 1) for entry in completed.stdout.decode().split("\0")[:-1]) == env
    assert executor.run(Command(argv=("/usr/bin/env",), cwd=tmp_path)).stdout == b""


def test_directories_and_arguments_pass_unchanged(executor: LocalExecutor, tmp_path: Path) -> None:
    """Blanks, quotes and letters beyond ASCII in paths and arguments need no care."""
    cwd = tmp_path / 'it\'s a "größe" $HOME'
    program = write_program(cwd / "a b", '#!/bin/sh\npwd -P\nprintf "%s|" "$@"\n')

    completed = executor.run(Command(argv=(str(program), "", "a b", "*", "\\n", "'", "né"), cwd=cwd))

    assert completed.stdout.decode() == f"{cwd.resolve()}\n|a b|*|\\n|'|né|"


@pytest.mark.parametrize("entry", ["{tmp}/bin", "bin", "/nowhere:bin:/bin"])
def test_a_program_is_looked_up_in_the_path_of_its_own_environment(
    executor: LocalExecutor, tmp_path: Path, entry: str
) -> None:
    """`PATH` is the command's, its order counts, and relative entries start at the command's directory."""
    program = write_program(tmp_path / "bin" / "env")

    completed = executor.run(Command(argv=("env",), cwd=tmp_path, env={"PATH": entry.format(tmp=tmp_path)}))

    assert completed.stdout.decode() == f"{program}\n"


def test_an_empty_entry_of_path_is_the_directory_of_the_command(executor: LocalExecutor, tmp_path: Path) -> None:
    """It is as POSIX has it, and not the directory that optbuild runs in."""
    write_program(tmp_path / "tool")

    completed = executor.run(Command(argv=("tool",), cwd=tmp_path, env={"PATH": "/nowhere:"}))

    assert completed.exit_code == 0


def test_a_program_without_path_is_looked_up_in_the_default_one(executor: LocalExecutor, tmp_path: Path) -> None:
    """An environment without `PATH` still finds the system's programs, as execvp does."""
    assert executor.run(Command(argv=("true",), cwd=tmp_path)).exit_code == 0


def test_a_relative_program_starts_at_the_directory_of_the_command(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name with a slash is no name for `PATH`; a relative directory of a command counts from optbuild's own."""
    write_program(tmp_path / "sub" / "bin" / "tool")
    monkeypatch.chdir(tmp_path)

    for _ in range(2):
        completed = executor.run(Command(argv=("bin/tool",), cwd=Path("sub")))
        assert completed.stdout.decode() == f"{tmp_path}/sub/bin/tool\n"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"argv": ("no-such-program",)}, "no-such-program: not found in PATH"),
        ({"argv": ("",)}, ": not found in PATH"),
        ({"argv": ("plain.txt",), "env": {"PATH": "."}}, "plain.txt: not found in PATH"),
        ({"argv": ("./plain.txt",)}, "{tmp}/plain.txt: not an executable file"),
        ({"argv": ("./sub",)}, "{tmp}/sub: not an executable file"),
        ({"argv": ("./missing",)}, "{tmp}/missing: No such file or directory"),
        ({"argv": ("./plain.txt/tool",)}, "{tmp}/plain.txt/tool: No such file or directory"),
        ({"argv": ("./no-shebang",)}, "./no-shebang: Exec format error"),
        (
            {"argv": ("./lost-interpreter",)},
            "./lost-interpreter: it exists, but the interpreter or loader that it names does not",
        ),
        ({"cwd": "missing"}, "/bin/true: cannot enter its directory {tmp}/missing: No such file or directory"),
        ({"cwd": "plain.txt"}, "/bin/true: cannot enter its directory {tmp}/plain.txt: Not a directory"),
        ({"stdin": "no-input"}, "/bin/true: cannot open {tmp}/no-input: No such file or directory"),
        ({"argv": ("/bin/true", "x" * 3_000_000)}, "/bin/true: Argument list too long"),
    ],
)
def test_what_cannot_be_started_is_told_with_what_is_missing(
    executor: LocalExecutor, tmp_path: Path, changes: dict[str, object], text: str
) -> None:
    """The error names the program, its directory or its file, whichever is the one that is wrong."""
    write_program(tmp_path / "plain.txt", "text", 0o644)
    write_program(tmp_path / "no-shebang", "text", 0o755)
    write_program(tmp_path / "lost-interpreter", "#!/no/such/interpreter\n")
    (tmp_path / "sub").mkdir()
    paths = {name: tmp_path / str(value) for name, value in changes.items() if name in {"cwd", "stdin"}}
    command = replace(Command(argv=("/bin/true",), cwd=tmp_path), **{**changes, **paths})  # type: ignore[arg-type] # one of many fields

    with pytest.raises(ProgramNotFoundError) as caught:
        executor.run(command)

    assert str(caught.value) == text.format(tmp=tmp_path)
    assert executor.run(shell("echo fine", tmp_path)).stdout == b"fine\n"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_output_that_has_no_place_is_a_storage_error(executor: LocalExecutor, tmp_path: Path, name: str) -> None:
    """It is not the program that cannot be started, so the remedy is another one."""
    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / "out"
    streams = {name: output}

    with pytest.raises(StorageError, match="Not a directory") as caught:
        executor.run(replace(Command(argv=("/bin/true",), cwd=tmp_path), **streams))  # type: ignore[arg-type] # see above

    assert caught.value.location == str(output)
    assert executor.run(shell("echo fine", tmp_path)).stdout == b"fine\n"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_program_starts_with_default_signals(executor: LocalExecutor, tmp_path: Path) -> None:
    """Python ignores SIGPIPE and SIGXFSZ; a program must not, or it would not end with its reader."""
    completed = executor.run(
        Command(argv=("grep", "SigIgn", "/proc/self/status"), cwd=tmp_path, env={"PATH": os.defpath})
    )

    ignored = int(completed.stdout.split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_program_gets_no_descriptors_but_its_own_three(executor: LocalExecutor, tmp_path: Path) -> None:
    """What the launcher talks through is out of a program's reach."""
    completed = executor.run(Command(argv=("/bin/ls", "/proc/self/fd"), cwd=tmp_path))

    assert completed.stdout.split() == [b"0", b"1", b"2", b"3"]  # the last is what `ls` itself reads


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_many_runs_leave_nothing_open_and_no_zombie(executor: LocalExecutor, tmp_path: Path) -> None:
    """Two hundred runs later, optbuild and its launcher have as many descriptors as after one."""
    orphan = shell("(true & ) & true", tmp_path, stdin=Path(os.devnull), stdout=tmp_path / "out")

    def count_descriptors() -> list[int]:
        return [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in (os.getpid(), launcher_pid(executor))]

    executor.run(orphan)
    before = count_descriptors()
    first = launcher_pid(executor)
    for _ in range(200):
        assert executor.run(orphan).survivors == ()

    assert launcher_pid(executor) == first
    assert count_descriptors() == before
    assert psutil.Process(first).children() == []


def test_cpu_time_is_that_of_the_program_and_of_what_it_waited_for(executor: LocalExecutor, tmp_path: Path) -> None:
    """A busy child of a shell counts for the shell; the numbers have the size that they should have."""
    busy = python("for _ in range(5_000_000): pass", tmp_path)

    for command in (busy, replace(busy, argv=("/bin/sh", "-c", '"$@"; true', "sh", *busy.argv))):
        usage = executor.run(command).usage
        assert 0 < usage.user_s < 60
        assert 0 <= usage.system_s < 60
        assert usage.wall_s > 0.5 * usage.user_s
        assert usage.major_faults >= 0
        assert usage.involuntary_switches >= 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory_is_the_program_s_own(tmp_path: Path, executor: LocalExecutor) -> None:
    """Neither a giant before it nor a giant that runs optbuild changes what a small program is said to have used."""
    peak = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    ballast = b"x" * (400 * MIB)

    big = executor.run(python(f"held = b'x' * ({128 * MIB}); {peak}", tmp_path))
    small = executor.run(python(f"held = b'x' * ({8 * MIB}); {peak}", tmp_path))

    assert len(ballast) == 400 * MIB
    assert small.usage.peak_rss_floor_bytes < 40 * MIB
    assert 128 * MIB < big.usage.peak_rss_bytes < 160 * MIB
    for completed in (big, small):
        own = max(int(completed.stdout) * 1024, completed.usage.peak_rss_floor_bytes)
        assert completed.usage.peak_rss_bytes == pytest.approx(own, rel=0.05)


def test_a_program_below_the_floor_is_marked_by_it(tmp_path: Path, executor: LocalExecutor) -> None:
    """A peak that is the launcher's own is never above the floor, so that nobody takes it for the program's."""
    usage = executor.run(Command(argv=("/bin/true",), cwd=tmp_path)).usage

    assert usage.peak_rss_bytes <= usage.peak_rss_floor_bytes


def test_a_program_is_watched_while_it_runs(executor: LocalExecutor, tmp_path: Path) -> None:
    """About once a second; what the watch raises ends the program, and is raised after that."""
    looks: list[bool] = []

    def watch() -> None:
        looks.append((tmp_path / "pid").exists())
        if sum(looks) == 2:
            raise ProfileDataError("enough", help="write less")

    with pytest.raises(ProfileDataError, match="enough"):
        executor.run(replace(shell("echo $$ > pid; exec sleep 1000", tmp_path), watch=watch))
    assert looks[-2:] == [True, True]
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_program_that_ends_at_once_is_not_watched(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is called after the end."""
    monkeypatch.setattr(conversation, "_WATCH_TICK_S", 60.0)
    watched = WatchedExecutor(executor=executor, watch=lambda: pytest.fail("there is nothing to watch"))
    assert watched.run(shell("exit 3", tmp_path)).exit_code == 3
