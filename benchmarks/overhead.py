"""What optbuild costs beside the same steps by hand, as ratios within one run.

Figures are printed, none is asserted, for machines are shared and noisy:

* the wall time of `optbuild pgo` less its measuring, over that of a shell script with the same cargo, workload and
  llvm-profdata commands in fresh directories, the two taken in turn;
* the CPU time of optbuild's own process over that of all of `optbuild pgo`, measuring included;
* the wall time of `optbuild --help` over that of a one-command Typer application's `--help`;
* that of looking at 10,000 raw profiles and merging them over a bare `llvm-profdata merge -f`;
* that of planning 50 variants with PGO and 100 workloads, some 20,000 actions, and of `optbuild plan`, which looks for
  what is kept of each and prints them.

Usage: python benchmarks/overhead.py [PROJECT] [--rounds N] [--help-rounds N] [--raw-profiles N] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from optbuild.execution.local import LocalExecutor
from optbuild.making.result_store import ResultStore
from optbuild.making.training.merging import ProfileMerger
from optbuild.making.training.profdata import Profdata
from optbuild.making.training.raw_profiles import collect
from optbuild.plan.action import ActionId
from optbuild.plan.draft import PlanInputs
from optbuild.plan.planner import make_plan
from optbuild.profile.variants import Lto, PgoMode, Variant
from optbuild.testing import make_build_profile, make_invocation, make_plan_inputs
from optbuild.toolchain.model import Tool

ROOT = Path(__file__).resolve().parents[1]
OPTBUILD = Path(sys.executable).with_name("optbuild")
OWN_CPU = Path(__file__).with_name("own_cpu.py")
VARIANTS = ("release", *(f"v{number}" for number in range(50)))
ONE_COMMAND = """
import typer
app = typer.Typer()
@app.command()
def main(name: str) -> None:
    "Say a name."
    print(name)
app()
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("project", nargs="?", type=Path, default=ROOT / "examples" / "calc-vm")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--help-rounds", type=int, default=20)
    parser.add_argument("--raw-profiles", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="optbuild-bench-") as name:
        directory = Path(name)
        overhead = [measure_overhead(options.project, directory / str(i)) for i in range(options.rounds)]
        built = directory / "0/optbuild/project"
        own_cpu = measure_own_cpu(built)
        merging = measure_merging(built, directory / "merging", options.raw_profiles, options.rounds)
        planning = measure_planning(built, options.rounds)
        help_ratio = measure_help(directory, options.help_rounds)
    result = {"overhead": overhead, "own_cpu": own_cpu, "merging": merging, "planning": planning, "help": help_ratio}
    text = json.dumps(result, indent=1) + "\n"
    if options.out is not None:
        options.out.write_text(text)
    print(text, end="")
    ratio = statistics.median(item["ratio"] for item in overhead)
    merge_ratio = statistics.median(item["ratio"] for item in merging)
    print(f"optbuild pgo less measuring / the same by hand: {ratio:.3f}  (goal: at most 1.05)")
    print(f"own CPU time / all CPU time of optbuild pgo: {own_cpu['ratio']:.4f}  (goal: at most 0.01)")
    print(f"optbuild --help / a one-command Typer application's: {help_ratio['ratio']:.2f}  (goal: at most 2)")
    print(f"merging {options.raw_profiles:,} raw profiles / a bare merge: {merge_ratio:.3f}  (goal: at most 1.1)")
    print(f"planning 50 variants and 100 workloads: {planning['plan_s']:.2f} s  (goal: below 1)")


def measure_overhead(project: Path, directory: Path) -> dict[str, float]:
    """Run both ways once, each in a fresh copy of the project."""
    copies = {name: directory / name / "project" for name in ("optbuild", "by-hand")}
    for copy in copies.values():
        shutil.copytree(project, copy, ignore=shutil.ignore_patterns("target"))
    started = time.perf_counter()
    completed = subprocess.run(
        [OPTBUILD, "pgo", str(copies["optbuild"]), "--json", "--max-time", "1s", "--progress", "none"],
        check=True,
        stdout=subprocess.PIPE,
    )
    whole_s = time.perf_counter() - started
    record = json.loads(completed.stdout)
    optbuild_s = whole_s - record["measure"]["duration_s"]
    script = directory / "by-hand.sh"
    script.write_text(make_script(copies["by-hand"], record))
    started = time.perf_counter()
    subprocess.run(["sh", str(script)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    by_hand_s = time.perf_counter() - started
    return {"optbuild_s": optbuild_s, "by_hand_s": by_hand_s, "ratio": optbuild_s / by_hand_s}


def make_script(project: Path, record: dict[str, Any]) -> str:
    """The shell script that a person would write: build, train, merge, rebuild, look at outputs."""
    plan = json.loads(
        subprocess.run([OPTBUILD, "plan", str(project), "--json"], check=True, stdout=subprocess.PIPE).stdout
    )
    tool = record["toolchain"]["llvm_profdata"]["path"]
    lines = ["set -eu", f"cd {shlex.quote(str(project))}", "mkdir raw kept"]
    binaries: dict[str, str] = {}
    for action in plan["actions"]:
        name = action["id"]
        if "only if" in action:
            continue
        if action["kind"] == "choose":
            binaries[name] = binaries[action["needs"][0]]
        elif action["kind"] == "compile":
            flags = action["env"].get("CARGO_ENCODED_RUSTFLAGS", "")
            for output in plan["actions"]:
                flags = flags.replace(f"{{profdata:{output['id']}}}", f"{project}/kept/{output['id']}.profdata")
            encoded = "\x1f".join(flags.split(" ")) if flags else ""
            assignment = f"CARGO_ENCODED_RUSTFLAGS={shlex.quote(encoded)} " if encoded else ""
            lines.append(assignment + shlex.join(action["argv"]))
            target = Path(action["argv"][action["argv"].index("--target-dir") + 1])
            triple = action["argv"][action["argv"].index("--target") + 1]
            bin_name = action["argv"][action["argv"].index("--bin") + 1]
            binaries[name] = f"kept/{name}"
            lines.append(f"cp {shlex.quote(str(target / triple / 'release' / bin_name))} kept/{name}")
        elif action["kind"] in {"train", "probe", "compare"}:
            binary = next(binaries[need] for need in reversed(action["needs"]) if need in binaries)
            words = [binary if word.startswith("{bin:") else shlex.quote(word) for word in action["argv"]]
            command = " ".join(words)
            if action["kind"] == "train":
                lines.append(f"LLVM_PROFILE_FILE=raw/{name}/%m_%p.profraw {command} >out")
                lines.append(f"{tool} merge -o kept/{name}.profdata raw/{name}/*.profraw")
            else:
                lines += [f"{command} >out"] * action.get("runs", 1) + ["sha256sum out"]
        elif action["kind"] == "merge":
            inputs = " ".join(f"kept/{need}.profdata" for need in action["needs"])
            lines.append(f"{tool} merge -o {project}/kept/{name}.profdata {inputs}")
    return "\n".join(lines) + "\n"


def measure_own_cpu(project: Path) -> dict[str, float]:
    """What optbuild's own process takes of a whole run from clean, by its default budget for measuring."""
    shutil.rmtree(project / "target")
    own = project / "own-cpu.txt"
    argv: list[str | Path] = [sys.executable, OWN_CPU, own, "pgo", project, "--progress", "none"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    all_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {"own_s": float(own.read_text()), "all_s": all_s, "ratio": float(own.read_text()) / all_s}


def measure_merging(project: Path, directory: Path, count: int, rounds: int) -> list[dict[str, float]]:
    """Copies of one raw profile of a built project, merged both ways in turn."""
    planned = subprocess.run([OPTBUILD, "plan", str(project), "--json"], check=True, stdout=subprocess.PIPE)
    actions = json.loads(planned.stdout)["actions"]
    training = next(action for action in actions if action["kind"] == "train")
    (program,) = (project / "target/optbuild/binaries" / training["needs"][0]).iterdir()
    tool = Path(next(action["argv"][0] for action in actions if action["kind"] == "merge"))
    raw = directory / "raw"
    raw.mkdir(parents=True)
    words = [str(program) if word.startswith("{bin:") else word for word in training["argv"]]
    env = {**os.environ, "LLVM_PROFILE_FILE": str(raw / "0.profraw")}
    subprocess.run(words, check=True, cwd=training["cwd"], env=env, stdout=subprocess.DEVNULL)
    for number in range(1, count):
        shutil.copyfile(raw / "0.profraw", raw / f"{number}.profraw")
    listed = directory / "listed.txt"
    listed.write_text("".join(f"{path}\n" for path in raw.iterdir()))
    found = []
    for number in range(rounds):
        ways = {"optbuild_s": lambda: merge_with_optbuild(tool, raw, directory / "ours")}
        ways["bare_s"] = lambda: merge_bare(tool, listed, directory / "bare.profdata")
        taken = {name: _seconds(ways[name]) for name in (list(ways) if number % 2 else reversed(ways))}
        found.append({**taken, "ratio": taken["optbuild_s"] / taken["bare_s"]})
    return found


def merge_bare(tool: Path, listed: Path, output: Path) -> None:
    """As one types it."""
    subprocess.run([tool, "merge", "-f", str(listed), "-o", str(output)], check=True)


def merge_with_optbuild(tool: Path, raw: Path, work: Path) -> None:
    """As a run does it: look at every file, merge, and read what came of it."""
    with LocalExecutor(lambda _: None) as executor:
        profdata = Profdata(
            executor=executor,
            tool=Tool(name="llvm-profdata", path=tool, version=""),
            environ=os.environ,
            work=work,
            logs=work,
            timeout_s=600.0,
        )
        results = ResultStore(directory=work / "results", emit=lambda _: None)
        merger = ProfileMerger(profdata=profdata, results=results, directory=work / "kept", emit=lambda _: None)
        merged = merger.merge_raw(collect(raw), label=ActionId("merging"))
    assert merged.raw_profiles == len(os.listdir(raw))  # noqa: PTH208, S101 - nothing was left out


def _seconds(way: Callable[[], object]) -> float:
    started = time.perf_counter()
    way()
    return time.perf_counter() - started


def measure_planning(project: Path, rounds: int) -> dict[str, float]:
    """A build profile of many variants and workloads, and one of few; medians."""
    times = {}
    for name, variants, workloads in (("command_s", 50, 100), ("command_small_s", 1, 1)):
        lines = ["schema = 1", "[variants.release]"]
        for number in range(variants):
            keys = f'lto = "fat"\ncodegen-units = 1\npgo = true\nrustflags = ["--cfg=v{number}"]'
            lines.append(f"[variants.v{number}]\n{keys}")
        lines += [
            f'[[workloads]]\nname = "w{number}"\ncommand = ["{{bin}}", "{number}"]' for number in range(workloads)
        ]
        (project / f"{name}.toml").write_text("\n".join(lines) + "\n")
        argv = [str(OPTBUILD), "plan", str(project), "--build-profile", str(project / f"{name}.toml")]
        run = partial(subprocess.run, argv, check=True, stdout=subprocess.DEVNULL)
        times[name] = statistics.median(_seconds(run) for _ in range(rounds))
    in_process = [_seconds(partial(make_plan, large_inputs(), VARIANTS, measure=True)) for _ in range(rounds)]
    return {"plan_s": statistics.median(in_process), **times}


def large_inputs() -> PlanInputs:
    """50 variants, which can share no training, and 100 workloads."""
    release, *trained = VARIANTS
    pgo = Variant(name="", lto=Lto.FAT, codegen_units=1, pgo=PgoMode.REQUIRED)
    variants = [replace(pgo, name=name, rustflags=(f"--cfg={name}",)) for name in trained]
    workloads = tuple(make_invocation("{bin:demo}", str(number), name=f"w{number}") for number in range(100))
    return make_plan_inputs(build_profile=make_build_profile(Variant(name=release), *variants), workloads=workloads)


def measure_help(directory: Path, rounds: int) -> dict[str, float]:
    """The two `--help`s in turn; medians."""
    one_command = directory / "one_command.py"
    one_command.write_text(ONE_COMMAND)
    commands: dict[str, list[str | Path]] = {
        "optbuild_s": [OPTBUILD, "--help"],
        "typer_s": [sys.executable, one_command, "--help"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, argv in commands.items():
            started = time.perf_counter()
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "TERM": "dumb"})
            times[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {**medians, "ratio": medians["optbuild_s"] / medians["typer_s"]}


if __name__ == "__main__":
    main()
