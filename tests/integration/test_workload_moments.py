"""What happens around a workload's runs, with real cargo and a real `llvm-profdata`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.optbuild_program import MEASURE, VARIANTS, Optbuild, copy_crate, fail, variant_of, write_script

pytestmark = pytest.mark.pgo

PROFILE = f"""\
schema = 1
{VARIANTS}
[[workloads]]
name = "both"
command = ["{{bin}}", "{{scratch}}/numbers.txt"]
setup = ["./moment.sh", "setup", "{{scratch}}"]
prepare = ["./moment.sh", "prepare", "{{bin}}"]
conclude = ["./moment.sh", "conclude"]
cleanup = ["./moment.sh", "cleanup"]
env = {{ CALLS = "{{env:CALLS}}" }}
repeat = 3
{MEASURE}precision = "50%"
"""
# The prepared run of the binary must leave no counts; the setup's file must be there for each run.
SCRIPT = """\
echo "$1" >> "$CALLS"
case "$1" in
setup) echo 2000 > "$2/numbers.txt" ;;
prepare) "$2" data/bench.txt > prepared.txt ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A crate whose workload has a command for every moment."""
    project = copy_crate("tally", tmp_path / "tally")
    (project / "optbuild.toml").write_text(PROFILE)
    write_script(project / "moment.sh", SCRIPT)
    return project


def test_every_moment_has_its_place(optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """Training three times leaves three raw profiles, what is prepared none; each phase sets up and cleans up."""
    calls = tmp_path / "calls"
    env = {"CALLS": str(calls)}
    # The first rounds reach so rough a precision: they end the measuring, and no time does.
    record = optbuild.run("pgo", "--json", "--max-time", "60s", cwd=project, env=env).expect(0).document
    pgo = variant_of(record, "pgo")["pgo"]
    assert pgo["raw_profiles"] == 3
    assert pgo["applied"]
    phases = calls.read_text().split("setup\n")[1:]
    # Counting instructions gives up where that takes too long, in the middle of a run.
    ended = [*phases[:3], max(phases, key=len)]
    assert all(re.fullmatch(r"(prepare\nconclude\n)+cleanup\n", phase) for phase in ended)
    counts = [phase.count("prepare") for phase in phases]
    # The baseline's outputs are looked at twice, before, after or between the three trainings and the comparison.
    assert sorted(counts[:3]) == [1, 2, 3]
    assert counts.index(3) < counts.index(1)
    assert max(counts[3:]) > 3  # what is measured, beside instructions where they can be counted


def test_a_setup_that_fails_is_named_with_its_words(optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """Exit code 11, what it said, and where all of that is kept."""
    write_script(project / "moment.sh", 'echo "no corpus" >&2; exit 4')
    words = ("`setup` of workload 'both' ended with exit code 4", "no corpus", ".stderr.setup")
    fail(optbuild, project, 11, "workload", *words, env={"CALLS": str(tmp_path / "calls")})
