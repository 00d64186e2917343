"""Undo what rustup sets for its own purposes when it starts optbuild as `cargo optbuild`.

Its proxies decide on a toolchain by the working directory, and set it for all that they start: a project elsewhere, or
another version of this one, would lose the toolchain of its own `rust-toolchain` file. They also put the toolchain's
shared libraries into the search path, where no program expects them, so nothing would be reused after a call of
`optbuild` itself. What the user chose (`cargo +nightly`, RUSTUP_TOOLCHAIN) stays.

Sources:
    rustup 1.29, `src/toolchain.rs` (`set_ldpath`), `src/proxy.rs`, and `src/config.rs` (`OverrideCfg`,
    `RUSTUP_TOOLCHAIN_SOURCE`): https://github.com/rust-lang/rustup
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import PurePath

_CHOSEN = frozenset({"cli", "env"})
_SEARCH_PATHS = ("LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")


def without_proxys_own(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment as it was before a proxy of rustup, if one of them has set it."""
    kept = dict(environ)
    toolchain = kept.get("RUSTUP_TOOLCHAIN")
    source = kept.get("RUSTUP_TOOLCHAIN_SOURCE")
    if "RUST_RECURSION_COUNT" not in kept or toolchain is None:
        return kept
    if source is not None and source not in _CHOSEN:
        del kept["RUSTUP_TOOLCHAIN"], kept["RUSTUP_TOOLCHAIN_SOURCE"]
    libraries = str(PurePath(kept.get("RUSTUP_HOME", ""), "toolchains", toolchain, "lib"))
    for name in _SEARCH_PATHS:
        left = [path for path in kept.get(name, "").split(os.pathsep) if path not in {"", libraries}]
        if left:
            kept[name] = os.pathsep.join(left)
        else:
            kept.pop(name, None)
    return kept
