"""The installed `optbuild` as people run it, in an environment that holds nothing of theirs: for the tests here."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.integration.started_program import Starter

CRATES = Path(__file__).resolve().parent.parent / "crates"
RUN_MARKER = "OPTBUILD_TEST_MARKER"
"""A variable that finds, in /proc, every process that a run has started."""

_DEADLINE_S = 600.0
"""Longer than anything takes on a busy machine: only what hangs comes to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One call of optbuild that has come to its end."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output."""
        parsed: dict[str, Any] = json.loads(self.stdout)
        return parsed

    @property
    def error(self) -> dict[str, Any]:
        """The document's error, which must say the same as the exit code."""
        document = self.document
        assert document["exit_code"] == self.status, self.stderr
        error: dict[str, Any] = document["error"]
        assert error["help"], "every error has a remedy"
        return error

    def expect(self, status: int) -> Self:
        """The same, if that was the exit code."""
        assert self.status == status, f"exit code {self.status}\n{self.stderr}\n{self.stdout[-2000:]}"
        assert "Traceback" not in self.stderr, self.stderr
        return self


@dataclass(slots=True, kw_only=True)
class Running:
    """One call of optbuild that goes on."""

    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path

    def said(self) -> str:
        """What it has told people so far."""
        return self.stderr.read_text()

    def await_saying(self, text: str) -> None:
        """Wait until it has told people something."""
        self.await_that(lambda: text in self.said(), f"{text!r} on stderr")

    def await_that(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something is so, while optbuild runs."""

        def is_so() -> bool:
            if condition():
                return True
            assert self.process.poll() is None, f"optbuild ended before: {what}\n{self.said()}"
            return False

        await_that(is_so, what)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to optbuild alone."""
        self.process.send_signal(number)

    def end(self) -> Ended:
        """Wait for its end."""
        status = self.process.wait(_DEADLINE_S)
        return Ended(
            status=status if status >= 0 else 128 - status,
            stdout=self.stdout.read_text(),
            stderr=self.stderr.read_text(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Optbuild:
    """The program, and the environment that it is run in.

    Attributes:
        home: Where HOME, CARGO_HOME and TMPDIR lie, all empty at first.
        deadline_s: How long a run may take.
        starter: What starts it sooner.
    """

    home: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    deadline_s: float = _DEADLINE_S
    starter: Starter | None = None

    @classmethod
    def at(cls, home: Path, starter: Starter | None = None) -> Self:
        """The installed program with a home of its own."""
        for name in ("user", "cargo", "tmp"):
            (home / name).mkdir(parents=True)
        rustup = os.environ.get("RUSTUP_HOME") or str(Path.home() / ".rustup")
        kept = ("PATH", "RUSTUP_TOOLCHAIN", "LLVM_PROFDATA")
        return cls(
            home=home,
            environ={
                **{name: os.environ[name] for name in kept if name in os.environ},
                "HOME": str(home / "user"),
                "CARGO_HOME": str(home / "cargo"),
                "RUSTUP_HOME": rustup,
                "TMPDIR": str(home / "tmp"),
                "LANG": "C.UTF-8",
                "CARGO_NET_OFFLINE": "true",
                RUN_MARKER: str(home),
            },
            starter=starter,
        )

    def compile_quickly(self) -> None:
        """Let cargo optimise less, for tests that are about what is built, and not about how well it is compiled.

        It is most of what they cost where the standard library is optimised with the program, at link time.
        """
        (self.home / "cargo/config.toml").write_text("[profile.release]\nopt-level = 1\n")

    def run(self, *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
        """Run one command to its end."""
        environ = {**self.environ, **(env or {})}
        if self.starter is not None and self.starter.can_run(environ):
            words = [*map(str, arguments)]
            status, stdout, stderr = self.starter.run(words, cwd=cwd, env=environ, deadline_s=self.deadline_s)
            return Ended(status=status, stdout=stdout, stderr=stderr)
        completed = subprocess.run(
            self._argv(arguments),
            cwd=cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=self.deadline_s,
            check=False,
        )
        return Ended(status=completed.returncode, stdout=completed.stdout, stderr=completed.stderr)

    @contextmanager
    def start(self, *arguments: str | Path, cwd: Path) -> Iterator[Running]:
        """Start one command; whatever happens, nothing of it is left in the end."""
        number = len(list(self.home.glob("*.stderr")))
        stdout, stderr = self.home / f"{number}.stdout", self.home / f"{number}.stderr"
        with stdout.open("wb") as out, stderr.open("wb") as err:
            process = subprocess.Popen(
                self._argv(arguments), cwd=cwd, env=self.environ, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
        try:
            yield Running(process=process, stdout=stdout, stderr=stderr)
        finally:
            process.kill()
            process.wait()

    def children(self) -> list[str]:
        """The command lines of all processes that still run in this environment."""
        wanted = f"{RUN_MARKER}={self.home}".encode()
        found = []
        for directory in Path("/proc").iterdir():
            if not directory.name.isdigit():
                continue
            try:
                if wanted in (directory / "environ").read_bytes().split(b"\0"):
                    found.append((directory / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue  # it has ended, or is another user's
        return found

    def await_no_children(self) -> None:
        """Wait until the kernel has done away with what was killed."""
        await_that(lambda: self.children() == [], "no child is left")

    def _argv(self, arguments: tuple[str | Path, ...]) -> list[str]:
        return [str(program("optbuild")), *map(str, arguments)]


def program(name: str) -> Path:
    """A command of the environment that the tests run in."""
    return Path(sys.executable).with_name(name)


def ask_rustc(*arguments: str) -> str:
    """What the real compiler says of itself."""
    return subprocess.check_output([str(shutil.which("rustc")), *arguments], text=True).strip()


def find_profdata(optbuild: Optbuild, project: Path) -> str:
    """The `llvm-profdata` that a project's plan names."""
    actions = optbuild.run("plan", "--json", cwd=project).expect(0).document["actions"]
    return next(str(action["argv"][0]) for action in actions if action["kind"] == "merge")


def await_that(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.01)


def copy_crate(name: str, directory: Path) -> Path:
    """A test crate to work in."""
    return shutil.copytree(CRATES / name, directory)


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that stands once in a file."""
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
    path.write_text(text.replace(old, new))


def write_script(path: Path, body: str) -> Path:
    """Write a shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def first_build(document: dict[str, Any], name: str) -> str:
    """The action that a variant was first built by: for one with PGO, the one that instruments it."""
    builds = (step["action"] for step in variant_of(document, name)["steps"] if step["kind"] == "compile")
    action: str = next(builds)
    return action


def steps_of(record: dict[str, Any]) -> dict[str, bool]:
    """Whether each step of a run was reused, by the action's id."""
    return {step["action"]: step["reused"] for variant in record["variants"] for step in variant["steps"]}


def variant_of(record: dict[str, Any], name: str) -> dict[str, Any]:
    """One variant of a record."""
    found: dict[str, Any] = next(variant for variant in record["variants"] if variant["name"] == name)
    return found


def tree(directory: Path, *, without: Path | None = None) -> dict[str, tuple[int, int]]:
    """Every file and directory below a directory, with what changes when it is written to."""
    found = {}
    for path in sorted(directory.rglob("*")):
        if without is None or not path.is_relative_to(without):
            state = path.lstat()
            found[str(path.relative_to(directory))] = (state.st_size, 0 if path.is_dir() else state.st_mtime_ns)
    return found


VARIANTS = '[variants.release]\n[variants.pgo]\ninherits = "release"\npgo = true\n'
TOLERANT = 'min-effect = "90%"\n'
"""Lets a rerun show the result: where a copy of the baseline differs by more than this, it measures again instead."""
MEASURE = f'[measure]\nmax-time = "500ms"\n{TOLERANT}'


def write_profile(
    project: Path,
    *,
    train: str = '"$1" data/train.txt',
    bench: str = '"$1" data/bench.txt',
    keys: str = "",
    variants: str = VARIANTS,
) -> None:
    """Write a build profile whose workloads are shell scripts, the binary their first argument.

    Args:
        project: Where to.
        train: The script that trains.
        bench: The script that is measured.
        keys: More lines for the training workload.
        variants: The `[variants]` tables.
    """
    (project / "optbuild.toml").write_text(
        f"schema = 1\n{variants}"
        f'[[workloads]]\nname = "training"\nuse = ["train"]\n{keys}\ncommand = {_shell(train)}\n'
        f'[[workloads]]\nname = "benchmark"\nuse = ["bench"]\ncommand = {_shell(bench)}\n{MEASURE}'
    )


def _shell(script: str) -> str:
    return json.dumps(["sh", "-c", script, "sh", "{bin}"])


def fail(
    optbuild: Optbuild,
    project: Path,
    status: int,
    code: str,
    *words: str,
    options: Iterable[str] = (),
    env: dict[str, str] | None = None,
) -> Ended:
    """Run the main job, which must fail in this way: for people and, the same, in the JSON document."""
    ended = optbuild.run("pgo", "--json", *options, cwd=project, env=env).expect(status)
    error = ended.error
    assert error["code"] == code, ended.stderr
    assert f"help: {error['help'].splitlines()[0]}" in ended.stderr
    if error["location"] is not None:
        assert error["location"] in ended.stderr
    for word in words:
        assert word in ended.stderr, f"{word!r} is not said:\n{ended.stderr}"
    return ended
