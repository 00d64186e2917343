"""Optbuild's `tuned` program against cargo-pgo's PGO, and its PGO with BOLT, on programs of the registry.

All of them begin with the same Cargo profile (fat LTO, one codegen unit), are trained on the same runs, and are
compared on inputs that training has not seen. The steps, each of which goes on where it was:

* peers: cargo without a profile, and cargo-pgo as its documentation says: PGO, then PGO with BOLT;
* tune: `optbuild tune --write`, within `--budget`, then `optbuild build tuned`, or `pgo` where nothing was proven;
* count: the instructions of each program by callgrind: exact, whatever else the machine does;
* bench: `optbuild bench`, each of cargo-pgo's two against the tuned one, for `--max-time` each: on a quiet machine.

Times are CPU times: each program does its work on one thread, and other processes change those least.

Everything is kept in the work directory, and results are written after each step. What is there already is not done
again: remove what is below `bin`, `tune`, `counts` or `bench` for that. cargo-pgo comes by
`cargo install cargo-pgo --root DIR`; llvm-bolt and merge-fdata must be of LLVM's version in rustc.

Usage: python -m benchmarks.peers --work DIR --cargo-pgo DIR/bin/cargo-pgo [--only PROGRAM...] [--steps STEP...]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peer_programs import FILES, PROGRAMS, Program, write_lines
from benchmarks.registry_sources import copy_sources
from benchmarks.travel import HOST, capture, write_inputs

OPTBUILD = Path(sys.executable).with_name("optbuild")
LTO = {"CARGO_PROFILE_RELEASE_LTO": "fat", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "1"}
LLVM_TOOLS = ("llvm-profdata", "llvm-bolt")
PEERS = ("cargo-pgo", "cargo-pgo-bolt")
ARMS = ("release", *PEERS, "tuned")
QUIET = ("--json", "--progress", "none")
PROFILE = """\
schema = 1

[variants.release]
lto = "fat"
codegen-units = 1

[variants.pgo]
inherits = "release"
pgo = true

[measure]
baseline = "release"
metric = "cpu"
"""
NOTHING_PROVEN = 1
"""The exit code of a search that came to its end without a winner that is proven to be faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Where everything is kept, and what it is done with.

    Attributes:
        cargo_pgo: The program, in a directory of its own.
        budget: Of each search.
        max_time: Of each timed comparison, and of the confirmation in a search.
    """

    work: Path
    cargo_pgo: Path | None
    space: str
    budget: str
    max_time: str

    def binary(self, program: Program, arm: str) -> Path:
        """Where a program is kept: its own name, for what it is called may be part of what it does."""
        return self.work / "bin" / program.name / arm / program.name

    def binaries(self, program: Program, arms: str) -> Iterator[Path]:
        """The programs that are kept, of those arms that a pattern matches."""
        return (self.work / "bin" / program.name).glob(f"{arms}/{program.name}")

    def keep(self, program: Program, arm: str, built: Path) -> None:
        """Copy a program at once or not at all."""
        kept = self.binary(program, arm)
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(".tmp")
        shutil.copy2(built, unfinished)
        unfinished.replace(kept)

    def runs(self, program: Program, which: str) -> Iterator[list[str]]:
        """The arguments of each run, on inputs for training or for comparing, which are made once."""
        directory = self.work / "inputs" / f"{program.name}-{which}"
        if not directory.exists():
            unfinished = directory.with_suffix(".tmp")
            seed = {"train": 1, "bench": 2}[which]
            write_inputs(unfinished, seed, program.size)
            write_lines(unfinished)
            unfinished.rename(directory)
        for arguments in getattr(program, which):
            yield [str(directory / word) if word in FILES else word for word in arguments]

    def sources(self, program: Program, way: str) -> Path:
        """A copy of a release's sources, as the registry has them, for one way of building it."""
        return copy_sources(program.name, program.release, self.work / way / program.name, work=self.work)

    def call(
        self,
        program: Program,
        step: str,
        argv: list[str],
        cwd: Path,
        extra: Mapping[str, str],
        answers: tuple[int, ...] = (0,),
    ) -> bytes:
        """Run a tool of a build; what it says on standard error is kept.

        Raises:
            subprocess.CalledProcessError: It failed; its log says why.
        """
        log = self.work / "logs" / f"{program.name}-{step}.log"
        log.parent.mkdir(exist_ok=True)
        print(f"{program.name}: {step}", flush=True)
        with log.open("wb") as stream:
            environment = {**os.environ, **extra}
            ended = subprocess.run(argv, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=stream, check=False)
        if ended.returncode not in answers:
            ended.check_returncode()
        return ended.stdout


def build_peers(shop: Shop, program: Program, row: dict[str, Any]) -> None:
    """Cargo alone, then cargo-pgo, in one target directory, with the same Cargo profile."""
    if shop.cargo_pgo is None:
        sys.exit("name cargo-pgo: cargo install cargo-pgo --root DIR, then --cargo-pgo DIR/bin/cargo-pgo")
    directory = shop.sources(program, "peers")
    row["cargo-pgo"] = capture([str(shop.cargo_pgo), "pgo", "--version"]).split()[-1]
    select = ["--locked", "--offline", "--bin", program.name, "--target", HOST]
    built = directory / "target" / HOST / "release" / program.name
    pgo = ["cargo", "pgo"]
    with_pgo = ["--with-pgo", "--", *select]
    stages: dict[str, tuple[tuple[str, list[str], Path | None], ...]] = {
        "release": (("release", ["cargo", "build", "--release", *select], None),),
        "cargo-pgo": (
            ("pgo build", [*pgo, "build", "--", *select], built),
            ("pgo optimize", [*pgo, "optimize", "build", "--", *select], None),
        ),
        "cargo-pgo-bolt": (
            ("bolt build", [*pgo, "bolt", "build", *with_pgo], built.with_name(f"{built.name}-bolt-instrumented")),
            ("bolt optimize", [*pgo, "bolt", "optimize", *with_pgo], None),
        ),
    }
    extra = {**LTO, "PATH": f"{shop.cargo_pgo.resolve().parent}:{find_llvm()}:{os.environ['PATH']}"}
    extra["CARGO_TARGET_DIR"] = str(directory / "target")
    for arm, stage in stages.items():
        if shop.binary(program, arm).exists():
            continue
        for name, argv, trained in stage:
            shop.call(program, f"peers {name}", argv, directory, extra)
            for arguments in shop.runs(program, "train") if trained else ():
                subprocess.run([str(trained), *arguments], cwd=directory, stdout=subprocess.DEVNULL, check=True)
        made = built.with_name(f"{built.name}-bolt-optimized") if arm == "cargo-pgo-bolt" else built
        shop.keep(program, arm, made)


def find_llvm() -> str:
    """The directories of llvm-profdata, llvm-bolt and merge-fdata, as optbuild finds them."""
    findings = json.loads(capture([str(OPTBUILD), "doctor", "--json"]))["findings"]
    named = (re.search(r"\((/.+)\)", item["message"]) for item in findings if item["subject"] in LLVM_TOOLS)
    return ":".join(dict.fromkeys(str(Path(found[1]).parent) for found in named if found))


def tune(shop: Shop, program: Program, row: dict[str, Any]) -> None:
    """Search, write the winner into the build profile, and build it."""
    kept = shop.work / "tune" / f"{program.name}.json"
    if kept.exists():
        row["tune"] = json.loads(kept.read_text())
        return
    directory = shop.sources(program, "optbuild")
    profile = directory / "optbuild.toml"
    if not profile.exists():
        profile.write_text("".join(render_profile(shop, program)))
    options = ["--space", shop.space, "--budget", shop.budget, "--max-time", shop.max_time, "--write", "--yes"]
    argv = [str(OPTBUILD), "tune", *options, *QUIET]
    said = shop.call(program, "tune", argv, directory, {}, answers=(0, NOTHING_PROVEN))
    record = json.loads(said)
    variant = "tuned" if "[variants.tuned]" in profile.read_text() else "pgo"  # nothing was proven to be faster
    shop.call(program, "build", [str(OPTBUILD), "build", variant, *QUIET], directory, {})
    search = record["search"]
    row["tune"] = {
        "space": shop.space,
        "budget": shop.budget,
        "load": os.getloadavg()[0],
        "variant": variant,
        "winner": search["winner"],
        "candidates": len(search["candidates"]),
        "raced": sum(item["change"] is not None for item in search["candidates"]),
        "confirmation": search["confirmation"],
        "settings": profile.read_text().partition("[variants.tuned]")[2].strip().splitlines(),
    }
    for built in record["variants"]:
        for artifact in built["artifacts"]:
            if artifact["bin"] == program.name:
                shop.keep(program, f"candidates/{built['name']}", Path(artifact["path"]))
    shop.keep(program, "tuned", directory / "target" / "optbuild" / "artifacts" / variant / program.name)
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(row["tune"], indent=1))


def render_profile(shop: Shop, program: Program) -> Iterator[str]:
    """The build profile of the search."""
    yield PROFILE
    for use in ("train", "bench"):
        for number, arguments in enumerate(shop.runs(program, use)):
            words = json.dumps([f"{{bin:{program.name}}}", *map(double_braces, arguments)])
            yield f'\n[[workloads]]\nname = "{use} {number}"\ncommand = {words}\nuse = ["{use}"]\n'


def double_braces(word: str) -> str:
    """A word of a command in which braces are no placeholder."""
    return word.replace("{", "{{").replace("}", "}}")


def count(shop: Shop, program: Program, row: dict[str, Any]) -> None:
    """Instructions of the held-out runs, and the size of each program; those of all candidates of the search, too."""
    candidates = sorted(path.parent.relative_to(path.parents[2]) for path in shop.binaries(program, "candidates/*"))
    for arm in (*ARMS, *map(str, candidates)):
        binary = shop.binary(program, arm)
        if not binary.exists():
            continue
        digest = hashlib.sha256(binary.read_bytes()).hexdigest()[:12]
        kept = shop.work / "counts" / program.name / f"{digest}.json"
        if not kept.exists():
            print(f"{program.name}: counting {arm}", flush=True)
            counts = [count_instructions([str(binary), *arguments]) for arguments in shop.runs(program, "bench")]
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(counts))
        row.setdefault("instructions", {})[arm] = json.loads(kept.read_text())
        row.setdefault("size_bytes", {})[arm] = binary.stat().st_size


def count_instructions(argv: list[str]) -> int:
    """What callgrind counts in one run."""
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *argv]
    said = subprocess.run(tool, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True).stderr
    found = re.search(rb"Collected : (\d+)", said)
    if found is None:
        raise ValueError(said.decode("utf-8", "replace"))
    return int(found[1])


def bench(shop: Shop, program: Program, row: dict[str, Any]) -> None:
    """The tuned program timed against each of cargo-pgo's, on each held-out run."""
    if not all(shop.binary(program, arm).exists() for arm in (*PEERS, "tuned")):
        return
    for peer in PEERS:
        for number, arguments in enumerate(shop.runs(program, "bench")):
            kept = shop.work / "bench" / program.name / f"{peer}-{number}.json"
            if not kept.exists():
                arms = [f"{arm}={shop.binary(program, arm)}" for arm in (peer, "tuned")]
                argv = [str(OPTBUILD), "bench", *arms, "--metric", "cpu", "--max-time", shop.max_time]
                argv += [*QUIET, "--", "{bin}"]
                argv += map(double_braces, arguments)
                said = shop.call(program, f"bench {peer} {number}", argv, shop.work, {})
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(said)
            record = json.loads(kept.read_text())
            (suite,) = (item for item in record["comparisons"] if item["workload"] is None)
            told = {key: suite[key] for key in ("change", "ci_low", "ci_high", "verdict", "rounds")}
            row.setdefault("bench", {}).setdefault(peer, {})[str(number)] = {**told, "aa": record["noise"]["aa"]}


def summarise(results: Mapping[str, Any]) -> dict[str, float]:
    """The geometric means over programs of the tuned program's instructions over those of each other one."""
    means = {}
    for other in ARMS[:-1]:
        ratios = [
            ours / theirs
            for row in results.values()
            for counts in [row.get("instructions", {})]
            if other in counts and "tuned" in counts
            for ours, theirs in [(sum(counts["tuned"]), sum(counts[other]))]
        ]
        if ratios:
            means[other] = math.exp(sum(map(math.log, ratios)) / len(ratios)) - 1
    return means


def render_table(results: Mapping[str, Any]) -> Iterator[str]:
    """The instructions of the held-out runs together, as a table of peers.md has them."""
    yield "| program | " + " | ".join(ARMS) + " |"
    yield "| :-- |" + " --: |" * len(ARMS)
    for name, row in results.items():
        counts = {arm: sum(row["instructions"][arm]) for arm in ARMS if arm in row.get("instructions", {})}
        if "release" in counts:
            cells = (f"{counts[arm] / counts['release'] - 1:+.1%}" if arm in counts else "" for arm in ARMS[1:])
            yield f"| {name} | {counts['release'] / 1e6:.1f} M | {' | '.join(cells).replace('-', '−')} |"


def render_times(results: Mapping[str, Any]) -> Iterator[str]:
    """The tuned program's time against each of cargo-pgo's, on each held-out run, as a table of peers.md has it."""
    yield f"| program | run | {' | '.join(f'tuned vs {peer}' for peer in PEERS)} |"
    yield "| :-- | --: |" + " :-- |" * len(PEERS)
    for name, row in results.items():
        found = row.get("bench", {})
        for number in found.get(PEERS[0], {}):
            told = [found[peer][number] for peer in PEERS if number in found.get(peer, {})]
            cells = (
                f"{item['change']:+.1%} [{item['ci_low']:+.1%}, {item['ci_high']:+.1%}] {item['verdict']}"
                for item in told
            )
            yield f"| {name} | {number} | {' | '.join(cells).replace('-', '−')} |"


STEPS: Mapping[str, Callable[[Shop, Program, dict[str, Any]], None]] = {
    "peers": build_peers,
    "tune": tune,
    "count": count,
    "bench": bench,
}


def main() -> None:
    """Do what was asked for, program by program, and write what came of it after each step."""
    names = [program.name for program in PROGRAMS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--cargo-pgo", type=Path)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=["peers", "tune", "count"])
    parser.add_argument("--space", default="thorough", help="of the search (default: %(default)s)")
    parser.add_argument("--budget", default="60m", help="of each search (default: %(default)s)")
    parser.add_argument(
        "--max-time", default="30s", help="of each timed comparison and confirmation (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    shop = Shop(
        work=options.work.resolve(),
        cargo_pgo=options.cargo_pgo,
        space=options.space,
        budget=options.budget,
        max_time=options.max_time,
    )
    found: dict[str, Any] = json.loads(options.out.read_text()) if options.out.exists() else {}
    results: dict[str, Any] = found.setdefault("programs", {})
    for program in PROGRAMS:
        if program.name not in options.only:
            continue
        row = results.setdefault(program.name, {"release": program.release, "kind": program.kind})
        for step in options.steps:
            STEPS[step](shop, program, row)
            found["tuned_over"] = summarise(results)
            options.out.write_text(json.dumps(found, indent=1) + "\n")
    print("\n".join([*render_table(results), "", *render_times(results)]))
    print(json.dumps(found.get("tuned_over")))


if __name__ == "__main__":
    main()
