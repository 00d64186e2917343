# ruff: noqa: E501 - snapshots hold text as it is printed
from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import pytest
from inline_snapshot import snapshot

from optbuild.record.model import RunRecord, RunStatus
from optbuild.record.store import parse_record
from optbuild.report.assemble import assemble
from optbuild.report.formats import FORMATS
from optbuild.report.model import Screen
from tests.unit.report_cases import (
    make_failed,
    make_inconclusive,
    make_invalid,
    make_measured,
    make_skipped,
    make_unmeasured,
    rename,
    with_in_sample,
)


def render(record: RunRecord, name: str, *, width: int = 100, colour: bool = False) -> str:
    """Assemble and write in one format."""
    return FORMATS[name](record, assemble(record), Screen(width=width, colour=colour))


@pytest.mark.parametrize(("metric", "heading"), [("wall", "median time"), ("cpu", "median wall time")])
def test_medians_that_are_not_of_the_metric_say_what_they_are_of(metric: str, heading: str) -> None:
    """Under load a wall time may change by a third where the CPU time hardly does."""
    record = make_measured()
    record = replace(record, comparisons=tuple(replace(item, metric=metric) for item in record.comparisons))
    assert f"| {heading} |" in render(record, "markdown")


def test_markdown_of_one_workload_is_the_table_of_a_pull_request() -> None:
    """Baseline first, interval and verdict beside every change, absolute time too, the terms of the claim below."""
    assert render(make_measured(), "markdown") == snapshot("""\
### wordfreq: release, lto, pgo

| variant       | time vs release (books) | 95% CI         | verdict | median time |  max RSS |    size | build incl. training |
|:--------------|------------------------:|:---------------|:--------|------------:|---------:|--------:|---------------------:|
| release (ref) |                       – | –              | –       |     35.2 ms | 41.0 MiB | 9.2 MiB |                 52 s |
| lto           |                   −3.1% | [−3.9, −2.3]   | faster  |     34.1 ms | 41.0 MiB | 7.4 MiB |                 88 s |
| pgo           |                  −11.8% | [−12.6, −11.0] | faster  |       31 ms | 41.0 MiB | 7.9 MiB |           3 min 10 s |

- n = 20 randomised rounds, 95% simultaneous, margin ±1.0%, A/A −0.1% ±0.4%, steal 0.3%; trained and measured on different inputs; outputs equal; holds for this binary, not for PGO in general.
- PGO evidence of pgo: 1,204 of 8,087 functions with counts, 52 without data, 0 mismatched, 3 raw profiles, profile 3f2a1bc9d0e1.
- Acme 9000, 2 cores, 8.0 GiB, Linux 6.1, rustc 1.95.0, commit 0123456789ab, optbuild 0.1.0, run 20260102-030405-beef.
""")


def test_markdown_of_several_workloads_has_a_second_table() -> None:
    """The suite's table names the geometric mean; the second one holds each variant on each workload, in order."""
    assert render(make_measured("novels", "logs", "code"), "markdown") == snapshot("""\
### wordfreq: release, lto, pgo

| variant       | time vs release (geomean of 3) | 95% CI         | verdict |  max RSS |    size | build incl. training |
|:--------------|-------------------------------:|:---------------|:--------|---------:|--------:|---------------------:|
| release (ref) |                              – | –              | –       | 41.0 MiB | 9.2 MiB |                 52 s |
| lto           |                          −3.1% | [−3.9, −2.3]   | faster  | 41.0 MiB | 7.4 MiB |                 88 s |
| pgo           |                         −11.8% | [−12.6, −11.0] | faster  | 41.0 MiB | 7.9 MiB |           3 min 10 s |

**Each workload**

| workload | variant       | time vs release | 95% CI         | verdict | median time |
|:---------|:--------------|----------------:|:---------------|:--------|------------:|
| novels   | release (ref) |               – | –              | –       |     35.2 ms |
|          | lto           |           −3.1% | [−3.9, −2.3]   | faster  |     34.1 ms |
|          | pgo           |          −11.8% | [−12.6, −11.0] | faster  |       31 ms |
| logs     | release (ref) |               – | –              | –       |     35.2 ms |
|          | lto           |           −3.1% | [−3.9, −2.3]   | faster  |     34.1 ms |
|          | pgo           |          −11.8% | [−12.6, −11.0] | faster  |       31 ms |
| code     | release (ref) |               – | –              | –       |     35.2 ms |
|          | lto           |           −3.1% | [−3.9, −2.3]   | faster  |     34.1 ms |
|          | pgo           |          −11.8% | [−12.6, −11.0] | faster  |       31 ms |

- n = 20 randomised rounds, 95% simultaneous, margin ±1.0%, A/A −0.1% ±0.4%, steal 0.3%; trained and measured on different inputs; outputs equal; holds for this binary, not for PGO in general.
- PGO evidence of pgo: 1,204 of 8,087 functions with counts, 52 without data, 0 mismatched, 3 raw profiles, profile 3f2a1bc9d0e1.
- Acme 9000, 2 cores, 8.0 GiB, Linux 6.1, rustc 1.95.0, commit 0123456789ab, optbuild 0.1.0, run 20260102-030405-beef.
""")


def test_terminal_at_80_columns_wraps_headings_and_drops_the_last_column() -> None:
    """A narrow screen keeps change, interval and verdict whole, and says what it leaves out."""
    assert render(make_measured(), "terminal", width=80) == snapshot("""\
wordfreq: release, lto, pgo

                    time vs
                    release                            median
variant             (books)  95% CI          verdict     time   max RSS     size
────────────────────────────────────────────────────────────────────────────────
release (ref)             –  –               –        35.2 ms  41.0 MiB  9.2 MiB
lto                   −3.1%  [−3.9, −2.3]    faster   34.1 ms  41.0 MiB  7.4 MiB
pgo                  −11.8%  [−12.6, −11.0]  faster     31 ms  41.0 MiB  7.9 MiB
(not shown at this width: build incl. training)

n = 20 randomised rounds, 95% simultaneous, margin ±1.0%, A/A −0.1% ±0.4%, steal
0.3%; trained and measured on different inputs; outputs equal; holds for this
binary, not for PGO in general.
PGO evidence of pgo: 1,204 of 8,087 functions with counts, 52 without data, 0
mismatched, 3 raw profiles, profile 3f2a1bc9d0e1.
Acme 9000, 2 cores, 8.0 GiB, Linux 6.1, rustc 1.95.0, commit 0123456789ab,
optbuild 0.1.0, run 20260102-030405-beef.
""")


def test_terminal_at_120_columns_shows_everything() -> None:
    """A wide screen leaves nothing out."""
    assert render(make_measured("novels", "logs", "code"), "terminal", width=120) == snapshot("""\
wordfreq: release, lto, pgo

variant        time vs release (geomean of 3)  95% CI          verdict   max RSS     size  build incl. training
───────────────────────────────────────────────────────────────────────────────────────────────────────────────
release (ref)                               –  –               –        41.0 MiB  9.2 MiB                  52 s
lto                                     −3.1%  [−3.9, −2.3]    faster   41.0 MiB  7.4 MiB                  88 s
pgo                                    −11.8%  [−12.6, −11.0]  faster   41.0 MiB  7.9 MiB            3 min 10 s

Each workload
workload  variant        time vs release  95% CI          verdict  median time
──────────────────────────────────────────────────────────────────────────────
novels    release (ref)                –  –               –            35.2 ms
          lto                      −3.1%  [−3.9, −2.3]    faster       34.1 ms
          pgo                     −11.8%  [−12.6, −11.0]  faster         31 ms
logs      release (ref)                –  –               –            35.2 ms
          lto                      −3.1%  [−3.9, −2.3]    faster       34.1 ms
          pgo                     −11.8%  [−12.6, −11.0]  faster         31 ms
code      release (ref)                –  –               –            35.2 ms
          lto                      −3.1%  [−3.9, −2.3]    faster       34.1 ms
          pgo                     −11.8%  [−12.6, −11.0]  faster         31 ms

n = 20 randomised rounds, 95% simultaneous, margin ±1.0%, A/A −0.1% ±0.4%, steal 0.3%; trained and measured on different
inputs; outputs equal; holds for this binary, not for PGO in general.
PGO evidence of pgo: 1,204 of 8,087 functions with counts, 52 without data, 0 mismatched, 3 raw profiles, profile
3f2a1bc9d0e1.
Acme 9000, 2 cores, 8.0 GiB, Linux 6.1, rustc 1.95.0, commit 0123456789ab, optbuild 0.1.0, run 20260102-030405-beef.
""")


def test_unproven_changes_stand_after_a_tilde_with_what_more_time_would_take() -> None:
    """Same and inconclusive are words, digits follow the interval, and the advice names the option."""
    assert render(make_inconclusive(), "terminal", width=100) == snapshot("""\
wordfreq: release, lto, pgo

                                                                                               build
                 time vs release                               median                          incl.
variant                  (books)  95% CI        verdict          time   max RSS     size    training
────────────────────────────────────────────────────────────────────────────────────────────────────
release (ref)                  –  –             –             35.2 ms  41.0 MiB  9.2 MiB        52 s
lto                       ~ 0.0%  [−0.3, +0.4]  same          34.1 ms  41.0 MiB  7.4 MiB        88 s
pgo                        ~ −1%  [−6, +4]      inconclusive    31 ms  41.0 MiB  7.9 MiB  3 min 10 s

n = 20 randomised rounds, 95% simultaneous, margin ±1.0%, A/A −0.1% ±0.4%, steal 0.3%; trained and
measured on different inputs; outputs equal; holds for this binary, not for PGO in general.
Time was short: half-width ±5.0% reached; minimum detectable effect 8.3%; the requested precision
takes 500 rounds: --max-time 42m.
PGO evidence of pgo: 1,204 of 8,087 functions with counts, 52 without data, 0 mismatched, 3 raw
profiles, profile 3f2a1bc9d0e1.
Acme 9000, 2 cores, 8.0 GiB, Linux 6.1, rustc 1.95.0, commit 0123456789ab, optbuild 0.1.0, run
20260102-030405-beef.
""")


def test_an_invalid_session_shows_no_change_at_all() -> None:
    """Where identical copies differ, a number would be believed: there is only the word and why."""
    assert render(make_invalid(), "markdown") == snapshot("""\
### wordfreq: release, lto, pgo

| variant       | time vs release (books) | 95% CI | verdict | median time |  max RSS |    size | build incl. training |
|:--------------|------------------------:|:-------|:--------|------------:|---------:|--------:|---------------------:|
| release (ref) |                       – | –      | –       |     35.2 ms | 41.0 MiB | 9.2 MiB |                 52 s |
| lto           |                       – | –      | invalid |     34.1 ms | 41.0 MiB | 7.4 MiB |                 88 s |
| pgo           |                       – | –      | invalid |       31 ms | 41.0 MiB | 7.9 MiB |           3 min 10 s |

- n = 20 randomised rounds, 95% simultaneous, margin ±1.0%, A/A +3.1% ±1.1% (invalid: two identical copies differ, so no change is given); trained and measured on different inputs; outputs equal; holds for this binary, not for PGO in general.
- PGO evidence of pgo: 1,204 of 8,087 functions with counts, 52 without data, 0 mismatched, 3 raw profiles, profile 3f2a1bc9d0e1.
- Warning: no verdict is given: copies differ
- Acme 9000, 2 cores, 8.0 GiB, Linux 6.1, rustc 1.95.0, commit 0123456789ab, optbuild 0.1.0, run 20260102-030405-beef.
""")


def test_a_skipped_variant_keeps_its_row_and_gives_its_reason() -> None:
    """Nothing that was asked for vanishes; the warning that says the same is not repeated."""
    assert render(make_skipped(), "markdown") == snapshot("""\
### wordfreq: release, lto, pgo

| variant       | time vs release (books) | 95% CI       | verdict | median time |  max RSS |    size | build |
|:--------------|------------------------:|:-------------|:--------|------------:|---------:|--------:|------:|
| release (ref) |                       – | –            | –       |     35.2 ms | 41.0 MiB | 9.2 MiB |  52 s |
| lto           |                   −3.1% | [−3.9, −2.3] | faster  |     34.1 ms | 41.0 MiB | 7.4 MiB |  88 s |
| pgo           |                       – | –            | skipped |           – |        – |       – |     – |

- n = 20 randomised rounds, 95% simultaneous, margin ±1.0%, A/A −0.1% ±0.4%, steal 0.3%; outputs equal; holds for this binary.
- Skipped pgo: no workload is used for training
- Acme 9000, 2 cores, 8.0 GiB, Linux 6.1, rustc 1.95.0, commit 0123456789ab, optbuild 0.1.0, run 20260102-030405-beef.
""")


def test_a_build_shows_sizes_and_build_times() -> None:
    """Without measuring there is no column about time, and no claim."""
    assert render(make_unmeasured(), "terminal", width=80) == snapshot("""\
wordfreq: release, lto, pgo

variant        status     size  build incl. training
────────────────────────────────────────────────────
release (ref)  built   9.2 MiB                  52 s
lto            built   7.4 MiB                  88 s
pgo            built   7.9 MiB            3 min 10 s

PGO evidence of pgo: 1,204 of 8,087 functions with counts, 52 without data, 0
mismatched, 3 raw profiles, profile 3f2a1bc9d0e1.
Acme 9000, 2 cores, 8.0 GiB, Linux 6.1, rustc 1.95.0, commit 0123456789ab,
optbuild 0.1.0, run 20260102-030405-beef.
""")


def test_a_failed_run_says_so_first_and_shows_what_there_is() -> None:
    """The error and its remedy stand above the table of what was finished."""
    assert render(make_failed(), "terminal", width=100) == snapshot("""\
wordfreq: release, lto, pgo
This run failed: cargo ended with 101 (variant lto)
help: read the log: less /w/lto.log

variant        status      size  build
──────────────────────────────────────
release (ref)  built    9.2 MiB   52 s
lto            failed         –      –
pgo            skipped        –      –

Failed lto: cargo ended with 101
Skipped pgo: not reached
Acme 9000, 2 cores, 8.0 GiB, Linux 6.1, rustc 1.95.0, commit 0123456789ab, optbuild 0.1.0, run
20260102-030405-beef.
""")


def test_csv_has_a_row_of_plain_numbers_for_each_comparison() -> None:
    """Machines get signs and full digits."""
    assert render(make_measured(), "csv") == snapshot("""\
scope,workload,metric,baseline,candidate,change,ci_low,ci_high,confidence,p_value,p_adjusted,verdict,fragile,rounds,mde,baseline_median_s,candidate_median_s,in_sample\r
suite,,wall,release,lto,-0.031,-0.039,-0.023,0.95,0.0001,0.0002,faster,false,20,0.021,,,\r
suite,,wall,release,pgo,-0.118,-0.126,-0.11,0.95,0.0001,0.0002,faster,false,20,0.021,,,false\r
workload,books,wall,release,lto,-0.031,-0.039,-0.023,0.95,0.0001,0.0002,faster,false,20,0.021,0.0352,0.0341088,\r
workload,books,wall,release,pgo,-0.118,-0.126,-0.11,0.95,0.0001,0.0002,faster,false,20,0.021,0.0352,0.031046400000000002,false\r
""")


@pytest.mark.parametrize("name", ["=cmd()", "+1", "-1", "@SUM(A1)"])
def test_csv_makes_foreign_names_inert_and_leaves_numbers_alone(name: str) -> None:
    """A spreadsheet must not run a workload's name; a negative change stays a number."""
    text = render(rename(make_measured(), {"books": name}), "csv")
    row = list(csv.DictReader(io.StringIO(text, newline="")))[-1]

    assert row["workload"] == f"'{name}"
    assert float(row["change"]) == -0.118


@pytest.mark.parametrize("name", ["terminal", "markdown", "html", "json", "csv"])
def test_every_format_of_the_whole_says_what_is_in_sample(name: str) -> None:
    """Whoever copies a number of a variant that was trained on this very input, copies the label with it."""
    text = render(with_in_sample(make_measured("a", "b"), a=True, b=False), name)
    if name == "json":
        assert [item["in_sample"] for item in json.loads(text)["workloads"]] == [True, False]
    elif name == "csv":
        rows = [row for row in csv.DictReader(io.StringIO(text, newline="")) if row["candidate"] == "pgo"]
        assert [row["in_sample"] for row in rows] == ["partly", "true", "false"]
    else:
        lines = [line for line in text.splitlines() if "pgo (in-sample" in line]
        assert any("pgo (in-sample on 1 of 2)" in line for line in lines)
        assert any("pgo (in-sample)" in line for line in lines)


def test_csv_does_not_claim_what_is_not_known() -> None:
    """Where nobody knows what a workload reads, and for records of all workloads together, the cell says so."""

    def cells(record: RunRecord) -> list[str]:
        rows = csv.DictReader(io.StringIO(render(record, "csv"), newline=""))
        return [row["in_sample"] for row in rows if row["candidate"] == "pgo"]

    record = make_measured("a", "b")
    assert cells(with_in_sample(record, a=None, b=False)) == ["", "", "false"]
    assert cells(replace(with_in_sample(record, a=True), workloads=())) == ["true", "true", "true"]


def test_csv_gives_no_numbers_for_an_invalid_comparison() -> None:
    """What people are not shown, scripts are not given either."""
    row = next(csv.DictReader(io.StringIO(render(make_invalid(), "csv"), newline="")))

    assert (row["change"], row["ci_low"], row["mde"], row["verdict"]) == ("", "", "", "invalid")


def test_json_is_the_record_itself() -> None:
    """Reading it back gives the same record."""
    record = make_measured()
    text = render(record, "json")

    assert parse_record(text.encode()) == record
    assert json.loads(text)["schema"] == "optbuild/record/1"


def test_html_is_one_page_that_asks_for_nothing_else() -> None:
    """No script, no link, no image; the charts are drawn in the page, the commands lie in a details element."""
    page = render(make_measured(), "html")
    body = re.sub("<svg.*?</svg>", "<svg/>", page[page.index("<body>") :], flags=re.DOTALL)

    assert body == snapshot("""\
<body><h1>wordfreq: release, lto, pgo</h1>
<div class="wide"><table>
<thead><tr><th>variant</th><th class="right">time vs release (books)</th><th>95% CI</th><th>verdict</th><th class="right">median time</th><th class="right">max RSS</th><th class="right">size</th><th class="right">build incl. training</th></tr></thead>
<tbody>
<tr><td>release (ref)</td><td class="right">–</td><td>–</td><td>–</td><td class="right">35.2 ms</td><td class="right">41.0 MiB</td><td class="right">9.2 MiB</td><td class="right">52 s</td></tr>
<tr><td>lto</td><td class="right faster">−3.1%</td><td>[−3.9, −2.3]</td><td class="faster">faster</td><td class="right">34.1 ms</td><td class="right">41.0 MiB</td><td class="right">7.4 MiB</td><td class="right">88 s</td></tr>
<tr><td>pgo</td><td class="right faster">−11.8%</td><td>[−12.6, −11.0]</td><td class="faster">faster</td><td class="right">31 ms</td><td class="right">41.0 MiB</td><td class="right">7.9 MiB</td><td class="right">3 min 10 s</td></tr>
</tbody>
</table></div>
<div class="charts">
<figure><h2>Change in time vs release</h2>
<figcaption>With its interval; left is faster. Grey is unproven; the band is the margin of ±1%.</figcaption>
<svg/>
</figure>
<figure><h2>Time against size</h2>
<figcaption>Lower is faster, further left is smaller.</figcaption>
<svg/>
</figure>
</div>
<ul class="notes">
<li>n = 20 randomised rounds, 95% simultaneous, margin ±1.0%, A/A −0.1% ±0.4%, steal 0.3%; trained and measured on different inputs; outputs equal; holds for this binary, not for PGO in general.</li>
<li>PGO evidence of pgo: 1,204 of 8,087 functions with counts, 52 without data, 0 mismatched, 3 raw profiles, profile 3f2a1bc9d0e1.</li>
<li>Acme 9000, 2 cores, 8.0 GiB, Linux 6.1, rustc 1.95.0, commit 0123456789ab, optbuild 0.1.0, run 20260102-030405-beef.</li>
</ul>
<details><summary>How each variant was built</summary>
<h2>release</h2>
<ol>
<li>compile (52 s)<br><code>cargo build --config &#x27;profile.release.lto=&quot;fat&quot;&#x27;</code></li>
</ol>
<h2>lto</h2>
<ol>
<li>compile (88 s)<br><code>cargo build --config &#x27;profile.release.lto=&quot;fat&quot;&#x27;</code></li>
</ol>
<h2>pgo</h2>
<ol>
<li>compile (3 min 10 s)<br><code>cargo build --config &#x27;profile.release.lto=&quot;fat&quot;&#x27;</code></li>
</ol>
</details>
</body></html>
""")
    assert "prefers-color-scheme: dark" in page
    for outside in ("<script", "<link", "<img", "http", "url(h", 'url("', "@import"):
        assert outside not in page


def test_html_escapes_foreign_text() -> None:
    """Names are text, never elements."""
    page = render(rename(make_measured(), {"pgo": '<script>"&'}), "html")

    assert "<script>" not in page
    assert "&lt;script&gt;&quot;&amp;" in page


def test_markdown_escapes_foreign_text() -> None:
    """Pipes, brackets, backticks and angle brackets in names are shown, not taken for markup."""
    lines = render(rename(make_measured("a", "b"), {"b": "<b>`x`|*y*_[z](u)\n~"}), "markdown").splitlines()

    assert [line for line in lines if "lt;b" in line] == snapshot(
        [
            "| &lt;b&gt;\\`x\\`\\|\\*y\\*\\_\\[z\\](u)^J\\~ | release (ref) |               – | –              | –       |     35.2 ms |"
        ]
    )


def test_terminal_shows_brackets_in_names_as_they_are() -> None:
    """Rich's markup and emoji codes in names are only text."""
    lines = render(rename(make_measured("a", "b"), {"b": "[bold]:smile:[/]"}), "terminal", width=120).splitlines()

    assert any(line.startswith("[bold]:smile:[/]  release (ref)") for line in lines)


def test_terminal_colours_only_what_is_proven() -> None:
    """Green for faster; without colour no escape sequence at all; an inconclusive change stays plain."""
    coloured = render(make_measured(), "terminal", colour=True)

    assert "\x1b[32mfaster" in coloured
    assert "\x1b[3" not in render(make_inconclusive(), "terminal", colour=True)
    assert "\x1b" not in render(make_measured(), "terminal")


@pytest.mark.parametrize("name", ["terminal", "markdown", "html", "csv"])
@pytest.mark.parametrize("command", ["::error::boom", "##[error]boom", "##vso[task.complete]"])
def test_names_are_no_commands_to_a_ci_system(name: str, command: str) -> None:
    """CI systems read commands from output: no line starts with `::`, and no `##[` or `##vso[` is left."""
    text = render(rename(make_measured("a", "b"), {"a": command, "pgo": command}), name)

    assert "boom" in text or "task.complete" in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert "##[" not in text
    assert "##vso[" not in text


@pytest.mark.parametrize("name", ["terminal", "markdown", "html"])
def test_a_run_that_ended_before_its_first_variant_is_still_a_report(name: str) -> None:
    """There is nothing to tabulate or draw: the page holds its name and how it ended."""
    text = render(make_unmeasured(status=RunStatus.INTERRUPTED, variants=()), name)

    assert "This run was interrupted" in text
    assert "|" not in text
    assert "<table" not in text
    assert "<details" not in text
