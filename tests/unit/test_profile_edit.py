from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from optbuild.errors import BuildProfileError
from optbuild.profile.edit import FIRST_MAX_TIME, Outline, ProposedWorkload, add_schema_version, make_profile_text
from optbuild.profile.load import load_build_profile
from optbuild.profile.model import SCHEMA_VERSION

NAMES = st.text(min_size=1, max_size=12)
PROPOSED = st.builds(
    ProposedWorkload,
    name=NAMES,
    words=st.lists(NAMES, min_size=1, max_size=3).map(tuple),
    use=st.sampled_from([("train",), ("bench",), ("train", "bench")]),
    key=st.sampled_from(["command", "cargo"]),
    stdin=st.none() | NAMES,
    prepare=st.lists(NAMES, max_size=2).map(tuple),
    inputs=st.lists(NAMES, max_size=2).map(tuple),
    comment=st.text(max_size=200),
    is_active=st.booleans(),
)
OUTLINES = st.builds(
    Outline,
    package=st.none() | NAMES,
    bins=st.lists(NAMES, min_size=1, max_size=9, unique=True).map(tuple),
    features=st.lists(NAMES, max_size=3, unique=True).map(tuple),
    left_out=st.lists(st.tuples(NAMES, st.lists(NAMES, min_size=1, max_size=2).map(tuple)), max_size=2).map(tuple),
    workloads=st.lists(PROPOSED, max_size=3).map(tuple),
    data=st.lists(NAMES, max_size=9).map(tuple),
    has_schema_file=st.booleans(),
)
BEFORE_KEYS = st.lists(st.sampled_from(["", "# a comment", "  # another", "#:schema x.json"]), max_size=5)
STATEMENTS = (
    'extends = "preset:pgo"  # why',
    "# of the project\n[project]\nbins = [  # several lines\n  'a',\n]",
    'measure.precision = """\n# no comment\n"""',
    "",
)


def fill_in(text: str) -> str:
    """What an owner does: remove the `# ` in front of every line of a workload."""
    starts = ("# [[workloads]]", "# name =", "# command =", "# cargo =", "# use =")
    return "\n".join(line[2:] if line.startswith(starts) else line for line in text.split("\n"))


def write(directory: Path, text: str) -> Path:
    """Make a text the build profile of a directory."""
    path = directory / "optbuild.toml"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_a_package_with_one_binary_needs_no_project_table() -> None:
    """What has one meaning only is not written down; the workloads are there to be filled in."""
    assert make_profile_text(Outline(bins=("demo",))) == snapshot("""\
# Editors can check and complete this file: run `optbuild schema profile > optbuild.schema.json`
# next to it, and remove the first `# ` of the next line.
# #:schema optbuild.schema.json

schema = 1
extends = "preset:pgo"            # the variants release, lto and pgo

# Only you know how the program is used, and optbuild runs nothing that is not written here. Write the arguments of a
# typical call in place of the words in capitals, remove the `# ` of each line, and train on other data than you
# measure: a gain on the training data says only how well the compiler learnt that data by heart.

# [[workloads]]
# name = "train"
# command = ["{bin}", "{ARGUMENTS}"]
# use = ["train"]

# [[workloads]]
# name = "benchmark"
# command = ["{bin}", "{OTHER-ARGUMENTS}"]
# use = ["bench"]
""")


def test_what_was_found_is_said() -> None:
    """Package, binaries and features become settings, data a hint, and benches a workload for training."""
    outline = Outline(
        package="codec",
        bins=("decode", "encode"),
        features=("cli",),
        left_out=(("inspect", ("debugger",)),),
        workloads=(
            ProposedWorkload(name="bench parse", key="cargo", words=("bench",), use=("train",), is_active=False),
        ),
        data=("tests/data", "examples/samples"),
        has_schema_file=True,
    )
    assert make_profile_text(outline) == snapshot("""\
#:schema optbuild.schema.json

schema = 1
extends = "preset:pgo"            # the variants release, lto and pgo

[project]
package = "codec"
bins = ["decode", "encode"]       # leave out what need not be fast
features = ["cli"]                # without them cargo builds none of the programs
# "inspect" is left out: it needs features = ["debugger"]

# Only you know how the program is used, and optbuild runs nothing that is not written here. Write the arguments of a
# typical call in place of the words in capitals, remove the `# ` of each line, and train on other data than you
# measure: a gain on the training data says only how well the compiler learnt that data by heart.
# Data that may serve as input: "tests/data", "examples/samples"

# [[workloads]]
# name = "bench parse"
# cargo = ["bench"]
# use = ["train"]

# [[workloads]]
# name = "train decode"
# command = ["{bin:decode}", "{ARGUMENTS}"]
# use = ["train"]

# [[workloads]]
# name = "benchmark decode"
# command = ["{bin:decode}", "{OTHER-ARGUMENTS}"]
# use = ["bench"]

# [[workloads]]
# name = "train encode"
# command = ["{bin:encode}", "{ARGUMENTS}"]
# use = ["train"]

# [[workloads]]
# name = "benchmark encode"
# command = ["{bin:encode}", "{OTHER-ARGUMENTS}"]
# use = ["bench"]
""")


def test_many_binaries_are_not_all_written_out() -> None:
    """Six binaries get workloads, and the others are named."""
    text = make_profile_text(Outline(bins=tuple(f"tool-{number}" for number in range(9))))
    assert text.count("# [[workloads]]") == 12
    assert '# And likewise for "tool-6", "tool-7", "tool-8".' in text


def test_a_new_build_profile_loads_and_has_no_workload(tmp_path: Path) -> None:
    """It is valid as it is, and claims no workload that nobody has chosen."""
    path = write(tmp_path, make_profile_text(Outline(package="codec", bins=("decode", "encode"))))
    build_profile = load_build_profile(path, directory=tmp_path)
    assert build_profile.project.package == "codec"
    assert build_profile.project.bins == ("decode", "encode")
    assert list(build_profile.variants) == ["release", "lto", "pgo"]
    assert build_profile.workloads == ()


def test_filled_in_workloads_are_used(tmp_path: Path) -> None:
    """With the comment signs gone and arguments in place, the proposed workloads are those of a complete profile."""
    text = fill_in(make_profile_text(Outline(bins=("demo",))))
    path = write(tmp_path, text.replace("{ARGUMENTS}", "a.txt").replace("{OTHER-ARGUMENTS}", "b.txt"))
    workloads = load_build_profile(path, directory=tmp_path).workloads
    assert [(workload.command, workload.use) for workload in workloads] == [
        (("{bin}", "a.txt"), ("train",)),
        (("{bin}", "b.txt"), ("bench",)),
    ]


def test_workloads_that_were_found_take_effect(tmp_path: Path) -> None:
    """They are a complete build profile; what is not active stands behind comment signs, with its reason."""
    found = ProposedWorkload(name="bench", words=("{bin}", "a{{b}}.txt"), use=("train", "bench"), comment="As it is.")
    bench = replace(found, name="old", key="cargo", words=("bench",), comment="Needs a nightly.", is_active=False)
    text = make_profile_text(Outline(bins=("demo",), workloads=(found, bench)))
    assert "# Needs a nightly.\n# [[workloads]]\n" in text
    assert "ARGUMENTS" not in text
    build_profile = load_build_profile(write(tmp_path, text), directory=tmp_path)
    assert [(item.name, item.command) for item in build_profile.workloads] == [("bench", ("{bin}", "a{{b}}.txt"))]
    assert build_profile.measure.max_time_s == 120


def test_what_was_not_filled_in_is_refused_with_its_line(tmp_path: Path) -> None:
    """A workload whose arguments are still the proposal's never runs: the mistake is told with its place."""
    path = write(tmp_path, fill_in(make_profile_text(Outline(bins=("demo",)))))
    with pytest.raises(BuildProfileError) as caught:
        load_build_profile(path, directory=tmp_path)
    lines = path.read_text().splitlines()
    assert [problem.message for problem in caught.value.problems] == [
        "`workloads[0].command[1]`: unknown placeholder {ARGUMENTS}",
        "`workloads[1].command[1]`: unknown placeholder {OTHER-ARGUMENTS}",
    ]
    for problem in caught.value.problems:
        assert lines[int(problem.location.rpartition(":")[2]) - 1].startswith("command = ")


@given(outline=OUTLINES)
def test_no_name_breaks_out_of_its_place(outline: Outline) -> None:
    """Whatever a repository calls its things, the text says what the outline says, and nothing else."""
    tree = tomllib.loads(make_profile_text(outline))
    project = tree.pop("project", {})
    assert tree.pop("measure", {}) == ({"max-time": FIRST_MAX_TIME} if outline.runs else {})
    active = [workload for workload in outline.workloads if workload.is_active]
    assert [
        (item["name"], item.get("command", item.get("cargo")), item.get("stdin")) for item in tree.pop("workloads", [])
    ] == [(item.name, list(item.words), item.stdin) for item in active]
    assert tree == {"schema": SCHEMA_VERSION, "extends": "preset:pgo"}
    assert project.get("package") == outline.package
    assert project.get("bins", list(outline.bins)) == list(outline.bins)
    assert project.get("features", []) == list(outline.features)
    assert project.keys() <= {"package", "bins", "features"}


@given(outline=OUTLINES)
def test_filled_in_names_are_the_binaries(outline: Outline) -> None:
    """With the comment signs gone it is TOML still, and each command names the binary that it is for."""
    outline = replace(outline, workloads=())
    workloads = tomllib.loads(fill_in(make_profile_text(outline)))["workloads"]
    words = ["{bin}"] if len(outline.bins) == 1 else [f"{{bin:{name}}}" for name in outline.bins[:6]]
    commands = [workload["command"] for workload in workloads if "command" in workload]
    assert [command[0] for command in commands[::2]] == words


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "schema = 1\n"),
        ('extends = "x"\n', 'schema = 1\nextends = "x"\n'),
        ("[project]", "schema = 1\n\n[project]"),
        ('# About the file.\nextends = "x"\n', '# About the file.\nschema = 1\nextends = "x"\n'),
        ("# About the file.\n\n# Why x.\na = 1\n", "# About the file.\n\nschema = 1\n\n# Why x.\na = 1\n"),
        ("#:schema s.json\n\n[a]\r\n", "#:schema s.json\n\nschema = 1\n\n[a]\r\n"),
        ("# windows\r\n[a]\r\n", "# windows\r\nschema = 1\r\n\r\n[a]\r\n"),
        ("# nothing else\n", "# nothing else\nschema = 1\n"),
        ("\ufeff[a]\r\n", "\ufeffschema = 1\r\n\r\n[a]\r\n"),
    ],
)
def test_schema_goes_before_the_first_key_and_after_what_is_about_the_file(before: str, after: str) -> None:
    """A comment stays with what it is about, and line endings are those of the file."""
    assert add_schema_version(before) == after


@given(comments=BEFORE_KEYS, statements=st.permutations(STATEMENTS[1:]), windows=st.booleans())
def test_adding_schema_keeps_every_line(comments: list[str], statements: list[str], *, windows: bool) -> None:
    """Every line stays, in its order, and the values are the same but for `schema`."""
    ordered = sorted([STATEMENTS[0], *statements], key=lambda text: "[project]" in text)
    before = "\n".join([*comments, *ordered, ""])
    if windows:
        before = before.replace("\n", "\r\n")
    after = add_schema_version(before)
    assert tomllib.loads(after) == {"schema": SCHEMA_VERSION} | tomllib.loads(before)
    rest = iter(after.split("\n"))
    assert all(line in rest for line in before.split("\n")), "a line is gone or has moved"
