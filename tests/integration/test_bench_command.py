"""`optbuild bench` with real programs: system tools that are there anyway, and small scripts."""

from __future__ import annotations

import hashlib
import math
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from optbuild.measure.schedule import has_control
from tests.integration.optbuild_program import Ended, Optbuild, copy_crate, program, write_script

LARGE_BYTES = 200 << 20
# Runs a program under a parent that is small: a child's peak memory is floored by that of whoever starts it.
PEAK = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as stream:
    stream.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""
ON_ONE_CORE = (
    "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); os.execv(sys.argv[1], sys.argv[1:])"
)
# Takes so many bytes, and writes down what the kernel says it took at most.
TAKES = """#!{python} -IS
content = bytearray({size}) or b"x"
content[::4096] = b"x" * len(content[::4096])
with open("/proc/self/status") as stream, open({log!r}, "a") as log:
    log.write(next(line.split()[1] for line in stream if line.startswith("VmHWM:")) + "\\n")
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """Two copies of a program, and some data, in a directory that is no project."""

    optbuild: Optbuild
    directory: Path

    def run(self, *options: str, command: str = "{bin} data", binaries: str = "old=./old new=./new") -> Ended:
        """Benchmark them."""
        return self.optbuild.run("bench", *binaries.split(), *options, "--", *command.split(), cwd=self.directory)

    def record(self, *options: str, command: str = "{bin} data", binaries: str = "old=./old new=./new") -> Any:  # noqa: ANN401 - JSON
        """Benchmark them; the record."""
        return self.run("--json", *options, command=command, binaries=binaries).expect(0).document

    def refused(self, status: int, *options: str, **changes: str) -> Ended:
        """Benchmark them, which must fail, and leave nothing running and nothing behind."""
        ended = self.run("--json", *options, **changes).expect(status)
        assert f"help: {ended.error['help'].splitlines()[0]}" in ended.stderr
        assert self.optbuild.children() == []
        assert self.left_over() == []
        return ended

    def script(self, name: str, body: str) -> None:
        """Put a script in the place of a copy."""
        (self.directory / name).unlink(missing_ok=True)
        write_script(self.directory / name, body)

    def left_over(self) -> list[Path]:
        """What lies in the temporary directory."""
        return list((self.optbuild.home / "tmp").iterdir())


@pytest.fixture
def stand(optbuild: Optbuild, tmp_path: Path) -> Bench:
    """`cksum` twice, and so many zeros that a run takes some milliseconds."""
    directory = tmp_path / "stand"
    directory.mkdir()
    cksum = shutil.which("cksum")
    assert cksum is not None
    for name in ("old", "new"):
        shutil.copy(cksum, directory / name)
    with (directory / "data").open("wb") as stream:
        stream.truncate(32 << 20)
    return Bench(optbuild, directory)


def proven(comparison: dict[str, Any], *, margin: float) -> str:
    """The verdict that a comparison's own interval proves."""
    low, high = comparison["ci_low"], comparison["ci_high"]
    if low is None:
        return "inconclusive"
    below, above = -margin / (1 + margin), margin  # the same distance on the scale of logarithms
    if high < below:
        return "faster"
    if low > above:
        return "slower"
    return "same" if below <= low and high <= above else "inconclusive"


def test_copies_of_one_program_are_not_told_apart(stand: Bench) -> None:
    """Every verdict is what its own interval proves, and identical programs are not found different.

    One session in twenty may be wrong about them, so that five in a row are wrong once in three million times.
    """
    for _ in range(5):
        record = stand.record("--max-time", "5s")
        verdicts = set()
        for comparison in record["comparisons"]:
            assert comparison["candidate"] == "new"
            verdicts.add(comparison["verdict"])
            if record["noise"]["aa"]["verdict"] == "invalid":
                assert comparison["verdict"] == "invalid"
            else:
                assert comparison["verdict"] == proven(comparison, margin=record["noise"]["aa"]["margin"])
        if not verdicts & {"faster", "slower"}:
            return
    pytest.fail("five sessions in a row found a difference between two copies of one program")


def test_a_record_holds_all_that_was_found_out(stand: Bench) -> None:
    """It validates against the schema, raw samples are kept, and the same numbers stand in text."""
    record = stand.record("--max-time", "30s", "--precision", "50%")
    schema = stand.optbuild.run("schema", "record", cwd=stand.directory).expect(0).document
    jsonschema.validate(record, schema)
    assert record["project"] is None
    assert [(item["name"], item["baseline"]) for item in record["variants"]] == [("old", True), ("new", False)]
    digest = hashlib.sha256((stand.directory / "old").read_bytes()).hexdigest()
    assert {item["artifacts"][0]["sha256"] for item in record["variants"]} == {digest}
    assert [item["equal"] for item in record["outputs"]] == [True, True]
    assert [item["metric"] for item in record["benchmarks"]] == ["wall", "cpu"]
    seed = record["measure"]["seed"]
    for benchmark in record["benchmarks"]:
        assert len(benchmark["rounds"]) == record["measure"]["rounds"] > 0
        for index, block in enumerate(benchmark["rounds"]):
            taking_part = {"new", "old"} | ({"A'"} if has_control(seed=seed, index=index) else set())
            assert set(block["order"]) == taking_part
            if len(block["order"]) > len(taking_part):  # of long runs each arm runs once; of short ones there and back
                passes = zip(*[iter(block["order"])] * 2 * len(taking_part), strict=True)
                assert all(order == order[::-1] for order in passes)
            assert all(math.isfinite(value) and value >= 0 for values in block["values"].values() for value in values)
    assert {item["variant"] for item in record["resources"]} == {"old", "new"}
    assert {item["name"] for item in record["noise"]["checks"]} >= {"cores", "governor", "load"}
    assert record["command_line"][:2] == ["optbuild", "bench"]
    assert stand.left_over() == []
    assert sorted(path.name for path in stand.directory.iterdir()) == ["data", "new", "old"]


@pytest.mark.parametrize(
    ("binaries", "words"),
    [
        ("./old", "'./old' is not NAME=PATH"),
        ("old= new=./new", "'old=' is not NAME=PATH"),
        ("A'=./old new=./new", "is not NAME=PATH"),
        ("old=./old old=./new", "'old' is used twice"),
        ("old=./missing", "missing is missing or not executable"),
        ("old=./data", "data is missing or not executable"),
        ("old=.", "is missing or not executable"),
    ],
)
def test_wrong_binaries_are_told_before_anything_runs(stand: Bench, binaries: str, words: str) -> None:
    """The command line is wrong, and the remedy is one that works."""
    assert words in stand.refused(2, binaries=binaries).error["message"]


@pytest.mark.parametrize(
    ("options", "command", "words"),
    [
        (("--metric", "energy"), "{bin} data", "there is no metric 'energy'"),
        (("--timeout", "3"), "{bin} data", "expected a duration"),
        (("--timeout", "0s"), "{bin} data", "expected a finite duration above zero"),
        (("--prepare", "a 'b"), "{bin} data", "cannot split"),
        ((), "cat data", "does not contain {bin}"),
        ((), "", "no command to measure"),
        ((), "{bin} {bin:other}", "no such binary"),
    ],
)
def test_a_wrong_command_line_runs_nothing(stand: Bench, options: tuple[str, ...], command: str, words: str) -> None:
    """Exit 2 means that nothing was run."""
    assert words in stand.refused(2, *options, command=command).error["message"]


def test_a_program_that_is_missing_is_named(stand: Bench) -> None:
    """What starts the binary may be missing as well as the binary; so may what that names itself."""
    assert "./no-such" in stand.refused(11, command="./no-such {bin}").error["message"]
    stand.script("new", "")
    (stand.directory / "new").write_text("#!/no/such/interpreter\n")
    assert "interpreter" in stand.refused(11).error["message"]


def test_a_program_that_fails_is_told_with_its_words(stand: Bench) -> None:
    """Its exit code and what it said; the log that the temporary directory held is not named."""
    stand.script("new", "echo 'disk is full' >&2\nexit 3")
    ended = stand.refused(11)
    assert "ended with exit code 3, expected exit code 0" in ended.error["message"]
    assert "disk is full" in ended.stderr
    assert ended.error["location"] is None


def test_a_program_that_fails_now_and_then_is_told_with_its_arm(stand: Bench) -> None:
    """There is no ratio with it, however many runs went well."""
    stand.script("new", f'echo >> "{stand.directory}/runs"\ntest $(wc -l < "{stand.directory}/runs") -lt 5')
    ended = stand.refused(11, "--max-time", "3s")
    assert "measuring new" in ended.error["message"]
    assert "exit code 1" in ended.error["message"]


def test_a_program_that_is_killed_is_told_with_the_signal(stand: Bench) -> None:
    """As when memory runs out."""
    stand.script("new", "kill -KILL $$")
    assert "signal 9 (SIGKILL)" in stand.refused(11).error["message"]


def test_a_program_that_hangs_is_stopped(stand: Bench) -> None:
    """After its timeout, with what it started; the remedy is an option of this command."""
    stand.script("new", "sleep 1000 & sleep 1000")
    ended = stand.refused(12, "--timeout", "2s")
    assert "its timeout of 2 s" in ended.error["message"]
    assert "--timeout" in ended.error["help"]
    assert "still running" in ended.stderr


def test_a_program_that_leaves_something_running_is_refused(stand: Bench) -> None:
    """It would disturb the runs after it."""
    stand.script("new", "sleep 1000 > /dev/null 2>&1 &")
    assert "left processes running" in stand.refused(11).error["message"]


def peak_rss_bytes(stand: Bench, command: str) -> int:
    """The peak memory of optbuild while it measures a command."""
    result = stand.directory.parent / "peak"
    argv = [sys.executable, "-IS", "-c", PEAK, str(result), str(program("optbuild")), "bench", "-q", "--max-time", "3s"]
    subprocess.run(
        [*argv, "old=./old", "--", *command.split()],
        cwd=stand.directory,
        env=dict(stand.optbuild.environ),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return int(result.read_text()) * 1024


def test_memory_stays_flat_however_much_is_printed(stand: Bench) -> None:
    """Output goes to a file, and is compared by its hash."""
    stand.script("old", 'head -c "$1" /dev/zero')
    little = peak_rss_bytes(stand, "{bin} 1000")
    much = peak_rss_bytes(stand, f"{{bin}} {LARGE_BYTES}")
    assert much < little + LARGE_BYTES / 5
    assert stand.left_over() == []


def test_an_output_that_is_never_the_same_is_labelled(stand: Bench) -> None:
    """The first binary prints two things in two runs: there is nothing to compare with."""
    stand.script("old", "echo $$")
    ended = stand.run("--max-time", "1s").expect(0)
    assert "outputs not compared" in " ".join(ended.stdout.split())
    assert "outputs not compared" in ended.stderr


def test_outputs_that_differ_are_warned_about(stand: Bench) -> None:
    """They are measured all the same: nobody knows which is right."""
    stand.script("new", "echo other")
    ended = stand.run("--max-time", "1s").expect(0)
    assert "new prints something different from old" in ended.stderr
    assert "new prints something different from old" in " ".join(ended.stdout.split())


def test_no_time_gives_a_label_and_advice(stand: Bench) -> None:
    """A budget below one round measures nothing, proves nothing, and is no error."""
    ended = stand.run("--max-time", "1ms").expect(0)
    assert "n = 0 randomised rounds" in ended.stdout
    assert re.search(r"the requested precision takes 10 rounds: --max-time \d+m", " ".join(ended.stdout.split()))
    record = stand.record("--max-time", "1ms")
    assert (record["measure"]["rounds"], record["measure"]["half_width"]) == (0, None)
    assert record["comparisons"] == []
    assert "--max-time" in record["measure"]["advice"]


def test_commands_run_around_each_timed_run(stand: Bench) -> None:
    """`--prepare` before and `--conclude` after every run of a session, also around those that compare outputs."""
    log = stand.directory / "log"
    for name in ("old", "new"):
        stand.script(name, f'printf r >> "{log}"')
    around = ("--prepare", f"sh -c 'printf p >> \"{log}\"'", "--conclude", f"sh -c 'printf c >> \"{log}\"'")
    stand.record("--max-time", "1s", *around)
    assert re.fullmatch(r"(prc){3,}", log.read_text())


def test_what_runs_around_a_run_is_not_timed(stand: Bench) -> None:
    """No run took longer than from the end of what went before it to the beginning of what came after it."""
    before, after = stand.directory / "before", stand.directory / "after"
    sleep_first, sleep_last = f"sleep 0.05; date +%s%N >> {before}", f"date +%s%N >> {after}; sleep 0.05"
    around = ("--prepare", f"sh -c '{sleep_first}'", "--conclude", f"sh -c '{sleep_last}'")
    record = stand.record("--max-time", "60s", "--precision", "50%", *around, binaries="old=./old")
    pairs = zip(before.read_text().split(), after.read_text().split(), strict=True)
    longest = sorted(((int(end) - int(begin)) / 1e9 for begin, end in pairs), reverse=True)
    blocks = record["benchmarks"][0]["rounds"]
    timed = sorted((value for block in blocks for values in block["values"].values() for value in values), reverse=True)
    assert 0 < len(timed) < len(longest)
    assert all(value < between for value, between in zip(timed, longest, strict=False))
    assert record["measure"]["duration_s"] > 0.1 * len(timed)


@pytest.mark.parametrize(
    ("option", "command", "words"),
    [
        ("--prepare", "sh -c 'echo no >&2; exit 4'", "`prepare` of workload '{bin} data' ended with exit code 4: sh"),
        ("--conclude", "sh -c 'exit 4'", "`conclude` of workload '{bin} data' ended with exit code 4: sh"),
        ("--prepare", "/no/such/program", "/no/such/program is missing or not executable"),
        ("--conclude", "sh -c 'sleep 1000 &'", "`conclude` of workload '{bin} data' left processes running: sh"),
    ],
)
def test_what_runs_around_a_run_has_to_succeed(stand: Bench, option: str, command: str, words: str) -> None:
    """A machine that was not prepared is another one."""
    assert words in stand.refused(11, "--max-time", "2s", option, command).error["message"]


def test_cpu_time_can_decide(stand: Bench) -> None:
    """Both metrics are kept; the verdicts and the table are about the one that was asked for."""
    record = stand.record("--metric", "cpu", "--max-time", "10s")
    assert {item["metric"] for item in record["comparisons"]} == {"cpu"}
    assert [item["metric"] for item in record["benchmarks"]] == ["wall", "cpu"]


def test_instructions_alone_can_be_counted(stand: Bench) -> None:
    """Nothing is timed then; copies of one program have one count, or else one reason why there is none."""
    record = stand.record("--metric", "instructions", command="{bin} old")
    assert (record["benchmarks"], record["comparisons"], record["measure"]) == ([], [], None)
    old, new = record["instructions"]
    assert (old["count"], old["tool"], old["reason"]) == (new["count"], new["tool"], new["reason"])
    assert (old["count"] is None) == bool(old["reason"])


def test_one_core_alone_is_warned_about(stand: Bench) -> None:
    """Then the tool itself and everything else run on it as well."""
    argv = [sys.executable, "-c", ON_ONE_CORE, str(program("optbuild"))]
    completed = subprocess.run(
        [*argv, "bench", "old=./old", "--max-time", "1s", "--", "{bin}", "data"],
        cwd=stand.directory,
        env=dict(stand.optbuild.environ),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert "only one core" in " ".join(completed.stdout.split())


def test_an_interrupted_session_leaves_nothing(stand: Bench) -> None:
    """No program runs on, and the temporary directory is gone."""
    with stand.optbuild.start(
        "bench", "old=./old", "--max-time", "5m", "--precision", "0.0001", "--", "{bin}", "data", cwd=stand.directory
    ) as running:
        running.await_saying("measure")
        running.send(signal.SIGINT)
        ended = running.end().expect(130)
    assert "SIGINT" in ended.stderr
    assert stand.optbuild.children() == []
    assert stand.left_over() == []


@pytest.mark.cargo
def test_inside_a_project_the_run_is_stored(stand: Bench, tmp_path: Path) -> None:
    """It is listed and can be shown again; nothing is written but below the target directory."""
    project = copy_crate("tally", tmp_path / "tally")
    before = sorted(str(path.relative_to(project)) for path in project.rglob("*"))
    names = [f"{name}={stand.directory / name}" for name in ("old", "new")]
    record = stand.optbuild.run(
        "bench", *names, "--json", "--max-time", "1s", "--", "{bin}", stand.directory / "data", cwd=project
    ).expect(0)
    run_id = record.document["run_id"]
    listed = stand.optbuild.run("runs", "--json", cwd=project).expect(0).document
    assert [row["run_id"] for row in listed] == [run_id]  # type: ignore[index]  # a list of rows
    assert run_id in stand.optbuild.run("runs", cwd=project).expect(0).stdout
    shown = stand.optbuild.run("report", run_id, "--format", "json", cwd=project).expect(0).document
    assert shown == record.document
    after = [path for path in project.rglob("*") if not path.is_relative_to(project / "target")]
    assert sorted(str(path.relative_to(project)) for path in after) == before
    assert stand.left_over() == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel does not tell what a process took")
def test_a_small_program_beside_a_large_one_keeps_its_own_peak(stand: Bench) -> None:
    """8 MB after 128 MB, run by turns: within a twentieth of what one of its runs said, or at most the floor."""
    for name, size in (("large", 128 << 20), ("small", 8 << 20)):
        path = stand.directory / name
        path.write_text(TAKES.format(python=sys.executable, size=size, log=str(stand.directory / f"{name}.log")))
        path.chmod(0o755)
    record = stand.record(
        "--max-time", "60s", "--precision", "50%", binaries="large=./large small=./small", command="{bin}"
    )
    assert record["measure"]["rounds"] > 0
    for item in record["resources"]:
        own = [int(line) * 1024 for line in (stand.directory / f"{item['variant']}.log").read_text().split()]
        peak, floor = item["peak_rss_bytes"], item["peak_rss_floor_bytes"]
        assert peak <= floor or any(peak == pytest.approx(said, rel=0.05) for said in own)
        assert floor < 32 << 20
