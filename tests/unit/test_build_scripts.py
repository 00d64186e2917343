from __future__ import annotations

import os
from pathlib import Path

import pytest

from optbuild.making.cargo.build_scripts import (
    describe_differences,
    describe_other_code,
    find_earlier_runs,
    read_script_run,
)
from optbuild.plan.results import ScriptRun

BEFORE, RAN, AFTER = 1_000, 2_000, 3_000


def run_script(cargo_target: Path, printed: str, *, at_ns: int = RAN) -> Path:
    """Leave behind what a build script does that printed this; its `OUT_DIR`."""
    out_dir = cargo_target / "triple/release/build/demo-1/out"
    out_dir.mkdir(parents=True, exist_ok=True)
    dated(out_dir.parent / "output", at_ns, printed)
    return out_dir


def dated(path: Path, at_ns: int, text: str = "") -> Path:
    """A file of a certain time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(at_ns, at_ns))
    return path


@pytest.mark.parametrize("colons", [":", "::"])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gone", "its rerun-if-changed names gone, which does not exist"),
        ("newer", "its rerun-if-changed names newer, which has changed since it ran"),
        ("directory", "its rerun-if-changed names directory, which has changed since it ran"),
        ("older", None),
    ],
)
def test_what_makes_a_script_run_each_time_is_named(tmp_path: Path, colons: str, name: str, why: str | None) -> None:
    """A file that is not there, or is newer than the run, as cargo decides it."""
    dated(tmp_path / "newer", AFTER)
    dated(tmp_path / "older", BEFORE)
    dated(tmp_path / "directory" / "sub" / "newer", AFTER)
    out_dir = run_script(tmp_path / "target", f"cargo{colons}rerun-if-changed={name}\n")
    script = read_script_run("demo", out_dir, tmp_path, {})
    assert (script.always, script.again) == (why, None)


def test_why_a_script_ran_again_is_told_where_it_did(tmp_path: Path) -> None:
    """A look at the project may rewrite `.git/index`, and with that the script is run once more."""
    out_dir = run_script(tmp_path / "target", "cargo:rerun-if-changed=.git/index\n")
    dated(tmp_path / ".git/index", RAN + 1)
    earlier = find_earlier_runs(tmp_path / "target")
    assert read_script_run("demo", out_dir, tmp_path, earlier).again is None
    run_script(tmp_path / "target", "cargo:rerun-if-changed=.git/index\n", at_ns=AFTER)
    script = read_script_run("demo", out_dir, tmp_path, earlier)
    assert script.always is None
    assert script.again == "its rerun-if-changed names .git/index, which has changed since it ran"


def test_a_script_that_left_nothing_has_nothing_to_tell(tmp_path: Path) -> None:
    """Nothing is guessed of it."""
    assert read_script_run("demo", tmp_path / "out", tmp_path, {}) == ScriptRun(package="demo")


def test_generated_code_is_the_same_wherever_it_lies(tmp_path: Path) -> None:
    """Two builds have two target directories; the path of the script's own is no difference, its text is."""

    def generate(target: str, text: str) -> dict[str, ScriptRun]:
        out_dir = run_script(tmp_path / target, "cargo:rustc-cfg=x\n")
        (out_dir / "code.rs").write_text(f"// {out_dir}\n{text}")
        (out_dir / "data.bin").write_bytes(os.urandom(4))
        return {"id": read_script_run("demo", out_dir, tmp_path, {})}

    assert describe_other_code(generate("one", "a"), generate("two", "a")) == ()
    told = ("the build script of demo generated a different code.rs",)
    assert describe_other_code(generate("one", "a"), generate("two", "b")) == told
    assert describe_differences(generate("one", "a"), generate("two", "b")) == told
    assert describe_other_code(generate("one", "a"), {}) == ()


def test_what_a_script_tells_cargo_is_no_code(tmp_path: Path) -> None:
    """A time stamp in an environment variable may change what a program prints, and not its control flow."""

    def stamp(time: str) -> dict[str, ScriptRun]:
        out_dir = run_script(tmp_path / time, f"cargo:rustc-env=STAMP={time}\n")
        return {"id": read_script_run("demo", out_dir, tmp_path, {})}

    assert describe_other_code(stamp("1"), stamp("2")) == ()
    assert describe_differences(stamp("1"), stamp("2")) == (
        "the build script of demo printed different instructions for cargo",
    )
