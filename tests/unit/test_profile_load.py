from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.errors import BuildProfileError, Problem, UsageError
from optbuild.profile.load import (
    command_line_workload,
    default_build_profile,
    find_build_profile,
    load_build_profile,
    searched_paths,
)
from optbuild.profile.model import BuildProfile, PresetName, RawFiles, RawProfileSettings
from optbuild.profile.render import render_resolved
from optbuild.profile.variants import Lto, PgoMode
from optbuild.profile.workloads import MetricName, Use, slug

CONTRACT = """
schema = 1
extends = "preset:pgo"

[project]
manifest = "Cargo.toml"
package = "wordfreq"
bins = ["wordfreq"]
cargo-profile = "dist"

[variants.small]
inherits = "pgo"
opt-level = "s"

[[workloads]]
name = "books"
command = ["{bin}", "--top", "20", "data/books.txt"]
use = ["train", "bench"]
weight = 3
stdin = "{env:CORPUS}/query.txt"
env = { LANG = "C" }
pass-env = ["HOME"]
timeout = "5m"
compare-output = ["out/file.json"]
metric = "cpu"
stop-signal = "INT"
grace = "500ms"

[raw-profiles]
files = "pool"
disk-budget = "500MB"
salvage = true
salvage-floor = "95%"
merge-timeout = "2h"

[measure]
precision = "2%"
min-effect = 0.03
max-time = "1h"
"""


def load(directory: Path, text: str, **others: str) -> BuildProfile:
    """Load a build profile from a directory that holds nothing else but `others`, named by their stems."""
    for stem, content in others.items():
        (directory / f"{stem}.toml").write_text(content)
    (directory / "optbuild.toml").write_text(text)
    return load_build_profile(Path("optbuild.toml"), directory=directory)


def refuse(directory: Path, text: str, **others: str) -> tuple[Problem, ...]:
    """The problems for which a build profile is refused, with locations relative to its directory."""
    with pytest.raises(BuildProfileError) as caught:
        load(directory, text, **others)

    def shorten(text: str) -> str:
        return text.replace(str(directory), "HERE").replace(str(directory.parent), "ABOVE")

    return tuple(
        Problem(
            location=each.location.replace(f"{directory}/", ""),
            message=shorten(each.message),
            help=shorten(each.help),
        )
        for each in caught.value.problems
    )


def told(problems: tuple[Problem, ...]) -> str:
    """Problems as text of a fixed width."""
    lines = [(f"{each.location}: {each.message}", f"  help: {each.help}") for each in problems]
    return "".join(
        textwrap.fill(line, width=110, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False) + "\n"
        for pair in lines
        for line in pair
    )


def test_a_full_profile_becomes_data(tmp_path: Path) -> None:
    """Every key arrives, with units in base units and variants resolved."""
    profile = load(tmp_path, CONTRACT)
    assert profile.path == tmp_path / "optbuild.toml"
    assert profile.directory == tmp_path
    assert profile.project.cargo_profile == "dist"
    assert list(profile.variants) == ["release", "lto", "pgo", "small"]
    small = profile.variants["small"]
    assert small.ancestors == ("pgo", "lto", "release")
    assert (small.lto, small.codegen_units, small.opt_level, small.pgo) == (Lto.FAT, 1, "s", PgoMode.REQUIRED)
    (workload,) = profile.workloads
    assert workload.use == (Use.TRAIN, Use.BENCH)
    assert (workload.weight, workload.timeout_s, workload.grace_s, workload.stop_signal) == (3.0, 300.0, 0.5, "INT")
    assert workload.compare_output == ("out/file.json",)
    assert (profile.measure.baseline, profile.measure.precision, profile.measure.max_time_s) == ("release", 0.02, 3600)
    assert workload.metric is MetricName.CPU


def test_the_least_profile_gets_the_default_variants(tmp_path: Path) -> None:
    """Without variants of its own or by `extends`, a profile builds release, lto and pgo."""
    profile = load(tmp_path, "schema = 1\n")
    assert profile.variants == default_build_profile(tmp_path).variants
    assert list(profile.variants) == ["release", "lto", "pgo"]
    assert profile.workloads == ()
    assert default_build_profile(tmp_path).path is None


def test_declared_variants_replace_the_default_ones(tmp_path: Path) -> None:
    """A profile that declares variants has these, and the first is the baseline where none is called release."""
    profile = load(tmp_path, "schema = 1\n[variants.one]\n[variants.two]\nstrip = false\ndebug = 1\n")
    assert list(profile.variants) == ["one", "two"]
    assert profile.measure.baseline == "one"
    assert profile.variants["two"].strip is False
    assert profile.variants["two"].debug == 1
    assert profile.variants["two"].debug is not True


@pytest.mark.parametrize(("written", "mode"), [("true", "required"), ("false", "off"), ('"auto"', "auto")])
def test_pgo_is_required_switched_off_or_left_to_the_machine(tmp_path: Path, written: str, mode: str) -> None:
    """TOML says `true`, `false` or `"auto"`; a named baseline is kept."""
    text = f'schema = 1\n[variants.release]\n[variants.x]\npgo = {written}\n[measure]\nbaseline = "x"\n'
    profile = load(tmp_path, text)
    assert (profile.variants["x"].pgo, profile.measure.baseline) == (PgoMode(mode), "x")


def test_tables_merge_and_arrays_replace(tmp_path: Path) -> None:
    """A profile changes single keys of what it extends; arrays and workloads are replaced as a whole."""
    profile = load(
        tmp_path,
        'schema = 1\nextends = "base.toml"\n[project]\nfeatures = ["b"]\n[variants.x]\nlto = "thin"\n'
        '[[workloads]]\nname = "mine"\ncommand = ["{bin}"]\n',
        base='schema = 1\n[project]\nfeatures = ["a"]\npackage = "p"\n[variants.x]\nlto = "fat"\ncodegen-units = 2\n'
        '[[workloads]]\nname = "theirs"\ncommand = ["{bin}"]\nweight = 2\n'
        '[[workloads]]\nname = "more"\ncommand = ["{bin}"]\n',
    )
    assert (profile.project.features, profile.project.package) == (("b",), "p")
    assert (profile.variants["x"].lto, profile.variants["x"].codegen_units) == (Lto.THIN, 2)
    assert [(each.name, each.weight) for each in profile.workloads] == [("mine", 1.0)]


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Each problem stands at its own key, whatever kind of problem it is."""
    problems = refuse(
        tmp_path,
        """\
what = 3
# A key of the top level that nobody knows.
[project]
manifest = "../Cargo.toml"
features = "a"
locked = "yes"
[variants.lto]
inherits = "relase"
lto = "fatt"
codegen-unit = 1
opt-level = true
strip = 1
debug = 1.0
pgo = 1
bolt = 1
[variants."bad name"]
[variants.release]
codegen-units = 0
[[workloads]]
name = "x\\ny"
command = ["{bin}", '{"a":1}', "a\\u0000b"]
timeout = 3
use = ["trian"]
weight = nan
compare-output = ["{bin}/x"]
env = { "a=b" = "1", C = "{port}" }
[[workloads]]
server = ["a"]
name = "s"
[[workloads]]
name = "s"
cwd = "/etc"
command = []
metric = "instructions"
expect-exit = 256
[[workloads]]
weight = 0xffffffffffff
[measure]
baseline = "relese"
precision = 0
confidence = 1
max-time = "5 minutes"
[gates]
variant = "pgoo"
min-gain = -0.03
on-inconclusive = "skip"
""",
    )
    assert told(problems) == snapshot("""\
optbuild.toml:1: `schema` is missing
  help: write `schema = 1` at the top of the file
optbuild.toml:1: unknown key `what`
  help: remove it; the keys here are evidence, extends, gates, measure, profile-data, project, raw-profiles,
    schema, tune, variants, workloads
optbuild.toml:4: `project.manifest`: "../Cargo.toml" leaves the workspace: it is ABOVE/Cargo.toml
  help: write a relative path that stays inside HERE
optbuild.toml:5: `project.features`: expected a list of texts, got "a"
  help: write it as a list: ["a"]
optbuild.toml:6: `project.locked`: expected true or false, got "yes"
  help: write for instance `locked = true`
optbuild.toml:8: `variants.lto.inherits` names the unknown variant "relase"
  help: did you mean "release"? write "lto", "bad name" or "release"
optbuild.toml:9: `variants.lto.lto`: expected "off", "thin" or "fat", got "fatt"
  help: did you mean "fat"?
optbuild.toml:10: unknown key `variants.lto.codegen-unit`
  help: did you mean `codegen-units`?
optbuild.toml:11: `variants.lto.opt-level`: expected 0, 1, 2, 3, "s" or "z", got true
  help: write for instance `opt-level = 0`
optbuild.toml:12: `variants.lto.strip`: expected true, false, "none", "debuginfo" or "symbols", got 1
  help: write for instance `strip = true`
optbuild.toml:13: `variants.lto.debug`: expected true, false, 0, 1, 2, "none", "line-directives-only",
    "line-tables-only", "limited" or "full", got 1.0
  help: write for instance `debug = true`
optbuild.toml:14: `variants.lto.pgo`: expected true, false or "auto", got 1
  help: write for instance `pgo = true`
optbuild.toml:15: `variants.lto.bolt`: expected true, false or "auto", got 1
  help: write for instance `bolt = true`
optbuild.toml:16: `variants."bad name"`: not a name for a variant
  help: use letters, digits, `.`, `_` and `-`, and begin with a letter, a digit or `_`
optbuild.toml:18: `variants.release.codegen-units`: expected an integer of 1 or more, got 0
  help: write for instance `codegen-units = 1`
optbuild.toml:20: `workloads[0].name`: more than one line
  help: write a name of one line
optbuild.toml:21: `workloads[0].command[1]`: unknown placeholder {"a":1}
  help: placeholders are {bin}, {bin:NAME}, {lib}, {lib:NAME}, {scratch}, {port}, {wheel}, {python} and
    {env:NAME}; literal braces are doubled: {{ and }}
optbuild.toml:21: `workloads[0].command[2]`: a NUL character, which no program can receive
  help: remove the `\\u0000` from the text
optbuild.toml:22: `workloads[0].timeout`: expected a duration such as "500ms", "30s", "5m" or "1h", got 3
  help: write for instance `timeout = "500ms"`
optbuild.toml:23: `workloads[0].use[0]`: expected "train" or "bench", got "trian"
  help: did you mean "train"?
optbuild.toml:24: `workloads[0].weight`: expected a number above 0, got nan
  help: write for instance `weight = 1.0`
optbuild.toml:25: `workloads[0].compare-output`: `{bin}/x` contains braces, and placeholders are not replaced
    here
  help: write a plain relative path
optbuild.toml:26: `workloads[0].env."a=b"`: not a name for an environment variable
  help: remove the `=` from the name
optbuild.toml:28: `workloads[1]` has a `server` and no `load`
  help: add a load with a fixed number of requests: `load = ["python3", "load.py", "{port}"]`
optbuild.toml:28: `workloads[1]`: nothing says when the server is ready, because it names no {port}
  help: write `ready = { stdout = "listening" }`, or let it listen at {port}
optbuild.toml:31: two workloads are named "s"
  help: give each workload a different name
optbuild.toml:32: `workloads[2].cwd`: "/etc" is an absolute path: /etc
  help: write a relative path that stays inside HERE
optbuild.toml:33: `workloads[2].command`: expected a list of texts, not empty, got an empty list
  help: write for instance `command = ["…"]`
optbuild.toml:34: `workloads[2].metric`: expected "wall", "cpu", "faults" or "rss", got "instructions"
  help: leave `metric` out, or write another one: instructions are counted in every run and reported as well,
    exact; to compare by them alone: optbuild bench NAME=PATH… --metric instructions -- CMD
optbuild.toml:35: `workloads[2].expect-exit`: expected an integer from 0 to 255, got 256
  help: write for instance `expect-exit = 0`
optbuild.toml:36: `workloads[3].command` is missing
  help: add `command = ["{bin}", …]`, `cargo = ["bench", …]`, or `server = […]` and `load = […]`
optbuild.toml:36: `workloads[3].name` is missing
  help: add `name = …`: a text
optbuild.toml:39: `measure.baseline` names the unknown variant "relese"
  help: did you mean "release"? write "lto", "bad name" or "release"
optbuild.toml:40: `measure.precision`: expected a ratio above zero, such as "1%" or 0.01, got 0
  help: write for instance `precision = "auto"`
optbuild.toml:41: `measure.confidence`: expected a number above 0.5 and below 1, got 1
  help: write for instance `confidence = 0.95`
optbuild.toml:42: `measure.max-time`: expected a duration such as "500ms", "30s", "5m" or "1h", got "5
    minutes"
  help: write for instance `max-time = "500ms"`
optbuild.toml:44: `gates.variant` names the unknown variant "pgoo"
  help: write "lto", "bad name" or "release"
optbuild.toml:45: `gates.min-gain`: expected a ratio such as "3%" or 0.03, not below zero, got -0.03
  help: write for instance `min-gain = "1%"`
optbuild.toml:46: `gates.on-inconclusive`: expected "fail" or "pass", got "skip"
  help: write for instance `on-inconclusive = "fail"`
""")


def test_a_key_of_another_table_is_told_its_place(tmp_path: Path) -> None:
    """It is not to be removed: it only stands in the wrong place."""
    (problem,) = refuse(tmp_path, 'schema = 1\nbins = ["a"]\n')
    assert (problem.message, problem.help) == (
        "unknown key `bins`",
        "write it below `[project]`, where this key belongs",
    )


def test_problems_are_told_where_they_were_written(tmp_path: Path) -> None:
    """A wrong key of an extended file is located there; a missing one where it belongs."""
    problems = refuse(
        tmp_path,
        'schema = 1\nextends = "base.toml"\n[[workloads]]\nname = "mine"\n[variants.x]\ncodegen-units = 0\n',
        base='schema = 1\n[variants.x]\ncodegen-units = 1\nlto = true\n[[workloads]]\nname = "a"\ncommand = ["b"]\n',
    )
    assert [(each.location, each.message.partition(":")[0]) for each in problems] == [
        ("base.toml:4", "`variants.x.lto`"),
        ("optbuild.toml:3", "`workloads[0].command` is missing"),
        ("optbuild.toml:6", "`variants.x.codegen-units`"),
    ]


@pytest.mark.parametrize("schema", ["", "schema = 0", 'schema = "1"', "schema = true", "schema = 1.0"])
def test_the_schema_must_be_named(tmp_path: Path, schema: str) -> None:
    """A profile says which schema it is written in; so does each file it extends."""
    (problem,) = refuse(tmp_path, f"{schema}\n")
    assert problem.location == "optbuild.toml:1"
    assert problem.help == "write `schema = 1` at the top of the file"
    (problem,) = refuse(tmp_path, 'schema = 1\nextends = "base.toml"\n', base=f"{schema}\n")
    assert problem.location == "base.toml:1"


@pytest.mark.parametrize(
    ("extends", "message", "help_text"),
    [
        ('"preset:pog"', 'names the unknown preset "pog"', 'did you mean "preset:pgo"?'),
        ('"bsae.toml"', 'there is no file "bsae.toml"', 'did you mean "base.toml"?'),
        ('"pgo"', 'there is no file "pgo"', 'did you mean "preset:pgo"?'),
        ('"zzz"', 'there is no file "zzz"', 'name an existing file, or "preset:NAME"'),
        ('"/etc/passwd"', "is an absolute path", "write a relative path"),
        ('"../base.toml"', "leaves the workspace", "write a relative path"),
        ("3", 'expected "preset:NAME" or a file, got 3', "name one, or remove the key"),
        ('""', 'expected "preset:NAME" or a file, got ""', "name one, or remove the key"),
    ],
)
def test_what_cannot_be_extended_is_told(tmp_path: Path, extends: str, message: str, help_text: str) -> None:
    """A wrong `extends` is one problem; variants it would have brought are not missed as well."""
    (problem,) = refuse(
        tmp_path,
        f'schema = 1\nextends = {extends}\n[variants.x]\ninherits = "from-there"\n',
        base="schema = 1\n",
    )
    assert problem.location == "optbuild.toml:2"
    assert message in problem.message
    assert problem.help.startswith(help_text)


def test_a_cycle_of_files_is_told_with_its_chain(tmp_path: Path) -> None:
    """The chain begins where it comes back to."""
    a, b = ('schema = 1\nextends = "b.toml"\n', 'schema = 1\nextends = "./a.toml"\n')
    (problem,) = refuse(tmp_path, 'schema = 1\nextends = "a.toml"\n', a=a, b=b)
    assert problem.location == "b.toml:2"
    assert problem.message.endswith("circle: HERE/a.toml -> HERE/b.toml -> HERE/a.toml")


def test_a_chain_of_files_has_an_end(tmp_path: Path) -> None:
    """A profile that extends another is common; a hundred files are a mistake, and told as one."""
    files = {f"f{number}": f'schema = 1\nextends = "f{number + 1}.toml"\n' for number in range(100)}
    (problem,) = refuse(tmp_path, 'schema = 1\nextends = "f0.toml"\n', **files)
    assert problem.location == "f30.toml:2"
    assert problem.message == "more than 32 build profiles extend each other"
    files["f20"] = 'schema = 1\n[project]\npackage = "deep"\n'
    assert load(tmp_path, 'schema = 1\nextends = "f0.toml"\n', **files).project.package == "deep"


def test_references_are_checked_against_what_is_extended(tmp_path: Path) -> None:
    """Variants may inherit from those of a preset, and an unknown baseline is told with the nearest."""
    (problem,) = refuse(
        tmp_path,
        'schema = 1\nextends = "preset:lto"\n[variants.x]\ninherits = "lto"\n[measure]\nbaseline = "relese"\n',
    )
    assert problem.location == "optbuild.toml:6"
    assert problem.help == 'did you mean "release"? write "release", "lto" or "x"'


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("project = 3", "project"),
        ("variants = 0", "variants"),
        ("variants = []", "variants"),
        ("variants.x = 3", "variants.x"),
        ("measure = []", "measure"),
        ("workloads = 3", "workloads"),
        ("workloads = [3]", "workloads[0]"),
        ("[workloads]\nname = 1", "workloads"),
        ("measure.baseline = 1979-05-27", "measure.baseline"),
        ("measure.precision = true", "measure.precision"),
        ("measure.max-time = true", "measure.max-time"),
    ],
)
def test_wrong_shapes_are_told(tmp_path: Path, text: str, path: str) -> None:
    """A value where a table belongs, and the other way round, is one problem with a remedy."""
    (problem,) = refuse(tmp_path, f"schema = 1\n{text}\n")
    assert problem.message.startswith(f"`{path}`: expected ")
    assert problem.help


@pytest.mark.parametrize("key", ["cwd", "compare-output"])
def test_paths_stay_inside_the_workspace(tmp_path: Path, key: str) -> None:
    """Where a workload runs and what is compared lies inside; what it reads may lie anywhere."""
    workload = 'schema = 1\n[[workloads]]\nname = "a"\ncommand = ["/bin/cat"]\nstdin = "/x"\ninputs = ["../y"]\n'
    assert load(tmp_path, workload).workloads[0].inputs == ("../y",)
    value = '["../out"]' if key == "compare-output" else '"../out"'
    (problem,) = refuse(tmp_path, f"{workload}{key} = {value}\n")
    assert "leaves the workspace: it is ABOVE/out" in problem.message


def test_output_files_are_relative_to_where_the_workload_runs(tmp_path: Path) -> None:
    """A path that stays inside from `cwd` is accepted, and one that leaves it from there is not."""
    workload = 'schema = 1\n[[workloads]]\nname = "a"\ncommand = ["b"]\ncwd = "x/y"\ncompare-output = ["{path}"]\n'
    assert load(tmp_path, workload.replace("{path}", "../../out")).workloads[0].cwd == "x/y"
    (problem,) = refuse(tmp_path, workload.replace("{path}", "../../../out"))
    assert "leaves the workspace: it is ABOVE/out" in problem.message


def test_paths_of_an_extended_file_are_relative_to_the_named_one(tmp_path: Path) -> None:
    """One directory for all relative paths: that of the file the user named."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "app").mkdir()
    (tmp_path / "base.toml").write_text('schema = 1\nproject.manifest = "../Cargo.toml"\n')
    profile = load(tmp_path / "app", 'schema = 1\nextends = "../base.toml"\n')
    assert profile.project.manifest == "../Cargo.toml"
    assert profile.directory == tmp_path / "app"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('name = ""', "`workloads[0].name`: an empty text"),
        ('command = [""]', "`workloads[0].command`: the program's name is empty"),
        ("weight = 0", "`workloads[0].weight`: expected a number above 0, got 0"),
        ("weight = true", "`workloads[0].weight`: expected a number above 0, got true"),
        ("expect-exit = 1.0", "`workloads[0].expect-exit`: expected an integer from 0 to 255, got 1.0"),
        ("use = []", '`workloads[0].use`: expected a list of "train" or "bench", not empty, got an empty list'),
        ("compare-output = []", '`workloads[0].compare-output`: expected "auto", "stdout", "none" or a list of files'),
        ('compare-output = ["a", 1]', "`workloads[0].compare-output`: expected"),
        ('compare-output = ["a", ""]', "`workloads[0].compare-output`: an empty text"),
        ('compare-output = ["{scratch}/../a"]', "`workloads[0].compare-output`: `{scratch}/../a` is not a file below"),
        (
            'compare-output = ["{scratch}/"]',
            "`workloads[0].compare-output`: `{scratch}/` is not a file below {scratch}",
        ),
        (
            'compare-filter = ["a", "(b"]',
            "`workloads[0].compare-filter[1]`: `(b` is not a regular expression: missing )",
        ),
        ('compare-filter = "a"', "`workloads[0].compare-filter`: expected a list of texts"),
        ('compare-tolerance = "0"', "`workloads[0].compare-tolerance`: expected a ratio above zero and below one"),
        ('compare-tolerance = "near"', "`workloads[0].compare-tolerance`: expected a ratio"),
        ('stop-signal = "KILL"', '`workloads[0].stop-signal`: expected "TERM", "INT", "HUP", "QUIT", "USR1" or "USR2"'),
        ('grace = "0s"', "`workloads[0].grace`: expected a finite duration above zero"),
        (f'timeout = "{"9" * 400}h"', "`workloads[0].timeout`: expected"),
        ('pass-env = ["A=1"]', "`workloads[0].pass-env[0]`: not a name for an environment variable"),
        ("env = { A = 1 }", "`workloads[0].env.A`: expected a text, got 1"),
    ],
)
def test_values_out_of_range_are_told(tmp_path: Path, line: str, message: str) -> None:
    """Each key of a workload accepts what can be carried out, and nothing else."""
    lines = {"name": 'name = "a"', "command": 'command = ["b"]', line.partition(" ")[0]: line}
    (problem,) = refuse(tmp_path, "\n".join(["schema = 1", "[[workloads]]", *lines.values()]))
    assert problem.message.startswith(message)


@pytest.mark.parametrize(
    ("arguments", "index", "help_text"),
    [
        (["--config", 'build.rustflags=["-Cx=y"]'], 0, "write `rustflags` in a variant"),
        (['--config=target.x86_64-unknown-linux-gnu.rustflags="-Cx=y"'], 0, "write `rustflags` in a variant"),
        (["--config", "profile.release.lto=false"], 0, "write `lto` in a variant"),
        (["--config", "more.toml"], 0, ".cargo/config.toml"),
        (["--offline", "-q"], 1, "optbuild -q"),
        (["-vv"], 0, "optbuild -v"),
        (["--color=always"], 0, "optbuild --color"),
        (["--config", "term.color='always'"], 0, ".cargo/config.toml"),
        (["--offline", "--config=build.warnings='deny'"], 1, ".cargo/config.toml"),
        (["--message-format=short"], 0, "leave it out"),
        (["--target", "wasm32-wasip1"], 0, "`target` under [project]"),
        (["--target-dir=/t"], 0, "CARGO_TARGET_DIR"),
        (["--release"], 0, "`cargo-profile` under [project]"),
        (["-pfoo"], 0, "`package` under [project]"),
        (["--bins"], 0, "`bins` under [project]"),
        (["-F", "a"], 0, "`features` under [project]"),
        (["--locked"], 0, "the default"),
        (["-j4"], 0, "--jobs N"),
    ],
)
def test_arguments_that_optbuild_owns_are_refused_with_the_key_to_use(
    tmp_path: Path, arguments: list[str], index: int, help_text: str
) -> None:
    """Passed on to cargo, they would hold for some variants only, or break what optbuild asks it for."""
    text = f"schema = 1\n[project]\ncargo-args = {json.dumps(arguments)}\n"
    (problem,) = refuse(tmp_path, text)
    assert (problem.location, problem.message.partition(":")[0]) == (
        "optbuild.toml:3",
        f"`project.cargo-args[{index}]`",
    )
    assert help_text in problem.help


def test_other_arguments_go_to_cargo(tmp_path: Path) -> None:
    """What neither hides cargo's messages nor competes with a variant is the user's to choose."""
    arguments = ["--offline", "-Zunstable", "--config", "net.retry=3", "--config=profile.release.package.a.opt-level=1"]
    profile = load(tmp_path, f"schema = 1\n[project]\ncargo-args = {json.dumps(arguments)}\n")
    assert list(profile.project.cargo_args) == arguments


def test_a_preset_is_loaded_by_name(tmp_path: Path) -> None:
    """A preset has no file; its paths start in the given directory."""
    profile = load_build_profile(PresetName("lto"), directory=tmp_path)
    assert (profile.path, profile.directory, list(profile.variants)) == (None, tmp_path, ["release", "lto"])
    with pytest.raises(BuildProfileError, match="there is no preset `lot`") as caught:
        load_build_profile(PresetName("lot"), directory=tmp_path)
    assert caught.value.help.startswith('did you mean "preset:lto"?')


def test_a_profile_is_found_by_walking_up(tmp_path: Path) -> None:
    """The nearest `optbuild.toml` counts; a directory of that name does not."""
    deep = tmp_path / "a" / "b"
    (deep / "optbuild.toml").mkdir(parents=True)
    (tmp_path / "optbuild.toml").write_text("schema = 1\n")
    assert find_build_profile(deep) == tmp_path / "optbuild.toml"
    assert searched_paths(deep)[:3] == tuple(each / "optbuild.toml" for each in (deep, deep.parent, tmp_path))


def test_a_directory_that_cannot_be_looked_into_holds_no_profile(tmp_path: Path) -> None:
    """What the operating system refuses to say is not an error while searching."""
    (tmp_path / "optbuild.toml").write_text("schema = 1\n")
    assert find_build_profile(tmp_path / ("x" * 300)) == tmp_path / "optbuild.toml"


def test_a_command_of_the_command_line_is_a_workload(tmp_path: Path) -> None:
    """It runs where it is told to, and is called by its own text."""
    workload = command_line_workload(["{bin}", "a b", "x\ny"], (Use.BENCH,), tmp_path)
    assert workload.name == "{bin} 'a b' 'x y'"
    assert (workload.command, workload.use, workload.cwd) == (("{bin}", "a b", "x\ny"), (Use.BENCH,), str(tmp_path))
    assert command_line_workload(["x"], Use, tmp_path, "named").name == "named"


@pytest.mark.parametrize("argv", [[], [""], ["{bin}", "{bni}"]])
def test_a_command_that_cannot_run_is_a_usage_error(tmp_path: Path, argv: list[str]) -> None:
    """Nothing is run for it, and the error says what to write."""
    with pytest.raises(UsageError) as caught:
        command_line_workload(argv, Use, tmp_path)
    assert caught.value.help


def test_what_may_differ_between_outputs(tmp_path: Path) -> None:
    """A tolerance is a text or a number; output files may lie in the scratch directory."""
    for written in ('"1e-9"', "1e-9", '"0.0000001%"'):
        (workload,) = load(
            tmp_path,
            'schema = 1\n[[workloads]]\nname = "a"\ncommand = ["b"]\ncompare-output = ["{scratch}/out"]\n'
            f"compare-filter = ['\\d+ ms']\ncompare-tolerance = {written}\n",
        ).workloads
        assert workload.compare_output == ("{scratch}/out",)
        assert workload.compare_filter == (r"\d+ ms",)
        assert workload.compare_tolerance == pytest.approx(1e-9)


def test_the_resolved_profile_is_plain_data(tmp_path: Path) -> None:
    """The record holds what was meant: no null, no path of this machine, units in the names."""
    rendered = render_resolved(load(tmp_path, CONTRACT))
    assert rendered == json.loads(json.dumps(rendered))
    assert str(tmp_path) not in json.dumps(rendered)
    assert "null" not in json.dumps(rendered)
    assert {"file": rendered["file"], "pgo": rendered["variants"]["pgo"], "workloads": rendered["workloads"]} == (
        snapshot(
            {
                "file": "optbuild.toml",
                "pgo": {
                    "lto": "fat",
                    "codegen-units": 1,
                    "name": "pgo",
                    "ancestors": ["lto", "release"],
                    "features": [],
                    "rustflags": [],
                    "pgo": "required",
                    "bolt": "off",
                    "layout": "default",
                    "allocator": "default",
                    "training-lto": "auto",
                    "profiles": "merged",
                },
                "workloads": [
                    {
                        "name": "books",
                        "command": ["{bin}", "--top", "20", "data/books.txt"],
                        "cwd": ".",
                        "use": ["train", "bench"],
                        "weight": 3.0,
                        "stdin": "{env:CORPUS}/query.txt",
                        "env": {"LANG": "C"},
                        "pass-env": ["HOME"],
                        "timeout-s": 300.0,
                        "expect-exit": 0,
                        "compare-output": ["out/file.json"],
                        "compare-filter": [],
                        "inputs": [],
                        "metric": "cpu",
                        "stop-signal": "INT",
                        "grace-s": 0.5,
                        "repeat": 1,
                        "parallel": False,
                    }
                ],
            }
        )
    )


@pytest.mark.parametrize("name", ["books", "Größe <b>", "a/../b", "", "…" * 500, "\udcff"])
def test_a_slug_is_a_safe_file_name(name: str) -> None:
    """Whatever a workload is called, its file name is short, plain and its own."""
    assert slug(name).isascii()
    assert len(slug(name)) <= 49
    assert set(slug(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert slug(name) != slug(name + "!")
    assert slug("books") == snapshot("books-6e317bcd")


def test_raw_profile_settings(tmp_path: Path) -> None:
    """Sizes and shares are read into bytes and fractions; without the table, nothing broken is passed over."""
    loaded = load(tmp_path, CONTRACT).raw_profiles
    assert loaded == RawProfileSettings(
        files=RawFiles.POOL, disk_budget_bytes=500_000_000, salvage=True, salvage_floor=0.95, merge_timeout_s=7200.0
    )
    default = load(tmp_path, "schema = 1").raw_profiles
    assert (default.files, default.salvage, default.disk_budget_bytes) == (RawFiles.AUTO, False, 10 << 30)


def test_wrong_raw_profile_settings_are_explained(tmp_path: Path) -> None:
    """Each with what is expected."""
    text = 'schema = 1\n[raw-profiles]\nfiles = "pol"\ndisk-budget = "5G"\nsalvage = "yes"\nsalvage-floor = "120%"\n'
    assert told(refuse(tmp_path, text)) == snapshot("""\
optbuild.toml:3: `raw-profiles.files`: expected "auto", "process" or "pool", got "pol"
  help: did you mean "pool"?
optbuild.toml:4: `raw-profiles.disk-budget`: expected a size such as "500MB" or "20GiB", got "5G"
  help: write for instance `disk-budget = "500MB"`
optbuild.toml:5: `raw-profiles.salvage`: expected true or false, got "yes"
  help: write for instance `salvage = true`
optbuild.toml:6: `raw-profiles.salvage-floor`: expected a share of at most "100%", got "120%"
  help: write for instance `salvage-floor = "1%"`
""")


SERVER = """\
server = ["{bin}", "{port}"]
load = ["ask", "{port}"]
"""


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('command = ["x"]\nserver = ["{bin}", "{port}"]\nload = ["y"]', "has both `command` and `server`"),
        ('command = ["x"]\nload = ["y"]', "`workloads[0].load` needs a `server`, and there is none"),
        ('command = ["x"]\nready = { tcp = "80" }', "`workloads[0].ready` needs a `server`"),
        ('server = ["{bin}", "{port}"]', "`workloads[0]` has a `server` and no `load`"),
        (SERVER + "parallel = true", "`workloads[0].parallel` is for commands: a `server` workload depends on timing"),
        ('cargo = ["test"]\nparallel = true', "a `cargo` workload depends on timing"),
        ('server = ["{bin}"]\nload = ["y"]', "nothing says when the server is ready, because it names no {port}"),
        (SERVER + "ready = {}", "`workloads[0].ready` needs one of tcp, http, stdout, stderr"),
        (SERVER + 'ready = { tcp = "80", stdout = "x" }', "of tcp, http, stdout, stderr, and has tcp and stdout"),
        (SERVER + 'ready = { tpc = "80" }', "unknown key `workloads[0].ready.tpc`"),
        (SERVER + 'ready = { tcp = "{prot}" }', "`workloads[0].ready.tcp`: unknown placeholder {prot}"),
    ],
)
def test_a_workload_is_of_one_kind(tmp_path: Path, lines: str, message: str) -> None:
    """A command, or a server with a load and one way to see that it is ready."""
    problems = refuse(tmp_path, f'schema = 1\n[[workloads]]\nname = "a"\n{lines}\n')
    assert any(message in problem.message for problem in problems), problems


def test_a_server_is_read_whole(tmp_path: Path) -> None:
    """With all that belongs to it."""
    ready = 'ready = { http = "http://127.0.0.1:{port}/", within = "2m" }\nflush-object = false\n'
    (workload,) = load(tmp_path, f'schema = 1\n[[workloads]]\nname = "a"\n{SERVER}{ready}').workloads
    assert workload.command is None
    assert (workload.server, workload.load) == (("{bin}", "{port}"), ("ask", "{port}"))
    assert workload.ready is not None
    assert (workload.ready.http, workload.ready.within_s) == ("http://127.0.0.1:{port}/", 120.0)
    assert not workload.flush_object


def test_a_key_is_found_where_it_is_written(tmp_path: Path) -> None:
    """A workload by its name; a key that is not written, where its table begins; nothing for what no file has."""
    text = """\
schema = 1
[project]
package = "demo"
[variants.release]
[variants.pgo]
pgo = true
[[workloads]]
name = "small"
command = ["{bin}"]
[[workloads]]
name = "large"
use = ["bench"]
command = ["{bin}", "large"]
"""
    profile = load(tmp_path, text)
    assert profile.where("variants", "pgo", "pgo") == f"{tmp_path}/optbuild.toml:6"
    assert profile.where("variants", "pgo", "training-lto") == f"{tmp_path}/optbuild.toml:5"
    assert profile.where("workloads", "large", "command") == f"{tmp_path}/optbuild.toml:13"
    assert profile.where("workloads", "large", "cargo") == f"{tmp_path}/optbuild.toml:10"
    assert profile.where("project", "package") == f"{tmp_path}/optbuild.toml:3"
    assert profile.where("workloads", "of the command line", "command") is None
    assert profile.where("variants", "lto") is None
