"""Crates of the registry in a fleet: cargo fetches them, and their build profile lies beside the fleet's file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild

pytestmark = [pytest.mark.cargo, pytest.mark.registry]

PROFILE = """schema = 1
[project]
bins = ["parse"]
[variants.release]
[variants.small]
opt-level = "s"
[[workloads]]
name = "parse"
command = ["{bin}", "some.xml"]
[measure]
max-time = "300ms"
"""
FLEET = """schema = 1
[[projects]]
crate = "xmlparser"
version = "0.13.6"
build-profile = "parse.toml"
[[projects]]
crate = "xmlparser"
version = "0.13.999"
build-profile = "parse.toml"
"""


def test_a_crate_is_fetched_built_and_measured(optbuild: Optbuild, tmp_path: Path) -> None:
    """Its identity is the checksum that cargo has checked; a version that does not exist fails its unit alone."""
    (tmp_path / "FLEET.toml").write_text(FLEET)
    (tmp_path / "parse.toml").write_text(PROFILE)
    (tmp_path / "some.xml").write_text("<a>" + "<b c='d'>text</b>" * 2000 + "</a>")
    found, absent = optbuild.run("fleet", "run", "--json", cwd=tmp_path).expect(2).document["units"]
    assert found["status"] == "complete"
    assert re.fullmatch(r"[0-9a-f]{64}", found["source_identity"])
    assert absent["status"] == "failed"
    assert "cargo cannot fetch the crate xmlparser 0.13.999" in absent["error"]["message"]
