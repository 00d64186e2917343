from __future__ import annotations

import json
from dataclasses import replace
from textwrap import fill

from inline_snapshot import snapshot

from optbuild.plan.forecast import Expectation, Forecast
from optbuild.plan.planner import make_plan
from optbuild.plan.render import plan_to_dict, render_plan
from optbuild.profile.model import PgoMode, Use, Variant
from optbuild.testing import make_build_profile, make_invocation, make_plan_inputs, make_project, make_toolchain

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
    assert render_plan(skipped).splitlines()[0] == ("variant release: skipped: -C^[]0;x^G^Jvariant pgo: built by me")


def test_a_whole_plan_for_people() -> None:
    """Every argv, directory, environment addition, timeout and writable place is in it."""
    inputs = make_plan_inputs(workloads=WORKLOADS)
    plan = make_plan(inputs, ("release", "lto", "pgo"), measure=True)
    assert folded(render_plan(plan)) == snapshot("""\
variant release: built by compile-2dba87ad
variant lto: built by compile-efc63902
variant pgo: built by choose-d4a5c49c

compile-2dba87ad  release: build
  argv    /toolchain/bin/cargo build --manifest-path /p/Cargo.toml --package demo@0.1.0 --bin demo
            --profile release --target x86_64-unknown-linux-gnu --target-dir
            /p/target/optbuild/cargo --locked --message-format=json-diagnostic-rendered-ansi
  cwd     /p
  env     CARGO_BUILD_BUILD_DIR=/p/target/optbuild/cargo
  env     RUSTUP_AUTO_INSTALL=0
  writes  /p/target/optbuild/binaries/compile-2dba87ad

probe-31ded162  outputs of books
  needs   compile-2dba87ad
  argv    {bin:demo} --top 20 books.txt
  cwd     /p
  timeout 5 min 00 s
  writes  /p/target/optbuild/scratch/books-6e317bcd

probe-efd1c4d2  outputs of held out
  needs   compile-2dba87ad
  argv    {bin:demo} 'held out.txt'
  cwd     /p
  timeout 5 min 00 s
  writes  /p/target/optbuild/scratch/held-out-681314dd

compile-efc63902  lto: build
  argv    /toolchain/bin/cargo build --manifest-path /p/Cargo.toml --package demo@0.1.0 --bin demo
            --profile release --target x86_64-unknown-linux-gnu --target-dir
            /p/target/optbuild/cargo --config 'profile.release.lto="fat"' --config
            profile.release.codegen-units=1 --locked --message-format=json-diagnostic-rendered-ansi
  cwd     /p
  env     CARGO_BUILD_BUILD_DIR=/p/target/optbuild/cargo
  env     RUSTUP_AUTO_INSTALL=0
  writes  /p/target/optbuild/binaries/compile-efc63902

compare-6dbdbf42  lto: outputs of books
  needs   probe-31ded162, compile-efc63902
  argv    {bin:demo} --top 20 books.txt
  cwd     /p
  timeout 5 min 00 s
  writes  /p/target/optbuild/scratch/books-6e317bcd

compare-13710018  lto: outputs of held out
  needs   probe-efd1c4d2, compile-efc63902
  argv    {bin:demo} 'held out.txt'
  cwd     /p
  timeout 5 min 00 s
  writes  /p/target/optbuild/scratch/held-out-681314dd

compile-e82a320b  pgo: build instrumented without LTO
  argv    /toolchain/bin/cargo build --manifest-path /p/Cargo.toml --package demo@0.1.0 --bin demo
            --profile release --target x86_64-unknown-linux-gnu --target-dir
            /p/target/optbuild/cargo --config 'profile.release.lto="fat"' --config
            profile.release.codegen-units=1 --locked --message-format=json-diagnostic-rendered-ansi
  cwd     /p
  env     CARGO_BUILD_BUILD_DIR=/p/target/optbuild/cargo
  env     RUSTUP_AUTO_INSTALL=0
  env     CARGO_ENCODED_RUSTFLAGS=-Cprofile_generate=/p/target/optbuild/stray -Clto=off
            -Clinker_plugin_lto=no -Cembed_bitcode=no
  writes  /p/target/optbuild/binaries/compile-e82a320b

train-82dae6ff  pgo: train on books
  needs   compile-e82a320b
  argv    {bin:demo} --top 20 books.txt
  cwd     /p
  env     LLVM_PROFILE_FILE=/p/target/optbuild/raw/train-82dae6ff/…/%m_%p.profraw
  timeout 5 min 00 s
  writes  /p/target/optbuild/raw/train-82dae6ff

train-06dc3fee  pgo: train on logs
  needs   compile-e82a320b
  argv    {bin:demo} logs.txt
  cwd     /p
  env     LLVM_PROFILE_FILE=/p/target/optbuild/raw/train-06dc3fee/…/%m_%p.profraw
  timeout 5 min 00 s
  writes  /p/target/optbuild/raw/train-06dc3fee

merge-eadbaf7c  pgo: merge profiles
  needs   train-82dae6ff, train-06dc3fee
  argv    /toolchain/bin/llvm-profdata merge --input-files={inputs} --output={profdata}
            --failure-mode=any
  inputs  3 × {profdata:train-82dae6ff}, 1 × {profdata:train-06dc3fee}
  writes  /p/target/optbuild/profdata

compile-9f76cd2c  pgo: build
  needs   merge-eadbaf7c
  argv    /toolchain/bin/cargo build --manifest-path /p/Cargo.toml --package demo@0.1.0 --bin demo
            --profile release --target x86_64-unknown-linux-gnu --target-dir
            /p/target/optbuild/cargo --config 'profile.release.lto="fat"' --config
            profile.release.codegen-units=1 --locked -vv
            --message-format=json-diagnostic-rendered-ansi
  cwd     /p
  env     CARGO_BUILD_BUILD_DIR=/p/target/optbuild/cargo
  env     RUSTUP_AUTO_INSTALL=0
  env     CARGO_ENCODED_RUSTFLAGS=-Cprofile_use={profdata:merge-eadbaf7c}
            -Cllvm-args=-pgo-warn-missing-function -Wwarnings
  writes  /p/target/optbuild/binaries/compile-9f76cd2c

compile-fd8f0583  pgo: build instrumented
  only if the attempt lto-free of pgo is rejected
  argv    /toolchain/bin/cargo build --manifest-path /p/Cargo.toml --package demo@0.1.0 --bin demo
            --profile release --target x86_64-unknown-linux-gnu --target-dir
            /p/target/optbuild/cargo --config 'profile.release.lto="fat"' --config
            profile.release.codegen-units=1 --locked --message-format=json-diagnostic-rendered-ansi
  cwd     /p
  env     CARGO_BUILD_BUILD_DIR=/p/target/optbuild/cargo
  env     RUSTUP_AUTO_INSTALL=0
  env     CARGO_ENCODED_RUSTFLAGS=-Cprofile_generate=/p/target/optbuild/stray
  writes  /p/target/optbuild/binaries/compile-fd8f0583

train-3938fe7e  pgo: train on books
  only if the attempt lto-free of pgo is rejected
  needs   compile-fd8f0583
  argv    {bin:demo} --top 20 books.txt
  cwd     /p
  env     LLVM_PROFILE_FILE=/p/target/optbuild/raw/train-3938fe7e/…/%m_%p.profraw
  timeout 5 min 00 s
  writes  /p/target/optbuild/raw/train-3938fe7e

train-455d5227  pgo: train on logs
  only if the attempt lto-free of pgo is rejected
  needs   compile-fd8f0583
  argv    {bin:demo} logs.txt
  cwd     /p
  env     LLVM_PROFILE_FILE=/p/target/optbuild/raw/train-455d5227/…/%m_%p.profraw
  timeout 5 min 00 s
  writes  /p/target/optbuild/raw/train-455d5227

merge-0934e43b  pgo: merge profiles
  only if the attempt lto-free of pgo is rejected
  needs   train-3938fe7e, train-455d5227
  argv    /toolchain/bin/llvm-profdata merge --input-files={inputs} --output={profdata}
            --failure-mode=any
  inputs  3 × {profdata:train-3938fe7e}, 1 × {profdata:train-455d5227}
  writes  /p/target/optbuild/profdata

compile-7c4e3351  pgo: build
  only if the attempt lto-free of pgo is rejected
  needs   merge-0934e43b
  argv    /toolchain/bin/cargo build --manifest-path /p/Cargo.toml --package demo@0.1.0 --bin demo
            --profile release --target x86_64-unknown-linux-gnu --target-dir
            /p/target/optbuild/cargo --config 'profile.release.lto="fat"' --config
            profile.release.codegen-units=1 --locked -vv
            --message-format=json-diagnostic-rendered-ansi
  cwd     /p
  env     CARGO_BUILD_BUILD_DIR=/p/target/optbuild/cargo
  env     RUSTUP_AUTO_INSTALL=0
  env     CARGO_ENCODED_RUSTFLAGS=-Cprofile_use={profdata:merge-0934e43b}
            -Cllvm-args=-pgo-warn-missing-function -Wwarnings
  writes  /p/target/optbuild/binaries/compile-7c4e3351

choose-d4a5c49c  pgo: the first attempt whose evidence holds
  needs   compile-9f76cd2c, compile-7c4e3351
  tries   lto-free (compile-9f76cd2c), exact (compile-7c4e3351)

compare-5cf77bb0  pgo: outputs of books
  needs   probe-31ded162, choose-d4a5c49c
  argv    {bin:demo} --top 20 books.txt
  cwd     /p
  timeout 5 min 00 s
  writes  /p/target/optbuild/scratch/books-6e317bcd

compare-d18d1277  pgo: outputs of held out
  needs   probe-efd1c4d2, choose-d4a5c49c
  argv    {bin:demo} 'held out.txt'
  cwd     /p
  timeout 5 min 00 s
  writes  /p/target/optbuild/scratch/held-out-681314dd

measure-fe11f9a9  measure
  needs   compile-2dba87ad, compile-efc63902, choose-d4a5c49c
  argv    {bin:demo} --top 20 books.txt
  argv    {bin:demo} 'held out.txt'
  writes  /p/target/optbuild/arms
  arms    release (compile-2dba87ad), lto (compile-efc63902), pgo (choose-d4a5c49c)
  budget  5 min 00 s
  counts  instructions, each once, by perf or callgrind if that takes a tenth of the budget at most

writes below /p/target/optbuild
""")


def test_a_whole_plan_as_data() -> None:
    """The same content for programs, JSON-able, with outputs by name."""
    inputs = make_plan_inputs(workloads=(BOOKS,))
    plan = plan_to_dict(make_plan(inputs, ("release", "pgo"), measure=True))
    assert json.loads(json.dumps(plan)) == plan
    actions = plan.pop("actions")
    assert isinstance(actions, list)
    assert folded("\n".join(map(json.dumps, [plan, *actions]))) == snapshot("""\
{"schema": "optbuild/plan/1", "variants": [{"name": "release", "compile": "compile-2dba87ad",
            "merge": null, "attempts": [], "skipped": null}, {"name": "pgo", "compile":
            "choose-09983365", "merge": "merge-6464e332", "attempts": [{"name": "lto-free",
            "instrument": "compile-e82a320b", "merge": "merge-6464e332", "compile":
            "compile-0222eaa3", "mends": []}, {"name": "exact", "instrument": "compile-fd8f0583",
            "merge": "merge-8073b1cf", "compile": "compile-ace6f8fc", "mends": ["not-built",
            "unfit"]}], "skipped": null}], "directories": ["/p/target/optbuild"], "notes": []}
{"id": "compile-2dba87ad", "kind": "compile", "label": "release: build", "needs": [], "argv":
            ["/toolchain/bin/cargo", "build", "--manifest-path", "/p/Cargo.toml", "--package",
            "demo@0.1.0", "--bin", "demo", "--profile", "release", "--target",
            "x86_64-unknown-linux-gnu", "--target-dir", "/p/target/optbuild/cargo", "--locked",
            "--message-format=json-diagnostic-rendered-ansi"], "cwd": "/p", "env":
            {"CARGO_BUILD_BUILD_DIR": "/p/target/optbuild/cargo", "RUSTUP_AUTO_INSTALL": "0"},
            "writes": "/p/target/optbuild/binaries/compile-2dba87ad"}
{"id": "probe-31ded162", "kind": "probe", "label": "outputs of books", "needs":
            ["compile-2dba87ad"], "argv": ["{bin:demo}", "--top", "20", "books.txt"], "server":
            null, "ready": null, "beside": {}, "cwd": "/p", "env": {}, "stdin": null, "timeout": "5
            min 00 s", "inputs": [], "writes": "/p/target/optbuild/scratch/books-6e317bcd", "runs":
            2}
{"id": "compile-e82a320b", "kind": "compile", "label": "pgo: build instrumented without LTO",
            "needs": [], "argv": ["/toolchain/bin/cargo", "build", "--manifest-path",
            "/p/Cargo.toml", "--package", "demo@0.1.0", "--bin", "demo", "--profile", "release",
            "--target", "x86_64-unknown-linux-gnu", "--target-dir", "/p/target/optbuild/cargo",
            "--config", "profile.release.lto=\\"fat\\"", "--config",
            "profile.release.codegen-units=1", "--locked",
            "--message-format=json-diagnostic-rendered-ansi"], "cwd": "/p", "env":
            {"CARGO_BUILD_BUILD_DIR": "/p/target/optbuild/cargo", "RUSTUP_AUTO_INSTALL": "0",
            "CARGO_ENCODED_RUSTFLAGS": "-Cprofile_generate=/p/target/optbuild/stray -Clto=off
            -Clinker_plugin_lto=no -Cembed_bitcode=no"}, "writes":
            "/p/target/optbuild/binaries/compile-e82a320b"}
{"id": "train-82dae6ff", "kind": "train", "label": "pgo: train on books", "needs":
            ["compile-e82a320b"], "argv": ["{bin:demo}", "--top", "20", "books.txt"], "server":
            null, "ready": null, "beside": {}, "cwd": "/p", "env": {"LLVM_PROFILE_FILE":
            "/p/target/optbuild/raw/train-82dae6ff/\\u2026/%m_%p.profraw"}, "stdin": null, "timeout":
            "5 min 00 s", "inputs": [], "writes": "/p/target/optbuild/raw/train-82dae6ff", "repeat":
            null}
{"id": "merge-6464e332", "kind": "merge", "label": "pgo: merge profiles", "needs":
            ["train-82dae6ff"], "argv": ["/toolchain/bin/llvm-profdata", "merge",
            "--input-files={inputs}", "--output={profdata}", "--failure-mode=any"], "inputs": ["3
            \\u00d7 {profdata:train-82dae6ff}"], "writes": "/p/target/optbuild/profdata"}
{"id": "compile-0222eaa3", "kind": "compile", "label": "pgo: build", "needs": ["merge-6464e332"],
            "argv": ["/toolchain/bin/cargo", "build", "--manifest-path", "/p/Cargo.toml",
            "--package", "demo@0.1.0", "--bin", "demo", "--profile", "release", "--target",
            "x86_64-unknown-linux-gnu", "--target-dir", "/p/target/optbuild/cargo", "--config",
            "profile.release.lto=\\"fat\\"", "--config", "profile.release.codegen-units=1",
            "--locked", "-vv", "--message-format=json-diagnostic-rendered-ansi"], "cwd": "/p",
            "env": {"CARGO_BUILD_BUILD_DIR": "/p/target/optbuild/cargo", "RUSTUP_AUTO_INSTALL": "0",
            "CARGO_ENCODED_RUSTFLAGS": "-Cprofile_use={profdata:merge-6464e332}
            -Cllvm-args=-pgo-warn-missing-function -Wwarnings"}, "writes":
            "/p/target/optbuild/binaries/compile-0222eaa3"}
{"id": "compile-fd8f0583", "kind": "compile", "label": "pgo: build instrumented", "needs": [],
            "argv": ["/toolchain/bin/cargo", "build", "--manifest-path", "/p/Cargo.toml",
            "--package", "demo@0.1.0", "--bin", "demo", "--profile", "release", "--target",
            "x86_64-unknown-linux-gnu", "--target-dir", "/p/target/optbuild/cargo", "--config",
            "profile.release.lto=\\"fat\\"", "--config", "profile.release.codegen-units=1",
            "--locked", "--message-format=json-diagnostic-rendered-ansi"], "cwd": "/p", "env":
            {"CARGO_BUILD_BUILD_DIR": "/p/target/optbuild/cargo", "RUSTUP_AUTO_INSTALL": "0",
            "CARGO_ENCODED_RUSTFLAGS": "-Cprofile_generate=/p/target/optbuild/stray"}, "writes":
            "/p/target/optbuild/binaries/compile-fd8f0583", "only if": "the attempt lto-free of pgo
            is rejected"}
{"id": "train-3938fe7e", "kind": "train", "label": "pgo: train on books", "needs":
            ["compile-fd8f0583"], "argv": ["{bin:demo}", "--top", "20", "books.txt"], "server":
            null, "ready": null, "beside": {}, "cwd": "/p", "env": {"LLVM_PROFILE_FILE":
            "/p/target/optbuild/raw/train-3938fe7e/\\u2026/%m_%p.profraw"}, "stdin": null, "timeout":
            "5 min 00 s", "inputs": [], "writes": "/p/target/optbuild/raw/train-3938fe7e", "repeat":
            null, "only if": "the attempt lto-free of pgo is rejected"}
{"id": "merge-8073b1cf", "kind": "merge", "label": "pgo: merge profiles", "needs":
            ["train-3938fe7e"], "argv": ["/toolchain/bin/llvm-profdata", "merge",
            "--input-files={inputs}", "--output={profdata}", "--failure-mode=any"], "inputs": ["3
            \\u00d7 {profdata:train-3938fe7e}"], "writes": "/p/target/optbuild/profdata", "only if":
            "the attempt lto-free of pgo is rejected"}
{"id": "compile-ace6f8fc", "kind": "compile", "label": "pgo: build", "needs": ["merge-8073b1cf"],
            "argv": ["/toolchain/bin/cargo", "build", "--manifest-path", "/p/Cargo.toml",
            "--package", "demo@0.1.0", "--bin", "demo", "--profile", "release", "--target",
            "x86_64-unknown-linux-gnu", "--target-dir", "/p/target/optbuild/cargo", "--config",
            "profile.release.lto=\\"fat\\"", "--config", "profile.release.codegen-units=1",
            "--locked", "-vv", "--message-format=json-diagnostic-rendered-ansi"], "cwd": "/p",
            "env": {"CARGO_BUILD_BUILD_DIR": "/p/target/optbuild/cargo", "RUSTUP_AUTO_INSTALL": "0",
            "CARGO_ENCODED_RUSTFLAGS": "-Cprofile_use={profdata:merge-8073b1cf}
            -Cllvm-args=-pgo-warn-missing-function -Wwarnings"}, "writes":
            "/p/target/optbuild/binaries/compile-ace6f8fc", "only if": "the attempt lto-free of pgo
            is rejected"}
{"id": "choose-09983365", "kind": "choose", "label": "pgo: the first attempt whose evidence holds",
            "needs": ["compile-0222eaa3", "compile-ace6f8fc"], "tries": ["lto-free
            (compile-0222eaa3)", "exact (compile-ace6f8fc)"]}
{"id": "compare-9885a9a2", "kind": "compare", "label": "pgo: outputs of books", "needs":
            ["probe-31ded162", "choose-09983365"], "argv": ["{bin:demo}", "--top", "20",
            "books.txt"], "server": null, "ready": null, "beside": {}, "cwd": "/p", "env": {},
            "stdin": null, "timeout": "5 min 00 s", "inputs": [], "writes":
            "/p/target/optbuild/scratch/books-6e317bcd"}
{"id": "measure-82d871d8", "kind": "measure", "label": "measure", "needs": ["compile-2dba87ad",
            "choose-09983365"], "argv": [["{bin:demo}", "--top", "20", "books.txt"]], "arms":
            ["release (compile-2dba87ad)", "pgo (choose-09983365)"], "budget": "5 min 00 s",
            "counts": "instructions, each once, by perf or callgrind if that takes a tenth of the
            budget at most", "writes": "/p/target/optbuild/arms"}
""")


def test_a_skipped_variant_and_notes_are_shown() -> None:
    """What will not be built stands in the plan with its reason, and so does what cargo will do by itself."""
    inputs = make_plan_inputs(
        build_profile=make_build_profile(Variant(name="release"), Variant(name="pgo", pgo=PgoMode.AUTO)),
        toolchain=make_toolchain(llvm_profdata=None),
        project=make_project(lockfile=None),
    )
    text = render_plan(make_plan(inputs, ("release", "pgo"), measure=False))
    assert text.splitlines()[0] == "note: there is no Cargo.lock: cargo will resolve the dependencies and write one"
    assert "variant pgo: skipped: no llvm-profdata fits rustc" in text


def test_values_from_the_callers_environment_are_not_shown() -> None:
    """Of a passed variable only its name is in a plan; what the build profile declares may be seen."""
    workload = make_invocation(
        environ={"HOME": "/home/user", "LICENCE": "5713-secret", "API_TOKEN": "5713-token"},
        passed_env=("HOME", "LICENCE", "API_TOKEN"),
        declared_env={"LEVEL": "3"},
    )
    plan = make_plan(make_plan_inputs(workloads=(workload,)), ("release", "pgo"), measure=True)
    text = render_plan(plan) + json.dumps(plan_to_dict(plan))
    assert "5713-" not in text.replace("5713" * 2, "")
    assert "/home/user" not in text
    assert "LICENCE=(from your environment)" in text
    assert "LEVEL=3" in text


def test_foreign_text_is_inert() -> None:
    """Control characters in arguments and names are shown, never sent to the terminal."""
    workload = make_invocation("{bin:demo}", "a\x1b]0;t\x07", "b\nc", "", name="n\x1b[31m")
    text = render_plan(make_plan(make_plan_inputs(workloads=(workload,)), ("release",), measure=True))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "  argv    {bin:demo} a^[]0;t^G 'b\\nc' ''" in text


def test_standard_input_is_shown() -> None:
    """A workload that reads a file says which."""
    project = make_project()
    workload = make_invocation(stdin=project.directory / "query.txt", inputs=(project.directory / "query.txt",))
    text = render_plan(make_plan(make_plan_inputs(workloads=(workload,)), ("release",), measure=True))
    assert "  stdin   /p/query.txt" in text
    assert "  inputs  /p/query.txt" in text


def test_a_forecast_stands_with_its_action() -> None:
    """People read what will happen and why, what it took the last time, and what that adds up to."""
    plan = make_plan(make_plan_inputs(), ("release", "lto"), measure=False)
    release, lto = (action.id for action in plan.actions)
    forecasts = {
        release: Forecast(action=release, expectation=Expectation.CARGO_DECIDES, why="it was built before", last_s=9.0),
        lto: Forecast(action=lto, expectation=Expectation.RUNS, why="it was not built before", last_s=42.0),
    }
    lines = render_plan(plan, forecasts).splitlines()
    assert "  expect  cargo decides: it was built before (took 9 s)" in lines
    assert "  expect  runs: it was not built before (took 42 s)" in lines
    assert "what runs took 42 s the last time" in lines
    unknown = {**forecasts, lto: replace(forecasts[lto], last_s=None)}
    assert "the last time" not in render_plan(plan, unknown)
    actions = plan_to_dict(plan, forecasts)["actions"]
    assert isinstance(actions, list)
    assert actions[1]["forecast"] == {"expectation": "runs", "why": "it was not built before", "last_s": 42.0}


def test_an_estimate_says_what_it_does_not_know() -> None:
    """Actions without a time are counted; what cargo decides may take no time at all."""
    plan = make_plan(make_plan_inputs(), ("release", "lto", "pgo"), measure=False)
    times = dict(zip((action.id for action in plan.actions), (3.0, None, 4.0), strict=False))
    forecasts = {
        name: Forecast(action=name, expectation=Expectation.RUNS, why="-", last_s=last_s)
        for name, last_s in times.items()
    }
    assert "what runs took 7 s the last time, and 1 action whose time is not known" in render_plan(plan, forecasts)
