from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.project.cargo_config import load_cargo_config
from optbuild.project.cargo_profile import is_said_already, load_cargo_profiles, resolve_cargo_profile
from optbuild.project.model import CargoProfile, CargoProfiles


def resolve(directory: Path, manifest: str, name: str = "release", *, config: str = "", **environ: str) -> CargoProfile:
    """What a profile comes to in a workspace with this manifest, configuration and environment."""
    (directory / "Cargo.toml").write_text(manifest)
    (directory / ".cargo").mkdir(exist_ok=True)
    (directory / ".cargo" / "config.toml").write_text(config)
    variables = {"HOME": str(directory), **environ}
    loaded = load_cargo_config(directory, variables)
    return resolve_cargo_profile(load_cargo_profiles(directory / "Cargo.toml", loaded, variables), name)


@pytest.mark.parametrize(
    ("name", "units"), [("release", 16), ("bench", 16), ("dev", 256), ("test", 256), ("unknown", 16)]
)
def test_without_settings_cargos_defaults_hold(tmp_path: Path, name: str, units: int) -> None:
    """No profile has LTO across crates unless it is asked for."""
    is_dev = name in {"dev", "test"}
    assert resolve(tmp_path, "[package]", name) == CargoProfile(
        lto="thin-local",
        codegen_units=units,
        is_for_development=is_dev,
        opt_level="0" if is_dev else "3",
        debug_assertions=is_dev,
        overflow_checks=is_dev,
    )


def test_what_makes_a_debug_build_is_read(tmp_path: Path) -> None:
    """Zero is a value, and a release profile may have checks on purpose."""
    manifest = "[profile.release]\nopt-level = 0\noverflow-checks = true\n[profile.dev]\nopt-level = 's'"
    release, dev = resolve(tmp_path, manifest, "release"), resolve(tmp_path, manifest, "dev")
    assert (release.opt_level, release.debug_assertions, release.overflow_checks) == ("0", False, True)
    assert (dev.opt_level, dev.debug_assertions, dev.overflow_checks) == ("s", True, True)
    variables = {"CARGO_PROFILE_RELEASE_OPT_LEVEL": "2", "CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS": "true"}
    changed = resolve(tmp_path, manifest, "release", **variables)
    assert (changed.opt_level, changed.debug_assertions) == ("2", True)


@pytest.mark.parametrize(
    ("written", "lto"),
    [
        ("true", "fat"),
        ('"fat"', "fat"),
        ('"thin"', "thin"),
        ("false", "thin-local"),
        ('"off"', "off"),
        ('"no"', "off"),
        ('"n"', "off"),
    ],
)
def test_the_words_of_lto_are_read_as_cargo_reads_them(tmp_path: Path, written: str, lto: str) -> None:
    """`false` and `off` are two things."""
    assert resolve(tmp_path, f"[profile.release]\nlto = {written}").lto == lto


def test_a_profile_inherits(tmp_path: Path) -> None:
    """The nearest profile that says something wins."""
    manifest = """
[profile.release]
lto = true
codegen-units = 1
[profile.dist]
inherits = "release"
lto = "thin"
[profile.nightly]
inherits = "dist"
codegen-units = 4
"""
    assert resolve(tmp_path, manifest, "dist") == CargoProfile(lto="thin", codegen_units=1)
    assert resolve(tmp_path, manifest, "nightly") == CargoProfile(lto="thin", codegen_units=4)


def test_the_configuration_goes_before_the_manifest_and_the_environment_before_both(tmp_path: Path) -> None:
    """As cargo has it."""
    manifest = "[profile.release]\nlto = true\ncodegen-units = 8"
    config = '[profile.release]\nlto = "thin"\ncodegen-units = 4'
    assert resolve(tmp_path, manifest, config=config) == CargoProfile(lto="thin", codegen_units=4)
    variables = {"CARGO_PROFILE_RELEASE_LTO": "off", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "1"}
    assert resolve(tmp_path, manifest, config=config, **variables) == CargoProfile(lto="off", codegen_units=1)


def test_a_profile_may_be_defined_in_the_configuration_alone(tmp_path: Path) -> None:
    """Its name is written with underscores in variables."""
    config = '[profile.my-dist]\ninherits = "release"\nlto = "fat"'
    found = resolve(tmp_path, "[package]", "my-dist", config=config, CARGO_PROFILE_MY_DIST_CODEGEN_UNITS="2")
    assert found == CargoProfile(lto="fat", codegen_units=2)


def test_packages_with_units_of_their_own_are_told(tmp_path: Path) -> None:
    """Those of inherited profiles and of the configuration count; build scripts are no part of the program."""
    manifest = """
[profile.release.package.regex]
codegen-units = 8
[profile.release.package.serde]
opt-level = 2
[profile.release.build-override]
codegen-units = 99
[profile.dist]
inherits = "release"
"""
    config = '[profile.dist.package."*"]\ncodegen-units = 1'
    assert resolve(tmp_path, manifest, "dist", config=config).package_codegen_units == {1, 8}


def test_a_circle_of_profiles_comes_to_an_end(tmp_path: Path) -> None:
    """Cargo refuses it; looking must not hang."""
    manifest = '[profile.a]\ninherits = "b"\n[profile.b]\ninherits = "a"\nlto = true'
    assert resolve(tmp_path, manifest, "a").lto == "fat"


@pytest.mark.parametrize("manifest", ["[profile", "profile = 1", "[profile.release]\npackage = 1\nlto = 'odd'"])
def test_what_cannot_be_read_says_nothing(tmp_path: Path, manifest: str) -> None:
    """Cargo itself says what is wrong with it."""
    assert resolve(tmp_path, manifest).codegen_units == 16


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("lto", "fat", True),
        ("lto", "thin", False),
        ("codegen-units", 1, True),
        ("codegen-units", 16, False),
        ("opt-level", 3, True),
        ("debug", False, True),
        ("panic", "abort", False),
    ],
)
def test_what_a_profile_says_itself_is_known(key: str, value: object, *, said: bool) -> None:
    """Whatever spelling it has; what nobody says is a default of Cargo's, which may change."""
    tables = ({"release": {"lto": True, "opt-level": "3", "debug": False}},)
    profiles = CargoProfiles(tables=tables, environ={"CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "1"})
    assert is_said_already(profiles, "release", key, value) is said
