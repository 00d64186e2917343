# ruff: noqa: E501 - snapshots hold text as it is printed
from __future__ import annotations

from dataclasses import replace

import pytest
from inline_snapshot import snapshot

from optbuild.errors import UsageError
from optbuild.record.model import RunRecord
from optbuild.report.assemble import assemble
from optbuild.report.release_notes import with_contributions
from optbuild.report.template import make_variables, render_template
from tests.unit.report_cases import make_invalid, make_measured, make_unmeasured, rename, with_samples

RECIPES = {
    "release": {"name": "release", "ancestors": []},
    "lto": {"name": "lto", "ancestors": ["release"], "lto": "fat"},
    "pgo": {"name": "pgo", "ancestors": ["lto", "release"], "lto": "fat", "pgo": "required"},
}


def fill_in(text: str, record: RunRecord | None = None, name: str = "notes.md.j2") -> str:
    """Fill in a template with a measured run."""
    made = record or make_measured()
    return render_template(text, name, made, with_contributions(made, assemble(made)))


def test_a_template_names_what_the_report_holds() -> None:
    """Variants with their numbers as people read them, the run, and tables as they are written."""
    template = (
        "## {{ run.package }}\n{% for item in variants if not item.baseline %}\n"
        "- {{ item.name }}: {{ item.change }} {{ item.interval }} {{ item.verdict }}, {{ item.size }}, {{ item.build }}\n"
        "{% endfor %}\n{{ table.text }}\n\nBuilt by {{ run.rustc }} from {{ run.commit }}.\n"
    )
    assert fill_in(template) == snapshot("""\
## wordfreq
- lto: −3.1% \\[−3.9, −2.3\\] faster, 7.4 MiB, 88 s
- pgo: −11.8% \\[−12.6, −11.0\\] faster, 7.9 MiB, 3 min 10 s
| variant       | time vs release (books) | 95% CI         | verdict | median time |  max RSS |    size | build incl. training |
|:--------------|------------------------:|:---------------|:--------|------------:|---------:|--------:|---------------------:|
| release (ref) |                       – | –              | –       |     35.2 ms | 41.0 MiB | 9.2 MiB |                 52 s |
| lto           |                   −3.1% | [−3.9, −2.3]   | faster  |     34.1 ms | 41.0 MiB | 7.4 MiB |                 88 s |
| pgo           |                  −11.8% | [−12.6, −11.0] | faster  |       31 ms | 41.0 MiB | 7.9 MiB |           3 min 10 s |

Built by 1.95.0 from 0123456789ab.
""")


def test_names_are_escaped_for_the_kind_of_text() -> None:
    """By the template's file name: Markdown, markup, or plain text; `.j2` may stand behind it."""
    record = rename(make_measured(), {"pgo": "<b>|*"})
    template = "{{ variants[2].name }}"

    assert fill_in(template, record) == r"&lt;b&gt;\|\*"
    assert fill_in(template, record, "notes.html") == fill_in(template, record, "NOTES.HTML.j2") == "&lt;b&gt;|*"
    assert fill_in(template, record, "notes.txt") == "<b>|*"
    assert "<td>&lt;b&gt;|*</td>" in fill_in("{{ table.text }}", record, "notes.html")


def test_nothing_is_escaped_twice() -> None:
    """Macros and blocks that are set pass through; what is joined is escaped as one."""
    record = rename(make_measured(), {"pgo": "a*b"})
    template = "{% macro bold(x) %}**{{ x }}**{% endmacro %}{{ bold(variants[2].name) }} {{ variants[2].name ~ '*' }}"

    assert fill_in(template, record) == r"**a\*b** a\*b\*"


def test_names_command_no_ci() -> None:
    """The template is the project's, the names are not."""
    assert "\n::" not in fill_in("\n{{ title }}", rename(make_measured(), {"release": "::error::"}))


@pytest.mark.parametrize(
    ("template", "line", "said"),
    [
        ("one\n{% for x in %}", 2, "Expected an expression"),
        ("one\n\n{{ variant.name }}", 3, "'variant' is undefined"),
        ("{{ variants[0].speed }}", 1, "has no attribute 'speed'"),
        ("\n{{ variants }}", 2, "cannot be printed"),
        ("\n{{ 1 / 0 }}", 2, "division by zero"),
        ("\n{{ title.__class__.__mro__ }}", 2, "sandbox"),
        ("{{ variants.append(1) }}", 1, "sandbox"),
        ("{% include 'other' %}", 1, "no loader"),
        ("\n{{ 'a' + 1 }}", 2, "str"),
    ],
)
def test_faults_name_their_line(template: str, line: int, said: str) -> None:
    """Whatever is wrong with a template is the template's, and says where."""
    with pytest.raises(UsageError) as caught:
        fill_in(template)

    assert said in caught.value.message
    assert caught.value.location == f"notes.md.j2:{line}"


def test_what_is_not_known_prints_nothing() -> None:
    """A run without measurements has variables all the same, and an invalid change has no numbers."""
    assert fill_in("{{ variants[1].change }}|{{ run.rounds }}", make_unmeasured()) == "|"
    assert fill_in("{{ variants[1].change }}|{{ variants[1].verdict }}", make_invalid()) == "|invalid"


def test_the_variables_are_the_documented_ones() -> None:
    """The how-to page lists them; a name that is gone would break templates of others."""
    record = make_measured()
    found = make_variables(record, assemble(record))

    assert [*found] == snapshot(["title", "status", "tables", "table", "footnotes", "variants", "workloads", "run"])
    assert [*found["variants"][0]] == snapshot(
        [
            "name",
            "baseline",
            "status",
            "size_bytes",
            "size",
            "max_rss_bytes",
            "max_rss",
            "build_s",
            "build",
            "in_sample",
            "sha256",
            "change",
            "interval",
            "verdict",
            "change_ratio",
            "ci_low",
            "ci_high",
        ]
    )
    assert [*found["run"]] == snapshot(
        [
            "id",
            "started_at",
            "status",
            "optbuild",
            "package",
            "commit",
            "rustc",
            "target",
            "cpu",
            "cores",
            "kernel",
            "rounds",
            "confidence",
        ]
    )
    assert [*found["table"]] == snapshot(["caption", "headings", "rows", "text"])


def test_each_step_is_held_against_the_one_before() -> None:
    """PGO on top of LTO is compared round by round, with what is new in it; the intervals hold together."""
    record = with_samples(make_measured("a", "b"), rounds=8)
    record = replace(record, build_profile={"variants": RECIPES})

    assert fill_in("{{ tables[1].text }}", record) == snapshot("""\
**What each step gave**

| step | on top of | what is new    |   time | 95% CI         | verdict |            size |       build |
|:-----|:----------|:---------------|-------:|:---------------|:--------|----------------:|------------:|
| lto  | release   | lto = fat      | −3.10% | [−3.10, −3.10] | faster  | −1.8 MiB (−20%) |       +36 s |
| pgo  | lto       | pgo = required | −8.98% | [−8.98, −8.98] | faster  |  +512 KiB (+7%) | +1 min 42 s |\
""")


def test_steps_without_runs_have_no_numbers() -> None:
    """Of records without samples only settings, sizes and build times are told."""
    record = make_measured()
    record = replace(record, build_profile={"variants": RECIPES})

    assert fill_in("{{ tables[1].rows[1][3] }}", record) == "–"
