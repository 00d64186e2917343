"""Crates that compile C: what optbuild tells rustc is no business of the C compiler, and what users tell it stays."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, copy_crate, variant_of, write_script

pytestmark = [pytest.mark.pgo, pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")]


def logging_compiler(directory: Path) -> tuple[dict[str, str], Path]:
    """An environment in which the C compiler writes down what it is told, and does it."""
    log = directory / "c-calls"
    script = write_script(directory / "logging-cc", f'echo "$*" >> \'{log}\'\nexec cc "$@"')
    return {"CC": str(script)}, log


def test_the_c_compiler_is_told_the_same_in_every_phase(optbuild: Optbuild, tmp_path: Path) -> None:
    """No flag for profiles or against LTO reaches it; the users' own flags do, whichever they are for."""
    directory = copy_crate("native", tmp_path / "native")
    env, log = logging_compiler(tmp_path)
    env |= {"RUSTFLAGS": "-Cforce-frame-pointers=yes", "CFLAGS": "-DSALT=7 -g0"}
    record = optbuild.run("pgo", "--json", cwd=directory, env=env).expect(0).document
    assert variant_of(record, "pgo")["pgo"]["attempt"] == "lto-free"
    assert [item["equal"] for item in record["outputs"]] == [True, True]
    calls = [line.split() for line in log.read_text().splitlines()]
    assert {tuple(call[call.index("-o") + 2 :]) for call in calls} == {("-fno-omit-frame-pointer", "-DSALT=7", "-g0")}
    salted = subprocess.check_output([directory / "target/optbuild/artifacts/pgo/native", "100"])
    plain = tmp_path / "plain"
    shutil.copytree(directory, plain, ignore=shutil.ignore_patterns("target"))
    argv = ["cargo", "build", "--release", "--offline"]
    subprocess.run(argv, cwd=plain, env={**optbuild.environ}, check=True, capture_output=True)
    assert salted != subprocess.check_output([plain / "target/release/native", "100"]), "CFLAGS have an effect"


def test_this_crate_would_hand_on_flags_in_their_usual_spelling(optbuild: Optbuild, tmp_path: Path) -> None:
    """The control: with rustc's own spelling the C compiler is told to profile, which is what must not happen."""
    directory = copy_crate("native", tmp_path / "native")
    env, log = logging_compiler(tmp_path)
    env["RUSTFLAGS"] = f"-Cprofile-generate={tmp_path} -Clinker-plugin-lto=no"
    argv = ["cargo", "build", "--release", "--offline"]
    subprocess.run(argv, cwd=directory, env={**os.environ, **optbuild.environ, **env}, check=False, capture_output=True)
    assert f"-fprofile-generate={tmp_path} -flto=thin" in log.read_text()
