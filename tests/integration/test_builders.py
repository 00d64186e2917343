"""Builders other than cargo, played by scripts that call the real cargo: what is asked of them, and what is checked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from optbuild.tools.builders import BUILDERS, BuilderName, guard_of_rustup, linker_variable
from tests.integration.optbuild_program import Optbuild, copy_crate, edit, variant_of, write_script

pytestmark = pytest.mark.cargo

TARGET = "x86_64-unknown-linux-gnu"


def test_the_linker_gets_a_symbol_and_its_option_as_one_word(tmp_path: Path) -> None:
    """Also where there are so many words that rustc writes them to a file; all others stay as they are."""
    script = BUILDERS[BuilderName.ZIGBUILD].link_script(TARGET)
    assert script is not None
    linker = write_script(
        tmp_path / "linker", 'for word; do echo "$word"; case $word in @*) cat "${word#@}";; esac; done'
    )
    program = tmp_path / script.name
    program.write_text(script.text)
    program.chmod(0o755)
    words = tmp_path / "linker-arguments"
    words.write_text("a.o\n-u\nsymbol\n-o\nb\\ c\n")
    argv = [str(program), "a b.o", "-u", "first", "-u", "second", f"@{words}", "-unknown"]
    env = {"PATH": "/usr/bin:/bin", linker_variable(TARGET): str(linker)}
    said = subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout.splitlines()
    file = ["a.o", "-Wl,-u,symbol", "-o", "b\\ c"]
    assert said == ["a b.o", "-Wl,-u,first", "-Wl,-u,second", f"@{words}", *file, "-unknown"]


def test_a_program_that_needs_a_newer_glibc_than_its_target_names_is_refused(
    optbuild: Optbuild, tmp_path: Path
) -> None:
    """A builder that links with this machine's glibc is not believed: the symbols' versions show it."""
    project = copy_crate("tally", tmp_path / "tally")
    target = f'[project]\nbuilder = "zigbuild"\ntarget = "{TARGET}.2.3"\n[variants.release]'
    edit(project / "optbuild.toml", "[variants.release]", target)
    call = f"""[ "$1" = --version ] && echo cargo-zigbuild 0.0.0 && exit
[ "$1" = zig ] && exit
shift
for word; do
    shift
    [ "$word" = {TARGET}.2.3 ] && word={TARGET}
    set -- "$@" "$word"
done
exec "$CARGO" build "$@\""""
    write_script(tmp_path / "bin/cargo-zigbuild", call)
    env = {"PATH": f"{tmp_path / 'bin'}:{optbuild.environ['PATH']}"}
    error = optbuild.run("build", "release", "--json", cwd=project, env=env).expect(10).error
    assert "tally needs GLIBC_2." in error["message"]
    assert "the target names glibc 2.3" in error["message"]
    assert not list(project.glob("target/optbuild/artifacts/release/*"))


def test_a_builder_may_ask_rustup_and_cannot_let_it_add_anything(tmp_path: Path) -> None:
    """Wherever the options stand that it gives."""
    rustup = write_script(tmp_path / "real", 'echo "$@"')
    guard = write_script(tmp_path / "rustup", guard_of_rustup(str(rustup)).text)

    def said(*words: str) -> str:
        return subprocess.check_output([str(guard), *words], text=True)

    assert said("toolchain", "list") == "toolchain list\n"
    assert said("--verbose", "toolchain", "add", "stable", "--profile", "minimal") == ""
    assert said("target", "add", TARGET) == ""


def in_container(directory: Path) -> dict[str, str]:
    """A cross whose container is this machine, with cargo's target directory where cross puts it, and its engine."""
    write_script(
        directory / "bin/cross",
        """[ "$1" = --version ] && echo cross 0.2.5 && exit
case $CROSS_CONTAINER_OPTS in *"-v "*) ;; *) exit 9;; esac
next=
for word; do
    shift
    [ "$next" ] && place=$word next=
    [ "$word" = --target-dir ] && next=1
    set -- "$@" "$word"
done
cargo "$@" > messages
status=$?
sed "s,\\"$place/,\\"/target/,g" messages
exit $status""",
    )
    write_script(directory / "bin/engine", "echo Server: 1")
    return {"CROSS_CONTAINER_ENGINE": "engine"}


def test_paths_in_a_container_are_those_of_this_machine(optbuild: Optbuild, tmp_path: Path) -> None:
    """What cargo names below the mounted target directory is found, trained and proved here."""
    project = copy_crate("tally", tmp_path / "tally")
    edit(project / "optbuild.toml", "[variants.release]", '[project]\nbuilder = "cross"\n[variants.release]')
    env = {**in_container(tmp_path), "PATH": f"{tmp_path / 'bin'}:{optbuild.environ['PATH']}"}
    record = optbuild.run("build", "--json", cwd=project, env=env).expect(0).document
    assert variant_of(record, "pgo")["pgo"]["applied"]
    assert (project / "target/optbuild/artifacts/pgo/tally").is_file()


def test_without_a_container_engine_nothing_is_built(optbuild: Optbuild, tmp_path: Path) -> None:
    """Missing, or there and not answering: each is said, with what to start, also by doctor."""
    project = copy_crate("tally", tmp_path / "tally")
    edit(project / "optbuild.toml", "[variants.release]", '[project]\nbuilder = "cross"\n[variants.release]')
    env = {**in_container(tmp_path), "PATH": f"{tmp_path / 'bin'}:{optbuild.environ['PATH']}"}
    write_script(tmp_path / "bin/engine", "echo Cannot connect to the daemon. >&2; exit 1")
    error = optbuild.run("build", "--json", cwd=project, env=env).expect(3).error
    assert "the container engine engine does not answer: Cannot connect to the daemon." in error["message"]
    assert "docker info" in error["help"]
    env["CROSS_CONTAINER_ENGINE"] = "nothing"
    error = optbuild.run("build", "--json", cwd=project, env=env).expect(3).error
    assert "no container engine is here: nothing not on PATH" in error["message"]
    assert "no container engine" in optbuild.run("doctor", cwd=project, env=env).stdout
    assert not (project / "target").exists()
