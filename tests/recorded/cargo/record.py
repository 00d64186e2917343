"""Record what cargo says while it builds: `python tests/recorded/cargo/record.py CARGO LLVM_PROFDATA`.

A small crate with a dependency by path and a build script is built by the very command lines of `cargo build` that
optbuild writes. The project becomes `/p`, the toolchain `/toolchain`, and binaries become a line of text. With `-vv`
cargo prints whole rustc command lines, environment and all: they are cut.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from optbuild.testing import TARGET, Recording
from optbuild.tools.cargo import BuildSettings, make_build_argv

HERE = Path(__file__).parent
FILES = {
    "Cargo.toml": """[package]
name = "demo"
version = "0.1.0"
edition = "2021"
[dependencies]
helper = { path = "helper" }
""",
    "build.rs": 'fn main() { println!("cargo::rerun-if-changed=build.rs") }\n',
    "src/main.rs": """fn main() {
    let n: u64 = std::env::args().nth(1).map_or(20, |n| n.parse().unwrap());
    println!("{}", helper::sum(n));
}
""",
    "helper/Cargo.toml": '[package]\nname = "helper"\nversion = "0.2.0"\nedition = "2021"\n',
    "helper/src/lib.rs": """#[inline(never)]
pub fn sum(n: u64) -> u64 { (0..n).map(shrink).sum() }
#[inline(never)]
fn shrink(mut n: u64) -> u64 { while n > 9 { n /= 3 } n }
""",
}
UNUSED = "pub fn more() { let unused = 1; }\n"
SETTINGS = BuildSettings(
    manifest=Path("/p/Cargo.toml"),
    packages=("demo@0.1.0",),
    bins=("demo",),
    target=TARGET,
    target_directory=Path("/p/target/optbuild/cargo"),
    cargo_profile="release",
    config=(("build.build-dir", '"/p/target/optbuild/cargo"'),),
    locked=True,
)
TRAINED = replace(
    SETTINGS,
    target_directory=Path("/p/target/optbuild/train"),
    config=(("build.build-dir", '"/p/target/optbuild/train"'),),
)
EXPLAINED = replace(TRAINED, explain=True)


class Recorder:
    """A project in a scratch directory, and a cargo to build it with."""

    def __init__(self, root: Path, cargo: str) -> None:
        self.root = root
        self.cargo = cargo
        self.sysroot = _run("rustc", "--print", "sysroot").stdout.strip()
        for name, text in FILES.items():
            self.write(name, text)
        _run(cargo, "generate-lockfile", cwd=root)

    def write(self, name: str, text: str) -> None:
        """Put a file into the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def record(self, case: str, settings: BuildSettings = SETTINGS, **env: str) -> None:
        """Build, and keep what cargo said as `<case>.json`."""
        argv = make_build_argv("/toolchain/bin/cargo", settings)
        real = (self.cargo, *(word.replace("/p/", f"{self.root}/") for word in argv[1:]))
        done = _run(*real, cwd=self.root, env=env, check=False)
        messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        executables = [found for message in messages if (found := message.get("executable"))]
        recording = Recording(
            argv=argv,
            exit_code=done.returncode,
            stdout=self._lines(done.stdout),
            stderr=self._lines(re.sub(r"(Running `)[^`]*|(has changed) .*", r"\1\2", done.stderr)),
            writes={self._neutral(path): f"binary of {case}\n" for path in executables},
        )
        (HERE / f"{case}.json").write_text(json.dumps(asdict(recording), indent=1) + "\n")

    def _lines(self, text: str) -> tuple[str, ...]:
        return tuple(self._neutral(text).splitlines())

    def _neutral(self, text: str) -> str:
        return text.replace(str(self.root), "/p").replace(self.sysroot, "/toolchain")


def main(cargo: str, llvm_profdata: str) -> None:
    """Build the project in all the ways that matter."""
    with tempfile.TemporaryDirectory() as scratch:
        project = Recorder(Path(scratch).resolve(), cargo)
        project.record("success")
        project.record("fresh")
        project.write("helper/src/lib.rs", FILES["helper/src/lib.rs"] + UNUSED)
        project.record("warning")
        project.write("src/main.rs", "fn main() { nowhere() }\n")
        project.record("error")
        project.write("src/main.rs", FILES["src/main.rs"])
        project.write("build.rs", 'fn main() { panic!("no protoc here") }\n')
        project.record("build-script")
        project.write("build.rs", FILES["build.rs"])
        project.write("killed.sh", '#!/bin/sh\ncase "$*" in *--crate-name\\ demo*) kill -9 $$ ;; esac\nexec "$@"\n')
        (project.root / "killed.sh").chmod(0o755)
        project.record("killed", RUSTC_WRAPPER=str(project.root / "killed.sh"))
        _record_pgo(project, llvm_profdata)
        project.write("helper/Cargo.toml", FILES["helper/Cargo.toml"].replace("0.2.0", "0.3.0"))
        project.record("outdated-lock")


def _record_pgo(project: Recorder, llvm_profdata: str) -> None:
    """Train, then change a function and add another: counts are discarded for one and missing for the other."""
    root = project.root
    project.write("helper/src/lib.rs", FILES["helper/src/lib.rs"])
    project.record("instrumented", TRAINED, RUSTFLAGS=f"-Cprofile-generate={root}/stray")
    binary = root / "target/optbuild/train" / TARGET / "release/demo"
    _run(str(binary), "1000", env={"LLVM_PROFILE_FILE": f"{root}/raw/%m_%p.profraw"})
    raw = [str(path) for path in (root / "raw").iterdir()]
    _run(llvm_profdata, "merge", "-o", f"{root}/a.profdata", *raw)
    use = f"-Cprofile-use={root}/a.profdata -Cllvm-args=-pgo-warn-missing-function"
    project.record("optimised", EXPLAINED, RUSTFLAGS=use)
    changed = FILES["helper/src/lib.rs"].replace("{ n /= 3 }", '{ if n % 5 == 2 { print!(".") } n /= 3 }')
    project.write("helper/src/lib.rs", f"{changed}#[inline(never)]\npub fn extra(n: u64) -> u64 {{ n * 7 }}\n")
    project.record("mismatched", EXPLAINED, RUSTFLAGS=use)


def _run(
    *argv: str, cwd: Path = HERE, env: dict[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    whole = {**os.environ, "RUST_BACKTRACE": "0", **(env or {})}
    return subprocess.run(argv, cwd=cwd, env=whole, check=check, capture_output=True, text=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
