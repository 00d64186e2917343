"""The commands as people and scripts call them: what goes where, and what each leaves alone."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.optbuild_program import CRATES, Ended, Optbuild, copy_crate, edit, program, tree, variant_of

pytestmark = pytest.mark.pgo

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A project without a build profile, on which `optbuild pgo -- CMD` has been run."""

    optbuild: Optbuild
    directory: Path
    first: Ended

    def call(self, *arguments: str | Path) -> Ended:
        """Call optbuild in the project."""
        return self.optbuild.run(*arguments, cwd=self.directory)

    def run_ids(self) -> list[str]:
        """All stored runs."""
        return sorted(path.name for path in (self.directory / "target/optbuild/runs").iterdir())


@pytest.fixture(scope="module")
def done(shared_optbuild: Optbuild, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The shortest way to a result: no build profile, one command, three variants."""
    directory = copy_crate("tally", tmp_path_factory.mktemp("cli") / "tally")
    (directory / "optbuild.toml").unlink()
    shared_optbuild.compile_quickly()
    first = shared_optbuild.run("pgo", "--max-time", "5s", "--", "{bin}", "data/bench.txt", cwd=directory).expect(0)
    return Done(optbuild=shared_optbuild, directory=directory, first=first)


def test_one_command_is_enough(done: Done) -> None:
    """Without a build profile: release, lto and pgo, in-sample and labelled so; the table on stdout, the rest not."""
    record = done.call("report", "--format", "json").expect(0).document
    assert [item["name"] for item in record["variants"]] == ["release", "lto", "pgo"]
    assert len({item["artifacts"][0]["sha256"] for item in record["variants"]}) == 3
    assert {item["equal"] for item in record["outputs"]} == {True}
    assert variant_of(record, "pgo")["pgo"]["in_sample"] is True
    name = "{bin} data/bench.txt"
    assert record["workloads"] == [{"name": name, "in_sample": True, "shared_with": [name], "part_of": None}]
    assert "in-sample" in done.first.stdout
    assert {"release", "lto", "pgo"} <= set(done.first.stdout.split())
    assert "pgo: build instrumented without LTO …" in done.first.stderr
    assert "build instrumented" not in done.first.stdout
    assert "\x1b" not in done.first.stdout + done.first.stderr


@pytest.mark.parametrize(
    "form",
    ["terminal", "markdown", "html", "json", "csv", "github-benchmark", "bencher", "otava", "hyperfine", "in-toto"],
)
def test_a_stored_run_is_rendered_in_every_format(done: Done, form: str, tmp_path: Path) -> None:
    """The last run is the default; `-o` writes the same text to a file, and nothing is run for it."""
    before = tree(done.directory)
    text = done.call("report", "--format", form).expect(0).stdout
    assert "pgo" in text
    (run_id,) = done.run_ids()
    assert done.call("report", run_id, "--format", form).expect(0).stdout == text
    out = tmp_path / "report"
    record = done.directory / "target/optbuild/runs" / run_id / "record.json"
    ended = done.call("report", record, "--format", form, "-o", out).expect(0)
    assert (ended.stdout, out.read_text()) == ("", text)
    assert tree(done.directory) == before
    if form == "terminal":
        assert text == done.first.stdout
    if form == "json":
        assert text == record.read_text()
    if form == "csv":
        assert len(list(csv.reader(io.StringIO(text)))) > 3
    if form == "html":
        assert text.lower().startswith("<!doctype html>")


def test_a_report_has_the_title_and_the_words_that_are_asked_for(done: Done, tmp_path: Path) -> None:
    """`--title` replaces the heading, `--template` all of it; what contradicts that is refused, faults name a line."""
    assert done.call("report", "--format", "markdown", "--title", "1.4 *").expect(0).stdout.startswith("### 1.4 \\*\n")
    template = tmp_path / "notes.md.j2"
    template.write_text(
        "## {{ title }}\n\n{{ table.text }}\n\n{% for note in footnotes %}\n- {{ note }}\n{% endfor %}\n"
    )
    notes = done.call("report", "--template", template, "--title", "News").expect(0).stdout
    assert notes.startswith("## News\n\n| variant ")
    template.write_text("one\n{{ speed }}\n")
    assert "notes.md.j2:2" in done.call("report", "--template", template).expect(2).stderr
    for wrong in (("--template", tmp_path / "none"), ("--template", template, "--format", "csv")):
        assert "help:" in done.call("report", *wrong).expect(2).stderr
    assert "has no title" in done.call("report", "--format", "json", "--title", "x").expect(2).stderr


def test_unknown_formats_and_runs_are_answered_by_what_there_is(done: Done) -> None:
    """The formats are listed; runs are where `optbuild runs` lists them."""
    assert "markdown" in done.call("report", "--format", "pdf").expect(2).stderr
    assert "optbuild runs" in done.call("report", "2001").expect(2).stderr


def test_gates_are_applied_to_the_last_run(done: Done) -> None:
    """Exact gates pass and fail on a real run, with 0 and 1; without a variant to judge, or a gate, it is a mistake."""
    gates = done.directory / "gates.toml"
    gates.write_text('schema = 1\n[gates]\nmax-size-growth = "1000%"\n')
    assert "1 passed: accepted" in done.call("check", "-f", "gates.toml").expect(0).stdout
    gates.write_text('schema = 1\n[gates]\nmax-size-growth = "1000%"\nmax-build-time-growth = 0\n')
    refused = done.call("check", "-f", "gates.toml", "--json").expect(1).document
    assert [(gate["gate"], gate["verdict"]) for gate in refused["gates"]] == [
        ("max-size-growth", "pass"),
        ("max-build-time-growth", "fail"),
    ]
    done.call("check", "-f", "gates.toml", "--format", "junit", "-o", "gates.xml").expect(1)
    assert "<failure" in (done.directory / "gates.xml").read_text()
    assert "junit" in done.call("check", "-f", "gates.toml", "--format", "html").expect(2).stderr
    gates.write_text('schema = 1\n[variants.release]\n[variants.other]\n[gates]\nvariant = "other"\nmin-gain = 0\n')
    assert "has no variant 'other'" in done.call("check", "-f", "gates.toml").expect(2).stderr
    assert "has no [gates]" in done.call("check").expect(2).stderr


def test_runs_are_listed(done: Done) -> None:
    """For people and for scripts."""
    (run_id,) = done.run_ids()
    assert run_id in done.call("runs").expect(0).stdout
    (row,) = json.loads(done.call("runs", "--json").expect(0).stdout)
    assert (row["run_id"], row["status"], row["exit_code"]) == (run_id, "complete", 0)


def test_a_plan_starts_nothing_and_writes_nothing(optbuild: Optbuild, tmp_path: Path) -> None:
    """First one screen, with -v every argv, directory, addition to the environment and timeout; no file is touched."""
    directory = copy_crate("tally", tmp_path / "tally")
    before = tree(tmp_path)
    screen = optbuild.run("plan", cwd=directory).expect(0).stdout
    text = optbuild.run("plan", "-v", cwd=directory).expect(0).stdout
    planned = optbuild.run("plan", "--json", cwd=directory).expect(0).document
    assert tree(tmp_path) == before
    assert planned["schema"] == "optbuild/plan/1"
    kinds = [action["kind"] for action in planned["actions"]]
    attempt = ["compile", "train", "merge", "compile"]
    assert kinds == ["compile", "probe", "object", *attempt, *attempt, "choose", "compare", "measure"]
    for action in planned["actions"]:
        assert action["id"] in text
        words = [word for word in action.get("argv", ()) if isinstance(word, str)]
        assert all(word in text for word in words)
    assert f"={{profdata:{planned['actions'][5]['id']}}}" in text
    assert text.startswith(screen.removesuffix("Every command: optbuild plan -v\n"))
    assert len(screen.splitlines()) < 24
    assert re.search(f"^writes below +{re.escape(str(directory))}/target/optbuild$", screen, re.MULTILINE)


def test_doctor_says_whether_all_is_here(optbuild: Optbuild, tmp_path: Path) -> None:
    """A line for each finding, the same as data; on this machine nothing is missing, even without a project."""
    text = optbuild.run("doctor", cwd=tmp_path).expect(0).stdout
    document = optbuild.run("doctor", "--json", cwd=tmp_path).expect(0).document
    subjects = {item["subject"] for item in document["findings"]}
    assert {"rustc", "cargo", "llvm-profdata"} <= subjects
    assert all(subject in text for subject in subjects)
    assert "error" not in {item["level"] for item in document["findings"]}


def test_a_preset_needs_no_file(optbuild: Optbuild, tmp_path: Path) -> None:
    """`-f preset:lto` builds release and lto, and goes before the project's own profile."""
    directory = copy_crate("tally", tmp_path / "tally")
    optbuild.compile_quickly()
    record = optbuild.run("build", "--json", "-f", "preset:lto", cwd=directory).expect(0).document
    assert [item["name"] for item in record["variants"]] == ["release", "lto"]
    assert "preset:pgo" in optbuild.run("build", "-f", "preset:pog", cwd=directory).expect(2).stderr


def test_another_profile_is_taken_by_its_path(optbuild: Optbuild, tmp_path: Path) -> None:
    """`-f FILE` is relative to where one stands; the project is the one beside the file."""
    directory = copy_crate("tally", tmp_path / "tally")
    (directory / "other.toml").write_text('schema = 1\n[variants.tiny]\nopt-level = "z"\n')
    record = optbuild.run("build", "--json", "-f", "tally/other.toml", cwd=tmp_path).expect(0).document
    assert [item["name"] for item in record["variants"]] == ["tiny"]
    missing = optbuild.run("build", "-f", "nothing.toml", cwd=directory).expect(2)
    assert f"{directory}/nothing.toml" in missing.stderr


def test_commands_for_training_and_benchmark_replace_those_of_the_profile(optbuild: Optbuild, tmp_path: Path) -> None:
    """`--train` and `--bench` are split as a shell splits words, and no shell is involved."""
    directory = copy_crate("tally", tmp_path / "tally")
    odd = directory / "data/$(touch owned) a b.txt"
    (directory / "data/train.txt").rename(odd)
    options = ("--train", f"{{bin}} '{odd.relative_to(directory)}'", "--bench", "{bin} data/bench.txt")
    planned = optbuild.run("plan", "--json", *options, cwd=directory).expect(0).document
    argv = {action["kind"]: action["argv"] for action in planned["actions"] if "argv" in action}
    assert argv["train"] == ["{bin:tally}", "data/$(touch owned) a b.txt"]
    assert argv["measure"] == [["{bin:tally}", "data/bench.txt"]]
    record = optbuild.run("pgo", "--json", *options, "--max-time", "500ms", cwd=directory).expect(0).document
    assert variant_of(record, "pgo")["pgo"]["in_sample"] is False
    assert not (directory / "owned").exists()
    assert optbuild.run("pgo", "--train", "{bin} 'open", cwd=directory).expect(2).stderr.count("help:") == 1
    optbuild.run("pgo", "--train", "{bin}", "--", "{bin}", cwd=directory).expect(2)


def test_what_follows_the_dashes_is_not_read_as_options(optbuild: Optbuild, tmp_path: Path) -> None:
    """The command line is split at the first `--`: a workload may have options, and a `--`, of its own."""
    directory = copy_crate("tally", tmp_path / "tally")
    planned = optbuild.run("plan", "--json", "--", "{bin}", "--json", "--", "-f", cwd=directory).expect(0).document
    assert {tuple(action["argv"]) for action in planned["actions"] if action["kind"] == "train"} == {
        ("{bin:tally}", "--json", "--", "-f")
    }


def test_cargo_finds_it_as_a_subcommand(optbuild: Optbuild, tmp_path: Path) -> None:
    """`cargo optbuild pgo` is `cargo-optbuild optbuild pgo`."""
    directory = copy_crate("tally", tmp_path / "tally")
    environ = {**optbuild.environ, "PATH": f"{program('optbuild').parent}{os.pathsep}{optbuild.environ['PATH']}"}
    for argv in ((str(program("cargo-optbuild")), "optbuild", "plan"), ("cargo", "optbuild", "plan")):
        completed = subprocess.run(argv, cwd=directory, env=environ, capture_output=True, text=True, check=False)
        assert completed.returncode == 0, completed.stderr
        assert "Every command: optbuild plan -v" in completed.stdout


def test_the_directory_of_the_project_can_be_named(optbuild: Optbuild, tmp_path: Path) -> None:
    """`optbuild plan DIR` plans that project; the profile is found by walking up from it."""
    directory = copy_crate("workspace", tmp_path / "workspace")
    planned = optbuild.run("plan", "--json", directory / "app", cwd=tmp_path).expect(0).document
    assert planned["directories"] == [str(directory / "target/optbuild")]
    env = {"CARGO_TARGET_DIR": "out"}  # from where the user is, as for `cargo build --manifest-path`
    planned = optbuild.run("plan", "--json", directory / "app", cwd=tmp_path, env=env).expect(0).document
    assert planned["directories"] == [str(tmp_path / "out/optbuild")]
    assert "the directory nowhere does not exist" in optbuild.run("plan", "nowhere", cwd=tmp_path).expect(2).stderr
    said = optbuild.run("plan", "workspace/Cargo.toml", cwd=tmp_path).expect(2).stderr
    assert "workspace/Cargo.toml is not a directory" in said
    said = optbuild.run("plan", "x" * 300, cwd=tmp_path).expect(17).stderr
    assert "File name too long" in said


def test_clean_removes_what_was_made_and_no_more(optbuild: Optbuild, tmp_path: Path) -> None:
    """Cargo's own files in the target directory stay; cleaning twice is no error."""
    directory = copy_crate("tally", tmp_path / "tally")
    before = tree(directory)
    optbuild.run("build", "release", cwd=directory).expect(0)
    (directory / "target/debug").mkdir()
    assert "removed" in optbuild.run("clean", cwd=directory).expect(0).stdout
    assert [path.name for path in (directory / "target").iterdir()] == ["debug"]
    assert "nothing to remove" in optbuild.run("clean", cwd=directory).expect(0).stdout
    assert tree(directory, without=directory / "target") == before


@pytest.mark.parametrize("which", ["profile", "record"])
def test_schemas_are_printed(optbuild: Optbuild, tmp_path: Path, which: str) -> None:
    """Both are JSON schemas."""
    document = optbuild.run("schema", which, cwd=tmp_path).expect(0).document
    assert document["$schema"].endswith("2020-12/schema")
    assert "record" in optbuild.run("schema", "nothing", cwd=tmp_path).expect(2).stderr


def test_help_explains_exit_codes(optbuild: Optbuild, tmp_path: Path) -> None:
    """One line for each, and never 101, 126 or 127."""
    text = optbuild.run("help", "exit-codes", cwd=tmp_path).expect(0).stdout
    codes = [line.split()[0] for line in text.splitlines()]
    assert codes == ["0", "1", "2", "3", "10", "11", "12", "13", "15", "16", "17", "70", "128+n"]
    assert "--max-time" in optbuild.run("help", "pgo", cwd=tmp_path).expect(0).stdout


@pytest.mark.parametrize("arguments", [("pgo", "--no-such-option"), ("pgo", "--max-time", "3"), ("nonsense",)])
def test_a_wrong_command_line_is_told_on_stderr_and_in_json(
    optbuild: Optbuild, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """A script that asked for JSON gets JSON, even when its command line is wrong."""
    assert optbuild.run(*arguments, cwd=tmp_path).expect(2).stdout == ""
    assert optbuild.run(*arguments, "--json", cwd=tmp_path).expect(2).error["code"] == "usage"


def _loaded(optbuild: Optbuild, directory: Path, *arguments: str) -> set[str]:
    """Which of the large packages a command loads."""
    script = (
        "import sys\nfrom optbuild.cli.main import main\nsys.argv = ['optbuild', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit as leaving:\n    assert not leaving.code, leaving.code\n"
        "sys.stderr.write(' '.join({'scipy', 'numpy', 'pydantic'} & sys.modules.keys()))\n"
    )
    completed = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=directory,
        env=dict(optbuild.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return set(completed.stderr.split())


def test_help_is_fast_because_it_loads_little(optbuild: Optbuild, tmp_path: Path) -> None:
    """`--help` imports neither scipy nor numpy nor pydantic; the help of a command may, as far as Typer does."""
    assert _loaded(optbuild, tmp_path, "--help") == set()
    assert _loaded(optbuild, tmp_path, "--version") == set()
    assert _loaded(optbuild, tmp_path, "pgo", "--help") <= {"pydantic"}


def test_a_stored_result_is_shown_without_the_statistics(done: Done) -> None:
    """`optbuild report` loads neither numpy nor scipy."""
    assert _loaded(done.optbuild, done.directory, "report") <= {"pydantic"}


def _on_terminal(optbuild: Optbuild, directory: Path, *arguments: str, **env: str) -> str:
    """Everything that a command shows on a terminal."""
    owner, terminal = pty.openpty()
    environ = {**optbuild.environ, "TERM": "xterm-256color", **env}
    process = subprocess.Popen(
        [program("optbuild"), *arguments], cwd=directory, env=environ, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(owner, 1 << 16):
            shown += piece
    except OSError:
        pass  # Linux's way to say that the other side is closed
    os.close(owner)
    process.wait()
    return shown.decode()


def test_colours_are_for_terminals_that_want_them(optbuild: Optbuild, tmp_path: Path) -> None:
    """A terminal gets colours unless NO_COLOR, TERM=dumb or `--color never` says no; FORCE_COLOR beats a pipe."""
    directory = copy_crate("tally", tmp_path / "tally")
    edit(directory / "optbuild.toml", "schema = 1", "schema = 2")
    assert COLOUR.search(_on_terminal(optbuild, directory, "plan"))
    assert not COLOUR.search(_on_terminal(optbuild, directory, "plan", NO_COLOR="1"))
    assert not COLOUR.search(_on_terminal(optbuild, directory, "plan", "--color", "never"))
    assert "\x1b" not in _on_terminal(optbuild, directory, "plan", TERM="dumb")
    assert "\x1b" not in optbuild.run("plan", cwd=directory).expect(2).stderr
    assert COLOUR.search(optbuild.run("plan", cwd=directory, env={"FORCE_COLOR": "1"}).expect(2).stderr)
    assert COLOUR.search(optbuild.run("plan", "--color", "always", cwd=directory).expect(2).stderr)


def test_streams_that_are_closed_are_no_defect(optbuild: Optbuild, tmp_path: Path) -> None:
    """`2>&-` silences, and `>&-` too; the run is the same."""
    directory = copy_crate("tally", tmp_path / "tally")
    for closed in ("2>&-", ">&-", "<&- >&- 2>&-"):
        completed = subprocess.run(
            ["/bin/sh", "-c", f'"$0" build release {closed}', program("optbuild")],
            cwd=directory,
            env=dict(optbuild.environ),
            check=False,
        )
        assert completed.returncode == 0
    assert len(list((directory / "target/optbuild/runs").iterdir())) == 3


def test_a_terminal_gets_a_bar_and_its_cursor_back(optbuild: Optbuild, tmp_path: Path) -> None:
    """Progress is drawn in place, finished steps stay, and the cursor is shown again, also after a failure."""
    directory = copy_crate("tally", tmp_path / "tally")
    good = _on_terminal(optbuild, directory, "build")
    (directory / "src/main.rs").write_text("fn main() { wrong }\n")
    bad = _on_terminal(optbuild, directory, "build")
    for shown in (good, bad):
        assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") > 0
    assert "✓" in good
    assert "pgo: train on training" in good
    assert "E0425" in bad


def test_quiet_says_nothing_but_the_result(done: Done) -> None:
    """`-q` leaves warnings, errors and the table."""
    ended = done.call("pgo", "-q", "--max-time", "1s", "--", "{bin}", "data/bench.txt").expect(0)
    assert ended.stderr == ""
    assert ended.stdout == done.first.stdout


def test_the_test_crates_have_no_dependency() -> None:
    """What the tests build needs no network."""
    locks = list(CRATES.glob("*/Cargo.lock"))
    assert len(locks) >= 2
    assert not [path for path in locks if "source = " in path.read_text()]


def test_output_is_one_document_per_call(done: Done) -> None:
    """`--json` prints one JSON document and nothing else, reused or not."""
    runs = done.directory / "target/optbuild/runs"
    kept = [path for path in runs.glob("*/record.json") if json.loads(path.read_bytes())["result_key"] is not None]
    ended = done.call("pgo", "--json", "--max-time", "1s", "--", "{bin}", "data/bench.txt").expect(0)
    assert json.loads(ended.stdout)["run_id"] in done.run_ids()
    # None is kept where a copy of the baseline differed, on a noisy machine.
    assert ("nothing has changed" in ended.stderr) == bool(kept)
