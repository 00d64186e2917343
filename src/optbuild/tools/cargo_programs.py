"""Find out how cargo would start the test and bench programs that it builds, by asking cargo, which starts none.

Cargo runs a program by its `runner` where one is configured. Ours only tells, as one line of JSON among cargo's own
messages, what it was given: the program with its arguments, the directory and the environment. Nothing of what cargo
does for tests and benches has to be known here, nor kept up with. Pure: `optbuild.making.cargo` calls it.

Sources:
    The Cargo Book, target.<triple>.runner: https://doc.rust-lang.org/cargo/reference/config.html#targettriplerunner
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from optbuild.adapters import adapter_of

_MARK = b'{"optbuild-program": '
# Bytes are encoded as Latin-1, which has a character for each: a name or value need not be UTF-8.
_TELL = """\
import json, os, sys
def tell(text): return os.fsencode(text).decode("latin-1")
env = {tell(name): tell(value) for name, value in os.environ.items()}
print(json.dumps({"optbuild-program": {"argv": [*map(tell, sys.argv[1:])], "cwd": tell(os.getcwd()), "env": env}}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedProgram:
    """A program as cargo would have started it; `env` is the whole environment."""

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]


def runner_setting(target: str, python: Path, *, as_text: bool = False) -> tuple[str, str]:
    """The `--config` key and value that make cargo report programs instead of running them.

    Args:
        target: The target triple, or the path of a target's JSON file.
        python: What runs the reporting script, which needs only the standard library.
        as_text: A configuration file has this setting as a text, and cargo does not accept a list instead.
    """
    triple = Path(target).stem if target.endswith(".json") else target
    argv = [str(python), "-I", "-S", "-c", _TELL]
    if as_text:  # which cargo splits at spaces
        argv[-1] = f"exec(bytes.fromhex('{_TELL.encode().hex()}'))"
    # A JSON text is a TOML text, as long as no character is split in two.
    return f"target.{json.dumps(triple)}.runner", json.dumps(" ".join(argv) if as_text else argv, ensure_ascii=False)


def parse_started(line: bytes) -> StartedProgram | None:
    """Read a line printed by the runner; None for any other line."""
    if not line.startswith(_MARK):
        return None
    try:
        reported = adapter_of(dict[str, StartedProgram]).validate_json(line)["optbuild-program"]
    except ValidationError:
        return None
    return StartedProgram(
        argv=tuple(map(_text, reported.argv)),
        cwd=_text(reported.cwd),
        env={_text(name): _text(value) for name, value in reported.env.items()},
    )


def _text(reported: str) -> str:
    return os.fsdecode(reported.encode("latin-1"))
