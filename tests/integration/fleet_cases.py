"""A small fleet: a directory, a repository, and a project that does not compile."""

from __future__ import annotations

from pathlib import Path

from tests.integration.git_history import FILES, MAIN, History
from tests.integration.optbuild_program import Optbuild

_NAMES = ("app", "broken", "repository")

PROFILE = """schema = 1
[variants.release]
[variants.small]
opt-level = "s"
[[workloads]]
name = "count"
command = ["{bin}", "turns.txt"]
[measure]
max-time = "300ms"
"""
FLEET = """schema = 1

[[projects]]
path = "app"
build-profile = "fast.toml"

[[projects]]
path = "broken"
build-profile = "fast.toml"

[[projects]]
git = "repository"
rev = "v1"
build-profile = "fast.toml"
"""


def write_fleet(directory: Path, optbuild: Optbuild) -> Path:
    """Write the fleet and its projects; its file."""
    files = {name: {path: _named(path, text, name) for path, text in FILES.items()} for name in _NAMES}
    files["broken"]["src/main.rs"] = MAIN.replace("fn main()", "fn main(")
    for name in ("app", "broken"):
        for path, text in files[name].items():
            place = directory / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
    History.begin(directory / "repository", optbuild, files["repository"])
    (directory / "fast.toml").write_text(PROFILE)
    (directory / "turns.txt").write_text("100000\n")
    file = directory / "FLEET.toml"
    file.write_text(FLEET)
    return file


def write_hung_fleet(directory: Path) -> Path:
    """A fleet whose first project is never built to its end, and may take three seconds; its file."""
    files = {name: {path: _named(path, text, name) for path, text in FILES.items()} for name in ("hung", "app")}
    files["hung"]["build.rs"] = "fn main() { std::thread::sleep(std::time::Duration::from_secs(36_000)); }\n"
    for name, own in files.items():
        for path, text in own.items():
            place = directory / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
    (directory / "fast.toml").write_text(PROFILE)
    (directory / "turns.txt").write_text("100000\n")
    app = '[[projects]]\npath = "{name}"\nbuild-profile = "fast.toml"\n'
    file = directory / "FLEET.toml"
    file.write_text(f'schema = 1\n{app.format(name="hung")}timeout = "3s"\n{app.format(name="app")}')
    return file


def _named(path: str, text: str, name: str) -> str:
    return text.replace("turns", name) if path.startswith("Cargo") else text
