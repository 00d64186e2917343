"""Run a program in the image that a builder used: a stand-in for its container engine, and a runner for its programs.

A separate program that needs only the standard library, like the launcher. The stand-in (`--note`) keeps how the
builder starts the container for its build, and starts it. The runner (`--start`) starts the same container for another
program: the same engine, image, mounts and user, but the environment of the program alone.

Sources:
    cross, `src/docker/local.rs` and `src/docker/shared.rs`: `ENGINE run OPTION… IMAGE sh -c COMMAND`
    Its images name an emulator in `CARGO_TARGET_<TRIPLE>_RUNNER`: https://github.com/cross-rs/cross, `docker/`
    The engine passes signals on: https://docs.docker.com/reference/cli/docker/container/run/ (`--sig-proxy`)
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

NOTE, START = "--note", "--start"
# What an engine needs to find its images and its daemon; no other variable of the build is kept.
_OF_THE_ENGINE = (
    "CONTAINERS_CONF",
    "CONTAINERS_REGISTRIES_CONF",
    "CONTAINERS_STORAGE_CONF",
    "CONTAINER_HOST",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "PATH",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
)
# Options of the build's container that another program does not get: they have a value that follows.
_OF_THE_BUILD = frozenset({"-e", "--env", "--env-file", "-w", "--workdir", "--name", "--cidfile"})
_SWITCHES_OF_THE_BUILD = frozenset({"-t", "-i", "-it", "-ti", "--tty", "--interactive", "--rm"})
_SHELL = 3  # the words after the image: sh -c COMMAND
_CANNOT = 125  # as engines do
# The first process of a container ignores signals that it does not handle. So that is a shell, which passes them on.
_FIRST_PROCESS = """\
$%s "$@" <&0 &
child=$!
trap 'kill -TERM "$child"' TERM
trap 'kill -INT "$child"' INT
while :; do
    wait "$child"
    status=$?
    kill -0 "$child" 2>/dev/null || exit "$status"
done
"""


def note_name(target: str) -> str:
    """The file in optbuild's directory that keeps how the container for a target is started."""
    return f"container-{Path(target).stem if target.endswith('.json') else target}.json"


def note(path: Path, engine: str, words: list[str], environ: Mapping[str, str]) -> None:
    """Keep how a builder starts the container in which cargo runs; other calls of the engine are not of interest."""
    if words[:1] != ["run"] or words[-_SHELL:-1] != ["sh", "-c"] or "cargo" not in words[-1]:
        return
    kept = {name: environ[name] for name in _OF_THE_ENGINE if name in environ}
    document = {"engine": engine, "options": words[1 : -_SHELL - 1], "image": words[-_SHELL - 1], "env": kept}
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(document), "utf-8")
    partial.replace(path)


def find_note(program: Path, target: str) -> Path | None:
    """The note of the project that a program was built in: everything that is built lies below optbuild's directory."""
    return next((path for place in program.parents if (path := place / note_name(target)).is_file()), None)


def make_argv(noted: Mapping[str, Any], target: str, command: list[str], env: Mapping[str, str], cwd: str) -> list[str]:
    """The call of the engine that runs a command in the noted image."""
    mounts = _same_paths(noted["options"])
    variable = f"CARGO_TARGET_{target.upper().replace('-', '_').replace('.', '_')}_RUNNER"
    return [
        noted["engine"],
        "run",
        "--rm",
        "-i",
        "--network=host",  # a server's port is one of this machine
        *_of_any_program(noted["options"]),
        *(() if _is_below(cwd, mounts) else ("-v", f"{cwd}:{cwd}")),
        "-w",
        cwd,
        *(word for name, value in _of_the_program(env, mounts) for word in ("-e", f"{name}={value}")),
        noted["image"],
        *("sh", "-c", _FIRST_PROCESS % variable),
        "sh",
        *command,
    ]


def _of_any_program(options: list[str]) -> Iterator[str]:
    """The options of the build's container without what is about the build: its variables, its directory, its name."""
    words = iter(options)
    for word in words:
        if word in _OF_THE_BUILD:
            value = next(words, "")
            if value.startswith("CROSS_RUNNER="):  # which emulator of the image
                yield from (word, value)
        elif word not in _SWITCHES_OF_THE_BUILD and word.partition("=")[0] not in _OF_THE_BUILD:
            yield word


def _same_paths(options: list[str]) -> list[str]:
    """The directories that have the same path in the container."""
    volumes = (value.split(":") for option, value in pairwise(options) if option == "-v")
    return [parts[0] for parts in volumes if len(parts) > 1 and parts[0] == parts[1]]


def _is_below(path: str, places: list[str]) -> bool:
    return any(Path(path).is_relative_to(place) for place in places)


def _of_the_program(env: Mapping[str, str], mounts: list[str]) -> Iterator[tuple[str, str]]:
    """The variables of a program; directories of this machine mean nothing in a container."""
    for name, value in env.items():
        if name in {"TMPDIR", "LD_LIBRARY_PATH"}:
            inside = [each for each in value.split(os.pathsep) if _is_below(each, mounts)]
            if inside:
                yield name, os.pathsep.join(inside)
        elif name != "PATH":
            yield name, value


def main(words: list[str]) -> None:
    """Become the engine: as the builder called it, or for a program."""
    if words[0] == NOTE:
        path, engine, *call = words[1:]
        note(Path(path), engine, call, os.environ)
        os.execv(engine, [engine, *call])  # noqa: S606 - a shell would read the words
    target, *command = words[1:]
    found = find_note(Path(command[0]), target)
    if found is None:
        sys.stderr.write(f"no build has started a container for {target}; build again: optbuild run --fresh\n")
        sys.exit(_CANNOT)
    noted = json.loads(found.read_text("utf-8"))
    argv = make_argv(noted, target, command, os.environ, str(Path.cwd()))
    os.execve(noted["engine"], argv, noted["env"])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
