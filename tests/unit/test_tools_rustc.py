from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.tools import rustc

RECORDED = Path(__file__).parents[1] / "recorded" / "rustc"


def test_version_is_read_from_what_rustc_prints() -> None:
    """The release, the host and the LLVM major are taken from `rustc -vV`."""
    version = rustc.parse_version((RECORDED / "rustc-vV.txt").read_text())
    assert version == rustc.RustcVersion(release="1.95.0", host="x86_64-unknown-linux-gnu", llvm_major=22)


def test_a_compiler_without_llvm_has_no_major() -> None:
    """A rustc that prints no `LLVM version` line has no LLVM."""
    assert rustc.parse_version("host: wasm32-none\nrelease: 1.90.0-dev\n").llvm_major is None


def test_cargo_prints_the_same_form() -> None:
    """`cargo -vV` is read as key and value too, values with colons included."""
    fields = rustc.parse_verbose_version((RECORDED / "cargo-vV.txt").read_text())
    assert fields["release"] == "1.95.0"
    assert fields["libcurl"] == "8.15.0-DEV (sys:0.4.83+curl-8.15.0 vendored ssl:OpenSSL/3.5.4)"


@pytest.mark.parametrize("text", ["", "rustc 1.95.0\n", "release: 1.95.0\n", "release: soon\nhost: x\n"])
def test_what_no_rustc_prints_is_refused(text: str) -> None:
    """Text without a release number and a host is not rustc's."""
    with pytest.raises(ValueError, match=r"release"):
        rustc.parse_version(text)


@pytest.mark.parametrize(
    ("release", "number"), [("1.95.0", (1, 95)), ("1.97.0-nightly", (1, 97)), ("1.63.0-beta.2", (1, 63))]
)
def test_release_numbers_compare_by_major_and_minor(release: str, number: tuple[int, int]) -> None:
    """Channels do not matter for what a release can do."""
    assert rustc.parse_release(release) == number


@pytest.mark.parametrize(
    ("release", "rust_version", "answer"),
    [
        ("1.95.0", "1.95", True),
        ("1.95.0", "1.95.1", False),
        ("1.95.1", "1.95.1", True),
        ("1.97.0-nightly", "1.97", True),
        ("1.97.0-beta.3", "1.97.1", False),
        ("1.95.0", "1.199", False),
        ("1.95.0", "2", False),
        ("1.95.0", "1", True),
    ],
)
def test_a_rust_version_is_held_against_a_release_by_numbers(release: str, rust_version: str, *, answer: bool) -> None:
    """What is left out counts as nought, and a channel does not matter."""
    assert rustc.is_new_enough(release, rust_version) is answer


def test_one_call_tells_all_about_a_target() -> None:
    """The sysroot comes first, the library directory second, and every other line is a cfg."""
    facts = rustc.parse_target((RECORDED / "target.txt").read_text())
    assert facts.sysroot == Path("/toolchain")
    assert facts.libdir == Path("/toolchain/lib/rustlib/x86_64-unknown-linux-gnu/lib")
    assert facts.cfg[0] == "debug_assertions"
    assert facts.cfg[-1] == "unix"
    assert 'target_os="linux"' in facts.cfg


def test_too_few_lines_about_a_target_are_refused() -> None:
    """A sysroot and a directory alone say nothing about the target."""
    with pytest.raises(ValueError, match="three lines"):
        rustc.parse_target("/toolchain\n/toolchain/lib\n")


def test_argvs() -> None:
    """The order of the `--print` requests is the order of the answer, which `parse_target` relies on."""
    assert rustc.version_argv(Path("/bin/rustc")) == ("/bin/rustc", "-vV")
    assert rustc.target_argv(Path("/bin/rustc"), "T") == (
        *("/bin/rustc", "--print", "sysroot", "--print", "target-libdir", "--print", "cfg"),
        *("--target", "T"),
    )
