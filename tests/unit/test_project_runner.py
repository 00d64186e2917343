from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.errors import ToolchainError
from optbuild.project.cargo_config import load_cargo_config
from optbuild.project.runner import find_runner

TARGET = "aarch64-unknown-linux-gnu"
VARIABLE = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER"
CFG = ("unix", 'target_arch="aarch64"')


def runner(directory: Path, text: str, **environ: str) -> tuple[str, ...] | None:
    """The argv of the runner that a configuration and variables give."""
    (directory / ".cargo").mkdir(exist_ok=True)
    (directory / ".cargo/config.toml").write_text(text)
    config = load_cargo_config(directory, {"HOME": str(directory / "home"), **environ})
    found = find_runner(config, environ, TARGET, CFG)
    assert found is None or (found.origin == VARIABLE) == (VARIABLE in environ)
    return None if found is None else tuple(word.replace(str(directory.resolve()), "/here") for word in found.argv)


def test_a_runner_is_a_text_or_a_list(tmp_path: Path) -> None:
    """A text is split at blanks; a path starts where `.cargo` lies, a name is looked up."""
    assert runner(tmp_path, f"target.{TARGET}.runner = 'qemu-aarch64 -L /usr/aarch64'") == (
        *("qemu-aarch64", "-L", "/usr/aarch64"),
    )
    assert runner(tmp_path, f"target.{TARGET}.runner = ['tools/run it', '-x y']") == ("/here/tools/run it", "-x y")
    assert runner(tmp_path, f"target.{TARGET}.linker = 'cc'") is None
    assert runner(tmp_path, f"target.{TARGET}.runner = []") is None


def test_of_several_files_the_nearest_ones_list_is_taken(tmp_path: Path) -> None:
    """Cargo joins lists, but not those that are a program with its arguments."""
    (tmp_path / "below").mkdir()
    assert runner(tmp_path, f"target.{TARGET}.runner = ['far', '-a']") == ("far", "-a")
    assert runner(tmp_path / "below", f"target.{TARGET}.runner = ['near']") == ("near",)


def test_the_triple_goes_before_a_table_that_matches(tmp_path: Path) -> None:
    """And the variable before both; an empty one is none."""
    both = f"target.{TARGET}.runner = 'own'\ntarget.'cfg(unix)'.runner = 'general'"
    assert runner(tmp_path, both) == ("own",)
    assert runner(tmp_path, "target.'cfg(unix)'.runner = 'general'\ntarget.'cfg(windows)'.runner = 'x'") == ("general",)
    assert runner(tmp_path, both, **{VARIABLE: "./emulate --fast"}) == ("/here/emulate", "--fast")
    assert runner(tmp_path, both, **{VARIABLE: ""}) is None
    assert runner(tmp_path, "target.'cfg(windows)'.runner = 'x'") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"target.{TARGET}.runner = 3", "expected a string or an array of strings"),
        (f"target.{TARGET}.runner = ['a', 3]", "expected an array of strings"),
        ("target.'cfg(unix)'.runner = 'a'\ntarget.'cfg(not(windows))'.runner = 'b'", "several tables match"),
    ],
)
def test_what_cargo_refuses_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """With the file."""
    with pytest.raises(ToolchainError, match=problem) as caught:
        runner(tmp_path, text)
    assert caught.value.location == str(tmp_path.resolve() / ".cargo/config.toml")
