"""A tiny process that starts, times and ends programs for optbuild. Standard library only.

Why a separate process, and such a small one: the kernel includes the peak memory of the process that spawns a program
in the program's own peak (`ru_maxrss`), so with numpy loaded in the parent every program would seem large. For the same
reason it imports next to nothing, and uses `marshal` on its pipes: even `json` would add a megabyte. The process
imports this module, because Python compiles a script whenever it is run, which takes memory and time.

It guarantees that each program runs in its own process group; that this process, as a *child subreaper*, inherits and
kills whatever the program leaves behind; and that everything is killed when optbuild ends, even by SIGKILL, because the
control pipe closes.

Protocol: on standard input, messages of a 4-byte length and a marshalled dict. `{"run": {...}}` starts a program,
`{"end": 1}` asks the running one to stop (and this process to end when none runs), `{"kill": 1}` kills it. Replies go
to a descriptor that `serve` is given: any number of `{"stopping": signal}` and then one with `exit_code`, or with
`error` and what failed: `cwd`, `stdin`, `stdout`, `stderr` or `program`. Not for use by anything else.

Sources: wait4(2), getrusage(2), pidfd_open(2), PR_SET_CHILD_SUBREAPER(2const), posix_spawn(3).
"""

from __future__ import annotations

import marshal
import os
import select
import sys
import time

TYPE_CHECKING = False  # `typing` is not imported here
if TYPE_CHECKING:
    from typing import Any

CONTROL = 0
STREAMS = ("stdin", "stdout", "stderr")
LENGTH_BYTES = 4
SIGKILL = 9
SIGCONT = 19 if sys.platform == "darwin" else 18
RESET_SIGNALS = (13, 25)  # SIGPIPE and SIGXFSZ: Python ignores them, and a program would inherit that
# The stop signal is reset as well: a background job ignores SIGINT, and a program would never receive it.
PR_SET_CHILD_SUBREAPER = 36
SETTLE_S = 1.0  # how long descendants may outlive the program before they count as left behind
UNKILLABLE_S = 5.0  # how long to try to kill one without the permission to, such as another user's program
LONGEST_WAIT_S = 3600.0  # `poll` accepts at most 24 days


def serve(reply: int) -> None:
    """Run one program after another until the control pipe closes."""
    os.set_inheritable(reply, False)
    has_subreaper = become_subreaper()
    watch = make_watch()
    # An "end" with nothing to end: optbuild was interrupted before it sent the program, or after it got the reply.
    while (message := read_message()) is not None and "run" in message:
        write_message(reply, run(message["run"], reply, watch, has_subreaper))


def run(request: dict[str, Any], reply: int, watch: Any, has_subreaper: bool) -> dict[str, Any]:  # noqa: ANN401, FBT001
    """Run one program to its end; the reply says how it ended and what it cost."""
    opened = []
    actions = []
    step = "cwd"
    try:
        os.chdir(request["cwd"])
        for descriptor, path in enumerate(request["streams"]):
            step = STREAMS[descriptor]
            flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            if path is not None:
                opened.append(os.open(path, flags, 0o644))
                actions.append((os.POSIX_SPAWN_DUP2, opened[-1], descriptor))
        step = "program"
        started = time.perf_counter_ns()
        pid = os.posix_spawn(
            request["argv"][0],
            request["argv"],
            request["env"],
            file_actions=actions,
            setpgroup=0,
            setsigdef=(*RESET_SIGNALS, request["stop_signal"]),
        )
    except OSError as error:
        return {"error": error.errno, "reason": error.strerror, "failed": step}
    finally:
        for descriptor in opened:
            os.close(descriptor)
    ending = wait_for(pid, request, reply, watch)
    _, status, usage = os.wait4(pid, 0)
    wall_ns = time.perf_counter_ns() - started
    survivors = []
    if request["sweep"] and has_subreaper:
        survivors = sweep(pid, 0.0 if ending == "orphaned" else SETTLE_S)
    rss_unit = 1 if sys.platform == "darwin" else 1024
    return {
        "exit_code": os.waitstatus_to_exitcode(status),
        "timed_out": ending == "late",
        "survivors": survivors,
        "wall_s": wall_ns / 1e9,
        "user_s": usage.ru_utime,
        "system_s": usage.ru_stime,
        "peak_rss_bytes": usage.ru_maxrss * rss_unit,
        "peak_rss_floor_bytes": own_peak_bytes(),
        "major_faults": usage.ru_majflt,
        "minor_faults": usage.ru_minflt,
        "involuntary_switches": usage.ru_nivcsw,
    }


def wait_for(pid: int, request: dict[str, Any], reply: int, watch: Any) -> str:  # noqa: ANN401
    """Wait until the program can be reaped; stop on request or when late. Gives `"ended"`, `"late"`, `"orphaned"`."""
    timeout_s = request["timeout_s"]
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    ending = "ended"
    stopping = False
    while True:
        left_s = LONGEST_WAIT_S if deadline is None else max(0.0, deadline - time.monotonic())
        event = watch(pid, min(left_s, LONGEST_WAIT_S))
        if event == "exit":
            if stopping and not request["sweep"]:  # a daemon has its own group: the rest should have ended as well
                signal_group(pid, SIGKILL)
            return ending
        if event == "control":
            message = read_message()
            if message is None:
                signal_group(pid, SIGKILL)
                return "orphaned"
            if "kill" in message:
                signal_group(pid, SIGKILL)
                continue
        elif deadline is None or time.monotonic() < deadline:
            continue
        elif stopping:  # the grace has passed
            signal_group(pid, SIGKILL)
            deadline = None
            continue
        else:
            ending = "late"
        if not stopping:
            stopping = True
            signal_group(pid, request["stop_signal"])
            signal_group(pid, SIGCONT)  # a stopped program would not see it
            write_message(reply, {"stopping": request["stop_signal"]})
            deadline = time.monotonic() + request["grace_s"]


def make_watch() -> Any:  # noqa: ANN401 - a function (pid, timeout) -> "exit" | "control" | "late"
    """Choose how to wait for a program and the control pipe at once: by a pidfd, or else by SIGCHLD."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return make_signal_watch()
    return watch_by_pidfd


def watch_by_pidfd(pid: int, timeout_s: float | None) -> str:
    """Wait by `pidfd_open` and `poll`."""
    descriptor = os.pidfd_open(pid)
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        poller.register(CONTROL, select.POLLIN)
        ready = [number for number, _ in poller.poll(None if timeout_s is None else timeout_s * 1000)]
    finally:
        os.close(descriptor)
    return "exit" if descriptor in ready else "control" if ready else "late"


def make_signal_watch() -> Any:  # noqa: ANN401
    """Wait by SIGCHLD and a wakeup pipe, if the kernel or a sandbox has no pidfd."""
    import signal  # noqa: PLC0415 - costs memory that the usual way does not need

    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)

    def watch(pid: int, timeout_s: float | None) -> str:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return "exit"
            left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = select.select([reader, CONTROL], [], [], left_s)[0]
            if reader in ready:
                os.read(reader, 4096)
            elif ready:
                return "control"
            elif left_s == 0.0:
                return "late"

    return watch


def become_subreaper() -> bool:
    """Adopt orphaned descendants, if the kernel can (Linux)."""
    if sys.platform != "linux":
        return False
    import ctypes  # noqa: PLC0415

    return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def sweep(group: int, settle_s: float) -> list[str]:
    """Reap what the program left behind; kill and name what still runs after a moment."""
    survivors: list[str] = []
    settled = time.monotonic() + settle_s
    while reap() and (now := time.monotonic()) < settled + UNKILLABLE_S:
        if now >= settled:
            kill_children(group, survivors)
        time.sleep(0.002)
    return survivors


def kill_children(group: int, named: list[str]) -> None:
    """Kill a group and all children of this process; add the names of new ones."""
    signal_group(group, SIGKILL)
    for pid in children():
        name = process_name(pid)
        if name not in named:
            named.append(name)
        try:
            os.kill(pid, SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def reap() -> bool:
    """Reap every child that has ended; True while some still run."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True


def children() -> list[int]:
    """The pids of this process's children, including inherited orphans."""
    own = os.getpid()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stream:
                    fields = stream.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == own:
                found.append(int(name))
    return found


def process_name(pid: int) -> str:
    """The name and pid of a process, for display."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as stream:
            return f"{stream.read().decode('utf-8', 'replace').strip()} (pid {pid})"
    except OSError:
        return f"pid {pid}"


def own_peak_bytes() -> int:
    """This process's own peak resident set: the floor below which a child's peak says nothing."""
    try:
        with open("/proc/self/status", "rb") as stream:
            for line in stream:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource  # noqa: PLC0415 - only where there is no /proc

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def signal_group(pid: int, number: int) -> None:
    """Send a signal to a program's whole process group, which may have ended meanwhile."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
        return


def read_message() -> dict[str, Any] | None:
    """Read one message from the control pipe; None when optbuild is gone."""
    header = read_exactly(LENGTH_BYTES)
    body = None if header is None else read_exactly(int.from_bytes(header, "little"))
    return None if body is None else marshal.loads(body)  # noqa: S302 - our own parent wrote it


def read_exactly(count: int) -> bytes | None:
    """Read exactly this many bytes from the control pipe, or None at its end."""
    data = b""
    while len(data) < count:
        piece = os.read(CONTROL, count - len(data))
        if not piece:
            return None
        data += piece
    return data


def write_message(descriptor: int, message: dict[str, Any]) -> None:
    """Send a reply; ignore a closed pipe, since nothing is left to read it."""
    body = marshal.dumps(message)
    data = len(body).to_bytes(LENGTH_BYTES, "little") + body
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except BrokenPipeError:
        return
