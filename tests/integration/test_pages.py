"""Pages and pictures in a real browser: whether it complains, and whether anything is wider than its place."""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from optbuild.record.model import RunRecord
from optbuild.report.assemble import assemble
from optbuild.report.formats import FORMATS
from optbuild.report.model import Screen
from tests.conftest import find_chromium
from tests.unit.report_cases import make_cross_validated, make_measured, rename, with_in_sample, with_samples

pytestmark = pytest.mark.chromium

WIDTHS = (360, 1280)
SCHEMES = {"light": 1, "dark": 0}
"""The values of Blink's setting."""
LONG = "a-workload-with-a-name-that-nobody-wants-to-type-twice-in-a-row"
# What is outside of its place, and the colours that are shown, for each frame.
MEASURE = """
function box(node) { return node.getBoundingClientRect(); }
window.onload = () => {
  const found = [...document.querySelectorAll("iframe")].map((frame) => {
    const page = frame.contentDocument, view = frame.contentWindow, width = page.documentElement.clientWidth;
    const loose = [...page.querySelectorAll("body *")].filter((node) =>
      !node.closest(".wide *") && !node.closest("clipPath, defs") && box(node).width > 0
      && (box(node).right > width + 1 || box(node).left < -1));
    const cut = [...page.querySelectorAll("svg text")].filter((text) => {
      const own = box(text), paper = box(text.closest("svg"));
      return own.left < paper.left - 1 || own.right > paper.right + 1 || own.top < paper.top - 1
        || own.bottom > paper.bottom + 1;
    });
    return {
      width, scroll: page.documentElement.scrollWidth,
      loose: loose.map((node) => node.outerHTML.slice(0, 200)), cut: cut.map((text) => text.textContent),
      drawings: page.querySelectorAll("svg").length, paper: view.getComputedStyle(page.body).backgroundColor,
      ink: [...page.querySelectorAll("svg text")].map((text) => view.getComputedStyle(text).fill),
    };
  });
  document.getElementById("found").textContent = JSON.stringify(found);
};
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What a browser measured, by page and width."""

    scheme: str
    frames: dict[tuple[str, int], dict[str, Any]]


def render(record: RunRecord, name: str) -> str:
    """Assemble and write in one format."""
    return FORMATS[name](record, assemble(record), Screen())


def look_at(pages: Mapping[str, str], scheme: str, tmp_path: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Open pages in frames of all widths and measure them; any word on the browser's console is a failure."""
    places = [(name, width) for name in pages for width in WIDTHS]
    frames = "".join(
        f'<iframe srcdoc="{html.escape(pages[name])}" style="width:{width}px;height:9000px;border:0"></iframe>'
        for name, width in places
    )
    outer = tmp_path / f"{scheme}.html"
    outer.write_text(
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><meta name="color-scheme" content="{scheme}"></head>'
        f'<body><pre id="found"></pre>{frames}<script>{MEASURE}</script></body></html>'
    )
    browser = find_chromium()
    assert browser is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}"]
    argv = [browser, *options, "--window-size=1400,3000", "--dump-dom", outer.as_uri()]
    ended = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=300)
    assert "CONSOLE" not in ended.stderr, ended.stderr
    found = re.search(r'<pre id="found">(.*?)</pre>', ended.stdout, re.DOTALL)
    assert found is not None
    assert found[1], "the page was measured"
    measured: list[dict[str, Any]] = json.loads(html.unescape(found[1]))
    return dict(zip(places, measured, strict=True))


def make_wide() -> RunRecord:
    """Long names, in-sample labels, cross-validation, and builds beside each other."""
    record = rename(
        with_samples(make_cross_validated("a", "b", "c")), {"a": LONG, "b": "漢字" * 12, "lto": f"lto-{LONG}"}
    )
    return replace(
        record,
        variants=tuple(
            replace(item, steps=tuple(replace(step, started_s=float(number)) for step in item.steps))
            for number, item in enumerate(record.variants)
        ),
    )


@pytest.fixture(scope="module", params=SCHEMES)
def looks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Looks:
    """What a browser makes of all pages in one scheme: starting it takes longer than all the rest."""
    scheme: str = request.param
    plain = with_samples(with_in_sample(make_measured("a", "b"), a=True, b=False))
    picture = f'<!DOCTYPE html><meta name="color-scheme" content="light dark"><body>{render(make_wide(), "svg")}'
    pages = {"wide": render(make_wide(), "html"), "plain": render(plain, "html"), "picture": picture}
    return Looks(scheme=scheme, frames=look_at(pages, scheme, tmp_path_factory.mktemp("pages")))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("page", "drawings"), [("wide", 5), ("plain", 4), ("picture", 1)])
def test_nothing_is_outside_of_its_place(looks: Looks, page: str, drawings: int, width: int) -> None:
    """At the width of a phone and of a desk: tables scroll in their own place, all text of a chart stays on it."""
    frame = looks.frames[page, width]

    assert frame["width"] == width
    assert frame["scroll"] <= width
    assert frame["loose"] == []
    assert frame["cut"] == []
    assert frame["drawings"] == drawings


def test_ink_and_paper_are_those_of_the_scheme(looks: Looks) -> None:
    """The paper is light or dark and all ink stands out from it, in the charts as well."""
    frame = looks.frames["plain", WIDTHS[0]]
    paper = _lightness(frame["paper"])

    assert (paper > 0.5) == (looks.scheme == "light")
    assert all(abs(_lightness(ink) - paper) > 0.25 for ink in frame["ink"])


def _lightness(colour: str) -> float:
    """From 0 to 1, of `rgb(…)`."""
    red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255
