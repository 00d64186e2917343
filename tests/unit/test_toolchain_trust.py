from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.errors import ToolchainError
from optbuild.toolchain.trust import refuse_toolchain_by_path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rust-toolchain.toml", b'[toolchain]\npath = "tools/rust"\n'),
        ("rust-toolchain.toml", b'toolchain.path = "/opt/rust"\n'),
        ("rust-toolchain.toml", b'\xef\xbb\xbf[toolchain]\npath = "/opt/rust"\n'),
        ("rust-toolchain.toml", b'[toolchain]\nchannel = "/opt/rust"\n'),
        ("rust-toolchain.toml", b"[toolchain\n"),
        ("rust-toolchain.toml", b"1.95.0\n"),
        ("rust-toolchain.toml", b"toolchain = 3\n"),
        ("rust-toolchain", b'[toolchain]\npath = "tools/rust"\n'),
        ("rust-toolchain", b"/opt/rust\n"),
        ("rust-toolchain", b"../rust\n"),
        ("rust-toolchain", b"\xff\xfe"),
    ],
)
def test_a_toolchain_named_by_path_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """Every form in which rustup takes a path is refused, and so is what cannot be read for certain."""
    (tmp_path / name).write_bytes(content)
    inner = tmp_path / "crates" / "one"
    inner.mkdir(parents=True)
    with pytest.raises(ToolchainError) as caught:
        refuse_toolchain_by_path(inner, {})
    assert caught.value.location == str(tmp_path / name)
    assert "RUSTUP_TOOLCHAIN" in caught.value.help


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rust-toolchain.toml", '[toolchain]\nchannel = "nightly-2026-01-01"\ncomponents = ["rustfmt"]\n'),
        ("rust-toolchain.toml", '[toolchain]\ntargets = ["wasm32-wasip1"]\n'),
        ("rust-toolchain", "1.95.0\n"),
        ("rust-toolchain", '[toolchain]\nchannel = "stable"\n'),
    ],
)
def test_a_toolchain_named_by_channel_is_taken(tmp_path: Path, name: str, content: str) -> None:
    """A channel names something that rustup's user has installed."""
    (tmp_path / name).write_text(content)
    refuse_toolchain_by_path(tmp_path, {})
    assert (tmp_path / name).is_file()


def test_the_nearest_file_decides(tmp_path: Path) -> None:
    """As for rustup, a file further up does not matter where a nearer one stands."""
    (tmp_path / "rust-toolchain.toml").write_text('[toolchain]\npath = "/opt/rust"\n')
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "rust-toolchain").write_text("stable\n")
    refuse_toolchain_by_path(inner, {})
    with pytest.raises(ToolchainError):
        refuse_toolchain_by_path(tmp_path, {})


def test_the_callers_own_choice_goes_before_the_file(tmp_path: Path) -> None:
    """With RUSTUP_TOOLCHAIN set rustup does not look at the file."""
    (tmp_path / "rust-toolchain.toml").write_text('[toolchain]\npath = "/opt/rust"\n')
    refuse_toolchain_by_path(tmp_path, {"RUSTUP_TOOLCHAIN": "stable"})
    with pytest.raises(ToolchainError):
        refuse_toolchain_by_path(tmp_path, {"RUSTUP_TOOLCHAIN": ""})
