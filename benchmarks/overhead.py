"""What optbuild costs beside the same steps by hand, as ratios within one run.

Two figures are printed, none is asserted, for machines are shared and noisy:

* the wall time of `optbuild pgo` less its measuring, over that of a shell script with the same cargo, workload and
  llvm-profdata commands in fresh directories, the two taken in turn;
* the wall time of `optbuild --help` over that of a one-command Typer application's `--help`.

Usage: python benchmarks/overhead.py [PROJECT] [--rounds N] [--help-rounds N]
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OPTBUILD = Path(sys.executable).with_name("optbuild")
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
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="optbuild-bench-") as directory:
        overhead = [measure_overhead(options.project, Path(directory) / str(i)) for i in range(options.rounds)]
        help_ratio = measure_help(Path(directory), options.help_rounds)
    print(json.dumps({"overhead": overhead, "help": help_ratio}, indent=1))
    ratio = statistics.median(item["ratio"] for item in overhead)
    print(f"optbuild pgo less measuring / the same by hand: {ratio:.3f}  (goal: at most 1.05)")
    print(f"optbuild --help / a one-command Typer application's: {help_ratio['ratio']:.2f}  (goal: at most 2)")


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
