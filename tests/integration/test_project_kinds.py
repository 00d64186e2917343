"""Workspaces, examples and libraries: what is built of them, trained and compared, with real cargo."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.integration.optbuild_program import Optbuild, copy_crate, edit, variant_of

pytestmark = pytest.mark.pgo

RUNTIME = '"-Wl,-u,__llvm_profile_runtime", '
LINK = f'prepare = ["cc", "drive.c", "{{lib:libchecksum.a}}", {RUNTIME}"-o", "{{scratch}}/driver"]'
CHOICE = 'package = ["left", "right"]'


def bins_of(variant: dict[str, Any]) -> list[str]:
    """What a variant consists of."""
    return [artifact["bin"] for artifact in variant["artifacts"]]


def test_programs_of_several_packages_share_a_profile(optbuild: Optbuild, tmp_path: Path) -> None:
    """They are built by one call of cargo, which unifies their features and says so; `{bin}` is the `default-run`."""
    directory = copy_crate("suite", tmp_path / "suite")
    ended = optbuild.run("pgo", "--json", cwd=directory).expect(0)
    record = ended.document
    assert "unifies their features: cargo build -p left -p right" in ended.stderr
    assert (record["project"]["package"], record["project"]["packages"]) == ("left", ["left", "right"])
    for name in ("release", "pgo"):
        assert bins_of(variant_of(record, name)) == ["left", "spare", "right"]
    evidence = variant_of(record, "pgo")["pgo"]
    assert (evidence["raw_profiles"], evidence["applied"]) == (2, True)
    assert {(item["workload"], item["equal"]) for item in record["outputs"]} == {("left", True), ("right", True)}
    loud = optbuild.run("plan", "-v", cwd=directory).expect(0).stdout
    assert "--package left@0.1.0 --package right@0.1.0 --bin left --bin spare --bin right" in loud
    assert optbuild.run("report", cwd=directory).expect(0).stdout.startswith("left, right: release, pgo")


def test_programs_are_found_in_whatever_package_has_them(optbuild: Optbuild, tmp_path: Path) -> None:
    """`bins` alone decides the packages, and names an example as well; what was not named is not built."""
    directory = copy_crate("suite", tmp_path / "suite")
    edit(directory / "optbuild.toml", CHOICE, 'bins = ["right", "show"]')
    edit(directory / "optbuild.toml", '"{bin}", "20000"', '"{bin:show}", "20000"')
    record = optbuild.run("pgo", "--json", cwd=directory).expect(0).document
    assert bins_of(variant_of(record, "pgo")) == ["right", "show"]
    assert sorted(path.name for path in (directory / "target/optbuild/artifacts/pgo").iterdir()) == ["right", "show"]
    assert variant_of(record, "pgo")["pgo"]["raw_profiles"] == 2
    assert not list(directory.glob("target/optbuild/cargo/*/release/spare"))


def test_a_virtual_workspace_names_the_choice(optbuild: Optbuild, tmp_path: Path) -> None:
    """Several packages with programs and no word about them: nothing is built, and the remedy names them."""
    directory = copy_crate("suite", tmp_path / "suite")
    edit(directory / "optbuild.toml", CHOICE, "")
    error = optbuild.run("pgo", "--json", cwd=directory).expect(2).error
    assert "`left` (`left`, `spare`); `right` (`right`)" in error["message"]
    assert CHOICE in error["help"]
    assert not (directory / "target").exists()


def make_workspace(root: Path, members: str, *names: str) -> Path:
    """A virtual workspace whose members are programs of their own names."""
    for name in names:
        (root / name / "src").mkdir(parents=True)
        (root / name / "Cargo.toml").write_text(f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n')
        (root / name / "src/main.rs").write_text(f'fn main() {{ println!("{name}"); }}\n')
    (root / "Cargo.toml").write_text(f'[workspace]\nresolver = "2"\nmembers = {list(names)}\n{members}\n')
    return root


def test_default_members_are_built_as_cargo_builds_them(optbuild: Optbuild, tmp_path: Path) -> None:
    """In the root of a workspace they are meant; in a member's directory that member is."""
    root = make_workspace(tmp_path / "w", 'default-members = ["cli"]', "cli", "steps")
    release = ("build", "-f", "preset:release", "--json")
    for directory, name in ((root, "cli"), (root / "steps", "steps")):
        record = optbuild.run(*release, cwd=directory).expect(0).document
        assert bins_of(variant_of(record, "release")) == [name]


def test_a_command_that_names_a_program_names_its_package(optbuild: Optbuild, tmp_path: Path) -> None:
    """Without a build profile the word `{bin:NAME}` is enough in a workspace of several programs."""
    root = make_workspace(tmp_path / "w", "", "one", "two")
    plan = optbuild.run("plan", "--json", "--", "{bin:two}", cwd=root).expect(0).document
    built = [action["argv"] for action in plan["actions"] if action["kind"] == "compile"]
    assert built
    assert all("two@0.1.0" in argv and "one@0.1.0" not in argv for argv in built)
    refused = optbuild.run("plan", "--", "{bin}", cwd=root).expect(2).stderr
    assert "{bin:NAME}" in refused


def test_a_program_whose_feature_is_off_is_refused_with_the_feature(optbuild: Optbuild, tmp_path: Path) -> None:
    """It is built once the build profile has the feature; before, cargo's other program is `{bin}`."""
    root = make_workspace(tmp_path, "", "one")
    (root / "one/src/bin").mkdir()
    (root / "one/src/bin/extra.rs").write_text("fn main() {}\n")
    with (root / "one/Cargo.toml").open("a") as manifest:
        manifest.write('[features]\nneeded = []\n[[bin]]\nname = "extra"\nrequired-features = ["needed"]\n')
    refused = optbuild.run("plan", "--", "{bin:extra}", cwd=root).expect(2).stderr
    assert "needs the feature `needed`" in refused
    assert 'set features = ["needed"] under [project]' in refused
    assert "--bin extra" not in optbuild.run("plan", "--", "{bin}", cwd=root).expect(0).stdout
    (root / "optbuild.toml").write_text('schema = 1\nextends = "preset:release"\n[project]\nfeatures = ["needed"]\n')
    record = optbuild.run("build", "--json", cwd=root).expect(0).document
    assert sorted(bins_of(variant_of(record, "release"))) == ["extra", "one"]


def test_a_shared_library_is_trained_by_what_loads_it(optbuild: Optbuild, tmp_path: Path) -> None:
    """The program that loads it writes the library's counts at its own end; a library needs no program of Rust."""
    directory = copy_crate("checksum", tmp_path / "checksum")
    record = optbuild.run("pgo", "--json", cwd=directory).expect(0).document
    assert (record["project"]["bins"], record["project"]["libs"]) == ([], ["libchecksum.so", "libchecksum.a"])
    release, pgo = (variant_of(record, name) for name in ("release", "pgo"))
    assert bins_of(pgo) == ["libchecksum.so", "libchecksum.a"]
    assert release["artifacts"][0]["sha256"] != pgo["artifacts"][0]["sha256"]
    assert (pgo["pgo"]["raw_profiles"], pgo["pgo"]["applied"]) == (1, True)
    assert pgo["pgo"]["functions_with_counts"] >= 1
    assert [item["equal"] for item in record["outputs"]] == [True, True]
    published = directory / "target/optbuild/artifacts/pgo"
    assert sorted(path.name for path in published.iterdir()) == ["libchecksum.a", "libchecksum.so"]


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_static_library_is_trained_by_what_is_linked_with_it(optbuild: Optbuild, tmp_path: Path) -> None:
    """The workload links its driver with each archive, and has the linker take the profiler's runtime."""
    directory = copy_crate("checksum", tmp_path / "checksum")
    profile = directory / "optbuild.toml"
    for old, rounds in (('"{lib}", "40"', 8000), ('"{lib:checksum}", "50"', 9000)):
        edit(profile, f'["python3", "drive.py", {old}]', f'["{{scratch}}/driver", "{rounds}"]\n{LINK}')
    record = optbuild.run("pgo", "--json", cwd=directory).expect(0).document
    evidence = variant_of(record, "pgo")["pgo"]
    assert (evidence["raw_profiles"], evidence["applied"]) == (1, True)
    assert [item["equal"] for item in record["outputs"]] == [True, True]
    edit(profile, f', "8000"]\n{LINK}', f', "8000"]\n{LINK.replace(RUNTIME, "")}')
    error = optbuild.run("build", "--json", cwd=directory).expect(13).error
    assert "-Wl,-u,__llvm_profile_runtime" in error["help"]
