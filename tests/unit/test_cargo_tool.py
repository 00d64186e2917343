from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.testing import TARGET
from optbuild.tools.cargo import (
    BuildFinished,
    BuildScriptExecuted,
    BuildSettings,
    CargoTarget,
    CompilerArtifact,
    CompilerMessage,
    RustcDiagnostic,
    build_directory_setting,
    make_build_argv,
    parse_message,
    short_package_name,
)

SETTINGS = BuildSettings(
    manifest=Path("/p q/Cargo.toml"),
    packages=("demo@0.1.0",),
    bins=("demo", "more"),
    target=TARGET,
    target_directory=Path("/p q/target/optbuild/cargo"),
    cargo_profile="release",
)
AS_READ = ("--color", "never", "--config", 'term.progress.when="never"', "--config", "term.quiet=false")


def test_the_shortest_build() -> None:
    """What is built, where for and where to is always said; paths are words, blanks and all."""
    assert make_build_argv("/t/cargo", SETTINGS) == (
        *("/t/cargo", "build", "--manifest-path", "/p q/Cargo.toml", "--package", "demo@0.1.0"),
        *("--bin", "demo", "--bin", "more", "--profile", "release", "--target", TARGET),
        *("--target-dir", "/p q/target/optbuild/cargo", *AS_READ, "--message-format=json-diagnostic-rendered-ansi"),
    )


def test_the_longest_build() -> None:
    """Every setting becomes an option, and the user's arguments come last."""
    settings = replace(
        SETTINGS,
        packages=("demo@0.1.0", "tool@2.0.0"),
        examples=("show",),
        lib=True,
        config=(("profile.release.lto", '"fat"'), ("profile.release.codegen-units", "1")),
        features=("a", "b"),
        no_default_features=True,
        all_features=True,
        locked=True,
        jobs=2,
        explain=True,
        extra=("--offline", "-Zx"),
    )
    argv = make_build_argv("cargo", settings)
    assert argv[4:14] == (
        *("--package", "demo@0.1.0", "--package", "tool@2.0.0", "--bin", "demo", "--bin", "more", "--example", "show"),
    )
    assert argv[14] == "--lib"
    assert argv[argv.index('profile.release.lto="fat"') - 1 :] == (
        *("--config", 'profile.release.lto="fat"', "--config", "profile.release.codegen-units=1"),
        *("--features", "a,b", "--no-default-features", "--all-features", "--locked", "--jobs", "2"),
        *("--config", 'build.warnings="warn"', "-vv"),
        *("--message-format=json-diagnostic-rendered-ansi", "--offline", "-Zx"),
    )


@pytest.mark.parametrize("name", ["plain", "two words", 'a "quote"', "a\\b", "grün", "\N{CRAB}"])
def test_a_build_directory_is_said_in_toml(name: str) -> None:
    """Whatever a directory is called, cargo reads its name again from what it is given."""
    setting = build_directory_setting(Path("/p", name))
    assert setting is not None
    assert tomllib.loads("=".join(setting)) == {"build": {"build-dir": f"/p/{name}"}}


@pytest.mark.parametrize("name", ["{work}", "a}b", "a{b"])
def test_a_build_directory_with_braces_cannot_be_said(name: str) -> None:
    """Cargo would take them for a variable."""
    assert build_directory_setting(Path("/p", name, "target")) is None


def test_messages_become_data() -> None:
    """The four kinds of messages are read, and fields of newer cargos are passed over."""
    artifact = (
        b'{"reason":"compiler-artifact","package_id":"path+file:///p#demo@0.1.0","new":1,'
        b'"target":{"name":"demo","kind":["bin"],"new":2},"fresh":true,"executable":"/p/demo"}\n'
    )
    target = CargoTarget(name="demo", kind=("bin",))
    assert parse_message(artifact) == CompilerArtifact(
        reason="compiler-artifact",
        package_id="path+file:///p#demo@0.1.0",
        target=target,
        fresh=True,
        executable=Path("/p/demo"),
    )
    said = (
        b'{"reason":"compiler-message","package_id":"p","target":{"name":"demo","kind":["bin"]},'
        b'"message":{"message":"unused","level":"warning","rendered":null}}'
    )
    assert parse_message(said) == CompilerMessage(
        reason="compiler-message",
        package_id="p",
        target=target,
        message=RustcDiagnostic(message="unused", level="warning"),
    )
    script = b'{"reason":"build-script-executed","package_id":"p","linked_libs":[]}'
    assert parse_message(script) == BuildScriptExecuted(reason="build-script-executed", package_id="p")
    done = b'{"reason":"build-finished","success":true}'
    assert parse_message(done) == BuildFinished(reason="build-finished", success=True)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"[demo 0.1.0] cargo::rerun-if-changed=build.rs\n",
        b"{",
        b'{"reason":"timing-info"}',
        b'{"reason":"compiler-artifact"}',
        b'{"text":"of a build script"}',
        b"\xff\xfe",
    ],
)
def test_anything_else_is_no_message(line: bytes) -> None:
    """Newer kinds of messages and what programs print between them are left alone."""
    assert parse_message(line) is None


@pytest.mark.parametrize(
    ("package_id", "name"),
    [
        ("path+file:///p#demo@0.1.0", "demo"),
        ("path+file:///p/helper#0.2.0", "helper"),
        ("registry+https://example.org/index#serde@1.0.200", "serde"),
        ("git+https://example.org/rg/ripgrep?rev=1#ripgrep@1.0.0", "ripgrep"),
        ("demo 0.1.0 (path+file:///p)", "p)"),
    ],
)
def test_the_name_of_a_package(package_id: str, name: str) -> None:
    """The name stands before the version, or is the last part of the path; older forms give something to show."""
    assert short_package_name(package_id) == name
