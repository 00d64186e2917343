from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

from optbuild.tools.cargo_programs import StartedProgram, parse_started, runner_setting


def told(**changes: object) -> bytes:
    """A line as the runner prints it."""
    content = {"argv": ["/t/deps/cli-5713", "a b"], "cwd": "/p", "env": {"CARGO_PKG_NAME": "demo"}, **changes}
    return json.dumps({"optbuild-program": content}).encode() + b"\n"


def test_the_runner_is_told_as_a_setting_of_cargo() -> None:
    """Key and value are TOML, whatever the target is called; the program is the given Python and a text."""
    key, value = runner_setting("thumbv8m.base-none-eabi", Path("/usr/bin/python3"))
    parsed = tomllib.loads(f"{key} = {value}")
    runner = parsed["target"]["thumbv8m.base-none-eabi"]["runner"]
    assert runner[:4] == ["/usr/bin/python3", "-I", "-S", "-c"]
    compile(runner[4], "runner", "exec")


def test_a_target_of_its_own_is_known_by_its_files_name() -> None:
    """As cargo has it."""
    _, text = runner_setting("thumbv8m.base-none-eabi", Path("/usr/bin/python3"), as_text=True)
    program, *options, code = json.loads(text).split()
    assert (program, options) == ("/usr/bin/python3", ["-I", "-S", "-c"])
    compile(code, "runner", "exec")
    assert runner_setting("/p/my.json", Path("/python"))[0] == 'target."my".runner'


def test_a_program_is_read_as_it_was_told() -> None:
    """Its arguments, directory and whole environment."""
    assert parse_started(told()) == StartedProgram(
        argv=("/t/deps/cli-5713", "a b"), cwd="/p", env={"CARGO_PKG_NAME": "demo"}
    )


def test_names_and_values_need_not_be_text() -> None:
    """Bytes are told as Latin-1, and come back as Python knows the bytes of file names."""
    name = os.fsdecode(b"\xff\xc3\xa9")
    started = parse_started(told(cwd=os.fsencode(name).decode("latin-1")))
    assert started is not None
    assert started.cwd == name


def test_other_lines_are_none_of_ours() -> None:
    """Cargo's own messages, what programs print, and half of a line of ours."""
    assert parse_started(b'{"reason":"compiler-artifact"}') is None
    assert parse_started(b"running 3 tests\n") is None
    assert parse_started(told()[:40]) is None
    assert parse_started(told(argv=None)) is None
