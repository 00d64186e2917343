"""The stand-in of a container engine: what it keeps of a builder's call, and what a program gets of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from optbuild.execution.container import find_note, make_argv, note, note_name

FAR = "aarch64-unknown-linux-gnu"
OPTIONS = ["--userns", "host", "--user", "7:7", "-e", "CROSS_RUNNER=native", "-e", "CARGO_HOME=/cargo", "--env=A=b"]
MOUNTS = ["-v", "/p:/p", "-v", "/p/target/optbuild/cargo:/target", "-v", "/cargo/bin"]
BUILD = ["run", *OPTIONS, "--name", "cross-1", "--rm", *MOUNTS, "-w", "/p", "-t", "image:1", "sh", "-c", "cargo build"]


def noted(directory: Path, words: list[str], environ: dict[str, str] | None = None) -> dict[str, object] | None:
    """What is kept of a call."""
    path = directory / note_name(FAR)
    note(path, "/usr/bin/podman", words, environ or {})
    return json.loads(path.read_text()) if path.exists() else None


def test_of_the_build_the_image_and_its_options_are_kept_and_no_secret(tmp_path: Path) -> None:
    """Of the environment only what an engine needs."""
    found = noted(tmp_path, BUILD, {"HOME": "/h", "CARGO_REGISTRY_TOKEN": "secret"})
    assert found is not None
    assert (found["image"], found["engine"], found["env"]) == ("image:1", "/usr/bin/podman", {"HOME": "/h"})


@pytest.mark.parametrize(
    "words",
    [
        ["info"],
        ["build", "--tag", "x", "."],
        ["run", "--rm", "image:1", "sh", "-c", "ls"],
        ["run", "--rm", "image:1", "cargo"],
    ],
)
def test_other_calls_of_the_engine_are_not_kept(tmp_path: Path, words: list[str]) -> None:
    """A question, the making of an image, or a container without cargo says nothing about how cargo is run."""
    assert noted(tmp_path, words) is None


def test_a_program_gets_the_container_and_not_the_environment_of_the_build(tmp_path: Path) -> None:
    """User, namespaces and mounts stay; variables, name and directory are its own."""
    found = noted(tmp_path, BUILD)
    assert found is not None
    env = {"PATH": "/usr/bin", "MODE": "x y", "LLVM_PROFILE_FILE": "/p/target/raw", "TMPDIR": "/tmp"}
    argv = make_argv(found, FAR, ["/p/program", "a b"], env, "/p/data")
    image = argv.index("image:1")
    options = argv[:image]
    assert options[:5] == ["/usr/bin/podman", "run", "--rm", "-i", "--network=host"]
    assert [options[n + 1] for n, word in enumerate(options) if word == "-e"] == [
        "CROSS_RUNNER=native",
        "MODE=x y",
        "LLVM_PROFILE_FILE=/p/target/raw",
    ]
    assert options[options.index("--user") :][:2] == ["--user", "7:7"]
    assert options[options.index("-w") + 1] == "/p/data"
    assert options.count("-v") == MOUNTS.count("-v")
    assert not {"--name", "-t", "--env=A=b"} & set(options)
    shell, option, text, *rest = argv[image + 1 :]
    assert (shell, option, rest) == ("sh", "-c", ["sh", "/p/program", "a b"])
    assert text.startswith('$CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER "$@"')


def test_a_directory_that_the_build_did_not_mount_is_mounted_to_work_in(tmp_path: Path) -> None:
    """A workload's `cwd` may lie elsewhere; of variables with paths, what is in the container is kept."""
    found = noted(tmp_path, BUILD)
    assert found is not None
    argv = make_argv(found, FAR, ["/p/program"], {"LD_LIBRARY_PATH": "/usr/lib:/p/lib"}, "/elsewhere")
    assert "/elsewhere:/elsewhere" in argv
    assert "LD_LIBRARY_PATH=/p/lib" in argv


def test_the_note_is_found_above_the_program(tmp_path: Path) -> None:
    """For its own target; without a build there is none."""
    program = tmp_path / "binaries/compile-1/tally"
    assert find_note(program, FAR) is None
    assert noted(tmp_path, BUILD) is not None
    assert find_note(program, FAR) == tmp_path / note_name(FAR)
    assert find_note(program, "armv7-unknown-linux-gnueabihf") is None
    assert note_name("/p/specs/mine.json") == "container-mine.json"
