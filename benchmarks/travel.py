"""How much of a profile is found again, and how much of PGO's gain is kept, where something else is built than trained.

Real programs of the registry are trained at one release. Their counts are then used for a later release, by the next
compiler, with other settings and for other targets, in two ways: as they are, which is what a committed `.profdata`
does, and translated by `optbuild.portable`. Two things are counted, and neither depends on the machine's speed:

* matched: the share of the counts that find their function in the program that is built, and apart from it the share of
  those that are approximate, because the function has changed;
* instructions, by callgrind, of the program untrained, with the counts as they are, translated, and trained anew.

Every build is kept in the work directory, so that a run that was stopped goes on where it was, and `--steps` says what
to do: `match` needs the instrumented builds only, `count` the optimised ones as well. Sources come by `cargo fetch`.

Usage: python -m benchmarks.travel --work DIR [--steps match count] [--only PROGRAM] [--out benchmarks/travel.json]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.registry_sources import copy_sources
from optbuild.making.training.outlines import move_by_outlines, note_outlines
from optbuild.portable.matching import How, Matching, match, render_translated
from optbuild.portable.profile_records import parse_record
from optbuild.tools.instrumentation import InstrumentedFunction, parse_instrumented
from optbuild.tools.profile_text import read_records
from optbuild.tools.rustc import write_ir_flags

HALF, FIFTH = 0.5, 0.2
WAYS = ("untrained", "trained anew", "translated", "without changed functions", "by name")
HOST = "x86_64-unknown-linux-gnu"
WITHOUT_LTO = ("-Clto=off", "-Clinker_plugin_lto=no", "-Cembed_bitcode=no")
WORDS = [
    "lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet",
    "consectetur",
    "adipiscing",
    "elit",
    "sed",
    "do",
    "eiusmod",
    "tempor",
    "incididunt",
    "ut",
    "labore",
    "et",
    "dolore",
    "magna",
    "aliqua",
]
TEMPLATE = """<h1>{{ title }}</h1>
{% macro card(u) %}<li class="{{ loop_class|default('x') }}">{{ u.name|upper }} ({{ u.address.city|title }})
{%- for t in u.tags|sort %}{% if not loop.first %}, {% endif %}{{ t }}{% endfor %} \
{{ u.address.note|escape|replace('lorem','L') }}</li>{% endmacro %}
{% for u in users if u.active %}{% set n = u.score * 2 + loop.index %}{{ card(u) }}{{ n|round(1) }}{% else %}none\
{% endfor %}
{% for u in users|sort(attribute='name') %}{{ u.id }}:{{ u.name|length }}\
{% if u.score > 50 and 'lorem' in u.tags %}!{% endif %}
{% endfor %}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program of the registry.

    Attributes:
        releases: The one that is trained, the next one, and the tenth after it.
        arguments: For cargo.
        runs: What it is run on, for training and for counting.
    """

    name: str
    releases: tuple[str, str, str]
    arguments: tuple[str, ...]
    runs: tuple[tuple[str, ...], ...]


PROGRAMS = (
    Program(
        name="jql",
        releases=("8.0.0", "8.0.1", "8.0.10"),
        arguments=(),
        runs=(("--inline", '"users"|>"name"', "{json}"), ('"users"|>"tags"|>[0]', "{json}")),
    ),
    Program(
        name="minijinja-cli",
        releases=("2.12.0", "2.13.0", "2.20.0"),
        arguments=("--no-default-features",),
        runs=(("{template}", "{json}"),),
    ),
    Program(
        name="comrak",
        releases=("0.45.0", "0.46.0", "0.55.0"),
        arguments=("--no-default-features", "--features", "cli"),
        runs=(
            ("-e", "table", "-e", "footnotes", "-e", "tasklist", "-e", "autolink", "--unsafe", "{markdown}"),
            ("-t", "commonmark", "{markdown}"),
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What decides a build, flags of PGO apart."""

    program: str
    release: str
    toolchain: str = "stable"
    lto: str = "fat"
    panic: str = "unwind"
    target: str = HOST

    @property
    def key(self) -> str:
        """Its name in the work directory."""
        return f"{self.program}-{self.release}-{self.toolchain}-{self.lto}-{self.panic}-{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """Counts of one build, used in another one."""

    name: str
    trained: Build
    used: Build


def find_journeys(program: Program) -> Iterator[Journey]:
    """What is compared for a program."""
    first, second, eleventh = (Build(program=program.name, release=release) for release in program.releases)
    yield Journey(name="n+1", trained=first, used=second)
    yield Journey(name="n+10", trained=first, used=eleventh)
    # The release that the next compiler can build: older ones have dependencies that probe for a nightly one.
    yield Journey(name="next rustc", trained=eleventh, used=replace(eleventh, toolchain="nightly"))
    yield Journey(name="n+1, thin LTO", trained=first, used=replace(second, lto="thin"))
    yield Journey(name="n+1, no LTO", trained=first, used=replace(second, lto="off"))
    yield Journey(name="n+1, panic = abort", trained=first, used=replace(second, panic="abort"))
    yield Journey(name="n+1, musl", trained=first, used=replace(second, target="x86_64-unknown-linux-musl"))
    yield Journey(name="n+1, aarch64", trained=first, used=replace(second, target="aarch64-unknown-linux-gnu"))


class NotBuiltError(Exception):
    """A binary is not there, and none is to be built."""


class Workshop:
    """Builds, trains and counts, each once.

    Attributes:
        work: Where everything is kept.
        builds: Whether what is missing is built.
    """

    def __init__(self, work: Path, *, builds: bool = True) -> None:
        self.work = work
        self.builds = builds
        for name, seed, size in (("train", 1, 400), ("test", 2, 300)):
            write_inputs(work / f"in-{name}", seed, size)
        sysroot = capture(["rustc", "+stable", "--print", "sysroot"]).strip()
        self.profdata = f"{sysroot}/lib/rustlib/{HOST}/bin/llvm-profdata"

    def sources(self, build: Build) -> Path:
        """A release's sources, as the registry has them."""
        directory = self.work / "src" / f"{build.program}-{build.release}"
        return copy_sources(build.program, build.release, directory, work=self.work)

    def build(self, build: Build, name: str, flags: tuple[str, ...]) -> Path:
        """A binary, kept under a name that says how it came about."""
        kept = self.work / "bin" / f"{build.key}-{name}"
        if kept.exists():
            return kept
        if not self.builds:
            raise NotBuiltError(kept.name)
        directory = self.work / "target" / f"{build.program}-{build.toolchain}-{build.target}"
        if build.target.startswith("aarch64"):
            flags = ("-Clinker=aarch64-linux-gnu-gcc", *flags)
        settings = {"lto": f'"{build.lto}"', "codegen-units": "1", "panic": f'"{build.panic}"'}
        argv = ["cargo", f"+{build.toolchain}", "build", "--release", "--locked", "--offline"]
        argv += ["--target", build.target, "--target-dir", str(directory), "--bin", build.program]
        argv += [word for key, value in settings.items() for word in ("--config", f"profile.release.{key}={value}")]
        argv += next(program.arguments for program in PROGRAMS if program.name == build.program)
        environment = {**os.environ, "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags)}
        print(f"building {kept.name}", flush=True)
        log = self.work / "logs" / f"{kept.name}.log"
        for path in (log, kept):
            path.parent.mkdir(exist_ok=True)
        with log.open("wb") as stream:
            subprocess.run(argv, cwd=self.sources(build), env=environment, stdout=stream, stderr=stream, check=True)
        unfinished = kept.with_suffix(".tmp")
        shutil.copy2(directory / build.target / "release" / build.program, unfinished)
        return unfinished.rename(kept)

    def instrument(self, build: Build) -> Path:
        """The instrumented binary: without LTO it counts the same."""
        lto = WITHOUT_LTO if build.lto in {"fat", "thin"} else ()
        flags = (f"-Cprofile_generate={self.work / 'stray'}", *lto, *write_ir_flags(self.flow(build)))
        return self.build(build, "instr", flags)

    def flow(self, build: Build) -> Path:
        """What LLVM writes of an instrumented build."""
        return self.work / "flow" / build.key

    def train(self, build: Build) -> Path:
        """The profile of a build's own training."""
        profile = self.work / "prof" / f"{build.key}.profdata"
        if not profile.exists():
            raw = self.work / "raw" / build.key
            shutil.rmtree(raw, ignore_errors=True)
            binary = self.instrument(build)
            for argv in self.runs(build, binary, "train"):
                environment = {**os.environ, "LLVM_PROFILE_FILE": f"{raw}/%p.profraw"}
                subprocess.run(argv, env=environment, stdout=subprocess.DEVNULL, check=True)
            self.merge(list(raw.iterdir()), profile)
        return profile

    def merge(self, sources: list[Path], profile: Path) -> Path:
        """An indexed profile."""
        profile.parent.mkdir(exist_ok=True)
        subprocess.run([self.profdata, "merge", "-o", str(profile), *map(str, sources)], check=True)
        return profile

    def records(self, profile: Path) -> str:
        """A profile as text."""
        text = profile.with_suffix(".proftext")
        if not text.exists():
            subprocess.run([self.profdata, "merge", "--text", "-o", str(text), str(profile)], check=True)
        return text.read_text(errors="surrogateescape")

    def optimise(self, build: Build, profile: Path) -> Path:
        """The binary that a profile gives."""
        digest = hashlib.sha256(profile.read_bytes()).hexdigest()[:12]
        return self.build(build, f"use-{digest}", (f"-Cprofile_use={profile}",))

    def count(self, build: Build, binary: Path) -> int:
        """The instructions of all runs together; for another architecture there is no count."""
        kept = self.work / "counts" / f"{binary.name}.json"
        kept.parent.mkdir(exist_ok=True)
        if not kept.exists():
            counts = []
            for argv in self.runs(build, binary, "test"):
                tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *argv]
                said = subprocess.run(tool, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True).stderr
                found = re.search(rb"Collected : (\d+)", said)
                if found is None:
                    raise ValueError(said.decode("utf-8", "replace"))
                counts.append(int(found[1]))
            kept.write_text(json.dumps(counts))
        return sum(json.loads(kept.read_text()))

    def runs(self, build: Build, binary: Path, which: str) -> Iterator[list[str]]:
        """What is run."""
        directory = self.work / f"in-{which}"
        files = {"json": "data.json", "template": "page.html", "markdown": "doc.md"}
        places = {name: str(directory / file) for name, file in files.items()}
        program = next(program for program in PROGRAMS if program.name == build.program)
        for arguments in program.runs:
            yield [str(binary), *(places.get(argument.strip("{}"), argument) for argument in arguments)]


def write_inputs(directory: Path, seed: int, size: int) -> None:
    """The same inputs every time; those for training and for counting differ."""
    directory.mkdir(parents=True, exist_ok=True)
    dice = random.Random(seed)  # noqa: S311 - no secret

    def text(length: int) -> str:
        return " ".join(dice.choice(WORDS) for _ in range(length))

    users = [
        {
            "id": number,
            "name": text(2).title(),
            "active": dice.random() < HALF,
            "score": round(dice.random() * 100, 3),
            "tags": [dice.choice(WORDS) for _ in range(4)],
            "address": {"city": text(1), "note": text(8) + ' "quoted" é\n'},
        }
        for number in range(size)
    ]
    (directory / "data.json").write_text(json.dumps({"users": users, "title": "A < B & C"}))
    (directory / "page.html").write_text(TEMPLATE)
    parts = []
    for number in range(size // 4):
        parts.append(f"{'#' * dice.randint(1, 4)} {text(4)}\n")
        marked = f'{text(20)} *{text(3)}* and **{text(2)}** with `code` and [link](http://example.org/{text(1)} "t")'
        parts.append(f"{marked}, <b>html</b> &amp; http://auto.example.org.\n")
        items = range(dice.randint(1, 5))
        parts.append("".join(f"{'- [x] ' * (dice.random() < FIFTH)}- {text(6)}\n" for _ in items))
        if number % 5 == 0:
            rows = "".join(f"| {text(2)} | *{text(1)}* | {dice.random():.3f} |\n" for _ in range(6))
            parts.append(f"| a | b | c |\n|---|:-:|--:|\n{rows}")
        if number % 7 == 0:
            parts.append(f'```rust\nfn main() {{ println!("{{}}", {text(5)}); }}\n```\n')
        if number % 6 == 0:
            parts.append(f"> {text(10)}\n> > {text(6)}\n")
        if number % 9 == 0:
            parts.append(f"1. {text(5)}\n2. {text(5)}\n   1. {text(3)}\n\nnote[^{number}]\n\n[^{number}]: {text(8)}\n")
    (directory / "doc.md").write_text("\n".join(parts))


def find_matched(shop: Workshop, journey: Journey) -> tuple[dict[str, Any], Matching, tuple[InstrumentedFunction, ...]]:
    """Which share of the counts is found by name and translated, and what is lost."""
    records = list(read_records(shop.records(shop.train(journey.trained)).splitlines(keepends=True)))
    functions = parse_instrumented(shop.instrument(journey.used).read_bytes())
    if functions is None:
        raise ValueError(f"{journey.used.key} lists no functions")
    known = {(function.name, function.hash) for function in functions}
    each = [(record, parse_record(record)) for record in records]
    total = sum(counts.total for _, counts in each)
    by_name = sum(counts.total for record, counts in each if (record.name, record.hash) in known)
    trained = note_outlines(records, shop.flow(journey.trained))
    matching = match(trained, functions)
    matching = move_by_outlines(matching, functions, shop.flow(journey.used))
    lost = [(counts.name.path, counts.total / total) for counts in matching.lost[:8]]
    found = {
        "by_name": by_name / total,
        "translated": matching.matched_ratio,
        "approximate": matching.approximate_ratio,
        "lost": lost,
    }
    return found, matching, functions


def count_instructions(
    shop: Workshop,
    journey: Journey,
    matching: Matching,
    functions: tuple[InstrumentedFunction, ...],
    wanted: Collection[str],
) -> Iterator[tuple[str, int]]:
    """Instructions untrained, trained anew, with counts translated and as they are; without what is not built."""
    used = journey.used
    unchanged = replace(matching, matches=tuple(each for each in matching.matches if each.how is not How.CHANGED))

    def write(matching: Matching) -> Path:
        text = "".join(render_translated(matching, functions))
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        source = shop.work / "trans" / f"{used.key}-{digest}.proftext"
        source.parent.mkdir(exist_ok=True)
        source.write_text(text, errors="surrogateescape")
        return shop.merge([source], source.with_suffix(".profdata"))

    ways: Mapping[str, Callable[[], Path]] = {
        "untrained": lambda: shop.build(used, "plain", ()),
        "trained anew": lambda: shop.optimise(used, shop.train(used)),
        "translated": lambda: shop.optimise(used, write(matching)),
        "without changed functions": lambda: shop.optimise(used, write(unchanged)),
        "by name": lambda: shop.optimise(used, shop.train(journey.trained)),
    }
    for name, make in ways.items():
        if name not in wanted:
            continue
        try:
            binary = make()
        except NotBuiltError:
            continue
        yield name, shop.count(used, binary)


def main() -> None:
    """Do what was asked for, and write what came of it after each step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", nargs="+", choices=("match", "count"), default=["match", "count"])
    parser.add_argument("--only", nargs="+", default=[program.name for program in PROGRAMS])
    parser.add_argument("--journeys", nargs="+")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--built", action="store_true", help="take what is built already, and build nothing more")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    shop = Workshop(options.work.resolve(), builds=not options.built)
    results: dict[str, dict[str, Any]] = json.loads(options.out.read_text()) if options.out.exists() else {}
    for program in PROGRAMS:
        for journey in find_journeys(program) if program.name in options.only else ():
            if options.journeys and journey.name not in options.journeys:
                continue
            try:
                matched, matching, functions = find_matched(shop, journey)
            except NotBuiltError:
                continue
            row = results.setdefault(program.name, {}).setdefault(journey.name, {})
            row |= {"trained": asdict(journey.trained), "used": asdict(journey.used), "matched": matched}
            if "count" in options.steps and not journey.used.target.startswith("aarch64"):
                for way, instructions in count_instructions(shop, journey, matching, functions, options.ways):
                    row.setdefault("instructions", {})[way] = instructions
                    options.out.write_text(json.dumps(results, indent=1) + "\n")
            options.out.write_text(json.dumps(results, indent=1) + "\n")
            print(program.name, journey.name, json.dumps({key: row.get(key) for key in ("matched", "instructions")}))


def capture(argv: list[str]) -> str:
    """What a program prints."""
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
