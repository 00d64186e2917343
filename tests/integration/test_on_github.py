"""What optbuild leaves on the page of a GitHub Actions job, with the variables that GitHub documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Ended, Optbuild, copy_crate, write_profile

pytestmark = [pytest.mark.cargo, pytest.mark.pgo]

# What a workload may print to command the runner; `echo` in a script, on both streams.
ATTACK = "::error::gotcha|::stop-commands::token|::set-output name=a::b|::add-mask::c|##[error]d|  ::warning::e"


def commands(text: str) -> list[str]:
    """Lines that the runner takes for commands: after blanks `::`, or `##[` anywhere."""
    return [line for line in text.splitlines() if line.lstrip().startswith("::") or "##[" in line]


@pytest.fixture
def github(tmp_path: Path) -> dict[str, str]:
    """The environment of a step."""
    page = tmp_path / "page"
    page.mkdir()
    names = ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH")
    for name in names:
        (page / name).touch()
    return {"CI": "true", "GITHUB_ACTIONS": "true", **{name: str(page / name) for name in names}}


def summary(github: dict[str, str]) -> str:
    """What stands in the step's summary."""
    return Path(github["GITHUB_STEP_SUMMARY"]).read_text()


def attack(script: str) -> str:
    """A shell script that prints all attacks on both streams first."""
    return f"printf '%s' '{ATTACK}' | tr '|' '\\n' | tee /dev/stderr; {script}"


def run_in(optbuild: Optbuild, project: Path, github: dict[str, str], *arguments: str) -> Ended:
    """Run one command as a step."""
    return optbuild.run(*arguments, cwd=project, env=github)


def test_a_run_leaves_its_table_and_a_gate_its_answer(
    optbuild: Optbuild, tmp_path: Path, github: dict[str, str]
) -> None:
    """Each command adds to the summary of its step; workloads that print commands give none, and see no file of it."""
    project = copy_crate("tally", tmp_path / "tally")
    spy = 'test -z "$GITHUB_ENV$GITHUB_OUTPUT$GITHUB_STEP_SUMMARY$GITHUB_ACTIONS" || exit 7; '
    write_profile(
        project,
        train=attack(spy + '"$1" data/train.txt'),
        bench=attack(spy + '"$1" data/bench.txt'),
    )
    with (project / "optbuild.toml").open("a") as stream:
        stream.write('[gates]\nmax-size-growth = "900%"\n')
    ended = run_in(optbuild, project, github, "pgo", "-v").expect(0)
    assert "| variant" in summary(github)
    assert all(line.startswith("::warning title=optbuild%3A ") for line in commands(ended.stderr + ended.stdout))
    checked = run_in(optbuild, project, github, "check").expect(0)
    assert commands(checked.stdout + checked.stderr) == [
        next(
            line for line in checked.stderr.splitlines() if line.startswith("::notice title=optbuild max-size-growth::")
        )
    ]
    assert summary(github).count("### ") == 2
    assert commands(summary(github)) == []
    before = summary(github)
    quiet = run_in(optbuild, project, {**github, "OPTBUILD_CI": "none"}, "check").expect(0)
    assert (summary(github), commands(quiet.stderr)) == (before, [])


def test_a_failing_workload_commands_nobody(optbuild: Optbuild, tmp_path: Path, github: dict[str, str]) -> None:
    """Its last lines are shown, harmless; the one command is the error that optbuild itself annotates."""
    project = copy_crate("tally", tmp_path / "tally")
    write_profile(project, train=attack("exit 3"))
    ended = run_in(optbuild, project, github, "pgo", "--json").expect(11)
    assert "gotcha" in ended.stderr
    (told,) = commands(ended.stderr)
    assert re.match(r"::error title=optbuild%3A workload::", told)
    assert commands(ended.stdout) == []
    assert "This run failed" in summary(github)


def test_an_error_before_any_run_is_annotated(optbuild: Optbuild, tmp_path: Path, github: dict[str, str]) -> None:
    """A mistake in the command line stands on the page as well; a summary that cannot be written fails nothing."""
    ended = run_in(optbuild, tmp_path, github, "pgo").expect(2)
    assert [line.split("::")[1] for line in commands(ended.stderr)] == ["error title=optbuild%3A usage"]
    assert summary(github) == ""
