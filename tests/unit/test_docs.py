"""What the documents promise: links that lead somewhere, examples that load, words that mean one thing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.generate import WRITE_COMMAND, find_drift, main, render_files
from optbuild.fleet.load import load_fleet
from optbuild.measure.warnings import WarningKind
from optbuild.profile.load import load_build_profile
from optbuild.profile.model import BuildProfile
from optbuild.project.layout import Layout

ROOT = Path(__file__).resolve().parents[2]
PAGES = (*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md")))
PAGE_NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
GLOSSARY = ROOT / "docs" / "glossary.md"

_FENCE = re.compile(r"^```(?P<language>\S*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_TERM = re.compile(r"^- \*\*(?P<term>[^*]+)\*\*: (?P<meaning>.*(?:\n  .*)*)", re.MULTILINE)


def text_of(page: Path) -> str:
    """What a page says."""
    return page.read_text(encoding="utf-8")


def anchors_of(page: Path) -> set[str]:
    """The fragments of a page, made from its headings as hosting platforms make them."""
    headings = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text_of(page)))
    return {heading.strip().replace(" ", "-") for heading in headings}


def toml_blocks(*, fleets: bool = False) -> Iterator[tuple[str, str]]:
    """Every TOML block that is a whole build profile, or a whole list of projects, with the page it stands on."""
    for page in PAGES:
        for fence in _FENCE.finditer(text_of(page)):
            is_whole = fence["language"] == "toml" and "schema = 1" in fence["body"]
            if is_whole and ("[[projects]]" in fence["body"]) is fleets:
                line = text_of(page).count("\n", 0, fence.start()) + 1
                yield f"{page.relative_to(ROOT)}:{line}", fence["body"]


def first_cells(heading: str) -> list[str]:
    """The first cell of each row of the table below a heading of the page on the design."""
    section = text_of(ROOT / "docs" / "explanation" / "design.md").partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    return [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]


def load_in(directory: Path, text: str) -> BuildProfile:
    """Load a text as the `optbuild.toml` of a directory."""
    path = directory / "optbuild.toml"
    path.write_text(text, encoding="utf-8")
    return load_build_profile(path, directory=directory)


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """A link to a file or a heading of this repository names one that is there."""
    for target in _LINK.findall(_CODE.sub("", text_of(page))):
        if "://" in target:
            continue
        path, _, fragment = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if fragment:
            assert fragment in anchors_of(linked), target


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_every_block_is_closed(page: Path) -> None:
    """Fences come in pairs, so that no example swallows the text below it."""
    assert len(re.findall(r"^\s*```", text_of(page), re.MULTILINE)) % 2 == 0


@pytest.mark.parametrize(("where", "text"), [pytest.param(*block, id=block[0]) for block in toml_blocks()])
def test_a_build_profile_in_the_documents_loads(where: str, text: str, tmp_path: Path) -> None:
    """A whole build profile that a document shows is one that optbuild takes."""
    assert load_in(tmp_path, text).variants, where


@pytest.mark.parametrize(("where", "text"), [pytest.param(*block, id=block[0]) for block in toml_blocks(fleets=True)])
def test_a_fleet_in_the_documents_loads(where: str, text: str, tmp_path: Path) -> None:
    """Where the files that it names are there."""
    (tmp_path / "fleet").mkdir()
    for project in tomllib.loads(text)["projects"]:
        if "path" in project:
            (tmp_path / "fleet" / project["path"]).resolve().mkdir(parents=True)
            (tmp_path / "fleet" / project["path"] / "Cargo.toml").touch()
        if "build-profile" in project:
            (tmp_path / "fleet" / project["build-profile"]).write_text("schema = 1\n")
    path = tmp_path / "fleet" / "FLEET.toml"
    path.write_text(text, encoding="utf-8")
    assert load_fleet(path).projects, where


def test_there_are_build_profiles_to_load() -> None:
    """The tutorial, the README and the how-to guides show whole build profiles."""
    pages = {where.partition(":")[0] for where, _ in toml_blocks()}
    assert {"README.md", "docs/tutorial.md", "docs/how-to/choose-workloads.md"} <= pages


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_toml_in_the_documents_is_toml(page: Path) -> None:
    """A TOML block that is only a part parses as well."""
    for fence in _FENCE.finditer(text_of(page)):
        if fence["language"] == "toml":
            assert tomllib.loads(fence["body"])


def test_the_glossary_explains_each_term_once() -> None:
    """No term has two meanings, also not in two groups."""
    terms = [match["term"].casefold() for match in _TERM.finditer(text_of(GLOSSARY))]
    assert terms
    assert len(set(terms)) == len(terms)


def test_the_glossary_is_sorted_in_each_group() -> None:
    """Below each heading the terms stand in alphabetical order."""
    for group in text_of(GLOSSARY).split("\n## ")[1:]:
        terms = [match["term"].casefold() for match in _TERM.finditer(group)]
        assert terms
        assert terms == sorted(terms, key=lambda term: re.sub(r"[^\w -]", "", term))


def test_the_glossary_has_only_entries() -> None:
    """Every bullet of the glossary is a term with a meaning that ends in a full stop."""
    text = text_of(GLOSSARY)
    entries = list(_TERM.finditer(text))
    assert len(entries) == len(re.findall(r"^- ", text, re.MULTILINE))
    assert all(entry["meaning"].endswith(".") for entry in entries)


def test_generated_files_are_what_the_code_gives() -> None:
    """The committed schemas and reference pages do not drift from the code."""
    assert find_drift(ROOT) == [], f"renew them: {WRITE_COMMAND}"


def test_drift_is_found(tmp_path: Path) -> None:
    """A file that is missing or has another text is named, and only that."""
    files = render_files()
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert find_drift(tmp_path) == []
    first, second, *_ = files
    (tmp_path / first).unlink()
    (tmp_path / second).write_text("{}\n", encoding="utf-8")
    assert find_drift(tmp_path) == [first, second]


def test_the_generator_says_how_to_renew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Drift ends the check with a list, the command that mends it, and exit code 1; `--write` mends it."""
    monkeypatch.setattr("docs.generate.ROOT", tmp_path)
    assert main([]) == 1
    said = capsys.readouterr().err
    assert all(name in said for name in render_files())
    assert f"help: {WRITE_COMMAND}" in said
    assert main(["--write"]) == 0
    assert main([]) == 0


def test_every_command_and_option_has_words() -> None:
    """The reference of the command line leaves no argument and no option without an explanation."""
    page = render_files()["docs/reference/commands.md"]
    rows = [line for line in page.splitlines() if line.startswith("  ")]
    assert rows
    assert all(re.fullmatch(r"  \S.*\S {2,}\S.*", row) for row in rows)


def test_the_reference_shows_what_may_be_left_out_and_what_there_is_to_choose_from() -> None:
    """An argument without need is in brackets, and an option that may be unset names its choices as any other."""
    page = render_files()["docs/reference/commands.md"]
    assert "Usage: optbuild compare [OPTIONS] [OLD] [NEW]\n" in page
    assert "Usage: optbuild explain [OPTIONS] VARIANT\n" in page
    assert "Usage: optbuild bench [OPTIONS] NAME=PATH…\n" in page
    assert "  --objective time|size " in page
    limits = dict(re.findall(r"^## optbuild (.*?)$(?:(?!^## ).*\n)*?  --max-time TIME +(.*)$", page, re.MULTILINE))
    assert limits["advise"] == "What sampling a workload may take; default: 30s."
    assert limits["pgo"] == "Budget for all measuring."
    assert not re.findall(r"^  -.* None  .*", page, re.MULTILINE)


def test_every_key_of_the_build_profile_has_words() -> None:
    """The reference of the build profile explains every key."""
    page = render_files()["docs/reference/build-profile.md"]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in page.splitlines() if line.startswith("| `")]
    assert rows
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in rows)


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_the_documents_name_no_path_of_a_machine(page: Path) -> None:
    """Quoted output is shortened so that it holds nobody's home or working directory."""
    assert re.findall(r"(?<![\w.])/(?:root|home|work|Users)/", text_of(page)) == []


def test_every_test_that_the_documents_name_exists() -> None:
    """A trap without a test that provokes it would be a promise."""
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", text_of(ROOT / "docs/explanation/pgo-traps.md")))
    assert len(named) > 30
    assert named <= defined, named - defined


def test_the_design_names_every_layer_and_its_neighbours() -> None:
    """Its table has the lines of the contract that import-linter checks, in the same order."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = [{*re.findall(r"\w+", line)} for line in contracts[0]["layers"] if line != "__main__"]
    assert [{*re.findall(r"`(\w+)`", row)} for row in first_cells("## Layers")] == layers


def test_the_design_names_every_room_of_making_and_every_file_of_measure() -> None:
    """What is added there answers a question, and the page says which."""
    rooms = {path.parent.name for path in (ROOT / "src/optbuild/making").glob("*/__init__.py")}
    assert {*re.findall(r"`(\w+)`", " ".join(first_cells("## How a plan is carried out")))} == rooms
    files = {path.name for path in (ROOT / "src/optbuild/measure").glob("[!_]*.py")}
    assert {*re.findall(r"`(\w+\.py)`", " ".join(first_cells("## How something is measured")))} == files


def test_the_design_names_everything_below_the_directory_of_a_project() -> None:
    """A path of the layout has a row in its table, and the other way round."""
    layout = Layout.apart(Path("/own"))
    paths = [getattr(layout, name) for name, item in vars(Layout).items() if isinstance(item, property)]
    names = {path.relative_to(layout.root).parts[0] for path in (*paths, layout.artifacts)}
    cells = " ".join(first_cells("## Files on disk"))
    assert {*re.findall(r"`([\w.]+)/?[^`]*`", cells)} - {"targets"} == names


def test_every_note_at_a_number_is_explained() -> None:
    """The page on the table has a row for each kind of warning that rides on a comparison."""
    page = (ROOT / "docs" / "how-to" / "read-the-table.md").read_text("utf-8")
    assert [str(kind) for kind in WarningKind if f"| `{kind}` |" not in page] == []
