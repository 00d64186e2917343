"""A container engine whose containers are this machine: it runs what it is asked to, if that is mounted there.

Run as a script; `ENGINE_LOG` names the file that gets each call, and the environment that its program has.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

IMAGE = "the-image"
RUNNER = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER"
_WITH_A_VALUE = {"-e", "-v", "-w", "--name", "--userns"}


def main(words: list[str]) -> None:
    """Answer a question, or run a program where a container would."""
    if words[0] != "run":
        sys.stdout.write("Server: 1\n")
        return
    env = {"PATH": "/usr/bin:/bin", RUNNER: "env IN_IMAGE=1"}  # the image's own
    mounts, cwd, rest = [], "/", iter(words[1:])
    for word in rest:
        if word == IMAGE:
            break
        value = next(rest) if word in _WITH_A_VALUE else ""
        if word == "-v":
            mounts.append(Path(value.partition(":")[0]))
        elif word == "-w":
            cwd = value
        elif word == "-e" and "=" in value:
            name, _, text = value.partition("=")
            env[name] = text
    command = list(rest)
    with Path(os.environ["ENGINE_LOG"]).open("a") as log:
        log.write(json.dumps({"argv": words, "command": command, "env": env}) + "\n")
    named = [Path(cwd), *(Path(word) for word in command[3:] if word.startswith("/"))]
    named += [Path(env["LLVM_PROFILE_FILE"])] if "LLVM_PROFILE_FILE" in env else []
    absent = [path for path in named if not any(path.is_relative_to(mount) for mount in mounts)]
    if absent:
        sys.exit(f"not in the container: {absent[0]}")
    os.chdir(cwd)
    os.execve("/bin/sh", command, env)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
