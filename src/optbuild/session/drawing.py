"""Draw what was recorded as it was asked for. A form that needs a program is refused before anything runs."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from optbuild.errors import ToolchainError, UsageError
from optbuild.execution.command import Command
from optbuild.execution.tool import run_tool
from optbuild.observe.profiles import Profiled
from optbuild.report.flame.exports import fold_for_drawing, render_folded, render_speedscope, render_stacks
from optbuild.report.flame.firefox import render_firefox
from optbuild.report.flame.page import render_page
from optbuild.report.flame.table import describe, make_title, unit_of
from optbuild.session.request import Machine
from optbuild.text import last_lines
from optbuild.toolchain.observers import INSTALL_REMEDY, find_inferno
from optbuild.tools import inferno

_DRAWING_S = 600.0


class Form(StrEnum):
    """What `flamegraph` writes."""

    SVG = "svg"
    HTML = "html"
    FOLDED = "folded"
    SPEEDSCOPE = "speedscope"
    FIREFOX = "firefox"
    TABLE = "table"


_BY_ENDING = {
    ".svg": Form.SVG,
    ".html": Form.HTML,
    ".htm": Form.HTML,
    ".folded": Form.FOLDED,
    ".json": Form.SPEEDSCOPE,
    ".txt": Form.TABLE,
}


def choose_form(asked: str | None, output: Path | None) -> Form | None:
    """The form that is asked for, or that a file's name tells; None if there is neither.

    Raises:
        UsageError: There is no such form, or the file's name suggests none.
    """
    known = ", ".join(Form)
    if asked is not None:
        if asked not in set(Form):
            raise UsageError(f"there is no format {asked!r}", help=f"choose one of: {known}")
        return Form(asked)
    if output is None:
        return None
    if output.suffix.lower() not in _BY_ENDING:
        raise UsageError(
            f"the name of {output.name} does not say what to write", help=f"name it with --format: {known}"
        )
    return _BY_ENDING[output.suffix.lower()]


def require_renderer(form: Form | None, environ: Mapping[str, str]) -> None:
    """Refuse a form that cannot be drawn here.

    Raises:
        ToolchainError: What draws it is not installed.
    """
    if form is Form.SVG and find_inferno(environ) is None:
        raise ToolchainError(
            "inferno, which draws SVG, is not installed",
            help=f"{INSTALL_REMEDY}; or by hand: {' '.join(inferno.INSTALL_ARGV)}; a page needs nothing: --format html",
            location=inferno.PROGRAM,
        )


def draw(profiled: Profiled, form: Form, machine: Machine) -> str:
    """What was recorded, in a form other than the table.

    Raises:
        ToolchainError: What draws it is not installed, or fails.
    """
    match form:
        case Form.HTML:
            return render_page(profiled)
        case Form.FOLDED:
            return render_folded(profiled)
        case Form.SPEEDSCOPE:
            return render_speedscope(profiled)
        case Form.FIREFOX:
            return render_firefox(profiled)
        case _:
            return _draw_svg(profiled, machine)


def _draw_svg(profiled: Profiled, machine: Machine) -> str:
    """One picture; of a difference two on one page, with the widths of either variant."""
    title, base = make_title(profiled), profiled.base
    if base is None:
        return _run_inferno(render_folded(profiled), title, "; ".join(describe(profiled)), profiled, machine)
    stacks = fold_for_drawing(profiled)
    wholes = [sum(each) for each in zip(*stacks.values(), strict=True)] or [1, 1]
    legend = "blue is cheaper, red is dearer, white is within the noise"
    now = _run_inferno(
        render_stacks(stacks),
        profiled.variant,
        f"widths of {profiled.variant}; {legend}",
        profiled,
        machine,
        share=wholes[1] / max(wholes),
    )
    before = _run_inferno(
        render_stacks({path: (variant, old) for path, (old, variant) in stacks.items()}),
        base,
        f"widths of {base}, with what vanished in {profiled.variant}; {legend}",
        profiled,
        machine,
        share=wholes[0] / max(wholes),
        negate=True,
    )
    try:
        return inferno.place_below(now, before, title=title)
    except ValueError as error:
        raise ToolchainError(
            str(error), help=f"install a newer one: {' '.join(inferno.INSTALL_ARGV)} --force"
        ) from error


def _run_inferno(  # noqa: PLR0913 - what is drawn, and how
    stacks: str,
    title: str,
    subtitle: str,
    profiled: Profiled,
    machine: Machine,
    *,
    share: float = 1.0,
    negate: bool = False,
) -> str:
    program = find_inferno(machine.environ)
    require_renderer(Form.SVG, machine.environ)
    count_name = "µs" if unit_of(profiled).is_time else "instructions"
    with tempfile.TemporaryDirectory(prefix="optbuild-") as directory:
        folded, picture = Path(directory) / "folded", Path(directory) / "svg"
        folded.write_text(stacks, encoding="utf-8")
        argv = inferno.make_draw_argv(
            str(program), title=title, subtitle=subtitle, count_name=count_name, share=share, negate=negate
        )
        command = Command(
            argv=argv, cwd=Path(directory), env=machine.environ, stdin=folded, stdout=picture, timeout_s=_DRAWING_S
        )
        completed = run_tool(machine.executor, "inferno", command)
        if completed.exit_code != 0:
            raise ToolchainError(
                "inferno cannot draw the recording",
                help=f"install a newer one: {' '.join(inferno.INSTALL_ARGV)} --force; or --format html",
                detail=last_lines(completed.stderr),
            )
        return picture.read_text(encoding="utf-8")
