"""`optbuild compare` builds both versions side by side: what overlaps, what does not, and how both end."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from tests.integration.git_history import PROFILE, History
from tests.integration.optbuild_program import Optbuild, variant_of

pytestmark = [
    pytest.mark.pgo,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere builds follow each other"),
]

VARIANTS = '[variants.release]\n[variants.pgo]\ninherits = "release"\npgo = true\n'
TRAINING = """
[[workloads]]
name = "meet"
use = ["train"]
timeout = "10m"
command = ["sh", "-c", 'touch %s; while [ -e %s ]; do sleep 0.02; done; exec "$1" data/turns.txt', "sh", "{bin}"]
"""
BUILD_SCRIPT = """fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    std::fs::write(%s, "").unwrap();
    %s
}
"""


class Meeting:
    """A history in which the old version trains as long as a file is there, and the new one's build script tells.

    Attributes:
        hold: The file that training waits for.
        trains: Written by training.
        builds: Written by the new version's build script.
    """

    def __init__(self, directory: Path, optbuild: Optbuild, script: str) -> None:
        self.hold, self.trains, self.builds = (directory / name for name in ("hold", "trains", "builds"))
        self.hold.touch()
        self.history = History.begin(directory / "turns", optbuild)
        training = TRAINING % (self.trains, self.hold)
        profile = PROFILE.replace("[variants.release]\n", VARIANTS) + training
        files = {"build.rs": BUILD_SCRIPT % (_quoted(self.builds), script), "optbuild.toml": profile}
        self.history.commit("v2", files)


def _quoted(path: Path) -> str:
    return json.dumps(str(path))


def test_one_version_trains_while_the_other_one_compiles(optbuild: Optbuild, tmp_path: Path) -> None:
    """The old version's training ends only once the new one's build script has run; the record has a fixed order."""
    meeting = Meeting(tmp_path, optbuild, f"std::fs::remove_file({_quoted(tmp_path / 'hold')}).unwrap_or_default();")
    record = meeting.history.record("v1", "v2", "--jobs", "2")
    assert [each["name"] for each in record["variants"]] == ["old", "new"]
    old, new = (variant_of(record, name)["steps"] for name in ("old", "new"))
    (train,) = (step for step in old if step["kind"] == "train" and step["argv"][0].endswith("sh"))
    instrument = next(step for step in new if step["kind"] == "compile")
    assert train["started_s"] < instrument["started_s"] + instrument["duration_s"]
    assert instrument["started_s"] < train["started_s"] + train["duration_s"]
    total_s = sum(step["duration_s"] for step in (*old, *new))
    assert record["build_wall_s"] < total_s


def test_a_signal_ends_the_builds_of_both_versions(optbuild: Optbuild, tmp_path: Path) -> None:
    """The old one trains and the new one compiles: nothing of either is left, and the next comparison goes on."""
    wait = "std::thread::sleep(std::time::Duration::from_millis(20));"
    meeting = Meeting(
        tmp_path, optbuild, f"while std::path::Path::new({_quoted(tmp_path / 'hold')}).exists() {{ {wait} }}"
    )
    with optbuild.start("compare", "v1", "v2", "--json", "--jobs", "2", cwd=meeting.history.directory) as running:
        for told in (meeting.trains, meeting.builds):
            running.await_that(told.exists, f"{told.name} is written")
        running.send(signal.SIGINT)
        ended = running.end().expect(128 + signal.SIGINT)
    optbuild.await_no_children()
    assert (ended.document["status"], ended.error["code"]) == ("interrupted", "interrupted")
    meeting.hold.unlink()
    record = meeting.history.record("v1", "v2", "--jobs", "2")
    assert [each["status"] for each in record["variants"]] == ["built", "built"]


def test_a_version_that_does_not_build_ends_the_other_one_and_is_named(optbuild: Optbuild, tmp_path: Path) -> None:
    """The old one would train for ever."""
    meeting = Meeting(tmp_path, optbuild, 'panic!("broken on purpose");')
    ended = meeting.history.compare("v1", "v2", "--json", "--jobs", "2").expect(10)
    optbuild.await_no_children()
    assert ended.error["message"].startswith("new (v2): ")
    assert "broken on purpose" in ended.stderr


def test_with_one_job_one_version_follows_the_other(optbuild: Optbuild, tmp_path: Path) -> None:
    """Nothing of the new one begins before the old one is built."""
    meeting = Meeting(tmp_path, optbuild, "")
    meeting.hold.unlink()
    record = meeting.history.record("v1", "v2", "--jobs", "1")
    old, new = (variant_of(record, name)["steps"] for name in ("old", "new"))
    assert max(step["started_s"] + step["duration_s"] for step in old) <= min(step["started_s"] for step in new)
