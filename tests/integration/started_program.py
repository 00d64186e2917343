"""The installed `optbuild`, started by forking an interpreter that has imported what it needs.

Imports are most of what a short call costs, and the libraries of statistics as much again where it measures; the tests
make more than a thousand calls. What runs is the installed command, from its first line to the end of its interpreter,
in a process with its own arguments, directory, environment and streams. The process that is forked has imported modules
and has what reads the usual types; it has called nothing else, so no call finds anything of an earlier one.

Calls that are about the process itself (signals, peak memory, what is imported) start the command afresh. So do those
with a variable that Python or a module looks at when it begins, or is imported.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Self

IMPORTED = (
    *("optbuild.cli.main", "optbuild.cli.ci", "optbuild.cli.console", "optbuild.cli.doctor"),
    *("optbuild.session.run", "optbuild.session.inspect", "optbuild.session.search", "optbuild.session.compare"),
    *("optbuild.report.formats", "optbuild.report.assemble", "optbuild.measure.compare"),
)
READ = (
    *("optbuild.profile.model:ProfileSettings", "optbuild.record.model:RunRecord"),
    *("optbuild.tools.cargo_metadata:Metadata", "optbuild.making.result_store:_Stored"),
)
"""The types of most files that are read."""
_READ_WHEN_IMPORTED = ("PYTHON", "FORCE_COLOR", "NO_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TERM", "COLUMNS")
_LONGEST_REQUEST_BYTES = 1 << 17


class Starter:
    """A process that starts a command by forking itself. It ends with the process that made it, at the latest."""

    def __init__(self, program: Path) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(program), str(theirs.fileno())],
                env={"LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._process.wait()

    @staticmethod
    def can_run(variables: Iterable[str]) -> bool:
        """Whether these variables mean the same to a process that is forked as to one that is started."""
        return not any(name.startswith(_READ_WHEN_IMPORTED) for name in variables)

    def run(
        self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], deadline_s: float
    ) -> tuple[int, str, str]:
        """Run the command to its end, with nothing to read: its status, and what it printed.

        Raises:
            TimeoutError: It did not end. It has been killed.
        """
        call = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": dict(env)})
        with (
            Path(os.devnull).open("rb") as stdin,
            tempfile.TemporaryFile("w+", encoding="utf-8") as stdout,
            tempfile.TemporaryFile("w+", encoding="utf-8") as stderr,
        ):
            streams = [stdin.fileno(), stdout.fileno(), stderr.fileno()]
            socket.send_fds(self._ours, [call.encode()], streams)
            pid = self._receive(deadline_s)
            try:
                status = self._receive(deadline_s)
            except BaseException:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                self._receive(deadline_s)
                raise
            stdout.seek(0)
            stderr.seek(0)
            return os.waitstatus_to_exitcode(status), stdout.read(), stderr.read()

    def _receive(self, deadline_s: float) -> int:
        self._ours.settimeout(deadline_s)
        answer = self._ours.recv(64)
        assert answer, "the process that starts optbuild has ended"
        return int(answer)


def _await_call(connection: socket.socket) -> bool:
    """Fork for each call; true in a process that is to run one, false when nobody calls any more."""
    while True:
        call, streams, _, _ = socket.recv_fds(connection, _LONGEST_REQUEST_BYTES, 3)
        if not call:
            return False
        pid = os.fork()
        if pid == 0:
            connection.close()
            _take_over(json.loads(call), streams)
            return True
        for descriptor in streams:
            os.close(descriptor)
        connection.send(str(pid).encode())
        connection.send(str(os.waitpid(pid, 0)[1]).encode())


def _take_over(call: dict[str, Any], streams: Sequence[int]) -> None:
    """Take the streams, directory, environment and arguments of a call."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(call["cwd"])
    os.environ.clear()
    os.environ.update(call["env"])
    sys.argv[1:] = call["arguments"]


def _main() -> None:
    program, descriptor = sys.argv[1:]
    sys.argv[:] = [program]
    sys.path[0] = str(Path(program).parent)
    for name in IMPORTED:
        import_module(name)
    adapter_of = resolve_name("optbuild.adapters:adapter_of")
    for name in READ:
        adapter_of(resolve_name(name))
    gc.freeze()  # no call looks through what was made here, which would copy it
    if _await_call(socket.socket(fileno=int(descriptor))):
        runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    _main()
