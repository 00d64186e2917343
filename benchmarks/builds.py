"""How long builds, training and merges take with optbuild, by shell script, and with cargo-pgo; ratios within one run.

For each program, and from clean, in turns:

* optbuild: `optbuild build`, whose variants are `release`, `lto` and `pgo`, as the preset `pgo` has them;
* by-hand: what a person writes: cargo for each of them in a target directory of its own, the exact recipe instrumented,
  each workload trained, one merge, and the PGO build;
* cargo-pgo: `cargo build --release`, the LTO build, `cargo pgo build`, training, `cargo pgo optimize`, as it documents
  them, in one target directory.

Then the PGO binaries of optbuild and of cargo-pgo are measured against each other, with `optbuild bench` on each of the
project's benchmark workloads.

Figures are printed and written as JSON, none is asserted: machines are shared and noisy. `bound` is a way's CPU time
over the cores, below which no arrangement of the same work can be. `own_cpu_s` is what optbuild's own process took.

Usage: python benchmarks/builds.py PROJECT... [--cargo-pgo FILE] [--rounds N] [--max-time TIME] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

OPTBUILD = Path(sys.executable).with_name("optbuild")
OWN_CPU = Path(__file__).with_name("own_cpu.py")
PUBLISHED = {
    "optbuild": "target/optbuild/artifacts/pgo",
    "by-hand": "target/pgo/{target}/release",
    "cargo-pgo": "target/{target}/release",
}
LTO = {"CARGO_PROFILE_RELEASE_LTO": "fat", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one way took, from clean unless it is called a rerun."""

    wall_s: float
    cpu_s: float
    own_cpu_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is built and trained, as `optbuild plan` says it.

    Attributes:
        select: The words that tell cargo what to build for which target, and in which directory it starts.
        trainings: Each training command, `{bin:NAME}` in the place of the program.
        benchmarks: Each benchmark's command, likewise.
        tool: The `llvm-profdata` that fits.
    """

    select: tuple[str, ...]
    bins: tuple[str, ...]
    target: str
    directory: Path
    trainings: tuple[tuple[str, ...], ...]
    benchmarks: tuple[tuple[str, ...], ...]
    tool: str


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("projects", nargs="+", type=Path)
    parser.add_argument("--cargo-pgo", type=Path, help="the program, from `cargo install cargo-pgo --root DIR`")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--max-time", default="60s", help="for each measuring of binaries")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    programs: dict[str, Any] = {}
    speeds: dict[str, Any] = {}

    def write() -> str:
        result = {"cores": cores, "programs": programs, "ratios": summarise(programs, cores), "speeds": speeds}
        text = json.dumps(result, indent=1) + "\n"
        if options.out is not None:
            options.out.write_text(text)
        return text

    for path in options.projects:
        project = path.resolve()
        job = read_job(project)
        with tempfile.TemporaryDirectory(prefix="optbuild-builds-") as directory:
            programs[project.name] = measure_program(job, project, Path(directory), options)
            write()
            if options.cargo_pgo is not None:
                speeds[project.name] = compare_binaries(job, project, Path(directory), options.max_time)
    print(write(), end="")


def measure_program(
    job: Job, project: Path, directory: Path, options: argparse.Namespace
) -> dict[str, list[dict[str, Any]]]:
    """All ways in turn, each round from clean; the costs by way. The last round's PGO binaries stay in `directory`."""
    tools = directory / "tools"
    tools.mkdir()
    (tools / "llvm-profdata").symlink_to(job.tool)  # where cargo-pgo looks for it
    ways: dict[str, Callable[[Path], None]] = {"optbuild": build_with_optbuild}
    ways["by-hand"] = lambda copy: run_script(script_by_hand(job), copy, {})
    if options.cargo_pgo is not None:
        path = f"{tools}:{options.cargo_pgo.resolve().parent}:{os.environ['PATH']}"
        ways["cargo-pgo"] = lambda copy: run_script(script_with_cargo_pgo(job), copy, {"PATH": path})
    costs: dict[str, list[dict[str, Any]]] = {name: [] for name in (*ways, "optbuild-rerun")}
    for number in range(options.rounds):
        names = list(ways)[number % len(ways) :] + list(ways)[: number % len(ways)]
        for name in names:
            copy = directory / f"{number}-{name}" / project.name
            shutil.copytree(project, copy, ignore=shutil.ignore_patterns("target"))
            costs[name].append(asdict(measure(ways[name], copy)))
            if name == "optbuild":
                costs["optbuild-rerun"].append(asdict(measure(build_with_optbuild, copy)))
            for binary in job.bins:
                place = directory / name / binary
                place.parent.mkdir(exist_ok=True)
                shutil.copy2(copy / PUBLISHED[name].format(target=job.target) / binary, place)
            shutil.rmtree(copy)
    return costs


def measure(way: Callable[[Path], None], copy: Path) -> Cost:
    """The wall time of one way, and the CPU time of all that it started."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    way(copy)
    wall_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    own = own_cpu_file(copy)
    return Cost(wall_s=wall_s, cpu_s=cpu_s, own_cpu_s=float(own.read_text()) if own.exists() else None)


def own_cpu_file(copy: Path) -> Path:
    """Where optbuild's own CPU time is written: not into the project, whose build script may watch all of it."""
    return copy.with_name("own-cpu.txt")


def compare_binaries(job: Job, project: Path, directory: Path, max_time: str) -> list[dict[str, Any]]:
    """Optbuild's PGO binaries against cargo-pgo's, by `optbuild bench`, on each benchmark of the project."""
    found = []
    for command in job.benchmarks:
        binary = next(name for name in job.bins if f"{{bin:{name}}}" in command)
        said = [f"{way}={directory / way / binary}" for way in ("cargo-pgo", "optbuild")]
        doubled = (word.replace("{", "{{").replace("}", "}}") for word in command)
        words = [word.replace(f"{{{{bin:{binary}}}}}", "{bin}") for word in doubled]
        argv = [str(OPTBUILD), "bench", *said, "--max-time", max_time, "--json", "--progress", "none", "--", *words]
        ended = subprocess.run(argv, cwd=project, check=False, stdout=subprocess.PIPE)
        if ended.returncode != 0:  # a command with another `expect-exit` than 0
            continue
        record = json.loads(ended.stdout)
        sizes = {item["name"]: item["artifacts"][0]["size_bytes"] for item in record["variants"]}
        found.append({"command": words, "sizes": sizes, "comparisons": record["comparisons"], "noise": record["noise"]})
    return found


def read_job(project: Path) -> Job:
    """What `optbuild plan` would do, in the words of other tools; only simple programs and workloads can be said so."""
    planned = subprocess.run([OPTBUILD, "plan", project, "--json"], check=True, stdout=subprocess.PIPE)
    plan: dict[str, Any] = json.loads(planned.stdout)
    if [variant["name"] for variant in plan["variants"]] != ["release", "lto", "pgo"]:
        sys.exit(f'{project}: the variants must be release, lto and pgo, as `extends = "preset:pgo"` gives them')
    actions = [action for action in plan["actions"] if "only if" not in action]
    trainings = [action for action in actions if action["kind"] == "train"]
    for training in trainings:
        if training["stdin"] or training["beside"] or set(training["env"]) != {"LLVM_PROFILE_FILE"}:
            sys.exit(f"{project}: a training workload needs more than a command")
    argv: list[str] = next(action["argv"] for action in actions if action["kind"] == "compile")
    return Job(
        select=("--package", _after(argv, "--package"), *(w for b in _all(argv, "--bin") for w in ("--bin", b))),
        bins=tuple(_all(argv, "--bin")),
        target=_after(argv, "--target"),
        directory=Path(next(action["cwd"] for action in actions if action["kind"] == "compile")).relative_to(project),
        trainings=tuple(tuple(training["argv"]) for training in trainings),
        benchmarks=tuple(tuple(argv) for action in actions if action["kind"] == "measure" for argv in action["argv"]),
        tool=next(action["argv"][0] for action in actions if action["kind"] == "merge"),
    )


def _all(argv: list[str], option: str) -> list[str]:
    return [value for word, value in itertools.pairwise(argv) if word == option]


def _after(argv: list[str], option: str) -> str:
    return _all(argv, option)[0]


def build_with_optbuild(copy: Path) -> None:
    """Build, train, prove and publish; nothing is measured."""
    argv: list[str | Path] = [sys.executable, OWN_CPU, own_cpu_file(copy), "build", "--progress", "none"]
    quiet = subprocess.DEVNULL
    subprocess.run(argv, cwd=copy, check=True, stdout=quiet, stderr=quiet)


def run_script(lines: list[str], copy: Path, env: dict[str, str]) -> None:
    """Run a shell script in a project."""
    script = copy / "by-hand.sh"
    script.write_text("\n".join(["set -eu", *lines]) + "\n")
    environ = {**os.environ, **env}
    said = script.with_suffix(".log")
    with said.open("wb") as log:
        completed = subprocess.run(["sh", script.name], cwd=copy, env=environ, stdout=log, stderr=log, check=False)
    if completed.returncode != 0:
        sys.exit(f"{script} failed:\n{said.read_text(errors='replace')[-4000:]}")


def script_by_hand(job: Job) -> list[str]:
    """Each variant in a target directory of its own, so that builds may be looked at side by side."""
    cargo = f"cargo build --release --target {job.target} {shlex.join(job.select)}"
    lto = " ".join(f"{name}={value}" for name, value in LTO.items())
    use = "RUSTFLAGS=-Cprofile-use=$PWD/merged.profdata"
    return [
        "root=$PWD",
        f"cd {shlex.quote(str(job.directory))}",
        f"{cargo} --target-dir $root/target/release",
        f"{lto} {cargo} --target-dir $root/target/lto",
        f"{lto} RUSTFLAGS=-Cprofile-generate=$root/raw {cargo} --target-dir $root/target/instrumented",
        "cd $root",
        *_train(job, "target/instrumented"),
        f"{shlex.quote(job.tool)} merge -o merged.profdata raw",
        f"cd {shlex.quote(str(job.directory))}",
        f"{lto} {use.replace('$PWD', '$root')} {cargo} --target-dir $root/target/pgo",
    ]


def script_with_cargo_pgo(job: Job) -> list[str]:
    """What cargo-pgo's documentation says, with the same Cargo profile."""
    select = shlex.join(job.select)
    exports = [f"export {name}={value}" for name, value in LTO.items()]
    return [
        "root=$PWD",
        f"cd {shlex.quote(str(job.directory))}",
        f"cargo build --release --target {job.target} {select} --target-dir $root/target",
        *exports,
        f"cargo build --release --target {job.target} {select} --target-dir $root/target",
        "export CARGO_TARGET_DIR=$root/target",
        f"cargo pgo build -- --target {job.target} {select}",
        "cd $root",
        *_train(job, "target"),
        f"cd {shlex.quote(str(job.directory))}",
        f"cargo pgo optimize build -- --target {job.target} {select}",
    ]


def _train(job: Job, target_directory: str) -> list[str]:
    places = {f"{{bin:{name}}}": f"{target_directory}/{job.target}/release/{name}" for name in job.bins}
    return [shlex.join(places.get(word, word) for word in argv) + " >out.txt" for argv in job.trainings]


def summarise(programs: dict[str, dict[str, list[dict[str, Any]]]], cores: int) -> dict[str, dict[str, float]]:
    """The wall time of optbuild over that of the others and over its own bound, by program, and the geometric means."""
    ratios: dict[str, dict[str, float]] = {}
    for program, costs in programs.items():
        walls = {name: statistics.median(cost["wall_s"] for cost in each) for name, each in costs.items() if each}
        cpus = {name: statistics.median(cost["cpu_s"] for cost in each) for name, each in costs.items() if each}
        found = {
            "optbuild/bound": walls["optbuild"] * cores / cpus["optbuild"],
            "own/all CPU": statistics.median(cost["own_cpu_s"] / cost["cpu_s"] for cost in costs["optbuild"]),
        }
        for other in ("by-hand", "cargo-pgo"):
            if other in walls:
                found[f"optbuild/{other}"] = walls["optbuild"] / walls[other]
                found[f"rerun/{other}"] = walls["optbuild-rerun"] / walls[other]
                found[f"CPU of optbuild/{other}"] = cpus["optbuild"] / cpus[other]
        ratios[program] = found
    for name in next(iter(ratios.values())):
        ratios.setdefault("geometric mean", {})[name] = math.exp(
            statistics.fmean(math.log(each[name]) for program, each in ratios.items() if program != "geometric mean")
        )
    return ratios


if __name__ == "__main__":
    main()
