from __future__ import annotations

import json
from dataclasses import replace
from textwrap import fill
from typing import Any

import pytest
from inline_snapshot import snapshot

from optbuild.plan.forecast import Estimate, Expectation, Forecast
from optbuild.plan.overview import render_overview
from optbuild.plan.planner import make_plan
from optbuild.plan.render import describe_estimate, plan_to_dict, render_actions, shell_like
from optbuild.profile.placeholders import parse_placeholders
from optbuild.profile.profile_data import ProfileDataSettings, UseProfileData
from optbuild.profile.variants import CodeLayout, PgoMode, Variant
from optbuild.profile.workloads import Use
from optbuild.record.history import History
from optbuild.session.forecast import estimate_all, estimate_runs
from optbuild.testing import make_build_profile, make_invocation, make_plan_inputs, make_project, make_toolchain
from optbuild.toolchain.cpu import CpuNeeds
from optbuild.workloads.invocation import Ready, Server
from optbuild.workloads.readiness import ReadyKind

UNKNOWN = Estimate(each_s={})
BOOKS = make_invocation("{bin:demo}", "--top", "20", "books.txt", name="books", weight=3.0)
WORKLOADS = (
    BOOKS,
    make_invocation("{bin:demo}", "logs.txt", name="logs", use=(Use.TRAIN,)),
    make_invocation("{bin:demo}", "held out.txt", name="held out", use=(Use.BENCH,)),
)


def folded(text: str) -> str:
    """A text with its long lines folded, so that it fits on a page."""
    lines = (fill(line, 100, subsequent_indent=" " * 12, break_on_hyphens=False) for line in text.splitlines())
    return "\n".join(lines) + "\n"


def test_a_reason_that_someone_else_wrote_is_inert() -> None:
    """Why a variant is skipped may quote the user's flags, and those of a repository one does not know."""
    plan = make_plan(make_plan_inputs(), ("release",), measure=False)
    skipped = replace(plan, variants=(replace(plan.variants[0], skipped="-C\x1b]0;x\x07\nvariant pgo: built by me"),))
    assert render_actions(skipped).splitlines()[0] == ("variant release: skipped: -C^[]0;x^G^Jvariant pgo: built by me")
    lines = render_overview(replace(skipped, variants=(replace(skipped.variants[0], compile=None),)), {}, UNKNOWN)
    assert "skipped: -C^[]0;x^G^Jvariant pgo: built by me" in lines


def test_a_whole_plan_for_people() -> None:
    """Every argv, directory, environment addition, timeout and writable place is in it."""
    inputs = make_plan_inputs(workloads=WORKLOADS)
    plan = make_plan(inputs, ("release", "lto", "pgo"), measure=True)
    assert folded(render_actions(plan)) == snapshot("""\
variant release: built by compile-cfc67397
variant lto: built by compile-1c3b8aa5
variant pgo: built by choose-cde4ec15

compile-cfc67397  release: build
  argv    /toolchain/bin/cargo build --manifest-path /p/Cargo.toml --package demo@0.1.0 --bin demo
            --profile release --target x86_64-unknown-linux-gnu --target-dir
            /p/target/optbuild/cargo --color never --config 'term.progress.when="never"' --config
            term.quiet=false --config 'build.build-dir="/p/target/optbuild/cargo"' --locked
            --message-format=json-diagnostic-rendered-ansi
  cwd     /p
  env     RUSTUP_AUTO_INSTALL=0
  writes  /p/target/optbuild/binaries/compile-cfc67397

probe-9d157d37  outputs of books
  needs   compile-cfc67397
  argv    {bin:demo} --top 20 books.txt
  cwd     /p
  timeout 5 min 00 s
  writes  /p/target/optbuild/scratch/books-6e317bcd

probe-9aba8d39  outputs of held out
  needs   compile-cfc67397
  argv    {bin:demo} 'held out.txt'
  cwd     /p
  timeout 5 min 00 s
  writes  /p/target/optbuild/scratch/held-out-681314dd

compile-1c3b8aa5  lto: build
  argv    /toolchain/bin/cargo build --manifest-path /p/Cargo.toml --package demo@0.1.0 --bin demo
            --profile release --target x86_64-unknown-linux-gnu --target-dir
            /p/target/optbuild/cargo --color never --config 'term.progress.when="never"' --config
            term.quiet=false --config 'build.build-dir="/p/target/optbuild/cargo"' --config
            'profile.release.lto="fat"' --config profile.release.codegen-units=1 --locked
            --message-format=json-diagnostic-rendered-ansi
  cwd     /p
  env     RUSTUP_AUTO_INSTALL=0
  writes  /p/target/optbuild/binaries/compile-1c3b8aa5

compare-983eccfc  lto: outputs of books
  needs   probe-9d157d37, compile-1c3b8aa5
  argv    {bin:demo} --top 20 books.txt
  cwd     /p
  timeout 5 min 00 s
  writes  /p/target/optbuild/scratch/books-6e317bcd

compare-2b75b023  lto: outputs of held out
  needs   probe-9aba8d39, compile-1c3b8aa5
  argv    {bin:demo} 'held out.txt'
  cwd     /p
  timeout 5 min 00 s
  writes  /p/target/optbuild/scratch/held-out-681314dd

object-4122709c  object that marks each start of a program
  argv    /toolchain/bin/rustc --crate-name=optbuild_marks --crate-type=lib --edition=2021
            --emit=obj -Copt-level=2 -Cpanic=abort --target x86_64-unknown-linux-gnu -o
            /p/target/optbuild/objects/object-4122709c.o
            /p/target/optbuild/objects/object-4122709c.rs
  cwd     /p
  writes  /p/target/optbuild/objects

compile-2d6aa25f  pgo: build instrumented without LTO
  needs   object-4122709c
  argv    /toolchain/bin/cargo build --manifest-path /p/Cargo.toml --package demo@0.1.0 --bin demo
            --profile release --target x86_64-unknown-linux-gnu --target-dir
            /p/target/optbuild/train --color never --config 'term.progress.when="never"' --config
            term.quiet=false --config 'build.build-dir="/p/target/optbuild/train"' --config
            'profile.release.lto="fat"' --config profile.release.codegen-units=1 --locked
            --message-format=json-diagnostic-rendered-ansi
  cwd     /p
  env     RUSTUP_AUTO_INSTALL=0
  env     CARGO_ENCODED_RUSTFLAGS=-Clink-arg=/p/target/optbuild/objects/object-4122709c.o
            -Cprofile_generate=/p/target/optbuild/stray -Clto=off -Clinker_plugin_lto=no
            -Cembed_bitcode=no
  writes  /p/target/optbuild/binaries/compile-2d6aa25f

train-d927b9df  pgo: train on books
  needs   compile-2d6aa25f
  argv    {bin:demo} --top 20 books.txt
  cwd     /p
  env     LLVM_PROFILE_FILE=/p/target/optbuild/raw/train-d927b9df/…/%m_%p.profraw
  timeout 5 min 00 s
  writes  /p/target/optbuild/raw/train-d927b9df

train-2b54fe39  pgo: train on logs
  needs   compile-2d6aa25f
  argv    {bin:demo} logs.txt
  cwd     /p
  env     LLVM_PROFILE_FILE=/p/target/optbuild/raw/train-2b54fe39/…/%m_%p.profraw
  timeout 5 min 00 s
  writes  /p/target/optbuild/raw/train-2b54fe39

merge-0e620676  pgo: merge profiles
  needs   train-d927b9df, train-2b54fe39
  argv    /toolchain/bin/llvm-profdata merge --input-files={inputs} --output={profdata}
            --failure-mode=any
  inputs  3 × {profdata:train-d927b9df}, 1 × {profdata:train-2b54fe39}
  writes  /p/target/optbuild/profdata

compile-fa4c22a4  pgo: build
  needs   merge-0e620676
  argv    /toolchain/bin/cargo build --manifest-path /p/Cargo.toml --package demo@0.1.0 --bin demo
            --profile release --target x86_64-unknown-linux-gnu --target-dir
            /p/target/optbuild/train --color never --config 'term.progress.when="never"' --config
            term.quiet=false --config 'build.build-dir="/p/target/optbuild/train"' --config
            'profile.release.lto="fat"' --config profile.release.codegen-units=1 --locked --config
            'build.warnings="warn"' -vv --message-format=json-diagnostic-rendered-ansi
  cwd     /p
  env     RUSTUP_AUTO_INSTALL=0
  env     CARGO_ENCODED_RUSTFLAGS=-Cprofile_use={profdata:merge-0e620676}
            -Cllvm-args=-pgo-warn-missing-function -Wwarnings
  writes  /p/target/optbuild/binaries/compile-fa4c22a4

compile-bf551d1d  pgo: build instrumented
  only if the attempt lto-free of pgo is rejected
  needs   object-4122709c
  argv    /toolchain/bin/cargo build --manifest-path /p/Cargo.toml --package demo@0.1.0 --bin demo
            --profile release --target x86_64-unknown-linux-gnu --target-dir
            /p/target/optbuild/train --color never --config 'term.progress.when="never"' --config
            term.quiet=false --config 'build.build-dir="/p/target/optbuild/train"' --config
            'profile.release.lto="fat"' --config profile.release.codegen-units=1 --locked
            --message-format=json-diagnostic-rendered-ansi
  cwd     /p
  env     RUSTUP_AUTO_INSTALL=0
  env     CARGO_ENCODED_RUSTFLAGS=-Clink-arg=/p/target/optbuild/objects/object-4122709c.o
            -Cprofile_generate=/p/target/optbuild/stray
  writes  /p/target/optbuild/binaries/compile-bf551d1d

train-9b11ffd0  pgo: train on books
  only if the attempt lto-free of pgo is rejected
  needs   compile-bf551d1d
  argv    {bin:demo} --top 20 books.txt
  cwd     /p
  env     LLVM_PROFILE_FILE=/p/target/optbuild/raw/train-9b11ffd0/…/%m_%p.profraw
  timeout 5 min 00 s
  writes  /p/target/optbuild/raw/train-9b11ffd0

train-8a377534  pgo: train on logs
  only if the attempt lto-free of pgo is rejected
  needs   compile-bf551d1d
  argv    {bin:demo} logs.txt
  cwd     /p
  env     LLVM_PROFILE_FILE=/p/target/optbuild/raw/train-8a377534/…/%m_%p.profraw
  timeout 5 min 00 s
  writes  /p/target/optbuild/raw/train-8a377534

merge-ddd05218  pgo: merge profiles
  only if the attempt lto-free of pgo is rejected
  needs   train-9b11ffd0, train-8a377534
  argv    /toolchain/bin/llvm-profdata merge --input-files={inputs} --output={profdata}
            --failure-mode=any
  inputs  3 × {profdata:train-9b11ffd0}, 1 × {profdata:train-8a377534}
  writes  /p/target/optbuild/profdata

compile-c87299a0  pgo: build
  only if the attempt lto-free of pgo is rejected
  needs   merge-ddd05218
  argv    /toolchain/bin/cargo build --manifest-path /p/Cargo.toml --package demo@0.1.0 --bin demo
            --profile release --target x86_64-unknown-linux-gnu --target-dir
            /p/target/optbuild/train --color never --config 'term.progress.when="never"' --config
            term.quiet=false --config 'build.build-dir="/p/target/optbuild/train"' --config
            'profile.release.lto="fat"' --config profile.release.codegen-units=1 --locked --config
            'build.warnings="warn"' -vv --message-format=json-diagnostic-rendered-ansi
  cwd     /p
  env     RUSTUP_AUTO_INSTALL=0
  env     CARGO_ENCODED_RUSTFLAGS=-Cprofile_use={profdata:merge-ddd05218}
            -Cllvm-args=-pgo-warn-missing-function -Wwarnings
  writes  /p/target/optbuild/binaries/compile-c87299a0

choose-cde4ec15  pgo: the first attempt whose evidence holds
  needs   compile-fa4c22a4, compile-c87299a0
  tries   lto-free (compile-fa4c22a4), exact (compile-c87299a0)

compare-75eba609  pgo: outputs of books
  needs   probe-9d157d37, choose-cde4ec15
  argv    {bin:demo} --top 20 books.txt
  cwd     /p
  timeout 5 min 00 s
  writes  /p/target/optbuild/scratch/books-6e317bcd

compare-33a60b7d  pgo: outputs of held out
  needs   probe-9aba8d39, choose-cde4ec15
  argv    {bin:demo} 'held out.txt'
  cwd     /p
  timeout 5 min 00 s
  writes  /p/target/optbuild/scratch/held-out-681314dd

measure-6a04c9b3  measure
  needs   compile-cfc67397, compile-1c3b8aa5, choose-cde4ec15
  argv    {bin:demo} --top 20 books.txt
  argv    {bin:demo} 'held out.txt'
  writes  /p/target/optbuild/arms
  arms    release (compile-cfc67397), lto (compile-1c3b8aa5), pgo (choose-cde4ec15)
  budget  5 min 00 s
  counts  instructions, each once, by perf or callgrind if that takes a tenth of the budget at most
""")


def test_a_plan_begins_with_one_screen() -> None:
    """Variants, workloads, what runs, other ways to train in one line, how long it takes, and where it writes."""
    plan = make_plan(make_plan_inputs(workloads=WORKLOADS), ("release", "lto", "pgo"), measure=True)
    later = {action.id for action in plan.listing} - plan.awaited() - {plan.measure and plan.measure.id}
    forecasts = {
        action.id: Forecast(
            action=action.id, expectation=Expectation.ONLY_IF if action.id in later else Expectation.RUNS, why="-"
        )
        for action in plan.listing
        if action.kind != "choose"
    }
    assert render_overview(plan, forecasts, UNKNOWN) == snapshot("""\
variant  settings                             made by                    expected
release  none: as cargo builds it             1 build                    runs
lto      lto = "fat", codegen-units = 1       1 build                    runs
pgo      pgo, lto = "fat", codegen-units = 1  2 builds, 2 training runs  runs

trains on      books, logs
measures on    books, held out, for at most 5 min 00 s
argv           {bin:demo} --top 20 books.txt
argv           {bin:demo} logs.txt
argv           {bin:demo} 'held out.txt'
steps          15 run, 0 are reused if cargo finds them fresh
ways to train  pgo: lto-free, else exact (5 further steps only if a way is rejected)
takes          unknown before the first run
writes below   /p/target/optbuild
""")


def test_a_screen_of_a_search_stays_one() -> None:
    """Variants that are trained in the same ways, or need the same CPU, are named in one place, and not all of them."""
    names = [f"hot-{number}" for number in range(20)]
    variants = [Variant(name=name, pgo=PgoMode.REQUIRED, hot_count=place + 1) for place, name in enumerate(names)]
    native = dict.fromkeys(names, CpuNeeds(features=("avx",)))
    inputs = make_plan_inputs(build_profile=make_build_profile(Variant(name="release"), *variants), cpu_needs=native)
    screen = render_overview(make_plan(inputs, ("release", *names), measure=False), {}, UNKNOWN).splitlines()
    assert "note: hot-0, hot-1, hot-2, hot-3, hot-4, hot-5 and 14 more will not run on a CPU without avx" in screen
    (ways,) = (line for line in screen if line.startswith("ways to train"))
    assert "hot-1, hot-2, hot-3, hot-4, hot-5, hot-6 and 13 more: shared, else exact" in ways


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"hot_count": "p95"}, 'hot-count = "p95"'),
        ({"hot_count": 1000}, "hot-count = 1000"),
        ({"layout": CodeLayout.STARTUP}, 'layout = "startup"'),
        ({"count_scale": 0.001}, "count-scale = 0.001"),
    ],
)
def test_a_screen_names_settings_as_the_build_profile_does(settings: dict[str, Any], shown: str) -> None:
    """Not the flags of LLVM, which hold the id of an action."""
    pgo = Variant(name="pgo", pgo=PgoMode.REQUIRED, **settings)
    inputs = make_plan_inputs(build_profile=make_build_profile(Variant(name="release"), pgo))
    screen = render_overview(make_plan(inputs, ("release", "pgo"), measure=False), {}, UNKNOWN)
    (row,) = (line for line in screen.splitlines() if line.startswith("pgo "))
    assert f"pgo, {shown} " in row
    assert "{profdata" not in screen
    assert "llvm-args" not in screen


def test_a_screen_counts_what_is_reused() -> None:
    """A variant whose steps are all kept waits for cargo's word alone; times are those of the last run."""
    plan = make_plan(make_plan_inputs(), ("release", "lto"), measure=False)
    release, lto = (action.id for action in plan.listing)
    forecasts = {
        release: Forecast(action=release, expectation=Expectation.CARGO_DECIDES, why="it was built before"),
        lto: Forecast(action=lto, expectation=Expectation.RUNS, why="it was not built before"),
    }
    estimate = estimate_runs(plan, forecasts, History(durations_s={lto: 42.0}))
    assert render_overview(plan, forecasts, estimate) == snapshot("""\
variant  settings                        made by  expected
release  none: as cargo builds it        1 build  reused if cargo finds it fresh
lto      lto = "fat", codegen-units = 1  1 build  runs

steps         1 run, 1 are reused if cargo finds them fresh
takes         42 s, by the last run
writes below  /p/target/optbuild
""")


def test_a_plan_as_data_says_what_people_read() -> None:
    """The same actions for programs, JSON-able, with outputs by name; every field that a kind has, even if empty."""
    plan = make_plan(make_plan_inputs(workloads=(BOOKS,)), ("release", "pgo"), measure=True)
    document = plan_to_dict(plan)
    assert json.loads(json.dumps(document)) == document
    actions = document.pop("actions")
    assert isinstance(actions, list)
    text = render_actions(plan)
    for action in actions:
        _, _, shown = text.partition(f"\n{action['id']}  {action['label']}\n")
        shown = shown.partition("\n\n")[0]
        commands = action.get("argv", [])
        for argv in commands if action["kind"] == "measure" else [commands] if commands else []:
            assert f"  argv    {shell_like(argv)}" in shown
        for name, value in action.get("env", {}).items():
            assert f"  env     {name}={value}" in shown
        if action["needs"]:
            assert f"  needs   {', '.join(action['needs'])}" in shown
    fields = {action["kind"]: " ".join(list(action)[4:]) for action in actions if "only if" not in action}
    assert fields == snapshot(
        {
            "compile": "argv cwd env writes",
            "probe": "argv server ready beside cwd env stdin timeout inputs writes runs",
            "object": "argv cwd writes",
            "train": "argv server ready beside cwd env stdin timeout inputs writes repeat",
            "merge": "argv how inputs writes",
            "choose": "tries",
            "compare": "argv server ready beside cwd env stdin timeout inputs writes",
            "measure": "argv server arms budget counts writes",
        }
    )
    assert folded(json.dumps(document)) == snapshot("""\
{"schema": "optbuild/plan/1", "variants": [{"name": "release", "compile": "compile-cfc67397",
            "programs": {}, "merge": null, "attempts": [], "skipped": null, "parts": {}}, {"name":
            "pgo", "compile": "choose-b9a2c316", "programs": {}, "merge": "merge-9d334004",
            "attempts": [{"name": "lto-free", "instrument": "compile-2d6aa25f", "merge":
            "merge-9d334004", "compile": "compile-268823a1", "mends": []}, {"name": "exact",
            "instrument": "compile-bf551d1d", "merge": "merge-9c516b79", "compile":
            "compile-dc4226b8", "mends": ["not-built", "unfit"]}], "skipped": null, "parts": {}}],
            "estimate": {"seconds": 0.0, "unknown_actions": 0, "memory_bytes": null, "disk_bytes":
            null}, "directories": ["/p/target/optbuild"], "notes": [], "folds": []}
""")


def test_a_skipped_variant_and_notes_are_shown() -> None:
    """What will not be built stands in the plan with its reason, and so does what cargo will do by itself."""
    inputs = make_plan_inputs(
        build_profile=make_build_profile(Variant(name="release"), Variant(name="pgo", pgo=PgoMode.AUTO)),
        toolchain=make_toolchain(llvm_profdata=None),
        project=make_project(lockfile=None),
    )
    text = render_overview(make_plan(inputs, ("release", "pgo"), measure=False), {}, UNKNOWN)
    assert text.splitlines()[0] == "note: Cargo.lock is missing: cargo will resolve the dependencies and write one"
    assert "skipped: no llvm-profdata fits rustc" in text


def test_values_from_the_callers_environment_are_not_shown() -> None:
    """Of a passed variable only its name is in a plan; what the build profile declares may be seen."""
    workload = make_invocation(
        environ={"HOME": "/home/user", "LICENCE": "5713-secret", "API_TOKEN": "5713-token"},
        passed_env=("HOME", "LICENCE", "API_TOKEN"),
        declared_env={"LEVEL": "3"},
    )
    plan = make_plan(make_plan_inputs(workloads=(workload,)), ("release", "pgo"), measure=True)
    text = render_overview(plan, {}, UNKNOWN) + render_actions(plan) + json.dumps(plan_to_dict(plan))
    assert "5713-" not in text.replace("5713" * 2, "")
    assert "/home/user" not in text
    assert "LICENCE=(from your environment)" in text
    assert "LEVEL=3" in text


def test_foreign_text_is_inert() -> None:
    """Control characters in arguments and names are shown, never sent to the terminal."""
    workload = make_invocation("{bin:demo}", "a\x1b]0;t\x07", "b\nc", "", name="n\x1b[31m")
    plan = make_plan(make_plan_inputs(workloads=(workload,)), ("release",), measure=True)
    text = render_overview(plan, {}, UNKNOWN) + render_actions(plan)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "  argv    {bin:demo} a^[]0;t^G 'b\\nc' ''" in text


def test_standard_input_is_shown() -> None:
    """A workload that reads a file says which."""
    project = make_project()
    workload = make_invocation(stdin=project.directory / "query.txt", inputs=(project.directory / "query.txt",))
    text = render_actions(make_plan(make_plan_inputs(workloads=(workload,)), ("release",), measure=True))
    assert "  stdin   /p/query.txt" in text
    assert "  inputs  /p/query.txt" in text


def test_a_forecast_stands_with_its_action() -> None:
    """People read what will happen and why, what it took the last time, and what that adds up to."""
    plan = make_plan(make_plan_inputs(), ("release", "lto"), measure=False)
    release, lto = (action.id for action in plan.listing)
    forecasts = {
        release: Forecast(action=release, expectation=Expectation.CARGO_DECIDES, why="it was built before", last_s=9.0),
        lto: Forecast(action=lto, expectation=Expectation.RUNS, why="it was not built before", last_s=42.0),
    }
    estimate = estimate_runs(plan, forecasts, History(durations_s={release: 9.0, lto: 42.0}))
    lines = render_actions(plan, forecasts).splitlines()
    assert "  expect  cargo decides: it was built before (took 9 s)" in lines
    assert "  expect  runs: it was not built before (took 42 s)" in lines
    assert "42 s, by the last run" in render_overview(plan, forecasts, estimate)
    unknown = estimate_runs(plan, forecasts, History())
    assert "by the last run" not in render_overview(plan, forecasts, unknown)
    actions = plan_to_dict(plan, forecasts)["actions"]
    assert isinstance(actions, list)
    assert actions[1]["forecast"] == {"expectation": "runs", "why": "it was not built before", "last_s": 42.0}


def test_an_estimate_says_what_it_does_not_know() -> None:
    """Actions without a time are counted; what cargo decides may take no time at all."""
    plan = make_plan(make_plan_inputs(), ("release", "lto", "pgo"), measure=False)
    times = dict(zip((action.id for action in plan.listing), (3.0, None, 4.0), strict=False))
    forecasts = {
        name: Forecast(action=name, expectation=Expectation.RUNS, why="-", last_s=last_s)
        for name, last_s in times.items()
    }
    known: dict[str, float] = {name: last_s for name, last_s in times.items() if last_s is not None}
    estimate = estimate_runs(plan, forecasts, History(durations_s=known))
    assert "7 s and 1 action of unknown length, by the last run" in render_overview(plan, forecasts, estimate)


def test_an_estimate_is_of_time_memory_and_disk() -> None:
    """Builds overlapped as the last time, measuring overlaps nothing; other attempts are not in it."""
    plan = make_plan(make_plan_inputs(), ("release", "lto", "pgo"), measure=True)
    durations_s: dict[str, float] = {action.id: 10.0 for action in plan.listing}
    peaks_bytes: dict[str, int] = {plan.listing[0].id: 3 << 30}
    history = History(durations_s=durations_s, peaks_bytes=peaks_bytes, overlap=0.5, disk_bytes=5 << 20)
    estimate = estimate_all(plan, history)
    first_attempt = 5  # make an object, build instrumented, train, merge, build
    assert estimate.seconds == 0.5 * 10 * (2 + first_attempt + 3) + 10
    assert describe_estimate(estimate) == "60 s, 3.0 GiB of memory in its largest process, 5.0 MiB on disk"
    document = plan_to_dict(plan, {}, estimate)["estimate"]
    assert document == {"seconds": 60.0, "unknown_actions": 0, "memory_bytes": 3 << 30, "disk_bytes": 5 << 20}


@pytest.mark.parametrize(
    ("use", "otherwise"), [(UseProfileData.AUTO, "is trained"), (UseProfileData.ALWAYS, "fails")], ids=str
)
def test_committed_counts_are_shown_with_what_happens_where_they_do_not_fit(
    use: UseProfileData, otherwise: str
) -> None:
    """The file, the share that must match, and whether a training follows below it."""
    settings = ProfileDataSettings(path="pgo/demo.pgodata", use=use)
    inputs = make_plan_inputs(build_profile=make_build_profile(profile_data=settings), has_profile_data=True)
    screen = render_overview(make_plan(inputs, ("release", "pgo"), measure=False), {}, UNKNOWN)
    (line,) = (line for line in screen.splitlines() if line.startswith("profile data"))
    assert line.split(maxsplit=2)[2] == (
        f"/p/pgo/demo.pgodata; a variant that has less than 90.0% of its counts {otherwise}"
    )


def test_without_committed_counts_nothing_is_said_of_them() -> None:
    """Most projects have none."""
    plan = make_plan(make_plan_inputs(), ("release", "pgo"), measure=False)
    assert "profile data" not in render_overview(plan, {}, UNKNOWN)


def test_a_server_is_shown_beside_its_load() -> None:
    """What is timed is one command, what serves it the other: on the screen, in every command, and as data."""
    ready = Ready(kind=ReadyKind.TCP, value=("7",), within_s=30.0)
    words = tuple(tuple(parse_placeholders(word)) for word in ("{bin:demo}", "--port", "{port}"))
    served = make_invocation("load", "{port}", name="requests", server=Server(argv=words, ready=ready))
    plan = make_plan(make_plan_inputs(workloads=(served, BOOKS)), ("release", "pgo"), measure=True)
    screen = [line.split(maxsplit=1) for line in render_overview(plan, {}, UNKNOWN).splitlines() if line]
    commands = [line for line in screen if line[0] in {"argv", "server", "load"}]
    assert commands == [
        ["server", "{bin:demo} --port {port}"],
        ["load", "load {port}"],
        ["argv", "{bin:demo} --top 20 books.txt"],
    ]
    (measure,) = (each for each in plan_to_dict(plan)["actions"] if each["kind"] == "measure")  # type: ignore[attr-defined]
    assert measure["server"] == [["{bin:demo}", "--port", "{port}"]]
    assert "\n  server  {bin:demo} --port {port}\n" in render_actions(plan).rpartition("measure")[2]
