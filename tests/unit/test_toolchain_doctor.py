from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.errors import ToolchainError
from optbuild.events import Level
from optbuild.testing.values import make_bolt_tools
from optbuild.toolchain.doctor import LOW_DISK_BYTES, examine, examine_further_target, free_disk_bytes
from optbuild.toolchain.model import Finding, SearchedPlace, Tool, Toolchain
from optbuild.toolchain.requirements import require_disk, require_pgo_tools, require_platform, require_rust_version

HOST = "x86_64-unknown-linux-gnu"
GOOD = Toolchain(
    rustc=Tool(name="rustc", path=Path("/rust/bin/rustc"), version="1.95.0", llvm_major=22),
    cargo=Tool(name="cargo", path=Path("/rust/bin/cargo"), version="1.95.0"),
    host=HOST,
    target=HOST,
    sysroot=Path("/rust"),
    target_cfg=("unix",),
    llvm_profdata=Tool(name="llvm-profdata", path=Path("/llvm/llvm-profdata"), version="22.1.2", llvm_major=22),
    searched=(SearchedPlace(path=Path("/llvm/llvm-profdata"), outcome="LLVM 22"),),
    profiler_runtime=Path("/rust/lib/libprofiler_builtins-1.rlib"),
    target_installed=True,
    pgo_tools_remedy="rustup component add llvm-tools --toolchain stable",
    bolt=make_bolt_tools(),
)
GIT = Tool(name="git", path=Path("/usr/bin/git"), version="2.47.3")


def _examine(
    found: Toolchain | ToolchainError,
    *,
    environ: dict[str, str] | None = None,
    platform: str = "linux",
    git: Tool | None = GIT,
    free: int = 10 * LOW_DISK_BYTES,
) -> tuple[Finding, ...]:
    return examine(
        found,
        environ=environ or {},
        directory=Path("/work"),
        platform=platform,
        git=git,
        free_disk_bytes=free,
    )


Line = tuple[str, str, str]


def _lines(findings: tuple[Finding, ...]) -> list[Line]:
    return [(f"{found.level} {found.subject}", found.message, found.remedy) for found in findings]


def _mended(findings: tuple[Finding, ...]) -> list[Line]:
    return _lines(tuple(found for found in findings if found.level is not Level.INFO))


def test_a_good_machine_has_a_line_for_everything() -> None:
    """Each tool stands there with its version and place, and nothing is to be mended."""
    assert _lines(_examine(GOOD)) == snapshot(
        [
            ("info platform", "linux", ""),
            ("info rustc", "1.95.0, LLVM 22 (/rust/bin/rustc)", ""),
            ("info cargo", "1.95.0 (/rust/bin/cargo)", ""),
            ("info target", "x86_64-unknown-linux-gnu", ""),
            ("info llvm-profdata", "22.1.2 (/llvm/llvm-profdata)", ""),
            ("info profiler runtime", "/rust/lib/libprofiler_builtins-1.rlib", ""),
            ("info llvm-bolt", "22.1.2 (/toolchain/bin/llvm-bolt)", ""),
            ("info git", "2.47.3 (/usr/bin/git)", ""),
            ("info disk", "20.0 GiB free for /work", ""),
        ]
    )


def test_a_toolchain_that_cannot_be_asked_is_one_error() -> None:
    """What discovering said is shown with rustup's words and its remedy; the rest is examined all the same."""
    error = ToolchainError("the toolchain x is not installed", help="rustup toolchain install x", detail="error: x")
    assert _lines(_examine(error)) == snapshot(
        [
            ("info platform", "linux", ""),
            (
                "error toolchain",
                """\
the toolchain x is not installed
error: x\
""",
                "rustup toolchain install x",
            ),
            ("info git", "2.47.3 (/usr/bin/git)", ""),
            ("info disk", "20.0 GiB free for /work", ""),
        ]
    )


def test_everything_that_is_missing_has_a_remedy() -> None:
    """A missing tool, target or runtime is an error; a missing git or a full disk is worth a warning."""
    found = replace(
        GOOD,
        cargo=replace(GOOD.cargo, version="1.84.1"),
        target="aarch64-unknown-linux-gnu",
        target_installed=False,
        profiler_runtime=None,
        llvm_profdata=None,
        searched=(SearchedPlace(path=Path("/14/llvm-profdata"), outcome="LLVM 14"),),
    )
    assert _mended(_examine(found, git=None, free=LOW_DISK_BYTES - 1)) == snapshot(
        [
            (
                "warning cargo",
                "1.84.1 (/rust/bin/cargo) does not belong to rustc 1.95.0 (/rust/bin/rustc)",
                "unset CARGO RUSTC, or put the directory of both first on PATH",
            ),
            (
                "error target",
                "aarch64-unknown-linux-gnu is not installed",
                "rustup target add aarch64-unknown-linux-gnu",
            ),
            (
                "error llvm-profdata",
                "rustc 1.95.0 needs an llvm-profdata of LLVM 22, and only /14/llvm-profdata of LLVM 14 was found",
                "rustup component add llvm-tools --toolchain stable",
            ),
            (
                "error profiler runtime",
                "libprofiler_builtins is missing for aarch64-unknown-linux-gnu",
                "rustup target add aarch64-unknown-linux-gnu",
            ),
            (
                "warning git",
                "not found; only `optbuild compare` and the commit in the record need it",
                "install git with the system's package manager",
            ),
            ("warning disk", "2.0 GiB free for /work", "cargo clean, or: optbuild clean"),
        ]
    )


def test_a_runtime_that_the_toolchain_lacks_needs_another_toolchain() -> None:
    """Where the target is installed, adding it again would not bring the profiler runtime."""
    assert _mended(_examine(replace(GOOD, profiler_runtime=None))) == snapshot(
        [
            (
                "error profiler runtime",
                "libprofiler_builtins is missing for x86_64-unknown-linux-gnu",
                "rustup toolchain install stable, then: export RUSTUP_TOOLCHAIN=stable",
            )
        ]
    )


def test_a_compiler_without_llvm_is_an_error() -> None:
    """No llvm-profdata is missed where the compiler has no LLVM."""
    found = replace(GOOD, rustc=replace(GOOD.rustc, llvm_major=None), llvm_profdata=None, searched=())
    assert _mended(_examine(found)) == snapshot(
        [
            (
                "error rustc",
                "1.95.0 without LLVM (/rust/bin/rustc): it cannot do PGO",
                "rustup toolchain install stable, then: export RUSTUP_TOOLCHAIN=stable",
            )
        ]
    )


def test_a_named_llvm_profdata_that_was_passed_over_is_told() -> None:
    """LLVM_PROFDATA is not silently ignored."""
    mine = SearchedPlace(path=Path("/mine/llvm-profdata"), outcome="LLVM 14")
    found = replace(GOOD, searched=(mine, *GOOD.searched))
    assert _mended(_examine(found, environ={"LLVM_PROFDATA": "/mine/llvm-profdata"})) == snapshot(
        [
            (
                "warning llvm-profdata",
                "LLVM_PROFDATA names /mine/llvm-profdata, which was rejected: LLVM 14",
                "unset LLVM_PROFDATA",
            )
        ]
    )
    assert _mended(_examine(GOOD, environ={"LLVM_PROFDATA": "/llvm/llvm-profdata"})) == []


@pytest.mark.parametrize(
    ("platform", "level"), [("linux", Level.INFO), ("darwin", Level.WARNING), ("win32", Level.ERROR)]
)
def test_platforms(platform: str, level: Level) -> None:
    """Linux is complete, macOS is best effort, Windows cannot be used."""
    first = _examine(GOOD, platform=platform)[0]
    assert (first.subject, first.level) == ("platform", level)


def test_windows_is_refused() -> None:
    """The error of a run on Windows says where it works."""
    with pytest.raises(ToolchainError, match="does not run on Windows") as caught:
        require_platform("win32")
    assert caught.value.help.endswith("wsl --install")
    require_platform("linux")


def test_a_rustc_that_is_older_than_a_package_wants_is_told_with_both_versions() -> None:
    """Cargo would refuse it, once for each variant."""
    wanted = {"package": "demo", "location": "/p/Cargo.toml"}
    for rust_version in (None, "1.63", "1.95"):
        require_rust_version(GOOD, rust_version=rust_version, **wanted)
    with pytest.raises(ToolchainError) as caught:
        require_rust_version(GOOD, rust_version="1.96", **wanted)
    assert caught.value.message == "demo has rust-version = 1.96, and this is rustc 1.95.0"
    assert "RUSTUP_TOOLCHAIN" in caught.value.help


def test_a_disk_that_is_too_small_is_told_with_both_numbers() -> None:
    """The estimate stands against what is free, before anything is built."""
    require_disk(Path("/work"), free_bytes=1 << 30, needed_bytes=1 << 30)
    with pytest.raises(ToolchainError) as caught:
        require_disk(Path("/work"), free_bytes=1 << 29, needed_bytes=1 << 30)
    assert caught.value.message == "the run needs about 1.0 GiB of disk space, and 512 MiB are free"
    assert caught.value.status == 3


def test_free_space_is_told_for_directories_that_are_not_there_yet(tmp_path: Path) -> None:
    """The disk that would hold the directory is the nearest existing ancestor's."""
    assert free_disk_bytes(tmp_path / "not" / "yet") > 0


def test_a_good_toolchain_passes() -> None:
    """Nothing is refused where everything is there."""
    require_pgo_tools(GOOD)
    assert all(found.level is Level.INFO for found in _examine(GOOD))


def test_a_further_target_has_lines_of_its_own() -> None:
    """Its standard library and its profiler runtime; tools are those of the first one."""
    further = replace(GOOD, target="aarch64-unknown-linux-gnu", target_installed=False, profiler_runtime=None)
    lines = _lines(examine_further_target(further))
    assert [subject for subject, _, _ in lines] == ["error target", "error profiler runtime"]
    assert all("aarch64-unknown-linux-gnu" in message for _, message, _ in lines)
    refused = examine_further_target(ToolchainError("rustc knows no target x", help="see: rustc --print target-list"))
    assert _lines(refused) == [("error toolchain", "rustc knows no target x", "see: rustc --print target-list")]
