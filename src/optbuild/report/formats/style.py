"""The style of pages and pictures: colours for light and dark, by the names that the charts use."""

from __future__ import annotations

LIGHT = {
    "--ink": "#1c2128",
    "--faint": "#59636e",
    "--line": "#d9dee3",
    "--band": "#eef1f4",
    "--paper": "#ffffff",
    "--faster": "#1a7f37",
    "--slower": "#c0362c",
    "--first": "#2f6fd0",
    "--second": "#bc6a12",
    "--third": "#7a4fc0",
    "--fourth": "#7b8794",
}
DARK = {
    "--ink": "#e6edf3",
    "--faint": "#9aa5b1",
    "--line": "#343b44",
    "--band": "#22282f",
    "--paper": "#12161b",
    "--faster": "#4ac26b",
    "--slower": "#ff7b72",
    "--first": "#6cb0ff",
    "--second": "#f0a64b",
    "--third": "#b797f2",
    "--fourth": "#8c97a3",
}


def variables(colours: dict[str, str]) -> str:
    """Declarations of CSS variables."""
    return " ".join(f"{name}: {value};" for name, value in colours.items())


_DARK_SCHEME = f"@media (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}"
SCHEMES = f":root {{ color-scheme: light dark; {variables(LIGHT)} }}\n{_DARK_SCHEME}"

DRAWING = "svg text { stroke: var(--paper); stroke-width: 3px; paint-order: stroke; stroke-linejoin: round; }"
"""Outlines text, which keeps it legible across lines."""

PAGE = (
    f"{SCHEMES}\n{DRAWING}"
    """
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 3rem; max-width: 66rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1.25rem; }
h2 { font-size: 1.05rem; margin: 2.25rem 0 .75rem; }
.status { border-left: 4px solid var(--slower); padding-left: .75rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .94rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: .4rem 1.4rem .4rem 0; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { vertical-align: bottom; white-space: normal; color: var(--faint); font-weight: 600; font-size: .85rem; }
th:last-child, td:last-child { padding-right: .25rem; }
.right { text-align: right; }
td.prose { white-space: normal; min-width: 14rem; overflow-wrap: anywhere; }
td.faster { color: var(--faster); font-weight: 600; } td.slower { color: var(--slower); font-weight: 600; }
.charts { columns: 25rem 2; column-gap: 1rem; margin-top: 2rem; }
figure { margin: 0 0 1rem; break-inside: avoid; padding: 1rem 1rem .75rem; border: 1px solid var(--line);
  border-radius: .6rem; min-width: 0; }
figure h2 { margin: 0; }
figcaption { color: var(--faint); font-size: .85rem; line-height: 1.4; margin: .15rem 0 .75rem; }
svg { display: block; width: 100%; height: auto; font-family: inherit; stroke-linejoin: round; }
.notes { padding-left: 1.1rem; color: var(--faint); font-size: .88rem; margin-top: 2.25rem; }
.notes li { margin-bottom: .3rem; }
details { margin-top: 1.5rem; } summary { cursor: pointer; font-weight: 600; }
code { font-size: .82rem; white-space: pre-wrap; }
li > code { color: var(--faint); }
@media (max-width: 40rem) { body { padding: 1rem .9rem 2rem; } h1 { font-size: 1.25rem; }
  figure { padding: .75rem .6rem .5rem; }
  th, td { padding-right: .9rem; } }
"""
)
