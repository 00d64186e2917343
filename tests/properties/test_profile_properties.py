from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import fields
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from optbuild.errors import BuildProfileError
from optbuild.profile.document import Document, parse_document
from optbuild.profile.faults import KeyPath
from optbuild.profile.inherit import find_inheritance_faults, resolve_variants
from optbuild.profile.locate import locate_keys
from optbuild.profile.merge import make_layer, merge_layers, value_at
from optbuild.profile.placeholders import parse_placeholders
from optbuild.profile.variants import CodegenSettings, Lto, PgoMode, VariantSettings

SCALARS = st.sampled_from(
    [
        "1",
        "-1.5",
        "true",
        "1979-05-27 07:32:00",
        '"text"',
        "'lit]eral'",
        '"es\\"c # ["',
        '"""multi\nline = 1\n[table] \\""" """""',
        "'''\n# [[not]]\nx = 'y'\n''''",
    ]
)
COMMENTS = st.sampled_from(["", " # note", ' # k = ["', "\t# [[x]]"])


class Keys:
    """Keys of a document, no two the same and no one part of another, bare or quoted."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._numbers = count(100)

    def make(self) -> str:
        """A new key as it is written."""
        name = f"k{next(self._numbers)}"
        return self._draw(st.sampled_from([name, f'"{name}.q # x"', f"'{name}]='"]))


def draw_value(draw: st.DrawFn, keys: Keys, depth: int) -> str:
    """A TOML value, with arrays over several lines."""
    kind = draw(st.sampled_from(["scalar", "scalar", "array", "inline"])) if depth else "scalar"
    size = draw(st.integers(0, 3))
    if kind == "scalar":
        return draw(SCALARS)
    if kind == "array":
        gap = draw(st.sampled_from(["", "\n", "\n# inside [\n "]))
        return f"[{gap}{f',{gap}'.join(draw_value(draw, keys, depth - 1) for _ in range(size))}{gap}]"
    members = (f"{draw_key(draw, keys)} = {draw_value(draw, keys, depth - 1)}" for _ in range(size))
    return f"{{ {', '.join(members)} }}"


def draw_key(draw: st.DrawFn, keys: Keys) -> str:
    """A key of one to three parts."""
    return draw(st.sampled_from([".", " . "])).join(keys.make() for _ in range(draw(st.integers(1, 3))))


@st.composite
def documents(draw: st.DrawFn) -> str:
    """TOML texts with every construct that has keys."""
    keys = Keys(draw)
    lines: list[str] = []
    tables: list[str] = []

    def add_assignments() -> None:
        for _ in range(draw(st.integers(0, 3))):
            lines.append(f"{draw_key(draw, keys)} = {draw_value(draw, keys, 2)}{draw(COMMENTS)}")
            lines.extend([""] * draw(st.integers(0, 1)))

    add_assignments()
    for _ in range(draw(st.integers(0, 5))):
        if draw(st.booleans()) and tables:
            tables.append(f"{draw(st.sampled_from(tables))}.{keys.make()}")
        else:
            tables.append(draw_key(draw, keys))
        array = draw(st.booleans())
        for _ in range(draw(st.integers(1, 2)) if array else 1):
            lines.append(f"[[{tables[-1]}]]" if array else f"[ {tables[-1]} ]{draw(COMMENTS)}")
            add_assignments()
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    return ending.join("\n".join(lines).split("\n"))


def walk(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key path below a value."""
    members: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    for key, item in members:
        yield (*path, key)
        yield from walk(item, (*path, key))


@given(documents())
def test_the_line_found_for_a_key_holds_that_key(text: str) -> None:
    """Exactly the keys that tomllib reads are located, each on a line that holds it."""
    lines = text.split("\n")
    located = locate_keys(text)
    assert set(located) == set(walk(tomllib.loads(text)))
    for path, line in located.items():
        if isinstance(path[-1], str):
            assert path[-1] in lines[line - 1]


@given(documents(), documents())
def test_merging_locates_every_key_in_the_document_it_came_from(base: str, over: str) -> None:
    """Origins and values tell the same story, however two documents overlap."""
    documents = {name: parse_document(text.encode(), label=name) for name, text in (("base", base), ("over", over))}
    merged = merge_layers(make_layer(documents["base"]), make_layer(documents["over"]))
    assert set(merged.origins) == {(), *walk(merged.tree)}
    for path, origin in merged.origins.items():
        value = value_at(merged.tree, path)
        if not isinstance(value, dict | float):
            assert value == value_at(documents[origin.label].tree, path)


@given(documents())
def test_merging_a_layer_with_itself_changes_nothing(text: str) -> None:
    """Merging is idempotent."""
    layer = make_layer(parse_document(text.encode(), label="x"))
    assert merge_layers(layer, layer) == layer


FLAGS = st.none() | st.lists(st.sampled_from(["-a", "-b"]), max_size=2).map(tuple)


@st.composite
def variant_settings(draw: st.DrawFn) -> dict[str, VariantSettings]:
    """Variants of which each inherits from an earlier one or from none, in any order."""
    names = [f"v{number}" for number in range(draw(st.integers(1, 6)))]
    settings = {
        name: VariantSettings(
            inherits=draw(st.sampled_from([None, *names[:position]])),
            lto=draw(st.none() | st.sampled_from(Lto)),
            strip=draw(st.none() | st.booleans()),
            codegen_units=draw(st.none() | st.integers(1, 4)),
            rustflags=draw(FLAGS),
            pgo=draw(st.none() | st.sampled_from(PgoMode)),
        )
        for position, name in enumerate(names)
    }
    return {name: settings[name] for name in draw(st.permutations(names))}


@given(variant_settings())
def test_resolving_is_idempotent(settings: dict[str, VariantSettings]) -> None:
    """A resolved variant, written without `inherits`, resolves to the same settings."""
    assert not list(find_inheritance_faults({name: each.inherits for name, each in settings.items()}))
    for name, variant in resolve_variants(settings).items():
        written = VariantSettings(
            features=variant.features,
            rustflags=variant.rustflags,
            pgo=variant.pgo,
            **{field.name: getattr(variant, field.name) for field in fields(CodegenSettings)},
        )
        again = resolve_variants({name: written})[name]
        assert again.rustflags == variant.rustflags
        assert [getattr(again, field.name) for field in fields(again) if field.name != "ancestors"] == [
            getattr(variant, field.name) for field in fields(variant) if field.name != "ancestors"
        ]


@given(st.dictionaries(st.sampled_from("abcd"), st.none() | st.sampled_from("abcdx")))
def test_inheritance_without_faults_resolves(parents: dict[str, str | None]) -> None:
    """What has neither an unknown name nor a cycle ends; what does not end is told."""
    if not list(find_inheritance_faults(parents)):
        settings = {name: VariantSettings(inherits=parent) for name, parent in parents.items()}
        for name, variant in resolve_variants(settings).items():
            assert name not in variant.ancestors


@given(st.text())
def test_doubled_braces_make_any_text_literal(text: str) -> None:
    """Every word can be written."""
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert "".join(map(str, parse_placeholders(doubled))) == text


def parse_or_refuse(data: bytes) -> Document | BuildProfileError:
    """A document, or why it is none."""
    try:
        return parse_document(data, label="x")
    except BuildProfileError as error:
        return error


@given(st.text() | st.text(alphabet="[]{}.=,\n\"'#\\ab1 ", max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Whatever a file holds, it is a document or a problem with a remedy."""
    outcome = parse_or_refuse(text.encode("utf-8", "replace"))
    if isinstance(outcome, BuildProfileError):
        assert all(problem.help for problem in outcome.problems)
    else:
        assert set(outcome.lines) == set(walk(outcome.tree))
