"""inferno, which draws flame graphs as SVG: argv out; its picture is passed on, or two of them are put on one page."""

from __future__ import annotations

import re
from html import escape

PROGRAM = "inferno-flamegraph"
INSTALL_ARGV = ("cargo", "install", "inferno", "--locked")
WIDTH = 1600
_LEAST_WIDTH = 400
_HEADING = 30

_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL)
_HEIGHT = re.compile(r'<svg[^>]*?\bheight="(\d+)"')
_PROLOGUE = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
_CONTROLS = re.compile(r'<text id="(?:details|unzoom|search|matched)"[^>]*>.*?</text>', re.DOTALL)


def make_draw_argv(
    program: str, *, title: str, subtitle: str, count_name: str, share: float = 1.0, negate: bool = False
) -> tuple[str, ...]:
    """The argv that reads folded stacks from standard input and writes a picture; two numbers a line are a difference.

    Args:
        program: Where it is.
        title: Above the picture.
        subtitle: Below the title.
        count_name: What the numbers count.
        share: Of the full width.
        negate: Blue is what grew: for a picture with the widths of before.

    Sources:
        `inferno-flamegraph --help`, https://docs.rs/inferno
    """
    width = max(_LEAST_WIDTH, round(WIDTH * share))
    options = ("--width", str(width), "--title", title, "--subtitle", subtitle, "--countname", count_name)
    look = ("--deterministic", "--colors", "rust", "--bgcolors", "#ffffff", "--stroke-color", "#c9cfd6", "--quiet")
    return (program, *options, *look, *(("--negate",) if negate else ()))


def place_below(first: str, second: str, *, title: str) -> str:
    """Two pictures as one, the second below the first, without what reacts to a pointer: names show when it rests.

    Raises:
        ValueError: One of them is not a picture by inferno.
    """
    drawings = [
        _CONTROLS.sub("", _SCRIPT.sub("", _PROLOGUE.sub("", each, count=1))).strip() for each in (first, second)
    ]
    heights = [_height(each) for each in drawings]
    inner = "\n".join(
        each.replace("<svg", f'<svg x="0" y="{_HEADING + sum(heights[:place])}"', 1)
        for place, each in enumerate(drawings)
    )
    height = _HEADING + sum(heights)
    return (
        f'<?xml version="1.0" standalone="no"?>\n<svg version="1.1" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:fg="http://github.com/jonhoo/inferno">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n'
        f'<text x="10" y="20" font-family="monospace" font-size="15">{escape(title)}</text>\n{inner}\n</svg>\n'
    )


def _height(drawing: str) -> int:
    match = _HEIGHT.match(drawing)
    if match is None:
        raise ValueError("inferno drew something unknown")
    return int(match[1])
