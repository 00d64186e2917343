from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbuild.errors import ToolchainError
from optbuild.project.cargo_config import load_cargo_config
from optbuild.project.model import CargoConfig, ConfiguredValue, Rustflags
from optbuild.project.rustc_programs import configured_rustc, rustc_wrappers
from optbuild.project.rustflags import cfg_flags, resolve_rustflags, settle_rustflags

TARGET = "x86_64-unknown-linux-gnu"
CFG = ("unix", 'target_os="linux"')
NOTHING = CargoConfig(directory=Path("/p"), files=(), values={})


def configured(tmp_path: Path, text: str) -> CargoConfig:
    """The configuration of a directory with one file."""
    path = tmp_path / ".cargo/config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return load_cargo_config(tmp_path, {"HOME": str(tmp_path)})


def test_origins_are_named_for_people(tmp_path: Path) -> None:
    """Each source that gave a flag is named once, in the order of the flags."""
    config = configured(
        tmp_path,
        f"[target.{TARGET}]\nrustflags = ['-a', '-b']\n[target.'cfg(unix)']\nrustflags = '-c'\n"
        "[target.'cfg(windows)']\nrustflags = '-d'\n[build]\nrustflags = '-e'",
    )
    environ = {"CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS": "-f"}
    file = tmp_path / ".cargo/config.toml"
    assert resolve_rustflags(config, environ, TARGET, CFG) == Rustflags(
        flags=("-a", "-b", "-f", "-c"),
        origin=f"{file}: target.{TARGET}.rustflags + CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS"
        f" + {file}: target.'cfg(unix)'.rustflags",
    )


def test_no_flags_have_no_origin(tmp_path: Path) -> None:
    """Neither an empty source nor none at all is an origin."""
    none = Rustflags(flags=(), origin=None)
    assert resolve_rustflags(NOTHING, {}, TARGET, CFG) == none
    assert resolve_rustflags(configured(tmp_path, "build.rustflags = '-a'"), {"RUSTFLAGS": ""}, TARGET, CFG) == none


def test_a_target_file_goes_by_its_stem(tmp_path: Path) -> None:
    """`--target some/board.json` is configured as `target.board`."""
    config = configured(tmp_path, "target.board.rustflags = '-a'")
    assert resolve_rustflags(config, {}, "specs/board.json", CFG).flags == ("-a",)


def test_a_triple_with_a_dot_reaches_a_table_within_a_table(tmp_path: Path) -> None:
    """Cargo splits the key at every dot, whatever was quoted in the file."""
    config = configured(tmp_path, "target.thumbv8m.base-none-eabi.rustflags = '-a'")
    environ = {"CARGO_TARGET_THUMBV8M_BASE_NONE_EABI_RUSTFLAGS": "-b"}
    assert resolve_rustflags(config, environ, "thumbv8m.base-none-eabi", CFG).flags == ("-a", "-b")


@given(st.lists(st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), min_size=1)))
def test_the_encoded_form_carries_any_argument(flags: list[str]) -> None:
    """Spaces, quotes and newlines inside an argument survive."""
    environ = {"CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags), "RUSTFLAGS": "-z"}
    assert resolve_rustflags(NOTHING, environ, TARGET, CFG).flags == tuple(flags)


@pytest.mark.parametrize("value", ["3", "true", "['-a', 3]", "[['-a']]", "{ a = 1 }"])
def test_a_value_of_another_type_is_refused(value: str, tmp_path: Path) -> None:
    """The error names the key and the file; cargo refuses the same."""
    with pytest.raises(ToolchainError, match=r"`build\.rustflags`: expected a") as caught:
        resolve_rustflags(configured(tmp_path, f"build.rustflags = {value}"), {}, TARGET, CFG)
    assert caught.value.location == str(tmp_path / ".cargo/config.toml")


def test_rustc_is_asked_only_where_flags_can_decide(tmp_path: Path) -> None:
    """Without cfg tables, or without flags that change the cfg, no program is needed."""

    def never(flags: tuple[str, ...]) -> tuple[str, ...]:
        raise AssertionError(flags)

    config = configured(tmp_path, f"target.{TARGET}.rustflags = '--cfg a'")
    assert settle_rustflags(config, {}, TARGET, CFG, never).flags == ("--cfg", "a")
    config = configured(tmp_path, f"target.{TARGET}.rustflags = '-Clinker=l'\ntarget.'cfg(unix)'.rustflags = '-b'")
    assert settle_rustflags(config, {}, TARGET, CFG, never).flags == ("-Clinker=l", "-b")


def test_rustc_is_given_only_harmless_flags(tmp_path: Path) -> None:
    """Flags that could load or run something decide nothing and are held back."""
    asked: list[tuple[str, ...]] = []

    def ask(flags: tuple[str, ...]) -> tuple[str, ...]:
        asked.append(flags)
        return (*CFG, "a")

    config = configured(
        tmp_path, "build.rustflags = '-Zcodegen-backend=evil.so --cfg a'\ntarget.'cfg(a)'.rustflags = '-b'"
    )
    assert settle_rustflags(config, {}, TARGET, CFG, ask).flags == ("-b",)
    assert asked == [("--cfg", "a")]


def test_the_flags_that_change_the_cfg_are_known() -> None:
    """All spellings of `--cfg` and of the codegen options count; everything else is left out."""
    flags = "--cfg a --cfg=b -C target-cpu=native -Cpanic=abort --codegen target_feature=+x --codegen=opt-level=3 -O"
    assert cfg_flags(flags.split()) == tuple(flags.split())
    others = (
        "-Clinker=l --codegen linker=l --codegen=linker=l -Zunstable @file --cfg @file -C @file --sysroot s x.rs -C"
    )
    assert cfg_flags(others.split()) == ()


def test_wrappers_are_told_with_their_origin(tmp_path: Path) -> None:
    """The outer one comes first; a path is relative to the directory that holds `.cargo`."""
    config = configured(tmp_path, "build.rustc-wrapper = 'sccache'\nbuild.rustc-workspace-wrapper = 'bin/w'")
    file = tmp_path / ".cargo/config.toml"
    outer = ConfiguredValue(value="sccache", origin=f"{file}: build.rustc-wrapper")
    inner = ConfiguredValue(value=f"{tmp_path}/bin/w", origin=f"{file}: build.rustc-workspace-wrapper")
    assert rustc_wrappers(config, {}) == (outer, inner)
    assert rustc_wrappers(config, {"RUSTC_WRAPPER": ""}) == (inner,)
    variable = ConfiguredValue(value="other", origin="CARGO_BUILD_RUSTC_WRAPPER")
    assert rustc_wrappers(config, {"CARGO_BUILD_RUSTC_WRAPPER": "other"}) == (variable, inner)


def test_the_configured_compiler_is_told_with_its_origin(tmp_path: Path) -> None:
    """`RUSTC` counts before the configuration; without either it is the one in PATH."""
    config = configured(tmp_path, "build.rustc = 'my-rustc'")
    origin = f"{tmp_path}/.cargo/config.toml: build.rustc"
    assert configured_rustc(config, {}) == ConfiguredValue(value="my-rustc", origin=origin)
    assert configured_rustc(config, {"RUSTC": "r"}) == ConfiguredValue(value="r", origin="RUSTC")
    assert configured_rustc(NOTHING, {}) is None


def test_a_program_that_is_no_string_is_refused(tmp_path: Path) -> None:
    """A list is no program for cargo either."""
    with pytest.raises(ToolchainError, match=r"`build\.rustc`: expected a string"):
        configured_rustc(configured(tmp_path, "build.rustc = ['a']"), {})
