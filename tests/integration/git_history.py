"""A small program with versions in a git repository, for tests of comparisons."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.integration.optbuild_program import Ended, Optbuild

MANIFEST = '[package]\nname = "turns"\nversion = "0.1.0"\nedition = "2021"\npublish = false\n'
# The length of the path that was compiled in must be the same for both versions.
MAIN = """fn main() {
    let path = std::env::args().nth(1).expect("usage: turns FILE");
    let turns: u64 = std::fs::read_to_string(path).expect("a file").trim().parse().expect("a number");
    let mut sum = env!("CARGO_MANIFEST_DIR").len() as u64;
    for turn in 0..turns {
        sum = sum.wrapping_mul(31).wrapping_add(turn ^ (sum >> 7));
    }
    println!("{sum}");
}
"""
PROFILE = """schema = 1
[variants.release]
[[workloads]]
name = "count"
command = ["{bin}", "data/turns.txt"]
[measure]
max-time = "300ms"
"""
FILES = {
    "Cargo.toml": MANIFEST,
    "Cargo.lock": 'version = 3\n\n[[package]]\nname = "turns"\nversion = "0.1.0"\n',
    "src/main.rs": MAIN,
    "optbuild.toml": PROFILE,
    "data/turns.txt": "100000\n",
    ".gitignore": "target/\n",
}
_IDENTITY = {
    "GIT_AUTHOR_NAME": "Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.org",
    "GIT_COMMITTER_NAME": "Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A project in a git repository of its own.

    Attributes:
        directory: The repository.
        optbuild: What compares its versions.
        place: Where in it the project lies.
    """

    directory: Path
    optbuild: Optbuild
    place: str = "."
    environ: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def begin(cls, directory: Path, optbuild: Optbuild, files: Mapping[str, str] = FILES, *, place: str = ".") -> Self:
        """A repository with a first version, `v1`."""
        directory.mkdir(parents=True)
        history = cls(directory=directory, optbuild=optbuild, place=place)
        history.git("init", "--quiet", "--initial-branch=main")
        history.commit("v1", files)
        return history

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run git."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        argv = ["git", "-c", "protocol.file.allow=always", *arguments]
        return subprocess.check_output(argv, cwd=cwd or self.directory, env={**environ, **_IDENTITY}, text=True).strip()

    def write(self, files: Mapping[str, str | None]) -> None:
        """Write files, or remove those without content."""
        for name, text in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)

    def commit(self, tag: str, files: Mapping[str, str | None]) -> str:
        """Commit a version, which changes these files, and tag it."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", tag)
        self.git("tag", tag)
        return self.git("rev-parse", "HEAD")

    def edited(self, old: str, new: str, name: str = "src/main.rs") -> dict[str, str]:
        """A file with a text in the place of another."""
        text = (self.directory / name).read_text()
        assert old in text, f"{old!r} is not in {name}"
        return {name: text.replace(old, new)}

    def compare(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Ended:
        """Compare versions."""
        return self.optbuild.run(
            "compare", *arguments, cwd=self.directory / self.place, env={**self.environ, **(env or {})}
        )

    def record(self, *arguments: str | Path, status: int = 0, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Compare versions; the record."""
        return self.compare("--json", *arguments, env=env).expect(status).document

    def refused(self, *arguments: str | Path, status: int = 2, env: Mapping[str, str] | None = None) -> str:
        """Compare versions, which is refused before anything is built; what is said."""
        ended = self.compare("--json", *arguments, env=env).expect(status)
        assert ended.error["help"].splitlines()[0] in ended.stderr
        assert "build …" not in ended.stderr, "something was built"
        return " ".join(ended.stderr.split())

    def sources(self) -> list[Path]:
        """Where the files of versions were put."""
        return sorted(self.directory.rglob("compare/target/package/*/source"))


def warnings_of(record: Mapping[str, Any]) -> dict[str, str]:
    """What was warned about, by code."""
    return {warning["code"]: warning["message"] for warning in record["warnings"]}


def rewrite_gates(history: History, gates: str) -> None:
    """Give the build profile of the working tree other gates."""
    history.write({"optbuild.toml": f"{PROFILE}[gates]\n{gates}\n"})


def dump(record: Mapping[str, Any], path: Path) -> Path:
    """Write a record to a file."""
    path.write_text(json.dumps(record))
    return path
