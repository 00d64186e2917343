"""The entry point of both commands, `optbuild` and `cargo-optbuild`."""

from __future__ import annotations

import atexit
import gc
import os
import re
import shlex
import sys
from typing import NoReturn

import typer

from optbuild.cli.app import app
from optbuild.cli.context import CliContext, ReadStream, error_to_json, leave, write_out
from optbuild.errors import OptbuildError, UsageError
from optbuild.files import refused_by_system
from optbuild.text import sanitize, sanitize_line

_INTERNAL_ERROR_STATUS = 70
_STDOUT, _STDERR = 1, 2
_OBJECTS_PER_COLLECTION = 50_000
"""Python looks for cycles after 700, which is two hundred times in a command that finds everything made."""
_BUILT_PROGRAM = re.compile(r"\{bin(:[^{}]+)?\}")
_CommandLineMistake: type[Exception] = typer.BadParameter.__mro__[1]  # Click's UsageError, wherever Typer keeps Click


def main() -> None:
    """Run one command and exit with its status."""
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    atexit.register(gc.freeze)  # or Python looks for cycles in all that was imported, and that takes long
    _open_streams()
    argv = tuple(sys.argv[1:])
    if argv[:1] == ("optbuild",) and sys.argv[0].rpartition("/")[2].startswith("cargo-"):
        argv = argv[1:]  # `cargo optbuild pgo` calls `cargo-optbuild optbuild pgo`
    own, workload = split_at_dashes(argv)
    context = CliContext(argv=("optbuild", *argv), workload=workload, json="--json" in own)
    try:
        if not workload:
            refuse_undivided(own)
        # Typer itself reports what is wrong with a command line; a script that asked for JSON gets it as JSON.
        leave(app(args=list(own), prog_name="optbuild", obj=context, standalone_mode=not context.json) or 0)
    except _CommandLineMistake as mistake:
        _fail(UsageError(str(mistake), help="optbuild --help, or optbuild COMMAND --help"), context)
    except OptbuildError as error:
        _fail(error, context)
    except OSError as error:
        refused = refused_by_system(error)
        if refused is None:
            _report_bug(context)
        _fail(refused, context)
    except Exception:  # noqa: BLE001 - the outermost edge: any error here is a bug, and is reported as one
        _report_bug(context)


def _open_streams() -> None:
    """Open closed standard streams (`2>&-`) on the null device; a pipe must not take their numbers."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        continue
    os.close(descriptor)
    sys.stdout = ReadStream(sys.stdout or os.fdopen(_STDOUT, "w", closefd=False), holds_results=True)
    sys.stderr = ReadStream(sys.stderr or os.fdopen(_STDERR, "w", closefd=False), holds_results=False)


def split_at_dashes(argv: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split a command line at its first `--`, before any option is parsed: what follows is one workload."""
    if "--" not in argv:
        return argv, ()
    position = argv.index("--")
    return argv[:position], argv[position + 1 :]


def refuse_undivided(argv: tuple[str, ...]) -> None:
    """Refuse a workload without the `--` before it: its words would be taken for arguments of optbuild.

    Raises:
        UsageError: One of the words is a built program, and is not the value of an option.
    """
    for position, word in enumerate(argv):
        if _BUILT_PROGRAM.fullmatch(word) and not argv[position - 1].startswith("-"):
            divided = shlex.join(("optbuild", *argv[:position], "--", *argv[position:]))
            raise UsageError(f"{word} begins the command of a workload, which comes after --", help=divided)


def _fail(error: OptbuildError, context: CliContext) -> NoReturn:
    from optbuild.cli.ci import show_error_on_ci
    from optbuild.cli.console import Console
    from optbuild.record.model import ErrorRecord

    if context.json:
        write_out(error_to_json(error, context))
    Console(context).show_error(error)
    show_error_on_ci(context, ErrorRecord.of(error))
    leave(error.status)


def _report_bug(context: CliContext) -> NoReturn:
    """Report a bug in one line, with a log for the bug report; the log holds no variable and no environment."""
    import platform
    import tempfile
    import traceback

    from optbuild import __version__

    text = traceback.format_exc()
    with tempfile.NamedTemporaryFile(
        "w", prefix="optbuild-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as log:
        log.write(f"optbuild {__version__}, Python {platform.python_version()}, {platform.platform()}\n")
        log.write(f"command: {' '.join(context.argv[:2])}\n\n{text}")
    if context.debug:
        sys.stderr.write(sanitize(text))
    last = sanitize_line(text.strip().splitlines()[-1])
    if context.json:
        bug = OptbuildError(last, help=f"please report it with this log: {log.name}", location=log.name)
        write_out(error_to_json(bug, context))
    sys.stderr.write(f"internal error: {last}; please report it with this log: {log.name}\n")
    leave(_INTERNAL_ERROR_STATUS)
