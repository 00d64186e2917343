"""One self-contained page: flame graphs that can be searched and zoomed, and the table of functions."""

from __future__ import annotations

import json
from html import escape
from importlib import resources
from typing import Any

from optbuild.observe.call_tree import Node, Weight, make_tree
from optbuild.observe.profiles import Profiled
from optbuild.report.flame.table import describe, explain, make_function_table, make_title, unit_of
from optbuild.report.formats.html import render_table
from optbuild.report.formats.style import PAGE
from optbuild.text import sanitize_line

_SMALLEST_SHARE = 0.0005
"""Of the whole: what is narrower than half a pixel is left out."""


def render_page(profiled: Profiled) -> str:
    """Write the page; its scripts are in it, and nothing is loaded from elsewhere."""
    title, tree = make_title(profiled), make_tree(profiled)
    unit = unit_of(profiled)
    least = _SMALLEST_SHARE * max(tree.inclusive.variant, tree.inclusive.base or 0.0)
    data = {
        "unit": "s" if unit.is_time else str(unit),
        "whole": tree.inclusive.variant,
        "wholeBase": tree.inclusive.base,
        "tree": _describe(tree, least),
    }
    if profiled.base is None:
        graphs = _graph("variant", "", f"Width is {_what(profiled)} of {profiled.variant}, with all that was called.")
    else:
        graphs = _graph("variant", f"{profiled.variant}: what it takes now", _LEGEND) + _graph(
            "base",
            f"{profiled.base}: what it took before",
            f"The same with the widths of {profiled.base}: what vanished in {profiled.variant} is seen here only.",
        )
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{PAGE}\n{_asset('page.css')}</style></head>",
        f'<body class="flame"><h1>{escape(title)}</h1>',
        _CONTROLS,
        graphs,
        '<div id="details" aria-live="polite">Point at a frame; click to zoom.</div>',
        "<h2>Functions</h2>",
        render_table(make_function_table(profiled)),
        '<ul class="notes">',
        *(f"<li>{escape(line)}</li>" for line in (*describe(profiled), *explain(profiled))),
        "</ul>",
        f'<script type="application/json" id="data">{_embed(data)}</script>',
        *(f"<script>{_asset(name)}</script>" for name in ("d3.min.js", "d3-flamegraph.umd.min.js", "page.js")),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


_LEGEND = (
    "Blue is cheaper, red is dearer, grey is within the noise of the recordings; the stronger, the more of the whole. "
    "Both graphs have one scale."
)
_CONTROLS = (
    '<p class="controls"><input id="search" type="search" placeholder="Search functions (regular expression)" '
    'aria-label="Search functions"> <button id="reset" type="button">Reset</button> <output id="matched"></output></p>'
)


def _what(profiled: Profiled) -> str:
    return "CPU time" if unit_of(profiled).is_time else "instructions"


def _graph(name: str, heading: str, caption: str) -> str:
    title = f"<h2>{escape(heading)}</h2>" if heading else ""
    return (
        f'<section>{title}<p class="caption">{escape(caption)}</p><div class="graph" data-of="{name}"></div></section>'
    )


def _describe(node: Node, least: float) -> dict[str, Any]:
    """A node for the page's script, without what would be too narrow to be seen."""
    found: dict[str, Any] = {"n": sanitize_line(node.name), "v": node.inclusive.variant, "s": node.itself.variant}
    if node.inclusive.base is not None:
        found |= {"b": node.inclusive.base, "c": str(node.inclusive.change), "t": node.itself.base}
    kept = [_describe(child, least) for child in node.children if _largest(child.inclusive) >= least]
    return {**found, "k": kept} if kept else found


def _largest(weight: Weight) -> float:
    return max(weight.variant, weight.base or 0.0)


def _embed(data: object) -> str:
    """JSON within a script element: no `<` can end it."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return (resources.files("optbuild.report.flame") / "assets" / name).read_text(encoding="utf-8")
