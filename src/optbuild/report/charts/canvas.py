"""A sheet to draw on, converted to SVG with real text, and with colours that a style sheet chooses.

Everything is drawn in placeholder colours, which CSS variables then replace: one drawing suits light and dark pages,
without a script.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from optbuild.errors import ToolchainError
from optbuild.report.model import Tone

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 384
"""The width of every chart, in its own units; a unit is about a pixel if two charts are side by side."""
_UNITS_PER_INCH = 72
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_FONT = re.compile(r"font-family: [^;\"]*")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "optbuild",
    "text.parse_math": False,
    "font.size": 11,
    "axes.unicode_minus": True,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
}


class Ink(Enum):
    """A colour: the value that it is drawn in, and the variable that replaces it."""

    TEXT = ("#010001", "--ink")
    FAINT = ("#010002", "--faint")
    LINE = ("#010003", "--line")
    BAND = ("#010004", "--band")
    PAPER = ("#010005", "--paper")
    FASTER = ("#010006", "--faster")
    SLOWER = ("#010007", "--slower")
    FIRST = ("#010008", "--first")
    SECOND = ("#010009", "--second")
    THIRD = ("#01000a", "--third")
    FOURTH = ("#01000b", "--fourth")

    @property
    def drawn(self) -> str:
        """The value for matplotlib."""
        return self.value[0]

    @property
    def variable(self) -> str:
        """The name in CSS."""
        return self.value[1]


SERIES = (Ink.FIRST, Ink.SECOND, Ink.THIRD, Ink.FOURTH)
TONES = {Tone.FASTER: Ink.FASTER, Tone.SLOWER: Ink.SLOWER, Tone.PLAIN: Ink.FAINT}


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    try:
        import matplotlib.figure  # noqa: F401, PLC0415 - an extra, and slow to load
    except ImportError:
        return False
    return True


def draw(paint: Callable[[Axes], None], *, name: str, label: str, height: float) -> str:
    """Draw on axes that fill a sheet, and give the SVG element.

    Args:
        paint: Draws, and places the axes on the sheet.
        name: The prefix of this drawing's ids, which allows several on one page.
        label: The text for screen readers.
        height: In the drawing's units.

    Raises:
        ToolchainError: Matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context  # noqa: PLC0415 - an extra, and slow to load
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise ToolchainError(
            "charts need matplotlib, which is not installed", help="pip install 'cargo-optbuild[charts]'"
        ) from error
    with rc_context(_SETTINGS), warnings.catch_warnings():
        # The reader's browser has the fonts for names; only their width is guessed here.
        warnings.filterwarnings("ignore", message=r"Glyph \d+", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support", category=UserWarning)
        figure = Figure(figsize=(WIDTH / _UNITS_PER_INCH, height / _UNITS_PER_INCH), dpi=_UNITS_PER_INCH)
        paint(_bare_axes(figure))
        stream = io.StringIO()
        figure.savefig(
            stream, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    return _restyle(stream.getvalue(), name, label)


def place(axes: Axes, *, left: float, top: float, right: float = 12, bottom: float = 34) -> None:
    """Place axes on the sheet by their margins, in the drawing's units."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101 - it was made with one
    height = figure.get_figheight() * _UNITS_PER_INCH
    axes.set_position((left / WIDTH, bottom / height, 1 - (left + right) / WIDTH, 1 - (top + bottom) / height))


def _bare_axes(figure: Figure) -> Axes:
    axes = figure.add_axes((0, 0, 1, 1))
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, colors=Ink.FAINT.drawn, labelsize=10, pad=5)
    axes.set_axisbelow(True)
    return axes


def _restyle(text: str, name: str, label: str) -> str:
    """Remove what a page does not need, and prefix the remaining names with the chart's."""
    root = ET.fromstring(text)  # noqa: S314 - matplotlib has just written it
    for parent in [*root.iter()]:
        for child in [*parent]:
            if child.tag == f"{{{_SVG}}}metadata" or (
                child.tag == f"{{{_SVG}}}defs" and child.find(f"{{{_SVG}}}style") is not None
            ):
                parent.remove(child)
    used = {match for element in root.iter() for value in element.attrib.values() for match in _references(value)}
    for element in root.iter():
        _restyle_element(element, name, used)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.attrib |= {"role": "img", "aria-label": label}
    ET.register_namespace("", _SVG)
    return ET.tostring(root, encoding="unicode").replace('\n" ', '" ')


def _references(value: str) -> list[str]:
    return [value[1:]] if value.startswith("#") else _REFERENCE.findall(value)


def _restyle_element(element: ET.Element, name: str, used: set[str]) -> None:
    found = element.attrib
    if "id" in found:
        if found["id"] in used:
            found["id"] = f"{name}-{found['id']}"
        else:
            del found["id"]
    if _XLINK in found:
        found["href"] = f"#{name}-{found.pop(_XLINK)[1:]}"
    for key, value in found.items():
        found[key] = _REFERENCE.sub(rf"url(#{name}-\1)", value)
    if "style" in found:
        style = _FONT.sub("font-family: inherit", found["style"])
        for ink in Ink:
            style = style.replace(ink.drawn, f"var({ink.variable})")
        found["style"] = style
