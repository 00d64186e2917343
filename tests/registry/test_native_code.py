"""Crates that compile C and C++ by what most others do that by: cc, cmake and bindgen."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, variant_of, write_script
from tests.registry.crates_here import CRATES

pytestmark = [pytest.mark.pgo, pytest.mark.registry]


def logging_compilers(directory: Path) -> tuple[dict[str, str], dict[str, Path]]:
    """Variables that name compilers which write down what they were told, and where they do."""
    logs = {"CC": directory / "cc-calls", "CXX": directory / "c++-calls"}
    programs = {"CC": "cc", "CXX": "c++"}
    bodies = {name: f'echo "$*" >> \'{log}\'\nexec {programs[name]} "$@"' for name, log in logs.items()}
    scripts = {name: write_script(directory / f"logging-{programs[name]}", body) for name, body in bodies.items()}
    return {name: str(script) for name, script in scripts.items()}, logs


def told(log: Path, source: str) -> set[tuple[str, ...]]:
    """The options that a source was compiled with, without the paths that differ from build to build."""
    calls = [line.split() for line in log.read_text().splitlines() if source in line and " -c " in f" {line} "]
    return {tuple(word for word in call if word.startswith("-") and "/" not in word) for call in calls}


@pytest.mark.cmake
@pytest.mark.libclang
def test_no_flag_of_training_reaches_c_by_cc_or_cpp_by_cmake(optbuild: Optbuild, tmp_path: Path) -> None:
    """Both are compiled in each variant and phase in one and the same way, and bindgen makes the bindings."""
    project = shutil.copytree(CRATES / "foreign", tmp_path / "foreign")
    compilers, logs = logging_compilers(tmp_path)
    record = optbuild.run("pgo", "--json", cwd=project, env=compilers).expect(0).document
    pgo = variant_of(record, "pgo")["pgo"]
    assert (pgo["attempt"], pgo["applied"]) == ("lto-free", True)
    assert {item["equal"] for item in record["outputs"]} == {True}
    for name, source in (("CC", "mix.c"), ("CXX", "turn.cpp")):
        options = told(logs[name], source)
        assert len(options) == 1, f"{source} is compiled in several ways: {options}"
        assert not [word for word in next(iter(options)) if "profile" in word or "lto" in word]


def test_a_crate_that_brings_a_library_of_c_is_trained_and_measured(optbuild: Optbuild, tmp_path: Path) -> None:
    """zstd: what is optimised is the Rust around it, and what it computes stays the same."""
    project = shutil.copytree(CRATES / "packed", tmp_path / "packed")
    compilers, logs = logging_compilers(tmp_path)
    record = optbuild.run("pgo", "--json", cwd=project, env=compilers).expect(0).document
    pgo = variant_of(record, "pgo")["pgo"]
    assert pgo["applied"]
    assert pgo["mismatched_functions"] == 0
    assert {item["equal"] for item in record["outputs"]} == {True}
    options = told(logs["CC"], "zstd_compress.c")
    assert len(options) == 1
    assert not [word for word in next(iter(options)) if "profile" in word or "lto" in word]
