from __future__ import annotations

import tomllib

import pytest

from optbuild.profile.faults import KeyPath
from optbuild.profile.locate import locate_keys, measure_depth

DOCUMENT = '''\
# a comment with [brackets] and "quotes
schema = 1

[project]
features = [ # opened
  "a", "b",
  # inside
  "c",
]
"quoted key".dotted = """
not = here
[nor.here]
"" # " \\""" """""
after = \'\'\'
x = 1\'\'\'

[variants.pgo]
pgo = true
[variants.lto] # out of order below
lto = "fat"
[[workloads]]
name = "one"
env = { LANG = "C", "a.b" = '#', deep.er = [1, { z = 2 }] }
[workloads.extra]
k = 1
[[workloads]]
name = "two"
[project.more]
date = 1979-05-27 07:32:00
[[workloads.steps]]
s = 1
[[workloads.steps]]
s = 2
'''


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_kind_of_key_is_found(ending: str) -> None:
    """Tables, dotted and quoted keys, arrays of tables, inline tables and elements stand where they are written."""
    text = DOCUMENT.replace("\n", ending)
    tomllib.loads(text)
    lines = locate_keys(text)
    expected: dict[KeyPath, int] = {
        ("schema",): 2,
        ("project",): 4,
        ("project", "features"): 5,
        ("project", "features", 0): 6,
        ("project", "features", 1): 6,
        ("project", "features", 2): 8,
        ("project", "quoted key"): 10,
        ("project", "quoted key", "dotted"): 10,
        ("project", "after"): 14,
        ("variants",): 17,
        ("variants", "pgo"): 17,
        ("variants", "pgo", "pgo"): 18,
        ("variants", "lto"): 19,
        ("variants", "lto", "lto"): 20,
        ("workloads",): 21,
        ("workloads", 0): 21,
        ("workloads", 0, "name"): 22,
        ("workloads", 0, "env"): 23,
        ("workloads", 0, "env", "LANG"): 23,
        ("workloads", 0, "env", "a.b"): 23,
        ("workloads", 0, "env", "deep"): 23,
        ("workloads", 0, "env", "deep", "er"): 23,
        ("workloads", 0, "env", "deep", "er", 0): 23,
        ("workloads", 0, "env", "deep", "er", 1): 23,
        ("workloads", 0, "env", "deep", "er", 1, "z"): 23,
        ("workloads", 0, "extra"): 24,
        ("workloads", 0, "extra", "k"): 25,
        ("workloads", 1): 26,
        ("workloads", 1, "name"): 27,
        ("project", "more"): 28,
        ("project", "more", "date"): 29,
        ("workloads", 1, "steps"): 30,
        ("workloads", 1, "steps", 0): 30,
        ("workloads", 1, "steps", 0, "s"): 31,
        ("workloads", 1, "steps", 1): 32,
        ("workloads", 1, "steps", 1, "s"): 33,
    }
    assert lines == expected


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("a = 1", (0, 1)),
        ("a.b.c = 1.5", (2, 1)),
        ("x = 1\na = [[1], [2]]", (2, 2)),
        ('a = "[[[[" # [[[[', (0, 1)),
        ("a = {b = {c.d = 1}}", (3, 1)),
        ("[a.b.c]\nx = [1.5, 2.5]", (3, 1)),
        ("]]]]\n[a]", (1, 2)),
    ],
)
def test_depth_counts_brackets_and_dots_outside_of_text(text: str, depth: tuple[int, int]) -> None:
    """Depth is what a parser would recurse into; strings and comments do not count."""
    assert measure_depth(text) == depth


@pytest.mark.parametrize("piece", ['"""\\', "'''", '"\\', "'", '"', '""" \\""" '])
def test_unclosed_strings_are_read_in_one_pass(piece: str) -> None:
    """A text of nothing but broken strings is measured without backtracking."""
    assert measure_depth(piece * 100_000)[0] == 0
