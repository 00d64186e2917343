from __future__ import annotations

import pytest

from optbuild.testing import make_toolchain
from optbuild.toolchain.runnable import why_not_runnable

LINUX, MAC = "x86_64-unknown-linux-gnu", "aarch64-apple-darwin"


def cfg(system: str, arch: str, width: int = 64) -> tuple[str, ...]:
    """What rustc says of a target."""
    return ("unix", f'target_os="{system}"', f'target_arch="{arch}"', f'target_pointer_width="{width}"')


@pytest.mark.parametrize(
    ("host", "target", "target_cfg"),
    [
        (LINUX, LINUX, ()),
        (LINUX, "x86_64-unknown-linux-musl", cfg("linux", "x86_64")),
        (LINUX, "i686-unknown-linux-gnu", cfg("linux", "x86", 32)),
        (LINUX, "my-board.json", cfg("linux", "x86_64")),
        (MAC, "aarch64-apple-darwin11", cfg("macos", "aarch64")),
    ],
)
def test_the_same_system_and_architecture_run(host: str, target: str, target_cfg: tuple[str, ...]) -> None:
    """Another C library may be there, and a 64-bit kernel runs programs of 32 bits."""
    assert why_not_runnable(make_toolchain(host=host, target=target, target_cfg=target_cfg)) is None


@pytest.mark.parametrize(
    ("host", "target", "target_cfg"),
    [
        (LINUX, "aarch64-unknown-linux-gnu", cfg("linux", "aarch64")),
        (LINUX, "x86_64-unknown-linux-gnux32", cfg("linux", "x86_64", 32)),
        (LINUX, "x86_64-linux-android", cfg("android", "x86_64")),
        (LINUX, "x86_64-pc-windows-gnu", cfg("windows", "x86_64")),
        (LINUX, "wasm32-wasip1", cfg("wasi", "wasm32", 32)),
        (LINUX, "x86_64-unknown-none", cfg("none", "x86_64")),
        (MAC, "x86_64-apple-darwin", cfg("macos", "x86_64")),
        ("aarch64-unknown-linux-gnu", "i686-unknown-linux-gnu", cfg("linux", "x86", 32)),
    ],
)
def test_another_machines_programs_do_not(host: str, target: str, target_cfg: tuple[str, ...]) -> None:
    """The reason names both."""
    reason = why_not_runnable(make_toolchain(host=host, target=target, target_cfg=target_cfg))
    assert reason == f"a program for {target} does not run on {host}"
