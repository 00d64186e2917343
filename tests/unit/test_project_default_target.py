from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.errors import ToolchainError
from optbuild.project.cargo_config import load_cargo_config
from optbuild.project.default_target import configured_targets

VARIABLE = "CARGO_BUILD_TARGET"


def targets(directory: Path, text: str, variable: str | None = None) -> list[tuple[str, str]] | None:
    """Each target that a configuration and the variable name, and what names it."""
    (directory / "below/.cargo").mkdir(parents=True, exist_ok=True)
    (directory / "below/.cargo/config.toml").write_text(text)
    environ = {} if variable is None else {VARIABLE: variable}
    config = load_cargo_config(directory / "below", {"HOME": str(directory / "home"), **environ})
    found = configured_targets(config, environ)
    here = str(directory.resolve())
    return None if found is None else [(t.value.replace(here, ""), t.origin.replace(here, "")) for t in found]


def test_the_default_target_is_a_text_or_a_list(tmp_path: Path) -> None:
    """Each knows its file; a name twice is one target, and an empty list is not the same as none."""
    place = "/below/.cargo/config.toml: build.target"
    assert targets(tmp_path, "") is None
    assert targets(tmp_path, "build.target = 'a'") == [("a", place)]
    assert targets(tmp_path, "build.target = ['a', 'b', 'a']") == [("a", place), ("b", place)]
    assert targets(tmp_path, "build.target = []") == []


def test_the_variable_takes_the_place_of_a_text_and_joins_a_list(tmp_path: Path) -> None:
    """As cargo has it."""
    assert targets(tmp_path, "", "v") == targets(tmp_path, "build.target = 'a'", "v") == [("v", VARIABLE)]
    joined = targets(tmp_path, "build.target = ['a']", "v")
    assert joined is not None
    assert [name for name, _ in joined] == ["a", "v"]


def test_a_target_of_ones_own_starts_where_it_is_named(tmp_path: Path) -> None:
    """At the directory that holds `.cargo`, or where cargo runs."""
    (tmp_path / ".cargo").mkdir()
    (tmp_path / ".cargo/config.toml").write_text("build.target = 'own.json'")
    assert targets(tmp_path, "") == [("/own.json", "/.cargo/config.toml: build.target")]
    assert targets(tmp_path, "build.target = 'own.json'", "x/v.json") == [("/below/x/v.json", VARIABLE)]


def test_an_included_file_and_a_nearer_one_go_before(tmp_path: Path) -> None:
    """The nearest text wins, and what a file says itself goes before what it includes."""
    (tmp_path / ".cargo").mkdir()
    (tmp_path / ".cargo/config.toml").write_text("build.target = 'far'")
    (tmp_path / "below/.cargo").mkdir(parents=True)
    (tmp_path / "below/.cargo/more.toml").write_text("build.target = 'included'")
    include = "include = ['more.toml']\n"
    assert targets(tmp_path, include) == [("included", "/below/.cargo/more.toml: build.target")]
    assert targets(tmp_path, f"{include}build.target = 'own'") == [("own", "/below/.cargo/config.toml: build.target")]


@pytest.mark.parametrize(
    ("text", "variable", "problem"),
    [
        ("build.target = 3", None, "expected a string or an array of strings"),
        ("build.target = ['a', 3]", None, "expected a string or an array of strings"),
        ("build.target.a = 'b'", None, "expected a string or an array of strings"),
        ("build.target = ''", None, "names an empty target"),
        ("build.target = 'a'", "", f"{VARIABLE} names an empty target"),
    ],
)
def test_what_cargo_refuses_is_refused(tmp_path: Path, text: str, variable: str | None, problem: str) -> None:
    """With the place where it is written."""
    with pytest.raises(ToolchainError, match=problem) as caught:
        targets(tmp_path, text, variable)
    assert caught.value.location
