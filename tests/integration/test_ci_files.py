"""The action and the workflows: they fit the schemas of GitHub and GitLab, and their shell does what it says.

Every `run:` block is run as the runner runs it, with the variables that GitHub documents, on a small crate. Scripts
that note what they are asked stand in the place of pip and of GitHub's `gh`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.integration.optbuild_program import Optbuild, copy_crate, edit, program, write_profile, write_script

pytestmark = [pytest.mark.cargo, pytest.mark.pgo]

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "ci"
WORKFLOWS = ("pgo-release.yml", "performance-gate.yml", "weekly-history.yml")
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""How the runner starts `shell: bash`; without `shell` it is `bash -e`, which bears more."""


@dataclass(slots=True)
class Runner:
    """A runner with one job on it.

    Attributes:
        values: What expressions are worth, such as `inputs.gate`.
    """

    optbuild: Optbuild
    project: Path
    home: Path
    values: dict[str, str] = field(default_factory=dict)

    @property
    def asked(self) -> list[str]:
        """What pip and gh were asked, one a line."""
        log = self.home / "asked"
        return log.read_text().splitlines() if log.exists() else []

    def summary(self) -> str:
        """The job's summary."""
        path = self.home / "GITHUB_STEP_SUMMARY"
        return path.read_text() if path.exists() else ""

    def run(self, script: str, env: Mapping[str, object] | None = None, status: int = 0) -> str:
        """Run the shell of a step; the outputs that it sets can be used in expressions of the next."""
        completed = subprocess.run(
            [*BASH, "-c", shorter(script)],
            cwd=self.project,
            env={**self._environ(), **{name: self.resolve(str(value)) for name, value in (env or {}).items()}},
            capture_output=True,
            encoding="utf-8",
            timeout=600,
            check=False,
        )
        assert completed.returncode == status, completed.stdout + completed.stderr
        return completed.stdout + completed.stderr

    def run_step(self, step: Mapping[str, Any], status: int = 0) -> str:
        """Run one step of a workflow or an action."""
        said = self.run(step["run"], step.get("env"), status)
        if "id" in step:
            lines = (self.home / "GITHUB_OUTPUT").read_text().splitlines()
            pairs = (line.split("=", 1) for line in lines)
            self.values |= {f"steps.{step['id']}.outputs.{name}": value for name, value in pairs}
        return said

    def resolve(self, text: str) -> str:
        """Put in what expressions are worth; an unknown one is a mistake."""
        return EXPRESSION.sub(lambda match: self.values[match[1]], text)

    def _environ(self) -> dict[str, str]:
        files = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV")
        for name in files:
            (self.home / name).touch()
        programs = (str(self.home / "bin"), str(program("optbuild").parent), self.optbuild.environ["PATH"])
        return {
            **self.optbuild.environ,
            **{name: str(self.home / name) for name in files},
            "PATH": os.pathsep.join(programs),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "octo-org/octo-repo",
            "GITHUB_RUN_ID": "1658821493",
            "GITHUB_SHA": "ffac537e6cbbf934b08745a378932722df287a53",
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            "RUNNER_TEMP": str(self.home / "temp"),
        }


def shorter(script: str) -> str:
    """The same without hours of measuring."""
    return re.sub(r"--max-time \d+m", "--max-time 1s", script)


@pytest.fixture(scope="module")
def crate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small crate that jobs check out one after the other, and whose target directory they all keep."""
    project = copy_crate("tally", tmp_path_factory.mktemp("work") / "tally")
    write_profile(project)
    edit(project / "optbuild.toml", 'name = "benchmark"', 'name = "benchmark"\ninputs = ["data/bench.txt"]')
    with (project / "optbuild.toml").open("a") as stream:
        stream.write('[gates]\nmax-size-growth = "900%"\n')
    return project


@pytest.fixture
def runner(shared_optbuild: Optbuild, crate: Path, tmp_path: Path) -> Runner:
    """A runner whose job has checked out a small crate."""
    for left in ("dist", "records"):
        shutil.rmtree(crate / left, ignore_errors=True)
    (crate / "history.html").unlink(missing_ok=True)
    home = tmp_path / "runner"
    (home / "temp").mkdir(parents=True)
    write_script(home / "bin" / "pip", f'echo "pip $*" >> {home}/asked')
    # Comments that are there already are named in a file, as `--jq` would print their ids.
    write_script(
        home / "bin" / "gh",
        f'echo "gh $*" >> {home}/asked\ncase "$*" in *--paginate*) cat {home}/comments 2>/dev/null || :;; esac',
    )
    (home / "bin" / "python").symlink_to(sys.executable)
    return Runner(optbuild=shared_optbuild, project=crate, home=home)


@pytest.fixture
def repository(runner: Runner, tmp_path: Path) -> Runner:
    """The same, in a repository of its own with one commit."""
    source_alone = shutil.ignore_patterns("target")
    own = replace(runner, project=shutil.copytree(runner.project, tmp_path / "tally", ignore=source_alone))
    (own.project / ".gitignore").write_text("target\noptbuild.json\ngates.xml\n")
    git(own.project, "init", "--quiet", "--initial-branch", "main")
    git(own.project, "add", ".")
    git(own.project, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "first")
    return own


def steps_of(path: Path, job: str | None = None) -> dict[str, dict[str, Any]]:
    """The steps that run a shell, by name."""
    document = yaml.safe_load(path.read_text())
    steps = document["runs"]["steps"] if job is None else document["jobs"][job]["steps"]
    return {step["name"]: step for step in steps if "run" in step}


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.github-actions", ROOT / "action.yml"),
        *(("vendor.github-workflows", EXAMPLES / name) for name in WORKFLOWS),
        *(("custom.github-workflows-require-timeout", EXAMPLES / name) for name in WORKFLOWS),
        ("vendor.gitlab-ci", EXAMPLES / "gitlab-ci.yml"),
    ],
)
def test_files_fit_their_schema(schema: str, path: Path) -> None:
    """Those that GitHub and GitLab have published for editors; each job has a time limit."""
    checker = program("check-jsonschema")
    completed = subprocess.run(
        [str(checker), "--builtin-schema", schema, str(path)], capture_output=True, encoding="utf-8", check=False
    )
    assert completed.returncode == 0, completed.stdout


def test_no_expression_stands_in_a_script() -> None:
    """What others choose (a branch's name, an input) reaches a shell by its environment only."""
    scripts = [step["run"] for step in steps_of(ROOT / "action.yml").values()]
    for name in WORKFLOWS:
        (job,) = yaml.safe_load((EXAMPLES / name).read_text())["jobs"]
        scripts += [step["run"] for step in steps_of(EXAMPLES / name, job).values()]
    assert len(scripts) > 10
    assert [script for script in scripts if "${{" in script] == []


def act(runner: Runner, **inputs: str) -> dict[str, dict[str, Any]]:
    """The action's steps, its inputs known as they are given or by default."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    runner.values |= {f"inputs.{name}": str(given.get("default", "")) for name, given in action["inputs"].items()}
    runner.values |= {f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()}
    runner.values |= {"github.token": "secret", "github.event.pull_request.number": "7"}
    return steps_of(ROOT / "action.yml")


def test_the_action_runs_gates_and_comments(runner: Runner) -> None:
    """Each step in turn: what is installed, where the cache lies, the record, the gate, one comment that is renewed."""
    steps = act(runner, command="pgo --max-time 1s")
    assert [*steps] == ["Install optbuild and what it needs", "Name the cache", "Run", "Gate", "Comment"]
    for step in steps.values():
        runner.run_step(step)
    assert runner.asked[0] == "pip install --quiet --disable-pip-version-check cargo-optbuild"
    assert runner.values["steps.cache.outputs.directory"] == str(runner.project / "target" / "optbuild")
    assert runner.values["steps.cache.outputs.key"].startswith(runner.values["steps.cache.outputs.prefix"])
    record = json.loads(Path(runner.values["steps.run.outputs.record"]).read_text())
    assert record["status"] == "complete"
    assert runner.summary().count("### ") == 2
    assert runner.asked[-1].startswith("gh api --method POST repos/octo-org/octo-repo/issues/7/comments --field body=@")
    body = (runner.home / "temp" / "optbuild-comment.md").read_text()
    assert body.startswith("<!-- optbuild -->\n### tally: release, pgo")
    (runner.home / "comments").write_text("41\n42\n")
    Path(runner.values["steps.run.outputs.table"]).write_text("| ä | b |\n" * 20_000)
    runner.run_step(steps["Comment"])
    assert "--method PATCH repos/octo-org/octo-repo/issues/comments/42 " in runner.asked[-1]
    body = (runner.home / "temp" / "optbuild-comment.md").read_text()
    assert 65_000 < len(body.encode()) <= 65_536
    assert body.endswith("all of it is in the job summary.\n")


def test_the_action_fails_with_the_run_and_keeps_its_record(runner: Runner) -> None:
    """A workload that fails ends the step with optbuild's own status; record and table are there all the same."""
    steps = act(runner, command="pgo --train false")
    said = runner.run_step(steps["Run"], status=11)
    assert "::error title=optbuild%3A workload::" in said
    assert json.loads(Path(runner.values["steps.run.outputs.record"]).read_text())["exit_code"] == 11
    assert "This run failed" in Path(runner.values["steps.run.outputs.table"]).read_text()


def test_a_comment_that_may_not_be_written_is_a_warning(runner: Runner) -> None:
    """A pull request from a fork has a token that may not write."""
    steps = act(runner)
    table = runner.home / "temp" / "table.md"
    table.write_text("### t\n")
    runner.values["steps.run.outputs.table"] = str(table)
    write_script(runner.home / "bin" / "gh", "exit 1")
    assert "::warning title=optbuild::the comment was not written" in runner.run_step(steps["Comment"])


def test_the_release_is_what_was_proven(runner: Runner) -> None:
    """Its files are the binary, its evidence and their sums."""
    for step in steps_of(EXAMPLES / "pgo-release.yml", "release").values():
        runner.run_step(step)
    dist = runner.project / "dist"
    assert sorted(path.name for path in dist.iterdir()) == ["EVIDENCE.md", "SHA256SUMS", "optbuild.json", "tally"]
    runner.run("cd dist && sha256sum --check --quiet SHA256SUMS")
    assert "pgo" in (dist / "EVIDENCE.md").read_text()


def test_the_history_grows_by_a_record_each_week(repository: Runner, tmp_path: Path) -> None:
    """The branch is made in the first week, and is added to in the second; nothing of the project is on it."""
    runner, origin = repository, tmp_path / "origin.git"
    git(tmp_path, "init", "--quiet", "--bare", str(origin))
    git(runner.project, "remote", "add", "origin", str(origin))
    document = yaml.safe_load((EXAMPLES / "weekly-history.yml").read_text())
    env = document["jobs"]["measure"]["env"]
    steps = steps_of(EXAMPLES / "weekly-history.yml", "measure")
    for week in range(2):
        for step in steps.values():
            said = runner.run(step["run"], env)
        names = git(tmp_path, "--git-dir", str(origin), "ls-tree", "--name-only", "optbuild-history").split()
        assert len(names) == 1  # the same day and run
        commits = git(tmp_path, "--git-dir", str(origin), "rev-list", "--count", "optbuild-history").strip()
        assert commits == str(week + 1)
        assert f"{week + 1} run{'s' * week} on " in said  # those of the project are shown with the branch's
        git(runner.project, "worktree", "remove", "--force", str(runner.home / "temp" / "history"))
        git(runner.project, "branch", "--quiet", "-D", "optbuild-history")
        (runner.project / "data" / "bench.txt").write_text("11000\n")  # it is measured again in the second week
    assert "2 runs on" in (runner.project / "history.html").read_text()


def test_the_gate_judges_a_pull_request(repository: Runner) -> None:
    """Both revisions are built and measured in turns, and the record of that is what the gate judges."""
    runner = repository
    runner.values["github.event.pull_request.base.sha"] = commit_a_change(runner)
    for step in steps_of(EXAMPLES / "performance-gate.yml", "gate").values():
        runner.run_step(step)
    assert json.loads((runner.project / "optbuild.json").read_text())["status"] == "complete"


def on_gitlab(runner: Runner, job: str, env: Mapping[str, str]) -> None:
    """Run a job as GitLab does: what it extends goes first, all in one shell that ends with the first failure.

    Sources:
        GitLab Docs, "CI/CD YAML syntax reference", `before_script`: https://docs.gitlab.com/ci/yaml/#before_script
    """
    document = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())
    for name in ("apt-get", "python3"):  # what would change the machine
        write_script(runner.home / "bin" / name, f'echo "{name} $*" >> {runner.home}/asked')
    lines = [*document[document[job]["extends"]]["before_script"], *document[job]["script"]]
    runner.run("\n".join(lines), {"GITHUB_ACTIONS": "false", "GITLAB_CI": "true", **env})
    assert runner.asked[-4:] == [
        "apt-get update -qq",
        "apt-get install -qq --yes python3-venv",
        "python3 -m venv /opt/optbuild",
        "pip install --quiet cargo-optbuild",
    ]


def test_the_scripts_of_gitlab_do_the_same(runner: Runner) -> None:
    """The release has the same files; the history is made of the records that the cache keeps."""
    on_gitlab(runner, "pgo-release", {})
    assert sorted(path.name for path in (runner.project / "dist").iterdir()) == [
        "EVIDENCE.md",
        "optbuild.json",
        "tally",
    ]
    on_gitlab(runner, "weekly-history", {"CI_PIPELINE_ID": "5"})
    assert len(list((runner.project / "records").glob("*-5.json"))) == 1
    assert (runner.project / "history.html").is_file()


def test_the_gate_of_gitlab_judges_a_merge_request(repository: Runner) -> None:
    """The record of the comparison is what is judged, and the verdicts are a report that GitLab shows."""
    runner = repository
    first = commit_a_change(runner)
    on_gitlab(runner, "performance-gate", {"CI_MERGE_REQUEST_DIFF_BASE_SHA": first})
    assert json.loads((runner.project / "optbuild.json").read_text())["arms"][0]["source"] == first
    assert [case.get("name") for case in ET.parse(runner.project / "gates.xml").iter("testcase")] != []  # noqa: S314


def commit_a_change(runner: Runner) -> str:
    """Commit a change of the project; the commit before it."""
    author = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    with (runner.project / "src" / "main.rs").open("a") as stream:
        stream.write("// a change\n")
    git(runner.project, *author, "commit", "--quiet", "--all", "-m", "second")
    return git(runner.project, "rev-parse", "HEAD~1").strip()


def git(directory: Path, *arguments: str) -> str:
    """Ask git."""
    argv = [str(shutil.which("git")), *arguments]
    return subprocess.run(argv, cwd=directory, check=True, capture_output=True, encoding="utf-8").stdout
