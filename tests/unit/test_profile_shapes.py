"""A value of the wrong shape is answered by its key, what was found, and a line that may stand there instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.errors import BuildProfileError
from optbuild.profile.explain import _node_at
from optbuild.profile.load import load_build_profile
from optbuild.profile.metric_names import COUNTED, find_metric, suggest_metric
from optbuild.profile.schema import make_profile_schema
from optbuild.profile.workloads import MetricName

SCHEMA = make_profile_schema()
WRONG = ('"word"', '["word"]', "12", "true", "{ a = 1 }")
WORKLOAD = '[[workloads]]\nname = "w"\ncommand = ["{bin}"]\n'
SERVER = '[[workloads]]\nname = "w"\nserver = ["{bin}"]\nload = ["x"]\n'


def refusals(directory: Path, text: str) -> list[tuple[str, str]]:
    """What each problem of a build profile says, and its help; empty if it is accepted."""
    file = directory / "optbuild.toml"
    file.write_text(f"schema = 1\n{text}\n")
    try:
        load_build_profile(file, directory=directory)
    except BuildProfileError as error:
        return [(problem.message, problem.help) for problem in error.problems]
    return []


def list_places() -> dict[str, list[str]]:
    """Every key of the schema, by what stands above it."""
    tables = {table: list(_node_at(SCHEMA, (table,)).get("properties", ())) for table in SCHEMA["properties"]}
    workload = set(_node_at(SCHEMA, ("workloads", 0))["properties"]) - {"name", "command", "cargo", "server", "load"}
    return {
        "": [*(table for table, keys in tables.items() if keys), "variants"],
        **{f"[{table}]\n": keys for table, keys in tables.items() if keys},
        WORKLOAD: sorted(workload - {"ready"}),
        SERVER: ["ready"],
        "[variants.release]\n": list(_node_at(SCHEMA, ("variants", "release"))["properties"]),
    }


@pytest.mark.parametrize("above", list(list_places()))
def test_a_wrong_shape_is_told_with_an_example(above: str, tmp_path: Path) -> None:
    """Over the whole schema; an example that is given in full is one that is accepted."""
    examples: dict[str, str] = {}
    told: set[str] = set()
    for wrong in WRONG:
        for message, remedy in refusals(
            tmp_path, above + "\n".join(f"{key} = {wrong}" for key in list_places()[above])
        ):
            if ": expected " not in message:
                continue  # a rule of the key's own, which has words of its own
            assert ", got " in message
            assert not remedy.startswith("write a t"), f"{message} is answered by its own words"
            told.add(message.split("`")[1].rpartition(".")[2])
            line = remedy.partition("`")[2].rpartition("`")[0]
            key, equals, value = line.partition(" = ")
            if equals and key in list_places()[above] and not {"…", "word"} & set(value.strip('"[]').split()):
                examples[key] = line
    assert told >= set(list_places()[above]) - {"extends"}
    again = refusals(tmp_path, above + "\n".join(examples.values()))
    assert [message for message, _ in again if ": expected " in message] == []


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ('[tune]\nfactors = "thorough"', 'did you mean `space = "thorough"`?'),
        ('[tune]\nobjective = "quick"', 'did you mean `space = "quick"`?'),
        ("[tune]\nfactors = 3", 'write for instance `factors = { lto = ["off", "thin", "fat"], pgo = [false, true] }`'),
        ('[project]\nfeatures = "simd"', 'write it as a list: ["simd"]'),
        ('[project]\ntarget = ["host"]', 'write it without the brackets: `target = "host"`'),
        ('[[workloads]]\nname = "w"\ncommand = "{bin} -n \'a b\'"', 'write it as a list: ["{bin}", "-n", "a b"]'),
        (f'{WORKLOAD}use = "train"', 'write it as a list: ["train"]'),
        (f'{WORKLOAD}env = "LANG=C"', 'write for instance `env = { LANG = "C" }`'),
        (f'{SERVER}ready = "listening"', 'write for instance `ready = { tcp = "{port}", within = "30s" }`'),
        ('measure = "wall"', 'write the heading `[measure]`, and below it for instance `metric = "wall"`'),
        ('variants = ["pgo"]', "write a heading for each, such as `[variants.NAME]`"),
        ('workloads = ["w"]', "write it as a table with its own heading: `[[workloads]]`"),
        ('[variants.release]\npgo = "yes"', "write for instance `pgo = true`"),
    ],
)
def test_what_was_meant_is_named(text: str, remedy: str, tmp_path: Path) -> None:
    """A word that another key of the table takes, a command of a shell, a list too many or too few."""
    assert [found for _, found in refusals(tmp_path, text)] == [remedy]


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("time", 'did you mean "wall"?'),
        ("Wall-Clock", 'did you mean "wall"?'),
        ("cpu_time", 'did you mean "cpu"?'),
        ("memory", 'did you mean "rss"?'),
        ("max-rss", 'did you mean "rss"?'),
        ("page-faults", 'did you mean "faults"?'),
        ("page faults", 'did you mean "faults"?'),
        ("instructions", COUNTED["instructions"]),
        ("instrs", COUNTED["instructions"]),
        ("allocs", COUNTED["allocations"]),
    ],
)
def test_a_metric_by_another_name(word: str, remedy: str, tmp_path: Path) -> None:
    """Synonyms are answered by the metric, what is only counted by where it is reported."""
    for above in ("[measure]\n", WORKLOAD):
        assert [found for _, found in refusals(tmp_path, f'{above}metric = "{word}"')] == [remedy]


def test_what_is_no_metric_is_answered_by_where_it_is() -> None:
    """Sizes and build times are in every report; of what nobody measures nothing is guessed."""
    assert "`max-size-growth` under [gates]" in (suggest_metric("binary size") or "")
    assert "`max-build-time-growth` under [gates]" in (suggest_metric("build_time") or "")
    assert suggest_metric("energy") is None
    assert {find_metric(name) for name in MetricName} == set(MetricName)
