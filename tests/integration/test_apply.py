from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, copy_crate

pytestmark = pytest.mark.cargo


def test_a_variant_becomes_the_cargo_profile_of_the_workspace(optbuild: Optbuild, tmp_path: Path) -> None:
    """Shown first, written when that is agreed to, and what Cargo has no key for is named; a rerun changes nothing."""
    directory = copy_crate("workspace", tmp_path / "workspace")
    (directory / "optbuild.toml").write_text(
        'schema = 1\nextends = "preset:pgo"\n[variants.fast]\ninherits = "pgo"\nrustflags = ["-Ctarget-cpu=native"]\n'
    )
    root = directory / "Cargo.toml"
    before = root.read_text()

    shown = optbuild.run("apply", "fast", cwd=directory).expect(0)
    assert '+lto = "fat"' in shown.stdout
    assert "apply fast --yes" in shown.stderr
    assert root.read_text() == before

    written = optbuild.run("apply", "fast", "--yes", cwd=directory).expect(0)
    assert "PGO is not part of a Cargo profile: optbuild build fast" in written.stderr
    assert "-Ctarget-cpu=native" in written.stderr
    assert root.read_text().startswith(before.rstrip("\n"))
    assert "codegen-units = 1" in root.read_text()
    again = optbuild.run("apply", "fast", "--yes", cwd=directory, env={"CARGO_PROFILE_RELEASE_LTO": "off"}).expect(0)
    assert "there is nothing to change" in again.stderr
    assert "CARGO_PROFILE_RELEASE_LTO of the environment overrides `lto`" in again.stderr


def test_what_cannot_be_applied_is_refused(optbuild: Optbuild, tmp_path: Path) -> None:
    """An unknown variant with the nearest, one without settings with what it is, and nothing is written."""
    directory = copy_crate("workspace", tmp_path / "workspace")
    (directory / "optbuild.toml").write_text('schema = 1\nextends = "preset:pgo"\n')
    before = (directory / "Cargo.toml").read_bytes()
    assert "did you mean lto?" in optbuild.run("apply", "lt", cwd=directory).expect(2).stderr
    assert "sets nothing" in optbuild.run("apply", "release", cwd=directory).expect(2).stderr
    assert (directory / "Cargo.toml").read_bytes() == before
