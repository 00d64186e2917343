"""Builds that run at the same time: one budget of jobs, the binaries of builds one by one, and one end for all."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.integration.optbuild_program import (
    VARIANTS,
    Optbuild,
    copy_crate,
    variant_of,
    write_profile,
    write_script,
)

pytestmark = [
    pytest.mark.pgo,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere builds follow each other"),
]

WITH_LTO = """
[variants.release]
opt-level = 1
[variants.lto]
inherits = "release"
lto = "fat"
codegen-units = 1
[variants.pgo]
inherits = "lto"
pgo = true
"""

TELLING_WRAPPER = """\
rustc="$1"; shift
case "$*" in
*"--crate-name ___"*|*-vV*) exec "$rustc" "$@" ;;
esac
case "$*" in *profile_generate*) what=instrument ;; *profile_use*) what=pgo ;; *) what=plain ;; esac
echo "begin $what" >> "$TOLD"
"$rustc" "$@"; status=$?
echo "end $what" >> "$TOLD"
exit $status"""
"""Stands before rustc, and writes down when a compilation begins and when it ends."""

HOLDING_BUILD_SCRIPT = """\
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = std::env::var("OUT_DIR").unwrap();
    let place = if out.contains("/optbuild/train/") { "held-train" } else { "held-cargo" };
    while Path::new("hold").exists() {
        std::fs::write(place, "").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
"""


def with_crates(directory: Path, count: int, variants: str = VARIANTS) -> Path:
    """The crate `tally` with dependencies that can all be compiled at the same time."""
    project = copy_crate("tally", directory)
    write_profile(project, variants=variants)
    lines = ["[dependencies]"]
    for number in range(count):
        name = f"part{number}"
        lines.append(f'{name} = {{ path = "{name}" }}')
        (project / name / "src").mkdir(parents=True)
        (project / name / "Cargo.toml").write_text(f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n')
        functions = "".join(f"pub fn f{n}(x: u64) -> u64 {{ (0..x).map(|y| y * {n}).sum() }}\n" for n in range(50))
        (project / name / "src/lib.rs").write_text(functions)
    manifest = project / "Cargo.toml"
    manifest.write_text(manifest.read_text() + "\n".join(lines) + "\n")
    (project / "Cargo.lock").unlink(missing_ok=True)
    return project


def hashes(record: dict[str, Any]) -> dict[str, str]:
    """The content of each variant's binary."""
    return {variant["name"]: variant["artifacts"][0]["sha256"] for variant in record["variants"]}


def test_binaries_do_not_depend_on_what_ran_beside_them(optbuild: Optbuild, tmp_path: Path) -> None:
    """All jobs at once, or one after the other: the same bits, from the same directories; and then all is fresh."""
    project = with_crates(tmp_path / "p", 2, WITH_LTO)
    together = optbuild.run("build", "--json", "--jobs", "3", cwd=project).expect(0).document
    again = optbuild.run("build", "--json", "--jobs", "3", cwd=project).expect(0).document
    (project / "target").rename(tmp_path / "first")
    alone = optbuild.run("build", "--json", "--jobs", "1", cwd=project).expect(0).document
    assert hashes(together) == hashes(alone) == hashes(again)
    assert {variant["status"] for variant in again["variants"]} == {"reused"}
    labels = [[step["action"] for step in variant["steps"]] for variant in together["variants"]]
    assert labels == [[step["action"] for step in variant["steps"]] for variant in alone["variants"]]
    compiled = [s for v in together["variants"] for s in v["steps"] if s["kind"] == "compile"]
    assert all(step["peak_rss_bytes"] > 1 << 20 for step in compiled)


def test_all_builds_have_one_budget_of_jobs(optbuild: Optbuild, tmp_path: Path) -> None:
    """Two calls of cargo with plenty to do never have more compilations at once than there are jobs."""
    project = with_crates(tmp_path / "p", 6)
    wrapper = write_script(tmp_path / "wrapper.sh", TELLING_WRAPPER)
    told = tmp_path / "told"
    env = {"RUSTC_WRAPPER": str(wrapper), "TOLD": str(told)}
    optbuild.run("build", "--jobs", "2", cwd=project, env=env).expect(0)
    now: Counter[str] = Counter()
    most, together = 0, False
    for line in told.read_text().splitlines():
        what, kind = line.split()
        now[kind] += 1 if what == "begin" else -1
        most = max(most, now.total())
        together |= now["plain"] > 0 and now["instrument"] > 0
    assert now.total() == 0
    assert most == 2
    assert together, "plain and instrumented builds ran side by side"


def test_cargo_does_not_complain_of_the_budget(optbuild: Optbuild, tmp_path: Path) -> None:
    """A number of jobs on its command line, or a jobserver that it cannot use, would be warned of in each build."""
    project = with_crates(tmp_path / "p", 1)
    record = optbuild.run("build", "release", "--json", "--jobs", "2", cwd=project).expect(0).document
    (step,) = variant_of(record, "release")["steps"]
    assert "jobserver" not in Path(step["log"]).read_text()


def test_a_callers_own_jobserver_is_left_alone(optbuild: Optbuild, tmp_path: Path) -> None:
    """Where make hands a budget on, it is make's to give: builds follow each other, and cargo takes part in it."""
    project = with_crates(tmp_path / "p", 1)
    env = {"MAKEFLAGS": " -j --jobserver-auth=98,99"}
    actions = optbuild.run("plan", "--json", cwd=project, env=env).expect(0).document["actions"]
    assert all("CARGO_MAKEFLAGS" not in action.get("env", {}) for action in actions)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_two_builds_at_once(optbuild: Optbuild, tmp_path: Path, number: signal.Signals) -> None:
    """Both are told to stop; nothing of either is left, and nothing else was touched; the next run goes on."""
    project = copy_crate("tally", tmp_path / "p")
    write_profile(project)
    (project / "hold").touch()
    (project / "build.rs").write_text(HOLDING_BUILD_SCRIPT)
    with optbuild.start("build", "--json", "--jobs", "2", cwd=project) as running:
        for place in ("held-cargo", "held-train"):
            running.await_that((project / place).exists, f"the build script writes {place}")
        running.send(number)
        ended = running.end().expect(128 + number)
    assert ended.stderr.count("stopping cargo with SIGTERM") == 2
    optbuild.await_no_children()
    assert (ended.document["status"], ended.error["code"]) == ("interrupted", "interrupted")
    (project / "hold").unlink()
    optbuild.run("build", "--jobs", "2", cwd=project).expect(0)


def test_kill_9_leaves_nothing_of_two_builds(optbuild: Optbuild, tmp_path: Path) -> None:
    """Each has a launcher of its own, and each launcher sees that optbuild is gone."""
    project = copy_crate("tally", tmp_path / "p")
    write_profile(project)
    (project / "hold").touch()
    (project / "build.rs").write_text(HOLDING_BUILD_SCRIPT)
    with optbuild.start("build", "--jobs", "2", cwd=project) as running:
        for place in ("held-cargo", "held-train"):
            running.await_that((project / place).exists, f"the build script writes {place}")
        running.send(signal.SIGKILL)
        running.end()
    optbuild.await_no_children()


def test_a_failed_build_ends_the_one_beside_it(optbuild: Optbuild, tmp_path: Path) -> None:
    """Release does not compile, while the instrumented build would go on for ever."""
    project = copy_crate("tally", tmp_path / "p")
    variants = '[variants.release]\nrustflags = ["--cfg=broken"]\n[variants.pgo]\npgo = true\n'
    write_profile(project, variants=variants)
    (project / "hold").touch()
    script = HOLDING_BUILD_SCRIPT.replace('while Path::new("hold")', 'while place == "held-train" && Path::new("hold")')
    (project / "build.rs").write_text(script)
    source = project / "src/main.rs"
    source.write_text(source.read_text() + '#[cfg(broken)]\ncompile_error!("broken on purpose");\n')
    ended = optbuild.run("build", "--json", "--jobs", "2", cwd=project).expect(10)
    assert "broken on purpose" in ended.stderr
    optbuild.await_no_children()


def test_workloads_that_say_so_train_at_the_same_time(optbuild: Optbuild, tmp_path: Path) -> None:
    """Each waits until the other one runs: one after the other, both would exceed their timeouts."""
    project = copy_crate("tally", tmp_path / "p")
    workloads = ""
    for own, other in (("one", "two"), ("two", "one")):
        script = f'touch {own}; while [ ! -e {other} ]; do sleep 0.02; done; "$1" data/train.txt'
        workloads += (
            f'[[workloads]]\nname = "{own}"\nuse = ["train"]\nparallel = true\ntimeout = "10m"\n'
            f'command = ["sh", "-c", \'{script}\', "sh", "{{bin}}"]\n'
        )
    (project / "optbuild.toml").write_text(f"schema = 1\n{VARIANTS}{workloads}")
    record = optbuild.run("build", "--json", "--jobs", "3", cwd=project).expect(0).document
    assert variant_of(record, "pgo")["pgo"]["raw_profiles"] == 2
