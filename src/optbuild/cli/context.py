"""What the commands share: the environment, the words after `--`, and how results and errors leave the process."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from optbuild.toolchain.started_by_cargo import without_proxys_own

if TYPE_CHECKING:
    from optbuild.errors import OptbuildError
    from optbuild.record.model import RunRecord
    from optbuild.report.model import Report, Screen

SIGPIPE_STATUS = 141  # 128 + SIGPIPE, as shells have it


@dataclass(slots=True)
class CliContext:
    """One call of the program.

    Attributes:
        argv: The whole command line, for the record.
        workload: The words after the first `--`.
        environ: The caller's environment, without what rustup adds for `cargo optbuild`.
        json: One JSON document goes to standard output, even on failure.
        debug: Show tracebacks.
        colour: `--color`.
        progress: `--progress`.
    """

    argv: tuple[str, ...]
    workload: tuple[str, ...]
    environ: Mapping[str, str] = field(
        default_factory=lambda: without_proxys_own(os.environ)  # noqa: TID251 - the one reader
    )
    json: bool = False
    debug: bool = False
    verbosity: int = 0
    colour: str = "auto"
    progress: str = "auto"

    def wants_colour(self, *, is_terminal: bool) -> bool:
        """Decide by `--color`, NO_COLOR, FORCE_COLOR and TERM whether to write colours to a stream.

        Sources: https://no-color.org, https://force-color.org
        """
        if self.colour != "auto":
            return self.colour == "always"
        if self.environ.get("NO_COLOR"):
            return False
        if self.environ.get("FORCE_COLOR"):
            return True
        return is_terminal and self.environ.get("TERM") != "dumb"


def find_working_directory() -> Path:
    """The directory that the command was called in.

    Raises:
        UsageError: Somebody has deleted it meanwhile, or it cannot be entered.
    """
    from optbuild.errors import UsageError

    try:
        return Path.cwd()
    except OSError as error:
        raise UsageError(
            f"the directory that this shell is in cannot be read: {error.strerror}",
            help="it may have been deleted and created again: cd to the project again",
        ) from error


def screen_of(call: CliContext, output: Path | None = None) -> Screen:
    """What standard output can show, or a file instead of it."""
    import shutil

    from optbuild.report.model import Screen

    colour = output is None and call.wants_colour(is_terminal=sys.stdout.isatty())
    return Screen(
        width=shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100,
        colour=colour,
    )


def render_report(
    call: CliContext, record: RunRecord, form: str, screen: Screen, *, evidence: bool = False, title: str | None = None
) -> str:
    """A stored run, or its evidence of PGO, in a format.

    Raises:
        UsageError: There is no such format, it has no title, or the run holds nothing for it.
        ToolchainError: What draws its charts is not installed.
    """
    from optbuild.cli.choices import require_choice
    from optbuild.errors import UsageError
    from optbuild.report.assemble import assemble
    from optbuild.report.evidence_page import assemble_evidence
    from optbuild.report.formats import EVIDENCE_FORMATS, FORMATS, TITLED

    formats = EVIDENCE_FORMATS if evidence else FORMATS
    require_choice(form, formats, "format", "the evidence" * evidence)
    if title is not None and form not in TITLED:
        raise UsageError(
            f"the format {form!r} has no title", help=f"leave out --title, or choose {' or '.join(TITLED)}"
        )
    report = assemble_evidence(record) if evidence else assemble(record)
    return formats[form](record, _titled(report, title), screen)


def fill_in_template(record: RunRecord, path: Path, title: str | None) -> str:
    """A stored run in the words of a template.

    Raises:
        UsageError: The template cannot be read or filled in.
    """
    from optbuild.errors import UsageError
    from optbuild.report.assemble import assemble
    from optbuild.report.release_notes import with_contributions
    from optbuild.report.template import render_template

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise UsageError(
            f"the template cannot be read: {why}", help="name a file: --template notes.md.j2", location=str(path)
        ) from error
    report = with_contributions(record, assemble(record))
    return render_template(text, str(path), record, _titled(report, title))


def _titled(report: Report, title: str | None) -> Report:
    from dataclasses import replace

    from optbuild.text import sanitize_line

    return report if title is None else replace(report, title=sanitize_line(title))


def write_result(text: str, output: Path | None) -> None:
    """Write a result to a file, or to standard output if none is named.

    Raises:
        StorageError: The file cannot be written; its old content is intact.
    """
    if output is None:
        write_out(text)
        return
    from optbuild.files import atomic_write

    atomic_write(output.absolute(), text.encode())


def write_out(text: str) -> None:
    """Write a result to standard output.

    What the stream cannot encode (non-text bytes of a path, a character outside ASCII) is written as an escape.
    """
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


class ReadStream(io.TextIOWrapper):
    """A standard stream that ends the program quietly when its reader is gone, whoever writes to it.

    Typer and rich would end it as well, each with a different status. If the disk is full or the terminal is gone, lost
    results are an error with a remedy, and lost messages are not: they end no run.
    """

    def __init__(self, stream: TextIO, *, holds_results: bool) -> None:
        super().__init__(
            os.fdopen(stream.fileno(), "wb", closefd=False),
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=getattr(stream, "line_buffering", False),
        )
        self._holds_results = holds_results

    def write(self, text: str) -> int:
        """Write."""
        with self._guarded():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flush."""
        with self._guarded():
            super().flush()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # Python would complain again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if isinstance(error, BrokenPipeError):
                leave(SIGPIPE_STATUS)
            if self._holds_results:
                from optbuild.files import storage_error

                raise storage_error(Path("standard output"), error) from error


def leave(status: int) -> NoReturn:
    """End the program."""
    sys.exit(status)  # noqa: TID251 - the one place that exits


def error_to_json(error: OptbuildError, context: CliContext) -> str:
    """The record of a command that failed before its run began; it is not stored."""
    from datetime import UTC, datetime

    from optbuild import __version__
    from optbuild.errors import InterruptedRunError
    from optbuild.record.model import ErrorRecord, RunRecord, RunStatus
    from optbuild.record.store import make_run_id, render_record

    now = datetime.now(UTC)
    record = RunRecord(
        optbuild_version=__version__,
        run_id=make_run_id(now),
        status=RunStatus.INTERRUPTED if isinstance(error, InterruptedRunError) else RunStatus.FAILED,
        exit_code=error.status,
        started_at=now.isoformat(timespec="seconds"),
        finished_at=now.isoformat(timespec="seconds"),
        command_line=context.argv,
        error=ErrorRecord.of(error),
    )
    return render_record(record)
