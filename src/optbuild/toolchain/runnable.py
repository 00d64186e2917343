"""Decide whether a program for a target runs on this machine without a runner.

Rustc's description of the target decides, before anything is built; nothing is run from here.
"""

from __future__ import annotations

from optbuild.toolchain.model import Toolchain

# What a kernel runs in addition to programs of its architecture.
_ALSO_RUNS = {("linux", "x86_64"): frozenset({"x86"})}
_X32 = frozenset({'target_arch="x86_64"', 'target_pointer_width="32"'})


def why_not_runnable(toolchain: Toolchain) -> str | None:
    """Why a program for the target does not run here without a runner; None if it does, or may.

    One for another C library of the same system and architecture may: its first run shows whether a library is missing.
    """
    if toolchain.target == toolchain.host:
        return None
    host_os = "macos" if "-darwin" in toolchain.host else "linux"
    host_arch = toolchain.host.partition("-")[0]
    cfg = frozenset(toolchain.target_cfg)
    runs = {host_arch, *_ALSO_RUNS.get((host_os, host_arch), ())}
    if f'target_os="{host_os}"' in cfg and not cfg >= _X32 and any(f'target_arch="{arch}"' in cfg for arch in runs):
        return None
    return f"a program for {toolchain.target} does not run on {toolchain.host}"
