"""What `flamegraph` and `heap` need besides a toolchain: what samples and what counts, what names functions, inferno.

None of it is needed to build and to measure. Whether perf may really sample is tried when it is asked to.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optbuild.events import Level
from optbuild.toolchain.lookup import find_program, is_program
from optbuild.toolchain.model import Finding
from optbuild.tools import addr2line, heaptrack, inferno
from optbuild.tools.heaptrack import Heaptrack

INSTALL_REMEDY = "optbuild doctor --fix --flamegraph"
HEAPTRACK_REMEDY = "apt-get install heaptrack (Fedora and Arch: heaptrack)"
_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_MOST_PARANOID = 2  # above it, only root may sample, on kernels of distributions that have it
_SAMPLERS = "apt-get install linux-perf valgrind (Ubuntu: linux-tools-generic, Fedora: perf)"


def find_inferno(environ: Mapping[str, str]) -> Path | None:
    """Where inferno is: on PATH, or where `cargo install` puts it."""
    if (found := find_program(inferno.PROGRAM, environ)) is not None:
        return found
    home = environ.get("CARGO_HOME") or (f"{environ['HOME']}/.cargo" if environ.get("HOME") else "")
    path = Path(home) / "bin" / inferno.PROGRAM
    return path if home and is_program(path) else None


def find_heaptrack(environ: Mapping[str, str]) -> Heaptrack | None:
    """Where the parts of heaptrack are, if all of them are there."""
    script = find_program(heaptrack.PROGRAM, environ)
    if script is None:
        return None
    real = script.resolve()
    try:
        text = real.read_text(errors="replace")
    except OSError:
        return None
    found = heaptrack.parse_script(text, real.parent)
    return found if found is not None and found.library.is_file() and is_program(found.interpreter) else None


def examine_observers(environ: Mapping[str, str], *, is_root: bool) -> tuple[Finding, ...]:
    """What is there of it."""
    return (_sampler(environ, is_root=is_root), _symbolizer(environ), _heap(environ), _renderer(environ))


def _sampler(environ: Mapping[str, str], *, is_root: bool) -> Finding:
    perf, valgrind = find_program("perf", environ), find_program("valgrind", environ)
    if perf is None and valgrind is None:
        message = "neither perf nor valgrind was found; only `optbuild flamegraph` and `heap` need one of them"
        return Finding(level=Level.WARNING, subject="sampling", message=message, remedy=_SAMPLERS)
    if perf is None:
        message = f"callgrind ({valgrind}), which takes a hundred times longer than perf"
        return Finding(level=Level.INFO, subject="sampling", message=message, remedy=_SAMPLERS)
    level = _read_paranoid()
    if level is not None and level > _MOST_PARANOID and not is_root:
        message = f"perf ({perf}), but perf_event_paranoid is {level}: only root may sample"
        remedy = "sudo sysctl -w kernel.perf_event_paranoid=2"
        return Finding(level=Level.WARNING, subject="sampling", message=message, remedy=remedy)
    return Finding(level=Level.INFO, subject="sampling", message=f"perf ({perf})")


def _read_paranoid() -> int | None:
    try:
        return int(_PARANOID.read_text())
    except (OSError, ValueError):
        return None


def _symbolizer(environ: Mapping[str, str]) -> Finding:
    found = next(filter(None, (find_program(name, environ) for name in addr2line.PROGRAMS)), None)
    if found is None:
        message = "neither llvm-symbolizer nor addr2line on PATH: flame graphs may show no inlined functions"
        return Finding(
            level=Level.INFO, subject="inlined functions", message=message, remedy="apt-get install binutils"
        )
    return Finding(level=Level.INFO, subject="inlined functions", message=str(found))


def _heap(environ: Mapping[str, str]) -> Finding:
    valgrind, script = find_program("valgrind", environ), find_program(heaptrack.PROGRAM, environ)
    found = [f"{name} ({path})" for name, path in (("DHAT", valgrind), ("heaptrack", script)) if path is not None]
    if not found:
        message = "neither valgrind nor heaptrack was found; only `optbuild heap` needs one of them"
        remedy = f"apt-get install valgrind, or {HEAPTRACK_REMEDY}"
        return Finding(level=Level.INFO, subject="allocations", message=message, remedy=remedy)
    if script is None:
        message = f"{found[0]}; heaptrack, for large programs (`optbuild heap --tool heaptrack`), was not found"
        return Finding(level=Level.INFO, subject="allocations", message=message, remedy=HEAPTRACK_REMEDY)
    if find_heaptrack(environ) is None:
        message = f"{script} does not say where its library is, or that is missing: `--tool heaptrack` cannot work"
        return Finding(level=Level.WARNING, subject="allocations", message=message, remedy=HEAPTRACK_REMEDY)
    return Finding(level=Level.INFO, subject="allocations", message=", ".join(found))


def _renderer(environ: Mapping[str, str]) -> Finding:
    found = find_inferno(environ)
    if found is None:
        message = "inferno was not found; only `optbuild flamegraph -o FILE.svg` needs it"
        return Finding(level=Level.INFO, subject="svg", message=message, remedy=INSTALL_REMEDY)
    return Finding(level=Level.INFO, subject="svg", message=f"inferno ({found})")
