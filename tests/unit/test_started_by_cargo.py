from __future__ import annotations

import pytest

from optbuild.toolchain.started_by_cargo import without_proxys_own

SHELL = {"PATH": "/bin", "LD_LIBRARY_PATH": "/opt/lib"}
OWN = {
    "RUSTUP_HOME": "/r",
    "RUSTUP_TOOLCHAIN": "stable-x",
    "RUSTUP_TOOLCHAIN_SOURCE": "default",
    "RUST_RECURSION_COUNT": "1",
}


def test_what_a_proxy_of_rustup_sets_for_itself_goes() -> None:
    """The toolchain is that of the project again, and programs find the libraries that they would have found."""
    started = {**SHELL, **OWN, "LD_LIBRARY_PATH": "/r/toolchains/stable-x/lib:/opt/lib"}
    kept = without_proxys_own(started)
    assert kept == {**SHELL, "RUSTUP_HOME": "/r", "RUST_RECURSION_COUNT": "1"}
    assert "LD_LIBRARY_PATH" not in without_proxys_own({**OWN, "LD_LIBRARY_PATH": "/r/toolchains/stable-x/lib"})


@pytest.mark.parametrize("source", ["cli", "env"])
def test_a_toolchain_that_the_user_chose_stays(source: str) -> None:
    """`cargo +nightly optbuild`, or the variable."""
    started = {**OWN, "RUSTUP_TOOLCHAIN_SOURCE": source, "LD_LIBRARY_PATH": "/r/toolchains/stable-x/lib"}
    assert without_proxys_own(started) == {**OWN, "RUSTUP_TOOLCHAIN_SOURCE": source}


def test_without_a_proxy_everything_stays() -> None:
    """Also a search path that has the libraries of a toolchain: somebody wants it so."""
    called = {
        **SHELL,
        "RUSTUP_HOME": "/r",
        "RUSTUP_TOOLCHAIN": "stable-x",
        "LD_LIBRARY_PATH": "/r/toolchains/stable-x/lib",
    }
    assert without_proxys_own(called) == called
